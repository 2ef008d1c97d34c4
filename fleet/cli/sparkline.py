"""A line of prices, or of anything else, as a word of block characters."""

from __future__ import annotations

from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
FLAT = "▄"


def means(points: Sequence[tuple[float, float]], since: float, until: float, count: int) -> list[float | None]:
    """The mean price of each of ``count`` equal stretches of time, weighted by how long each held; None: not known yet."""
    width = (until - since) / count
    found: list[float | None] = []
    for number in range(count):
        begin, end = since + number * width, since + (number + 1) * width
        total = covered = 0.0
        for index, (at, price) in enumerate(points):
            ends = points[index + 1][0] if index + 1 < len(points) else until
            held = min(end, ends) - max(begin, at)
            if held > 0:
                total, covered = total + held * price, covered + held
        found.append(total / covered if covered else None)
    return found


def sparkline(points: Sequence[tuple[float, float]], since: float, until: float, count: int = 20) -> str:
    """From the lowest to the highest that it came to; a price that never changed lies in the middle."""
    values = means(points, since, until, count) if until > since else []
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    if high <= low:
        return "".join(" " if value is None else FLAT for value in values)
    scale = (len(BLOCKS) - 1) / (high - low)
    return "".join(" " if value is None else BLOCKS[round((value - low) * scale)] for value in values)
