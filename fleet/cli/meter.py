"""How far something large is: one line that changes on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from fleet.model.base import Seconds

EVERY: Seconds = 10.0
"""Where lines stay."""
OFTEN: Seconds = 0.1
"""On a terminal."""


class Meter:
    """On standard error; gone again from a terminal when it is over."""

    def __init__(self, now: Callable[[], Seconds] = time.monotonic) -> None:
        self._now = now
        self._terminal = sys.stderr.isatty()
        self._doing, self._began, self._said = "", 0.0, float("-inf")

    def close(self) -> None:
        """Nothing is left of it on a terminal."""
        if self._terminal and self._doing:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()

    def show(self, doing: str, done: int, total: int) -> None:
        """``doing``, so many bytes of so many."""
        now = self._now()
        if doing != self._doing:
            self._doing, self._began, self._said = doing, now, now if not self._terminal else float("-inf")
        if now < self._said + (OFTEN if self._terminal else EVERY) and (done < total or not self._terminal):
            return
        self._said = now
        took = now - self._began
        rate = f", {done / took / 1e6:.1f} MB/s" if took > 1 else ""
        text = f"{doing}: {done / 1e6:.1f} of {total / 1e6:.1f} MB{rate}"
        sys.stderr.write(f"\r{text}\033[K" if self._terminal else f"{text}\n")
        sys.stderr.flush()
