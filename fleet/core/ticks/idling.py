"""Without a deadline: which zone is worth its price, its restarts and the way there."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from fleet.core.deadlines.weather import EDGES, LEARNED, TICK
from fleet.core.ticks.model import SPOT, WAIT, Do, Seen, Terms

WAITING = 0.05
"""What an hour of waiting is held to cost, in hours of on-demand: nothing is paid for it, yet nobody wants a run to
take twice as long for a cent."""
SHARE = 3600.0


def life(age: float) -> float:
    """Seconds that a run of spot of this age goes on, on average: the sum over the bins of the chances to get there."""
    total, alive = 0.0, 1.0
    first = bisect_right(EDGES, age)
    for here in range(first, len(EDGES)):
        width = EDGES[here] - max(age, EDGES[here - 1] if here else 0.0)
        stays = 1 - LEARNED.up[here]
        ticks = width / TICK
        total += alive * TICK * (1 - stays**ticks) / LEARNED.up[here]
        alive *= stays**ticks
    return total + alive * TICK / LEARNED.up[-1]


class Idle:
    """The choice of a tick: stay, go elsewhere, or wait."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    def choose(self, seen: Seen, ages: Sequence[float]) -> tuple[Do, int]:
        """SPOT and where, or WAIT. Ages are seconds since each zone went up or down."""
        if seen.zone >= 0:
            return SPOT, seen.zone
        up = [zone for zone, is_up in enumerate(seen.spots) if is_up]
        if not up:
            return WAIT, -1
        return SPOT, min(up, key=lambda zone: self._worth(seen, zone, ages[zone]))

    def _worth(self, seen: Seen, zone: int, age: float) -> float:
        """Hours of on-demand for an hour of training there, until the work is done or spot goes."""
        overhead, tick = self._terms.overhead, self._terms.tick
        lives = max(min(life(age), seen.left + overhead), tick)
        trained = max(lives - overhead, tick / 10)
        places = seen.places
        moves = bool(seen.home) and places.regions[zone] != seen.home
        paid = places.prices[zone] * lives / 3600 + (places.transfer if moves else 0.0)
        return paid / (trained / 3600)
