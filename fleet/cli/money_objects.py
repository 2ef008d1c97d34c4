"""The objects that ``-o json`` prints of money (see objects.py)."""

from __future__ import annotations

from typing import Literal, TypedDict


class CostGroupObject(TypedDict):
    """What some things cost together."""

    key: str
    """The run, day, type, zone, kind or attempt; or ``total``."""
    usd: float
    """Everything together."""
    machines_usd: float
    volumes_usd: float
    rest_usd: float
    """Root disks, public addresses, and what the bucket costs: what `fleet status` does not count."""
    on_demand_usd: float
    """What all of it would have cost with every machine on demand."""
    machine_seconds: float
    known: Literal["measured", "listed", "estimated"]
    """As sure as the least sure part of it."""


class CostLineObject(TypedDict):
    """One thing that was paid for, over one stretch of time."""

    kind: Literal["instance", "volume", "root-disk", "address", "storage", "requests", "transfer", "snapshot"]
    run: str | None
    """Null: the whole fleet's."""
    attempt: int | None
    provider: str
    region: str
    zone: str
    instance_type: str
    market: Literal["spot", "on-demand"] | None
    resource: str
    """The id of the instance or volume."""
    start: float
    end: float
    quantity: float
    unit: str
    """What there is so many of: `instance-seconds`, `GB-months`, `address-hours`, `requests`."""
    price_usd: float
    """Per hour, GB and month, or thousand requests: the one in force at the end."""
    usd: float
    on_demand_usd: float
    known: Literal["measured", "listed", "estimated"]
    how: str
    """The same in words."""
    ended_by: Literal["cloud", "fleet", "itself", "unknown"] | None


class CostObject(TypedDict):
    """What was paid."""

    since: float | None
    """Null: from the beginning."""
    until: float
    zone: str
    """The time zone whose days are meant."""
    by: Literal["run", "day", "type", "zone", "kind", "attempt"]
    total: CostGroupObject
    groups: list[CostGroupObject]
    lines: list[CostLineObject]
    """Empty unless asked for by --lines."""
