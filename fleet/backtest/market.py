"""Markets that a job is tried on: what is for sale where, and one course of things for each seed."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from fleet.backtest.course import Course, Prices, around
from fleet.model.base import Micros, Seconds
from fleet.providers.sim.market import HOUR, SimType, SpotMarket, Weather

Pool = tuple[str, str]
"""A zone and an instance type."""
LONGEST: Seconds = 400 * 86_400
"""No machine is foretold a longer life: bids are held against the price of each of its hours."""


@dataclass
class GivenMarket(SpotMarket):
    """A spot market whose pools go the courses that they are given. One without a course has nothing to sell."""

    courses: Mapping[Pool, Course] = field(default_factory=dict)
    asked: Mapping[Pool, Prices] = field(default_factory=dict)
    closing: Seconds = 0.0
    """So long before it takes its machines back a pool gives no new ones: a cloud that warns needs them itself."""

    def price(self, zone: str, name: str, kind: SimType, now: Seconds) -> Micros:
        """Micro-dollars per hour: never more than on demand."""
        return min(self.asked[zone, name].at(now), kind.on_demand)

    def sells(self, zone: str, name: str) -> bool:
        """Whether the pool exists."""
        return (zone, name) in self.courses

    def has_spot(self, zone: str, name: str, now: Seconds) -> bool:
        """Whether a spot instance can be had."""
        course = self.courses.get((zone, name))
        if course is None or not course.up(now) or self.zone_is_out(zone, now):
            return False
        return not self.closing or course.until(now) - now > self.closing

    def spot_ends(self, zone: str, name: str, now: Seconds) -> Seconds:
        """When the pool takes back what is launched now."""
        starts = [since for since, _ in self.outages.get(zone, ()) if since > now]
        return min([self.courses[zone, name].until(now), now + LONGEST, *starts])


class Market(Protocol):
    """What a back-test's cloud sells, and how it goes."""

    @property
    def name(self) -> str:
        """As it was asked for."""
        ...

    @property
    def types(self) -> Mapping[str, SimType]:
        """What is sold."""
        ...

    @property
    def regions(self) -> Mapping[str, tuple[str, ...]]:
        """Where: by region its zones."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed, a sentence each."""
        ...

    def draw(self, seed: int, epoch: Seconds) -> GivenMarket:
        """One course of things from ``epoch`` on, the same for the same seed."""
        ...


@dataclass(frozen=True)
class Record:
    """What is known of one pool: from 0 to the market's span."""

    edges: tuple[Seconds, ...]
    """When it turned from up to down or back."""
    up: bool
    """How it was at 0."""
    prices: tuple[tuple[Seconds, Micros], ...]
    """(time, micro-dollars per hour), ascending."""


@dataclass(frozen=True)
class Recorded:
    """Recorded pools that share a clock. Each run begins at another moment of the record, which begins anew at its end."""

    name: str
    types: Mapping[str, SimType]
    regions: Mapping[str, tuple[str, ...]]
    pools: Mapping[Pool, Record]
    span: Seconds
    notes: tuple[str, ...] = ()
    offset: Seconds | None = None
    """Where every run begins; None: anywhere, by its seed."""

    def draw(self, seed: int, epoch: Seconds) -> GivenMarket:
        """One course of things."""
        offset = self.offset
        if offset is None:
            offset = random.Random(f"{seed}/offset").uniform(0, self.span)  # noqa: S311 - a simulation
        courses = {pool: around(of.edges, of.up, self.span, epoch, offset) for pool, of in self.pools.items()}
        asked = {pool: Prices(of.prices, origin=epoch - offset, period=self.span) for pool, of in self.pools.items()}
        return GivenMarket(seed, Weather(epoch=epoch), courses=courses, asked=asked)


@dataclass(frozen=True)
class Climate:
    """How pools behave: quantiles of how long they are up and down, and how their prices move."""

    up: tuple[Seconds, ...]
    """Evenly spaced quantiles, the shortest first."""
    down: tuple[Seconds, ...]
    share: float
    """Spot's price as a share of on-demand's, in the middle."""
    level: float
    """How far prices of pools lie apart and wander: a standard deviation of the logarithm."""
    move: float
    """Of the logarithm too, from one day to the next."""


BEFORE: Seconds = 30 * 86_400
"""A drawn pool began so long before the run: it is found in the middle of things."""
DAY: Seconds = 86_400


@dataclass(frozen=True)
class Drawn:
    """Pools drawn from a climate, each on its own."""

    name: str
    types: Mapping[str, SimType]
    regions: Mapping[str, tuple[str, ...]]
    climate: Climate | Mapping[Pool, Climate]
    notes: tuple[str, ...] = ()
    recorded: Mapping[Pool, Record] = field(default_factory=dict)
    """Prices that are known, where only capacity is drawn: from 0 to ``span``."""
    span: Seconds = 0.0

    def draw(self, seed: int, epoch: Seconds) -> GivenMarket:
        """One course of things."""
        offset = random.Random(f"{seed}/offset").uniform(0, self.span)  # noqa: S311 - a simulation
        courses: dict[Pool, Course] = {}
        asked: dict[Pool, Prices] = {}
        pools = [(zone, name) for zones in self.regions.values() for zone in zones for name in self.types]
        for pool in pools:
            climate = self.climate if isinstance(self.climate, Climate) else self.climate.get(pool)
            if climate is None:
                continue
            key = f"{seed}/{pool[0]}/{pool[1]}"
            courses[pool] = Course(_turns(climate, random.Random(f"{key}/turns"), epoch - BEFORE), up=True)  # noqa: S311
            known = self.recorded.get(pool)
            if known is not None:
                asked[pool] = Prices(known.prices, origin=epoch - offset, period=self.span)
            else:
                asked[pool] = _Wandering(climate, self.types[pool[1]].on_demand, random.Random(key), epoch)  # noqa: S311
        return GivenMarket(seed, Weather(epoch=epoch), courses=courses, asked=asked)


def _turns(climate: Climate, chance: random.Random, at: Seconds) -> Iterator[Seconds]:
    while True:
        for lengths in (climate.up, climate.down):
            at += quantile(lengths, chance.random())
            yield at


def quantile(values: tuple[float, ...], share: float) -> float:
    """Between the two that it lies between, evenly in the logarithm."""
    place = share * (len(values) - 1)
    index = min(int(place), len(values) - 2)
    low, high = values[index], values[index + 1]
    return math.exp(math.log(low) + (place - index) * (math.log(high) - math.log(low)))


class _Wandering(Prices):
    """A price that changes daily, and comes back to its middle in the long run."""

    def __init__(self, climate: Climate, on_demand: Micros, chance: random.Random, epoch: Seconds) -> None:
        super().__init__(())
        self._climate, self._on_demand, self._chance, self._epoch = climate, on_demand, chance, epoch
        self._days = [chance.gauss(0, climate.level)]
        self._pull = climate.move**2 / (2 * climate.level**2) if climate.level else 0.0

    def at(self, now: Seconds) -> Micros:
        day = max(0, int((now // HOUR * HOUR - self._epoch) // DAY))
        while len(self._days) <= day:
            self._days.append(self._days[-1] * (1 - self._pull) + self._chance.gauss(0, self._climate.move))
        return max(1, round(self._on_demand * min(1.0, self._climate.share * math.exp(self._days[day]))))
