"""Time that passes only when it is told to."""

from __future__ import annotations

START = 1_700_000_000.0
"""An arbitrary moment, so that simulated times look like times."""


class VirtualClock:
    """Seconds since 1970 that never pass by themselves."""

    def __init__(self, now: float = START) -> None:
        self._now = now

    def __call__(self) -> float:
        """Now."""
        return self._now

    def advance(self, seconds: float) -> float:
        """Let time pass; the new time. Raises ValueError for a step back."""
        if seconds < 0:
            raise ValueError(f"time does not go back by {-seconds} s")
        self._now += seconds
        return self._now
