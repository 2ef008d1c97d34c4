"""One account's view of the simulated cloud, by the contract: tagged, throttled, late, strict."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NoReturn

from fleet.model.base import Seconds, canonical_json, document_bytes
from fleet.model.cloud import (
    AccessRule,
    Billing,
    BootTarget,
    Capabilities,
    Instance,
    InstanceState,
    LaunchRequest,
    Listing,
    NewVolume,
    Offer,
    PriceSince,
    Volume,
    VolumeState,
)
from fleet.model.errors import TooLateError
from fleet.providers.base import InTime, always
from fleet.providers.sim.cloud import SimCloud
from fleet.providers.sim.errors import refusal
from fleet.providers.sim.market import HOUR
from fleet.providers.sim.strict import LIVE, check_request, choose
from fleet.providers.sim.things import SimInstance, SimVolume

GROW_EVERY: Seconds = 6 * 3600
"""EC2: at least six hours between two changes of a volume."""
Holders = dict[str, list[str]]
"""Machine → the disks that are at it, or on their way."""


class SimProvider:
    """``sim``, or as the cloud is called. Keeps nothing; any number share one cloud, and its allowance of calls."""

    def __init__(self, cloud: SimCloud, fleet_id: str) -> None:
        self._cloud = cloud
        self._fleet_id = fleet_id
        manners = cloud.manners
        self.name = manners.provider
        self.capabilities = Capabilities(
            notice_seconds=manners.notice,
            visible_within=manners.lag,
            billing=Billing(
                minimum_seconds=manners.minimum_seconds, free_if_interrupted_within=manners.free_if_interrupted_within
            ),
            price_history=True,
            growing=True,
            volume_price=manners.volume_price,
        )

    def regions(self) -> Sequence[str]:
        """Every region of the cloud."""
        return tuple(self._cloud.manners.regions)

    def offers(self, region: str | None = None) -> Sequence[Offer]:
        """What can be bought; see the contract."""
        found: list[Offer] = []
        for one in self.regions() if region is None else (region,):
            self._called(one, "offers")
            found.extend(self._cloud.offers(one))
        return found

    def price_history(self, offer: Offer, since: Seconds, until: Seconds) -> Sequence[PriceSince]:
        """The market's price at ``since``, and on each hour after it."""
        self._called(offer.region, "price_history")
        market, kind = self._cloud.market, self._cloud.manners.types[offer.instance_type]
        moments = [since, *(hour * HOUR for hour in range(int(since // HOUR) + 1, int(until // HOUR) + 1))]
        return [PriceSince(at=at, price=market.price(offer.zone, offer.instance_type, kind, at)) for at in moments]

    def boot_target(self, offers: Sequence[Offer], image_id: str | None) -> BootTarget | None:
        """None: its machines boot from no image."""
        return None

    def launch(self, request: LaunchRequest, in_time: InTime = always) -> Instance:
        """Start a machine; see the contract."""
        region = check_request(request, self._fleet_id, self.name)
        self._called(region, "launch")
        digest = hashlib.sha256(document_bytes(request)).hexdigest()
        known = self._cloud.instances.get(self._cloud.new_id("i", request.token))
        if known is not None:
            if known.digest != digest:
                raise refusal("IdempotentParameterMismatch", "this token was used for another request")
            if self._forgotten(known, self._cloud.clock()):
                raise refusal("IdempotentInstanceTerminated", "the machine of this token ended long ago")
            return self._seen(known, self._cloud.clock())
        if not in_time():
            raise TooLateError(f"the launch of run {request.run_id} #{request.attempt}")
        offer = choose(self._cloud, request)
        if isinstance(request.volume, NewVolume):
            self._check_volume_quota()  # a launch that is refused has made nothing
        made = self._cloud.make_instance(request, digest, offer)
        if self._cloud.half_launch:
            self._cloud.half_launch = False
            self._refuse("InternalError", "something went wrong")
        if isinstance(request.volume, NewVolume):
            tags = {key: value for key, value in request.tags.items() if key in ("fleet", "run", "volume")}
            volume = self._make_volume(region, made.offer.zone, request.volume, request.token, tags)
            volume.held.set(made.launched_at, (VolumeState.ATTACHING, made.instance_id))
            running = made.state.since(InstanceState.RUNNING) or made.launched_at
            volume.held.foresee(running, (VolumeState.IN_USE, made.instance_id))
        return self._seen(made, made.launched_at)

    def list(self, region: str) -> Listing:
        """Everything of this fleet, as it was a little while ago."""
        self._called(region, "list")
        now = self._cloud.clock()
        lag = self._cloud.draw(f"list/{self._cloud.calls['list']}", (0, self._cloud.manners.lag))
        then = now - lag
        machines = [i for i in self._mine(region) if i.visible_at <= now and not self._forgotten(i, now)]
        disks = [v for v in self._my_volumes(region) if v.visible_at <= now]
        where = self._holders(then)
        return Listing(
            region=region,
            at=now,
            instances=tuple(
                self._seen(i, then, where) if i.launched_at <= then else self._seen(i, i.launched_at) for i in machines
            ),
            volumes=tuple(s for v in disks if (s := self._volume(v, max(then, v.created_at))) is not None),
        )

    def get(self, region: str, instance_id: str) -> Instance | None:
        """One machine by id: fresh, but not known at once after its launch."""
        self._called(region, "get")
        now = self._cloud.clock()
        found = next((i for i in self._mine(region) if i.instance_id == instance_id), None)
        if found is None or found.visible_at > now or self._forgotten(found, now):
            return None
        return self._seen(found, now)

    def console(self, region: str, instance_id: str) -> str:
        """Not simulated."""
        return ""

    def terminate(self, region: str, instance_id: str) -> None:
        """End a machine; see the contract."""
        self._called(region, "terminate")
        mine = any(i.instance_id == instance_id for i in self._mine(region))
        if mine and not self._cloud.lies.ignores_end(instance_id):
            self._cloud.end(instance_id, "fleet", self._cloud.clock())

    def create_volume(self, region: str, zone: str, volume: NewVolume, token: str, tags: dict[str, str]) -> Volume:
        """Make a disk; see the contract."""
        self._called(region, "create_volume")
        made = self._make_volume(region, zone, volume, token, tags)
        seen = self._volume(made, self._cloud.clock())
        if seen is None:
            raise refusal("InvalidVolume.NotFound", "the volume of this token was deleted")
        return seen

    def attach(self, region: str, volume_id: str, instance_id: str) -> None:
        """Attach a disk; see the contract."""
        self._called(region, "attach")
        now = self._cloud.clock()
        volume = self._find_volume(region, volume_id)
        instance = next((i for i in self._mine(region) if i.instance_id == instance_id), None)
        state = instance.state.at(now) if instance is not None else None
        if volume is None:
            self._refuse("InvalidVolume.NotFound", f"there is no volume {volume_id}")
        if instance is None or state not in LIVE:
            self._refuse("IncorrectInstanceState", f"{instance_id} has ended, or never was")
        if instance.offer.zone != volume.zone:
            self._refuse("InvalidVolume.ZoneMismatch", f"{volume_id} is in {volume.zone}")
        held = volume.held.at(now) or (VolumeState.CREATING, None)
        if held in ((VolumeState.ATTACHING, instance_id), (VolumeState.IN_USE, instance_id)):
            return
        if held[1] is not None:
            self._refuse("VolumeInUse", f"{volume_id} is {held[0].value} at {held[1]}")
        if held[0] is not VolumeState.AVAILABLE or state is not InstanceState.RUNNING:
            self._refuse("IncorrectState", f"{volume_id} is {held[0].value}, {instance_id} {state.value if state else ''}")
        volume.held.set(now, (VolumeState.ATTACHING, instance_id))
        volume.held.foresee(now + self._disk_time(volume, now), (VolumeState.IN_USE, instance_id))

    def detach(self, region: str, volume_id: str, instance_id: str) -> None:
        """Take a disk off; see the contract."""
        self._called(region, "detach")
        now = self._cloud.clock()
        volume = self._find_volume(region, volume_id)
        held = volume.held.at(now) if volume is not None else None
        if volume is None or held is None or held[1] != instance_id or held[0] is VolumeState.DETACHING:
            return
        if self._cloud.instances[instance_id].state.at(now) is InstanceState.SHUTTING_DOWN:
            return  # it comes free by itself
        volume.held.set(now, (VolumeState.DETACHING, instance_id))
        free_at = now + self._disk_time(volume, now) + self._cloud.slow_detach
        volume.held.foresee(self._cloud.lies.free_at(volume_id, free_at), (VolumeState.AVAILABLE, None))

    def grow_volume(self, region: str, volume_id: str, size_gb: int) -> None:
        """Enlarge a disk, once in a while as EC2 does; see the contract."""
        self._called(region, "grow_volume")
        now = self._cloud.clock()
        volume = self._find_volume(region, volume_id)
        if volume is None:
            self._refuse("InvalidVolume.NotFound", f"there is no volume {volume_id}")
        if volume.size_gb >= size_gb:
            return
        held = volume.held.at(now) or (VolumeState.CREATING, None)
        if held[0] not in (VolumeState.AVAILABLE, VolumeState.IN_USE):
            self._refuse("IncorrectState", f"{volume_id} is {held[0].value}")
        if volume.grew and now - volume.grew[-1][0] < GROW_EVERY:
            self._refuse("VolumeModificationRateExceeded", f"{volume_id} was changed within the last six hours")
        volume.grew.append((now, volume.size_gb))
        volume.size_gb = size_gb

    def delete_volume(self, region: str, volume_id: str) -> None:
        """Delete a disk; see the contract."""
        self._called(region, "delete_volume")
        now = self._cloud.clock()
        volume = self._find_volume(region, volume_id)
        if volume is None:
            return
        held = volume.held.at(now) or (VolumeState.CREATING, None)
        if held[0] is not VolumeState.AVAILABLE:
            self._refuse("VolumeInUse", f"{volume_id} is {held[0].value}")
        volume.deleted_at = now

    # --- strictness

    def _refuse(self, code: str, message: str) -> NoReturn:
        raise refusal(code, message)

    def access_rules(self, region: str) -> Sequence[AccessRule]:
        """Nobody logs in to these machines."""
        return ()

    def close_access(self, rule: AccessRule) -> None:
        """Nobody is let in."""

    def _called(self, region: str, what: str) -> None:
        """Every call lets time's due happen, counts, and may be one too many."""
        self._cloud.evolve()
        self._cloud.calls[what] = self._cloud.calls.get(what, 0) + 1
        if region not in self._cloud.manners.regions:
            self._refuse("InvalidParameterValue", f"there is no region {region!r}")
        manners = self._cloud.manners
        if not self._cloud.allowance.take(region, self._cloud.clock(), manners.calls_burst, manners.calls_per_second):
            self._refuse("RequestLimitExceeded", "too many calls")

    # --- things

    def _make_volume(self, region: str, zone: str, volume: NewVolume, token: str, tags: dict[str, str]) -> SimVolume:
        now, volume_id = self._cloud.clock(), self._cloud.new_id("vol", token)
        digest = hashlib.sha256(canonical_json([region, zone, volume.size_gb, tags])).hexdigest()
        known = self._cloud.volumes.get(volume_id)
        if known is not None:
            if known.digest != digest:
                self._refuse("IdempotentParameterMismatch", "this token was used for another volume")
            return known
        if zone not in self._cloud.manners.regions[region]:
            self._refuse("InvalidParameterValue", f"there is no zone {zone!r} in {region}")
        if tags.get("fleet") != self._fleet_id:
            self._refuse("UnauthorizedOperation", "the policy wants every volume tagged")
        self._check_volume_quota()
        visible = now + self._cloud.draw(f"{volume_id}/visible", (0, self._cloud.manners.lag))
        made = SimVolume(volume_id, region, zone, volume.size_gb, now, dict(tags), digest, visible)
        made.held.set(now, (VolumeState.CREATING, None))
        made.held.foresee(now + self._disk_time(made, now), (VolumeState.AVAILABLE, None))
        self._cloud.volumes[volume_id] = self._cloud.disks[volume_id] = made
        return made

    def _check_volume_quota(self) -> None:
        if len([v for v in self._cloud.disks.values() if v.deleted_at is None]) >= self._cloud.manners.volume_quota:
            self._refuse("VolumeLimitExceeded", "too many volumes")

    def _disk_time(self, volume: SimVolume, now: Seconds) -> Seconds:
        return self._cloud.draw(f"{volume.volume_id}/{now}", self._cloud.manners.disk)

    def _mine(self, region: str) -> Sequence[SimInstance]:
        return [
            i
            for i in self._cloud.listed.values()
            if i.offer.region == region and i.request.tags.get("fleet") == self._fleet_id
        ]

    def _my_volumes(self, region: str) -> Sequence[SimVolume]:
        mine = [v for v in self._cloud.disks.values() if v.tags.get("fleet") == self._fleet_id]
        return [v for v in mine if v.region == region]

    def _find_volume(self, region: str, volume_id: str) -> SimVolume | None:
        found = next((v for v in self._my_volumes(region) if v.volume_id == volume_id), None)
        return found if found is not None and found.deleted_at is None else None

    def _forgotten(self, instance: SimInstance, now: Seconds) -> bool:
        gone = instance.state.since(InstanceState.TERMINATED)
        return gone is not None and now - gone > self._cloud.manners.remembered

    def _holders(self, at: Seconds) -> Holders:
        """Which disks were where."""
        found: Holders = {}
        for volume in self._cloud.disks.values():
            holder = (volume.held.at(at) or (None, None))[1]
            if holder is not None and volume.deleted_at is None:
                found.setdefault(holder, []).append(volume.volume_id)
        return found

    def _seen(self, made: SimInstance, at: Seconds, holders: Holders | None = None) -> Instance:
        """A machine as it was at a moment."""
        state, ended = made.state.at(at) or InstanceState.PENDING, made.ended_at(at)
        if self._cloud.lies.calls_ended(made.instance_id, at):
            state, ended = InstanceState.TERMINATED, ended if ended is not None else at
        held = tuple((self._holders(at) if holders is None else holders).get(made.instance_id, ()))
        price = self._cloud.price_in_force(made, at)
        by = made.ended_by if ended is not None else None
        depends = (state, ended, by, held, price)
        if made.shown is not None and made.shown[0] == depends:
            return made.shown[1]
        seen = Instance(
            instance_id=made.instance_id,
            offer=made.offer.model_copy(update={"price": price}),
            state=state,
            launched_at=made.launched_at,
            ended_at=ended,
            ended_by=by,
            tags=dict(made.request.tags),
            volume_ids=held,
        )
        made.shown = (depends, seen)
        return seen

    def _volume(self, made: SimVolume, at: Seconds) -> Volume | None:
        if made.deleted_at is not None and made.deleted_at <= at:
            return None
        held = made.held.at(at) or (VolumeState.CREATING, None)
        size = next((before for grew, before in made.grew if at < grew), made.size_gb)
        depends = (*held, size)
        if made.shown is not None and made.shown[0] == depends:
            return made.shown[1]
        seen = Volume(
            volume_id=made.volume_id,
            region=made.region,
            zone=made.zone,
            size_gb=size,
            state=held[0],
            attached_to=held[1],
            created_at=made.created_at,
            price=self._cloud.manners.volume_price,
            tags=dict(made.tags),
        )
        made.shown = (depends, seen)
        return seen
