"""The provider ``aws`` with containers for machines: the contract's words, real boots, one zone's prices."""

from __future__ import annotations

import base64
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Protocol

from fleet.model.base import Seconds
from fleet.model.cloud import (
    AccessRule,
    Billing,
    BootTarget,
    Capabilities,
    EndedBy,
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
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.base import InTime, always
from tests.ec2.container import Machine, Network
from tests.ec2.disk import Disk
from tests.ec2.told import Told

REGION, ZONE = "us-east-1", "us-east-1a"
ROLE = "fleet-machine"
VOLUME_PRICE = 80_000


def _refuse(error_class: ErrorClass, code: str, message: str = "") -> NoReturn:
    raise ProviderError(error_class, code, message or code)


class Played(Protocol):
    """A machine, whatever plays it: tests.ec2.container.Machine says what is meant."""

    told: Any
    disks: dict[str, Disk]
    crashed: bool

    @property
    def runs(self) -> bool: ...
    @property
    def ended_at(self) -> float | None: ...
    def attach(self, disk: Disk, name: str = "nvme1n1") -> None: ...
    def detach(self, disk: Disk) -> None: ...
    def read(self, path: str) -> str: ...
    def terminate(self) -> None: ...
    def remove(self) -> None: ...


PowerOn = Callable[[Network, Any, dict[str, Disk]], Played]


@dataclass
class Made:
    """A machine that was launched."""

    request: LaunchRequest
    machine: Played
    launched_at: Seconds
    told_to_end: bool = False


@dataclass
class Shelf:
    """A volume: made when, with which tags."""

    disk: Disk
    tags: dict[str, str]
    at: Seconds = field(default_factory=time.time)


class ContainerCloud:
    """See fleet.providers.base; what a test does to machines is at the end."""

    name = "aws"
    region, zone, instance_type = REGION, ZONE, "c5.2xlarge"
    image_id, image = "ami-0123456789abcdef0", "debian-12"
    first_disk = "nvme1n1"
    capabilities = Capabilities(
        notice_seconds=120,
        visible_within=5,
        billing=Billing(minimum_seconds=60),
        images=True,
        console=True,
        volume_price=VOLUME_PRICE,
    )

    def __init__(self, network: Network, folder: Path, environment: dict[str, str], power_on: PowerOn = Machine) -> None:
        self._network, self._folder, self._environment, self._power_on = network, folder, environment, power_on
        self.policy: Mapping[str, Any] | None = None
        """Of the machines' role."""
        self.public_key: str | None = None
        """The user's."""
        self.credentials_last = 6 * 3600.0
        self.made: dict[str, Made] = {}
        self.volumes: dict[str, Shelf] = {}
        self._lock = threading.RLock()

    def regions(self) -> Sequence[str]:
        """The only one."""
        return (self.region,)

    def offers(self, region: str | None = None) -> Sequence[Offer]:
        """One machine type, on the spot market and on demand."""
        what = {"provider": self.name, "region": self.region, "zone": self.zone, "instance_type": self.instance_type}
        markets = ((Market.SPOT, 120_000), (Market.ON_DEMAND, 340_000))
        return [Offer.model_validate({**what, "market": m, "price": p, "on_demand_price": 340_000}) for m, p in markets]

    def price_history(self, offer: Offer, since: Seconds, until: Seconds) -> Sequence[PriceSince]:
        """Not told."""
        return ()

    def boot_target(self, offers: Sequence[Offer], image_id: str | None) -> BootTarget:
        """Debian, and how to reach the services."""
        return BootTarget(image_id=self.image_id, image=image_id or self.image, environment=self.environment)

    @property
    def environment(self) -> dict[str, str]:
        """How a machine reaches the cloud."""
        return {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, **self._environment}

    def launch(self, request: LaunchRequest, in_time: InTime = always) -> Instance:
        """Start a container, with its new volume there from the start."""
        with self._lock:
            for instance_id, made in self.made.items():
                if made.request.token == request.token:
                    return self._seen(instance_id)
            told = self.told_to(request)
            disks = {}
            if isinstance(request.volume, NewVolume):
                shelf = self._new_volume(request.volume.size_gb, request.tags)
                disks = {self.first_disk: shelf.disk}
            self.made[told.instance_id] = Made(request, self._power_on(self._network, told, disks), time.time())
            return self._seen(told.instance_id)

    def told_to(self, request: LaunchRequest) -> Any:
        """What the metadata service will say of a machine that is asked for."""
        new = isinstance(request.volume, NewVolume)
        return Told(
            f"i-0{secrets.token_hex(8)}",
            self._network.address(),
            user_data=base64.b64decode(request.user_data),
            role=ROLE,
            policy=self.policy,
            public_key=self.public_key,
            credentials_last=self.credentials_last,
            spot=request.offers[0].market is Market.SPOT,
            devices={"ami": "/dev/xvda", "root": "/dev/xvda"} | ({"ebs1": "sdf"} if new else {}),
        )

    def _new_volume(self, size_gb: int, tags: dict[str, str]) -> Shelf:
        kept = {name: value for name, value in tags.items() if name in ("fleet", "run", "volume")}
        shelf = Shelf(self.new_disk(size_gb), kept)
        self.volumes[shelf.disk.volume_id] = shelf
        return shelf

    def new_disk(self, size_gb: int) -> Disk:
        """Called as the cloud calls its disks."""
        return Disk(self._folder, size_gb)

    def _seen(self, instance_id: str) -> Instance:
        made = self.made[instance_id]
        ended = made.machine.ended_at
        state = InstanceState.RUNNING if ended is None else InstanceState.TERMINATED
        if ended is None and made.told_to_end:
            state = InstanceState.SHUTTING_DOWN
        return Instance(
            instance_id=instance_id,
            offer=made.request.offers[0],
            state=state,
            launched_at=made.launched_at,
            ended_at=ended,
            ended_by=None if ended is None else self._ended_by(made),
            tags=made.request.tags,
            volume_ids=() if ended is not None else tuple(disk.volume_id for disk in made.machine.disks.values()),
        )

    def _ended_by(self, made: Made) -> EndedBy:
        if self.noticed(made.machine.told) or made.machine.crashed:
            return "cloud"
        return "fleet" if made.told_to_end else "itself"

    def noticed(self, told: Any) -> bool:
        """The machine was told that it is taken."""
        return told.notice_at is not None

    def list(self, region: str) -> Listing:
        """Everything, at once."""
        with self._lock:
            instances = tuple(self._seen(instance_id) for instance_id in self.made)
            volumes = tuple(map(self._shown, self.volumes))
            return Listing(region=region, at=time.time(), instances=instances, volumes=volumes)

    def _holder(self, volume_id: str) -> str | None:
        held = (n for n, m in self.made.items() if volume_id in [d.volume_id for d in m.machine.disks.values()])
        return next((instance_id for instance_id in held if self.made[instance_id].machine.runs), None)

    def _shown(self, volume_id: str) -> Volume:
        shelf, holder = self.volumes[volume_id], self._holder(volume_id)
        return Volume(
            volume_id=volume_id,
            region=self.region,
            zone=self.zone,
            size_gb=shelf.disk.size_gb,
            state=VolumeState.AVAILABLE if holder is None else VolumeState.IN_USE,
            attached_to=holder,
            created_at=shelf.at,
            price=VOLUME_PRICE,
            tags=shelf.tags,
        )

    def get(self, region: str, instance_id: str) -> Instance | None:
        """One machine."""
        return self._seen(instance_id) if instance_id in self.made else None

    def console(self, region: str, instance_id: str) -> str:
        """What cloud-init printed."""
        return self.made[instance_id].machine.read("/var/log/cloud-init-output.log")[-65_536:]

    def terminate(self, region: str, instance_id: str) -> None:
        """Shut down behind the caller's back."""
        made = self.made.get(instance_id)
        if made is not None and not made.told_to_end:
            made.told_to_end = True
            threading.Thread(target=made.machine.terminate).start()

    def create_volume(self, region: str, zone: str, volume: NewVolume, token: str, tags: dict[str, str]) -> Volume:
        """On the shelf."""
        with self._lock:
            for volume_id, shelf in self.volumes.items():
                if shelf.tags.get("token") == token:
                    return self._shown(volume_id)
            shelf = self._new_volume(volume.size_gb, tags)
            shelf.tags["token"] = token
            return self._shown(shelf.disk.volume_id)

    def attach(self, region: str, volume_id: str, instance_id: str) -> None:
        """Appears on the machine at once."""
        with self._lock:
            holder, made = self._holder(volume_id), self.made.get(instance_id)
            if made is None or not made.machine.runs:
                _refuse(ErrorClass.INVALID, "IncorrectInstanceState")
            if holder == instance_id:
                return
            if holder is not None:
                _refuse(ErrorClass.NOT_YET, "VolumeInUse")
            made.machine.attach(self.volumes[volume_id].disk, self.first_disk)

    def detach(self, region: str, volume_id: str, instance_id: str) -> None:
        """Once the machine let go of it."""
        with self._lock:
            if self._holder(volume_id) == instance_id:
                self.made[instance_id].machine.detach(self.volumes[volume_id].disk)

    def grow_volume(self, region: str, volume_id: str, size_gb: int) -> None:
        """Nothing here asks for it."""

    def access_rules(self, region: str) -> Sequence[AccessRule]:
        """Nobody has to be let in."""
        return ()

    def close_access(self, rule: AccessRule) -> None:
        """Nobody is."""

    def delete_volume(self, region: str, volume_id: str) -> None:
        """For good."""
        with self._lock:
            if self._holder(volume_id) is not None:
                _refuse(ErrorClass.NOT_YET, "VolumeInUse")
            shelf = self.volumes.pop(volume_id, None)
            if shelf is not None:
                shelf.disk.delete()

    def newest(self) -> Played:
        """The machine that was launched last."""
        return list(self.made.values())[-1].machine

    def close(self) -> None:
        """Leave nothing behind."""
        for made in self.made.values():
            made.machine.remove()
        for shelf in self.volumes.values():
            shelf.disk.delete()
