"""What ``fleet destroy aws`` removes, and what it leaves: a pure function of what remains in the account.

The bucket's record of the set-up goes last: as long as it is there, the next run knows where everything is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fleet.model import layout
from fleet.model.base import Micros
from fleet.model.units import format_money

GB_MONTH = {"volume": 80_000, "snapshot": 50_000, "image": 50_000}
"""Micro-dollars for a GB and month of gp3, and of a snapshot at most, in most regions."""
STORED = 23_000
"""The same for what lies in the bucket."""
OWN_PREFIXES = (
    "journal/", "snapshots/", "heartbeats/", "jobs/", "agent/", "runs/", "models/", "reports/", "setup/", "probe-",
    layout.CONTROLLERS, layout.IMAGES,
)  # fmt: skip
OWN_KEYS = (layout.FLEET, layout.LOCAL_HOME)
LAST_KEYS = (layout.FLEET, layout.AWS_SETUP)
"""They say whose bucket it is: removed once nothing else is left."""
BREAKING = ("journal/", "runs/", "models/")
"""What would be missed."""

Kind = Literal[
    "schedule", "rule", "alarm", "topic", "function", "log group", "code",
    "launch template", "key", "volume", "snapshot", "security group", "profile", "role", "record", "image", "bucket"
]  # fmt: skip
ORDER: tuple[Kind, ...] = (
    "schedule", "rule", "alarm", "topic", "function", "log group", "code",
    "launch template", "key", "volume", "snapshot", "security group", "profile", "role", "record", "image", "bucket",
)  # fmt: skip
"""The controller in the account first: what calls it before itself, itself before its role."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One that is not terminated."""

    region: str
    id: str
    state: str
    run: str
    """The run's id; empty: it has none."""


@dataclass(frozen=True, slots=True)
class Remnant:
    """Something of the set-up, or of a run, that is there."""

    kind: Kind
    region: str
    id: str
    told: str = ""
    size_gb: int = 0
    busy: str = ""
    """What holds it; empty: nothing does."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What lies in the bucket."""

    objects: int = 0
    bytes: int = 0
    by_prefix: tuple[tuple[str, int, int], ...] = ()
    """Prefix, objects and bytes; only what would be missed."""
    strange: tuple[str, ...] = ()
    """Some keys that fleet did not write."""


@dataclass(frozen=True, slots=True)
class Remains:
    """Everything that carries the fleet's tag, or its name."""

    fleet_id: str
    machines: tuple[Machine, ...] = ()
    things: tuple[Remnant, ...] = ()
    contents: Contents | None = None
    """None: nobody looked, since the bucket is to stay."""


@dataclass(frozen=True, slots=True)
class Removal:
    """One thing to remove, or to leave."""

    action: Literal["remove", "leave"]
    kind: Kind
    region: str
    name: str
    told: str
    monthly: Micros = 0


def living(remains: Remains) -> list[Machine]:
    """Machines that train, or could again. Those that shut down are over."""
    return [machine for machine in remains.machines if machine.state != "shutting-down"]


def plan_removal(remains: Remains, *, delete_volumes: bool, delete_bucket: bool) -> list[Removal]:
    """What is done about each thing, in the order of doing."""
    things = sorted(remains.things, key=lambda one: (ORDER.index(one.kind), one.region, one.id))
    return [_removal(one, remains, delete_volumes=delete_volumes, delete_bucket=delete_bucket) for one in things]


def _removal(one: Remnant, remains: Remains, *, delete_volumes: bool, delete_bucket: bool) -> Removal:
    if one.kind in ("volume", "snapshot"):
        price = one.size_gb * GB_MONTH[one.kind]
        what = f"{one.size_gb} GB{f' of {one.told}' if one.told else ''}, {format_money(price)} a month"
        if one.busy:
            return Removal("leave", one.kind, one.region, one.id, f"{what}: {one.busy} holds it", price)
        if not delete_volumes:
            return Removal("leave", one.kind, one.region, one.id, f"{what}: data, stays without --delete-volumes", price)
        return Removal("remove", one.kind, one.region, one.id, f"{what}, and everything on it", price)
    if one.kind == "image":  # the account's, not a fleet's: other fleets' machines may boot from it
        price = one.size_gb * GB_MONTH[one.kind]
        told = f"{one.told}, {format_money(price)} a month at most; `fleet ami prune --all --region {one.region}` removes it"
        return Removal("leave", one.kind, one.region, one.id, told, price)
    if one.kind == "bucket" and not delete_bucket:
        told = "stays with all data; $0.023 a month for each GB"
        return Removal("leave", one.kind, one.region, one.id, told)
    if one.kind == "bucket":
        contents = remains.contents or Contents()
        price = round(contents.bytes / 1e9 * STORED)
        return Removal("remove", one.kind, one.region, one.id, f"with {lost(contents)}", price)
    return Removal("remove", one.kind, one.region, one.id, one.told)


def lost(contents: Contents) -> str:
    """What goes with the bucket: ``3 objects, 1.20 GB (runs/ 2, 1.10 GB; journal/ 1, 0.10 GB)``."""
    parts = [f"{prefix} {objects}, {_gb(size)}" for prefix, objects, size in contents.by_prefix]
    return f"{contents.objects} objects, {_gb(contents.bytes)}" + (f" ({'; '.join(parts)})" if parts else "")


def _gb(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e7 else f"{size / 1e3:.0f} kB"


def contents_of(listing: Sequence[tuple[str, int]]) -> Contents:
    """Of keys and sizes."""
    sums = dict.fromkeys(BREAKING, (0, 0))
    for key, size in listing:
        for prefix in BREAKING:
            if key.startswith(prefix):
                sums[prefix] = (sums[prefix][0] + 1, sums[prefix][1] + size)
    strange = [key for key, _ in listing if key not in OWN_KEYS and not key.startswith(OWN_PREFIXES)]
    parts = tuple((prefix, objects, size) for prefix, (objects, size) in sums.items() if objects)
    return Contents(len(listing), sum(size for _, size in listing), parts, tuple(strange[:3]))
