"""The cost model, worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.core.deadlines.model import Do
from fleet.core.ticks.model import BOTH, ON_DEMAND, SPOT, WAIT, Places, Seen, Terms, checked, exactly
from fleet.core.ticks.run import Outcome, simulate, simulate_zones
from fleet.model.errors import FleetError
from fleet.model.units import parse_duration

HOUR = 3600.0


class Fixed:
    """Chooses what was written down, then on-demand."""

    def __init__(self, *choices: Do, zones: Sequence[int] = ()) -> None:
        self.choices, self.zones = choices, zones
        self.seen: list[tuple[Do, float, float, float | None]] = []

    def begin(self, terms: Terms) -> None:
        self.seen = []

    def choose(self, seen: Seen) -> Do:
        self.seen.append((seen.running, seen.rem, seen.left, seen.beside))
        return self.choices[seen.tick] if seen.tick < len(self.choices) else ON_DEMAND

    def where(self, seen: Seen) -> int:
        return self.zones[seen.tick]


def terms(work: float, overhead: float = 0.0, deadline: float | None = None, **more: float) -> Terms:
    return Terms(work, deadline, overhead, HOUR, price=0.25, **more)


def test_whole_ticks_are_billed_the_overhead_and_the_last_bit_included() -> None:
    outcome = simulate(Fixed(), [0], terms(1.2 * HOUR, overhead=0.5 * HOUR))
    assert (outcome.cost_od_hours, outcome.finish_tick, outcome.launches) == (2.0, 2, 1)


def test_a_tick_that_passed_counts_whole_although_spot_is_lost_at_its_end() -> None:
    policy = Fixed(SPOT, WAIT, SPOT)
    outcome = simulate(policy, [1, 0, 1], terms(2 * HOUR))
    assert [(running, left / HOUR) for running, _, left, _ in policy.seen] == [(WAIT, 2), (WAIT, 1), (WAIT, 1)]
    assert (outcome.cost_od_hours, outcome.finish_tick, outcome.launches) == (0.5, 3, 2)


def test_a_switch_pays_the_overhead_anew_and_forgets_what_was_left_of_the_one_before() -> None:
    policy = Fixed(SPOT, ON_DEMAND, ON_DEMAND, SPOT)
    simulate(policy, [1] * 9, terms(3 * HOUR, overhead=1.5 * HOUR))
    seen = [(rem / HOUR, left / HOUR) for _, rem, left, _ in policy.seen[:5]]
    assert seen == [(0, 3), (0.5, 3), (0.5, 3), (0, 2.5), (0.5, 2.5)]


def test_idling_costs_nothing_and_what_runs_after_it_is_a_launch() -> None:
    outcome = simulate(Fixed(SPOT, WAIT, SPOT), [1] * 3, terms(2 * HOUR))
    assert (outcome.cost_od_hours, outcome.launches, outcome.choices) == (0.5, 2, (SPOT, WAIT, SPOT))


def test_late_is_who_finishes_after_the_last_whole_tick_before_the_deadline() -> None:
    in_time = [simulate(Fixed(WAIT), [0], terms(HOUR, deadline=hours * HOUR)) for hours in (2, 1.9)]
    assert [(one.finish_tick, one.late) for one in in_time] == [(2, False), (2, True)]


def test_beyond_the_windows_end_there_is_no_spot_and_without_a_deadline_on_demand_fills() -> None:
    endless = simulate(Fixed(*[WAIT] * 99), [1, 1], terms(HOUR))
    assert (endless.finish_tick, endless.filled, endless.cost_od_hours) == (3, 1, 1.0)
    asked_till_the_deadline = simulate(Fixed(*[WAIT] * 99), [1, 1], terms(HOUR, deadline=5 * HOUR))
    assert (asked_till_the_deadline.finish_tick, asked_till_the_deadline.late) == (6, True)
    with pytest.raises(ValueError, match="tick 2"):
        simulate(Fixed(WAIT, WAIT, SPOT), [1, 1], terms(HOUR, deadline=9 * HOUR))


def overlapped(window: list[int], *choices: Do) -> tuple[Fixed, Outcome]:
    policy = Fixed(*choices)
    return policy, simulate(policy, window, terms(4 * HOUR, overhead=2.5 * HOUR, restore=0.5 * HOUR))


def test_a_machine_that_booted_beside_takes_over_for_the_restore_alone_and_both_were_paid() -> None:
    policy, outcome = overlapped([1] * 9, *[ON_DEMAND] * 3, BOTH, BOTH, SPOT, SPOT)
    assert [one[3] for one in policy.seen[3:6]] == [None, HOUR, 0]
    assert [(rem / HOUR, left / HOUR) for _, rem, left, _ in policy.seen[5:7]] == [(0, 1.5), (0, 1.0)]
    assert (outcome.finish_tick, outcome.launches, outcome.cost_od_hours) == (7, 2, 5 + 4 * 0.25)


def test_a_machine_beside_that_is_not_ready_is_an_ordinary_launch() -> None:
    policy, _ = overlapped([1] * 9, *[ON_DEMAND] * 3, BOTH, SPOT, SPOT)
    assert policy.seen[5][:2] == (SPOT, 1.5 * HOUR)


def test_a_machine_beside_that_is_taken_leaves_on_demand_as_it_is() -> None:
    policy, outcome = overlapped([1, 1, 1, 1, 0, 1], *[ON_DEMAND] * 3, BOTH, ON_DEMAND, BOTH, BOTH)
    assert policy.seen[4] == (ON_DEMAND, 0, 2.5 * HOUR, None)
    assert policy.seen[5] == (ON_DEMAND, 0, 1.5 * HOUR, None)
    assert outcome.launches == 3


def test_a_machine_beside_is_given_up_by_on_demand_alone() -> None:
    policy, _ = overlapped([1] * 9, *[ON_DEMAND] * 3, BOTH, ON_DEMAND, BOTH)
    assert [one[3] for one in policy.seen[4:7]] == [HOUR, None, HOUR]


def test_the_restore_is_a_minute_unless_the_overhead_is_less_or_it_is_said() -> None:
    assert [Terms(1, None, overhead, 600).lost for overhead in (180, 30)] == [60, 30]
    assert Terms(1, None, 180, 600, restore=90).lost == 90


def test_another_zone_is_a_launch_and_another_region_costs_its_transfer_once_data_lies_somewhere() -> None:
    places = Places((0.25, 0.5, 0.25), ("a", "a", "b"), transfer=10.0)
    outcome = simulate_zones(Fixed(*[SPOT] * 4, zones=(2, 1, 0, 0)), [(True,) * 3] * 4, terms(4 * HOUR), places)
    assert (outcome.launches, outcome.moves, outcome.zones) == (3, 1, (2, 1, 0, 0))
    assert outcome.cost_od_hours == 0.25 * 3 + 0.5 + 10


def test_on_demand_between_leaves_the_data_where_it_is() -> None:
    places = Places((0.25, 0.25), ("a", "b"), transfer=10.0)
    policy = Fixed(SPOT, ON_DEMAND, SPOT, zones=(0, -1, 0))
    assert simulate_zones(policy, [(True, True)] * 3, terms(3 * HOUR), places).moves == 0


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("work", 0.0, "the work"),
        ("work", math.nan, "the work"),
        ("overhead", -1.0, "the overhead"),
        ("tick", 0.0, "the tick"),
        ("price", math.inf, "spot's share"),
        ("restore", -1.0, "the restore"),
        ("deadline", math.nan, "the deadline"),
    ],
)
def test_terms_that_mean_nothing_are_refused(field: str, value: float, told: str) -> None:
    good = {"work": HOUR, "deadline": None, "overhead": 60.0, "tick": HOUR, "price": 0.3, "restore": None}
    with pytest.raises(FleetError, match=told):
        checked(Terms(**{**good, field: value}))  # type: ignore[arg-type]


def test_an_impossible_deadline_is_refused_with_the_earliest_that_is_possible() -> None:
    with pytest.raises(FleetError) as refused:
        checked(Terms(48 * HOUR, 48 * HOUR, 180, 195))
    assert "cannot be met" in refused.value.message
    earliest = parse_duration(refused.value.hint.removesuffix(".").rpartition(" ")[2])
    assert simulate(Fixed(), [0], Terms(48 * HOUR, earliest, 180, 195)).late is False
    with pytest.raises(FleetError):
        checked(Terms(48 * HOUR, earliest - 195, 180, 195))


@given(st.integers(0, 10**9))
def test_durations_are_told_exactly(millis: int) -> None:
    assert parse_duration(exactly(millis / 1000)) == pytest.approx(millis / 1000, abs=1e-9)
