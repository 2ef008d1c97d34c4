"""Changes of an instance that is there (disks, labels, tags, metadata), and what it says: console, guest attributes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.gce.compute_disks import Disks
from tests.gce.compute_endings import ENDING
from tests.gce.compute_insert import Checked, invalid
from tests.gce.compute_instances import Instances
from tests.gce.compute_operations import Operations
from tests.gce.compute_stock import Stock
from tests.gce.compute_world import Thing, World
from tests.gce.jsonapi import Call
from tests.gce.wire import Json, Refused

CONSOLE = 1024 * 1024
"""The serial port's last MiB is kept."""


class Changes:
    """Of one project's instances."""

    def __init__(self, world: World, operations: Operations, stock: Stock, disks: Disks, instances: Instances) -> None:
        self.world, self.operations, self.stock = world, operations, stock
        self.disks, self.instances = disks, instances

    def methods(self) -> dict[str, Callable[[Call], Any]]:
        return {
            "instances.attachDisk": self._attach,
            "instances.detachDisk": self._detach,
            "instances.setDiskAutoDelete": self._auto_delete,
            "instances.setLabels": self._labels,
            "instances.setTags": self._tags,
            "instances.setMetadata": self._metadata,
            "instances.getSerialPortOutput": self._console,
            "instances.getGuestAttributes": self._guest_attributes,
        }

    def _changed(self, call: Call, instance: Thing, kind: str, seconds: float) -> Json:
        self.world.changed(instance)
        return self.operations.done(self.operations.begin(call, kind, instance.scope, instance), seconds)

    def _attach(self, call: Call) -> Json:
        if again := self.operations.again(call):
            return again
        instance, wanted = self.instances.find(call), call.body
        self._ready(instance)
        if "initializeParams" in wanted or not wanted.get("source"):
            raise invalid("initializeParams", "", "A disk is attached by its source only.")
        disk = self.disks.of_source(str(wanted["source"]), instance.scope)
        if disk.data["status"] != "READY":
            short = self.world.short("disks", disk.scope, disk.name)
            raise Refused(400, "resourceNotReady", f"The resource '{short}' is not ready")
        checked: Checked = instance.extra["checked"]
        checked.fits_disk("resource", disk.data["type"].rpartition("/")[2])
        taken = {each["deviceName"] for each in instance.data["disks"]}
        if wanted.get("deviceName") in taken:
            why = "The device name is already in use by this instance."
            raise invalid("deviceName", wanted["deviceName"], why)
        index = max((each["index"] for each in instance.data["disks"]), default=-1) + 1
        instance.data["disks"].append(self.instances.attached(instance, index, wanted))
        return self._changed(call, instance, "attachDisk", self.world.timing.disk)

    def _detach(self, call: Call) -> Json:
        if again := self.operations.again(call):
            return again
        instance = self.instances.find(call)
        attached = self._device(call, instance)
        if attached["boot"] and instance.data["status"] != "TERMINATED":
            raise Refused(400, "invalid", "Boot disk can be detached from a stopped instance only.")
        instance.data["disks"].remove(attached)
        self.disks.let_go(self.disks.of_source(attached["source"], instance.scope), instance)
        return self._changed(call, instance, "detachDisk", self.world.timing.disk)

    def _auto_delete(self, call: Call) -> Json:
        if again := self.operations.again(call):
            return again
        instance = self.instances.find(call)
        self._device(call, instance)["autoDelete"] = call.true("autoDelete")
        return self._changed(call, instance, "setDiskAutoDelete", self.world.timing.other)

    def _device(self, call: Call, instance: Thing) -> Json:
        name = call.params["deviceName"]
        for attached in instance.data["disks"]:
            if attached["deviceName"] == name:
                found: Json = attached
                return found
        raise invalid("deviceName", name, "No attached disk found with device name.")

    def _labels(self, call: Call) -> Json:
        if again := self.operations.again(call):
            return again
        instance = self.instances.find(call)
        self.stock.fresh(call.body.get("labelFingerprint"), instance.data["labelFingerprint"])
        labels = call.body.get("labels", {})
        self.stock.labels(labels, "labels")
        instance.data.update(labels=labels, labelFingerprint=self.stock.fingerprint({"labels": labels}))
        return self._changed(call, instance, "setLabels", self.world.timing.other)

    def _tags(self, call: Call) -> Json:
        if again := self.operations.again(call):
            return again
        instance = self.instances.find(call)
        self.stock.fresh(call.body.get("fingerprint"), instance.data["tags"]["fingerprint"], "Tags")
        items = call.body.get("items", [])
        instance.data["tags"] = {"items": items, "fingerprint": self.stock.fingerprint({"items": items})}
        return self._changed(call, instance, "setTags", self.world.timing.other)

    def _metadata(self, call: Call) -> Json:
        if again := self.operations.again(call):
            return again
        instance = self.instances.find(call)
        self.stock.fresh(call.body.get("fingerprint"), instance.data["metadata"]["fingerprint"], "Metadata")
        self.stock.metadata(call.body, "metadata")
        items = call.body.get("items", [])
        fingerprint = self.stock.fingerprint({"items": items})
        instance.data["metadata"] = {"kind": "compute#metadata", "items": items, "fingerprint": fingerprint}
        return self._changed(call, instance, "setMetadata", self.world.timing.other)

    def _console(self, call: Call) -> Json:
        instance = self.instances.find(call)
        whole: str = instance.extra.get("console", "")
        kept = max(0, len(whole) - CONSOLE)
        start = max(call.int("start", kept), kept)
        link = f"{instance.data['selfLink']}/serialPort"
        return {
            "kind": "compute#serialPortOutput",
            "contents": whole[start:],
            "start": str(start),
            "next": str(len(whole)),
            "selfLink": link,
        }

    def _guest_attributes(self, call: Call) -> Json:
        instance = self.instances.find(call)
        items = {each["key"]: each.get("value", "") for each in instance.data["metadata"].get("items", [])}
        if items.get("enable-guest-attributes", "").upper() != "TRUE":
            raise Refused(412, "conditionNotMet", "GuestAttributes endpoint access is disabled.")
        path = call.params.get("queryPath", "")
        space, _, key = path.partition("/")
        if variable := call.params.get("variableKey", ""):
            space, _, key = variable.partition("/")
        found = [
            {"namespace": each, "key": name, "value": value}
            for (each, name), value in sorted(instance.extra.get("attributes", {}).items())
            if space in ("", each) and key in ("", name)
        ]
        if not found:
            short = self.world.short("instances", instance.scope, instance.name)
            message = f"The resource 'Guest Attribute {path or variable} of {short}' was not found"
            raise Refused(404, "notFound", message)
        answer: Json = {"kind": "compute#guestAttributes", "selfLink": f"{instance.data['selfLink']}/guestAttributes"}
        if variable:
            return {**answer, "variableKey": variable, "variableValue": found[0]["value"]}
        return {**answer, "queryPath": path, "queryValue": {"items": found}}

    def _ready(self, instance: Thing) -> None:
        if instance.data["status"] in (*ENDING, "PROVISIONING"):
            short = self.world.short("instances", instance.scope, instance.name)
            raise Refused(400, "resourceNotReady", f"The resource '{short}' is not ready")
