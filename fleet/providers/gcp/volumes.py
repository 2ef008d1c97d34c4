"""Persistent disks outside a launch.

What a call would do wrong is looked for first, by describing; what Compute Engine refuses all the same stands in the
operation, which is waited for: attaching and detaching take seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fleet.model.base import Micros
from fleet.model.cloud import InstanceState, NewVolume, Volume, VolumeState
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.gcp import calls, mapping, names, shapes
from fleet.providers.gcp.errors import EXISTS, NOT_FOUND, operation_refusal, refusal
from fleet.providers.gcp.operations import Waiter

Json = dict[str, Any]


class Volumes:
    """One fleet's volumes."""

    def __init__(self, fleet_id: str, project: str, waiter: Waiter, price: Callable[[str], Micros]) -> None:
        """``price`` tells micro-dollars per GB and month in a region."""
        self._fleet_id, self._project, self._waiter, self.price = fleet_id, project, waiter, price

    def create(self, region: str, zone: str, volume: NewVolume, token: str, tags: dict[str, str]) -> Volume:
        """Make one; the same token gives the same."""
        if tags.get("fleet") != self._fleet_id:
            raise refusal("invalidArgument", "the volume's tags do not say whose it is")
        made = self._of_token(token, zone) or self._make(zone, volume, token, tags)
        found = mapping.volume(made, self.price)
        if (found.zone, found.size_gb) != (zone, max(volume.size_gb, shapes.LEAST_GB)):
            raise refusal("tokenReused", "this token was used for another volume")
        return found

    def attach(self, region: str, volume_id: str, instance_id: str) -> None:
        """Attach one; see the contract."""
        volume, machine = self._mine(volume_id), self._machine(instance_id)
        if volume is None:
            raise refusal("notFound", f"there is no volume {volume_id}")
        if machine is None:
            raise refusal("notFound", f"there is no machine {instance_id}")
        if check_attach(mapping.volume(volume, self.price), machine):
            name = volume["name"]
            body = {
                "source": f"projects/{self._project}/zones/{names.last(volume['zone'])}/disks/{name}",
                "deviceName": name,
                "autoDelete": False,
                "mode": "READ_WRITE",
                "type": "PERSISTENT",
            }
            self._done("instances.attachDisk", machine, body=body, instance=machine["name"])

    def detach(self, region: str, volume_id: str, instance_id: str) -> None:
        """Take one off; see the contract."""
        machine = self._machine(instance_id)
        device = self._device(machine, volume_id)
        if machine is None or device is None:
            return
        try:
            self._done("instances.detachDisk", machine, instance=machine["name"], device_name=device)
        except ProviderError as error:
            if error.error_class not in (ErrorClass.INVALID, ErrorClass.NOT_YET):
                raise
            if self._device(self._machine(instance_id), volume_id) is not None:
                raise

    def grow(self, region: str, volume_id: str, size_gb: int) -> None:
        """Enlarge one; see the contract."""
        volume = self._mine(volume_id)
        if volume is None:
            raise refusal("notFound", f"there is no volume {volume_id}")
        if int(volume["sizeGb"]) >= size_gb:
            return
        try:
            self._done("disks.resize", volume, body={"sizeGb": str(size_gb)}, disk=volume["name"])
        except ProviderError as error:
            now = self._mine(volume_id) if error.error_class is ErrorClass.INVALID else None
            if now is None or int(now["sizeGb"]) < size_gb:
                raise

    def delete(self, region: str, volume_id: str) -> None:
        """Delete one; see the contract."""
        volume = self._mine(volume_id)
        if volume is None:
            return
        if volume.get("users"):
            raise refusal("resourceInUse", f"{volume_id} is at {names.last(volume['users'][0])}")
        try:
            self._done("disks.delete", volume, disk=volume["name"])
        except ProviderError as error:
            if error.code not in NOT_FOUND and self._mine(volume_id) is not None:
                raise

    def _done(self, call: str, at: Json, **asked: Any) -> None:
        """Make a call in a thing's zone, and wait for what comes of it. Raises ProviderError, the operation's too."""
        operation = calls.compute(call, project=self._project, zone=names.last(at["zone"]), **asked)
        failure = operation_refusal(call, self._waiter.until_done(operation))
        if failure is not None:
            raise failure

    def _make(self, zone: str, volume: NewVolume, token: str, tags: dict[str, str]) -> Json:
        name = names.disk_name(names.label(tags.get("run", "volume")), token)
        operation: Json | None = None
        try:
            operation = calls.compute(
                "disks.insert",
                project=self._project,
                zone=zone,
                request_id=names.request_id(token, zone, "disk"),
                body=volume_request(self._project, zone, volume, name, token, tags),
            )
            failure = operation_refusal("disks.insert", self._waiter.until_done(operation))
            if failure is not None and failure.code not in EXISTS:
                raise failure
        except ProviderError as error:
            if error.code not in EXISTS:
                raise
        made = calls.found("disks.get", project=self._project, zone=zone, disk=name)
        if made is None:
            done = operation is not None and operation.get("status") == "DONE"
            raise refusal("tokenReused" if done else "unreachable", f"the volume of this token, {name}, is not there")
        return made

    def _of_token(self, token: str, zone: str) -> Json | None:
        wanted = f"labels.{names.TOKEN_LABEL}={names.digest(token)}"
        told = calls.everywhere("disks.aggregatedList", "disks", project=self._project, filter=wanted)
        mine = [one for one in told.items if mapping.is_mine(one, self._fleet_id) and not mapping.is_boot_disk(one)]
        if not mine:
            told.check([zone])
        return mine[0] if mine else None

    def _mine(self, volume_id: str) -> Json | None:
        return self._found("disks.get", "disk", volume_id)

    def _machine(self, instance_id: str) -> Json | None:
        return self._found("instances.get", "instance", instance_id)

    def _found(self, call: str, what: str, identifier: str) -> Json | None:
        try:
            name, zone = names.parts_of(identifier)
        except ValueError:
            return None
        found = calls.found(call, project=self._project, zone=zone, **{what: name})
        return found if found is not None and mapping.is_mine(found, self._fleet_id) else None

    def _device(self, machine: Json | None, volume_id: str) -> str | None:
        """By which name a machine holds a volume; None: it does not."""
        try:
            name, zone = names.parts_of(volume_id)
        except ValueError:
            return None
        if machine is None or names.last(machine["zone"]) != zone:
            return None
        return mapping.device_of(machine, name)


