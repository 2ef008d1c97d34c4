"""The stand-in's time: the computer's, moved ahead at will, or a simulation's own."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

# Compute Engine writes its times in its own seat's time zone; which one differs from field to field even there.
_PACIFIC = timezone(timedelta(hours=-7))


class Clock:
    """Seconds since the epoch."""

    def __init__(self, base: Callable[[], float] = time.time) -> None:
        self.base = base
        self.ahead = 0.0

    def __call__(self) -> float:
        return self.base() + self.ahead

    def advance(self, seconds: float) -> None:
        """It is so much later at once."""
        if seconds < 0:
            raise ValueError(f"time does not go back: {seconds}")
        self.ahead += seconds


def rfc3339(seconds: float) -> str:
    """``2026-03-01T02:03:04.567-07:00``, as Compute Engine writes it."""
    return datetime.fromtimestamp(seconds, _PACIFIC).isoformat(timespec="milliseconds")


def seconds_of(text: str) -> float:
    """Back again. Raises ValueError."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
