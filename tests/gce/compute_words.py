"""A test's words to Compute Engine: what is short, what is taken, what fails, and what lived when."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.gce.compute_limits import Shortage
from tests.gce.compute_world import Thing
from tests.gce.wire import Json

if TYPE_CHECKING:
    from tests.gce.compute_api import Compute


class Words:
    """``POST /_control/compute/<verb>`` with what each takes as JSON."""

    def __init__(self, compute: Compute) -> None:
        self.compute = compute

    def verbs(self) -> dict[str, Callable[[Json], Any]]:
        return {
            "capacity": self._capacity,
            "quota": self._quota,
            "settings": self._settings,
            "timing": self._timing,
            "lacking": self._lacking,
            "zone": self._zone,
            "silent": self._silent,
            "image": self._image,
            "preempt": lambda told: self._ended(self.compute.instances.endings.preempt(self._instance(told))),
            "power_off": lambda told: self._ended(self.compute.instances.endings.power_off(self._instance(told))),
            "vanish": self._vanish,
            "console": self._console,
            "guest_attributes": self._attributes,
            "forget_operations": self._forget,
            "instances": lambda told: [thing.data for thing in self.compute.world.all("instances")],
            "disks": lambda told: [thing.data for thing in self.compute.world.all("disks")],
            "lived": lambda told: self.lived(),
            "bare": lambda told: self.compute.bare(),
        }

    def _instance(self, told: Json) -> Thing:
        return self.compute.world.get("instances", told["zone"], told["instance"])

    def _ended(self, operation: Thing) -> Json:
        return operation.data

    def _capacity(self, told: Json) -> None:
        """``{"zone", "what", "market", "left", "details", "elsewhere"}``; ``left`` None: there is enough again."""
        limits = self.compute.limits
        key = (told["zone"], told.get("what", "*"), told.get("market", ""))
        limits.shortages = [each for each in limits.shortages if (each.zone, each.what, each.market) != key]
        if told.get("left", 0) is not None:
            limits.shortages.append(Shortage(**{"what": "*", **told}))

    def _quota(self, told: Json) -> None:
        """``{"region" (or none: global), "metric", "limit"}``."""
        self.compute.limits.limits[told.get("region", "global")][told["metric"]] = float(told["limit"])

    def _settings(self, told: Json) -> None:
        """``list_lag``, ``page``, ``quota_at_once``, ``keeps_disks_of_failed``, ``limit_ends_stopped``."""
        compute = self.compute
        places = {
            "list_lag": (compute.world, "list_lag"),
            "page": (compute.lists, "most"),
            "quota_at_once": (compute.limits, "at_once"),
            "keeps_disks_of_failed": (compute.instances, "keeps_disks_of_failed"),
            "limit_ends_stopped": (compute.instances.endings, "limit_ends_stopped"),
        }
        for name, value in told.items():
            setattr(*places[name], value)

    def _timing(self, told: Json) -> Json:
        """Google's seconds for ``provision``, ``stage``, ``delete``, …: all that `Timing` has."""
        timing = self.compute.world.timing
        for name, value in told.items():
            if not hasattr(timing, name):
                raise LookupError(name)
            setattr(timing, name, float(value))
        return dataclasses.asdict(timing)

    def _lacking(self, told: Json) -> None:
        """``{"zone", "types"}``: a zone does not have these machine and accelerator types at all."""
        self.compute.stock.lacking[told["zone"]] = set(told["types"])

    def _zone(self, told: Json) -> None:
        """``{"zone", "up"}``."""
        down = self.compute.lookups.down
        down.discard(told["zone"]) if told["up"] else down.add(told["zone"])

    def _silent(self, told: Json) -> None:
        """``{"zones": […]}``: these do not answer lists of all zones."""
        self.compute.lists.silent = set(told["zones"])

    def _image(self, told: Json) -> Json:
        """``{"project", "name", "family", "size_gb"}`` and any of an image's own fields: a new one."""
        return self.compute.stock.add_image(**told)

    def _vanish(self, told: Json) -> None:
        """A host fails, and the machine is gone without an operation that tells of it."""
        self.compute.instances.endings.vanish(self._instance(told))

    def _console(self, told: Json) -> None:
        """``{"zone", "instance", "text"}``: the machine writes it to its first serial port."""
        extra = self._instance(told).extra
        extra["console"] = extra.get("console", "") + told["text"]

    def _attributes(self, told: Json) -> None:
        """``{"zone", "instance", "namespace", "items": {key: value}}``: the machine publishes them."""
        attributes = self._instance(told).extra.setdefault("attributes", {})
        attributes.update({(told["namespace"], key): value for key, value in told["items"].items()})

    def _forget(self, told: Json) -> int:
        """Finished operations are forgotten; with ``requests``, their requestIds too."""
        operations = self.compute.operations
        done = [each for each in self.compute.world.all("operations") if each.data["status"] == "DONE"]
        for each in done:
            operations.forget(each, request=bool(told.get("requests")))
        return len(done)

    def lived(self) -> list[Json]:
        """What an invoice would say: every machine's runs and every disk's life, in the order of their beginnings."""
        world = self.compute.world
        found: list[Json] = []
        for thing in [*world.past, *world.all("instances"), *world.all("disks")]:
            base = {"name": thing.name, "zone": thing.scope, "labels": thing.data.get("labels", {})}
            if thing.kind == "instances":
                checked = thing.extra["checked"]
                kinds = {"machine_type": checked.kind, "spot": checked.spot, "accelerators": checked.accelerators}
                found += [{"kind": "instance", **base, **kinds, **run} for run in thing.extra.get("ran", [])]
            elif thing.kind == "disks" and not thing.extra.get("nothing"):
                sizes = {"type": thing.data["type"].rpartition("/")[2], "gb": int(thing.data["sizeGb"])}
                found.append({"kind": "disk", **base, **sizes, "since": thing.born, "until": thing.died})
        return sorted(found, key=lambda each: (each["since"], each["name"]))
