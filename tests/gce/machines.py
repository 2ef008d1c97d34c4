"""Machines of Compute Engine, played by containers with systemd as those of EC2 are (tests/ec2/container.py).

The same root; what makes it another cloud's is laid over it: the firmware's words, cloud-init's datasource, the metadata
server with its name, the names of disks, and the way in which a preempted machine ends.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fleet.model.cloud import Billing, Capabilities, LaunchRequest, Market
from fleet.providers.gcp import session
from fleet.providers.gcp.names import disk_name, id_of, machine_name
from fleet.store.objects import Objects
from fleet.store.opening import open_objects
from tests.ec2.bench import PREFIX, Bench
from tests.ec2.cloud import VOLUME_PRICE, ContainerCloud, PowerOn
from tests.ec2.container import Machine, Network, network
from tests.ec2.disk import Disk
from tests.ec2.emulated import Emulated
from tests.ec2.root import machine_image
from tests.gce.buckets import Bucket
from tests.gce.clock import Clock
from tests.gce.metadata import ADDRESS, NAME, metadata_server
from tests.gce.objects_api import buckets
from tests.gce.router import Router
from tests.gce.server import Server, serving
from tests.gce.standing import PROJECT, STRANGE, environment
from tests.gce.told import Told
from tests.system.engine import compose_program

REGION, ZONE = "us-central1", "us-central1-a"
ACCOUNT = f"fleet-machine@{PROJECT}.iam.gserviceaccount.com"
IMAGE = Path(__file__).parent / "image"
OVERLAY = {
    IMAGE / "99_machine.cfg": "/etc/cloud/cloud.cfg.d/99_machine.cfg",
    IMAGE / "dmidecode": "/usr/local/bin/dmidecode",
}
POWER_BUTTON = ("kill", "-s", "RTMIN+4", "1")
"""What systemd makes of it: poweroff.target."""


@dataclass
class Place:
    """What all tests share: the network of the machines, and Google's services as they see them."""

    network: Network
    services: Server
    url: str


@contextlib.contextmanager
def place(folder: Path) -> Iterator[Place]:
    """Set everything up, the environment of this process too, and leave nothing behind."""
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(network(machine_image(), metadata_server))
        made.mounts.update(OVERLAY)
        made.mounts[compose_program()] = "/usr/local/lib/docker/cli-plugins/docker-compose"
        services = stack.enter_context(serving(Router(Clock(), pace=0.02), host=ADDRESS))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name in STRANGE:
            patch.delenv(name, raising=False)
        for name, value in environment(services.url, folder).items():
            patch.setenv(name, value)
        session.forget()
        yield Place(made, services, services.url)


class GceDisk(Disk):
    """A persistent disk: its name is what the machine finds it by."""

    @property
    def link(self) -> str:
        """By Google's udev rules."""
        return f"google-{self.volume_id.partition('.')[0]}"


class GceMachine(Machine):
    """An instance of Compute Engine."""

    MORE = ("--add-host", f"{NAME}:{ADDRESS}")

    def preempt(self) -> None:
        """The word and the power button, in one moment. Half a minute later the plug is pulled: by who calls ``crash``."""
        self.told.preempted = True
        self.run(*POWER_BUTTON)


class GceEmulated(Emulated):
    """The same, emulated by QEMU: disks on virtio-scsi that say Google's names, and a power button that is one."""

    DISKS = ("-device", "virtio-scsi-pci,id=scsi")

    def firmware(self) -> str:
        """By which cloud-init knows the cloud."""
        return f"manufacturer=Google,product=Google Compute Engine,serial=GoogleCloud-{secrets.token_hex(16).upper()}"

    def device(self, disk: Disk) -> dict[str, str]:
        """A persistent disk."""
        name = disk.volume_id.partition(".")[0]
        return {"driver": "scsi-hd", "bus": "scsi.0", "vendor": "Google", "product": "PersistentDisk", "device_id": name}

    def preempt(self) -> None:
        """The word and the power button, in one moment."""
        self.told.preempted = True
        self.press()


class GceCloud(ContainerCloud):
    """The provider ``gcp`` with containers for machines."""

    name = "gcp"
    region, zone, instance_type = REGION, ZONE, "n1-standard-4"
    image_id, image = "projects/ubuntu-os-cloud/global/images/ubuntu-2404", "ubuntu-24.04"
    first_disk = "sdb"
    capabilities = Capabilities(
        notice_seconds=30,
        visible_within=5,
        billing=Billing(minimum_seconds=60),
        images=True,
        console=True,
        volume_price=VOLUME_PRICE,
    )
    _numbers = itertools.count(1)

    @property
    def environment(self) -> dict[str, str]:
        """How a machine reaches the cloud."""
        return {"FLEET_MACHINE": "gce", **self._environment}

    def told_to(self, request: LaunchRequest) -> Told:
        """What the metadata server will say of a machine that is asked for."""
        attributes = {
            "user-data": request.user_data,
            "user-data-encoding": "base64",
            "enable-oslogin": "FALSE",
            "block-project-ssh-keys": "TRUE",
            "enable-guest-attributes": "TRUE",
        }
        if self.public_key is not None:
            attributes["ssh-keys"] = f"ubuntu:{self.public_key}"
        return Told(
            machine_name(request.tags["run"], request.tags["attempt"], request.token),
            self._network.address(),
            zone=self.zone,
            project=PROJECT,
            attributes=attributes,
            service_account=ACCOUNT,
            spot=request.offers[0].market is Market.SPOT,
        )

    def new_disk(self, size_gb: int) -> Disk:
        """Named as the provider names it."""
        name = disk_name("chain", f"token-{next(self._numbers)}-{self._folder}")
        return GceDisk(self._folder, size_gb, id_of(name, self.zone))

    def noticed(self, told: Any) -> bool:
        """Preempted."""
        return bool(told.preempted)


class GceBench(Bench):
    """One fleet on Compute Engine, with its bucket on Cloud Storage."""

    def set_up(self, name: str, disks: Path, power_on: PowerOn) -> tuple[Objects, ContainerCloud]:
        """A bucket of the stand-in's."""
        router = self.place.services.router
        router.reset()
        buckets(router.cloud)[name] = Bucket(name)
        env = {
            key: value
            for key, value in environment(self.place.url, self.folder).items()
            if key.startswith("CLOUDSDK_") or key == "GOOGLE_BASE_URL"
        }
        return open_objects(f"gs://{name}/{PREFIX}"), GceCloud(self.place.network, disks, env, power_on)

    def refused(self) -> list[Any]:
        """Calls of who may not what it asked, and what broke an interface's rules. Who asks for the time signs nothing."""
        cloud = self.place.services.router.cloud
        denied = [call for call in cloud.calls if call.status == 403 or (call.status == 401 and call.principal)]
        return [*denied, *cloud.faults]
