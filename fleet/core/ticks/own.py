"""fleet's own policies in the tick model: an adapter around the decision that the controller calls too."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

from fleet.core.deadlines import Do, Situation, Sky, Table, decide
from fleet.core.deadlines import Terms as Solved
from fleet.core.deadlines.chain import STATES
from fleet.core.deadlines.chances import Learned
from fleet.core.deadlines.solve import FINEST, Shape, solved
from fleet.core.deadlines.weather import LEARNED
from fleet.core.ticks.idling import Idle
from fleet.core.ticks.model import Seen, Terms
from fleet.core.ticks.run import Policy

SHORTEST = 120.0
"""Seconds: a table's tick. Traces that look more often are asked about each time, by the same table."""
MOST_TICKS = 1300
"""A longer run is planned in longer ticks."""
MEMORY = 300_000_000
"""Bytes of a table: a controller has many and small ones, who tries a policy has one or two."""
KEPT = 2


class Fleet:
    """Spot while it can be, on-demand when it must be: with a deadline the dynamic program, without one the best zone."""

    def __init__(self, *, overlap: bool = False, learned: Learned = LEARNED) -> None:
        self._overlap, self._learned = overlap, learned

    def begin(self, terms: Terms) -> None:
        """Solve the table, or find it solved."""
        self._terms = terms
        self._since: list[float] | None = None
        self._ups: Sequence[bool] = ()
        self._zone = -1
        self._idle = Idle(terms, self._learned)

    def choose(self, seen: Seen) -> Do:
        """What the controller would do."""
        self._look(seen)
        ends = self._terms.ticks
        if ends is None:
            do, self._zone = self._idle.choose(seen, self._ages(seen))
            return do
        self._zone = self._best(seen)
        up = self._zone >= 0
        others = sum(seen.spots) > 1
        sky = Sky(up, seen.elapsed - self._since_of(self._zone, seen), others)
        left = (ends - seen.tick) * self._terms.tick
        at = Situation(left, seen.left, seen.running, seen.rem, sky, seen.beside, self._terms.tick)
        if seen.tick == 0:
            self._table = self._solved(seen, left)
        return decide(self._table, at).do

    def where(self, seen: Seen) -> int:
        """The zone of the last choice."""
        return self._zone

    def _solved(self, seen: Seen, left: float) -> Table:
        terms = self._terms
        tick = terms.tick
        while tick < SHORTEST or left > MOST_TICKS * tick:
            tick += terms.tick
        zones = len(seen.spots)
        asked = Solved(tick, terms.overhead, terms.lost, min(seen.places.prices), self._overlap, zones)
        return _solved(asked, left, left - seen.left, self._learned)

    def _look(self, seen: Seen) -> None:
        if self._since is None:
            self._since = [0.0] * len(seen.spots)
        else:
            for zone, (before, now) in enumerate(zip(self._ups, seen.spots, strict=True)):
                if before != now:
                    self._since[zone] = seen.elapsed
        self._ups = seen.spots

    def _ages(self, seen: Seen) -> list[float]:
        return [seen.elapsed - since for since in self._since or ()]

    def _since_of(self, zone: int, seen: Seen) -> float:
        """Of all zones being down: since the last one went."""
        assert self._since is not None
        return self._since[zone] if zone >= 0 else max(self._since)

    def _best(self, seen: Seen) -> int:
        """Where spot is already, else where it has been up for the longest, at the least price; -1: nowhere."""
        if seen.zone >= 0:
            return seen.zone
        best, most = -1, -math.inf
        for zone, (up, age) in enumerate(zip(seen.spots, self._ages(seen), strict=True)):
            if up and age > most:
                best, most = zone, age
        return best


@lru_cache(maxsize=KEPT)
def _solved(asked: Solved, left: float, slack: float, learned: Learned) -> Table:
    """As finely as memory allows: in whole steps of what ticks and launches take, none of the values is interpolated."""
    ticks = math.ceil(left / asked.tick)
    level = 4 * ticks * Shape.of(asked).rows * STATES * min(asked.zones, 2)
    return solved(asked, left, slack, min(FINEST, MEMORY // level), learned)


OWN: dict[str, Callable[[], Policy]] = {
    "fleet": Fleet,
    "fleet-overlap": lambda: Fleet(overlap=True),
}
"""By name: one machine at a time, or two while one boots beside the other."""
