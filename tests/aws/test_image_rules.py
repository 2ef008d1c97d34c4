"""What is decided about prepared images beside the choice: which are pruned, and what is said before a launch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.providers.aws.image_notes import Need, notes
from fleet.providers.aws.image_pruning import Limits, judge
from fleet.providers.aws.own_images import OLD, OwnImage, Wanted, choose, newest_of_each
from tests.aws.baked import MADE, record
from tests.aws.ground import REGION
from tests.aws.test_own_images import NOW, SEVERAL, image

DAY = 86_400.0


def pruned(images: list[OwnImage], used: dict[str, str] | None = None, **limits: Any) -> list[str]:
    return sorted(one.image.image_id for one in judge(images, used or {}, Limits(**limits), NOW) if one.action == "remove")


# --- pruning

THREE = [image(f"ami-{day}", made_at=MADE - day * DAY) for day in (1, 2, 100)]


@pytest.mark.parametrize(
    ("images", "used", "limits", "removed"),
    [
        (THREE, {}, {}, ["ami-100", "ami-2"]),
        (THREE, {}, {"keep": 2}, ["ami-100"]),
        (THREE, {}, {"older_than": 90 * DAY}, ["ami-100"]),
        (THREE, {}, {"everything": True}, ["ami-1", "ami-100", "ami-2"]),
        (THREE, {"ami-100": "i-1"}, {}, ["ami-2"]),
        (THREE, {"ami-100": "i-1"}, {"everything": True}, ["ami-1", "ami-2"]),
        ([image("ami-1"), image("ami-2", driver="580-server")], {}, {}, []),
        ([image("ami-1"), image("ami-2", base="ubuntu-22.04")], {}, {}, []),
        ([image("ami-1"), image("ami-2", region="eu-west-1")], {}, {}, []),
        ([image("ami-1"), image("ami-2", state="pending", made_at=MADE + 1)], {}, {"everything": True}, ["ami-1"]),
        ([image("ami-1"), image("ami-2", state="disabled")], {}, {}, []),
        ([image("ami-1"), image("ami-2", state="disabled")], {}, {"everything": True}, ["ami-1", "ami-2"]),
        ([image("ami-1"), image("ami-2", state="failed", made_at=MADE + 1)], {}, {}, ["ami-2"]),
        ([image("ami-1", recipe="2")], {}, {}, []),
        ([image("ami-1", recipe="2")], {}, {"everything": True}, ["ami-1"]),
        ([image("ami-1"), image("ami-2", recipe="2", made_at=MADE + 1)], {}, {}, []),
    ],
)
def test_what_newer_ones_replace_is_removed(
    images: list[OwnImage], used: dict[str, str], limits: dict[str, Any], removed: list[str]
) -> None:
    assert pruned(images, used, **limits) == removed


@given(SEVERAL, st.sets(st.integers(0, 11)), st.integers(1, 3), st.none() | st.floats(0, 1e9))
def test_what_is_in_use_and_what_a_launch_takes_is_never_pruned(
    images: list[OwnImage], picks: set[int], keep: int, older_than: float | None
) -> None:
    used = {images[pick].image_id: "i-1" for pick in picks if pick < len(images)}
    gone = set(pruned(images, used, keep=keep, older_than=older_than))
    assert not gone & used.keys()
    left = [one for one in images if one.image_id not in gone]
    for base in ("ubuntu-24.04", "ubuntu-22.04"):
        for arch in ("x86_64", "aarch64"):
            for driver in (None, "580-server", "470-server"):
                wanted = Wanted(base, arch, driver)
                assert choose(left, wanted, NOW).image == choose(images, wanted, NOW).image
    assert not set(pruned(images, used, everything=True)) & used.keys()


@given(SEVERAL)
def test_the_newest_of_each_kind_is_the_one_that_a_machine_of_the_kind_takes(images: list[OwnImage]) -> None:
    for kind, name in newest_of_each(images, NOW).items():
        own = [one for one in images if one.kind == kind and one.recipe == "1" and one.state == "available"]
        assert name in {one.image_id for one in own}
        assert all(min(one.made_at, NOW) <= min(next(o for o in own if o.image_id == name).made_at, NOW) for one in own)


# --- notes

CPU = Need(REGION, "ubuntu-24.04", "x86_64")
T4 = Need(REGION, "ubuntu-24.04", "x86_64", "580-server")


def test_a_young_image_and_none_at_all_are_nothing_to_speak_of() -> None:
    assert notes([CPU], {REGION: [image()]}, [], NOW) == []
    assert notes([CPU], {REGION: []}, [], NOW) == []


def test_an_old_image_is_named_with_its_age_and_what_makes_a_new_one() -> None:
    old = image(driver="580-server", made_at=NOW - OLD - 15.5 * DAY)
    (told,) = notes([T4, T4], {REGION: [old]}, [], NOW)
    assert "ami-1 is 75 days old" in told
    assert told.endswith(f"fleet ami build --region {REGION} --variant gpu --driver 580-server")


def test_an_image_that_was_there_and_is_gone_is_named() -> None:
    (told,) = notes([CPU], {REGION: []}, [record("ami-9"), record("ami-8", made_at=MADE - 1)], NOW)
    assert told == (
        f"{REGION}: the prepared image ami-9 is gone; machines boot from a stock image, which takes minutes longer; "
        f"a new one: fleet ami build --region {REGION}"
    )
    assert notes([CPU], {REGION: [image()]}, [record("ami-9")], NOW) == []


def test_an_image_of_another_region_only_is_named() -> None:
    far = record("ami-9", region="eu-west-1")
    (told,) = notes([CPU], {REGION: []}, [far], NOW)
    assert "only in eu-west-1" in told
    assert told.endswith(f"fleet ami build --region {REGION}")


def test_an_image_of_another_kind_is_no_news_and_a_region_that_cannot_be_asked_is_passed_over() -> None:
    assert notes([T4], {REGION: []}, [record("ami-9"), record("ami-8", arch="aarch64", driver="580-server")], NOW) == []
    assert notes([CPU], {}, [record("ami-9")], NOW) == []


def test_the_command_for_a_driver_that_has_ended_names_no_base() -> None:
    need = replace(T4, base="ubuntu-22.04", driver="470-server")
    (told,) = notes([need], {REGION: []}, [record("ami-9", base="ubuntu-22.04", driver="470-server")], NOW)
    assert told.endswith(f"fleet ami build --region {REGION} --variant gpu --driver 470-server")
