"""Costs are exact, and leases never let a budget be passed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.core.costs import attempt_cost, on_demand_cost, run_cost, volume_cost, volume_rate
from fleet.core.fold import fold
from fleet.core.leases import Lease, NoLease, at_most, committed, grant, worst_price
from fleet.core.pace import CLOUD, Pace, pace_of
from fleet.core.state import AttemptState, FleetState, RunState, VolumeRecord
from fleet.model import events as ev
from fleet.model.cloud import Billing, Market, NewVolume, Offer, PriceSince, Volume, VolumeState
from fleet.model.job import Job
from tests.unit.core.world import decide

PER_SECOND = Billing(minimum_seconds=60, free_if_interrupted_within=3600)


def offer(price: int = 300_000, on_demand: int = 900_000, market: Market = Market.SPOT) -> Offer:
    return Offer(
        provider="sim", region="r", zone="z", instance_type="t", market=market, price=price, on_demand_price=on_demand
    )


def attempt(number: int = 1, **fields: object) -> AttemptState:
    usual = {
        "number": number,
        "phase": "running",
        "try_no": 1,
        "token": "t",
        "offers": (offer(),),
        "offer": offer(),
        "volume": NewVolume(size_gb=1),
        "predecessor": None,
        "why": "",
        "intended_at": 0.0,
        "launched_at": 0.0,
        "prices": (PriceSince(at=0.0, price=300_000),),
    }
    return AttemptState.model_validate({**usual, **fields})


def run(*attempts: AttemptState, **job: object) -> RunState:
    made = Job.model_validate({"name": "r", "run": "x", "volume": {"size": "1GB"}, **job})
    return RunState(
        run_id="r-1", name="r", job=made, workdir_key=None, created_at=0.0, attempts={a.number: a for a in attempts}
    )


def test_an_hour_at_one_price_costs_that_price() -> None:
    assert attempt_cost(attempt(), 3600.0, PER_SECOND) == 300_000
    assert on_demand_cost(attempt(), 3600.0, PER_SECOND) == 900_000


def test_a_price_that_changes_counts_from_its_change() -> None:
    changing = attempt(prices=(PriceSince(at=0, price=300_000), PriceSince(at=1800, price=600_000)))
    assert attempt_cost(changing, 3600.0, PER_SECOND) == 450_000


def test_what_the_cloud_takes_in_the_first_hour_is_free_and_on_demand_would_not_have_been() -> None:
    taken = attempt(ended_at=3600.0, ended_by="cloud", phase="gone")
    assert attempt_cost(taken, 9e9, PER_SECOND) == 0
    assert on_demand_cost(taken, 9e9, PER_SECOND) == 900_000
    assert attempt_cost(taken.model_copy(update={"ended_at": 3601.0}), 9e9, PER_SECOND) == 300_083
    assert attempt_cost(taken.model_copy(update={"ended_by": "fleet"}), 9e9, PER_SECOND) == 300_000


def test_a_minute_is_the_least() -> None:
    assert attempt_cost(attempt(ended_at=1.0, ended_by="fleet"), 9e9, PER_SECOND) == 5_000


@given(
    st.lists(st.tuples(st.floats(0.001, 5000), st.integers(0, 10**7)), min_size=1, max_size=8),
    st.floats(0, 50_000),
    st.floats(0, 50_000),
)
def test_costs_only_grow_and_do_not_depend_on_when_one_looks(
    changes: list[tuple[float, int]], first: float, second: float
) -> None:
    at, prices = 0.0, [PriceSince(at=0.0, price=changes[0][1])]
    for wait, price in changes[1:]:
        at += wait
        prices.append(PriceSince(at=at, price=price))
    one = attempt(prices=tuple(prices))
    early, late = sorted((first, second))
    assert 0 <= attempt_cost(one, early, PER_SECOND) <= attempt_cost(one, late, PER_SECOND)
    dearest = max(p.price for p in prices)
    rounding = 1 + len(prices) * dearest / 7_200_000  # of the sum, and of each stretch to the millisecond
    assert attempt_cost(one, late, Billing()) <= dearest * late / 3600 + rounding


def test_a_disk_costs_by_the_gigabyte_and_month() -> None:
    disk = VolumeRecord(
        volume_id="v",
        provider="sim",
        region="r",
        zone="z",
        size_gb=500,
        price=80_000,
        created_at=0.0,
        deleted_at=730 * 3600.0,
    )
    assert volume_cost(disk, 9e9) == 40_000_000
    assert volume_rate(500, 80_000) == round(40_000_000 / 730)


def test_a_disk_that_was_enlarged_costs_more_from_then_on() -> None:
    month = 730 * 3600.0
    fields = {"volume_id": "v", "provider": "sim", "region": "r", "zone": "z", "price": 80_000, "created_at": 0.0}
    disk = VolumeRecord(**fields, size_gb=800, grown=((month / 2, 500),))
    assert volume_cost(disk, month / 2) == 20_000_000
    assert volume_cost(disk, month) == 20_000_000 + 32_000_000
    later = VolumeRecord(**fields, size_gb=800, held_since=month, grown=((month / 2, 500),))
    assert volume_cost(later, 2 * month) == 64_000_000
    came_back = later.model_copy(update={"earlier": ((0.0, month / 4), (month / 4, month * 3 / 4))})
    assert volume_cost(came_back, month) == 20_000_000 + 16_000_000


def test_the_worst_price_is_the_bid_or_on_demands() -> None:
    assert worst_price(offer(), None) == 900_000
    assert worst_price(offer(), 400_000) == 400_000
    assert worst_price(offer(price=500_000), 400_000) == 500_000
    assert worst_price(offer(market=Market.ON_DEMAND, price=900_000), 100) == 900_000


def test_without_a_budget_a_lease_is_a_week() -> None:
    assert grant(run(), offer(), 100.0, CLOUD, {}, 80_000) == Lease(100.0 + 7 * 86_400, None)


def test_a_lease_is_renewed_no_further_than_the_cloud_lets_a_machine_live() -> None:
    def renewed(pace: Pace, at: float) -> Lease | NoLease:
        lives = attempt(intended_at=1000.0, launched_at=1100.0, lease_until=5000.0)
        return grant(run(lives), offer(), at, pace, {}, 80_000, besides=lives.number)

    a_week, six_days = 7 * 86_400, 6 * 86_400.0
    assert renewed(pace_of("aws"), six_days) == Lease(six_days + a_week, None)
    assert renewed(pace_of("gcp"), six_days) == Lease(1000.0 + a_week, None)
    assert grant(run(), offer(), six_days, pace_of("gcp"), {}, 80_000) == Lease(six_days + a_week, None)


def test_a_time_limit_counts_from_the_first_launch() -> None:
    limited = run(attempt(launched_at=50.0, phase="gone"), max_duration="2h")
    assert grant(limited, offer(), 3000.0, CLOUD, {}, 80_000) == Lease(50.0 + 7200, None)
    assert isinstance(grant(limited, offer(), 7000.0, CLOUD, {}, 80_000), NoLease)


def test_an_end_that_nobody_saw_is_told_as_the_last_word_and_counts_in_the_budget_as_late_as_it_can_have_been() -> None:
    cut_off = CLOUD.intervals.cut_off
    lost = attempt(phase="gone", ended_at=3600.0, ended_by="unknown", end_estimated=True, lease_until=86_400.0)
    seen = lost.model_copy(update={"end_estimated": False, "ended_by": "itself"})
    now = 10_000.0
    assert attempt_cost(lost, now, PER_SECOND) == 300_000

    def left(one: AttemptState) -> int:
        found = grant(run(one, budget={"run": "$2"}), offer(), now, CLOUD, {}, 0, besides=None)
        assert isinstance(found, Lease)
        assert found.share is not None
        return found.share

    assert left(seen) - left(lost) == pytest.approx(cut_off * 300_000 / 3600, abs=2)
    assert left(seen) == left(lost.model_copy(update={"lease_until": 3600.0}))  # it cannot have lived beyond its lease


def test_what_was_worked_out_for_a_value_is_not_taken_for_its_changed_copy() -> None:
    gone = attempt(phase="gone", ended_at=3600.0, ended_by="fleet")
    before = run(gone)
    assert run_cost(before, 9000.0, {}).compute == 300_000
    assert before.live_attempts == []
    for update in ({"ended_at": 7200.0}, {"prices": (PriceSince(at=0.0, price=600_000),)}):
        changed = run(gone.model_copy(update=update))
        assert run_cost(changed, 9000.0, {}).compute == 600_000
    again = before.model_copy(update={"attempts": {1: gone.model_copy(update={"phase": "running", "ended_at": None})}})
    assert [one.number for one in again.live_attempts] == [1]
    assert run_cost(again, 7200.0, {}).compute == 600_000


def test_a_launch_that_nobody_ever_heard_of_counts_in_the_budget_as_long_as_its_machine_can_have_lived() -> None:
    """It may have booted, never spoken, and ended itself by its dead-man switch, while nobody looked."""
    never: dict[str, Any] = {"launched_at": None, "instance_id": None, "offer": None, "prices": ()}
    lost = attempt(**never, ended_at=7200.0, ended_by="unknown", phase="gone")
    told = run_cost(run(lost), 7200.0, {"sim": PER_SECOND}).total
    feared = run_cost(at_most(run(lost), 7200.0, CLOUD), 7200.0, {"sim": PER_SECOND}).total
    assert told == 0
    assert feared == pytest.approx(900_000 * CLOUD.silence / 3600, abs=2)


def test_what_is_spent_is_spent() -> None:
    poor = run(attempt(ended_at=7200.0, ended_by="fleet", phase="gone"), budget={"run": "$0.62"})
    nothing_more = NoLease(
        "the budget for this run is used up: $0.0200 of it are left, and 20m00s of a machine may come to $0.30"
    )
    assert grant(poor, offer(), 7200.0, CLOUD, {"sim": PER_SECOND}, 80_000) == nothing_more


def test_a_machine_is_launched_only_if_the_budget_pays_for_a_boot_and_a_while_after_it_but_lives_on_for_less() -> None:
    """A row of machines that end before they have done anything costs what a training could have had."""
    enough = CLOUD.boot_deadline + CLOUD.lease_least
    cents = round(900_000 * enough / 3600)
    pays = grant(run(budget={"run": cents}), offer(), 0.0, CLOUD, {}, 0)
    assert isinstance(pays, Lease)
    assert pays.until == pytest.approx(enough)
    assert isinstance(grant(run(budget={"run": cents - 10_000}), offer(), 0.0, CLOUD, {}, 0), NoLease)
    lives = attempt(lease_until=600.0)
    renewed = grant(run(lives, budget={"run": cents // 2}), offer(), 0.0, CLOUD, {}, 0, besides=1)
    assert isinstance(renewed, Lease)
    assert renewed.until == pytest.approx(enough / 2, rel=0.02)


steps = st.lists(
    st.tuples(
        st.floats(1, 20_000),  # time that passes
        st.sampled_from(["launch", "renew", "end", "taken"]),
        st.integers(1, 900_000),  # the price in force from then on: never above the worst
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=200)
@given(steps, st.integers(100_000, 20_000_000), st.sampled_from([0, 20, 500]))
def test_shares_and_what_is_spent_never_add_up_to_more_than_the_budget(
    story: list[tuple[float, str, int]], budget: int, gigabytes: int
) -> None:
    """Whatever is launched, renewed, ended and repriced: if every controller died now, the budget would still hold.

    With the disk, for as long as a machine lives; what it costs once none does is the user's word.
    """
    now, attempts = 0.0, dict[int, AttemptState]()
    billing = {"sim": Billing()}
    kept = VolumeRecord(volume_id="v", provider="sim", region="r", zone="z", size_gb=gigabytes, price=80_000, created_at=0.0)
    disk = {"v": kept} if gigabytes else {}

    def with_disk(**job: object) -> RunState:
        made = run(*attempts.values(), volume={"size": f"{max(gigabytes, 1)}GB"}, **job)
        return made.model_copy(update={"volumes": disk, "volume_id": "v" if disk else None})

    for wait, act, price in story:
        now += wait
        for number, one in attempts.items():
            if one.live and one.lease_until is not None and one.lease_until <= now:
                attempts[number] = one.model_copy(
                    update={"phase": "gone", "ended_at": one.lease_until, "ended_by": "itself"}
                )
        present = with_disk(budget={"run": budget})
        live = [a for a in attempts.values() if a.live]
        if act == "launch" and len(live) < 2:
            lease = grant(present, offer(), now, CLOUD, billing, 0)
            if isinstance(lease, Lease):
                number = len(attempts) + 1
                attempts[number] = attempt(
                    number, launched_at=now, lease_until=lease.until, prices=(PriceSince(at=now, price=price),)
                )
        elif act == "renew" and live:
            one = live[-1]
            lease = grant(present, offer(), now, CLOUD, billing, 0, besides=one.number)
            if isinstance(lease, Lease) and one.lease_until is not None and lease.until > one.lease_until:
                prices = (*one.prices, PriceSince(at=now, price=price))
                attempts[one.number] = one.model_copy(update={"lease_until": lease.until, "prices": prices})
        elif act in ("end", "taken") and live:
            by = "fleet" if act == "end" else "cloud"
            attempts[live[0].number] = live[0].model_copy(update={"phase": "gone", "ended_at": now, "ended_by": by})
        after = with_disk(budget={"run": budget})
        if not after.live_attempts:
            continue
        spent = run_cost(after, now, billing).total
        may_spend = sum(committed(after, a, now, CLOUD) for a in after.live_attempts)
        longest = max(a.lease_until or now for a in after.live_attempts) - now
        may_spend += sum(round(longest * volume_rate(v.size_gb, v.price) / 3600) for v in disk.values())
        assert spent + may_spend <= budget + len(attempts) + 1  # a micro-dollar of rounding for each


@pytest.mark.parametrize("until", [1000.0, None])
def test_a_machine_that_will_be_taken_may_spend_only_until_then(until: float | None) -> None:
    from fleet.model.documents import Notice

    notice = Notice(kind="notice", seen_at=900.0, until=until)
    one = attempt(lease_until=100_000.0, notice=notice)
    end = 1000.0 + CLOUD.drain_slack if until else 100_000.0
    assert committed(run(one), one, 900.0, CLOUD) == round((end - 900.0) * 900_000 / 3600)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=6))
def test_a_volume_that_goes_from_run_to_run_is_paid_for_once(moments: list[float]) -> None:
    """Back and forth between two runs: what both pay together is what the disk costs, but for a rounding each."""
    first, second = run(volume={"size": "1GB", "name": "data"}), run(volume={"size": "1GB", "name": "data"})
    state = FleetState(runs={"r-1": first, "r-2": second.model_copy(update={"run_id": "r-2"})})
    made = Volume(
        volume_id="v", region="r", zone="z", size_gb=500, state=VolumeState.AVAILABLE, created_at=0.0, price=80_000,
        tags={"run": "r-1", "volume": "data"},
    )  # fmt: skip
    state = fold(state, 1, 0.0, [ev.VolumeMade(at=0.0, run_id="r-1", provider="sim", volume=made)])
    at, holder, other = 0.0, "r-1", "r-2"
    for number, after in enumerate(moments, 2):
        at += after
        ended = ev.RunEnded(at=at, run_id=holder, outcome="stopped", reason="")
        passed = ev.VolumePassed(at=at, run_id=other, from_run=holder, volume_id="v")
        state = fold(state, number, at, [ended, passed, ev.RunResumed(at=at, run_id=holder)])
        holder, other = other, holder
    now = at + 1000
    paid = [volume_cost(volume, now) for one in state.runs.values() for volume in one.volumes.values()]
    alone = VolumeRecord(
        volume_id="v", provider="sim", region="r", zone="z", size_gb=500, price=80_000, created_at=0.0, name="data"
    )
    assert sum(paid) == pytest.approx(volume_cost(alone, now), abs=len(moments) + 2)
    assert [one.run_id for one in state.runs.values() if one.volume_id == "v"] == [holder]


def test_a_machine_that_is_adopted_while_its_cloud_tells_no_prices_costs_what_it_was_asked_for_at() -> None:
    """At a price of 0 its budget would pay for it for ever, and what it would cost on demand would be nothing."""
    adopted = {
        "now": 10,
        "events": [
            {"run-created": {"budget": {"run": "$1"}}},
            {"launch-intended": {"at": 0, "offers": ["a-small-spot@90000"]}},
        ],
        "world": {"instances": [{"offer": "a-small-spot@0"}]},
    }
    (found, *_), _, state = decide(adopted)
    assert isinstance(found, ev.LaunchSucceeded)
    assert (found.instance.offer.price, found.instance.offer.on_demand_price) == (90_000, 300_000)
    assert attempt_cost(state.runs["racer-1"].attempts[1], 3600.0, Billing()) == 90_000
