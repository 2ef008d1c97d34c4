"""Others' policies, written from their published descriptions, to compare with."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fleet.core.deadlines.model import Do
from fleet.core.ticks.model import ON_DEMAND, SPOT, WAIT, Seen, Terms
from fleet.core.ticks.net import Net
from fleet.core.ticks.run import cheapest


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

    Behind that line it takes on-demand where spot is not up; on on-demand it stays until spot is up and the work is ahead of
    the line by two launches.
    """

    def begin(self, terms: Terms) -> None:
        """Without a deadline the line stays at nothing."""
        self._net = Net(terms)
        self._deadline = math.inf if terms.deadline is None else terms.deadline
        self._work, self._two = terms.work, 2 * terms.overhead

    def choose(self, seen: Seen) -> Do:
        """Spot where it is up, else what the line says."""
        done, work, deadline = self._work - seen.left, self._work, self._deadline
        do = SPOT if seen.spot else WAIT
        # multiplied first: whole seconds compare exactly
        if done < seen.elapsed * work / deadline and not seen.spot:
            do = ON_DEMAND
        if seen.running is ON_DEMAND and (not seen.spot or (seen.elapsed + self._two) * work / deadline >= done):
            do = ON_DEMAND
        return self._net.over(do, seen)


class StayAndWait:
    """The cheapest zone that is up at first, and no other: where it is down, wait. The safety net is added."""

    def begin(self, terms: Terms) -> None:
        """No zone is taken yet."""
        self._net = Net(terms)
        self._zone = -1

    def choose(self, seen: Seen) -> Do:
        """Spot where it was at first, or wait."""
        there = seen.spot if self._zone < 0 or len(seen.spots) == 1 else seen.spots[self._zone]
        return self._net.over(SPOT if there else WAIT, seen)

    def where(self, seen: Seen) -> int:
        """Always the same."""
        if self._zone < 0:
            self._zone = cheapest(seen)
        return self._zone


class Failover:
    """SkyPilot's FAILOVER: after a loss the same region is tried first, any zone of it, then everywhere, the cheapest first.

    It knows no deadline: the safety net is added. Its retries within a region take a few minutes, about a tick.
    """

    def begin(self, terms: Terms) -> None:
        """Nothing was launched yet."""
        self._net = Net(terms)
        self._region, self._at = "", -2

    def choose(self, seen: Seen) -> Do:
        """Spot wherever it is up, or wait."""
        return self._net.over(SPOT if seen.spot else WAIT, seen)

    def where(self, seen: Seen) -> int:
        """Where it is, as long as that is up; a tick after a loss what the strategy tries first."""
        zone = seen.zone
        if zone < 0:
            just_lost = self._at == seen.tick - 1
            first = self._first(seen) if just_lost else ()
            zone = cheapest(seen, first)
        self._region, self._at = seen.places.regions[zone], seen.tick
        return zone

    def _first(self, seen: Seen) -> Sequence[int]:
        return [zone for zone, region in enumerate(seen.places.regions) if region == self._region]


class EagerNextRegion(Failover):
    """SkyPilot's EAGER_NEXT_REGION, its default: after a loss every other region is tried first, then everywhere."""

    def _first(self, seen: Seen) -> Sequence[int]:
        return [zone for zone, region in enumerate(seen.places.regions) if region != self._region]
