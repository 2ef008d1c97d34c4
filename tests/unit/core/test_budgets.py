"""Budgets for days and months hold, of each run and of the whole fleet, whatever happens and with every controller dead."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.core.budget import Ask, Later, caps_of, within
from fleet.core.budget.books import whole_fleet
from fleet.core.budget.caps import fleet_caps
from fleet.core.budget.standing import share_used, standing
from fleet.core.budget.waiting import waits_for_budget
from fleet.core.costs import attempt_cost, attempt_cost_in, run_cost, run_cost_in, volume_cost
from fleet.core.leases import Lease, grant
from fleet.core.pace import CLOUD
from fleet.core.state import FleetBudget, FleetState, RunState, VolumeRecord
from fleet.model.base import Micros, Seconds
from fleet.model.calendar import Span, day_of, month_of, next_day
from fleet.model.cloud import Billing, ExistingVolume, NewVolume, PriceSince
from tests.unit.core.test_money import attempt, offer, run

WORST = 900_000
DISK = 80_000
BILLING = {"sim": Billing()}


def at(text: str, name: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(name)).timestamp()


STARTS = {
    "Europe/Berlin": ("2026-03-28T20:00", "2026-10-24T11:00", "2026-12-30T03:00"),
    "America/New_York": ("2026-03-07T20:00", "2026-10-31T01:00"),
    "Africa/Cairo": ("2026-04-23T22:00",),
    "Asia/Kathmandu": ("2026-01-31T12:00",),
}


@dataclass
class Story:
    """A fleet to which things happen, and what they really cost."""

    zone: str
    now: Seconds
    state: FleetState
    ends: dict[tuple[str, int], Seconds] = field(default_factory=dict)
    """Of machines whose end nobody saw: when it really was."""

    def change(self, run_id: str, number: int, **update: Any) -> None:
        before = self.state.runs[run_id]
        one = before.attempts[number].model_copy(update=update)
        self._put(before.model_copy(update={"attempts": {**before.attempts, number: one}}))

    def _put(self, changed: RunState) -> None:
        self.state = self.state.model_copy(update={"runs": {**self.state.runs, changed.run_id: changed}})

    def leave(self) -> None:
        """Those whose lease is over have ended by themselves."""
        for one in self.state.runs.values():
            for a in one.live_attempts:
                if a.lease_until is not None and a.lease_until <= self.now:
                    self.change(one.run_id, a.number, phase="gone", ended_at=a.lease_until, ended_by="itself")

    def lease(self, run_id: str, besides: int | None, new: bool) -> Lease | None:
        present = self.state.runs[run_id]
        lease = grant(present, offer(), self.now, CLOUD, BILLING, DISK, besides, new)
        if not isinstance(lease, Lease):
            return None
        found = within(Ask(self.state, present, offer(), self.now, BILLING, DISK, besides, new), lease)
        return found if isinstance(found, Lease) else None

    def launch(self, run_id: str, price: Micros) -> None:
        present = self.state.runs[run_id]
        new = not present.volumes
        lease = self.lease(run_id, None, new)
        if lease is None or len(present.live_attempts) > 1:
            return
        number = len(present.attempts) + 1
        made = attempt(
            number,
            intended_at=self.now,
            launched_at=self.now,
            lease_until=lease.until,
            prices=(PriceSince(at=self.now, price=price),),
            volume=NewVolume(size_gb=present.job.volume.size) if new else ExistingVolume(volume_id="v", zone="z"),
        )
        volumes = present.volumes or {"v": _disk(present.job.volume.size, self.now)}
        self._put(present.model_copy(update={"attempts": {**present.attempts, number: made}, "volumes": volumes}))

    def renew(self, run_id: str, price: Micros) -> None:
        for a in self.state.runs[run_id].live_attempts:
            lease = self.lease(run_id, a.number, False)
            if lease is not None and a.lease_until is not None and lease.until > a.lease_until:
                prices = (*a.prices, PriceSince(at=self.now, price=price))
                self.change(run_id, a.number, lease_until=lease.until, prices=prices)

    def end(self, run_id: str, by: str) -> None:
        for a in self.state.runs[run_id].live_attempts[:1]:
            self.change(run_id, a.number, phase="gone", ended_at=self.now, ended_by=by)

    def lose(self, run_id: str) -> None:
        """It is gone, its last word is ten minutes old, and it has lived until just now."""
        for a in self.state.runs[run_id].live_attempts[:1]:
            last = max(a.launched_at or 0.0, self.now - 600)
            self.ends[run_id, a.number] = self.now
            self.change(run_id, a.number, phase="gone", ended_at=last, ended_by="unknown", end_estimated=True)

    def check(self) -> None:
        """If every controller died now, and every price jumped to the highest: each day and month stays within its cap."""
        for one in self.state.runs.values():
            for cap in caps_of(self.state, one):
                runs = cap.accounts(self.state).runs
                last = max((end for r in runs for end in self._reaches(r)), default=self.now)
                of = month_of if cap.scope.endswith("month") else day_of
                period = of(self.now, cap.zone)
                while period.start < max(last, self.now + 1):
                    if any(self._in(r, period) for r in runs):
                        told = sum((self._cost(r, period) for r in runs), Fraction(0))
                        assert told <= cap.limit + 8, f"{cap.words} of {cap.begins(period.start)}: {float(told):.1f}"
                    period = of(period.end, cap.zone)

    def _reaches(self, one: RunState) -> list[Seconds]:
        return [a.lease_until for a in one.live_attempts if a.lease_until is not None]

    def _in(self, one: RunState, period: Span) -> bool:
        """Whether the run has a machine in a period: what its disk costs in others is its user's word."""
        return any(period.shared(a.launched_at or 0.0, self._ended(one, a)) > 0 for a in one.attempts.values())

    def _ended(self, one: RunState, a: Any) -> Seconds:
        if a.live:
            assert a.lease_until is not None
            return float(a.lease_until)
        return self.ends.get((one.run_id, a.number), float(a.ended_at))

    def _cost(self, one: RunState, period: Span) -> Fraction:
        """Second by second, as the world bills it: machines at what they were priced, from now on at the worst price."""
        total = Fraction(0)
        for a in one.attempts.values():
            prices = [(p.at, p.price) for p in a.prices] + ([(self.now, WORST)] if a.live else [])
            end = self._ended(one, a)
            for (since, price), until in zip(prices, [*(s for s, _ in prices[1:]), end], strict=True):
                total += Fraction(period.shared(since, min(until, end))) * price / 3600
        for volume in one.volumes.values():
            total += Fraction(period.shared(volume.created_at, period.end)) * volume.size_gb * volume.price / (730 * 3600)
        return total


