"""What set-up changes in a network: routers with their NATs, and whether a subnet reaches Google's interfaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.gce.compute_insert import invalid
from tests.gce.compute_lists import Lists
from tests.gce.compute_operations import Operations
from tests.gce.compute_world import Thing, World
from tests.gce.jsonapi import Call
from tests.gce.wire import Json


class Routers:
    """Those of one project."""

    def __init__(self, world: World, operations: Operations, lists: Lists) -> None:
        self.world, self.operations, self.lists = world, operations, lists

    def methods(self) -> dict[str, Callable[[Call], Any]]:
        return {
            "routers.get": lambda call: self._find(call).data,
            "routers.insert": self._insert,
            "routers.patch": self._patch,
            "routers.delete": self._delete,
            **self.lists.of("routers", "router", lambda: self.world.shown("routers")),
            "subnetworks.setPrivateIpGoogleAccess": self._private,
        }

    def _find(self, call: Call) -> Thing:
        return self.world.get("routers", call.params["region"], call.params["router"])

    def _done(self, call: Call, kind: str, thing: Thing, happens: Callable[[], Any] = lambda: None) -> Json:
        operation = self.operations.begin(call, kind, thing.scope, thing)
        return self.operations.done(operation, self.world.timing.other, happens)

    def _insert(self, call: Call) -> Json:
        region, body = call.params["region"], dict(call.body)
        network = self.world.get("networks", "global", str(body.get("network", "")).rpartition("/")[2])
        for nat in body.get("nats", ()):
            if nat.get("natIpAllocateOption") == "MANUAL_ONLY" and not nat.get("natIps"):
                raise invalid("resource.nats[0].natIps", "", "NAT IPs are required.")
        data = {**body, "kind": "compute#router", "network": network.data["selfLink"], "region": self.world.place(region)}
        return self._done(call, "insert", self.world.add("routers", region, data))

    def _patch(self, call: Call) -> Json:
        router = self._find(call)
        router.data.update(call.body)
        self.world.changed(router)
        return self._done(call, "patch", router)

    def _delete(self, call: Call) -> Json:
        router = self._find(call)

        def gone() -> None:
            if router.died is None:
                self.world.remove(router)

        return self._done(call, "delete", router, gone)

    def _private(self, call: Call) -> Json:
        subnet = self.world.get("subnetworks", call.params["region"], call.params["subnetwork"])
        subnet.data["privateIpGoogleAccess"] = bool(call.body.get("privateIpGoogleAccess"))
        self.world.changed(subnet)
        return self._done(call, "setPrivateIpGoogleAccess", subnet)
