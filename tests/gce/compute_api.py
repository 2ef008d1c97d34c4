"""Compute Engine v1, as far as fleet speaks with it."""

from __future__ import annotations

from typing import Any

from tests.gce.compute_changes import Changes
from tests.gce.compute_disks import Disks
from tests.gce.compute_instances import Instances
from tests.gce.compute_limits import Limits
from tests.gce.compute_lists import Lists
from tests.gce.compute_lookups import Lookups
from tests.gce.compute_net import Net
from tests.gce.compute_operations import Operations
from tests.gce.compute_routers import Routers
from tests.gce.compute_stock import Stock
from tests.gce.compute_words import Words
from tests.gce.compute_world import World
from tests.gce.jsonapi import Call, Cloud, JsonApi
from tests.gce.wire import Answered, Asked, Json, Refused


def handlers(cloud: Cloud) -> dict[str, JsonApi]:
    """It answers under ``compute``."""
    return {"compute": Compute(cloud)}


class Compute(JsonApi):
    """One project's."""

    name = "compute"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.world = World(cloud)
        self.operations = Operations(self.world)
        self.stock = Stock(self.world)
        self.disks = Disks(self.world, self.operations, self.stock)
        self.instances = Instances(self.world, self.operations, self.stock, self.disks)
        self.lists = Lists(self.world, self.stock.scopes)
        self.limits = Limits(self.world, self.stock)
        self.lookups = Lookups(self.world, self.stock, self.limits, self.lists)
        self.net = Net(self.world, self.operations, self.stock, self.lists)
        changes = Changes(self.world, self.operations, self.stock, self.disks, self.instances)
        for part in (
            self.operations,
            self.disks,
            self.instances,
            changes,
            self.lookups,
            self.net,
            Routers(self.world, self.operations, self.lists),
        ):
            self.methods.update(part.methods())
        self._list("instances", "instance")
        self._list("disks", "disk")
        for word in ("zone", "region", "global"):
            self._list(f"{word}Operations", "operation", word == "global", "operations")
        self.verbs.update(Words(self).verbs())
        self.ground()

    def _list(self, collection: str, kind: str, aggregated: bool = True, things: str = "") -> None:
        name = things or collection
        self.methods.update(self.lists.of(collection, kind, lambda: self.world.shown(name), aggregated))

    def ground(self) -> None:
        """A network as set-up makes it, with a subnetwork in each region: so that machines can be made at once."""
        data: Json = {"kind": "compute#network", "name": "fleet", "autoCreateSubnetworks": False}
        network = self.world.add("networks", "global", data)
        for number, region in enumerate(self.stock.regions()):
            place = {"region": self.world.place(region), "ipCidrRange": f"10.{number}.0.0/20"}
            data = {"kind": "compute#subnetwork", "name": "fleet", "network": network.data["selfLink"], **place}
            self.world.add("subnetworks", region, data)

    def bare(self) -> None:
        """As a project is before any set-up: no network."""
        for kind in ("subnetworks", "networks"):
            for thing in list(self.world.all(kind)):
                self.world.remove(thing)

    def before(self, call: Call) -> None:
        """Raises Refused for a project that the login does not know; public images are everybody's."""
        project = call.params["project"]
        if project != self.cloud.project and not call.method.id.startswith("compute.images."):
            raise Refused(404, "notFound", f"The resource 'projects/{project}' was not found")

    def handle(self, asked: Asked) -> Answered | None:
        """Lets happen what is due before anything is answered."""
        self.world.settle()
        return super().handle(asked)

    def control(self, verb: str, telling: Json) -> Any:
        """A test's word."""
        self.world.settle()
        return super().control(verb, telling)
