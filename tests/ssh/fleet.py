"""A fleet with one run, whose machines are whatever the test says."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fleet.boot.reach import Reach
from fleet.control.controller import Controller
from fleet.control.reaching import Machine, Place, Reaching
from fleet.core.upcast import encode
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.documents import HostKeys
from fleet.model.errors import FleetError
from fleet.store.files import FileObjects
from fleet.store.journal import Journal
from tests.unit.core.world import RUN, event

BOOK = "fleet-1"


class Bucket(FileObjects):
    """A folder that says that it is a bucket of EC2's."""

    url = "s3://bucket/fleet"


class Fleet:
    """The journal and the bucket; and the way to its machines, as a cloud would tell it."""

    def __init__(self, folder: Path) -> None:
        self.objects = Bucket(folder, lambda: 1000.0)
        self.places: dict[str, Place | FleetError] = {}
        self.doors: list[str] = []
        """Whose ports were opened and closed, in order."""
        self.record({"run-created": {}})

    def record(self, *events: dict[str, Any]) -> None:
        """As another controller does."""
        if not events:
            return
        book = Journal(self.objects, BOOK, by="c", version="0")
        book.refresh()
        assert book.append([encode(event(one)) for one in events]) is not None

    def launch(self, attempt: int, reach: Reach | None = None) -> Machine:
        """A machine of the run; with ``reach`` it has booted already."""
        who = {"attempt": attempt}
        self.record({"launch-intended": dict(who)}, {"launch-succeeded": {**who, "id": f"i-{attempt}"}})
        machine = Machine(RUN, attempt, f"i-{attempt}", "sim", "r")
        if reach is not None:
            self.publish(attempt, reach)
        return machine

    def publish(self, attempt: int, reach: Reach, *, by: str | None = None) -> None:
        keys = HostKeys(instance_id=by or f"i-{attempt}", keys=reach.keys, user=reach.user, at=1.0)
        self.places[f"i-{attempt}"] = Place(reach.address, reach.port)
        self.objects.put(layout.host_key(RUN, attempt), document_bytes(keys))

    def gone(self, attempt: int, ended_by: str = "cloud") -> None:
        self.record({"attempt-gone": {"attempt": attempt, "ended_by": ended_by, "ended_at": 1.0}})

    def controller(self) -> Controller:
        made = Controller(self.objects, Journal(self.objects, BOOK, by="me", version="0"), BOOK, {})
        made.load()
        return made

    def place(self, machine: Machine) -> Place | None:
        found = self.places.get(machine.instance_id)
        if isinstance(found, FleetError):
            raise found
        return found

    def keys(self, machine: Machine) -> HostKeys | None:
        return None

    @contextlib.contextmanager
    def opened(self, machine: Machine, place: Place) -> Iterator[None]:
        self.doors.append(f"open {machine.instance_id}")
        try:
            yield
        finally:
            self.doors.append(f"closed {machine.instance_id}")

    def reaching(self, say: Callable[[str], None]) -> Reaching:
        return Reaching(self.controller(), RUN, self, say, pause=0.02)
