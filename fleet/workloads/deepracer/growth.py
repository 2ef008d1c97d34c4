"""How fast a disk fills, measured, and when it will be full.

What is in use is noted now and then on the disk itself, with what was ever cleaned away: the two together only grow, and
their slope is what training writes, whatever was cleaned meanwhile. Pure but for ``note`` and ``noted``.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median

DAY = 86400.0
NOTES = "disk.json"
"""On the volume."""
EVERY = 300.0
"""Seconds from one note to the next."""
MOST_NOTES = 288
LOOK_BACK = DAY
"""What was longer ago tells nothing of the rate now: another image, another number of workers."""
SHORTEST = 600.0
"""Over less, nothing can be said."""
MOST_POINTS = 60
_FOREVER = 3650 * DAY


@dataclass(frozen=True, slots=True)
class Note:
    """How full the disk was."""

    at: float
    used: int
    total: int
    cleaned: int = 0
    """Bytes that were ever cleaned away."""


@dataclass(frozen=True, slots=True)
class Growth:
    """How fast it fills."""

    bytes_per_day: float
    since: float
    """Measured from then on."""
    used: int
    total: int
    full_at: float | None
    """None: it does not fill, or not within ten years."""

    @property
    def share(self) -> float:
        """Of the disk, in use."""
        return self.used / self.total if self.total > 0 else 0.0


def growth(notes: Iterable[Note]) -> Growth | None:
    """The growth over the last day; None while too little is known. A restored older disk's notes count as they stand."""
    known = sorted(notes, key=lambda one: one.at)
    if not known:
        return None
    last = known[-1]
    recent = [one for one in known if last.at - one.at <= LOOK_BACK and one.total == last.total]
    if last.at - recent[0].at < SHORTEST:
        return None
    slope = max(0.0, _slope(recent))
    full_in = (last.total - last.used) / slope if slope > 0 else _FOREVER
    full_at = last.at + full_in if full_in < _FOREVER else None
    return Growth(slope * DAY, recent[0].at, last.used, last.total, full_at)


def _slope(notes: Sequence[Note]) -> float:
    """The median of the slopes between any two: one large file that comes and goes does not turn it."""
    points = notes[:: max(1, len(notes) // MOST_POINTS)]
    written = [(one.at, one.used + one.cleaned) for one in points]
    slopes = [(b - a) / (then - at) for (at, a), (then, b) in combinations(written, 2) if then > at]
    return median(slopes) if slopes else 0.0


def written(files: Iterable[tuple[int, float]], now: float) -> float:
    """Bytes per day, of files' sizes and times: what can be said where nobody took notes. What is gone is not counted."""
    recent = [(size, at) for size, at in files if now - LOOK_BACK <= at <= now]
    if not recent:
        return 0.0
    span = max(SHORTEST, now - min(at for _, at in recent))
    return sum(size for size, _ in recent) / span * DAY


def note(volume: Path, now: float, cleaned: int = 0) -> list[Note]:
    """Note how full the disk is, once in a while; ``cleaned`` bytes were just cleaned away. All notes, with the new one.

    On a full disk the note is lost, and nothing else: whoever cleans notes first.
    """
    notes = noted(volume)
    before = notes[-1] if notes else None
    if before is not None and not cleaned and 0 <= now - before.at < EVERY:
        return notes
    seen = shutil.disk_usage(volume)
    used = seen.total - seen.free
    fresh = Note(now, used, seen.total, (before.cleaned if before is not None else 0) + cleaned)
    notes = [*[one for one in notes if one.at < now][-MOST_NOTES + 1 :], fresh]
    temporary = volume / f".{NOTES}.tmp"
    rows = [[one.at, one.used, one.total, one.cleaned] for one in notes]
    with contextlib.suppress(OSError):
        temporary.write_text(json.dumps({"v": 1, "notes": rows}), encoding="utf-8")
        temporary.replace(volume / NOTES)
    return notes


def noted(volume: Path) -> list[Note]:
    """The notes that were taken; what cannot be read was not."""
    try:
        told = json.loads((volume / NOTES).read_text(encoding="utf-8"))
        return [Note(float(at), int(used), int(total), int(cleaned)) for at, used, total, cleaned in told["notes"]]
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return []