def _disk(size: int, since: Seconds) -> VolumeRecord:
    return VolumeRecord(volume_id="v", provider="sim", region="r", zone="z", size_gb=size, price=DISK, created_at=since)


money = st.none() | st.integers(300_000, 40_000_000)
jobs = st.fixed_dictionaries({"day": money, "month": money, "run": money})
acts = st.tuples(
    st.floats(1, 40_000),
    st.sampled_from(["launch", "launch", "renew", "renew", "end", "taken", "lose", "nobody looks"]),
    st.integers(0, 2),
    st.integers(1, WORST),  # the price in force from then on: never above the worst
)


@st.composite
def fleets(draw: st.DrawFn) -> Story:
    name = draw(st.sampled_from(sorted(STARTS)))
    now = at(draw(st.sampled_from(STARTS[name])), name)
    runs = {}
    for number in range(draw(st.integers(1, 3))):
        budget = {**draw(jobs), "time_zone": draw(st.sampled_from([name, "UTC", "Asia/Kathmandu"]))}
        made = run(budget=budget, volume={"size": f"{draw(st.sampled_from([1, 20, 200]))}GB"})
        runs[f"r-{number}"] = made.model_copy(update={"run_id": f"r-{number}", "created_at": now})
    day, month = draw(money), draw(money)
    whole = FleetBudget(day=day, month=month, time_zone=name, set_at=now)
    return Story(name, now, FleetState(runs=runs, budget=whole if day or month else None))


@settings(max_examples=150, deadline=None)
@given(fleets(), st.lists(acts, min_size=1, max_size=14))
def test_what_is_spent_and_may_be_spent_stays_within_every_day_and_month(
    story: Story, happens: list[tuple[float, str, int, int]]
) -> None:
    for wait, act, which, price in happens:
        story.now += wait
        story.leave()
        run_id = f"r-{which % len(story.state.runs)}"
        if act == "launch":
            story.launch(run_id, price)
        elif act == "renew":
            story.renew(run_id, price)
        elif act in ("end", "taken"):
            story.end(run_id, "fleet" if act == "end" else "cloud")
        elif act == "lose":
            story.lose(run_id)
        story.check()


@given(st.lists(st.integers(0, 900_000), min_size=1, max_size=5), st.floats(0, 3 * 86_400), st.sampled_from(sorted(STARTS)))
def test_the_days_of_a_run_add_up_to_what_it_cost(prices: list[int], lasted: float, name: str) -> None:
    start = at(STARTS[name][0], name)
    points = tuple(PriceSince(at=start + n * 9000.0, price=price) for n, price in enumerate(prices))
    one = attempt(launched_at=start, ended_at=start + lasted, ended_by="fleet", phase="gone", prices=points)
    disk = _disk(20, start)
    spent = run(one).model_copy(update={"volumes": {"v": disk}})
    now, day, told = start + 4 * 86_400, day_of(start, name), 0
    while day.start <= now:
        told += run_cost_in(spent, day, now, BILLING)
        day = next_day(day, name)
    assert told == run_cost(spent, now, BILLING).total
    month = month_of(start, name)
    rest = Span(month.end, now + 1)
    assert attempt_cost_in(one, month, now, BILLING["sim"]) + attempt_cost_in(one, rest, now, BILLING["sim"]) == (
        attempt_cost(one, now, BILLING["sim"])
    )


