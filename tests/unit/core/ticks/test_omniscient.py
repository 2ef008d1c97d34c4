"""The optimum: against every sequence of choices there is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.core.ticks import problem
from fleet.core.ticks.model import Places, Terms
from fleet.core.ticks.omniscient import omniscient, omniscient_zones
from fleet.core.ticks.registry import policies
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
    for name, make in policies().items():
        if name == "fleet-overlap":  # two machines at once may be cheaper than any sequence of single ones
            continue
        outcome = simulate(make(), window, terms)
        assert outcome.late or outcome.cost_od_hours >= best.cost_od_hours - 1e-9, name


@settings(max_examples=40, deadline=None)
@given(cases(zones=3, most=20))
def test_no_policy_that_is_in_time_is_cheaper_over_zones(case: tuple[list[tuple[bool, ...]], Terms, Places]) -> None:
    best = omniscient_zones(*case)
    for name, make in policies().items():
        if name == "fleet-overlap":
            continue
        outcome = simulate_zones(make(), *case)
        assert outcome.late or outcome.cost_od_hours >= best.cost_od_hours - 1e-9, name
