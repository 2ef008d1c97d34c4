"""A bucket in a dictionary, whose content a test may make anything; and a fleet with a past in it."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from fleet.control.controller import Controller
from fleet.model import layout
from fleet.model.base import canonical_json
from fleet.model.cloud import (
    AccessRule,
    BootTarget,
    Instance,
    LaunchRequest,
    Listing,
    NewVolume,
    Offer,
    PriceSince,
    Volume,
)
from fleet.model.errors import AlreadyExistsError, ErrorClass, NotFoundError, ProviderError
from fleet.providers.base import InTime, Provider, always
from fleet.store.journal import Journal
from fleet.store.objects import ObjectInfo
from tests.simulation.system import System

FLEET = "fleet-1"


class Shelf:
    """Objects in memory."""

    url = "memory://"

    def __init__(self, things: Mapping[str, bytes], clock: Callable[[], float]) -> None:
        self.things = dict(things)
        self.now = clock

    def get(self, key: str) -> bytes:
        if key not in self.things:
            raise NotFoundError(key)
        return self.things[key]

    def put(self, key: str, data: bytes) -> None:
        self.things[key] = data

    def create(self, key: str, data: bytes) -> None:
        if key in self.things:
            raise AlreadyExistsError(key)
        self.things[key] = data

    def upload(self, key: str, path: Path) -> str | None:
        self.things[key] = path.read_bytes()
        return None

    def download(self, key: str, path: Path) -> str | None:
        path.write_bytes(self.get(key))
        return None

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        found = sorted(item for item in self.things.items() if item[0].startswith(prefix))
        return [ObjectInfo(key, len(data), hashlib.sha256(data).hexdigest(), 0.0) for key, data in found]

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.things.pop(key, None)


class Still:
    """A cloud in which nothing changes, whatever is asked of it: every example finds it as it was."""

    name = "sim"

    def __init__(self, inner: Provider) -> None:
        self.capabilities = inner.capabilities
        self._regions, self._offers = inner.regions(), inner.offers()
        self._listings = {region: inner.list(region) for region in self._regions}

    def regions(self) -> Sequence[str]:
        return self._regions

    def offers(self, region: str | None = None) -> Sequence[Offer]:
        return self._offers

    def list(self, region: str) -> Listing:
        return self._listings[region]

    def get(self, region: str, instance_id: str) -> Instance | None:
        return next((one for one in self.list(region).instances if one.instance_id == instance_id), None)

    def launch(self, request: LaunchRequest, in_time: InTime = always) -> Instance:
        raise ProviderError(ErrorClass.CAPACITY, "Full", "nothing is to be had")

    def price_history(self, offer: Offer, since: float, until: float) -> Sequence[PriceSince]:
        return ()

    def boot_target(self, offers: Sequence[Offer], image_id: str | None) -> BootTarget | None:
        return None

    def console(self, region: str, instance_id: str) -> str:
        return ""

    def terminate(self, region: str, instance_id: str) -> None:
        return

    def create_volume(self, region: str, zone: str, volume: NewVolume, token: str, tags: dict[str, str]) -> Volume:
        raise ProviderError(ErrorClass.CAPACITY, "Full", "nothing is to be had")

    def attach(self, region: str, volume_id: str, instance_id: str) -> None:
        return

    def detach(self, region: str, volume_id: str, instance_id: str) -> None:
        return

    def grow_volume(self, region: str, volume_id: str, size_gb: int) -> None:
        return

    def delete_volume(self, region: str, volume_id: str) -> None:
        return

    def access_rules(self, region: str) -> Sequence[AccessRule]:
        return ()

    def close_access(self, rule: AccessRule) -> None:
        return


class Past:
    """Two runs that train, as they stand in the bucket."""

    def __init__(self, system: System) -> None:
        self.clock = system.clock
        self.fleet_id = system.fleet_id
        self.things = {info.key: system.objects.get(info.key) for info in system.objects.list("")}
        self.provider: Provider = Still(system.controllers[0].observer.providers["sim"])
        self.runs = list(system.controllers[0].state.runs)
        self.head = system.controllers[0].state.head

    def shelf(self, changes: Mapping[str, bytes] | None = None) -> Shelf:
        return Shelf({**self.things, **(changes or {})}, self.clock)

    def controller(self, shelf: Shelf) -> Controller:
        """A controller that has read nothing yet, in a cloud that must not be changed."""
        book = Journal(shelf, self.fleet_id, by="c", version="0")
        return Controller(shelf, book, self.fleet_id, {"sim": self.provider})

    def entry(self, number: int) -> bytes:
        return self.things[layout.journal_entry(number)]

    def next_entry(self, events: Any, **fields: Any) -> bytes:
        """A journal entry that follows the last one."""
        entry = json.loads(self.entry(self.head))
        previous = hashlib.sha256(self.entry(self.head)).hexdigest()
        return canonical_json({**entry, "n": self.head + 1, "prev": previous, "events": events, **fields})


@lru_cache
def past() -> Past:
    """Made once."""
    with tempfile.TemporaryDirectory() as folder:
        system = System(Path(folder))
        system.controllers.append(system.controller())
        for name in ("racer", "other"):
            system.start(system.controllers[0], name=name, steps=10_000)
        system.live(900)
        made = Past(system)
        system.close()
    return made