def _fleet(**fields: Any) -> FleetState:
    whole = FleetBudget(**{"day": 3_000_000, "month": None, "time_zone": "UTC", "set_at": 0.0, **fields})
    return FleetState(runs={"r-1": run(volume={"size": "1GB"})}, budget=whole)


def _asked(state: FleetState, now: Seconds) -> Lease | Later:
    lease = Lease(now + CLOUD.lease_cap, None)
    return within(Ask(state, state.runs["r-1"], offer(), now, BILLING, 0), lease)


def test_a_run_that_waits_for_another_day_says_so_and_when_it_goes_on() -> None:
    gone = attempt(phase="gone", ended_at=36_000.0, ended_by="fleet")
    state = _fleet(time_zone="Europe/Berlin").model_copy(update={"runs": {"r-1": run(gone)}})
    found = _asked(state, 36_000.0)
    assert isinstance(found, Later)
    assert found.until == 23 * 3600
    assert found.reason == (
        "the fleet's budget of $3.00 for a day is used up; it goes on from 1970-01-02 00:00 (Europe/Berlin)"
    )


def test_money_that_another_machine_may_spend_is_spoken_for_and_not_used_up() -> None:
    other = run(attempt(lease_until=11_000.0)).model_copy(update={"run_id": "r-2"})
    state = _fleet().model_copy(update={"runs": {"r-1": run(), "r-2": other}})
    found = _asked(state, 0.0)
    assert isinstance(found, Later)
    assert "is spoken for by the machines that run" in found.reason


def test_a_budget_that_the_disks_alone_use_up_says_so() -> None:
    state = _fleet(day=100_000)
    big = state.runs["r-1"].model_copy(update={"volumes": {"v": _disk(500, 0.0)}})
    found = _asked(state.model_copy(update={"runs": {"r-1": big}}), 0.0)
    assert isinstance(found, Later)
    assert found.reason.startswith(
        "the fleet's budget of $0.10 for a day lets no machine run: its disks come to $1.32, and 20m00s of a machine"
    )


def test_an_end_that_nobody_saw_counts_in_its_day_as_late_as_it_can_have_been() -> None:
    """Its last word was before midnight, and the machine may have lived until after it."""
    midnight, cut_off = 86_400.0, CLOUD.intervals.cut_off
    lost = attempt(
        phase="gone", launched_at=midnight - 3600, ended_at=midnight - 600, ended_by="unknown", end_estimated=True,
        lease_until=5 * midnight, prices=(PriceSince(at=midnight - 3600, price=900_000),),
    )  # fmt: skip
    day = run(budget={"day": "$1", "time_zone": "UTC"}).job
    until = []
    for one in (lost, lost.model_copy(update={"end_estimated": False})):
        after = run(one).model_copy(update={"job": day})
        found = _asked(FleetState(runs={"r-1": after}), midnight + 3600)
        assert isinstance(found, Lease)
        until.append(found.until)
    assert until[1] - until[0] == pytest.approx(cut_off - 600, abs=1)


def test_a_zone_that_this_computer_does_not_know_stops_nothing() -> None:
    assert [cap.zone for cap in fleet_caps(_fleet(time_zone="Mars/Olympus"))] == ["UTC"]


def test_the_forecast_of_a_month_goes_on_as_the_last_week_went() -> None:
    ten_days = 10 * 86_400.0
    used = attempt(ended_at=ten_days, ended_by="fleet", phase="gone")  # 0.30 an hour, day and night
    state = _fleet(day=None, month=300_000_000)
    state = state.model_copy(update={"runs": {"r-1": run(used)}})
    (cap,) = fleet_caps(state)
    found = standing(state, cap, ten_days, BILLING)
    assert found.spent == 240 * 300_000
    assert found.forecast == found.spent + 20 * 24 * 300_000  # without a machine today is free, the other 20 days are not
    assert share_used(state, cap, found.used) == 0


def test_a_disk_that_goes_to_another_run_is_one_disk() -> None:
    first = _disk(500, 0.0).model_copy(update={"passed_at": 43_200.0})
    second = _disk(500, 0.0).model_copy(update={"held_since": 43_200.0})
    runs = {
        "r-1": run().model_copy(update={"volumes": {"v": first}}),
        "r-2": run().model_copy(update={"run_id": "r-2", "volumes": {"v": second}}),
    }
    state = _fleet().model_copy(update={"runs": runs})
    (cap,) = fleet_caps(state)
    found = standing(state, cap, 60_000.0, BILLING)
    assert found.used == pytest.approx(volume_cost(_disk(500, 0.0), 86_400.0), abs=2)


