"""Compute Engine as a world's cloud: the stand-in of tests/gce on the world's clock, and the real provider before it.

What the stand-in holds is mirrored, at the very moment at which it changes, in the records that a world and its laws look
at. Nothing of that goes through the provider: the laws judge what is, not what it tells.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from fleet.model.base import Micros, Seconds
from fleet.model.cloud import EndedBy, InstanceState, LaunchRequest, Market, Offer, VolumeState
from fleet.model.setup import GcpRegion, GcpSetup
from fleet.providers.base import Provider
from fleet.providers.gcp.able import CAPABILITIES
from fleet.providers.gcp.mapping import is_boot_disk, market_of, offer_of
from fleet.providers.gcp.names import id_of, last, region_of, tags_of
from fleet.providers.gcp.provider import GcpProvider
from fleet.providers.sim.cloud import Manners, SimCloud
from fleet.providers.sim.market import HOUR, SimType, Weather
from fleet.providers.sim.things import SimInstance, SimVolume
from tests.gce.clock import Clock, rfc3339, seconds_of
from tests.gce.compute_api import Compute
from tests.gce.compute_operations import Failed
from tests.gce.compute_world import Thing
from tests.gce.router import Router
from tests.simulation.chaos.google_wire import Way, Wire

if TYPE_CHECKING:
    from tests.simulation.chaos.clients import Laptop
    from tests.simulation.chaos.world import World

TYPES = {
    "e2-standard-8": SimType(270_000),
    "n1-standard-4+1xT4": SimType(540_000, ("T4",)),
    "g2-standard-4": SimType(710_000, ("L4",)),
}
REGIONS = {
    "us-central1": ("us-central1-a", "us-central1-b", "us-central1-c"),
    "us-east1": ("us-east1-b", "us-east1-c"),
}
SPOT = {"us-central1": 0.35, "us-east1": 0.45}
"""Of the price on demand. Spot prices are a region's, and stand for weeks."""
OUTERMOST: Seconds = 2 * HOUR
"""So long after the longest lease that it may be given, at most, Google itself ends a machine."""
ENDED: dict[str, EndedBy] = {
    "compute.instances.preempted": "cloud",
    "compute.instances.hostError": "cloud",
    "compute.instances.guestTerminate": "itself",
    "compute.instances.deferredDelete": "itself",
    "delete": "fleet",
}
"""Who ended a machine, by the operation that did."""
IMAGE = "projects/ubuntu-os-cloud/global/images/ubuntu-2404-noble-amd64-v20260210"


