"""When a pool has capacity and what it asks, over time: the two things that a back-test's cloud is driven by."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator, Sequence

from fleet.model.base import Micros, Seconds
from fleet.providers.sim.market import HOUR


class Course:
    """Up or down, by the moments at which that changes; they are asked for no further than anybody looks."""

    def __init__(self, turns: Iterator[Seconds], *, up: bool) -> None:
        """``up``: how it begins. ``turns`` gives ascending times; if it ends, the pool stays as it is."""
        self._up, self._turns, self._more = up, turns, True
        self._edges: list[Seconds] = []

    def _reach(self, now: Seconds) -> None:
        while self._more and (not self._edges or self._edges[-1] <= now):
            following = next(self._turns, None)
            if following is None:
                self._more = False
            else:
                self._edges.append(following)

    def up(self, now: Seconds) -> bool:
        """Whether there is capacity."""
        self._reach(now)
        return self._up ^ (bisect.bisect_right(self._edges, now) % 2 == 1)

    def until(self, now: Seconds) -> Seconds:
        """When that changes; infinite if it does not."""
        self._reach(now)
        index = bisect.bisect_right(self._edges, now)
        return self._edges[index] if index < len(self._edges) else math.inf


class Prices:
    """What a pool asks: each price holds until the next, and what is asked stands for an hour."""

    def __init__(self, points: Sequence[tuple[Seconds, Micros]], *, origin: Seconds = 0.0, period: Seconds = 0.0) -> None:
        """``points`` are (time, price), ascending, the first at or before all that is asked for. With a ``period`` they are
        times from 0 to it, and come again and again; ``origin`` is the moment that is their 0.
        """
        self._times, self._prices = [at for at, _ in points], [price for _, price in points]
        self._origin, self._period = origin, period

    def at(self, now: Seconds) -> Micros:
        """Micro-dollars per hour."""
        hour = now // HOUR * HOUR - self._origin
        if self._period:
            hour %= self._period
        return self._prices[max(0, bisect.bisect_right(self._times, hour) - 1)]


def around(edges: Sequence[Seconds], up: bool, period: Seconds, origin: Seconds, offset: Seconds) -> Course:
    """A recorded pool that begins anew after its end: ``offset`` of the record stands for the moment ``origin``."""
    count = bisect.bisect_right(edges, offset)
    ends_up = up ^ (len(edges) % 2 == 1)

    def turns() -> Iterator[Seconds]:
        if not edges:
            return
        at = origin - offset
        index = count
        while True:
            for edge in edges[index:]:
                yield at + edge
            at, index = at + period, 0
            if ends_up != up:
                yield at

    return Course(turns(), up=up ^ (count % 2 == 1))
