"""What a run in the tick model is, and the step from one tick to the next.

At each tick: see where spot is up (an instance on spot with none is gone, without warning); credit the tick that
passed; stop if no work is left; choose; a choice other than the instance that is there is a launch, and its overhead
*replaces* what was left of an earlier one. Whole ticks are billed. A tick that passed is credited whole to the instance
that ran in it, even if spot is lost just then.

Two machines at once (BOTH) go beyond the public benchmark and are billed to the second: training moves within the tick in
which the spot machine is ready, and on-demand is paid for until then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fleet.core.deadlines.model import Do as Do  # the same words, from here too
from fleet.model.errors import FleetError

PRICE = 0.9731 / 3.06
"""Spot's share of on-demand's price in the public benchmark."""
RESTORE = 60.0
"""Of the overhead, what is lost even where the next machine was booted beside; less where the overhead itself is less."""
READY = 1e-3
"""Seconds of overhead that count as none."""
DONE = 1e-6
"""Seconds of work that count as none: what adding floats leaves over."""
FUZZ = 1e-9
"""Of a tick: what dividing floats leaves over."""


WAIT, SPOT, ON_DEMAND, BOTH = Do.WAIT, Do.SPOT, Do.ON_DEMAND, Do.BOTH


@dataclass(frozen=True, slots=True)
class Terms:
    """A run's terms. Seconds; prices as shares of on-demand's."""

    work: float
    deadline: float | None
    """None: whenever it is done."""
    overhead: float
    """From a launch to training."""
    tick: float
    price: float = PRICE
    restore: float | None = None
    """Lost at a switch to a machine that was booted beside; None: the overhead, but a minute at most."""

    @property
    def ticks(self) -> int | None:
        """Whole ticks until the deadline: who finishes after so many is late."""
        return None if self.deadline is None else math.floor(self.deadline / self.tick + FUZZ)

    @property
    def lost(self) -> float:
        """What a switch to a ready machine costs, in seconds of training."""
        return min(self.overhead, RESTORE if self.restore is None else self.restore)

    @property
    def beside(self) -> float:
        """How long a machine must boot beside before a switch costs only the restore."""
        return self.overhead - self.lost

    def on_demand_ticks(self, left: float, overhead: float) -> int:
        """Ticks that on-demand takes for work and an overhead before it."""
        return math.ceil((left + overhead) / self.tick - FUZZ)


@dataclass(frozen=True, slots=True)
class Places:
    """Several zones under one clock: what share of on-demand's price each asks, its region, what a change of region
    costs."""

    prices: tuple[float, ...]
    regions: tuple[str, ...]
    transfer: float = 0.0
    """For each change of region, in hours of on-demand."""


def checked(terms: Terms) -> Terms:
    """The terms, if a run is possible under them; else FleetError says what is wrong, and the earliest possible deadline."""
    for name, value, least in (
        ("the work", terms.work, DONE),
        ("the overhead", terms.overhead, 0.0),
        ("the tick", terms.tick, DONE),
        ("spot's share of the price", terms.price, 0.0),
        ("the restore", terms.lost, 0.0),
    ):
        if not (math.isfinite(value) and value >= least):
            raise FleetError(f"{name} must be a number {'above' if least else 'of at least'} 0, not {value}")
    if terms.deadline is not None:
        if not math.isfinite(terms.deadline):
            raise FleetError(f"the deadline must be a number of seconds, not {terms.deadline}")
        needed = terms.on_demand_ticks(terms.work, terms.overhead)
        if needed > (terms.ticks or 0):
            raise FleetError(
                f"the deadline of {exactly(terms.deadline)} cannot be met: on-demand from the first tick on takes "
                f"{exactly(needed * terms.tick)}, in ticks of {exactly(terms.tick)}",
                f"The earliest possible deadline is {exactly(needed * terms.tick)}.",
            )
    return terms


def exactly(seconds: float) -> str:
    """``48h3m15s``: a duration that loses nothing when it is read again."""
    whole, rest = divmod(round(seconds * 1000), 1000)
    told = "".join(f"{n}{unit}" for n, unit in ((whole // 3600, "h"), (whole // 60 % 60, "m"), (whole % 60, "s")) if n)
    return told + (f"{rest}ms" if rest else "") or "0s"


class Seen:
    """A run at one tick, as its policy sees it; to be read only. ``see`` and ``take`` belong to the runner."""

    __slots__ = (
        "_ticks", "beside", "elapsed", "home", "launches", "left", "moves", "on_demand_ticks", "places", "rem", "running",
        "spot", "spot_ticks", "spots", "terms", "tick", "zone",
    )  # fmt: skip

    def __init__(self, terms: Terms, places: Places) -> None:
        self.terms, self.places = terms, places
        self.tick = -1
        self.elapsed = -terms.tick
        self.left = terms.work
        """Seconds of work to do."""
        self.running = WAIT
        """What trains, after this tick's losses: WAIT, SPOT or ON_DEMAND."""
        self.zone = -1
        """Where the spot machine is, or boots beside; -1: none is."""
        self.rem = 0.0
        """Seconds of overhead left on what trains."""
        self.beside: float | None = None
        """Seconds until the spot machine that boots beside is ready; None: none does."""
        self.spots: Sequence[bool] = ()
        """Where spot is up, zone by zone."""
        self.spot = False
        """Whether it is up anywhere."""
        self.home = ""
        """The region where spot trained last; empty: nowhere yet."""
        self.launches = self.moves = 0
        self.on_demand_ticks = 0.0
        self.spot_ticks = [0] * len(places.prices)

    def see(self, spots: Sequence[bool]) -> bool:
        """One tick later: what was lost, what was done; False once no work is left."""
        tick = self.terms.tick
        self.tick += 1
        self.elapsed = self.tick * tick
        self.spots = spots
        self.spot = True in spots
        if self.running is not WAIT:
            if self.rem < tick:
                self.left -= tick - self.rem
                self.rem = 0.0
            else:
                self.rem -= tick
            if self.left <= DONE:
                self.left = 0.0
        if self.beside is not None:
            self.beside = max(0.0, self.beside - tick)
        if self.zone >= 0 and not spots[self.zone]:
            self.zone, self.beside = -1, None
            if self.running is SPOT:
                self.running = WAIT
        return self.left > 0

    def take(self, do: Do, zone: int = 0) -> None:
        """Act on a choice; ``zone`` counts where it needs a spot machine. Its tick is billed."""
        if do is SPOT:
            self._spot(zone)
        elif do is WAIT:
            self.running, self.zone, self.beside = WAIT, -1, None
        else:
            if self.running is not ON_DEMAND:
                self.running, self.rem = ON_DEMAND, self.terms.overhead
                self.zone, self.beside = -1, None
                self.launches += 1
            if do is BOTH:
                self._beside(zone)
            else:
                self.on_demand_ticks += 1
                if self.beside is not None:
                    self.zone, self.beside = -1, None

    def _spot(self, zone: int) -> None:
        if not self.spots[zone]:
            raise ValueError(f"spot was chosen in zone {zone} at tick {self.tick}, where there is none")
        if self.running is not SPOT or zone != self.zone:
            if self.beside == 0 and zone == self.zone:
                self.rem = self.terms.lost
            else:
                self.rem = self.terms.overhead
                self._launched(zone)
            self.running, self.zone, self.beside = SPOT, zone, None
        self.spot_ticks[zone] += 1

    def _beside(self, zone: int) -> None:
        if not self.spots[zone]:
            raise ValueError(f"spot was chosen beside in zone {zone} at tick {self.tick}, where there is none")
        if self.beside is None or zone != self.zone:
            self.zone, self.beside = zone, self.terms.beside
            self._launched(zone)
        self.spot_ticks[zone] += 1
        if self.beside < self.terms.tick and self.rem < READY:
            self.on_demand_ticks += self.beside / self.terms.tick
            self.running, self.rem, self.beside = SPOT, self.terms.lost, None
        else:
            self.on_demand_ticks += 1

    def _launched(self, zone: int) -> None:
        """A spot machine starts: data follows it into its region."""
        self.launches += 1
        region = self.places.regions[zone]
        if region != self.home:
            self.moves += bool(self.home)
            self.home = region

    @property
    def cost(self) -> float:
        """Billed until now, in hours of on-demand."""
        ticks = self.on_demand_ticks + sum(n * price for n, price in zip(self.spot_ticks, self.places.prices, strict=True))
        return ticks * self.terms.tick / 3600 + self.moves * self.places.transfer