class GoogleCloud(SimCloud):
    """The stand-in, and a record of each machine and disk that there ever was in it."""

    def __init__(self, world: World, weather: Weather) -> None:
        billing = CAPABILITIES.billing
        manners = Manners(
            types=TYPES,
            regions=REGIONS,
            weather=weather,
            notice=30,
            minimum_seconds=billing.minimum_seconds,
            free_if_interrupted_within=billing.free_if_interrupted_within,
            volume_price=CAPABILITIES.volume_price_in("us-central1"),
        )
        super().__init__(world.clock, world.seed, manners)
        self.world = world
        self.router = Router(Clock(world.clock))
        compute = self.router["compute"]
        assert isinstance(compute, Compute)
        self.stand_in, self.endings = compute.world, compute.instances.endings
        compute.stock.places.append(self._place)
        for limits in compute.limits.limits.values():
            limits.update(dict.fromkeys(limits, 1000000.0))  # what is refused for a quota, the suite's faults say
        self.requests: dict[str, LaunchRequest] = {}
        """By token: what was asked for, as it was frozen."""
        self._things: dict[str, Thing] = {}
        self._changed: Callable[[Thing], None] = self.stand_in.changed
        self.stand_in.changed = self._mirrored  # type: ignore[method-assign]
        self._due: Seconds = 0.0
        self.wire = Wire(world, self)

    def setup(self, fleet_id: str) -> GcpSetup:
        """As ``fleet init gcp`` would have left it."""
        cloud = self.router.cloud
        return GcpSetup(
            fleet_id=fleet_id,
            project=cloud.project,
            number=cloud.number,
            bucket="gs://fleet-bucket/there",
            network="fleet",
            service_account=f"fleet-machines@{cloud.project}.iam.gserviceaccount.com",
            regions={name: GcpRegion(region=name, subnetwork="fleet", zones=zones) for name, zones in REGIONS.items()},
            made_at=self.world.began,
        )

    # --- what is for sale

    def _offers(self, region: str) -> Iterator[Offer]:
        for zone in REGIONS.get(region, ()):
            for name, kind in TYPES.items():
                for market in (Market.SPOT, Market.ON_DEMAND):
                    yield Offer(
                        provider="gcp",
                        region=region,
                        zone=zone,
                        instance_type=name,
                        market=market,
                        price=round(kind.on_demand * SPOT[region]) if market is Market.SPOT else kind.on_demand,
                        on_demand_price=kind.on_demand,
                        accelerators=kind.accelerators,
                    )

    def price_in_force(self, made: SimInstance, at: Seconds) -> Micros:
        return made.offer.price

    def _place(self, instance: Thing) -> None:
        """Whether a zone has room, as the market says. Raises Failed."""
        wanted, zone, now = instance.extra["checked"], instance.scope, self.stand_in.now()
        if (wanted.spot and not self.market.has_spot(zone, wanted.kind, now)) or self.market.zone_is_out(zone, now):
            where = f"projects/{self.router.cloud.project}/zones/{zone}"
            told = f"The zone '{where}' does not have enough resources available to fulfill the request."
            raise Failed("ZONE_RESOURCE_POOL_EXHAUSTED", told, 503, "SERVICE UNAVAILABLE")

    # --- the records

    def _mirrored(self, thing: Thing) -> None:
        """Something of the stand-in's changed just now."""
        self._changed(thing)
        self._quiet_until = 0.0
        if thing.kind == "instances":
            self._machine(thing)
        elif thing.kind == "disks" and not is_boot_disk(thing.data):
            self._disk(thing)

    def _machine(self, thing: Thing) -> None:
        now, instance_id, status = self.stand_in.now(), id_of(thing.name, thing.scope), thing.data["status"]
        made = self.instances.get(instance_id)
        if made is not None and self._things[instance_id] is not thing:
            self.world.laws.broken("a token names one machine", f"{instance_id} was made a second time")
        if thing.died is not None:
            if made is not None:
                self._off(made, thing, now)
        elif status == "RUNNING" and made is None:
            self._begin(thing, instance_id, now)
        elif made is None:
            return
        elif status == "RUNNING" and made.power_off_at is not None:  # a guest that never comes up has no dead-man switch
            made.state.set(now, InstanceState.RUNNING)
        elif status == "STOPPING" and made.ended_by is None:
            made.ended_by = ENDED[thing.extra["ends"][0].data["operationType"]]
            if made.ended_by != "cloud" or made.notice_at is None:  # one that is taken works on for its half minute
                made.state.set(now, InstanceState.STOPPING)
        elif status == "TERMINATED":
            self._off(made, thing, now)

    def _begin(self, thing: Thing, instance_id: str, now: Seconds) -> None:
        """It runs. Until now it might have come to nothing, and nobody was told of it; it is paid for from its launch on."""
        tags = tags_of(thing.data["description"])
        request = self.requests[tags["token"]]
        items = {one["key"]: one["value"] for one in thing.data["metadata"]["items"]}
        told = base64.b64decode(items["user-data"]).decode()
        request = request.model_copy(update={"user_data": told, "tags": tags})
        offer = offer_of(thing.data, {offer.key: offer for offer in self.offers(region_of(thing.scope))})
        made = SimInstance(instance_id, request, thing.data["id"], offer, as_told(thing.born), thing.born)
        made.power_off_at = min(now + self.manners.first_dead_man, request.lease_until or 1e12)
        made.state.set(thing.born, InstanceState.PENDING)
        made.state.set(now, InstanceState.RUNNING)
        self.instances[instance_id] = self.listed[instance_id] = made
        self._things[instance_id] = thing
        self._judge(thing, made)
        if offer.market is Market.SPOT:
            self.take(instance_id, at=self.market.spot_ends(offer.zone, thing.extra["checked"].kind, now))
        self.on_made(made)

    def _judge(self, thing: Thing, made: SimInstance) -> None:
        """The outer dead-man switch: should all else fail, Google ends the machine, and keeps nothing but the disk."""
        said, now, request = thing.data["scheduling"], self.stand_in.now(), made.request
        last = request.ends_by if request.ends_by is not None else request.lease_until
        until = now + int(said["maxRunDuration"]["seconds"]) if "maxRunDuration" in said else None
        if "terminationTime" in said:
            until = seconds_of(said["terminationTime"])
        late = last is not None and (until is None or until > max(last, now) + OUTERMOST)
        other = market_of(thing.data) is not made.request.offers[0].market
        if late or other or said.get("instanceTerminationAction") != "DELETE":
            self.world.laws.broken("Google ends a machine soon after its longest lease", f"{made.instance_id}: {said}")

    def _off(self, made: SimInstance, thing: Thing, now: Seconds) -> None:
        """Nothing of it runs any more, and it is paid for no longer."""
        made.ended_by = made.ended_by or ENDED[thing.extra["ends"][0].data["operationType"]]
        if made.state.since(InstanceState.TERMINATED) is None:
            paid = thing.extra["ran"][-1]["until"] if thing.extra.get("ran") else None
            ended = as_told(min(now, paid or now))
            made.state.set(ended, InstanceState.SHUTTING_DOWN)
            made.state.foresee(max(now, ended), InstanceState.TERMINATED)

    def _disk(self, thing: Thing) -> None:
        now, volume_id, data = self.stand_in.now(), id_of(thing.name, thing.scope), thing.data
        made = self.volumes.get(volume_id)
        if made is None or made.deleted_at is not None:
            tags = tags_of(data.get("description", ""))
            made = SimVolume(
                volume_id, region_of(thing.scope), thing.scope, int(data["sizeGb"]), thing.born, tags, "", thing.born
            )
            self.volumes[volume_id] = self.disks[volume_id] = made
        if thing.died is not None:
            made.deleted_at = now
            return
        if int(data["sizeGb"]) != made.size_gb:
            made.grew.append((now, made.size_gb))
            made.size_gb = int(data["sizeGb"])
        holder = id_of(last(data["users"][0]), thing.scope) if data.get("users") else None
        state = VolumeState.CREATING if data["status"] == "CREATING" else VolumeState.AVAILABLE
        made.held.set(now, (VolumeState.IN_USE, holder) if holder is not None else (state, None))

    # --- what happens to machines

    def take(
        self, instance_id: str, *, at: Seconds, notice: bool = True, rebalance: bool = False, warned_late: Seconds = 0
    ) -> None:
        """As of a ``SimCloud``; there is no notice but the half minute in which the machine is powered off."""
        super().take(instance_id, at=at, notice=notice, rebalance=False, warned_late=min(warned_late, self.manners.notice))
        self.world.cloud_due(max(self.clock(), at - self.manners.notice))

    def evolve(self) -> None:
        """Let happen what was due up to now."""
        now = self.clock()
        if now < self._quiet_until:
            return
        with self.router.cloud.lock:
            self.stand_in.settle()
            due = min(self.stand_in.next_at(), now + HOUR)
            for made in list(self.listed.values()):
                due = min(due, self._next(made, now))
        self._quiet_until = due
        if self._due <= now or due < self._due:
            self._due = due
            self.world.cloud_due(max(due, now + 0.001))

    def _next(self, made: SimInstance, now: Seconds) -> Seconds:
        """Let happen to a machine what is due; when something is due next."""
        if made.ended_by is not None:
            gone = made.state.since(InstanceState.TERMINATED)
            if gone is not None and now - gone > self.manners.remembered:
                del self.listed[made.instance_id]
            return now + HOUR
        begins = made.take_at
        if begins is not None and made.notice_at is not None:
            begins -= self.manners.notice
        if made.power_off_at is not None and made.power_off_at <= now:
            self._end(made, "compute.instances.guestTerminate", deletes=False)
        elif begins is not None and begins <= now and made.notice_at is not None:
            self._end(made, "compute.instances.preempted", deletes=True)
        elif begins is not None and begins <= now:
            self._end(made, "compute.instances.hostError", deletes=False)
        else:
            return min(one for one in (begins, made.power_off_at, now + HOUR) if one is not None)
        return self.stand_in.next_at()

    def _end(self, made: SimInstance, kind: str, *, deletes: bool) -> None:
        thing = self._things[made.instance_id]
        if thing.died is None and thing.data["status"] == "RUNNING":
            self.endings.end(thing, kind, deletes=deletes)

    def power_off(self, instance_id: str) -> None:
        """The guest does so. Of one that is being taken Google hears nothing new."""
        self.evolve()
        made = self.instances[instance_id]
        if made.ended_by is None:
            self._end(made, "compute.instances.guestTerminate", deletes=False)


def as_told(at: Seconds) -> Seconds:
    """A time as Google writes it, which is what it bills by: whole milliseconds."""
    return seconds_of(rfc3339(at))


class Google:
    """``provider: gcp``, as a world has it."""

    word = "gcp"
    infras = ("gcp", "gcp/us-central1", "gcp/us-east1", "gcp/us-central1/us-central1-b")

    def cloud(self, world: World, weather: Weather) -> SimCloud:
        return GoogleCloud(world, weather)

    def provider(self, world: World, fleet_id: str, client: Laptop | None) -> Provider:
        cloud = world.cloud
        assert isinstance(cloud, GoogleCloud)
        setup = cloud.setup(fleet_id)
        provider = GcpProvider(
            fleet_id,
            setup,
            world.folder / "cache",
            shop=cloud.offers,
            book=cloud.offers,
            clock=world.clock,
            sleep=world.let_pass,
        )
        return Way(provider, cloud, client, setup.model_dump_json(), IMAGE)
