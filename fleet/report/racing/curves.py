"""The course of a training over its iterations, as lines and dots that the page and pictures draw alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from fleet.workloads.deepracer.analysis.model import Analysis, IterationRow
from fleet.workloads.deepracer.analysis.scene import laps

Point = tuple[float, float]
MOST_DOTS = 1500
"""Laps that are drawn; more would be a grey field. The shortest are never left out."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line, or dots."""

    name: str
    points: tuple[Point, ...]
    """Iteration and value, in order."""
    colour: int = 0
    """Its number in the palette."""
    form: Literal["line", "dashed", "dots"] = "line"


@dataclass(frozen=True, slots=True)
class Curve:
    """One chart."""

    key: str
    title: str
    unit: str
    """After a value: ``" %"``, ``" s"``, or nothing."""
    series: tuple[Series, ...]
    floor: float | None = None
    """Where the axis begins at the latest."""
    top: float | None = None
    """Where it ends at the earliest."""
    digits: int = 1
    span: tuple[float, float] = (0.0, 0.0)
    """The first and the last iteration of the whole training: all charts have the same axis."""

    @property
    def told(self) -> str:
        """What it shows, in words."""
        parts = []
        for one in self.series:
            values = [value for _, value in one.points]
            at, last = one.points[-1]
            span = f"from {self._told(min(values))} to {self._told(max(values))}"
            newest = f", {self._told(last)} in iteration {at:.0f}" if one.form != "dots" else f", {len(values)} of them"
            parts.append(f"{one.name} {span}{newest}")
        return f"{self.title} by iteration: {'; '.join(parts)}."

    def _told(self, value: float) -> str:
        return f"{value:.{self.digits}f}{self.unit}"


def curves(analysis: Analysis) -> list[Curve]:
    """Those that there are figures for."""
    found = [one for one in _all(analysis) if one.series]
    at = [place for curve in found for one in curve.series for place, _ in one.points]
    return [replace(one, span=(min(at), max(at))) for one in found]


def _all(analysis: Analysis) -> Iterator[Curve]:
    rows = analysis.rows
    yield Curve("reward", "Reward of an episode", "", _some(_line("mean", rows, lambda one: one.mean_reward)))
    completion = _some(
        _line("training", rows, lambda one: one.mean_completion_percent),
        _line("evaluation", rows, lambda one: one.evaluated_percent, 1, "dashed"),
    )
    yield Curve("completion", "Completion of the lap", " %", completion, 0.0, 100.0, 0)
    yield Curve("laps", "Lap times", " s", _laps(analysis), digits=2)
    entropy = _some(_line("entropy", rows, lambda one: one.entropy))
    yield Curve("entropy", "Entropy of the policy", "", entropy, digits=3)
    loss = _some(_line("surrogate loss", rows, lambda one: one.surrogate_loss))
    yield Curve("loss", "Loss of the policy", "", loss, digits=4)
    kl = _some(_line("KL divergence", rows, lambda one: one.kl_divergence))
    yield Curve("kl", "Change of the policy (KL divergence)", "", kl, digits=4)
    factor = _some(_line("real-time factor", rows, lambda one: one.real_time_factor))
    yield Curve("factor", "Simulated seconds in a second", "", factor, 0.0, 1.0, 2)


def _some(*series: Series | None) -> tuple[Series, ...]:
    return tuple(one for one in series if one is not None)


def _line(
    name: str,
    rows: tuple[IterationRow, ...],
    of: Callable[[IterationRow], float | None],
    colour: int = 0,
    form: Literal["line", "dashed"] = "line",
) -> Series | None:
    points = tuple((float(row.iteration), value) for row in rows if (value := of(row)) is not None and value - value == 0)
    return Series(name, points, colour, form) if points else None


def _laps(analysis: Analysis) -> tuple[Series, ...]:
    """Each lap as a dot, and the best of each iteration as a line."""
    found = laps(analysis, MOST_DOTS)

    def dots(name: str, phase: str, colour: int) -> Series | None:
        points = sorted((float(one.iteration), one.seconds) for one in found if one.phase == phase)
        return Series(name, tuple(points), colour, "dots") if points else None

    best = _line("best", analysis.rows, lambda one: one.best_lap_seconds)
    return _some(dots("laps", "training", 5), dots("laps of evaluations", "evaluation", 1), best)


def marks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from not above the least to not below the greatest: 1, 2 or 5 and zeros apart."""
    if not high > low:
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    span, step = high - low, 10.0**-9
    while span / step > most:
        for factor in (2, 2.5, 2):
            step *= factor
            if span / step <= most:
                break
    first = int(low // step)
    found = [first * step]
    while found[-1] < high - step * 1e-9:
        found.append((first + len(found)) * step)
    return [round(one, 9) for one in found]
