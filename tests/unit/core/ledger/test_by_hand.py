"""Cases that were worked out by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fleet.core.costs import run_cost
from fleet.core.ledger import Line, group, ledger, midnights, total
from fleet.core.state import FleetState
from fleet.core.storage import requests_so_far
from fleet.model import events as ev
from fleet.model.base import FURTHEST
from fleet.model.calendar import Span, day_of, month_of
from fleet.model.cloud import Market
from fleet.model.rates import Rates
from tests.unit.core.ledger.oracle import Disk, Machine
from tests.unit.core.ledger.stories import BILLING, RUN, created, disk_events, folded, machine_events

HOUR, DAY = 3600, 86_400
MONTH = 730 * HOUR
ALWAYS = Span(-FURTHEST, FURTHEST)
BERLIN = "Europe/Berlin"
RATES = Rates.model_validate(
    {
        "of": "2026-07-01", "root_gb": 100, "root_gb_month": 80_000, "address_hour": 5_000, "storage_gb_month": 23_000,
        "put_per_thousand": 5_000, "get_per_thousand": 400, "regions": {"r": {}, "far": {"root_gb_month": 160_000}},
    }
)  # fmt: skip


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BERLIN)).timestamp())


def lines(
    state: FleetState, now: float, span: Span = ALWAYS, rates: Rates | None = None, cuts: tuple[float, ...] = ()
) -> list[Line]:
    return ledger(state, span, now, BILLING, {"sim": rates} if rates is not None else {}, cuts=cuts)


def one(machine: Machine, **job: Any) -> FleetState:
    return folded([created(**job)], machine_events(1, machine))


def test_an_hour_at_thirty_cents_and_one_at_sixty() -> None:
    state = one(Machine(0, 300_000, 900_000, seen=[(HOUR, 600_000)], ended=2 * HOUR))
    (line,) = lines(state, 9e6)
    assert (line.amount, line.on_demand, line.price, line.quantity) == (900_000, 1_800_000, 600_000, 7200.0)
    assert (line.known, line.ended_by, line.market) == ("measured", "fleet", Market.SPOT)
    assert [x.amount for x in lines(state, 9e6, cuts=(HOUR,))] == [300_000, 600_000]
    assert lines(state, 9e6, Span(2 * HOUR, 3 * HOUR)) == []


def test_two_machines_beside_each_other_cost_both() -> None:
    state = folded(
        [created()],
        machine_events(1, Machine(0, 300_000, 900_000, ended=2 * HOUR)),
        machine_events(2, Machine(HOUR, 100_000, 900_000, ended=3 * HOUR)),
    )
    assert [x.amount for x in lines(state, 9e6, Span(HOUR, 2 * HOUR))] == [300_000, 100_000]
    assert total(lines(state, 9e6)).amount == 800_000


def test_what_the_cloud_took_in_the_first_hour_is_free_but_not_what_it_had_about_it() -> None:
    found = lines(one(Machine(0, 300_000, 900_000, ended=HOUR, by="cloud")), 9e6, rates=RATES)
    told = {x.kind: (x.amount, x.on_demand) for x in found}
    # 100 GB for an hour at $0.08 a month of 730 hours: $0.010959; an address for an hour: half a cent
    assert told == {"instance": (0, 900_000), "root-disk": (10_959, 10_959), "address": (5_000, 5_000)}
    assert "free" in found[0].how


def test_an_end_before_the_beginning_costs_the_first_minute() -> None:
    (line,) = lines(one(Machine(1000, 600_000, 900_000, ended=900)), 9e6)
    assert (line.start, line.end, line.amount) == (1000.0, 1060.0, 10_000)


def test_a_price_of_nothing_costs_nothing_and_is_told() -> None:
    (line,) = lines(one(Machine(0, 0, 0, ended=HOUR)), 9e6)
    assert (line.amount, line.on_demand, line.quantity) == (0, 0, 3600.0)
    assert total([line]).amount == 0


def test_an_end_that_nobody_saw_is_an_estimate() -> None:
    end = ev.AttemptGone(at=9000.0, run_id=RUN, attempt=1, ended_at=HOUR, ended_by="unknown", estimate=True)
    state = folded([created()], machine_events(1, Machine(0, 300_000, 900_000)), [end])
    (line,) = lines(state, 9e6)
    assert (line.amount, line.known) == (300_000, "estimated")
    assert "last sign of life" in line.how
    assert total([line]).known == "estimated"


def test_prices_on_demand_are_listed() -> None:
    story = machine_events(1, Machine(0, 900_000, 900_000, ended=HOUR), market=Market.ON_DEMAND)
    (line,) = lines(folded([created()], story), 9e6)
    assert (line.amount, line.on_demand, line.known) == (900_000, 900_000, "listed")


def test_a_clock_that_stepped_back_charges_no_second_twice() -> None:
    """At 7,200 s one controller saw 60 cents; another, whose clock is late, saw 10 cents and noted 3,600 s."""
    state = one(Machine(0, 300_000, 900_000, seen=[(7200, 600_000), (3600, 100_000)], ended=3 * HOUR))
    assert total(lines(state, 9e6)).amount == 300_000 + 2 * 100_000
    assert run_cost(state.runs[RUN], 9e6, BILLING).compute == 500_000


def test_a_run_that_is_open_at_midnight_is_paid_for_on_both_days() -> None:
    begun, now = at("2026-11-25 22:00"), at("2026-11-26 01:00")
    state = one(Machine(begun, 100_000, 400_000))
    days = [day_of(begun, BERLIN), day_of(now, BERLIN)]
    assert [total(lines(state, now, day)).amount for day in days] == [200_000, 100_000]
    assert [total(lines(state, now, day)).on_demand for day in days] == [800_000, 400_000]


def test_a_day_on_which_clocks_go_back_has_25_hours_and_one_on_which_they_go_forward_23() -> None:
    state = one(Machine(at("2026-03-01"), 100_000, 400_000))
    now = at("2026-12-01")
    for text, hours in (("2026-10-25", 25), ("2026-03-29", 23), ("2026-06-01", 24)):
        assert total(lines(state, now, day_of(at(text), BERLIN))).amount == hours * 100_000


def test_months_end_at_the_users_midnight() -> None:
    state = one(Machine(at("2026-10-31 23:00"), 100_000, 400_000))
    now = at("2026-11-01 02:00")
    months = [month_of(at("2026-10-31"), BERLIN), month_of(now, BERLIN)]
    assert [total(lines(state, now, month)).amount for month in months] == [100_000, 200_000]


def test_days_are_the_users_and_add_up() -> None:
    begun, now = at("2026-10-24 12:00"), at("2026-10-26 12:00")
    state = one(Machine(begun, 100_000, 400_000))
    cuts = tuple(midnights(Span(begun, now), BERLIN))
    days = group(lines(state, now, cuts=cuts), "day", BERLIN)
    assert [(day.key, day.amount) for day in days] == [
        ("2026-10-24", 1_200_000), ("2026-10-25", 2_500_000), ("2026-10-26", 1_200_000)
    ]  # fmt: skip


def test_a_disk_that_was_enlarged_and_deleted() -> None:
    state = folded([created()], disk_events("v", Disk(0, 500, 80_000, grown=[(MONTH, 1000)], deleted=2 * MONTH)))
    (line,) = lines(state, 5 * MONTH)
    assert (line.amount, line.quantity, line.known) == (40_000_000 + 80_000_000, 1500.0, "listed")


@pytest.mark.parametrize(
    ("region", "micros", "sure"), [("r", 10_959, True), ("far", 21_918, True), ("unheard-of", 10_959, False)]
)
def test_each_region_asks_its_own_price(region: str, micros: int, sure: bool) -> None:
    story = machine_events(1, Machine(0, 300_000, 900_000, ended=HOUR))
    launched = story[1]
    assert isinstance(launched, ev.LaunchSucceeded)
    offer = launched.instance.offer.model_copy(update={"region": region})
    story[1] = launched.model_copy(update={"instance": launched.instance.model_copy(update={"offer": offer})})
    disk = next(x for x in lines(folded([created()], story), 9e6, rates=RATES) if x.kind == "root-disk")
    assert disk.amount == micros
    assert ("another region" not in disk.how) is sure


def test_a_job_that_asks_for_a_larger_root_disk_pays_for_it() -> None:
    state = one(Machine(0, 300_000, 900_000, ended=HOUR), resources={"disk_size": 200})
    assert next(x.amount for x in lines(state, 9e6, rates=RATES) if x.kind == "root-disk") == 21_918


def counted(day: int, gigabytes: int, put: int, get: int) -> ev.StorageMeasured:
    what = {"bytes": gigabytes * 10**9, "objects": 7, "put": put, "get": get}
    return ev.StorageMeasured(at=day * DAY, provider="sim", region="r", **what)


def test_the_bucket_costs_what_was_counted_until_the_next_count() -> None:
    state = folded([created()], [counted(1, 100, 10_000, 50_000), counted(2, 200, 30_000, 50_000)])
    now = 3 * DAY
    told = {x.resource: x for x in lines(state, now, rates=RATES)}
    # a day of 100 GB and one of 200: 7,200 GB-hours, of 730 to the month, at 2.3 cents
    assert told["bucket"].amount == round(7200 / 730 * 23_000)
    assert (told["bucket"].run, told["bucket"].known) == (None, "measured")
    assert told["bucket put"].amount == 150_000
    assert told["bucket get"].amount == 20_000
    assert told["bucket put"].known == "estimated"
    by_day = group(lines(state, now, rates=RATES, cuts=(DAY, 2 * DAY)), "day")
    assert [x.amount for x in by_day] == [
        50_000 + 20_000, round(2400 / 730 * 23_000) + 100_000, round(4800 / 730 * 23_000)
    ]  # fmt: skip
    late = next(x for x in lines(state, 9 * DAY, rates=RATES) if x.resource == "bucket")
    assert late.known == "estimated"
    assert [x for x in lines(state, now) if x.run is None] == []  # nobody says what it costs


def test_of_two_counts_in_the_same_night_the_first_is_believed_and_requests_never_become_fewer() -> None:
    early = counted(1, 100, 10_000, 50_000)
    state = folded([created()], [early, early.model_copy(update={"at": DAY + 60.0, "bytes": 1}), counted(2, 50, 9_000, 1)])
    assert [(x.at, x.bytes, x.put, x.get) for x in state.storage] == [
        (DAY, 100 * 10**9, 10_000, 50_000), (2 * DAY, 50 * 10**9, 10_000, 50_000)
    ]  # fmt: skip


def test_requests_are_reckoned_from_the_intervals_of_machines_and_one_controller() -> None:
    """Two machines for an hour each, half of it beside each other: 240 heartbeats and 360 looks each; and a controller that
    looks every 10 s for 90 minutes, in the journal and at the heartbeats. Beside them each entry, and 20 objects."""
    state = folded(
        [created()],
        machine_events(1, Machine(0, 1, 1, ended=HOUR)),
        machine_events(2, Machine(HOUR // 2, 1, 1, ended=HOUR * 3 // 2)),
    )
    assert requests_so_far(state, 20, 9e6) == (state.head + 20 + 2 * 240 + 540, state.head + 2 * 360 + 540)


def test_every_grouping_adds_up_to_the_total() -> None:
    state = folded(
        [created(), created("r-2")],
        machine_events(1, Machine(0, 300_000, 900_000, ended=DAY)),
        machine_events(1, Machine(HOUR, 100_000, 500_000, ended=5 * HOUR), run_id="r-2"),
        disk_events("v", Disk(0, 500, 80_000)),
        [counted(1, 100, 10_000, 50_000)],
    )
    found = lines(state, 3 * DAY, rates=RATES, cuts=(DAY, 2 * DAY))
    whole = total(found)
    for by in ("run", "day", "type", "zone", "kind", "attempt"):
        groups = group(found, by)
        assert sum(one.amount for one in groups) == whole.amount > 0
        assert sum(one.on_demand for one in groups) == whole.on_demand
    assert [one.key for one in group(found, "run")] == ["bucket", "r-1", "r-2"]
    assert total(ledger(state, ALWAYS, 3 * DAY, BILLING, {}, runs=[state.runs["r-2"]])).amount == 400_000
