"""The machines and disks of the simulated cloud, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass, field

from fleet.model.base import Micros, Seconds
from fleet.model.cloud import EndedBy, Instance, InstanceState, LaunchRequest, Offer, Volume, VolumeState
from fleet.providers.sim.timeline import Timeline

Held = tuple[VolumeState, str | None]
"""A volume's state, and the instance that it is at."""


@dataclass
class SimInstance:
    """A machine."""

    instance_id: str
    request: LaunchRequest
    digest: str
    offer: Offer
    launched_at: Seconds
    visible_at: Seconds
    state: Timeline[InstanceState] = field(default_factory=Timeline)
    ended_by: EndedBy | None = None
    rebalance_at: Seconds | None = None
    notice_at: Seconds | None = None
    stopped: bool = False
    """It powered itself off where that ends no machine."""
    take_at: Seconds | None = None
    """When the cloud takes it back."""
    power_off_at: Seconds | None = None
    """Its dead-man switch: armed by the launch, renewed by the agent."""
    shown: tuple[object, Instance] | None = None
    """How it was last shown, and what that depends on: most listings show what the one before showed."""

    def ended_at(self, now: Seconds) -> Seconds | None:
        """When it ended, if it has: charging stops as it begins to shut down."""
        at = self.state.since(InstanceState.SHUTTING_DOWN)
        return at if at is not None and at <= now else None


@dataclass
class SimVolume:
    """A disk."""

    volume_id: str
    region: str
    zone: str
    size_gb: int
    created_at: Seconds
    tags: dict[str, str]
    digest: str
    visible_at: Seconds
    held: Timeline[Held] = field(default_factory=Timeline)
    deleted_at: Seconds | None = None
    grew: list[tuple[Seconds, int]] = field(default_factory=list)
    """When it was enlarged, and how many GB it had until then."""
    shown: tuple[object, Volume] | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """One line of the invoice."""

    what: str
    start: Seconds
    end: Seconds
    price: Micros
    """Micro-dollars per hour for machines, per GB and month for disks."""
    amount: Micros
