"""Where messages go: the user's own file, and what of it is shown."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from fleet.model.errors import FleetError
from fleet.report.send.destinations import FILE, destination, keep, labels, read, shown, was_open

MAIL = "mailto://me:hunter2@mail.example.com:587?from=fleet@example.com&to=me@example.com"


@pytest.mark.parametrize(
    ("url", "what"),
    [
        (MAIL, "mailto://***@mail.example.com:587?to=me@example.com"),
        ("mailtos://mail.example.com", "mailtos://mail.example.com"),
        ("json://hooks.example.com/abc?key=def", "json://hooks.example.com/***"),
        ("slack://TokenA/TokenB/TokenC/#chan", "slack://***"),
        ("tgram://123456789:abcdefg/12315544/", "tgram://***"),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", "discord://***"),
        ("ses:fleet@example.com>me@example.com", "ses:fleet@example.com>me@example.com"),
        ("sns:arn:aws:sns:us-east-1:123456789012:fleet", "sns:arn:aws:sns:us-east-1:123456789012:fleet"),
        ("mailto://me:p%40ss@word@mail.example.com?to=hunter2", "mailto://***@mail.example.com/***"),
        ("mailto://first.last:12345#678@mail.example.com?to=me@example.com", "mailto://***"),
        ("jsons://first.last:12345/678@hooks.example.com", "jsons://***"),
    ],
)
def test_what_is_shown_has_stars_for_what_is_secret(url: str, what: str) -> None:
    assert shown(url) == what
    assert what in repr(destination(url))


@pytest.mark.parametrize("password", ["hunter2[", "hunter2]", "hunter2\u2100"])
def test_a_password_that_no_url_can_hold_is_refused_without_repeating_it(password: str, tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="%XX") as refused:
        keep(tmp_path, "report", [f"mailto://me:{password}@mail.example.com?to=me@example.com"])
    assert "hunter2" not in str(refused.value)
    assert "5B" in refused.value.hint


def test_the_file_is_the_users_alone_and_holds_each_use_apart(tmp_path: Path) -> None:
    keep(tmp_path, "report", [MAIL, MAIL, "slack://a/b/c"])
    keep(tmp_path, "notify", ["json://localhost"])
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert read(tmp_path, "report") == (MAIL, "slack://a/b/c")
    assert read(tmp_path, "notify") == ("json://localhost",)
    keep(tmp_path, "report", [])
    assert read(tmp_path, "report") == ()
    keep(tmp_path, "notify", [])
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    keep(tmp_path, "report", [MAIL])
    assert not was_open(tmp_path)
    (tmp_path / FILE).chmod(0o644)
    assert was_open(tmp_path)
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    (tmp_path / FILE).chmod(0o666)
    read(tmp_path, "report")
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "text",
    [
        "report: hunter2",
        "- hunter2",
        "report: [{a: hunter2}]",
        "reports: [hunter2]",
        "report: [hunter2",
        "report: [" + "a," * 60 + "]",
    ],
)
def test_a_file_that_is_not_as_it_should_be_is_said_without_repeating_it(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(FleetError) as refused:
        read(tmp_path, "report")
    assert FILE in refused.value.message
    assert "hunter2" not in str(refused.value)


def test_nothing_is_kept_of_a_list_with_something_wrong_in_it(tmp_path: Path) -> None:
    keep(tmp_path, "report", [MAIL])
    with pytest.raises(FleetError) as refused:
        keep(tmp_path, "report", ["slack://a/b/c", "hunter2"])
    assert "hunter2" not in str(refused.value)
    assert read(tmp_path, "report") == (MAIL,)


def test_two_that_look_alike_are_told_apart() -> None:
    assert list(labels(["slack://a/b/c", "slack://d/e/f", "slack://a/b/c"])) == ["slack://***", "slack://*** #2"]


def test_ses_takes_several_and_a_region() -> None:
    mail = destination("ses:fleet@example.com>me@example.com, you@example.com?region=eu-west-1").mail
    assert (mail.sender, mail.to, mail.region) == ("fleet@example.com", ("me@example.com", "you@example.com"), "eu-west-1")
    for wrong in (
        "ses:me@example.com",
        "ses:>me@example.com",
        "ses:a@b.c>",
        "ses:a@b.c>d@e.f?key=x",
        "ses:a@b.c>d@e.f\nBcc: g",
    ):
        with pytest.raises(FleetError, match="ses: wants"):
            destination(wrong)
