"""What is expected of a pool: from nothing, from what the cloud tells, and from what was seen there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.core import pools
from fleet.core.pools import HALF_LIFE, PoolRecord
from fleet.core.state import FleetState
from fleet.core.survival import Hints, Lives, mean_life, outlook, prior_of, risk_of, taken_within
from fleet.core.survival_learned import LEARNED
from tests.unit.core.world import folded

HOUR = 3600.0
PRIOR = prior_of()
LIVES = st.lists(st.tuples(st.floats(0, 40 * HOUR), st.floats(60, 60 * HOUR)), min_size=1, max_size=12)


def seen(lives: list[tuple[float, float]], taken: list[bool]) -> PoolRecord:
    """Machines that were launched at a time and lived for so long."""
    record = PoolRecord()
    happened = [(at, n, "launch") for n, (at, _) in enumerate(lives)]
    happened += [(at + length, n, "end") for n, (at, length) in enumerate(lives)]
    for at, n, what in sorted(happened):
        record = pools.launched(record, at, str(n)) if what == "launch" else pools.ended(record, at, str(n), taken=taken[n])
    return record


def test_with_nothing_seen_the_parameters_that_come_with_fleet_are_believed() -> None:
    assert outlook(None, PRIOR, 0.0) == outlook(PoolRecord(), PRIOR, 0.0)
    assert 4 * HOUR < mean_life(None, PRIOR, 0.0) < 48 * HOUR
    assert 0.3 < outlook(None, PRIOR, 0.0).chance < 0.9


def test_what_was_seen_long_ago_is_forgotten() -> None:
    record = seen([(0.0, HOUR)] * 5, [True] * 5)
    now = 80 * HALF_LIFE
    assert mean_life(record, PRIOR, now) == pytest.approx(mean_life(None, PRIOR, now))
    assert outlook(record, PRIOR, now).share == pytest.approx(outlook(None, PRIOR, now).share)


@settings(deadline=None, max_examples=50)
@given(LIVES, st.data())
def test_more_interruptions_never_raise_the_mean_life(lives: list[tuple[float, float]], data: st.DataObject) -> None:
    few = data.draw(st.lists(st.booleans(), min_size=len(lives), max_size=len(lives)))
    more = [one or data.draw(st.booleans()) for one in few]
    now = 200 * HOUR
    assert mean_life(seen(lives, more), PRIOR, now) <= mean_life(seen(lives, few), PRIOR, now) * (1 + 1e-9)


@settings(deadline=None, max_examples=50)
@given(LIVES, st.floats(0, 110 * HOUR), st.floats(0, 10 * HOUR))
def test_a_refusal_never_raises_the_chance(lives: list[tuple[float, float]], at: float, later: float) -> None:
    record = seen(lives, [True] * len(lives))
    at = max(at, record.at)
    now = at + later
    once = pools.refused(record, at)
    assert outlook(once, PRIOR, now).chance <= outlook(record, PRIOR, now).chance + 1e-12
    twice = pools.refused(once, now)
    assert outlook(twice, PRIOR, now).chance <= outlook(once, PRIOR, now).chance + 1e-12


@settings(deadline=None, max_examples=50)
@given(LIVES)
def test_the_order_in_which_a_journal_tells_does_not_matter(lives: list[tuple[float, float]]) -> None:
    forwards, backwards = PoolRecord(), PoolRecord()
    for n, (at, _) in enumerate(lives):
        forwards = pools.launched(forwards, at, str(n))
    for n, (at, _) in reversed(list(enumerate(lives))):
        backwards = pools.launched(backwards, at, str(n))
    for n, (at, length) in enumerate(lives):
        forwards = pools.rebalanced(pools.ended(forwards, at + length, str(n), taken=n % 2 == 0), at)
    for n, (at, length) in reversed(list(enumerate(lives))):
        backwards = pools.ended(pools.rebalanced(backwards, at), at + length, str(n), taken=n % 2 == 0)
    now = 120 * HOUR
    assert mean_life(forwards, PRIOR, now) == pytest.approx(mean_life(backwards, PRIOR, now))
    assert outlook(forwards, PRIOR, now).share == pytest.approx(outlook(backwards, PRIOR, now).share)


@pytest.mark.parametrize("accelerators", [0, 1, 8])
def test_the_advisors_bands_order_the_lives(accelerators: int) -> None:
    lives = [mean_life(None, prior_of(accelerators, Hints(band=band)), 0.0) for band in range(5)]
    assert lives == sorted(lives, reverse=True)
    assert len(set(lives)) == 5
    assert mean_life(None, prior_of(accelerators, Hints(band=7)), 0.0) == lives[-1]  # a label that is newer than this


def test_a_placement_score_moves_the_chance_and_not_the_life() -> None:
    low, high = (outlook(None, prior_of(1, Hints(score=score)), 0.0) for score in (1, 10))
    assert low.chance < outlook(None, PRIOR, 0.0).chance < high.chance
    assert low.life == high.life


def test_dear_spot_lives_a_little_shorter_whatever_the_price_says() -> None:
    shares = [0.01, 0.2, 0.35, 0.9, 1e9]
    lives = [mean_life(None, prior_of(1, Hints(price_share=share)), 0.0) for share in shares]
    assert lives == sorted(lives, reverse=True)
    assert lives[0] < 3 * lives[-1]
    for nonsense in (float("nan"), float("inf"), -1.0, 0.0):
        assert prior_of(1, Hints(price_share=nonsense)).factor == 1.0


def test_machines_that_live_on_make_a_pool_look_quieter() -> None:
    record = PoolRecord()
    for n in range(3):
        record = pools.launched(record, 0.0, str(n))
    assert mean_life(record, PRIOR, 100 * HOUR) > 1.5 * mean_life(None, PRIOR, 0.0)


def test_a_pool_that_has_had_machines_for_long_is_expected_to_go_on() -> None:
    record = pools.launched(PoolRecord(), 0.0, "1")
    young, old = (outlook(record, PRIOR, hours * HOUR) for hours in (0.0, 12.0))
    assert (young.standing, old.standing) == (0.0, 12 * HOUR)
    assert outlook(pools.ended(record, 12 * HOUR, "1", taken=True), PRIOR, 12 * HOUR).standing == 0
    left = pools.ended(record, 12 * HOUR, "1", taken=False)
    assert outlook(left, PRIOR, 12.5 * HOUR).standing == 12 * HOUR
    assert outlook(left, PRIOR, 20 * HOUR).standing == 0


def test_an_older_machine_is_safer_than_a_young_one() -> None:
    young, old = (taken_within(None, PRIOR, 0.0, HOUR, age) for age in (0.0, 12 * HOUR))
    assert old < young / 2


def test_a_rebalance_signal_shortens_the_life_less_than_an_interruption() -> None:
    base = pools.launched(PoolRecord(), 0.0, "1")
    signal = pools.rebalanced(base, HOUR)
    taken = pools.ended(base, HOUR, "1", taken=True)
    lives = [mean_life(one, PRIOR, HOUR) for one in (base, signal, taken)]
    assert lives == sorted(lives, reverse=True)


def test_after_a_refusal_the_chance_comes_back_with_time() -> None:
    record = pools.refused(pools.launched(PoolRecord(), 0.0, "1"), HOUR)
    chances = [outlook(record, PRIOR, HOUR + later).chance for later in (0.0, 600.0, HOUR, 12 * HOUR)]
    assert chances[0] == 0.0
    assert chances == sorted(chances)
    assert outlook(record, PRIOR, HOUR).wait(48 * HOUR) > outlook(None, PRIOR, HOUR).wait(48 * HOUR) > 0


def test_interruptions_raise_the_risk_that_a_deadline_counts_with() -> None:
    record = pools.launched(PoolRecord(), 0.0, "1")
    risks = [risk_of(record, PRIOR, 60.0), risk_of(pools.ended(record, 60.0, "1", taken=True), PRIOR, 60.0)]
    assert 0.3 < risks[0] < risks[1] < 3
    assert risk_of(None, prior_of(1, Hints(band=0)), 0.0) < 0.2


@settings(deadline=None, max_examples=50)
@given(st.floats(0.2, 5), st.floats(1, 500), st.floats(0, 30 * HOUR), st.floats(60, 20 * HOUR))
def test_the_mean_is_the_area_under_the_chances(shape: float, rate: float, age: float, horizon: float) -> None:
    lives = Lives(PRIOR.hazard, shape, rate)
    steps = 1000
    middle = sum(lives.past((i + 0.5) * horizon / steps, age) for i in range(steps)) * horizon / steps
    assert lives.mean(horizon, age) == pytest.approx(middle, rel=0.02)


LIFE: list[dict[str, Any]] = [
    {"run-created": {}},
    {"launch-intended": {"at": 10, "offers": ["a-small-spot", "b-small-spot"]}},
    {"launch-failed": {"at": 20, "error_class": "capacity"}},
    {"launch-intended": {"at": 30, "try_no": 2, "offers": ["c-small-spot"]}},
    {"launch-succeeded": {"at": 40, "try_no": 2, "offer": "c-small-spot"}},
    {"notice-seen": {"at": 3700, "kind": "rebalance"}},
    {"notice-seen": {"at": 7240}},
    {"attempt-gone": {"at": 7400, "ended_by": "cloud"}},
]


def test_the_journal_tells_what_happened_in_each_pool() -> None:
    state = folded(LIFE)
    assert sorted(state.pools) == ["sim/r/r-a/small", "sim/r/r-b/small", "sim/r/r-c/small"]
    a, c = state.pools["sim/r/r-a/small"], state.pools["sim/r/r-c/small"]
    assert (a.refused, a.launched, a.up) == (1.0, 0.0, False)
    assert c.launched == pytest.approx(1.0, abs=0.02)
    assert (c.taken, c.up, c.living) == (1.0, False, {})
    assert sum(c.lived) == pytest.approx(2.0)
    assert c.rebalanced == pytest.approx(1.0, abs=0.02)


def test_what_the_journal_tells_twice_counts_once() -> None:
    assert folded([*LIFE, *LIFE[1:]]).pools == folded(LIFE).pools


def test_a_machine_that_was_ended_from_here_was_not_taken() -> None:
    state = folded([*LIFE[:5], {"terminate-intended": {"at": 3600}}, {"attempt-gone": {"at": 3640, "ended_by": "unknown"}}])
    record = state.pools["sim/r/r-c/small"]
    assert (record.taken, record.up) == (0.0, True)
    assert sum(record.lived) == pytest.approx(1.0)


def test_refusals_for_other_reasons_say_nothing_of_a_pool() -> None:
    state = folded([*LIFE[:2], {"launch-failed": {"at": 20, "error_class": "quota"}}])
    assert state.pools == {}


def test_on_demand_has_its_own_counts() -> None:
    state = folded(
        [
            {"run-created": {}},
            {"launch-intended": {"offers": ["a-small-on-demand"]}},
            {"launch-failed": {"at": 20, "error_class": "capacity"}},
            {"launch-intended": {"at": 30, "try_no": 2, "offers": ["a-small-on-demand"]}},
            {"launch-succeeded": {"at": 40, "try_no": 2, "offer": "a-small-on-demand"}},
        ]
    )
    record = state.pools["sim/r/r-a/small"]
    assert (record.on_demand_launched, record.launched, record.refused, record.up) == (1.0, 0.0, 0.0, None)
    assert record.on_demand_refused == pytest.approx(1.0, abs=0.001)


def test_a_snapshot_keeps_what_was_seen() -> None:
    state = folded(LIFE)
    assert FleetState.model_validate_json(state.model_dump_json()).pools == state.pools


def test_the_parameters_say_where_they_come_from() -> None:
    found = LEARNED
    assert found["provenance"]["traces"]
    assert found["age_until_seconds"] == list(pools.AGES[:-1])
    for kind in found["classes"].values():
        for way in ("up", "down"):
            hazards = kind[way]["hazard_per_hour"]
            assert len(hazards) == len(pools.AGES)
            assert hazards == sorted(hazards, reverse=True)
            assert min(hazards) > 0
