"""The table against a plain recursion over the same chain, and the laws that its values keep."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.core.deadlines import Do, Situation, Sky, Terms, decide, table
from fleet.core.deadlines.chain import AGES, STATES, state_of, stay_and_hop
from fleet.core.deadlines.weather import EDGES

TICK = 600.0


def age_of(state: int) -> Sky:
    age = state % AGES
    seconds = 0.0 if age == 0 else EDGES[age - 1]
    return Sky(up=state % STATES >= AGES, age=seconds, others=state >= STATES)


@pytest.mark.parametrize("zones", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("tick", [195.0, 600.0, 1800.0])
@pytest.mark.parametrize("risk", [0.5, 1.0, 4.0])
def test_from_every_state_something_happens_with_certainty(zones: int, tick: float, risk: float) -> None:
    stay, hop = stay_and_hop(tick, zones, risk)
    assert np.allclose((stay + hop).sum(axis=1), 1.0, atol=1e-5)
    assert stay.min() >= 0
    assert hop.min() >= 0


@pytest.mark.parametrize("zones", [1, 3])
def test_more_risk_means_more_interruptions_in_every_state(zones: int) -> None:
    calm, usual, wild = (stay_and_hop(TICK, zones, risk)[1].sum(axis=1) for risk in (0.5, 1.0, 2.0))
    up = usual > 0
    assert (calm[up] < usual[up]).all()
    assert (usual[up] < wild[up]).all()


def test_two_ticks_of_ten_minutes_lose_as_much_as_one_of_twenty_for_a_run_whose_age_no_longer_matters() -> None:
    oldest = STATES - 1
    short, long = stay_and_hop(TICK, 1, 1.0)[0], stay_and_hop(2 * TICK, 1, 1.0)[0]
    assert short[oldest, oldest] ** 2 == pytest.approx(long[oldest, oldest], abs=1e-5)


def expected(terms: Terms, ticks: int, work: float, at: tuple[Do, int], state: int) -> float:
    """The same by a recursion that knows no table: one zone, one machine at a time, overhead of at most a tick."""
    stay, hop = (matrix.astype(float) for matrix in stay_and_hop(terms.tick, 1, terms.risk))

    @lru_cache(None)
    def after(ticks: int, work: float, row: Do, state: int) -> float:
        total = 0.0
        for then in range(STATES):
            if stay[state, then]:
                total += stay[state, then] * best(ticks, work, row, then)
            if hop[state, then]:
                total += hop[state, then] * best(ticks, work, Do.WAIT if row is Do.SPOT else row, then)
        return total

    @lru_cache(None)
    def best(ticks: int, work: float, row: Do, state: int) -> float:
        if work <= 1e-6:
            return 0.0
        if ticks == 0:
            return float("inf")
        up, found = state >= AGES, []
        for do, price in ((Do.WAIT, 0.0), (Do.SPOT, terms.price), (Do.ON_DEMAND, 1.0)):
            if do is Do.SPOT and not up:
                continue
            made = 0.0 if do is Do.WAIT else terms.tick - (0.0 if row is do else terms.overhead)
            left = work - made
            if left <= 1e-6:
                found.append(price)
            elif left + (0.0 if do is Do.ON_DEMAND else terms.overhead) <= (ticks - 1) * terms.tick + 1e-6:
                found.append(price + after(ticks - 1, left, do, state))
        return min(found, default=float("inf"))

    assert at[1] == 0
    return best(ticks, work, at[0], state)


@pytest.mark.parametrize("overhead", [180.0, 300.0])
@pytest.mark.parametrize("running", [Do.WAIT, Do.ON_DEMAND, Do.SPOT])
@pytest.mark.parametrize("state", [0, 3, AGES, AGES + 4])
def test_a_decision_costs_what_a_plain_recursion_says(overhead: float, running: Do, state: int) -> None:
    terms = Terms(TICK, overhead, price=0.3)
    step = 60.0  # every situation that can be reached lies on a level of slack
    ticks, slack = 7, 1800.0
    solved = table(terms, ticks * TICK, slack, levels=int(slack / step) + 1)
    sky = age_of(state)
    if running is Do.SPOT and not sky.up:
        running = Do.WAIT
    at = Situation(ticks * TICK, ticks * TICK - slack, running, 0.0, sky, step=TICK)
    exact = expected(terms, ticks, at.work, (running, 0), state)
    assert decide(solved, at).cost * 3600 / TICK == pytest.approx(exact, rel=1e-4)


@given(
    work=st.floats(600, 18_000),
    spare=st.integers(0, 30),
    more=st.integers(0, 20),
    state=st.integers(0, STATES - 1),
    zones=st.sampled_from([1, 3]),
)
@settings(max_examples=200, deadline=None)
def test_more_slack_never_costs_more(work: float, spare: int, more: int, state: int, zones: int) -> None:
    """Where levels are whole steps of what ticks and launches take: others miss where a further tick is billed."""
    terms = Terms(TICK, 180.0, zones=zones, overlap=True)
    solved = table(terms, 90 * TICK, 40_000.0, levels=700)
    left = math.ceil(work / TICK) + spare
    costs = [
        decide(solved, Situation(ticks * TICK, work, Do.WAIT, 0.0, age_of(state))).cost for ticks in (left, left + more)
    ]
    assert costs[1] <= costs[0] * (1 + 1e-3) + 1e-3


def test_a_second_machine_beside_never_makes_it_dearer() -> None:
    for overhead in (180.0, 720.0):
        plain, overlapping = (table(Terms(TICK, overhead, overlap=two), 100 * TICK, 15_000.0) for two in (False, True))
        at = Situation(80 * TICK, 60 * TICK, Do.ON_DEMAND, 0.0, Sky(up=True, age=3600.0))
        assert decide(overlapping, at).cost <= decide(plain, at).cost + 1e-3


def test_solving_a_table_twice_gives_the_one_that_was_kept() -> None:
    terms = Terms(TICK, 200.0)
    assert table(terms, 6000.0, 3000.0) is table(terms, 6000.0, 3000.0)


def test_every_state_of_the_sky_has_a_row_of_its_own() -> None:
    assert [state_of(age_of(state)) for state in range(STATES)] == list(range(STATES))
