"""Budgets for days and months on real prices: whatever they jump to, and whoever is awake, no day and no month is passed.

The clock is that of the prices: two years of EC2's. Bills are reckoned from outside, hour by hour, from what the cloud had.
"""

from __future__ import annotations

import csv
import gzip
import heapq
import random
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fleet.backtest.course import Course, Prices
from fleet.backtest.market import GivenMarket
from fleet.backtest.whole import World, in_sim
from fleet.core.costs import run_cost_in
from fleet.model.base import Micros, Seconds
from fleet.model.calendar import Span, day_of, month_of
from fleet.model.events import BudgetSet, RunCreated
from fleet.model.job import Job
from fleet.providers.sim.market import HOUR, SimType, Weather
from fleet.providers.sim.things import SimInstance
from tests.system.traces import folder

DAY = 86_400.0
BERLIN = "Europe/Berlin"
pytestmark = pytest.mark.skipif(folder() is None, reason="the measured prices are not at hand: ../shared/data")


def at(text: str, name: str = BERLIN) -> Seconds:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(name)).timestamp()


def real_prices(region: str, kind: str) -> list[tuple[Seconds, Micros]]:
    """What EC2 asked for a type in a region, day by day."""
    traces = folder()
    assert traces is not None
    with gzip.open(traces.parent / "aws-gpu-spot-prices-daily.csv.gz", "rt", newline="") as file:
        rows = [row for row in csv.DictReader(file) if (row["region"], row["instance_type"]) == (region, kind)]
    return sorted((at(row["date"], "UTC"), round(float(row["spot_price_usd_per_hour"]) * 1e6)) for row in rows)


class RealPrices:
    """A market with one type in two zones, that goes by a record; capacity comes and goes."""

    notes: tuple[str, ...] = ()

    def __init__(self, region: str, kind: str, up: Seconds = 14 * HOUR) -> None:
        self.up = up
        """How long capacity lasts on average."""
        self.name, self.points = f"{region}/{kind}", real_prices(region, kind)
        self.highest = max(price for _, price in self.points)  # EC2 caps spot at on-demand's price
        self.types: Mapping[str, SimType] = {kind: SimType(self.highest, ("A10G",))}
        self.regions: Mapping[str, tuple[str, ...]] = {region: (f"{region}a", f"{region}b")}

    def draw(self, seed: int, epoch: Seconds) -> GivenMarket:
        (kind,), ((_, zones),) = self.types, self.regions.items()
        turns = {zone: _turns(random.Random(f"{seed}/{zone}"), epoch, self.up) for zone in zones}
        courses = {(zone, kind): Course(turns[zone], up=True) for zone in zones}
        asked = {(zone, kind): Prices(self.points) for zone in zones}
        return GivenMarket(seed, Weather(epoch=epoch), courses=courses, asked=asked)


def _turns(chance: random.Random, moment: Seconds, up: Seconds) -> Iterator[Seconds]:
    while True:
        for mean in (up, 1 * HOUR):
            moment += chance.expovariate(1 / mean)
            yield moment


