"""Workload identity pools and their providers: the part of IAM that trust between clouds needs, beside others.

What is deleted is kept for 30 days and its name with it, as at Google; an operation is done the second time it is looked at.
"""

from __future__ import annotations

import re
from functools import partial

from tests.gce.federation import federation
from tests.gce.jsonapi import Call, Cloud, Handler, JsonApi
from tests.gce.wire import Json, Refused

POOLS = "projects.locations.workloadIdentityPools"
_ID = re.compile(r"(?!gcp-)[a-z0-9-]{4,32}")
_PROVIDER_ID = re.compile(r"(?!gcp-)[a-z0-9-]{3,32}")


def handlers(cloud: Cloud) -> dict[str, Handler]:
    """What answers below ``/iam``, beside others."""
    return {"iam": Pools(cloud)}


class Pools(JsonApi):
    """The project's."""

    name = "iam"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.pools: dict[str, Json] = {}
        self.providers: dict[str, Json] = {}
        self.operations: dict[str, Json] = {}
        for kind, of in (("", self.pools), (".providers", self.providers)):
            self.methods |= {
                f"{POOLS}{kind}.create": partial(self._create, of=of),
                f"{POOLS}{kind}.get": partial(self._get, of=of),
                f"{POOLS}{kind}.patch": partial(self._patch, of=of),
                f"{POOLS}{kind}.delete": partial(self._state, of=of, state="DELETED"),
                f"{POOLS}{kind}.undelete": partial(self._state, of=of, state="ACTIVE"),
                f"{POOLS}{kind}.operations.get": self._operation,
            }

    def _create(self, call: Call, of: dict[str, Json]) -> Json:
        word = "workloadIdentityPoolId" if of is self.pools else "workloadIdentityPoolProviderId"
        identifier, parent = call.params.get(word, ""), call.params["parent"]
        if not (_ID if of is self.pools else _PROVIDER_ID).fullmatch(identifier):
            raise Refused(400, "", f"{word} must be 4 to 32 of [a-z0-9-]: {identifier}", "INVALID_ARGUMENT")
        if of is self.providers and self.pools.get(parent, {}).get("state") != "ACTIVE":
            raise _absent(parent)
        if of is self.providers and not call.body.get("aws", {}).get("accountId"):
            raise Refused(400, "", "A provider must be of one kind.", "INVALID_ARGUMENT")
        name = f"{parent}/{'workloadIdentityPools' if of is self.pools else 'providers'}/{identifier}"
        if name in of:
            raise Refused(409, "", "Requested entity already exists", "ALREADY_EXISTS")
        of[name] = {**call.body, "name": name, "state": "ACTIVE"}
        return self._done(name)

    def _get(self, call: Call, of: dict[str, Json]) -> Json:
        if call.params["name"] not in of:
            raise _absent(call.params["name"])
        return of[call.params["name"]]

    def _patch(self, call: Call, of: dict[str, Json]) -> Json:
        there = self._get(call, of)
        if there["state"] == "DELETED":
            raise Refused(400, "", "It was deleted.", "FAILED_PRECONDITION")
        for field in call.params["updateMask"].split(","):
            there.pop(field, None)
            if field in call.body:
                there[field] = call.body[field]
        return self._done(there["name"])

    def _state(self, call: Call, of: dict[str, Json], state: str) -> Json:
        there = self._get(call, of)
        if there["state"] == state:
            raise Refused(400, "", f"It is {state} already.", "FAILED_PRECONDITION")
        there["state"] = state
        return self._done(there["name"])

    def _done(self, name: str) -> Json:
        self._publish()
        operation = f"{name}/operations/o{len(self.operations)}"
        self.operations[operation] = {"name": operation, "done": True}
        return {"name": operation, "done": False}

    def _operation(self, call: Call) -> Json:
        if call.params["name"] not in self.operations:
            raise _absent(call.params["name"])
        return self.operations[call.params["name"]]

    def _publish(self) -> None:
        """What the token service goes by."""
        known = federation(self.cloud).providers
        known.clear()
        for name, body in self.providers.items():
            pool = self.pools[name.rpartition("/providers/")[0]]
            if all(one["state"] == "ACTIVE" and not one.get("disabled") for one in (pool, body)):
                known[name] = body


def _absent(name: str) -> Refused:
    return Refused(404, "", f"Requested entity was not found: {name}", "NOT_FOUND")
