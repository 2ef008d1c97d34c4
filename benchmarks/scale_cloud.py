"""A cloud for ``scale.py`` that lists its machines and disks from memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from fleet.core.state import FleetState
from fleet.model.cloud import (
    AccessRule,
    BootTarget,
    Capabilities,
    Instance,
    InstanceState,
    LaunchRequest,
    Listing,
    Market,
    NewVolume,
    Offer,
    PriceSince,
    Volume,
    VolumeState,
)
from fleet.providers.base import InTime, always

FLEET = "bench"
REGION = "r"
OFFERS = tuple(
    Offer(
        provider="sim",
        region=REGION,
        zone=f"{REGION}-{zone}",
        instance_type=kind,
        market=market,
        price=price if market is Market.SPOT else 3 * price,
        on_demand_price=3 * price,
        accelerators=("T4",),
    )
    for zone in "abc"
    for kind, price in (("g4dn.xlarge", 160_000), ("g4dn.2xlarge", 230_000))
    for market in Market
)
SPOT = tuple(offer for offer in OFFERS if offer.market is Market.SPOT)


class MemoryCloud:
    """Keeps the provider's contract as far as a tick needs it; a listing costs nothing but itself."""

    name = "sim"
    capabilities = Capabilities(notice_seconds=120, visible_within=60, volume_price=80_000)

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.instances: dict[str, Instance] = {}
        self.volumes: dict[str, Volume] = {}
        self._by_token: dict[str, Instance] = {}

    def regions(self) -> Sequence[str]:
        """One."""
        return (REGION,)

    def offers(self, region: str | None = None) -> Sequence[Offer]:
        """Always the same."""
        return OFFERS

    def price_history(self, offer: Offer, since: float, until: float) -> Sequence[PriceSince]:
        """None is kept."""
        return ()

    def boot_target(self, offers: Sequence[Offer], image_id: str | None) -> BootTarget | None:
        """No image."""
        return None

    def console(self, region: str, instance_id: str) -> str:
        """Nothing is printed."""
        return ""

    def launch(self, request: LaunchRequest, in_time: InTime = always) -> Instance:
        """The same machine for the same token."""
        if request.token not in self._by_token:
            made = machine(request.run_id, request.attempt, request.offers[0], self.clock())
            self._by_token[request.token] = self.instances[made.instance_id] = made
        return self._by_token[request.token]

    def list(self, region: str) -> Listing:
        """Everything."""
        found = tuple(self.instances.values()), tuple(self.volumes.values())
        return Listing(region=region, at=self.clock(), instances=found[0], volumes=found[1])

    def get(self, region: str, instance_id: str) -> Instance | None:
        """By id."""
        return self.instances.get(instance_id)

    def terminate(self, region: str, instance_id: str) -> None:
        """At once."""
        self.instances.pop(instance_id, None)

    def create_volume(self, region: str, zone: str, volume: NewVolume, token: str, tags: dict[str, str]) -> Volume:
        """Nothing here asks for one."""
        raise NotImplementedError

    def attach(self, region: str, volume_id: str, instance_id: str) -> None:
        """At once."""

    def detach(self, region: str, volume_id: str, instance_id: str) -> None:
        """At once."""

    def grow_volume(self, region: str, volume_id: str, size_gb: int) -> None:
        """Nothing here asks for it."""

    def delete_volume(self, region: str, volume_id: str) -> None:
        """At once."""
        self.volumes.pop(volume_id, None)

    def access_rules(self, region: str) -> Sequence[AccessRule]:
        """Nobody is let in."""
        return ()

    def close_access(self, rule: AccessRule) -> None:
        """Nobody is."""


def token(run_id: str, attempt: int) -> str:
    """One per attempt."""
    return hashlib.sha256(f"{run_id} {attempt}".encode()).hexdigest()


def machine(run_id: str, attempt: int, offer: Offer, at: float) -> Instance:
    """An attempt's instance."""
    tags = {"fleet": FLEET, "run": run_id, "attempt": str(attempt), "try": "1", "token": token(run_id, attempt)}
    return Instance(
        instance_id=f"i-{token(run_id, attempt)[:17]}",
        offer=offer,
        state=InstanceState.RUNNING,
        launched_at=at,
        tags=tags,
        volume_ids=(f"vol-{run_id}",),
    )


def disk(run_id: str, offer: Offer, at: float, holder: str | None) -> Volume:
    """A run's volume."""
    return Volume(
        volume_id=f"vol-{run_id}",
        region=REGION,
        zone=offer.zone,
        size_gb=500,
        state=VolumeState.IN_USE if holder else VolumeState.AVAILABLE,
        attached_to=holder,
        created_at=at,
        price=80_000,
        tags={"fleet": FLEET, "run": run_id},
    )


def world(state: FleetState, clock: Callable[[], float]) -> MemoryCloud:
    """The cloud as the state says it is."""
    cloud = MemoryCloud(clock)
    for run in state.runs.values():
        holder = None
        for a in run.live_attempts:
            if a.offer is not None and a.instance_id is not None:
                offer = a.offer.model_copy(update={"price": a.prices[-1].price})
                made = machine(run.run_id, a.number, offer, a.launched_at or 0.0)
                holder, cloud.instances[made.instance_id] = made.instance_id, made
        for v in run.volumes.values():
            if v.deleted_at is None:
                offer = next(o for o in OFFERS if o.zone == v.zone)
                cloud.volumes[v.volume_id] = disk(run.run_id, offer, v.created_at, holder)
    return cloud
