"""Instances: from PROVISIONING to their end, by whoever ends them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.gce.clock import rfc3339, seconds_of
from tests.gce.compute_disks import Disks
from tests.gce.compute_endings import ENDING, Endings
from tests.gce.compute_insert import Checked
from tests.gce.compute_operations import Failed, Operations
from tests.gce.compute_stock import Stock
from tests.gce.compute_world import Thing, World
from tests.gce.jsonapi import Call
from tests.gce.wire import Json, Refused


class Instances:
    """Those of one project."""

    def __init__(self, world: World, operations: Operations, stock: Stock, disks: Disks) -> None:
        self.world, self.operations, self.stock, self.disks = world, operations, stock, disks
        self.endings = Endings(world, operations, stock, disks)
        self.keeps_disks_of_failed = False
        """A machine that came to nothing leaves its new disks behind."""

    def methods(self) -> dict[str, Callable[[Call], Any]]:
        return {
            "instances.insert": self._insert,
            "instances.get": lambda call: self.find(call).data,
            "instances.delete": self._delete,
            "instances.stop": self._stop,
            "instances.start": self._start,
        }

    def find(self, call: Call) -> Thing:
        """The instance that a call is about. Raises Refused."""
        return self.world.get("instances", self.stock.zone(call), call.params["instance"])

    def _insert(self, call: Call) -> Json:
        zone = self.stock.zone(call)
        if again := self.operations.again(call):
            return again
        checked = Checked(self.world, self.stock, zone, call.body)
        instance = self.world.add("instances", zone, checked.resource(), checked=checked, stays=False)
        try:
            self._attach_all(instance, call.body["disks"])
            self.stock.room_at_once(checked)
        except Refused:
            self._undo(instance)
            raise
        self.world.changed(instance)
        operation = self.operations.begin(call, "insert", zone, instance)
        instance.extra["operation"] = operation
        self.world.after(self.world.timing.accept + self.world.timing.provision, lambda: self._provision(instance))
        return operation.data

    def _attach_all(self, instance: Thing, wanted: list[Json]) -> None:
        for index, each in enumerate(wanted):
            attached = self.attached(instance, index, each)
            instance.data["disks"].append(attached)

    def attached(self, instance: Thing, index: int, wanted: Json) -> Json:
        """A disk at its place in an instance; made, if it is new. Raises Refused."""
        mode = wanted.get("mode", "READ_WRITE")
        made: Json = {
            "kind": "compute#attachedDisk",
            "type": wanted.get("type", "PERSISTENT"),
            "mode": mode,
            "boot": bool(wanted.get("boot", False)),
            "autoDelete": bool(wanted.get("autoDelete", False)),
            "index": index,
            "interface": wanted.get("interface", "SCSI"),
            "deviceName": wanted.get("deviceName") or f"persistent-disk-{index}",
        }
        if made["type"] == "SCRATCH":
            return {**made, "diskSizeGb": "375"}
        params = wanted.get("initializeParams")
        if params is None:
            disk = self.disks.of_source(str(wanted["source"]), instance.scope)
        else:
            new = {"name": params.get("diskName") or instance.name + ("" if index == 0 else f"-{index}")}
            new["sizeGb"] = params.get("diskSizeGb") or wanted.get("diskSizeGb")
            names = ("sourceImage", "labels", "description", "provisionedIops", "provisionedThroughput")
            new.update({name: params[name] for name in names if name in params}, type=params.get("diskType"))
            disk = self.disks.make(instance.scope, new, f"resource.disks[{index}].initializeParams")
            instance.extra.setdefault("made", []).append(disk)
        self.disks.take(disk, instance, mode)
        made.update(source=disk.data["selfLink"], diskSizeGb=disk.data["sizeGb"])
        made.update({name: disk.data[name] for name in ("licenses", "guestOsFeatures") if disk.data.get(name)})
        return made

    def _provision(self, instance: Thing) -> None:
        if instance.died is not None or instance.data["status"] != "PROVISIONING":
            return
        try:
            self.stock.place(instance)
        except Failed as failure:
            self._undo(instance)
            self.operations.end(instance.extra["operation"], failure)
            return
        for disk in instance.extra.get("made", []):
            self.disks.ready(disk)
        self.stock.address(instance)
        self.endings.to(instance, "STAGING")
        self.world.after(self.world.timing.stage, lambda: self._run(instance))

    def _run(self, instance: Thing) -> None:
        if instance.died is not None or instance.data["status"] != "STAGING":
            return
        instance.data.update(cpuPlatform="Intel Haswell", lastStartTimestamp=self.world.stamp())
        self._limit(instance)
        instance.extra.setdefault("ran", []).append({"since": self.world.now(), "until": None, "by": ""})
        self.endings.to(instance, "RUNNING")
        self.operations.end(instance.extra["operation"])

    def _limit(self, instance: Thing) -> None:
        scheduling = instance.data["scheduling"]
        if "terminationTime" in scheduling:
            until = seconds_of(scheduling["terminationTime"])
        elif "maxRunDuration" in scheduling:
            # Counted from the time when it came to run, anew with every start.
            until = self.world.now() + int(scheduling["maxRunDuration"]["seconds"])
        else:
            return
        instance.data["resourceStatus"] = {"scheduling": {"terminationTimestamp": rfc3339(until)}}
        instance.extra["until"] = until
        self.world.at(until, lambda: self.endings.over(instance, until))

    def _undo(self, instance: Thing) -> None:
        """It came to nothing: as if it had never been."""
        instance.extra["nothing"] = True
        for attached in instance.data["disks"]:
            if "source" in attached:
                self.disks.let_go(self.disks.of_source(attached["source"], instance.scope), instance)
        for disk in instance.extra.get("made", []):
            if self.keeps_disks_of_failed:
                self.disks.ready(disk)
                self.disks.let_go(disk, instance)
            else:
                self.disks.drop(disk)
        self.world.remove(instance)

    def _delete(self, call: Call) -> Json:
        if again := self.operations.again(call):
            return again
        instance = self.find(call)
        if instance.data["deletionProtection"]:
            short = self.world.short("instances", instance.scope, instance.name)
            message = f"Invalid resource usage: 'Resource cannot be deleted if it's protected against deletion: {short}'."
            raise Refused(400, "invalidUsage", message)
        operation = self.endings.end(instance, "delete", deletes=True, call=call)
        before = instance.extra["operation"]
        if before.data["status"] != "DONE":
            message = f"The resource '{self.world.short('instances', instance.scope, instance.name)}' was not found"
            self.operations.end(before, Failed("RESOURCE_NOT_FOUND", message, 404, "NOT FOUND"))
        return operation.data

    def _stop(self, call: Call) -> Json:
        if again := self.operations.again(call):
            return again
        instance = self.find(call)
        if instance.data["status"] == "TERMINATED":
            return self.operations.done(self.operations.begin(call, "stop", instance.scope, instance), 0)
        self._ready(instance)
        return self.endings.end(instance, "stop", deletes=False, call=call).data

    def _start(self, call: Call) -> Json:
        if again := self.operations.again(call):
            return again
        instance = self.find(call)
        if instance.data["status"] != "TERMINATED":
            self._ready(instance)
            return self.operations.done(self.operations.begin(call, "start", instance.scope, instance), 0)
        instance.extra["operation"] = operation = self.operations.begin(call, "start", instance.scope, instance)
        self.endings.to(instance, "PROVISIONING")
        self.world.after(self.world.timing.accept + self.world.timing.provision, lambda: self._provision(instance))
        return operation.data

    def _ready(self, instance: Thing) -> None:
        if instance.data["status"] in (*ENDING, "PROVISIONING", "STAGING"):
            short = self.world.short("instances", instance.scope, instance.name)
            raise Refused(400, "resourceNotReady", f"The resource '{short}' is not ready")