class Fleet(World):
    """Some runs, and a controller that is awake only at times."""

    def __init__(self, job: Job, market: RealPrices, begins: Seconds, awake: Callable[[Seconds], Seconds]) -> None:
        super().__init__(job, market, 7)
        self.clock.advance(begins - self.clock())
        self.market, self.awake = market, awake
        """When it is awake next; now, if it is."""

    def live(self, runs: int, days: float, budget: Mapping[str, Micros] | None) -> None:
        now = self.clock()
        made = [
            RunCreated(at=now, run_id=f"r-{n}", name=f"r{n}", job=self.job.model_copy(update={"name": f"r{n}"}), mounts={})
            for n in range(runs)
        ]
        self.controller.record(made)
        if budget is not None:
            caps = {"day": None, "month": None, **budget}
            self.controller.record([BudgetSet(at=now, time_zone=BERLIN, **caps)])
        self._look(now)
        end = now + days * DAY
        while self._queue and self._queue[0][0] <= end:
            moment, _, who = heapq.heappop(self._queue)
            if moment > self.clock():
                self.clock.advance(moment - self.clock())
            self._wake(who, moment)
        self.clock.advance(max(0.0, end - self.clock()))
        self.cloud.evolve()

    def _tick(self) -> None:
        due = self.awake(self.clock())
        if due > self.clock():
            self._look_at = float("inf")
            self._look(due)
        else:
            super()._tick()

    # --- the bill, from outside

    def lived(self, made: SimInstance) -> Span:
        return Span(made.launched_at, made.ended_at(self.clock()) or self.clock())

    def billed(self, made: SimInstance, span: Span) -> Fraction:
        """Hour by hour, at the price that stood in it; what the cloud took in its first hour is free."""
        lived = self.lived(made)
        if made.ended_by == "cloud" and lived.seconds <= 3600:
            return Fraction(0)
        total, moment = Fraction(0), max(lived.start, span.start)
        end = min(max(lived.end, lived.start + 60), span.end)
        offer = made.offer
        while moment < end:
            until = min(end, (moment // HOUR + 1) * HOUR)
            asked = self.cloud.market.price(offer.zone, offer.instance_type, self.market.types[offer.instance_type], moment)
            price = asked if offer.market.value == "spot" else offer.price
            total += Fraction(until - moment) * price / 3600
            moment = until
        return total

    def cost(self, span: Span, run_id: str | None = None) -> Fraction:
        machines = [m for m in self.cloud.instances.values() if run_id in (None, m.request.tags["run"])]
        disks = [d for d in self.cloud.volumes.values() if run_id in (None, d.tags["run"])]
        total = sum((self.billed(m, span) for m in machines), Fraction(0))
        for disk in disks:
            until = disk.deleted_at if disk.deleted_at is not None else self.clock()
            gb_seconds = Fraction(span.shared(disk.created_at, until)) * disk.size_gb
            total += gb_seconds * self.cloud.manners.volume_price / (730 * 3600)
        return total

    def periods(self, of: Callable[[Seconds, str], Span]) -> list[Span]:
        """Those in which any machine lived."""
        lives = [self.lived(m) for m in self.cloud.instances.values()]
        found, moment = [], min(life.start for life in lives)
        while moment < self.clock():
            span = of(moment, BERLIN)
            found += [span] if any(life.shared(span.start, span.end) > 0 for life in lives) else []
            moment = span.end
        return found


def always(now: Seconds) -> Seconds:
    return now


def in_the_morning(now: Seconds) -> Seconds:
    """A laptop that is open from 8 to 9, and not on Sundays."""
    day, local = day_of(now, BERLIN), datetime.fromtimestamp(now, ZoneInfo(BERLIN))
    if local.hour == 8 and local.weekday() != 6:
        return now
    opens = local.replace(hour=8, minute=0, second=0, microsecond=0).timestamp()
    return opens if opens > now and local.weekday() != 6 else max(day.end, now) + 1.0


def two_hours_only(begun: Seconds) -> Callable[[Seconds], Seconds]:
    """Then nobody ever looks again."""
    return lambda now: now if now < begun + 2 * HOUR else 1e12


def job(**budget: Any) -> Job:
    fields = {"resources": {"infra": "aws", "market": "spot-first"}, "volume": {"size": "100GB"}, "estimate": "2000h"}
    return in_sim(Job.model_validate({"name": "racer", "run": "train", **fields, "budget": budget}))


JUMPS = [
    ("me-central-1", "g5.8xlarge", "2026-03-09T18:00"),  # 0.70 to 2.88 on 15 March; clocks change on the 29th
    ("il-central-1", "g5.2xlarge", "2025-11-26T09:00"),  # twofold on 3 December, over a month's end
    ("eu-north-1", "g4dn.8xlarge", "2025-10-20T20:00"),  # clocks change on the 26th, and the month
]


@pytest.mark.parametrize("watched", ["always", "in the morning", "two hours only"])
@pytest.mark.parametrize(("region", "kind", "begins"), JUMPS)
def test_no_day_and_no_month_is_passed_on_real_prices(region: str, kind: str, begins: str, watched: str) -> None:
    begun = at(begins)
    awake = {"always": always, "in the morning": in_the_morning, "two hours only": two_hours_only(begun)}[watched]
    market = RealPrices(region, kind, up=1000 * DAY if watched == "two hours only" else 14 * HOUR)
    worst = market.highest
    day, month, own = 14 * worst, 200 * worst, 9 * worst
    fleet = Fleet(job(day=own, time_zone=BERLIN), market, begun, awake)
    fleet.live(2, 10 if watched == "always" else 24, {"day": day, "month": month})
    days, months = fleet.periods(day_of), fleet.periods(month_of)
    for span in days:
        assert fleet.cost(span) <= day + 20
        for run_id in ("r-0", "r-1"):
            assert fleet.cost(span, run_id) <= own + 20
    for span in months:
        assert fleet.cost(span) <= month + 100
    assert all(run.ended_at is None for run in fleet.controller.state.runs.values())
    if watched == "always":
        full = [span for span in days[1:-1] if fleet.cost(span) > 0.9 * day]
        assert len(full) > len(days) / 3  # money that may be spent is spent
    if watched == "two hours only":
        assert len(days) <= 9  # no lease is longer than a week
        assert all(made.ended_by is not None for made in fleet.cloud.instances.values())


def test_what_fleet_says_of_a_day_is_the_clouds_bill_of_it() -> None:
    begun = at(JUMPS[0][2])
    fleet = Fleet(job(), RealPrices(*JUMPS[0][:2]), begun, always)
    fleet.live(1, 8, {"day": 12 * fleet.market.highest})
    run, billing = (
        fleet.controller.state.runs["r-0"],
        {"sim": fleet.controller.observer.providers["sim"].capabilities.billing},
    )
    for span in fleet.periods(day_of)[:-1]:
        told = run_cost_in(run, span, fleet.clock(), billing)
        assert told == pytest.approx(float(fleet.cost(span)), abs=3 + len(run.attempts))
