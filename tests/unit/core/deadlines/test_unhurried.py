"""Without a deadline: the expected costs are those of a plain recursion, and say what one would say."""

from __future__ import annotations

import pytest

from fleet.core.deadlines.chain import AGES, STATES, stay_and_hop
from fleet.core.deadlines.model import Sky
from fleet.core.deadlines.unhurried import MOST_LEVELS, rest
from fleet.core.deadlines.weather import TICK

HOUR = 3600.0
YOUNG, OLD = Sky(up=True, age=0.0), Sky(up=True, age=2e5)
DRY, PARCHED = Sky(up=False, age=0.0), Sky(up=False, age=2e5)


@pytest.mark.parametrize("zones", [1, 3])
def test_the_costs_of_an_hour_are_those_of_trying_again_and_again(zones: int) -> None:
    price, waiting, overhead = 0.25, 0.02, 720.0
    found = rest(HOUR, overhead, price, zones, waiting)
    stay, hop = (matrix.astype(float) for matrix in stay_and_hop(TICK, zones, 1.0))
    ups = [state for state in range(len(stay)) if state % STATES >= AGES]
    running, idle = [0.0] * len(stay), [0.0] * len(stay)
    for level in range(1, 7):
        running = [float(price / 6 + a) for a in stay @ running + hop @ idle]
        idle = [0.0] * len(stay)
        for _ in range(20_000):  # each time one tick more may be waited
            waits = waiting / 6 + (stay + hop) @ idle
            idle = [
                min(waits[state], overhead / HOUR * (price + waiting) + running[state]) if state in ups else waits[state]
                for state in range(len(stay))
            ]
        assert found.running[level] == pytest.approx(running)
        assert found.idle[level] == pytest.approx(idle, rel=1e-4)


def test_old_spot_is_worth_more_than_young_and_a_fresh_drought_less_than_a_long_one() -> None:
    found = rest(48 * HOUR, 180.0, 0.3, 2)
    work = 20 * HOUR
    assert found.while_running(work, OLD) < found.while_running(work, YOUNG)
    assert found.while_idle(work, OLD) < found.while_idle(work, DRY) < found.while_idle(work, PARCHED)
    assert 0.3 * 20 < found.while_running(work, OLD) < 0.33 * 20


def test_young_spot_is_waited_for_to_grow_older_where_a_launch_is_dear() -> None:
    cheap, dear = rest(48 * HOUR, 60.0, 0.3, 1), rest(48 * HOUR, HOUR, 0.3, 1)
    work = 40 * HOUR
    assert cheap.while_idle(work, YOUNG) == pytest.approx(cheap.launch + cheap.while_running(work, YOUNG))
    assert dear.while_idle(work, YOUNG) < dear.launch + dear.while_running(work, YOUNG) - 0.01


def test_no_work_costs_nothing_and_a_month_of_it_is_solved_in_longer_ticks() -> None:
    assert rest(HOUR, 180.0, 0.3, 1).while_running(0.0, OLD) == 0
    month = rest(30 * 24 * HOUR, 180.0, 0.3, 4)
    assert len(month.running) == MOST_LEVELS + 1
    assert 0.3 * 720 < month.while_running(30 * 24 * HOUR, OLD) < 0.36 * 720
