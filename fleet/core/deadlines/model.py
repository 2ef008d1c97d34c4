"""What is decided about a deadline, and from what: plain values. Durations in seconds, costs in hours of on-demand."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from fleet.model.base import Seconds


class Do(str, Enum):
    """What to run until the next decision."""

    WAIT = "none"
    SPOT = "spot"
    ON_DEMAND = "on-demand"
    BOTH = "both"
    """On-demand trains, a spot machine boots beside it and takes over once it is ready; both are paid for until then."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a table is solved for."""

    tick: Seconds
    """Between two decisions."""
    overhead: Seconds
    """From a launch until training goes on."""
    restore: Seconds = 60.0
    """The part of it that is lost although the machine was booted beside the one before."""
    price: float = 0.318
    """Of spot, as a share of on-demand's."""
    overlap: bool = False
    """Whether two machines may run at once."""
    zones: int = 1
    """How many pools may serve."""
    risk: float = 1.0
    """How often spot is taken back, as a multiple of what was learned from the traces."""


@dataclass(frozen=True, slots=True)
class Sky:
    """What is known of spot now: of the pool that serves, or else would."""

    up: bool
    """It has capacity, or is believed to."""
    age: Seconds
    """For so long already."""
    others: bool = False
    """Another allowed pool has some, too."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a run stands."""

    left: Seconds
    """Until the deadline."""
    work: Seconds
    """Training that is still to be done, at full speed."""
    running: Do
    """What trains now, or boots to train: WAIT (nothing), SPOT or ON_DEMAND."""
    rem: Seconds
    """What is left of its overhead."""
    sky: Sky
    beside: Seconds | None = None
    """A spot machine boots beside on-demand, and is ready in so many seconds; None: there is none."""
    step: Seconds = 0.0
    """For so long nothing is decided again, and spot that is up stays up (a trace's tick). 0: it may go at any moment,
    which is seen at once; who looks less often keeps a margin."""

    @property
    def slack(self) -> Seconds:
        """What may be lost."""
        return self.left - self.work


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and what it was weighed against."""

    do: Do
    cost: float
    """Expected from here to the end, in hours of on-demand; infinite if the deadline cannot be kept any more."""
    others: tuple[tuple[Do, float], ...]
    """The other choices that keep the deadline whatever spot does, with what they are expected to cost."""
    forced: bool
    """Nothing else keeps the deadline."""
    late: bool
    """Nothing keeps it: this is what comes nearest."""
    latest_on_demand: Seconds
    """From now until on-demand must begin, at the latest."""
