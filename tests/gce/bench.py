"""Google's own Compute Engine clients over the stand-in in this process, on a clock that stands still until it is told."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from google.api_core.exceptions import GoogleAPICallError
from google.cloud import compute_v1

from tests.gce import inprocess
from tests.gce.clock import Clock
from tests.gce.compute_api import Compute
from tests.gce.router import Router

PROJECT = "fleet-test"
ZONE = "us-central1-a"
REGION = "us-central1"
UBUNTU = "projects/ubuntu-os-cloud/global/images/family/ubuntu-2404-lts-amd64"
BEGAN = 1_800_000_000.0


class Bench:
    """One project, and what a test says and asks."""

    def __init__(self) -> None:
        self.router = Router(Clock(lambda: BEGAN))
        self.compute = self.router["compute"]
        assert isinstance(self.compute, Compute)

    def _client(self, kind: Any) -> Any:
        return inprocess.client(kind, self.router)

    @cached_property
    def instances(self) -> Any:
        return self._client(compute_v1.InstancesClient)

    @cached_property
    def disks(self) -> Any:
        return self._client(compute_v1.DisksClient)

    @cached_property
    def operations(self) -> Any:
        return self._client(compute_v1.ZoneOperationsClient)

    @cached_property
    def regions(self) -> Any:
        return self._client(compute_v1.RegionsClient)

    @cached_property
    def projects(self) -> Any:
        return self._client(compute_v1.ProjectsClient)

    def say(self, verb: str, **telling: Any) -> Any:
        """A word to Compute Engine."""
        return self.router.control("compute", verb, telling)

    def later(self, seconds: float) -> None:
        """Time goes by."""
        self.router.cloud.clock.advance(seconds)

    def now(self) -> float:
        """Seconds since the bench began."""
        return self.router.cloud.clock() - BEGAN

    def wait(self, operation: Any) -> Any:
        """The operation when it is done; waits as a client does."""
        return self.operations.wait(project=PROJECT, zone=operation.zone.rpartition("/")[2], operation=operation.name)

    def insert(self, name: str = "machine", request_id: str | None = None, zone: str = ZONE, **changes: Any) -> Any:
        """An insert's operation, as it was answered."""
        request = compute_v1.InsertInstanceRequest(
            project=PROJECT, zone=zone, instance_resource=machine(name, zone, **changes), request_id=request_id
        )
        return self.instances.insert_unary(request=request)

    def made(self, name: str = "machine", **changes: Any) -> Any:
        """A machine that runs."""
        done = self.wait(self.insert(name, **changes))
        assert not done.error.errors, done.error
        return self.get(name, changes.get("zone", ZONE))

    def get(self, name: str = "machine", zone: str = ZONE) -> Any:
        """An instance; raises NotFound."""
        return self.instances.get(project=PROJECT, zone=zone, instance=name)

    def status(self, name: str = "machine", zone: str = ZONE) -> str:
        """Its status; empty when it is gone."""
        return next((str(each.status) for each in self.listed() if each.name == name), "")

    def listed(self, filter_: str = "") -> list[Any]:
        """All instances by one aggregated list, all its pages."""
        request = compute_v1.AggregatedListInstancesRequest(project=PROJECT, filter=filter_ or None)
        return [each for _, scoped in self.instances.aggregated_list(request=request) for each in scoped.instances]

    def disk(self, name: str, size_gb: int = 500, zone: str = ZONE, **fields: Any) -> Any:
        """A disk that is ready."""
        wanted = compute_v1.Disk(name=name, size_gb=size_gb, type_=f"zones/{zone}/diskTypes/pd-balanced", **fields)
        done = self.wait(self.disks.insert_unary(project=PROJECT, zone=zone, disk_resource=wanted))
        assert not done.error.errors, done.error
        return self.disks.get(project=PROJECT, zone=zone, disk=name)

    def attach(self, disk: str, name: str = "machine", zone: str = ZONE, mode: str = "READ_WRITE") -> Any:
        """An attach's operation."""
        wanted = compute_v1.AttachedDisk(source=f"zones/{zone}/disks/{disk}", device_name=disk, mode=mode)
        return self.instances.attach_disk_unary(project=PROJECT, zone=ZONE, instance=name, attached_disk_resource=wanted)


def machine(name: str, zone: str = ZONE, **changes: Any) -> compute_v1.Instance:
    """A Spot machine with its boot disk; ``changes`` are fields of the instance."""
    region = zone.rpartition("-")[0]
    fields: dict[str, Any] = {
        "name": name,
        "machine_type": f"zones/{zone}/machineTypes/e2-standard-4",
        "disks": [boot_disk()],
        "labels": {"fleet": "abc"},
        "network_interfaces": [nic(region)],
        "scheduling": compute_v1.Scheduling(provisioning_model="SPOT", instance_termination_action="DELETE"),
    }
    return compute_v1.Instance(**{**fields, **changes})


def boot_disk(**params: Any) -> compute_v1.AttachedDisk:
    """Goes with its machine."""
    return compute_v1.AttachedDisk(
        boot=True,
        auto_delete=True,
        initialize_params=compute_v1.AttachedDiskInitializeParams(**{"source_image": UBUNTU, **params}),
    )


def new_volume(name: str, size_gb: int = 500, zone: str = ZONE) -> compute_v1.AttachedDisk:
    """Stays when its machine goes."""
    params = compute_v1.AttachedDiskInitializeParams(
        disk_name=name, disk_size_gb=size_gb, disk_type=f"zones/{zone}/diskTypes/pd-balanced", labels={"fleet": "abc"}
    )
    return compute_v1.AttachedDisk(auto_delete=False, device_name=name, initialize_params=params)


def nic(region: str = REGION) -> compute_v1.NetworkInterface:
    """With a public address."""
    access = compute_v1.AccessConfig(name="External NAT", type_="ONE_TO_ONE_NAT")
    return compute_v1.NetworkInterface(subnetwork=f"regions/{region}/subnetworks/fleet", access_configs=[access])


def gpu(kind: str = "nvidia-tesla-t4", count: int = 1, zone: str = ZONE) -> compute_v1.AcceleratorConfig:
    """An accelerator of an N1 machine."""
    return compute_v1.AcceleratorConfig(accelerator_type=f"zones/{zone}/acceleratorTypes/{kind}", accelerator_count=count)


def reason(error: GoogleAPICallError) -> str:
    """The old form's reason of a refusal: ``notFound``, ``quotaExceeded``."""
    return str(error.errors[0]["reason"])
