"""Tables that are remembered, and how few of their values need be."""

from __future__ import annotations

from itertools import pairwise

import pytest

from fleet.core.deadlines import Do, Situation, Sky, Terms, decide, table
from fleet.core.deadlines.shelf import Shelf
from fleet.core.deadlines.solve import solved

HOUR = 3600.0
TERMS = Terms(600.0, 200.0, 60.0, overlap=True)


def of(price: float) -> Terms:
    return Terms(600.0, 200.0, 60.0, price, overlap=True)


def test_a_table_that_was_solved_is_not_solved_again() -> None:
    shelf = Shelf()
    assert shelf(TERMS, 6 * HOUR, 2 * HOUR) is shelf(TERMS, 6 * HOUR, 2 * HOUR)


def test_what_was_not_asked_for_longest_goes_first_once_memory_is_used_up() -> None:
    size = solved(TERMS, 6 * HOUR, 2 * HOUR, 260).values.nbytes
    shelf = Shelf(2 * size)
    first, second = (shelf(of(price), 6 * HOUR, 2 * HOUR) for price in (0.2, 0.3))
    assert shelf(of(0.2), 6 * HOUR, 2 * HOUR) is first
    shelf(of(0.4), 6 * HOUR, 2 * HOUR)
    assert shelf(of(0.2), 6 * HOUR, 2 * HOUR) is first
    assert shelf(of(0.3), 6 * HOUR, 2 * HOUR) is not second


def test_a_table_larger_than_memory_is_kept_alone() -> None:
    shelf = Shelf(1)
    assert shelf(TERMS, 6 * HOUR, 2 * HOUR) is shelf(TERMS, 6 * HOUR, 2 * HOUR)


def test_levels_lie_close_where_slack_is_short_and_the_reserve_is_one_of_them() -> None:
    slacks = solved(TERMS, 70 * HOUR, 22 * HOUR, 32).slacks
    assert len(slacks) <= 33
    assert slacks[:3] == (0.0, 200.0, 400.0)
    assert slacks[-1] >= 22 * HOUR
    apart = [later - earlier for earlier, later in pairwise(slacks)]
    assert apart[-1] == max(apart)


@pytest.mark.parametrize("slack", [1000.0, 4000.0, 20_000.0, 60_000.0])
@pytest.mark.parametrize("up", [True, False])
def test_few_levels_cost_what_all_of_them_do(slack: float, up: bool) -> None:
    few, every = (solved(TERMS, 70 * HOUR, 22 * HOUR, levels) for levels in (32, 1400))
    assert len(few.values) < len(every.values) / 10
    at = Situation(30 * HOUR + slack, 30 * HOUR, Do.WAIT, 0.0, Sky(up, 3000.0))
    assert decide(few, at).cost == pytest.approx(decide(every, at).cost, rel=0.01)


@pytest.mark.parametrize("running", [Do.WAIT, Do.SPOT])
@pytest.mark.parametrize("overhead", [100.0, 200.0, 700.0, 3000.0])
def test_what_is_safe_hangs_on_the_overhead_that_is_asked_for_and_not_on_the_tables(running: Do, overhead: float) -> None:
    known = table(TERMS, 12 * HOUR, 4 * HOUR)
    for spare in (-1.0, 1500.0):
        at = Situation(6 * HOUR + overhead + spare, 6 * HOUR, running, 0.0, Sky(up=True, age=3000.0))
        found = decide(known, at, overhead)
        risky = {found.do, *(do for do, _ in found.others)} & {Do.WAIT, Do.SPOT}
        assert found.late == (spare < 0)
        assert found.late or risky
        assert found.latest_on_demand == pytest.approx(spare)