def volume_request(
    project: str, zone: str, volume: NewVolume, name: str, token: str, tags: dict[str, str]
) -> dict[str, Any]:
    """``disks.insert``: balanced, blank, labelled at once. (Google encrypts every disk.)"""
    return {
        "name": name,
        "sizeGb": str(max(volume.size_gb, shapes.LEAST_GB)),
        "type": f"projects/{project}/zones/{zone}/diskTypes/{shapes.BALANCED}",
        "labels": {**names.labels(tags), names.TOKEN_LABEL: names.digest(token)},
        "description": names.described(tags),
    }


def check_attach(volume: Volume, machine: Json) -> bool:
    """Whether there is anything to do. Raises ProviderError for what cannot be, or not yet."""
    volume_id, instance_id, state = volume.volume_id, mapping.machine_id(machine), mapping.state_of(machine)
    if state not in (InstanceState.PENDING, InstanceState.RUNNING):
        raise refusal("invalidArgument", f"{instance_id} is {state.value}: nothing can be attached to it")
    if names.last(machine["zone"]) != volume.zone:
        raise refusal("invalidArgument", f"{volume_id} is in {volume.zone}, {instance_id} is not")
    if volume.attached_to == instance_id:
        return False
    if volume.attached_to is not None:
        raise refusal("resourceInUse", f"{volume_id} is at {volume.attached_to}")
    if volume.state is not VolumeState.AVAILABLE or state is not InstanceState.RUNNING:
        raise refusal("resourceNotReady", f"{volume_id} is {volume.state.value}, {instance_id} is {state.value}")
    return True
