"""Without a deadline: which zone is worth its price, its restarts and the way there, and when to wait for a better one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleet.core.deadlines.chances import Learned
from fleet.core.deadlines.model import Do, Sky
from fleet.core.deadlines.unhurried import Rest, rest
from fleet.core.ticks.model import SPOT, WAIT, Seen, Terms

STAYS = 1e-4
"""Hours of on-demand by which going elsewhere must be cheaper than going on."""


class Idle:
    """The choice of a tick: stay, go elsewhere, or wait. What is expected to cost least until the work is done."""

    def __init__(self, terms: Terms, learned: Learned) -> None:
        self._terms, self._learned = terms, learned
        self._regions: dict[str, list[int]] = {}

    def choose(self, seen: Seen, ages: Sequence[float]) -> tuple[Do, int]:
        """SPOT and where, or WAIT. Ages are seconds since each zone went up or down."""
        if not self._regions:
            for zone, region in enumerate(seen.places.regions):
                self._regions.setdefault(region, []).append(zone)
        _, zone = min(self._weighed(seen, ages), key=lambda pair: pair[0])
        return (SPOT, zone) if zone >= 0 else (WAIT, -1)

    def _weighed(self, seen: Seen, ages: Sequence[float]) -> Iterator[tuple[float, int]]:
        """Every choice with what it is expected to cost; -1: to wait, for the region that is best to wait for."""
        places, idle = seen.places, seen.zone < 0
        for region, zones in self._regions.items():
            moved = places.transfer if seen.home not in ("", region) else 0.0
            ups = [zone for zone in zones if seen.spots[zone]]
            if idle and not ups:
                drought = Sky(up=False, age=min(ages[zone] for zone in zones))
                cheapest = min(places.prices[zone] for zone in zones)
                yield moved + self._rest(cheapest, len(zones)).while_idle(seen.left, drought), -1
            for zone in ups:
                sky = Sky(up=True, age=ages[zone], others=len(ups) > 1)
                price = places.prices[zone]
                known = self._rest(price, len(zones))
                goes_on = known.while_running(seen.left, sky)
                if zone == seen.zone:
                    yield goes_on + seen.rem / 3600 * price - STAYS, zone
                    continue
                launched = known.launch + goes_on
                waited = known.while_idle(seen.left, sky)
                waits = idle and waited < launched - STAYS
                yield moved + (waited if waits else launched), -1 if waits else zone

    def _rest(self, price: float, zones: int) -> Rest:
        return rest(self._terms.work, self._terms.overhead, price, zones, learned=self._learned)
