"""Calls of set-up, checks and teardown, repeated as long as that may help; and operations, waited for."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.gcp import session
from fleet.providers.gcp.errors import EXISTS, NOT_FOUND, POLICY, answer_refusal, operation_refusal
from fleet.providers.gcp.names import last
from fleet.providers.gcp.rest import request
from fleet.providers.patience import repeated

Json = dict[str, Any]
COMPUTE_WAIT = 130.0
"""Compute Engine answers a wait after two minutes, done or not."""
WAITS = 10
OPERATION_EVERY = 2.0
OPERATION_LOOKS = 150
"""Five minutes: enabling interfaces takes up to two."""
NOTHING_TO_DO = "DONE_OPERATION"
"""How the name of an operation ends that was over before it began."""
OFF = ("SERVICE_DISABLED", "accessNotConfigured", "API_DISABLED")
"""What an interface says that is not enabled in the project."""
DENIED = "`fleet policy gcp --setup` prints the role that this needs, for whoever gives permissions."


class Calls:
    """One project's interfaces. ``sleep`` is the clock that waiting is done by."""

    def __init__(self, project: str, *, sleep: Callable[[float], None] = time.sleep, denied: str = DENIED) -> None:
        """``denied`` says what to do about a permission that is missing."""
        self.project, self.sleep, self.denied = project, sleep, denied

    def __call__(
        self, api: str, method: str, path: str, body: Mapping[str, Any] | None = None, *,
        query: Mapping[str, Any] | None = None, unseen: Collection[str] = (),
    ) -> Json:  # fmt: skip
        """Call, and call again while that may help. ``unseen``: codes that only mean that something new is not seen yet.

        Raises ProviderError.
        """
        return repeated(lambda: self.once(api, method, path, body, query=query)[0], self.sleep, unseen=unseen)

    def once(
        self, api: str, method: str, path: str, body: Mapping[str, Any] | None = None, *,
        query: Mapping[str, Any] | None = None, wait: float = session.READ_SECONDS,
    ) -> tuple[Json, Mapping[str, str]]:  # fmt: skip
        """One request: what was answered, and the answer's headers. Raises ProviderError, with what to do about it."""
        try:
            return request(method, api, path, f"{api} {method} {path}", body=body, params=query, wait=wait)
        except ProviderError as error:
            if error.error_class is ErrorClass.DENIED and error.hint == POLICY:
                error.hint = self.denied
            raise

    def compute(self, method: str, path: str, body: Mapping[str, Any] | None = None, **more: Any) -> Json:
        """Compute Engine, below the project. Raises ProviderError."""
        return self("compute", method, self.in_compute(path), body, **more)

    def in_compute(self, path: str) -> str:
        """The path of something of the project's in Compute Engine."""
        return f"/compute/v1/projects/{self.project}{path}"

    def pages(self, api: str, path: str, key: str, query: Mapping[str, Any] | None = None) -> list[Json]:
        """Every item under ``key`` of a listing in pages."""
        found: list[Json] = []
        words = dict(query or {})
        while True:
            answer = self(api, "GET", path, query=words)
            items = answer.get(key, ())
            found.extend(items.values() if isinstance(items, dict) else items)
            if not answer.get("nextPageToken"):
                return found
            words["pageToken"] = answer["nextPageToken"]

    def look(self, api: str, path: str, *, query: Mapping[str, Any] | None = None) -> Json | None:
        """What is there; None: nothing, or its interface is not enabled, so that there can be nothing."""
        return self.unless((*NOT_FOUND, *OFF), api, "GET", path, query=query)

    def unless(
        self, codes: Collection[str], api: str, method: str, path: str, body: Mapping[str, Any] | None = None, **more: Any
    ) -> Json | None:
        """Call; None if it is refused with one of ``codes``: it is there already, or not there any more."""
        try:
            return self(api, method, path, body, **more)
        except ProviderError as error:
            if error.code in codes:
                return None
            raise

    def make(self, path: str, body: Mapping[str, Any], unseen: Collection[str] = OFF) -> None:
        """Make something in Compute Engine, and wait until it is. What is there already, is. Raises ProviderError."""
        self._settled(path, self.unless(EXISTS, "compute", "POST", self.in_compute(path), body, unseen=unseen))

    def change(self, path: str, body: Mapping[str, Any], method: str = "PATCH") -> None:
        """Change something in Compute Engine, and wait until it is. Raises ProviderError."""
        self._settled(path, self.compute(method, path, body))

    def remove(self, path: str) -> None:
        """Remove something from Compute Engine, and wait until it is gone. What is gone, is. Raises ProviderError."""
        gone = (*NOT_FOUND, *OFF)
        self._settled(path, self.unless(gone, "compute", "DELETE", self.in_compute(path)), gone)

    def _settled(self, path: str, operation: Json | None, fine: Collection[str] = EXISTS) -> None:
        if operation is None:
            return
        name = last(str(operation["name"]))
        scope = next((f"/{kind}s/{last(operation[kind])}" for kind in ("zone", "region") if operation.get(kind)), "/global")
        for _ in range(WAITS):
            if operation.get("status") == "DONE":
                break
            operation = self._waited(self.in_compute(f"{scope}/operations/{name}/wait"))
        error = operation_refusal(f"compute {path}", operation)
        if error is not None and error.code not in fine:
            raise error
        if operation.get("status") != "DONE":
            raise ProviderError(ErrorClass.TRANSIENT, "Slow", f"{path}: Compute Engine is still at it", "Run it again.")

    def _waited(self, path: str) -> Json:
        return repeated(lambda: self.once("compute", "POST", path, wait=COMPUTE_WAIT)[0], self.sleep)

    def finish(self, api: str, operation: Json) -> Json:
        """Wait for an operation of another interface (``/v1/<its name>``): its response. Raises ProviderError."""
        for _ in range(OPERATION_LOOKS):
            if operation.get("done") or str(operation.get("name", "")).endswith(NOTHING_TO_DO):
                break
            self.sleep(OPERATION_EVERY)
            operation = self(api, "GET", f"/v1/{operation['name']}")
        else:
            raise ProviderError(ErrorClass.TRANSIENT, "Slow", f"{api}: {operation['name']} is not done yet", "Run it again.")
        if operation.get("error"):
            raise answer_refusal(api, 400, _as_answer(operation["error"]))
        response: Json = operation.get("response", {})
        return response


def _as_answer(status: Json) -> str:
    """An operation's error (google.rpc.Status) in the form of an answer's."""
    return json.dumps({"error": {**status, "status": RPC.get(int(status.get("code", 2)), "UNKNOWN")}})


RPC = {
    3: "INVALID_ARGUMENT", 5: "NOT_FOUND", 6: "ALREADY_EXISTS", 7: "PERMISSION_DENIED", 8: "RESOURCE_EXHAUSTED",
    9: "FAILED_PRECONDITION", 10: "ABORTED", 13: "INTERNAL", 14: "UNAVAILABLE", 16: "UNAUTHENTICATED",
}  # fmt: skip
"""Codes of google.rpc.Code that an operation may end with."""
