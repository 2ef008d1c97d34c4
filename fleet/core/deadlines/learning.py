"""From traces of spot's availability to the chances of weather.py."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from fleet.core.deadlines.chances import Company, Learned
from fleet.model.base import Seconds

TICK = 600.0
EDGES = (600.0, 1200.0, 1800.0, 3000.0, 5400.0, 10200.0, 19800.0, 39000.0, 77400.0, 154200.0)
"""Ages, seconds, at which the bins meet."""
AGES = len(EDGES) + 1
WIDTH = 0.75
"""Neighbouring ages teach each other: the standard deviation of a normal weight, in bins."""
LOCAL = 20.0
"""A bin counts for itself once it has been seen for so many ticks more than its neighbourhood."""
BOTH = 30.0
"""So do its two halves, with another zone up and without."""
PRIOR = (0.5, 20.0)
"""Ends, and ticks, that are taken as seen before anything was."""
LEAST = 1e-5
"""No chance is none."""
FIRST = 36
"""The age of a trace's first run is not known: so many ticks are only looked at."""
MOST_ZONES = 4

Trace = tuple[Seconds, Sequence[int | bool]]
"""The gap between two probes, and what they found."""


def learned(groups: Iterable[Sequence[Trace]]) -> Learned:
    """All chances. A group's traces are zones of one region with one clock, for one kind of machine."""
    series = [[_each_ten_minutes(trace) for trace in group] for group in groups]
    seen, ended = _tables(2), _tables(2)
    for ups in (zone for group in series for zone in group):
        for tick, age in _ages(ups):
            seen[ups[tick]][age] += 1
            ended[ups[tick]][age] += ups[tick + 1] != ups[tick]
    down, up = (_smoothed(ended[side], seen[side]) for side in (0, 1))
    return Learned(down, up, tuple(_company(series, zones) for zones in range(2, MOST_ZONES + 1)))


def _tables(count: int) -> list[list[float]]:
    return [[0.0] * AGES for _ in range(count)]


def _each_ten_minutes(trace: Trace) -> list[bool]:
    gap, ups = trace
    return [ups[min(int(tick * TICK / gap), len(ups) - 1)] > 0 for tick in range(int(len(ups) * gap // TICK))]


def _ages(ups: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Ticks that have a next one, with the bin of their run's age."""
    since = 0
    for tick in range(len(ups) - 1):
        if tick and ups[tick] != ups[tick - 1]:
            since = tick
        if tick >= FIRST:
            yield tick, _bin(tick - since)


def _bin(ticks: int) -> int:
    return bisect_right(EDGES, ticks * TICK)


class _Walk:
    """What happens to a machine that stays in its zone until it is lost, then goes to the one that is up for longest."""

    def __init__(self) -> None:
        self.seen, self.ended = _tables(2), _tables(2)
        self.dry, self.rained = [0.0] * AGES, [0.0] * AGES
        self.arrived = [PRIOR[0]] * AGES
        self.joined, self.left = list(PRIOR), list(PRIOR)
        self.refuge = [[0.5, 2.0], [1.0, 2.0]]
        self.again = [1.0, 2.0]
        """Pairs: how often, of how many."""

    def through(self, zones: Sequence[Sequence[bool]]) -> None:
        """One walk."""
        ticks, since, own = min(map(len, zones)), [0] * len(zones), -1
        for tick in range(ticks - 1):
            now, later = [zone[tick] for zone in zones], [zone[tick + 1] for zone in zones]
            if tick:
                since = [tick if zone[tick] != zone[tick - 1] else at for zone, at in zip(zones, since, strict=True)]
            flees = own >= 0 and not now[own]
            if flees or own < 0:
                own = min((zone for zone, up in enumerate(now) if up), key=since.__getitem__, default=-1)
            if tick < FIRST:
                continue
            if own < 0:
                age = _bin(tick - max(since))
                self.dry[age] += 1
                self.rained[age] += any(later)
                continue
            age = _bin(tick - since[own])
            self.arrived[age] += flees
            self._lived(age, sum(now) > 1, later, own)

    def _lived(self, age: int, others: bool, later: Sequence[bool], own: int) -> None:
        self.seen[others][age] += 1
        if later[own]:
            _count(self.left if others else self.joined, (sum(later) > 1) != others)
            return
        self.ended[others][age] += 1
        _count(self.refuge[others], any(later))
        if any(later):
            _count(self.again, sum(later) > 1)


def _count(pair: list[float], happened: bool) -> None:
    pair[0] += happened
    pair[1] += 1


def _company(groups: Sequence[Sequence[Sequence[bool]]], zones: int) -> Company:
    """What so many zones of a region are to each other, over every choice of them."""
    walk = _Walk()
    for group in groups:
        for some in combinations(group, zones):
            walk.through(some)
    whole = _smoothed(
        [sum(pair) for pair in zip(*walk.ended, strict=True)], [sum(pair) for pair in zip(*walk.seen, strict=True)]
    )
    alone, company = (
        tuple(round((end + BOTH * mean) / (all_ + BOTH), 5) for end, all_, mean in zip(ends, seen, whole, strict=True))
        for ends, seen in zip(walk.ended, walk.seen, strict=True)
    )
    total = sum(walk.arrived)
    return Company(
        down=_smoothed(walk.rained, walk.dry),
        alone=alone,
        company=company,
        arrives=tuple(round(count / total, 5) for count in walk.arrived),
        joined=_share(walk.joined),
        left=_share(walk.left),
        refuge=(_share(walk.refuge[0]), _share(walk.refuge[1])),
        again=_share(walk.again),
    )


def _share(pair: Sequence[float]) -> float:
    return round(pair[0] / pair[1], 5)


def _smoothed(ended: Sequence[float], seen: Sequence[float]) -> tuple[float, ...]:
    found = []
    for here in range(AGES):
        weights = [math.exp(-0.5 * ((other - here) / WIDTH) ** 2) for other in range(AGES)]
        ends = sum(weight * count for weight, count in zip(weights, ended, strict=True))
        ticks = sum(weight * count for weight, count in zip(weights, seen, strict=True))
        around = (ends + PRIOR[0]) / (ticks + PRIOR[1])
        near = (ends + LOCAL * around) / (ticks + LOCAL)
        found.append(max(round((ended[here] + LOCAL * near) / (seen[here] + LOCAL), 5), LEAST))
    return tuple(found)
