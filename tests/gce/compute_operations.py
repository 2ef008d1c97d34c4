"""Operations: what is asked takes time, and may fail after it was accepted; the same requestId is the same operation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.gce.compute_world import Thing, World
from tests.gce.jsonapi import Call
from tests.gce.wire import Answered, Json, Refused, told

WAITS = 120.0
"""``wait`` gives up after two minutes, and answers what there is."""
_KINDS = {"zone": "zones", "region": "regions"}


class Failed(Exception):  # noqa: N818  # it stands in an operation
    """An operation's failure."""

    def __init__(self, code: str, message: str, status: int, phrase: str, details: list[Json] | None = None) -> None:
        super().__init__(message)
        self.error: Json = {"code": code, "message": message}
        if details:
            self.error["errorDetails"] = details
        self.status, self.phrase = status, phrase


@dataclass(frozen=True)
class Requested:
    """What a requestId was first used for."""

    digest: str
    operation: Thing
    at: float


class Operations:
    """Those of one project, in all scopes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.requests: dict[tuple[str, str], Requested] = {}

    def begin(
        self,
        call: Call | None,
        kind: str,
        scope: str,
        target: Thing | None = None,
        link: str = "",
        user: str = "",
        message: str = "",
    ) -> Thing:
        """A new operation, PENDING; RUNNING by itself a moment later; DONE by `end`."""
        world = self.world
        number = world.new_id()
        name = f"operation-{int(world.now() * 1000)}-{int(number):016x}"[:63]
        if call is None:
            # What the system does by itself is called otherwise, after what it is.
            name = f"systemevent-{int(world.now() * 1000)}-{int(number):016x}"[:63]
        data: Json = {
            "kind": "compute#operation",
            "name": name,
            "operationType": kind,
            "targetLink": target.data["selfLink"] if target else link,
            "status": "PENDING",
            "user": user or (call.asked.principal if call else "system"),
            "progress": 0,
            "insertTime": world.stamp(),
        }
        if target:
            data["targetId"] = target.data["id"]
        if message:
            data["statusMessage"] = message
        if scope != "global":
            word = "region" if scope.count("-") == 1 else "zone"
            data[word] = world.place(scope)
        if call and call.params.get("requestId"):
            data["clientOperationId"] = call.params["requestId"]
        operation = world.add("operations", scope, data)
        del operation.data["creationTimestamp"]
        world.changed(operation)
        world.after(world.timing.accept, lambda: self._run(operation))
        if call:
            self._note(call, operation)
        return operation

    def _run(self, operation: Thing) -> None:
        if operation.data["status"] == "PENDING":
            operation.data.update(status="RUNNING", startTime=self.world.stamp())
            self.world.changed(operation)

    def end(self, operation: Thing, failed: Failed | None = None) -> None:
        """It is DONE, with or without an error."""
        now = self.world.stamp()
        operation.data.setdefault("startTime", now)
        operation.data.update(status="DONE", progress=100, endTime=now)
        if failed:
            operation.data.update(
                error={"errors": [failed.error]}, httpErrorStatusCode=failed.status, httpErrorMessage=failed.phrase
            )
        self.world.changed(operation)
        self.world.at(self.world.now() + self.world.timing.retention, lambda: self.forget(operation, request=True))

    def forget(self, operation: Thing, *, request: bool = False) -> None:
        """As Google forgets finished ones after a while; and, if so, what request they belonged to."""
        if operation.died is None:
            self.world.remove(operation)
        if request:
            self.requests.pop((self.world.cloud.project, operation.data.get("clientOperationId", "")), None)

    def done(self, operation: Thing, seconds: float, happens: Callable[[], Any] = lambda: None) -> Json:
        """After so many seconds something happens, and the operation is done; with an error, if that raises Failed."""

        def now() -> None:
            failed = None
            try:
                happens()
            except Failed as failure:
                failed = failure
            self.end(operation, failed)

        self.world.after(self.world.timing.accept + seconds, now)
        return operation.data

    def again(self, call: Call) -> Json | None:
        """The operation of a call that was made before under the same requestId. Raises Refused if it was another call."""
        request = call.params.get("requestId")
        if not request:
            return None
        if request == "00000000-0000-0000-0000-000000000000":
            raise Refused(
                400, "invalid", f"Invalid value for field 'requestId': '{request}'. The zero UUID is not supported."
            )
        found = self.requests.get((call.params.get("project", ""), request))
        if found is None:
            return None
        if found.digest != _digest(call):
            message = f"Invalid value for field 'requestId': '{request}'. It was already used for a different request."
            raise Refused(400, "invalid", message)
        return found.operation.data

    def _note(self, call: Call, operation: Thing) -> None:
        if request := call.params.get("requestId"):
            key = (call.params.get("project", ""), request)
            self.requests[key] = Requested(_digest(call), operation, self.world.now())

    def methods(self) -> dict[str, Callable[[Call], Any]]:
        """What is asked about operations."""
        found: dict[str, Callable[[Call], Any]] = {}
        for word in ("zone", "region", "global"):
            found[f"{word}Operations.get"] = self._get
            found[f"{word}Operations.wait"] = self._wait
            found[f"{word}Operations.delete"] = self._delete
        return found

    def _find(self, call: Call) -> Thing:
        scope = call.params.get("zone") or call.params.get("region") or "global"
        return self.world.get("operations", scope, call.params["operation"])

    def _get(self, call: Call) -> Json:
        return self._find(call).data

    def _delete(self, call: Call) -> None:
        self.forget(self._find(call))

    def _wait(self, call: Call) -> Answered:
        operation, world = self._find(call), self.world
        until = call.asked.since + WAITS
        if operation.data["status"] == "DONE" or world.now() >= until:
            return told(operation.data)
        return told(operation.data, again_at=min(until, world.next_at()))


def _digest(call: Call) -> str:
    params = {name: value for name, value in sorted(call.params.items()) if name != "requestId"}
    return hashlib.sha256(json.dumps([call.method.id, params, call.body], sort_keys=True).encode()).hexdigest()
