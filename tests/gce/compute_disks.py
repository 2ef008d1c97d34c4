"""Persistent disks: made, attached, detached, resized and deleted, by Compute Engine's rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.gce.compute_data import DISK_TYPES
from tests.gce.compute_operations import Operations
from tests.gce.compute_stock import Stock
from tests.gce.compute_world import Thing, World
from tests.gce.jsonapi import Call
from tests.gce.wire import Json, Refused

MOST_GB = 65536
MOST_ATTACHED = 128


class Disks:
    """Those of one project."""

    def __init__(self, world: World, operations: Operations, stock: Stock) -> None:
        self.world, self.operations, self.stock = world, operations, stock

    def methods(self) -> dict[str, Callable[[Call], Any]]:
        return {
            "disks.insert": self._insert,
            "disks.get": lambda call: self._find(call).data,
            "disks.delete": self._delete,
            "disks.resize": self._resize,
            "disks.setLabels": self._set_labels,
        }

    def _find(self, call: Call, name: str = "disk") -> Thing:
        return self.world.get("disks", self.stock.zone(call), call.params[name])

    def _insert(self, call: Call) -> Json:
        zone = self.stock.zone(call)
        if again := self.operations.again(call):
            return again
        wanted: Json = dict(call.body)
        if "sourceImage" in call.params:
            wanted["sourceImage"] = call.params["sourceImage"]
        disk = self.make(zone, wanted, "resource")
        operation = self.operations.begin(call, "insert", zone, disk)
        return self.operations.done(operation, self.world.timing.disk, lambda: self.ready(disk))

    def make(self, zone: str, wanted: Json, field: str) -> Thing:
        """A disk that is being made. Raises Refused."""
        kind = str(wanted.get("type") or "pd-standard").rpartition("/")[2]
        if kind not in DISK_TYPES:
            raise Refused(
                400,
                "invalid",
                f"Invalid value for field '{field}.type': '{wanted.get('type')}'. The referenced disk type does not exist.",
            )
        image = self.stock.image(wanted["sourceImage"], f"{field}.sourceImage") if wanted.get("sourceImage") else None
        least = int(image["diskSizeGb"]) if image else 0
        size = int(wanted.get("sizeGb") or least or DISK_TYPES[kind].usual_gb)
        if size < least:
            message = f"Requested disk size cannot be smaller than the image size ({least} GB)"
            raise Refused(400, "invalid", f"Invalid value for field '{field}.sizeGb': '{size}'. {message}")
        if not DISK_TYPES[kind].least_gb <= size <= MOST_GB:
            message = f"Disk size must be between {DISK_TYPES[kind].least_gb} and {MOST_GB} GB, inclusive."
            raise Refused(400, "invalid", f"Invalid value for field '{field}.sizeGb': '{size}'. {message}")
        data: Json = {
            "kind": "compute#disk",
            "name": wanted["name"],
            "zone": self.world.place(zone),
            "sizeGb": str(size),
            "type": self.world.link("diskTypes", zone, kind),
            "status": "CREATING",
            "labelFingerprint": "42WmSpB8rSM=",
            "physicalBlockSizeBytes": "4096",
            "enableConfidentialCompute": False,
        }
        data.update({name: wanted[name] for name in ("description", "labels") if wanted.get(name)})
        if image:
            data.update(sourceImage=image["selfLink"], sourceImageId=image["id"], licenses=image.get("licenses", []))
            data["guestOsFeatures"] = image.get("guestOsFeatures", [])
        if DISK_TYPES[kind].iops:
            data["provisionedIops"] = str(wanted.get("provisionedIops") or DISK_TYPES[kind].iops)
            data["provisionedThroughput"] = str(wanted.get("provisionedThroughput") or DISK_TYPES[kind].throughput)
        self.stock.room_for_disk(zone, kind, size)
        return self.world.add("disks", zone, data)

    def ready(self, disk: Thing) -> None:
        """It is made."""
        if disk.died is None:
            disk.data["status"] = "READY"
            self.world.changed(disk)

    def of_source(self, source: str, zone: str) -> Thing:
        """The disk that a URL names. Raises Refused: not there, or in another zone."""
        parts = source.split("/")
        where, name = (parts[parts.index("zones") + 1], parts[-1]) if "zones" in parts else (zone, parts[-1])
        if where != zone:
            message = f"The disk cannot be attached: it is in zone '{where}', and the instance in '{zone}'."
            raise Refused(400, "invalid", f"Invalid value for field 'resource.disks[0].source': '{source}'. {message}")
        return self.world.get("disks", zone, name)

    def take(self, disk: Thing, instance: Thing, mode: str) -> None:
        """An instance uses it from now on. Raises Refused if another one does."""
        users = disk.data.get("users", [])
        if users and mode != "READ_ONLY":
            raise self._in_use(disk)
        if instance.data["selfLink"] not in users:
            disk.data["users"] = [*users, instance.data["selfLink"]]
        disk.data["lastAttachTimestamp"] = self.world.stamp()
        self.world.changed(disk)

    def let_go(self, disk: Thing, instance: Thing) -> None:
        """An instance uses it no more."""
        left = [each for each in disk.data.get("users", []) if each != instance.data["selfLink"]]
        disk.data.pop("users", None)
        if left:
            disk.data["users"] = left
        disk.data["lastDetachTimestamp"] = self.world.stamp()
        self.world.changed(disk)

    def _in_use(self, disk: Thing) -> Refused:
        short = self.world.short("disks", disk.scope, disk.name)
        user = disk.data["users"][0].partition("/compute/v1/")[2]
        message = f"The disk resource '{short}' is already being used by '{user}'"
        return Refused(400, "resourceInUseByAnotherResource", message)

    def _not_ready(self, disk: Thing) -> Refused:
        short = self.world.short("disks", disk.scope, disk.name)
        return Refused(400, "resourceNotReady", f"The resource '{short}' is not ready")

    def _delete(self, call: Call) -> Json:
        if again := self.operations.again(call):
            return again
        disk = self._find(call)
        if disk.data.get("users"):
            raise self._in_use(disk)
        if disk.data["status"] in ("CREATING", "DELETING"):
            raise self._not_ready(disk)
        disk.data["status"] = "DELETING"
        self.world.changed(disk)
        operation = self.operations.begin(call, "delete", disk.scope, disk)
        return self.operations.done(operation, self.world.timing.disk, lambda: self.drop(disk))

    def drop(self, disk: Thing) -> None:
        """It is gone, with what was on it."""
        if disk.died is None:
            self.world.remove(disk)

    def _resize(self, call: Call) -> Json:
        if again := self.operations.again(call):
            return again
        disk, size = self._find(call), int(call.body.get("sizeGb", 0))
        if size <= int(disk.data["sizeGb"]):
            message = f"New disk size '{size}' GiB must be larger than existing size '{disk.data['sizeGb']}' GiB."
            raise Refused(400, "invalid", f"Invalid value for field 'sizeGb': '{size}'. {message}")
        if size > MOST_GB:
            raise Refused(
                400, "invalid", f"Invalid value for field 'sizeGb': '{size}'. Disk size cannot exceed {MOST_GB} GB."
            )
        self.stock.room_for_disk(disk.scope, disk.data["type"].rpartition("/")[2], size - int(disk.data["sizeGb"]))
        operation = self.operations.begin(call, "resizeDisk", disk.scope, disk)

        def grown() -> None:
            disk.data["sizeGb"] = str(size)
            self.world.changed(disk)

        return self.operations.done(operation, self.world.timing.disk, grown)

    def _set_labels(self, call: Call) -> Json:
        if again := self.operations.again(call):
            return again
        disk = self._find(call, "resource")
        self.stock.fresh(call.body.get("labelFingerprint"), disk.data["labelFingerprint"])
        disk.data.update(labels=call.body.get("labels", {}), labelFingerprint=self.stock.fingerprint(call.body))
        self.world.changed(disk)
        return self.operations.done(self.operations.begin(call, "setLabels", disk.scope, disk), self.world.timing.other)
