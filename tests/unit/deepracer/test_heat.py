from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.workloads.deepracer.analysis.heat import EDGE, LEVELS, MOST, Heat, graded, runs, squares, step_seconds


def heat(*steps: tuple[float, float, float, float, float]) -> Heat:
    """Of x, y, speed, reward, seconds."""
    return Heat().add(*np.array(steps, dtype=np.float64).reshape(-1, 5).T)


def test_a_square_has_the_mean_speed_the_time_and_the_mean_reward_of_its_steps() -> None:
    found = squares(heat((0.01, 0.01, 1.0, 4.0, 0.1), (0.02, 0.04, 3.0, 0.0, 0.3), (0.31, 0.01, 2.0, 7.0, 0.5)))
    assert found is not None
    assert found.speed.tolist() == [2.0, 2.0]
    assert found.time.tolist() == pytest.approx([0.4, 0.5])
    assert found.reward.tolist() == [2.0, 7.0]
    assert (found.columns, found.rows) == (7, 1)
    assert found.column.tolist() == [0, 6]
    assert (found.left, found.bottom) == (0.0, 0.0)


def test_places_left_of_and_below_the_origin_are_squares_of_their_own() -> None:
    found = squares(heat((-0.01, -0.01, 1, 1, 1), (0.01, 0.01, 2, 1, 1)))
    assert found is not None
    assert found.column.tolist() == [0, 1]
    assert found.row.tolist() == [0, 1]
    assert (found.left, found.bottom) == pytest.approx((-EDGE, -EDGE))


def test_what_is_no_place_is_left_out_and_a_reward_that_is_no_number_spoils_no_mean() -> None:
    told = heat(
        (0.01, 0.01, 1, np.nan, 1), (0.01, 0.01, 3, 8, 1), (np.nan, 0, 1, 1, 1), (1e9, 0, 1, 1, 1), (0, 0, np.inf, 1, 1)
    )
    assert told.steps == 2
    found = squares(told)
    assert found is not None
    assert found.speed.tolist() == [2.0]
    assert found.reward.tolist() == [8.0]
    unknown = squares(heat((0, 0, 1, np.nan, 1)))
    assert unknown is not None
    assert np.isnan(unknown.reward).all()
    assert graded(unknown.reward, "reward").level.tolist() == [-1]


def test_nothing_is_no_map() -> None:
    assert squares(Heat()) is None
    assert Heat().add(*(np.zeros(0),) * 5).steps == 0


places = st.lists(st.tuples(*[st.floats(-30, 30)] * 2, st.floats(0, 5), st.floats(-10, 10), st.floats(0, 2)), max_size=60)


@given(places, places)
def test_what_is_added_piece_by_piece_is_what_is_added_at_once(
    first: list[tuple[float, ...]], then: list[tuple[float, ...]]
) -> None:
    both = heat(*first, *then)  # type: ignore[arg-type]
    pieces = heat(*first).add(*np.array(then, dtype=np.float64).reshape(-1, 5).T)  # type: ignore[arg-type]
    assert pieces.keys.tolist() == both.keys.tolist()
    for name in ("visits", "seconds", "speed", "rewarded", "reward"):
        np.testing.assert_allclose(getattr(pieces, name), getattr(both, name), atol=1e-9)


@given(places.filter(bool))
def test_every_step_is_drawn_in_one_square_and_no_map_has_more_than_can_be_seen(steps: list[tuple[float, ...]]) -> None:
    told = heat(*steps)  # type: ignore[arg-type]
    found = squares(told)
    assert found is not None
    assert max(found.columns, found.rows) <= MOST + 1  # cut by multiples of the edge, not at the first square
    assert found.time.sum() == pytest.approx(told.seconds.sum())
    for measure in ("speed", "time", "reward"):
        levels = graded(found.of(measure), measure)
        drawn = [
            (column + at, row)
            for n in range(levels.levels)
            for column, row, many in runs(found, levels.level, n)
            for at in range(many)
        ]
        assert sorted(drawn) == sorted(zip(found.column.tolist(), found.row.tolist(), strict=True))


def test_squares_of_a_row_that_touch_are_one_stretch() -> None:
    found = squares(heat(*((EDGE * (at + 0.5), 0.01, 1, 1, 1) for at in (0, 1, 2, 4))))
    assert found is not None
    assert runs(found, graded(found.speed, "speed").level, 0) == [(0, 0, 3), (4, 0, 1)]


def test_few_steps_are_drawn_in_larger_squares() -> None:
    chance = np.random.default_rng(3)
    x, y = chance.uniform(0, 8, (2, 4000))
    few, many = Heat().add(x[:400], y[:400], *(np.ones(400),) * 3), Heat()
    for _ in range(30):
        across, up = chance.uniform(0, 8, (2, 4000))
        many = many.add(across, up, *(np.ones(4000),) * 3)
    sparse, dense = squares(few), squares(many)
    assert sparse is not None
    assert dense is not None
    assert sparse.edge > dense.edge


def test_speeds_are_told_apart_by_equal_steps_and_times_by_equally_many_squares() -> None:
    speeds = graded(np.linspace(1.0, 3.0, 801), "speed")
    assert speeds.levels == LEVELS
    assert np.diff(speeds.bounds[1:-1]) == pytest.approx(
        [(speeds.bounds[-2] - speeds.bounds[1]) / (LEVELS - 2)] * (LEVELS - 2)
    )
    times = graded(np.geomspace(0.01, 1000.0, 800), "time")
    assert np.bincount(times.level).tolist() == [100] * LEVELS
    same = graded(np.full(9, 2.5), "speed")
    assert (same.levels, same.bounds, set(same.level.tolist())) == (1, (2.5, 2.5), {0})


def test_a_step_takes_the_time_since_the_one_before_in_its_episode_and_no_pause() -> None:
    took = step_seconds(np.array([0, 0, 0, 1, 1]), np.array([5.0, 5.1, 90.0, 91.0, 91.2]))
    assert took.tolist() == pytest.approx([0.0, 0.1, 2.0, 0.0, 0.2])
    assert step_seconds(np.zeros(0, dtype=np.int64), np.zeros(0)).tolist() == []
