"""The safety net: on-demand in time, whatever spot does. It comes last in a policy and overrides."""

from __future__ import annotations

from fleet.core.deadlines.model import Do
from fleet.core.ticks.model import FUZZ, ON_DEMAND, READY, SPOT, Seen, Terms


class Net:
    """Overrides choices that would leave the deadline to chance.

    With as many ticks left as the work and two launches take, nothing but a spot machine that is there is left to
    chance; with as many as it and one launch take, only one that trains is, which goes on until it is lost: there is
    time for one launch then.
    """

    __slots__ = ("_end", "_one", "_tick", "_two")

    def __init__(self, terms: Terms) -> None:
        end = terms.ticks
        self._tick = terms.tick
        self._one, self._two = terms.overhead, 2 * terms.overhead
        # n ticks left are too few for so much as soon as it takes more than n - 1
        self._end = None if end is None else end - 1 + FUZZ

    def over(self, do: Do, seen: Seen) -> Do:
        """The choice, unless on-demand must begin."""
        if self._end is None:
            return do
        room = (self._end - seen.tick) * self._tick - seen.left
        if self._two <= room:
            return do
        on_spot = seen.running is SPOT
        if not on_spot:
            do = ON_DEMAND
        if self._one > room:
            do = SPOT if on_spot and seen.rem < READY else ON_DEMAND
        return do
