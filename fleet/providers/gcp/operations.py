"""What was asked of Compute Engine is done by operations: waiting for one, and what they tell of a machine that is gone.

A machine that was deleted or preempted is forgotten at once; its operations are kept for two weeks or so. They say when
it was asked for, when it ended, and who ended it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from fleet.model.base import Seconds
from fleet.model.cloud import EndedBy
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.gcp import calls
from fleet.providers.gcp.mapping import moment
from fleet.providers.gcp.names import last

Json = dict[str, Any]
WAIT_MOST: Seconds = 60.0
"""For an operation that makes or changes something: longer is for the next look."""
NAP: Seconds = 1.0
"""Between two waits, where the cloud comes back before an operation is done (it may, after no time at all)."""
DONE = "DONE"
_ENDERS: dict[str, EndedBy] = {
    "compute.instances.preempted": "cloud",
    "compute.instances.hostError": "cloud",
    "compute.instances.terminateOnHostMaintenance": "cloud",
    "compute.instances.guestTerminate": "itself",
    "delete": "fleet",  # or a person in the console: the account's own wish
    "stop": "fleet",
    "suspend": "fleet",
    "compute.instances.deferredDelete": "itself",  # the lease's outermost end, told to the cloud by the launch
    "compute.instances.deferredStop": "itself",
}
"""Operations that end a machine: types as Compute Engine and its audit log name them, and whose wish each was."""


class Ended(NamedTuple):
    """A machine's end, as its operations tell it."""

    at: Seconds
    by: EndedBy


class Waiter:
    """Waits by a clock of its own, so that a simulation may wait too."""

    def __init__(
        self,
        project: str,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        most: Seconds = WAIT_MOST,
    ) -> None:
        self._project, self._clock, self._sleep, self.most = project, clock, sleep, most

    def deadline(self) -> Seconds:
        """Until when something that begins now is waited for."""
        return self._clock() + self.most

    def until_done(self, operation: Json, until: Seconds | None = None) -> Json:
        """The operation as it is once it is done, or at ``until``. An answer that is lost meanwhile is asked for again."""
        until = self.deadline() if until is None else until
        where: Json = {"zone": last(operation["zone"])} if operation.get("zone") else {}
        call = "zoneOperations.wait" if where else "globalOperations.wait"
        while operation.get("status") != DONE:
            left = until - self._clock()
            if left <= 0:
                break
            began = self._clock()
            try:
                operation = calls.compute(
                    call, project=self._project, operation=operation["name"], timeout=max(left, 1.0), **where
                )
            except ProviderError as error:
                if error.error_class not in (ErrorClass.TRANSIENT, ErrorClass.THROTTLED):
                    raise
            if operation.get("status") != DONE and self._clock() - began < NAP:
                self._sleep(NAP)
        return operation


def of_machine(project: str, zone: str, name: str) -> list[Json]:
    """A machine's operations, of all machines that ever had its name in the zone; the oldest first."""
    wanted = f'targetLink eq ".*/zones/{zone}/instances/{name}"'
    pages = calls.every("zoneOperations.list", project=project, zone=zone, filter=wanted)
    return in_order(one for page in pages for one in page.get("items", []))


def of_name(project: str, name: str, zones: Iterable[str]) -> list[Json]:
    """The operations of machines with a name, whatever their zone; the oldest first.

    Raises ProviderError, also if one of ``zones`` did not answer: it may hold the one that is looked for.
    """
    wanted = f'targetLink eq ".*/instances/{name}"'
    told = calls.everywhere("globalOperations.aggregatedList", "operations", project=project, filter=wanted)
    told.check(zones)
    return in_order(told.items)


def in_order(operations: Iterable[Json]) -> list[Json]:
    """By the time that they were asked for."""
    return sorted(operations, key=lambda one: (began(one), str(one.get("name"))))


def began(operation: Mapping[str, Any]) -> Seconds:
    """When an operation was asked for."""
    return moment(operation.get("insertTime") or operation.get("startTime") or operation["endTime"])


def failed(operation: Mapping[str, Any]) -> bool:
    """Whether it ended without what it was for."""
    return bool(operation.get("error")) or int(operation.get("httpErrorStatusCode") or 0) >= 400


def came_to_be(operation: Mapping[str, Any]) -> bool:
    """Whether an insertion made a machine, or makes it: also one that was taken back before it was done."""
    errors = (operation.get("error") or {}).get("errors") or []
    return not failed(operation) or any("preempted" in str(one.get("message")) for one in errors)


def making(operations: Iterable[Json]) -> Json | None:
    """The operation that made the machine, or makes it; None: nothing says that there ever was one."""
    made = [one for one in operations if one.get("operationType") == "insert" and came_to_be(one)]
    return made[-1] if made else None


def ended(operations: Iterable[Mapping[str, Any]]) -> Ended | None:
    """The end of a machine; None: none of them ended it.

    A preemption is the cloud's, also where a deletion follows from it. Else it was the wish of whoever asked first: one that
    powered itself off is deleted later. A machine that could not be had after all was the cloud's to end too.
    """
    operations = list(operations)
    made = [one for one in operations if one.get("operationType") in ("insert", "start")]
    since = max((began(one) for one in made), default=0.0)
    enders = [one for one in operations if one.get("operationType") in _ENDERS and not failed(one) and began(one) >= since]
    if not enders and made and all(failed(one) for one in made):
        return Ended(over(made[-1]), "cloud")
    if not enders:
        return None
    by = [_ENDERS[str(one["operationType"])] for one in enders]
    return Ended(min(over(one) for one in enders), "cloud" if "cloud" in by else by[0])


def over(operation: Mapping[str, Any]) -> Seconds:
    """When an operation ended, or was asked for."""
    return moment(operation["endTime"]) if operation.get("endTime") else began(operation)
