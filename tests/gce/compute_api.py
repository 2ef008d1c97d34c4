"""Compute Engine v1, as far as fleet speaks with it."""

from __future__ import annotations

from typing import Any

from tests.gce.compute_disks import Disks
from tests.gce.compute_instances import Instances
from tests.gce.compute_lists import Lists
from tests.gce.compute_operations import Operations
from tests.gce.compute_stock import Stock
from tests.gce.compute_world import World
from tests.gce.jsonapi import Cloud, JsonApi
from tests.gce.wire import Answered, Asked, Json


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
        self.methods.update(self.operations.methods())
        self.methods.update(self.disks.methods())
        self.methods.update(self.instances.methods())
        self._list("instances", "instance")
        self._list("disks", "disk")
        for word in ("zone", "region", "global"):
            self._list(f"{word}Operations", "operation", word == "global", "operations")
        self._ground()

    def _list(self, collection: str, kind: str, aggregated: bool = True, things: str = "") -> None:
        name = things or collection
        found = self.lists.of(collection, kind, lambda: self.world.shown(name), aggregated)
        self.methods.update(found)

    def _ground(self) -> None:
        """A network as set-up makes it, with a subnetwork in each region."""
        network = self.world.add(
            "networks", "global", {"kind": "compute#network", "name": "fleet", "autoCreateSubnetworks": False}
        )
        for number, region in enumerate(self.stock.regions()):
            data: Json = {
                "kind": "compute#subnetwork",
                "name": "fleet",
                "network": network.data["selfLink"],
                "ipCidrRange": f"10.{number}.0.0/20",
                "region": self.world.place(region),
            }
            self.world.add("subnetworks", region, data)

    def handle(self, asked: Asked) -> Answered | None:
        """Lets happen what is due before anything is answered."""
        self.world.settle()
        return super().handle(asked)

    def control(self, verb: str, telling: Json) -> Any:
        """A test's word."""
        self.world.settle()
        return super().control(verb, telling)
