"""How instances end: by a call, by their guest, by their time limit, by Google taking them back."""

from __future__ import annotations

from tests.gce.compute_disks import Disks
from tests.gce.compute_operations import Failed, Operations
from tests.gce.compute_stock import Stock
from tests.gce.compute_world import Thing, World
from tests.gce.jsonapi import Call

ENDING = ("STOPPING", "SUSPENDING", "PENDING_STOP")


class Endings:
    """Of one project's instances."""

    def __init__(self, world: World, operations: Operations, stock: Stock, disks: Disks) -> None:
        self.world, self.operations, self.stock, self.disks = world, operations, stock, disks
        self.limit_ends_stopped = False
        """Whether a time limit still deletes a machine that was stopped before. Google's pages say that the limit is
        cleared then; people have seen ``deferredDelete`` end machines that had powered themselves off."""

    def end(self, instance: Thing, kind: str, *, deletes: bool, call: Call | None = None, message: str = "") -> Thing:
        """It powers off, and then stays TERMINATED or is gone: the operation that tells of it."""
        timing = self.world.timing
        operation = self.operations.begin(call, kind, instance.scope, instance, message=message)
        seconds = timing.delete if deletes else timing.stop
        if kind.endswith(".preempted"):
            seconds = timing.preempt
        elif instance.data["status"] == "TERMINATED":
            seconds = timing.disk
        instance.extra.setdefault("ends", []).append(operation)
        self.to(instance, "STOPPING")
        self._stop_paying_at(instance, kind, timing.accept + seconds)
        self.world.after(timing.accept + seconds, lambda: self._ended(instance, operation, deletes))
        return operation

    def _ended(self, instance: Thing, operation: Thing, deletes: bool) -> None:
        if instance.died is None and deletes:
            self._gone(instance)
            # Whoever else was ending it is done, too.
            for other in instance.extra["ends"]:
                if other.data["status"] != "DONE":
                    self.operations.end(other)
        elif instance.died is None and not any(each.data["operationType"] == "delete" for each in instance.extra["ends"]):
            instance.data["lastStopTimestamp"] = self.world.stamp()
            instance.data.pop("resourceStatus", None)
            self.stock.address(instance, there=False)
            self.to(instance, "TERMINATED")
        if operation.data["status"] != "DONE":
            self.operations.end(operation)

    def _stop_paying_at(self, instance: Thing, kind: str, seconds: float) -> None:
        # A machine is paid for until it has powered off.
        until = self.world.now() + self.world.span(seconds)
        for run in instance.extra.get("ran", [])[-1:]:
            if run["until"] is None or run["until"] > until:
                run.update(until=until, by=kind)

    def preempt(self, instance: Thing) -> Thing:
        """Google takes a Spot machine back: 30 s later it is stopped, or gone, by its termination action."""
        self._came_to_nothing(instance)
        message = "Instance was preempted."
        kind = "compute.instances.preempted"
        return self.end(instance, kind, deletes=self._deletes(instance), message=message)

    def _came_to_nothing(self, instance: Thing) -> None:
        before = instance.extra["operation"]
        if before.data["status"] != "DONE":
            message = f"The instance '{instance.name}' was preempted while it was being created."
            self.operations.end(before, Failed("UNSUPPORTED_OPERATION", message, 400, "BAD REQUEST"))

    def power_off(self, instance: Thing) -> Thing:
        """The guest does it: the machine stays, TERMINATED."""
        message = "Instance terminated by guest OS shutdown."
        return self.end(instance, "compute.instances.guestTerminate", deletes=False, message=message)

    def vanish(self, instance: Thing) -> None:
        """It is gone, and no operation tells of it."""
        for run in instance.extra.get("ran", [])[-1:]:
            run.update(until=self.world.now(), by="")
        self._gone(instance)

    def over(self, instance: Thing, until: float) -> None:
        """The time limit that it was given is reached."""
        status = instance.data["status"]
        if instance.died is not None or instance.extra.get("until") != until or status in ENDING:
            return
        if status == "TERMINATED" and not (self.limit_ends_stopped and self._deletes(instance)):
            return
        kind = "deferredDelete" if self._deletes(instance) else "deferredStop"
        self.end(instance, f"compute.instances.{kind}", deletes=self._deletes(instance))

    def _deletes(self, instance: Thing) -> bool:
        return bool(instance.data["scheduling"].get("instanceTerminationAction") == "DELETE")

    def _gone(self, instance: Thing) -> None:
        for attached in instance.data["disks"]:
            if "source" not in attached:
                continue
            disk = self.disks.of_source(attached["source"], instance.scope)
            self.disks.let_go(disk, instance)
            if attached["autoDelete"]:
                self.disks.drop(disk)
        self.world.remove(instance)

    def to(self, instance: Thing, status: str) -> None:
        """Its status changes."""
        instance.data["status"] = status
        self.world.changed(instance)
