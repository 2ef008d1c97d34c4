"""Others' policies, written from their published descriptions, to compare with."""

from __future__ import annotations

from fleet.core.ticks.model import ON_DEMAND, SPOT, WAIT, Do, Seen, Terms
from fleet.core.ticks.net import Net


class OnDemand:
    """On-demand from the first tick to the last."""

    def begin(self, terms: Terms) -> None:
        """Nothing to remember."""

    def choose(self, seen: Seen) -> Do:
        """The same always."""
        return ON_DEMAND


class Greedy:
    """Spot where it is up, else nothing, until the safety net takes on-demand."""

    def begin(self, terms: Terms) -> None:
        """Only the net knows the terms."""
        self._net = Net(terms)

    def choose(self, seen: Seen) -> Do:
        """Spot, or wait."""
        return self._net.over(SPOT if seen.spot else WAIT, seen)


class UniformProgress:
    """Uniform Progress: as much work done as time has passed, on spot where it can be.

    Behind that line it takes on-demand where spot is not up; on on-demand it stays until spot is up and the work is ahead of the
    line by two launches.
    """

    def begin(self, terms: Terms) -> None:
        """A deadline far away is none: without one there is no line to keep to."""
        self._net = Net(terms)
        self._rate = 0.0 if terms.deadline is None else terms.work / terms.deadline
        self._work, self._two = terms.work, 2 * terms.overhead

    def choose(self, seen: Seen) -> Do:
        """Spot where it is up, else what the line says."""
        done = self._work - seen.left
        do = SPOT if seen.spot else WAIT
        if done < seen.elapsed * self._rate and not seen.spot:
            do = ON_DEMAND
        if seen.running is ON_DEMAND and (not seen.spot or (seen.elapsed + self._two) * self._rate >= done):
            do = ON_DEMAND
        return self._net.over(do, seen)
