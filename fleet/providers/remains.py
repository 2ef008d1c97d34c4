"""What remains of a fleet in a cloud, and what a teardown does about it: pure, and the same for every cloud.

The bucket's record of the set-up goes last: as long as it is there, the next run knows where everything is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fleet.model import layout
from fleet.model.base import Micros
from fleet.model.units import format_money

OWN_PREFIXES = (
    "journal/", "snapshots/", "heartbeats/", "jobs/", "agent/", "runs/", "models/", "reports/", "setup/", "probe-",
    layout.CONTROLLERS, layout.IMAGES,
)  # fmt: skip
OWN_KEYS = (layout.FLEET, layout.LOCAL_HOME)
LAST_KEYS = (layout.FLEET, layout.AWS_SETUP, layout.GCP_SETUP)
"""They say whose bucket it is: removed once nothing else is left."""
BREAKING = ("journal/", "runs/", "models/")
"""What would be missed."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What a cloud's things cost that may be left, micro-dollars for a GB and month."""

    gb_month: Mapping[str, Micros]
    """By kind."""
    stored: Micros
    """Of what lies in the bucket."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user allows to be lost."""

    delete_volumes: bool
    delete_bucket: bool


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

    kind: str
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
    kind: str
    region: str
    name: str
    told: str
    monthly: Micros = 0


def living(remains: Remains) -> list[Machine]:
    """Machines that train, or could again. Those that shut down are over."""
    return [machine for machine in remains.machines if machine.state != "shutting-down"]


def removal_of(one: Remnant, contents: Contents | None, rates: Rates, wish: Wish) -> Removal:
    """What is done about one thing."""
    if one.kind in ("volume", "snapshot"):
        return _disk(one, one.size_gb * rates.gb_month[one.kind], wish)
    if one.kind == "bucket" and not wish.delete_bucket:
        told = f"stays with all data; ${rates.stored / 1_000_000:.3f} a month for each GB"
        return Removal("leave", one.kind, one.region, one.id, told)
    if one.kind == "bucket":
        contents = contents or Contents()
        price = round(contents.bytes / 1e9 * rates.stored)
        return Removal("remove", one.kind, one.region, one.id, f"with {lost(contents)}", price)
    return Removal("remove", one.kind, one.region, one.id, one.told)


def _disk(one: Remnant, price: Micros, wish: Wish) -> Removal:
    what = f"{one.size_gb} GB{f' of {one.told}' if one.told else ''}, {format_money(price)} a month"
    if one.busy:
        return Removal("leave", one.kind, one.region, one.id, f"{what}: {one.busy} holds it", price)
    if not wish.delete_volumes:
        return Removal("leave", one.kind, one.region, one.id, f"{what}: data, stays without --delete-volumes", price)
    return Removal("remove", one.kind, one.region, one.id, f"{what}, and everything on it", price)


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
