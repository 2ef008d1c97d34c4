"""What a statement is made of besides the journal, and whose night it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fleet.core.stretches import Beats
from fleet.model.base import Micros, Seconds
from fleet.model.calendar import Span
from fleet.model.cloud import Billing, PriceSince
from fleet.model.rates import Rates
from fleet.report.statement import Left

Pool = tuple[str, str, str, str]
"""Provider, region, zone, instance type."""


@dataclass(frozen=True, slots=True)
class Trail:
    """What a provider tells of a pool's price over time."""

    points: tuple[PriceSince, ...]
    source: str
    """Whose word it is."""
    on_demand: Micros | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """What others have looked up: a statement itself looks at nothing."""

    billing: Mapping[str, Billing] = field(default_factory=dict)
    rates: Mapping[str, Rates] = field(default_factory=dict)
    """Both by provider."""
    prices: Mapping[Pool, Trail] = field(default_factory=dict)
    """What is missing is told from the journal."""
    beats: Beats = field(default_factory=dict)
    """The last words of machines that live."""
    strays: Sequence[Left] = ()
    """What carries the fleet's tag and no run owns, as somebody who looked saw it."""
    day_cap: Micros | None = None
    """The whole fleet's budget for a day."""
    month_cap: Micros | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Which night is asked for, when, and what is known."""

    night: Span
    now: Seconds
    zone: str
    read: Read

    @property
    def until(self) -> Seconds:
        """The night's end, or now where it is not over."""
        return min(self.now, self.night.end)
