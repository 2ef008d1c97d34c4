"""The course of a number over iterations in one line: a sparkline, where it stands, and the most that it came to."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.cli.sparkline import sparkline

WIDTH = 30
"""Characters; fewer where there are fewer values."""


def trend(name: str, values: Sequence[float], last: str, unit: str = "", places: int = 1) -> str:
    """``last``: what the last value is of, in words; ``places`` behind the point. At least one value."""
    points = [(float(number), value) for number, value in enumerate(values)]
    line = sparkline(points, 0.0, float(len(points)), min(WIDTH, len(points)))
    return f"{name:<12}{line} {values[-1]:.{places}f}{unit} {last}, at most {max(values):.{places}f}{unit}"
