"""What was got for the money: of each run and stretch of time the parts of machine time, the steps that were kept, what was
paid for nothing, and what 1,000 steps cost by type and market.

The parts of machine time add up to it, and what is paid for them adds up to what the ledger says of the machines: exactly,
for whatever stretches of time a whole is cut into.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fleet.core.observed import AttemptKey
from fleet.core.state import RunState
from fleet.model.base import Micros, Seconds, Steps
from fleet.model.cloud import Billing, Market
from fleet.model.documents import Heartbeat

if TYPE_CHECKING:
    from fleet.model.calendar import Span

Part = Literal["training", "boot", "restore", "lost", "idle", "leaving"]
PARTS: tuple[Part, ...] = ("training", "boot", "restore", "lost", "idle", "leaving")
WORDS: Mapping[Part, str] = {
    "training": "training",
    "boot": "boot",
    "restore": "restore",
    "lost": "lost work",
    "idle": "idle",
    "leaving": "leaving",
}
"""The parts as people read them."""
Beats = Mapping[AttemptKey, Heartbeat]
"""The last words of machines that live: how far they are stands in no journal yet."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Machine time by what it went into, seconds, to the millisecond; and how long the run had no machine."""

    training: Seconds = 0.0
    """That was kept."""
    boot: Seconds = 0.0
    """From the launch to the agent's first word; all of it for a machine that never spoke."""
    restore: Seconds = 0.0
    """From there to training: what was brought back, and the job's set-up."""
    lost: Seconds = 0.0
    """Training that had to be done again."""
    idle: Seconds = 0.0
    """Waiting beside another machine for its turn, or still there after everything was let go."""
    leaving: Seconds = 0.0
    """Saving, letting go and ending."""
    waiting: Seconds = 0.0
    """Of the run, no machine's time: it wanted one and had none."""

    @property
    def machine(self) -> Seconds:
        """All machine time: what the parts but ``waiting`` add up to."""
        return sum(round(getattr(self, part) * 1000) for part in PARTS) / 1000


@dataclass(frozen=True, slots=True)
class Yield:
    """What machines of one type and market came to."""

    provider: str
    instance_type: str
    market: Market
    steps: Steps | None
    """That were kept; None: none of their trainings tells its steps."""
    seconds: Seconds
    """Machine time."""
    training: Seconds
    """The part of it that was kept."""
    paid: Micros
    """For the machines alone: boot, lost work and all, without volumes."""

    @property
    def per_thousand(self) -> Micros | None:
        """Micro-dollars for 1,000 steps that were kept; None: there are none."""
        return (self.paid * 1000 + self.steps // 2) // self.steps if self.steps else None


def shares(run: RunState, span: Span, now: Seconds, beats: Beats | None = None) -> Shares:
    """What a run's machine time went into, as far as it lies in ``span`` and before ``now``."""
    raise NotImplementedError


def steps(run: RunState, span: Span, now: Seconds, beats: Beats | None = None) -> Steps | None:
    """The steps of a run that were kept, each machine's spread evenly over its training; None: it never told any."""
    raise NotImplementedError


def paid(
    run: RunState, span: Span, now: Seconds, billing: Mapping[str, Billing], beats: Beats | None = None
) -> dict[Part, Micros]:
    """What was paid for each part of a run's machine time; together what its machines cost in ``span``."""
    raise NotImplementedError


def wasted(
    runs: Iterable[RunState], span: Span, now: Seconds, billing: Mapping[str, Billing], beats: Beats | None = None
) -> dict[Part, Micros]:
    """What was paid for everything but training, by reason; without what came to nothing."""
    raise NotImplementedError


def yields(
    runs: Iterable[RunState], span: Span, now: Seconds, billing: Mapping[str, Billing], beats: Beats | None = None
) -> list[Yield]:
    """What each type and market came to, the cheapest for 1,000 steps first, those without steps last."""
    raise NotImplementedError


def by_week(
    runs: Iterable[RunState],
    span: Span,
    zone: str,
    now: Seconds,
    billing: Mapping[str, Billing],
    beats: Beats | None = None,
) -> list[tuple[Span, list[Yield]]]:
    """The same by weeks of the user's calendar (from Monday), oldest first; without weeks in which no machine ran."""
    raise NotImplementedError
