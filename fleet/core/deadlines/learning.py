"""From traces of spot's availability to the chances of weather.py."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from fleet.core.deadlines.weather import EDGES, TICK
from fleet.model.base import Seconds

WIDTH = 0.75
"""Neighbouring ages teach each other: the standard deviation of a normal weight, in bins."""
LOCAL = 20.0
"""A bin counts for itself once it has been seen for so many ticks more than its neighbourhood."""
PRIOR = (0.5, 20.0)
"""Ends, and ticks, that are taken as seen before anything was."""
FIRST = 36
"""The age of a trace's first run is not known: so many ticks are only looked at."""


def learned(traces: Iterable[tuple[Seconds, Sequence[int | bool]]]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The chances that a drought, and that a run, of each age ends within ten minutes. Traces are (gap, availability)."""
    seen = [[0.0] * (len(EDGES) + 1) for _ in range(2)]
    ended = [[0.0] * (len(EDGES) + 1) for _ in range(2)]
    for gap, ups in traces:
        series = [bool(ups[min(int(tick * TICK / gap), len(ups) - 1)]) for tick in range(int(len(ups) * gap // TICK))]
        age = 0
        for tick in range(len(series) - 1):
            age = age + 1 if tick and series[tick] == series[tick - 1] else 0
            if tick >= FIRST:
                bin_of = bisect_right(EDGES, age * TICK)
                seen[series[tick]][bin_of] += 1
                ended[series[tick]][bin_of] += series[tick + 1] != series[tick]
    return _smoothed(ended[0], seen[0]), _smoothed(ended[1], seen[1])


def _smoothed(ended: Sequence[float], seen: Sequence[float]) -> tuple[float, ...]:
    found = []
    for here in range(len(seen)):
        weights = [math.exp(-0.5 * ((other - here) / WIDTH) ** 2) for other in range(len(seen))]
        ends = sum(weight * count for weight, count in zip(weights, ended, strict=True))
        ticks = sum(weight * count for weight, count in zip(weights, seen, strict=True))
        around = (ends + PRIOR[0]) / (ticks + PRIOR[1])
        near = (ends + LOCAL * around) / (ticks + LOCAL)
        found.append(round((ended[here] + LOCAL * near) / (seen[here] + LOCAL), 5))
    return tuple(found)
