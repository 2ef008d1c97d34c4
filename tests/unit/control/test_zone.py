"""The computer's own time zone, found by its name wherever a system keeps it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.control.zone import local_zone


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A system's root, with nothing in it yet."""
    (tmp_path / "etc").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        (":Asia/Tokyo", "Asia/Tokyo"),
        ("/usr/share/zoneinfo/America/New_York", "America/New_York"),
        ("", "UTC"),
        ("UTC0", "UTC"),
    ],
)
def test_a_zone_that_the_environment_names_comes_first(told: str, found: str, root: Path) -> None:
    (root / "etc" / "timezone").write_text("Africa/Cairo\n")
    assert local_zone({"TZ": told}, root) == found


@pytest.mark.parametrize(
    "target",
    [
        "/usr/share/zoneinfo/Europe/Paris",
        "../usr/share/zoneinfo/posix/Europe/Paris",
        "/var/db/timezone/zoneinfo/Europe/Paris",
    ],
)
def test_a_link_into_the_folder_of_zones_names_one(target: str, root: Path) -> None:
    (root / "etc" / "localtime").symlink_to(target)
    assert local_zone({}, root) == "Europe/Paris"


def test_a_file_that_names_the_zone_is_read_where_the_clock_is_a_copy(root: Path) -> None:
    (root / "etc" / "localtime").write_bytes(b"TZif2")
    (root / "etc" / "timezone").write_text("Africa/Cairo\n")
    assert local_zone({}, root) == "Africa/Cairo"


@pytest.mark.parametrize("rule", ["CET-1CEST,M3.5.0,M10.5.0/3", "Nowhere/City"])
def test_a_rule_without_a_name_leaves_it_to_the_system(rule: str, root: Path) -> None:
    (root / "etc" / "localtime").symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    assert local_zone({"TZ": rule}, root) == "Europe/Berlin"


def test_where_nothing_is_known_days_are_those_of_utc(root: Path) -> None:
    assert local_zone({}, root) == "UTC"
    (root / "etc" / "timezone").write_bytes(b"\xff\xfe")
    assert local_zone({}, root) == "UTC"
