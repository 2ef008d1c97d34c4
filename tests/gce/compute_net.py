"""Networks, their subnetworks in regions, and firewall rules."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.gce.compute_data import ZONES
from tests.gce.compute_insert import invalid
from tests.gce.compute_lists import Lists
from tests.gce.compute_operations import Operations
from tests.gce.compute_stock import Stock
from tests.gce.compute_world import Thing, World
from tests.gce.jsonapi import Call
from tests.gce.wire import Json, Refused

_KINDS = {"networks": "network", "subnetworks": "subnetwork", "firewalls": "firewall"}


class Net:
    """That of one project."""

    def __init__(self, world: World, operations: Operations, stock: Stock, lists: Lists) -> None:
        self.world, self.operations, self.stock, self.lists = world, operations, stock, lists

    def methods(self) -> dict[str, Callable[[Call], Any]]:
        found: dict[str, Callable[[Call], Any]] = {"firewalls.patch": self._patch, "firewalls.update": self._update}
        for collection, kind in _KINDS.items():
            found[f"{collection}.get"] = partial(self._get, collection)
            found[f"{collection}.delete"] = partial(self._delete, collection)
            source = partial(self.world.shown, collection)
            found.update(self.lists.of(collection, kind, source, aggregated=collection == "subnetworks"))
        found["networks.insert"] = lambda call: self._insert(call, "networks", self._network(call))
        found["subnetworks.insert"] = lambda call: self._insert(call, "subnetworks", self._subnetwork(call))
        found["firewalls.insert"] = lambda call: self._insert(call, "firewalls", self._firewall(call.body))
        return found

    def _scope(self, call: Call) -> str:
        region = call.params.get("region", "global")
        if region != "global" and region not in ZONES:
            raise invalid("region", region, "Unknown region.")
        return region

    def _find(self, call: Call, collection: str) -> Thing:
        return self.world.get(collection, self._scope(call), call.params[_KINDS[collection]])

    def _get(self, collection: str, call: Call) -> Json:
        return self._find(call, collection).data

    def _insert(self, call: Call, collection: str, data: Json) -> Json:
        if again := self.operations.again(call):
            return again
        scope = self._scope(call)
        thing = self.world.add(collection, scope, {"kind": f"compute#{_KINDS[collection]}", **data})
        return self.operations.done(self.operations.begin(call, "insert", scope, thing), self.world.timing.other)

    def _network(self, call: Call) -> Json:
        # Left out, it means a network of the old kind, which nobody can make any more.
        if "autoCreateSubnetworks" not in call.body:
            raise invalid("resource.IPv4Range", "", "Legacy networks are not supported. autoCreateSubnetworks must be set.")
        if call.body["autoCreateSubnetworks"]:
            raise Refused(501, "notImplemented", "The stand-in makes networks of custom mode only")
        return {"routingConfig": {"routingMode": "REGIONAL"}, **call.body}

    def _network_of(self, given: str) -> str:
        return str(self.world.get("networks", "global", given.rpartition("/")[2]).data["selfLink"])

    def _subnetwork(self, call: Call) -> Json:
        body: Json = dict(call.body)
        region = self._scope(call)
        network = self._network_of(str(body.get("network", "")))
        try:
            wanted = ipaddress.ip_network(body.get("ipCidrRange", ""))
        except ValueError:
            raise invalid("resource.ipCidrRange", body.get("ipCidrRange"), "It is no network in CIDR notation.") from None
        for other in self.world.all("subnetworks"):
            taken = other.data["network"] == network and wanted.overlaps(ipaddress.ip_network(other.data["ipCidrRange"]))
            if taken and other.key != (region, body["name"]):
                short = self.world.short("subnetworks", other.scope, other.name)
                why = f"Invalid IPCidrRange: {wanted} conflicts with existing subnetwork '{short}'."
                raise invalid("resource.ipCidrRange", wanted, why)
        gateway = str(next(wanted.hosts()))
        more = {"network": network, "region": self.world.place(region), "gatewayAddress": gateway, "purpose": "PRIVATE"}
        return {"stackType": "IPV4_ONLY", "privateIpGoogleAccess": False, **body, **more}

    def _firewall(self, body: Json) -> Json:
        if ("allowed" in body) == ("denied" in body):
            raise invalid("resource", "", "Exactly one of allowed and denied must be given.")
        if body.get("direction", "INGRESS") == "EGRESS" and any(name in body for name in ("sourceRanges", "sourceTags")):
            raise invalid("resource.sourceRanges", "", "Sources belong to rules of ingress only.")
        for cidr in (*body.get("sourceRanges", []), *body.get("destinationRanges", [])):
            try:
                ipaddress.ip_network(cidr)
            except ValueError:
                raise invalid("resource.sourceRanges", cidr, "It is no network in CIDR notation.") from None
        usual = {"priority": 1000, "direction": "INGRESS", "disabled": False, "logConfig": {"enable": False}}
        if not any(name in body for name in ("sourceRanges", "sourceTags", "sourceServiceAccounts")):
            usual["sourceRanges"] = ["0.0.0.0/0"]
        return {**usual, **body, "network": self._network_of(str(body.get("network", "global/networks/default")))}

    def _patch(self, call: Call) -> Json:
        return self._changed(call, {**self._find(call, "firewalls").data, **call.body})

    def _update(self, call: Call) -> Json:
        return self._changed(call, call.body)

    def _changed(self, call: Call, wanted: Json) -> Json:
        if again := self.operations.again(call):
            return again
        rule = self._find(call, "firewalls")
        if wanted.get("name", rule.name) != rule.name:
            raise invalid("resource.name", wanted["name"], "The name of a rule cannot be changed.")
        kept = {name: rule.data[name] for name in ("kind", "id", "name", "creationTimestamp", "selfLink")}
        rule.data = {**self._firewall(wanted), **kept}
        self.world.changed(rule)
        return self.operations.done(self.operations.begin(call, "patch", rule.scope, rule), self.world.timing.other)

    def _delete(self, collection: str, call: Call) -> Json:
        if again := self.operations.again(call):
            return again
        thing = self._find(call, collection)
        if user := self._user(thing):
            short = self.world.short(collection, thing.scope, thing.name)
            kind = _KINDS[collection]
            message = (
                f"The {kind} resource '{short}' is already being used by '{user.data['selfLink'].partition('/v1/')[2]}'"
            )
            raise Refused(400, "resourceInUseByAnotherResource", message)
        operation = self.operations.begin(call, "delete", thing.scope, thing)

        def gone() -> None:
            if thing.died is None:
                self.world.remove(thing)

        return self.operations.done(operation, self.world.timing.other, gone)

    def _user(self, thing: Thing) -> Thing | None:
        link = thing.data["selfLink"]
        for kind in ("subnetworks", "firewalls", "routers"):
            for other in self.world.all(kind):
                if other.data.get("network") == link:
                    return other
        for instance in self.world.all("instances"):
            if any(link in (nic["subnetwork"], nic["network"]) for nic in instance.data["networkInterfaces"]):
                return instance
        return None
