"""Prices and capacity over time, drawn from a seed: every pool (zone and type) has its own weather, the same each time."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from fleet.model.base import Micros, Seconds

HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class SimType:
    """An instance type."""

    on_demand: Micros
    """Micro-dollars per hour."""
    accelerators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Weather:
    """How spot behaves. Means of exponential times; shares of the on-demand price."""

    up: Seconds = 6 * HOUR
    down: Seconds = 0.5 * HOUR
    low: float = 0.2
    high: float = 0.6
    epoch: Seconds = 0.0


@dataclass
class SpotMarket:
    """What a pool costs and whether it has anything. Prices change on the hour."""

    seed: int
    weather: Weather
    outages: dict[str, list[tuple[Seconds, Seconds]]] = field(default_factory=dict)
    """Zone → when it has nothing at all, spot or on-demand."""
    _turns: dict[str, list[Seconds]] = field(default_factory=dict)
    _prices: dict[tuple[str, str, int], float] = field(default_factory=dict)

    def price(self, zone: str, name: str, kind: SimType, now: Seconds) -> Micros:
        """Micro-dollars per hour, constant within an hour."""
        pool = (zone, name, int(now // HOUR))
        share = self._prices.get(pool)
        if share is None:
            chance = random.Random(f"{self.seed}/price/{zone}/{name}/{pool[2]}")  # noqa: S311 - weather
            share = self._prices[pool] = chance.uniform(self.weather.low, self.weather.high)
        return max(1, round(kind.on_demand * share))

    def sells(self, zone: str, name: str) -> bool:
        """Whether there is a spot pool of that type in that zone at all."""
        return True

    def zone_is_out(self, zone: str, now: Seconds) -> bool:
        """Whether a zone has nothing."""
        return any(since <= now < until for since, until in self.outages.get(zone, ()))

    def has_spot(self, zone: str, name: str, now: Seconds) -> bool:
        """Whether a spot instance can be had."""
        return not self.zone_is_out(zone, now) and self._turn(zone, name, now) % 2 == 0

    def spot_ends(self, zone: str, name: str, now: Seconds) -> Seconds:
        """When the pool that has capacity now takes its instances back."""
        turn = self._turn(zone, name, now)
        end = self._turns[f"{zone}/{name}"][turn]
        starts = [since for since, _ in self.outages.get(zone, ()) if since > now]
        return min([end, *starts])

    def _turn(self, zone: str, name: str, now: Seconds) -> int:
        """How often the pool has changed before ``now``: even turns have capacity."""
        turns = self._turns.setdefault(f"{zone}/{name}", [])
        while not turns or turns[-1] <= now:
            mean = self.weather.up if len(turns) % 2 == 0 else self.weather.down
            draw = random.Random(f"{self.seed}/turn/{zone}/{name}/{len(turns)}").expovariate(1 / mean)  # noqa: S311
            turns.append((turns[-1] if turns else self.weather.epoch) + draw)
        return next(index for index, end in enumerate(turns) if end > now)
