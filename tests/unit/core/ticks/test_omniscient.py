"""The optimum: against every sequence of choices there is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.core.ticks import problem
from fleet.core.ticks.model import Places, Terms
from fleet.core.ticks.omniscient import omniscient, omniscient_zones
from fleet.core.ticks.registry import PEERS
from fleet.core.ticks.run import simulate, simulate_zones
from tests.unit.core.ticks import plainly

OVERHEADS = st.sampled_from([0.0, 1.0, 3.0, 5.0, 9.0, 10.0, 12.0, 20.0, 27.5])


@st.composite
def cases(draw: st.DrawFn, zones: int, most: int) -> tuple[list[tuple[bool, ...]], Terms, Places]:
    overhead = draw(OVERHEADS)
    work = draw(st.integers(1, 10 * (most - 2))) * 1.0
    needed = Terms(work, None, overhead, 10.0).on_demand_ticks(work, overhead)
    spare, odd = draw(st.integers(0, max(0, most - needed))), draw(st.sampled_from([0.0, 4.0]))
    deadline = draw(st.sampled_from([None, 10.0 * (needed + spare) + odd]))
    ticks = draw(st.lists(st.tuples(*[st.booleans()] * zones), min_size=1, max_size=most))
    prices = draw(st.tuples(*[st.sampled_from([0.2, 0.318, 0.5, 1.1])] * zones))
    regions = draw(st.tuples(*[st.sampled_from("ab")] * zones))
    transfer = draw(st.sampled_from([0.0, 0.001, 0.01]))
    return ticks, Terms(work, deadline, overhead, 10.0), Places(prices, regions, transfer)


def check(case: tuple[list[tuple[bool, ...]], Terms, Places]) -> None:
    ticks, terms, places = case
    found = omniscient_zones(ticks, terms, places)
    assert found.cost_od_hours == pytest.approx(min(end.cost for end in plainly.ends(ticks, terms, places)), abs=1e-9)
    assert not found.late


@settings(max_examples=150, deadline=None)
@given(cases(zones=1, most=8))
def test_in_one_zone_no_choices_are_cheaper(case: tuple[list[tuple[bool, ...]], Terms, Places]) -> None:
    check(case)


@settings(max_examples=60, deadline=None)
@given(cases(zones=2, most=6))
def test_in_two_zones_with_moves_no_choices_are_cheaper(case: tuple[list[tuple[bool, ...]], Terms, Places]) -> None:
    check(case)


@settings(max_examples=25, deadline=None)
@given(cases(zones=3, most=5))
def test_in_three_zones_no_choices_are_cheaper(case: tuple[list[tuple[bool, ...]], Terms, Places]) -> None:
    check(case)


@settings(max_examples=40, deadline=None)
@given(cases(zones=2, most=6))
def test_windows_that_do_not_fit_into_memory_at_once_come_to_the_same(
    case: tuple[list[tuple[bool, ...]], Terms, Places],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(problem, "KEEP", 1)
        check(case)


@settings(max_examples=40, deadline=None)
@given(cases(zones=1, most=8))
def test_overheads_without_a_coarse_measure_come_to_the_same(case: tuple[list[tuple[bool, ...]], Terms, Places]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(problem, "PLAIN", 0)
        check(case)


@settings(max_examples=80, deadline=None)
@given(cases(zones=1, most=40))
def test_no_policy_that_is_in_time_is_cheaper_in_one_zone(case: tuple[list[tuple[bool, ...]], Terms, Places]) -> None:
    ticks, terms, _ = case
    window = [up for (up,) in ticks]
    best = omniscient(window, terms)
    for name, make in PEERS.items():
        outcome = simulate(make(), window, terms)
        assert outcome.late or outcome.cost_od_hours >= best.cost_od_hours - 1e-9, name


@settings(max_examples=40, deadline=None)
@given(cases(zones=3, most=20))
def test_no_policy_that_is_in_time_is_cheaper_over_zones(case: tuple[list[tuple[bool, ...]], Terms, Places]) -> None:
    best = omniscient_zones(*case)
    for name, make in PEERS.items():
        outcome = simulate_zones(make(), *case)
        assert outcome.late or outcome.cost_od_hours >= best.cost_od_hours - 1e-9, name


def test_of_equally_cheap_runs_the_one_that_trains_at_once_is_taken() -> None:
    outcome = omniscient([1] * 40, Terms(100.0, None, 3.0, 10.0))
    assert (outcome.finish_tick, outcome.launches) == (11, 1)
    outcome = omniscient([1] * 40, Terms(100.0, 400.0, 3.0, 10.0))
    assert (outcome.finish_tick, outcome.launches) == (11, 1)


@pytest.mark.parametrize(("ticks_of_on_demand", "moves"), [(0.2, 1), (0.4, 0)])
def test_a_move_to_come_is_weighed_before_the_first_launch(ticks_of_on_demand: float, moves: int) -> None:
    """Cheap here for three ticks, then over there; or there alone, a little dearer."""
    ticks: list[tuple[bool, ...]] = [(tick < 3, tick >= 2) for tick in range(6)]
    places = Places((0.1, 0.2), ("a", "b"), transfer=ticks_of_on_demand * 10 / 3600)
    case = ticks, Terms(40.0, 60.0, 0.0, 10.0), places
    check(case)
    assert omniscient_zones(*case).moves == moves
