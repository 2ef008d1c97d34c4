"""A limit to the CPU that saving checkpoints may take from training: work waits until its share has caught up."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from fleet.model.base import Seconds
from fleet.model.errors import StoreError

BURST: Seconds = 0.05
"""CPU time that may be run ahead of the share: no wait is worth less than the switch it takes."""
LONGEST: Seconds = 1.0
"""One wait; then the sums are looked at again."""


class CutShortError(StoreError):
    """The machine is about to end: what was being hashed or sent is given up."""


class Throttle:
    """Once imposed: at most ``share`` of the machine's CPU time (all its cores), over any stretch of time, give or take
    ``BURST`` and a piece of work.

    CPU time is that of the whole process, threads of libraries included. Idle time is not saved up. Safe to call from
    several threads.
    """

    def __init__(
        self,
        share: float | None = None,
        *,
        cores: int | None = None,
        now: Callable[[], Seconds] = time.monotonic,
        used: Callable[[], Seconds] = time.process_time,
        wait: Callable[[Seconds], object] | None = None,
    ) -> None:
        """``share``: above 0 and up to 1; None: no limit."""
        self._rate = share * (cores or os.cpu_count() or 1) if share is not None else None
        self._now, self._used = now, used
        self._lifted = threading.Event()
        self._lifted.set()
        self._wait = wait or self._lifted.wait
        self._lock = threading.Lock()
        self._cut = False
        self._since = (now(), used())

    def impose(self) -> None:
        """The limit holds from now on: training runs."""
        self._since = (self._now(), self._used())
        self._lifted.clear()

    def lift(self) -> None:
        """No limit any more: training ends, and what is unsaved goes first. Whoever waits goes on at once."""
        self._lifted.set()

    def cut(self) -> None:
        """Whatever is being hashed or sent ends before its next piece, in a CutShortError."""
        self._cut = True
        self._lifted.set()

    def mend(self) -> None:
        """Sending goes on from here; what was given up is not taken up again by itself."""
        self._cut = False

    def pause(self) -> None:
        """Called before each piece of work: waits until the share allows for another one. Raises CutShortError."""
        if self._cut:
            raise CutShortError("cut short: the machine is about to end")
        if self._rate is None:
            return
        while not self._lifted.is_set() and (ahead := self._ahead(self._rate)) > 0:
            self._wait(min(ahead, LONGEST))

    def _ahead(self, rate: float) -> Seconds:
        """How long to wait until the time passed has caught up with the CPU time used."""
        with self._lock:
            now, used = self._now(), self._used()
            began, base = self._since
            ahead = (used - base) / rate - (now - began)
            if ahead <= 0:
                self._since = now, used
            return ahead if ahead * rate > BURST else 0.0
