"""Machines and their prices as both clouds tell them: what a type is, what it costs, and how old each figure is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from fleet.model.base import Micros, Seconds
from fleet.model.cloud import Offer
from fleet.model.units import format_money

Arch = Literal["x86_64", "aarch64"]
Listed = Literal["price-list", "bundled", "estimate"]

Points = list[tuple[Seconds, Micros]]
"""A price in force from a time on, until the next; the oldest first."""


@dataclass(frozen=True, slots=True)
class TypeFacts:
    """One instance type."""

    name: str
    arch: Arch
    vcpus: int
    memory_gib: float
    gpu: str | None = None
    """The name that jobs use in ``accelerators``."""
    gpus: int = 0
    gpu_memory_gib: int = 0
    """Of one device."""
    hypervisor: Literal["nitro", "xen"] = "nitro"
    """On Nitro a volume appears as an NVMe disk, on Xen by its device's name."""
    driver_branch: str | None = None
    """NVIDIA's, as Ubuntu's packages are named (``580-server``); None: no NVIDIA device."""
    open_kernel: bool = False
    """The driver's open kernel modules run the device, and are to be taken; else the proprietary ones."""
    fabric_manager: bool = False
    """Devices are joined by NVSwitch: CUDA does not start without ``nvidia-fabricmanager`` of the same branch."""
    generation: str = ""
    """The device's architecture."""
    cuda: str = ""
    """The highest CUDA that the driver runs on the device."""
    stack: str = ""
    """What that means for frameworks."""
    gone: bool = False
    """AWS retired it: an account is not offered it any more, except where EC2's own list says so."""
    gone_since: str = ""
    successors: tuple[str, ...] = ()
    on_request: bool = False
    """An offer only to who names it: another architecture, too small, or a whole server that takes long to start."""


def accelerators(facts: TypeFacts | None) -> tuple[str, ...]:
    """The same of facts that are at hand."""
    return (facts.gpu,) * facts.gpus if facts is not None and facts.gpu is not None else ()


@dataclass(frozen=True, slots=True)
class OnDemand:
    """What one hour of a type costs on demand."""

    price: Micros
    source: Listed
    at: float
    """Of when the price is."""


@dataclass(frozen=True, slots=True)
class Band:
    """One type in one region."""

    label: str
    """``<5%``: so many of the machines were interrupted in a month."""
    rank: int
    """From 0, the quietest."""
    saving_percent: int
    """Against on-demand, over the last 30 days and all zones, as the advisor says."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be shown."""

    regions: tuple[str, ...]
    types: tuple[str, ...] = ()
    """Names or patterns (``g4dn.*``); none: the usual ones."""
    gpu: str | None = None
    days: int = 7
    scores: bool = False


def is_pattern(name: str) -> bool:
    """Whether it means several types."""
    return any(mark in name for mark in "*?[")


@dataclass(frozen=True, slots=True)
class Row:
    """One type in one zone."""

    region: str
    zone: str
    instance_type: str
    facts: TypeFacts | None
    spot: Micros | None
    """Now; None: it is not sold so there."""
    on_demand: OnDemand | None
    band: Band | None
    points: Points
    """The spot price over time."""
    score: int | None = None


def by_price(row: Row) -> tuple[bool, Micros, str]:
    """Orders rows: the cheapest first, what is not sold on spot last."""
    usual = row.on_demand.price if row.on_demand else 0
    return row.spot is None, row.spot or usual, row.zone


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures come from, and of when they are."""

    what: str
    region: str
    origin: str
    at: float | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Instead:
    """A type that serves in place of another."""

    instance_type: str
    offer: Offer | None
    """The cheapest that there is; None: it is not offered either."""
    accelerators: tuple[str, ...] = ()
    """What it has, a name for each device."""

    @property
    def told(self) -> str:
        """``g4dn.xlarge (T4) from $0.16/h (spot, us-east-1b)``."""
        gpus = self.accelerators or (self.offer.accelerators if self.offer else ())
        what = f"{self.instance_type} ({f'{len(gpus)} ' if len(gpus) > 1 else ''}{gpus[0]})" if gpus else self.instance_type
        if self.offer is None:
            return what
        return f"{what} from {format_money(self.offer.price)}/h ({self.offer.market.value}, {self.offer.zone})"


@dataclass(frozen=True, slots=True)
class Missing:
    """A type, or a kind of accelerator, that nothing on offer has."""

    what: str
    why: str
    instead: tuple[Instead, ...]

    @property
    def told(self) -> str:
        """In one sentence or two."""
        sold = [one.told for one in self.instead if one.offer is not None]
        if sold:
            return f"{self.what}: {self.why}. Instead: {'; '.join(sold)}"
        if self.instead:
            names = ", ".join(one.instance_type for one in self.instead)
            return f"{self.what}: {self.why}. Instead there would be {names}, of which none is offered there either"
        return f"{self.what}: {self.why}"


@dataclass(slots=True)
class Overview:
    """Everything that is shown."""

    at: float
    since: float
    rows: list[Row] = field(default_factory=list)
    missing: tuple[Missing, ...] = ()
    sources: list[Source] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
