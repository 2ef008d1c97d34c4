"""What a night's statement is made of: prices, what lies about, who was not told; what cannot be had is left out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fleet.control import night as nights
from fleet.control.controller import Controller
from fleet.control.inventory import Unowned
from fleet.control.night import last_night, named_night, night_of, span_of, statement_of
from fleet.core.state import FleetBudget
from fleet.model.calendar import date_text
from fleet.model.cloud import Billing, Capabilities, Offer, PriceSince
from fleet.model.errors import ErrorClass, FleetError, ProviderError
from fleet.store.files import FileObjects
from tests.unit.report.nights import START, ZONE, fleet, hour, racer

NOW = hour(26)
NIGHT = "2026-11-25"


class Cloud:
    """Tells prices over time, or why it does not."""

    def __init__(self, error: ProviderError | None = None, *, history: bool = True) -> None:
        self.error, self.asked = error, list[tuple[str, float, float]]()
        billing = Billing(minimum_seconds=60, free_if_interrupted_within=3600)
        self.capabilities = Capabilities(
            notice_seconds=120, visible_within=60, billing=billing, volume_price=80_000, price_history=history
        )

    def price_history(self, offer: Offer, since: float, until: float) -> Sequence[PriceSince]:
        self.asked.append((offer.zone, since, until))
        if self.error is not None:
            raise self.error
        return (PriceSince(at=since, price=90_000), PriceSince(at=hour(3), price=95_000))


@pytest.fixture
def strays(monkeypatch: pytest.MonkeyPatch) -> list[Unowned]:
    """What lies about in the account."""
    found: list[Unowned] = []
    monkeypatch.setattr(nights, "unowned", lambda controller, *, whole: found)
    return found


def controller(tmp_path: Path, cloud: Cloud, now: float = NOW, **more: Any) -> Controller:
    objects = FileObjects(tmp_path, lambda: now)
    observer = SimpleNamespace(providers={"aws": cloud}, read_beats=lambda state: None, beat=lambda run, number: None)
    return cast(Controller, SimpleNamespace(objects=objects, state=fleet(racer(), **more), observer=observer))


def test_prices_are_asked_for_over_four_weeks_up_to_the_nights_end(tmp_path: Path, strays: list[Unowned]) -> None:
    cloud = Cloud()
    made = statement_of(controller(tmp_path, cloud), NIGHT, ZONE)
    assert cloud.asked == [(zone, START - 27 * 86_400, START + 86_400) for zone in ("us-east-1a", "us-east-1b")]
    assert [(one.zone, one.source, one.points[-1].price) for one in made.prices] == [
        ("us-east-1a", "EC2's price history", 95_000),
        ("us-east-1b", "EC2's price history", 95_000),
    ]


@pytest.mark.parametrize("history", [True, False], ids=["it does not answer", "it tells none"])
def test_without_a_clouds_word_the_journal_is_told_and_nobody_waits_twice(
    tmp_path: Path, strays: list[Unowned], history: bool, caplog: pytest.LogCaptureFixture
) -> None:
    cloud = Cloud(ProviderError(ErrorClass.CREDENTIALS, "ExpiredToken", "no credentials"), history=history)
    made = statement_of(controller(tmp_path, cloud), NIGHT, ZONE)
    assert {one.source for one in made.prices} == {"the journal"}
    assert len(cloud.asked) == history
    assert ("no credentials" in caplog.text) == history


def test_without_a_look_nobody_is_asked(tmp_path: Path, strays: list[Unowned]) -> None:
    cloud = Cloud()
    strays.append(Unowned("machine", "aws", "us-east-1", "i-9", "no attempt of this fleet owns it", 5_000_000))
    made = statement_of(controller(tmp_path, cloud), NIGHT, ZONE, look=False)
    assert (cloud.asked, made.left) == ([], ())


def test_what_lies_about_is_told_of_a_recent_night_only(tmp_path: Path, strays: list[Unowned]) -> None:
    strays.append(Unowned("machine", "aws", "us-east-1", "i-9", "no attempt of this fleet owns it", 5_000_000))
    [left] = statement_of(controller(tmp_path, Cloud()), NIGHT, ZONE).left
    assert (left.kind, left.id, left.monthly, left.command) == ("machine", "i-9", 5_000_000, "fleet gc --delete")
    assert statement_of(controller(tmp_path, Cloud(), now=hour(24 * 10)), NIGHT, ZONE).left == ()


def test_an_account_that_cannot_be_looked_through_hides_no_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: Controller, *, whole: bool) -> list[Unowned]:
        raise ProviderError(ErrorClass.DENIED, "UnauthorizedOperation", "ec2:DescribeInstances")

    monkeypatch.setattr(nights, "unowned", fails)
    assert statement_of(controller(tmp_path, Cloud()), NIGHT, ZONE).totals.night.paid > 0


def test_the_fleets_own_budgets_are_held_against_it(tmp_path: Path, strays: list[Unowned]) -> None:
    cap = FleetBudget(day=5_000_000, month=60_000_000, time_zone=ZONE, set_at=0.0)
    made = statement_of(controller(tmp_path, Cloud(), budget=cap), NIGHT, ZONE)
    assert (made.totals.budget, made.totals.month.budget) == (5_000_000, 60_000_000)


def test_nights_that_somebody_was_not_told_of_are_named(tmp_path: Path, strays: list[Unowned]) -> None:
    sent = tmp_path / "reports" / "sent"
    sent.mkdir(parents=True)
    for day, missed in (("2026-10-10", True), ("2026-11-23", True), ("2026-11-24", False), ("2026-11-26", True)):
        failed = [{"to": "mailto://m***", "why": "it hung"}] if missed else []
        one = {"night": day, "at": START, "by": "x", "to": ["mailto://m***"], "state": "done", "failed": failed}
        (sent / f"{day}.json").write_text(json.dumps(one))
    made = statement_of(controller(tmp_path, Cloud()), NIGHT, ZONE)
    assert [(one.date, one.line) for one in made.unsent] == [("2026-11-23", "could not be sent to mailto://m***: it hung")]


def test_a_night_is_made_in_every_form(tmp_path: Path, strays: list[Unowned]) -> None:
    made = night_of(controller(tmp_path, Cloud()), NIGHT, ZONE)
    assert (made.date, made.quiet, set(made.pages)) == (NIGHT, False, {"html", "md", "json"})
    assert set(made.rendered.images) == {"time.png", "nights.png", "price-0.png"}


def test_which_night_is_meant() -> None:
    assert last_night(START + 7200, ZONE) == "2026-11-24"
    assert last_night(START - 1, ZONE) == "2026-11-23"
    assert named_night("yesterday", START - 1, ZONE) == "2026-11-23"
    assert named_night("today", START - 1, ZONE) == "2026-11-24"
    assert named_night("2026-10-25", START, ZONE) == "2026-10-25"
    assert span_of("2026-10-25", ZONE).seconds == 25 * 3600
    with pytest.raises(FleetError, match="is no date"):
        span_of("2026-13-01", ZONE)


def test_a_day_that_has_not_begun_is_refused(tmp_path: Path, strays: list[Unowned]) -> None:
    with pytest.raises(FleetError, match="has not begun"):
        statement_of(controller(tmp_path, Cloud()), "2026-11-27", ZONE)


def test_a_year_of_nights_is_not_read_again_every_night(
    tmp_path: Path, strays: list[Unowned], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = tmp_path / "reports" / "sent"
    sent.mkdir(parents=True)
    one = {"at": START, "by": "x", "to": ["mailto://m***"], "state": "done"}
    for back in range(1, 400):
        day = date_text(START - back * 86_400 + 43_200, ZONE)
        (sent / f"{day}.json").write_text(json.dumps({**one, "night": day}))
    read: list[str] = []
    get = FileObjects.get

    def counted(self: FileObjects, key: str) -> bytes:
        read.append(key)
        return get(self, key)

    monkeypatch.setattr(FileObjects, "get", counted)
    assert statement_of(controller(tmp_path, Cloud()), NIGHT, ZONE).unsent == ()
    assert 0 < len(read) < 40


@pytest.mark.parametrize("night", ["tonight", "2026-02-30", "0001-01-20", "9999-12-31"])
def test_what_is_no_date_is_refused(night: str) -> None:
    with pytest.raises(FleetError, match="is no date"):
        span_of(night, "Europe/Berlin")
