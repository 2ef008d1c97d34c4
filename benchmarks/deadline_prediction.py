"""What the tick model expects of a run with a deadline: the yardstick of ``benchmarks.deadline_runs``.

The same course of the same market, seen by somebody who knows more and does everything at once. Matched are

- *capacity*: a zone is up in a tick if a launch at its beginning would succeed in the simulated cloud: the pool has
  machines, and is not about to take them back within the notice. A machine that is warned trains no more, there as here;
- *prices*: each zone's own, as at the run's beginning, as a share of on-demand's;
- *an overhead*: the mean of what is drawn: half of the pace at which a controller looks, the boot, the agent's first word,
  a restore from the bucket. With a machine beside, what is lost at the switch is a save, an agent's poll and the restore;
- *the promise*: the controller keeps a margin back, and all that may lie between two checkpoints, should a machine be lost
  without a warning. Both may cost money, on purpose: the model keeps the same back at each decision. A second
  prediction, *bare*, keeps nothing back, and so tells what the promise costs;
- *the decision*: ``fleet.core.keeping.asking``, the very function that the controller asks;
- *where*: the cheapest zone that is up.

Not matched: the model sees every zone at every tick, for nothing. The controller knows of refusals, and of machines that
were taken back from it. What that costs is part of the difference. On-demand fails in neither.

Billing: the cloud bills by the second, the model by the tick. A tick is a minute here: each machine is billed for half of
one too much on average, which is taken off again. What a machine is paid for after its training is added: the notice, for
one that is taken back (it stays until then), else the save, the last word and the shutdown. Machines only, no disks; and
nothing is free: what EC2 does not bill when it takes a machine back within its first hour is billed in both.
"""

from __future__ import annotations

from dataclasses import dataclass

from fleet.backtest.agent import LEAVES
from fleet.backtest.market import Drawn
from fleet.backtest.ways import Bounds, Ways
from fleet.core.deadlines import Do, Situation, Sky
from fleet.core.keeping.asking import Question, asked
from fleet.core.keeping.verdict import margin_of
from fleet.core.pace import pace_of
from fleet.core.ticks.model import Places, Seen, Terms
from fleet.core.ticks.run import simulate_zones
from fleet.model.base import Seconds
from fleet.providers.sim.clock import START

TICK: Seconds = 60
POLLS: Seconds = 5
"""Between two looks of an agent at what it should do; it waits half of that on average."""
KNOWN_BEFORE: Seconds = 3600
"""For so long spot is taken to have been there when a run begins, as the controller takes it."""


def mean(bounds: Bounds) -> Seconds:
    """Of an even draw."""
    return sum(bounds) / 2


@dataclass(frozen=True, slots=True)
class Means:
    """What things take on average."""

    overhead: Seconds
    switch: Seconds
    kept: Seconds
    """Kept back beyond an overhead: what may lie between two checkpoints."""
    taken: Seconds
    """Paid for after training, by a machine that is taken back."""
    ended: Seconds
    """By one that ends itself."""

    @classmethod
    def of(cls, ways: Ways) -> Means:
        """Of a simulated cloud's ways."""
        overhead = ways.pace / 2 + mean(ways.boot) + mean(ways.speaks) + mean(ways.restore_bucket)
        switch = mean(ways.save) + POLLS / 2 + mean(ways.restore_bucket)
        return cls(overhead, switch, ways.every, ways.notice, mean(ways.save) + LEAVES + mean(ways.shutdown))


class Asking:
    """The controller's decision, asked at each tick, and the cheapest zone."""

    def __init__(self, means: Means, prices: tuple[float, ...], *, keeps: bool) -> None:
        self._means, self._prices, self._keeps = means, prices, keeps

    def begin(self, terms: Terms) -> None:
        """A run starts: of each zone it is known only what it is now."""
        assert terms.deadline is not None
        self._terms, self._deadline = terms, terms.deadline
        self._since = [-KNOWN_BEFORE] * len(self._prices)
        self._ups: tuple[bool, ...] = ()
        self._before = Do.WAIT, -1
        self._zone = -1
        self.tails = 0.0
        """Hours of on-demand, paid after trainings' ends."""

    def choose(self, seen: Seen) -> Do:
        """What to do, and where."""
        for zone, up in enumerate(seen.spots):
            if self._ups and self._ups[zone] != up:
                self._since[zone] = seen.elapsed
        self._ups = tuple(seen.spots)
        do = self._decided(seen)
        self._paid(seen, do)
        return do

    def where(self, seen: Seen) -> int:
        """The zone of the last choice."""
        del seen
        return self._zone

    def _decided(self, seen: Seen) -> Do:
        up = [zone for zone, there in enumerate(seen.spots) if there]
        self._zone = seen.zone if seen.zone >= 0 else min(up, key=self._prices.__getitem__, default=-1)
        since = self._since[self._zone] if up else max(self._since)
        sky = Sky(bool(up), seen.elapsed - since, len(up) > 1)
        means, left = self._means, self._deadline - seen.elapsed
        kept = means.kept if self._keeps else 0.0
        margin = margin_of(seen.left, pace_of("sim")) if self._keeps else 0.0
        question = Question(
            horizon=self._deadline,
            least=self._terms.work / 2,
            overhead=means.overhead + kept,
            launch=means.overhead,
            restore=means.switch,
            price=min(self._prices),
            zones=len(self._prices),
        )
        at = Situation(left - margin, seen.left, seen.running, seen.rem, sky, seen.beside, TICK)
        return asked(question, at).do

    def _paid(self, seen: Seen, do: Do) -> None:
        """What ended since the last tick is paid for a little longer."""
        before, zone = self._before
        if before in (Do.SPOT, Do.BOTH) and seen.zone < 0:
            self.tails += self._means.taken * self._prices[zone]
        elif before is Do.SPOT and do is not Do.SPOT:
            self.tails += self._means.ended * self._prices[zone]
        if seen.running is Do.ON_DEMAND and do in (Do.SPOT, Do.WAIT):
            self.tails += self._means.ended
        self._before = do, self._zone

    def last(self) -> float:
        """Hours of on-demand after the last training's end, with all tails before."""
        do, zone = self._before
        ends = self._means.ended * (self._prices[zone] if do is Do.SPOT else 1.0)
        return (self.tails + ends) / 3600


@dataclass(frozen=True, slots=True)
class Predicted:
    """Hours of on-demand."""

    cost: float
    late: bool
    launches: int


def predicted(market: Drawn, seed: int, work: Seconds, deadline: Seconds, ways: Ways, *, keeps: bool = True) -> Predicted:
    """What a run should cost on the course of a seed."""
    means = Means.of(ways)
    course = market.draw(seed, START)
    course.closing = ways.notice
    ((name, kind),) = market.types.items()
    zones = [zone for of_region in market.regions.values() for zone in of_region]
    prices = tuple(course.price(zone, name, kind, START) / kind.on_demand for zone in zones)
    count = int(deadline / TICK)
    ticks = [tuple(course.has_spot(zone, name, START + n * TICK) for zone in zones) for n in range(count)]
    policy = Asking(means, prices, keeps=keeps)
    terms = Terms(work, deadline, means.overhead, TICK, restore=means.switch)
    found = simulate_zones(policy, ticks, terms, Places(prices, ("",) * len(zones)))
    spots = [zone for zone in found.zones if zone >= 0]
    share = sum(prices[zone] for zone in spots) / len(spots) if spots else 1.0
    rounding = found.launches * TICK / 2 / 3600 * share
    return Predicted(found.cost_od_hours - rounding + policy.last(), found.late, found.launches)
