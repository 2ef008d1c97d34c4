"""The words of the decision: what may be done, what it is decided by, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Do(str, Enum):
    """What to run."""

    WAIT = "none"
    SPOT = "spot"
    ON_DEMAND = "on-demand"
    BOTH = "both"
    """On-demand trains, a spot machine boots beside it; both are billed."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a table is solved for."""

    tick: float
    overhead: float
    restore: float
    price: float
    overlap: bool


@dataclass(frozen=True, slots=True)
class Sky:
    """What is known of spot now, in seconds."""

    up: bool
    age: float
    flicker: float
    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a run is, in seconds."""

    left: float
    work: float
    running: Do
    rem: float
    beside: float | None
    sky: Sky


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, with its cost from here to the end in hours of on-demand."""

    do: Do
    cost: float
    others: tuple[tuple[Do, float], ...]
    forced: bool
    latest_on_demand: float
