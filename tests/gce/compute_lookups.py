"""What is only looked at: zones, regions with their quotas, the project, types, images."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from typing import Any

from tests.gce.compute_data import ACCELERATORS, DISK_TYPES, MACHINE_TYPES, ZONES
from tests.gce.compute_limits import Limits
from tests.gce.compute_lists import Lists
from tests.gce.compute_stock import Stock
from tests.gce.compute_world import World
from tests.gce.jsonapi import Call
from tests.gce.wire import Json, Refused

_MADE = "1969-12-31T16:00:00.000-08:00"


class Lookups:
    """Those of one project."""

    def __init__(self, world: World, stock: Stock, limits: Limits, lists: Lists) -> None:
        self.world, self.stock, self.limits, self.lists = world, stock, limits, lists
        self.down: set[str] = set()
        """Zones that are DOWN."""

    def methods(self) -> dict[str, Callable[[Call], Any]]:
        found: dict[str, Callable[[Call], Any]] = {
            "projects.get": lambda call: self._project(),
            "zones.get": lambda call: self._zone(self.stock.zone(call)),
            "regions.get": lambda call: self._region(call.params["region"]),
            "images.get": lambda call: self._image(call),
            "images.getFromFamily": lambda call: self.stock.newest(call.params["project"], call.params["family"]),
            "images.list": self._images,
            "machineTypes.get": lambda call: self._one(call, "machineType", self._machine_types()),
            "acceleratorTypes.get": lambda call: self._one(call, "acceleratorType", self._accelerators()),
            "diskTypes.get": lambda call: self._one(call, "diskType", self._disk_types()),
        }
        found.update(self.lists.of("machineTypes", "machineType", self._machine_types))
        found.update(self.lists.of("acceleratorTypes", "acceleratorType", self._accelerators))
        found.update(self.lists.of("diskTypes", "diskType", self._disk_types))
        zones = lambda: [("global", self._zone(zone)) for zone in self.stock.zones()]  # noqa: E731
        regions = lambda: [("global", self._region(region)) for region in self.stock.regions()]  # noqa: E731
        found.update(self.lists.of("zones", "zone", zones, aggregated=False))
        found.update(self.lists.of("regions", "region", regions, aggregated=False))
        return found

    def _project(self) -> Json:
        cloud = self.world.cloud
        return {
            "kind": "compute#project",
            "id": cloud.number,
            "name": cloud.project,
            "creationTimestamp": _MADE,
            "commonInstanceMetadata": {"kind": "compute#metadata", "fingerprint": "42WmSpB8rSM="},
            "quotas": self.limits.quotas("global"),
            "defaultServiceAccount": f"{cloud.number}-compute@developer.gserviceaccount.com",
            "selfLink": self.world.place("global").rpartition("/")[0],
            "defaultNetworkTier": "PREMIUM",
            "xpnProjectStatus": "UNSPECIFIED_XPN_PROJECT_STATUS",
        }

    def _zone(self, zone: str) -> Json:
        region = zone.rpartition("-")[0]
        return {
            "kind": "compute#zone",
            "id": _number(zone),
            "creationTimestamp": _MADE,
            "name": zone,
            "description": zone,
            "status": "DOWN" if zone in self.down else "UP",
            "region": self.world.place(region),
            "selfLink": self.world.place(zone),
            "availableCpuPlatforms": ["Intel Haswell", "Intel Skylake"],
        }

    def _region(self, region: str) -> Json:
        if region not in ZONES:
            short = f"projects/{self.world.cloud.project}/regions/{region}"
            raise Refused(404, "notFound", f"The resource '{short}' was not found")
        return {
            "kind": "compute#region",
            "id": _number(region),
            "creationTimestamp": _MADE,
            "name": region,
            "description": region,
            "status": "UP",
            "zones": [self.world.place(f"{region}-{letter}") for letter in ZONES[region]],
            "quotas": self.limits.quotas(region),
            "selfLink": self.world.place(region),
        }

    def _machine_types(self) -> Iterable[tuple[str, Json]]:
        for zone in self.stock.zones():
            for name in self.stock.machine_types(zone):
                shape = MACHINE_TYPES[name]
                data: Json = {
                    **self._base("machineType", zone, name),
                    "description": shape.description or f"{shape.cpus} vCPUs, {shape.memory_mb / 1024:g} GB RAM",
                    "guestCpus": shape.cpus,
                    "memoryMb": shape.memory_mb,
                    "imageSpaceGb": 0,
                    "maximumPersistentDisks": 128,
                    "maximumPersistentDisksSizeGb": "263168",
                    "isSharedCpu": name == "e2-medium",
                    "architecture": "ARM64" if name.startswith("t2a") else "X86_64",
                }
                if shape.accelerator:
                    each = {"guestAcceleratorType": shape.accelerator, "guestAcceleratorCount": shape.accelerators}
                    data["accelerators"] = [each]
                if shape.local_ssds:
                    data["bundledLocalSsds"] = {"defaultInterface": "NVME", "partitionCount": shape.local_ssds}
                yield zone, data

    def _accelerators(self) -> Iterable[tuple[str, Json]]:
        for zone in self.stock.zones():
            for name in self.stock.accelerator_types(zone):
                description, most, _ = ACCELERATORS[name]
                data = self._base("acceleratorType", zone, name)
                yield zone, {**data, "description": description, "maximumCardsPerInstance": most}

    def _disk_types(self) -> Iterable[tuple[str, Json]]:
        for zone in self.stock.zones():
            for name, kind in DISK_TYPES.items():
                sizes = {"validDiskSize": f"{kind.least_gb}GB-65536GB", "defaultDiskSizeGb": str(kind.usual_gb)}
                yield zone, {**self._base("diskType", zone, name), "description": name, **sizes}

    def _base(self, kind: str, zone: str, name: str) -> Json:
        return {
            "kind": f"compute#{kind}",
            "id": _number(f"{zone}/{name}"),
            "creationTimestamp": _MADE,
            "name": name,
            "zone": zone if kind == "machineType" else self.world.place(zone),
            "selfLink": self.world.link(f"{kind}s", zone, name),
        }

    def _one(self, call: Call, kind: str, found: Iterable[tuple[str, Json]]) -> Json:
        zone, name = self.stock.zone(call), call.params[kind]
        for where, data in found:
            if (where, data["name"]) == (zone, name):
                return data
        raise Refused(404, "notFound", f"The resource '{self.world.short(f'{kind}s', zone, name)}' was not found")

    def _image(self, call: Call) -> Json:
        return self.stock.image(f"projects/{call.params['project']}/global/images/{call.params['image']}", "image")

    def _images(self, call: Call) -> Json:
        project = call.params["project"]
        found = [("global", image) for (where, _), image in sorted(self.stock.images.items()) if where == project]
        answer: Json = self.lists.of("images", "image", lambda: found, aggregated=False)["images.list"](call)
        return answer


def _number(name: str) -> str:
    return str(1000 + zlib.crc32(name.encode()))
