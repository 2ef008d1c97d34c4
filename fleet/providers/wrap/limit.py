"""Fewer calls than the cloud allows: throttled accounts are slow for everything else in them too."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from fleet.model.base import Seconds
from fleet.providers.base import Provider
from fleet.providers.wrap.around import Call, Wrapper

T = TypeVar("T")


class Limit(Wrapper):
    """A token bucket per region; a call beyond it waits."""

    def __init__(
        self,
        inner: Provider,
        *,
        per_second: float = 5.0,
        burst: float = 20.0,
        clock: Callable[[], Seconds] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(inner)
        self._per_second, self._burst, self._clock, self._sleep = per_second, burst, clock, sleep
        self._buckets: dict[str, tuple[Seconds, float]] = {}
        self._lock = threading.Lock()

    def around(self, call: Call, do: Callable[[], T]) -> T:
        """Wait for the call's turn, then make it."""
        wait = self._take(call.region)
        if wait > 0:
            self._sleep(wait)
        return do()

    def _take(self, region: str) -> Seconds:
        """Take a token, on credit if need be; how long until it would have been there."""
        with self._lock:
            now = self._clock()
            at, left = self._buckets.get(region, (now, self._burst))
            left = min(self._burst, left + (now - at) * self._per_second) - 1
            self._buckets[region] = (now, left)
            return max(0.0, -left / self._per_second)
