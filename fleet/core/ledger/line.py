"""A line of the ledger: one thing that was paid for, over one stretch of time, and how that is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fleet.model.base import Micros, Seconds
from fleet.model.cloud import EndedBy, Market

Known = Literal["measured", "listed", "estimated"]
"""How sure an amount is: what was seen, what a price list of a date says, or what follows from something else."""
Kind = Literal["instance", "volume", "root-disk", "address", "storage", "requests", "transfer", "snapshot"]
"""What was paid for. There are no lines of ``transfer`` and ``snapshot`` so far: fleet makes no snapshots, and what it moves
within a region is free."""
SMALL: frozenset[Kind] = frozenset({"root-disk", "address", "storage", "requests", "transfer", "snapshot"})
"""What ``fleet status`` does not count: it stands beside a run's cost, not in it."""


@dataclass(frozen=True, slots=True)
class Line:
    """What one thing cost from ``start`` to ``end``: the part of its life within what was asked for, as charged."""

    kind: Kind
    run: str | None
    """Its run's id; None: the whole fleet's."""
    name: str
    """The run's name; of what is the whole fleet's, what it is."""
    attempt: int | None
    provider: str
    region: str
    zone: str
    instance_type: str
    market: Market | None
    resource: str
    """The id of the instance or volume, or the bucket's provider."""
    start: Seconds
    end: Seconds
    quantity: float
    unit: str
    """``instance-seconds``, ``GB-months``, ``address-hours``, ``requests``."""
    price: Micros
    """Per hour, GB-month, or thousand requests: the one in force at the end."""
    amount: Micros
    on_demand: Micros
    """What its twin on demand would have cost: the same where there is none."""
    known: Known
    how: str
    """The same in a sentence: ``listed price of 2026-10-01``."""
    ended_by: EndedBy | None
