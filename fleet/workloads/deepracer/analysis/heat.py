"""Where cars were, how fast, for how long and at what reward: sums by small squares of the ground, added to as steps come.

Only squares that a car was in are kept, so that a long track costs no more than a short one; adding the steps of an episode
takes the time of a sort of the squares, not of all steps before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from fleet.workloads.deepracer.checking.track import Bools, Floats, Ints

Measure = Literal["speed", "time", "reward"]
MEASURES: tuple[Measure, ...] = ("speed", "time", "reward")
EDGE = 0.05
"""Metres of a square's side: a tenth of the narrowest of the simulator's tracks is the most that is drawn as one."""
FAR = 50_000.0
"""Metres from the origin; what is further is no place of a car."""
LONGEST_STEP = 2.0
"""Seconds of one step that count: the simulator steps 15 times a second, and what is longer is a pause, not driving."""
LEVELS = 8
"""Colours of a map: more are not told apart."""
MOST, LEAST = 160, 64
"""Squares along the longer side of what is drawn: each is then seen, on a phone too. Of few steps larger ones."""
DENSE = 4.0
"""Steps in a square, in the mean, that make a surface of what else is single dots."""
_HALF, _ROW = 1 << 24, 1 << 26


def _ints() -> Ints:
    return np.zeros(0, dtype=np.int64)


def _floats() -> Floats:
    return np.zeros(0, dtype=np.float64)


@dataclass(frozen=True)
class Heat:
    """Sums by square, in the order of ``keys``."""

    keys: Ints = field(default_factory=_ints)
    visits: Floats = field(default_factory=_floats)
    """Steps."""
    seconds: Floats = field(default_factory=_floats)
    speed: Floats = field(default_factory=_floats)
    """The sum over visits, metres per second."""
    rewarded: Floats = field(default_factory=_floats)
    """Steps whose reward is a number."""
    reward: Floats = field(default_factory=_floats)

    def add(self, x: Floats, y: Floats, speed: Floats, reward: Floats, seconds: Floats) -> Heat:
        """With more steps. Steps whose place or speed is no number are left out."""
        kept = np.isfinite(x) & np.isfinite(y) & np.isfinite(speed) & (np.abs(x) < FAR) & (np.abs(y) < FAR)
        if not kept.any():
            return self
        column: Ints = np.floor(x[kept] / EDGE).astype(np.int64) + _HALF
        row: Ints = np.floor(y[kept] / EDGE).astype(np.int64) + _HALF
        known = np.isfinite(reward[kept])
        return self.merge(
            Heat(
                row * _ROW + column,
                np.ones(int(kept.sum())),
                np.nan_to_num(seconds[kept]),
                speed[kept],
                known.astype(np.float64),
                np.where(known, reward[kept], 0.0),
            )
        )

    def merge(self, other: Heat) -> Heat:
        """The sums of both."""
        keys, where = np.unique(np.concatenate([self.keys, other.keys]), return_inverse=True)

        def summed(old: Floats, new: Floats) -> Floats:
            return np.bincount(where, weights=np.concatenate([old, new]), minlength=len(keys)).astype(np.float64)

        return Heat(
            keys,
            summed(self.visits, other.visits),
            summed(self.seconds, other.seconds),
            summed(self.speed, other.speed),
            summed(self.rewarded, other.rewarded),
            summed(self.reward, other.reward),
        )

    @property
    def steps(self) -> int:
        """How many it holds."""
        return int(self.visits.sum())


def step_seconds(episode: Ints, at: Floats) -> Floats:
    """How long each step took, by the times of steps: the first of an episode takes none. ``episode`` tells them apart, any
    number that changes with each.
    """
    took = np.diff(at, prepend=at[:1])
    took[1:][np.diff(episode) != 0] = 0.0
    found: Floats = np.clip(np.nan_to_num(took), 0.0, LONGEST_STEP)
    return found


@dataclass(frozen=True)
class Squares:
    """What is drawn: squares of one size, by row and column from the lower left."""

    edge: float
    """Metres."""
    left: float
    bottom: float
    columns: int
    rows: int
    column: Ints
    row: Ints
    speed: Floats
    """Mean, metres per second."""
    time: Floats
    """Seconds, all together."""
    reward: Floats
    """Mean of a step; NaN where none is a number."""

    def of(self, measure: Measure) -> Floats:
        """The values of each square."""
        return {"speed": self.speed, "time": self.time, "reward": self.reward}[measure]


def squares(heat: Heat, most: int = MOST) -> Squares | None:
    """As many squares along the longer side as can be seen and are filled; None: there is nothing."""
    if not len(heat.keys):
        return None
    column, row = _places(heat)
    width = max(int(np.ptp(column)), int(np.ptp(row))) + 1
    factor = max(1, -(-width // most))
    one = _coarser(heat, factor)
    while one.steps / len(one.keys) < DENSE and width / (factor + 1) >= LEAST:
        factor += 1
        one = _coarser(heat, factor)
    column, row = _places(one)
    left, bottom = int(column.min()), int(row.min())
    edge = EDGE * factor
    reward = np.where(one.rewarded > 0, one.reward / np.maximum(one.rewarded, 1), np.nan)
    return Squares(
        edge=edge,
        left=left * edge,
        bottom=bottom * edge,
        columns=int(column.max()) - left + 1,
        rows=int(row.max()) - bottom + 1,
        column=column - left,
        row=row - bottom,
        speed=one.speed / one.visits,
        time=one.seconds,
        reward=reward,
    )


def _places(heat: Heat) -> tuple[Ints, Ints]:
    """Column and row of each square."""
    return heat.keys % _ROW - _HALF, heat.keys // _ROW - _HALF


def _coarser(heat: Heat, factor: int) -> Heat:
    """So many squares' sums as one, in both directions."""
    column, row = _places(heat)
    keys = (row // factor + _HALF) * _ROW + column // factor + _HALF
    return Heat().merge(Heat(keys, heat.visits, heat.seconds, heat.speed, heat.rewarded, heat.reward))


@dataclass(frozen=True)
class Graded:
    """Values sorted into levels."""

    bounds: tuple[float, ...]
    """One more than there are levels, rising; the first and the last are the least and the most value there is."""
    level: Ints
    """Of each value, from 0; -1: it is no number."""

    @property
    def levels(self) -> int:
        """How many there are."""
        return len(self.bounds) - 1


def graded(values: Floats, measure: Measure, levels: int = LEVELS) -> Graded:
    """Speeds by equal steps; times and rewards, of which few are far larger than others, by equally many squares each."""
    known: Bools = np.isfinite(values)
    of = values[known]
    if not len(of):
        return Graded((0.0, 0.0), np.full(len(values), -1, dtype=np.int64))
    low, high = float(of.min()), float(of.max())
    if measure == "speed":
        least, greatest = (float(one) for one in np.quantile(of, (0.02, 0.98)))
        inner = np.linspace(least, greatest, levels + 1)[1:-1]
    else:
        inner = np.quantile(of, np.linspace(0, 1, levels + 1)[1:-1])
    between = [float(one) for one in np.unique(inner) if low < one < high]
    level = np.full(len(values), -1, dtype=np.int64)
    level[known] = np.searchsorted(np.asarray(between), of, side="right")
    return Graded((low, *between, high), level)


def runs(of: Squares, level: Ints, wanted: int) -> list[tuple[int, int, int]]:
    """The squares of one level as stretches of a row: column, row, how many. Squares come sorted by row, then column."""
    at = np.flatnonzero(level == wanted)
    if not len(at):
        return []
    column, row = of.column[at], of.row[at]
    begins = np.flatnonzero(np.r_[True, (np.diff(column) != 1) | (np.diff(row) != 0)])
    sizes: Sequence[int] = np.diff(np.r_[begins, len(at)]).tolist()
    return list(zip(column[begins].tolist(), row[begins].tolist(), sizes, strict=True))
