"""Events → what was learned of pools."""

from __future__ import annotations

from typing import Any

from fleet.core.history import by_pool, history
from fleet.model import events as ev
from fleet.model.cloud import Instance, InstanceState, Market, NewVolume, Offer
from fleet.model.documents import Notice
from fleet.model.errors import ErrorClass

WHO: dict[str, Any] = {"run_id": "r-1", "attempt": 1}


def offer(zone: str = "a", market: Market = Market.SPOT) -> Offer:
    return Offer(
        provider="aws", region="r", zone=zone, instance_type="t", market=market, price=300_000, on_demand_price=900_000
    )


def intended(at: float, try_no: int = 1, *offers: Offer, **who: Any) -> ev.LaunchIntended:
    given = {"predecessor": None, "lease_until": None, "share": None, "why": "", "volume": NewVolume(size_gb=1)}
    return ev.LaunchIntended(
        at=at, try_no=try_no, token=f"t{try_no}", offers=offers or (offer(),), **{**WHO, **who}, **given
    )


def launched(at: float, one: Offer | None = None, try_no: int = 1, **who: Any) -> ev.LaunchSucceeded:
    made = Instance(instance_id="i", offer=one or offer(), state=InstanceState.PENDING, launched_at=at)
    return ev.LaunchSucceeded(at=at + 1, try_no=try_no, instance=made, **{**WHO, **who})


def failed(at: float, error: ErrorClass = ErrorClass.CAPACITY, try_no: int = 1) -> ev.LaunchFailed:
    return ev.LaunchFailed(at=at, try_no=try_no, error_class=error, code="c", message="m", **WHO)


def gone(at: float, by: Any = "cloud", **who: Any) -> ev.AttemptGone:
    return ev.AttemptGone(at=at + 5, ended_at=at, ended_by=by, **{**WHO, **who})


def notice(at: float, kind: Any = "notice") -> ev.NoticeSeen:
    return ev.NoticeSeen(at=at + 3, notice=Notice(kind=kind, seen_at=at, until=at + 120), **WHO)


def told(events: list[ev.Event]) -> list[tuple[float, str, str]]:
    return [(one.at, one.what, one.zone) for one in history(events)]


def test_a_refusal_for_capacity_is_one_of_each_offer_that_was_asked_for() -> None:
    events: list[ev.Event] = [
        intended(1, 1, offer("a"), offer("b")),
        failed(2),
        intended(3, 2, offer("c")),
        launched(4, offer("c"), 2),
    ]
    assert told(events) == [(2, "refused", "a"), (2, "refused", "b"), (4, "launched", "c")]


def test_other_refusals_say_nothing_of_a_pool() -> None:
    assert told([intended(1), failed(2, ErrorClass.QUOTA), intended(3, 2), failed(4, ErrorClass.DENIED, 2)]) == []


def test_a_machine_that_was_taken_back_tells_how_long_it_ran() -> None:
    records = history([intended(1), launched(10), notice(3000, "rebalance"), notice(3490), gone(3610)])
    assert [one.what for one in records] == ["launched", "rebalance", "notice", "taken"]
    assert (records[-1].seconds, records[0].price, records[-1].price) == (3600, 300_000, None)
    assert {one.pool for one in records} == {("aws", "r", "a", "t")}


def test_a_machine_that_fleet_ended_after_its_notice_was_taken_and_without_one_was_not() -> None:
    assert told([intended(1), launched(10), notice(500), gone(550, "fleet")])[-1] == (550, "taken", "a")
    assert told([intended(1), launched(10), gone(550, "fleet")])[-1] == (550, "ended", "a")
    assert told([intended(1), launched(10), gone(550, "itself")])[-1] == (550, "ended", "a")


def test_what_two_controllers_recorded_counts_once() -> None:
    events: list[ev.Event] = [intended(1), launched(10), launched(10), notice(500), notice(501), gone(600), gone(601)]
    assert [what for _, what, _ in told(events)] == ["launched", "notice", "taken"]


def test_what_came_late_or_of_nobody_is_passed_over() -> None:
    assert told([launched(10), gone(20), failed(30), notice(40)]) == []
    assert told([intended(1), failed(2), failed(3)]) == [(2, "refused", "a")]


def test_pools_are_summed_with_machines_that_live() -> None:
    events: list[ev.Event] = [intended(0), launched(0), gone(3600)]
    second: dict[str, Any] = {"attempt": 2}
    events += [intended(4000, **second), launched(4000, **second)]
    other: dict[str, Any] = {"attempt": 3}
    usual = offer("a", Market.ON_DEMAND)
    events += [intended(5000, 1, usual, **other), launched(5000, usual, **other), gone(5600, "itself", **other)]
    spot, paid = by_pool(history(events), now=7600)
    assert (spot.launches, spot.interruptions, spot.seconds, spot.mean_life) == (2, 1, 7200, 7200)
    assert (paid.market, paid.seconds, paid.mean_life, paid.last) == (Market.ON_DEMAND, 600, None, 5600)