def test_a_run_that_never_had_a_machine_says_that_a_budget_does_not_even_pay_for_its_disk() -> None:
    waiting = run(volume={"size": "500GB"})
    state = _fleet(day=1_000_000).model_copy(update={"runs": {"r-1": waiting}})
    found = waits_for_budget(state, waiting, 0.0, BILLING, DISK)
    assert isinstance(found, Later)
    assert found.reason == "the fleet's budget of $1.00 for a day lets no machine run: its disks come to $1.32"
    assert waits_for_budget(state, waiting, 0.0, BILLING) is None


def test_a_run_that_never_had_a_machine_waits_for_one_like_those_before_it_of_its_name() -> None:
    over = run(attempt(phase="gone", ended_at=60.0, ended_by="itself")).model_copy(
        update={"run_id": "r-0", "ended_at": 60.0}
    )
    state = _fleet(day=100_000).model_copy(update={"runs": {"r-0": over, "r-1": run(resources={"infra": "sim"})}})
    found = waits_for_budget(state, state.runs["r-1"], 100.0, BILLING)
    assert isinstance(found, Later)
    assert "20m00s of a machine may come to $0.30" in found.reason
    elsewhere = run(resources={"infra": "sim", "instance_type": "other"})
    assert waits_for_budget(state, elsewhere, 100.0, BILLING) is None


def test_a_new_run_says_that_it_waits_behind_those_that_have_the_money() -> None:
    """The first of its name, while another's machine may spend all that the day has."""
    ahead = run(attempt(lease_until=30_000.0)).model_copy(update={"run_id": "r-0", "name": "other"})
    cost = 30_000 * 900_000 // 3600
    waiting = run(resources={"infra": "sim"}).model_copy(update={"name": "first"})
    state = _fleet(day=cost).model_copy(update={"runs": {"r-0": ahead, "r-1": waiting}})
    found = waits_for_budget(state, waiting, 100.0, BILLING)
    assert isinstance(found, Later)
    assert "is spoken for by the machines that run" in found.reason
    plenty = state.model_copy(update={"budget": _fleet(day=2 * cost).budget})
    assert waits_for_budget(plenty, waiting, 100.0, BILLING) is None
    of_another_kind = run(resources={"infra": "sim", "instance_type": "other"})
    assert waits_for_budget(state, of_another_kind, 100.0, BILLING) is None  # what that costs, nobody has seen


def test_what_is_long_over_is_added_up_once_however_many_machines_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tick of a fleet with thousands of runs must not go through all of them for each day of each lease."""
    gone = attempt(phase="gone", ended_at=3600.0, ended_by="itself")
    over = [run(gone).model_copy(update={"run_id": f"over-{n}"}) for n in range(50)]
    lives = [run(attempt(lease_until=9_000.0)).model_copy(update={"run_id": f"lives-{n}"}) for n in range(5)]
    runs = {one.run_id: one for one in (*over, *lives)}
    state = FleetState(runs=runs, budget=FleetBudget(day=10**9, month=10**10, time_zone="UTC", set_at=0.0))
    accounts = whole_fleet(state)
    assert (accounts.runs, accounts.going) == ((*over, *lives), tuple(lives))
    counted: list[str] = []

    def counting(one: RunState, *rest: Any) -> Micros:
        counted.append(one.run_id)
        return run_cost_in(one, *rest)

    monkeypatch.setattr("fleet.core.budget.books.run_cost_in", counting)
    for one in lives * 3:
        ask = Ask(state, one, offer(), 7200.0, BILLING, 0, 1)
        assert isinstance(within(ask, Lease(8_000.0, None)), Lease)
    assert sorted(counted) == sorted([*runs] * 2)  # once for the day, and once for the month
    changed = lives[0].model_copy(update={"attempts": {1: gone}})
    assert fleet_caps(state)[0].accounts(state, changed).going == tuple(lives[1:])
    assert whole_fleet(state.model_copy(update={"runs": {**runs, changed.run_id: changed}})).going == tuple(lives[1:])


def test_what_disks_cost_follows_their_price_though_the_prices_are_kept_in_one_place() -> None:
    one = run(attempt(volume=NewVolume(size_gb=100)))
    accounts, prices = whole_fleet(FleetState(runs={one.run_id: one})), {offer().provider: Micros(80_000)}
    before = accounts.disk_rate(Micros(0), prices)
    prices[offer().provider] = Micros(160_000)
    assert accounts.disk_rate(Micros(0), prices) == 2 * before > 0
