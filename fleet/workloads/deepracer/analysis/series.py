"""What can be said of a series of iterations: which of them count, where it heads, how much of it is chance. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, median, stdev

from fleet.workloads.deepracer.analysis.model import Drive, IterationRow

WHOLE_SHARE = 0.5
"""Of the usual number of episodes: an iteration with fewer is under way, or was cut, and its mean says little."""


def settled(rows: Iterable[IterationRow]) -> list[IterationRow]:
    """The iterations whose means count: whole ones, with rewards that are numbers."""
    known = [row for row in rows if row.episodes and math.isfinite(row.mean_reward)]
    usual = median([row.episodes for row in known]) if known else 0
    return [row for row in known if row.episodes >= WHOLE_SHARE * usual]


def told(values: Iterable[float | None]) -> list[float]:
    """Those that somebody told, and that are numbers."""
    return [value for value in values if value is not None and math.isfinite(value)]


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line through a series, by least squares."""

    gain: float
    """From the first to the last of them, by the line."""
    certain: float
    """The gain in units of its own standard error: beyond 2 chance hardly explains it. Infinite: no scatter at all."""


def line_of(values: Sequence[float]) -> Line:
    """At least three values."""
    count = len(values)
    middle, level = (count - 1) / 2, fmean(values)
    width = sum((at - middle) ** 2 for at in range(count))
    slope = sum((at - middle) * (value - level) for at, value in enumerate(values)) / width
    rest = sum((value - level - slope * (at - middle)) ** 2 for at, value in enumerate(values))
    error = math.sqrt(rest / (count - 2) / width) if count > 2 else 0.0
    gain = slope * (count - 1)
    if error <= abs(level) * 1e-9:
        return Line(gain, math.copysign(math.inf, slope) if abs(gain) > abs(level) * 1e-9 else 0.0)
    return Line(gain, slope / error)


def steady_gain(values: Sequence[float]) -> float:
    """From the first to the last, by the median of the slopes of all pairs (Theil-Sen): single bad ones do not count."""
    pairs = combinations(enumerate(values), 2)
    return median((after - before) / (late - early) for (early, before), (late, after) in pairs) * (len(values) - 1)


def level_of(values: Sequence[float]) -> float:
    """How large they are, whatever their sign: what a change is measured by. Never 0."""
    return fmean(abs(value) for value in values) or 1.0


def error_of(values: Sequence[float]) -> float:
    """The standard error of the mean of those that are numbers; 0 for a single one."""
    values = told(values)
    return stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def by_iteration(drives: Iterable[Drive]) -> dict[int, list[Drive]]:
    """The episodes of each iteration."""
    found: dict[int, list[Drive]] = {}
    for drive in drives:
        found.setdefault(drive.iteration, []).append(drive)
    return found
