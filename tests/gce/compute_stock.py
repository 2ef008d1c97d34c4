"""What everything that is made is held against: zones, types, images, subnetworks, labels, metadata."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.gce.compute_data import ACCELERATORS, FEATURES, IMAGES, MACHINE_TYPES, ZONES
from tests.gce.compute_world import Thing, World
from tests.gce.jsonapi import Call
from tests.gce.wire import Json, Refused

if TYPE_CHECKING:
    from tests.gce.compute_insert import Checked

_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
MOST_METADATA = 512 * 1024
MOST_VALUE = 256 * 1024


class Stock:
    """Looked at by everything that is made. What there is can be changed by tests."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.lacking: dict[str, set[str]] = {}
        """Machine and accelerator types that a zone does not have."""
        self.images: dict[tuple[str, str], Json] = {}
        for (project, family), (name, size) in IMAGES.items():
            self.add_image(project, name, family, size)
        self.checks: list[Callable[[Checked], None]] = []
        """Look at every instance before it is accepted, and raise Refused."""
        self.places: list[Callable[[Thing], None]] = []
        """Look at every instance when its place is found, and raise Failed."""
        self.disk_checks: list[Callable[[str, str, int], None]] = []
        """Look at every new disk's zone, type and size in GB."""

    def regions(self) -> list[str]:
        return sorted(ZONES)

    def zones(self) -> list[str]:
        return [f"{region}-{letter}" for region, letters in sorted(ZONES.items()) for letter in letters]

    def scopes(self) -> list[str]:
        """All that an aggregated list speaks of."""
        return ["global", *self.regions(), *self.zones()]

    def zone(self, call: Call) -> str:
        """A call's zone. Raises Refused."""
        zone = call.params["zone"]
        if zone not in self.zones():
            raise Refused(400, "invalid", f"Invalid value for field 'zone': '{zone}'. Unknown zone.")
        return zone

    def machine_types(self, zone: str) -> list[str]:
        return [name for name in MACHINE_TYPES if name not in self.lacking.get(zone, ())]

    def accelerator_types(self, zone: str) -> list[str]:
        return [name for name in ACCELERATORS if name not in self.lacking.get(zone, ())]

    def add_image(self, project: str, name: str, family: str = "", size_gb: int = 10, **more: Any) -> Json:
        """An image that can be made use of."""
        data: Json = {
            "kind": "compute#image",
            "id": str(6_000_000_000_000_000_000 + zlib.crc32(name.encode())),
            "name": name,
            "selfLink": f"https://www.googleapis.com/compute/v1/projects/{project}/global/images/{name}",
            "creationTimestamp": f"2026-02-{1 + len(self.images):02d}T00:00:00.000-08:00",
            "status": "READY",
            "sourceType": "RAW",
            "diskSizeGb": str(size_gb),
            "archiveSizeBytes": str(size_gb << 28),
            "architecture": "X86_64",
            "guestOsFeatures": [{"type": feature} for feature in FEATURES],
            **({"family": family} if family else {}),
            **more,
        }
        self.images[project, name] = data
        return data

    def image(self, given: str, field: str) -> Json:
        """An image by its URL, or the newest of the family that it names. Raises Refused."""
        match = re.search(r"(?:projects/(?P<project>[^/]+)/)?global/images/(?:(?P<kind>family)/)?(?P<name>[^/]+)$", given)
        if not match:
            raise Refused(400, "invalid", f"Invalid value for field '{field}': '{given}'. The URL is malformed.")
        project = match["project"] or self.world.cloud.project
        if match["kind"]:
            return self.newest(project, match["name"])
        found = self.images.get((project, match["name"]))
        if found is None:
            raise Refused(404, "notFound", f"The resource 'projects/{project}/global/images/{match['name']}' was not found")
        return found

    def newest(self, project: str, family: str) -> Json:
        """A family's newest image that is not deprecated. Raises Refused."""
        found = [
            image
            for (where, _), image in self.images.items()
            if where == project and image.get("family") == family and "deprecated" not in image
        ]
        if not found:
            message = f"The resource 'projects/{project}/global/images/family/{family}' was not found"
            raise Refused(404, "notFound", message)
        return max(found, key=lambda image: str(image["creationTimestamp"]))

    def subnetwork(self, wanted: Json, zone: str, field: str) -> Json:
        """The subnetwork of an interface. Raises Refused."""
        region = zone.rpartition("-")[0]
        given = wanted.get("subnetwork")
        if not given:
            raise Refused(
                400, "invalid", f"Invalid value for field '{field}.subnetwork': ''. A network of custom mode needs one."
            )
        name, where = given.rpartition("/")[2], (re.findall(r"regions/([^/]+)/", given) or [region])[0]
        if where != region:
            message = (
                f"Invalid value for field '{field}.subnetwork': '{given}'. It must be in the instance's region, {region}."
            )
            raise Refused(400, "invalid", message)
        return self.world.get("subnetworks", region, name).data

    def room_for_disk(self, zone: str, kind: str, size: int) -> None:
        """Raises Refused if the project may have no more of it."""
        for check in self.disk_checks:
            check(zone, kind, size)

    def room_at_once(self, checked: Checked) -> None:
        """Raises Refused for what is refused before an operation is made."""
        for check in self.checks:
            check(checked)

    def place(self, instance: Thing) -> None:
        """Raises Failed if there is no place for it."""
        for find in self.places:
            find(instance)

    def address(self, instance: Thing, *, there: bool = True) -> None:
        """A machine that runs has its addresses; one that is stopped has only the inner one."""
        for nic in instance.data["networkInterfaces"]:
            number = int(instance.data["id"]) // 7919
            nic.setdefault("networkIP", f"10.{128 + len(instance.scope) % 64}.{number // 250 % 250}.{2 + number % 250}")
            for access in nic.get("accessConfigs", []):
                access.pop("natIP", None)
                if there:
                    access["natIP"] = f"203.0.{number // 250 % 250}.{2 + number % 250}"

    def labels(self, labels: Json, field: str) -> None:
        """Raises Refused for labels that cannot be."""
        if fault := label_fault(labels):
            raise Refused(400, "invalid", f"Invalid value for field '{field}': ''. {fault}")

    def metadata(self, metadata: Json, field: str) -> None:
        """Raises Refused for metadata that is too much or twice."""
        items = metadata.get("items", [])
        keys = [each["key"] for each in items]
        sizes = [len(each.get("value", "").encode()) for each in items]
        if len(set(keys)) != len(keys):
            raise Refused(400, "invalid", f"Invalid value for field '{field}': ''. Duplicate keys are not allowed.")
        if sum(sizes) > MOST_METADATA or max(sizes, default=0) > MOST_VALUE:
            message = f"Value for field '{field}' is too large: maximum size {MOST_VALUE} character(s)."
            raise Refused(400, "invalid", message)

    def fresh(
        self, given: str | None, present: str, what: str = "Labels fingerprint either invalid or resource labels"
    ) -> None:
        """Raises Refused (412) for a change of what is not there any more."""
        if given != present:
            raise Refused(412, "conditionNotMet", f"{what} have changed")

    def fingerprint(self, value: Any) -> str:
        """Of labels, metadata and tags."""
        return base64.b64encode(hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()[:8]).decode()


def label_fault(labels: Json) -> str:
    """What is wrong with labels; empty: nothing."""
    if len(labels) > 64:
        return f"{len(labels)} labels; 64 at most"
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            return f"Label keys must be small letters, digits, _ and -, beginning with a letter, 63 at most: '{key}'"
        if not _LABEL_VALUE.fullmatch(value):
            return f"Label values must be small letters, digits, _ and -, 63 at most: '{value}'"
    return ""
