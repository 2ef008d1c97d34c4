"""What is decided: the deadline first, money second."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.core.deadlines import Do, Situation, Sky, Terms, decide, table

TICK, HOUR = 600.0, 3600.0
UP, DOWN = Sky(up=True, age=2 * HOUR), Sky(up=False, age=2 * HOUR)


def decided(at: Situation, terms: Terms | None = None):  # type: ignore[no-untyped-def]
    return decide(table(terms or Terms(TICK, 180.0, overlap=True), 70 * HOUR, 30 * HOUR), at)


def test_with_time_to_spare_spot_is_taken_where_it_is_up() -> None:
    found = decided(Situation(60 * HOUR, 40 * HOUR, Do.WAIT, 0.0, UP))
    assert found.do is Do.SPOT
    assert not found.forced


def test_with_time_to_spare_a_drought_is_waited_out() -> None:
    assert decided(Situation(60 * HOUR, 40 * HOUR, Do.WAIT, 0.0, DOWN)).do is Do.WAIT


def test_with_no_time_to_spare_only_on_demand_is_left() -> None:
    found = decided(Situation(40 * HOUR + 200, 40 * HOUR, Do.WAIT, 0.0, UP))
    assert (found.do, found.forced, found.late) == (Do.ON_DEMAND, True, False)
    assert found.latest_on_demand == pytest.approx(20.0)


def test_what_trains_on_spot_stays_there_to_the_last() -> None:
    assert decided(Situation(10 * HOUR + 1000, 10 * HOUR, Do.SPOT, 0.0, UP)).do is Do.SPOT


def test_from_on_demand_it_goes_back_to_spot_with_both_running_meanwhile() -> None:
    assert decided(Situation(45 * HOUR, 40 * HOUR, Do.ON_DEMAND, 0.0, UP), Terms(TICK, 720.0, overlap=True)).do is Do.BOTH


def test_what_boots_beside_hands_over_once_it_is_ready() -> None:
    terms = Terms(TICK, 720.0, overlap=True)
    assert decided(Situation(45 * HOUR, 40 * HOUR, Do.ON_DEMAND, 0.0, UP, beside=0.0), terms).do is Do.SPOT


def test_with_one_machine_at_a_time_both_is_never_chosen() -> None:
    found = decided(Situation(45 * HOUR, 40 * HOUR, Do.ON_DEMAND, 0.0, UP), Terms(TICK, 720.0))
    assert Do.BOTH not in {found.do, *(do for do, _ in found.others)}


def test_no_machine_is_booted_beside_that_could_never_take_over() -> None:
    """Whether it boots for a tick or for less: else it would be launched, ended and launched again."""
    terms = Terms(240.0, 450.0, 120.0, overlap=True)
    solved = table(terms, 12 * HOUR, 4 * HOUR)
    for slack in (0.0, 300.0, 560.0):
        for beside in (None, 330.0, 120.0):
            found = decide(solved, Situation(5 * HOUR + slack, 5 * HOUR, Do.ON_DEMAND, 0.0, UP, beside))
            assert found.do is Do.ON_DEMAND
            assert Do.BOTH not in dict(found.others)


def test_a_deadline_that_cannot_be_kept_any_more_is_said_and_on_demand_runs() -> None:
    found = decided(Situation(10 * HOUR, 11 * HOUR, Do.WAIT, 0.0, UP))
    assert (found.do, found.late, found.cost) == (Do.ON_DEMAND, True, float("inf"))


def test_a_late_run_that_trains_on_spot_is_not_restarted() -> None:
    found = decided(Situation(10 * HOUR, 11 * HOUR, Do.SPOT, 0.0, UP))
    assert (found.do, found.late) == (Do.SPOT, True)


def test_a_choice_is_the_cheapest_of_those_that_are_told() -> None:
    found = decided(Situation(55 * HOUR, 40 * HOUR, Do.ON_DEMAND, 0.0, UP))
    assert all(found.cost <= cost + 1e-3 for _, cost in found.others)


@given(
    overhead=st.sampled_from([60.0, 180.0, 720.0, 1900.0]),
    overlap=st.booleans(),
    zones=st.sampled_from([1, 3]),
    work=st.floats(0.5, 12),
    looseness=st.floats(0, 3),
    skies=st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=300, max_size=300),
    tick=st.sampled_from([150.0, 600.0]),
)
@settings(max_examples=80, deadline=None)
def test_whatever_spot_does_a_makeable_deadline_is_kept(
    overhead: float,
    overlap: bool,
    zones: int,
    work: float,
    looseness: float,
    skies: list[tuple[bool, bool, bool]],
    tick: float,
) -> None:
    """An adversary takes spot and gives it; on-demand is always there. Machines behave as the terms say."""
    seconds = work * HOUR
    left = -(-(seconds * (1 + looseness) + overhead) // tick) * tick
    terms = Terms(600.0, overhead, overlap=overlap, zones=zones)
    solved = table(Terms(600.0, overhead, overlap=overlap, zones=zones), 50 * HOUR, 36 * HOUR, 60)
    running, rem, beside, age, before = Do.WAIT, 0.0, None, 0.0, None
    turn = 0
    while seconds > 1e-6:
        up, taken, others = skies[turn % len(skies)]
        turn += 1
        age = age + tick if up == before else 0.0
        before = up
        if running is Do.SPOT and (taken or not up):
            running = Do.WAIT
        if beside is not None and (taken or not up):
            beside = None
        assert left > 0, "late"
        found = decide(solved, Situation(left, seconds, running, rem, Sky(up, age, others and up), beside, tick))
        assert not found.late
        done, running, rem, beside = acted(found.do, terms, tick, running, rem, beside)
        seconds -= done
        left -= tick


def acted(
    do: Do, terms: Terms, tick: float, running: Do, rem: float, beside: float | None
) -> tuple[float, Do, float, float | None]:
    """Seconds of training in a tick, and what is there after it."""
    if do is Do.WAIT:
        return 0.0, Do.WAIT, 0.0, None
    if do is Do.BOTH:
        boots = beside if beside is not None else terms.overhead - min(terms.restore, terms.overhead)
        if boots < tick:
            return max(tick - min(terms.restore, terms.overhead), 0.0), Do.SPOT, 0.0, None
        return tick, Do.ON_DEMAND, 0.0, boots - tick
    if do is not running:
        rem = min(terms.restore, terms.overhead) if do is Do.SPOT and beside == 0.0 else terms.overhead
    return max(tick - rem, 0.0), do, max(rem - tick, 0.0), None
