"""Pools over time."""

from __future__ import annotations

import math
import random

import pytest

from fleet.backtest.course import Course, Prices, around
from fleet.backtest.market import quantile
from fleet.backtest.named import NAMES, climate, named_market
from fleet.model.job import Job


def test_a_course_turns_at_its_edges_and_stays_after_the_last() -> None:
    course = Course(iter([10.0, 20.0, 30.0]), up=True)
    assert [course.up(at) for at in (0, 9.9, 10, 19.9, 20, 29, 30, 1e9)] == [
        True,
        True,
        False,
        False,
        True,
        True,
        False,
        False,
    ]
    assert [course.until(at) for at in (0, 10, 29, 30)] == [10, 20, 30, math.inf]
    assert course.up(0), "what was asked before can be asked again"


@pytest.mark.parametrize("seed", range(20))
def test_a_record_comes_around_and_is_the_same_at_every_moment(seed: int) -> None:
    chance = random.Random(seed)
    ticks = [chance.random() < 0.6 for _ in range(chance.randint(1, 12))]
    edges = [float(i) for i in range(1, len(ticks)) if ticks[i] != ticks[i - 1]]
    offset = chance.uniform(0, len(ticks))
    course = around(edges, ticks[0], float(len(ticks)), 1000.0, offset)
    for step in range(100):
        at = step * 0.37
        assert course.up(1000 + at) == ticks[int((offset + at) % len(ticks))], (ticks, offset, at)


def test_prices_hold_for_whole_hours_and_come_around() -> None:
    day = 86_400.0
    prices = Prices([(0.0, 5), (day, 7)], origin=3600.0, period=2 * day)
    assert [prices.at(3600 + t) for t in (0, day - 1, day, 2 * day - 1, 2 * day, 3 * day)] == [5, 5, 7, 7, 5, 7]


def test_quantiles_reach_from_the_least_to_the_greatest() -> None:
    assert quantile((10, 100, 1000), 0) == pytest.approx(10)
    assert quantile((10, 100, 1000), 0.5) == pytest.approx(100)
    assert quantile((10, 100, 1000), 1) == pytest.approx(1000)


@pytest.mark.parametrize("name", NAMES)
def test_a_named_market_is_up_as_much_of_the_time_as_what_it_was_measured_on(name: str) -> None:
    found = climate(name)
    job = Job.model_validate({"name": "x", "run": "t", "resources": {"infra": "aws/us-east-1"}})
    market = named_market(name, job)
    looked = []
    for seed in range(30):
        drawn = market.draw(seed, 0.0)
        looked += [drawn.courses["us-east-1a", "p3.2xlarge"].up(at) for at in range(0, 40 * 86_400, 7200)]
    draws = (
        [quantile(found.up, share / 1000) for share in range(1001)],
        [quantile(found.down, share / 1000) for share in range(1001)],
    )
    expected = sum(draws[0]) / (sum(draws[0]) + sum(draws[1]))
    assert sum(looked) / len(looked) == pytest.approx(expected, abs=0.12)


def test_the_named_markets_are_told_apart() -> None:
    job = Job.model_validate({"name": "x", "run": "t", "resources": {"infra": "aws/us-east-1"}})

    def changes(name: str) -> int:
        courses = [named_market(name, job).draw(seed, 0.0).courses["us-east-1a", "p3.2xlarge"] for seed in range(10)]
        return sum(one.up(at) != one.up(at + 600) for one in courses for at in range(0, 20 * 86_400, 600))

    assert 2 * changes("calm") < changes("stormy")
