"""What there is in a project's Compute Engine, and how it changes as time goes by.

Everything that takes time is an event with an hour; whatever is asked first lets happen what is due. A resource is its own
JSON, as the API shows it; what the API does not show stands beside it.
"""

from __future__ import annotations

import copy
import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.gce.clock import rfc3339
from tests.gce.jsonapi import Cloud
from tests.gce.wire import Json, Refused

BASE = "https://www.googleapis.com/compute/v1"
MOST_LAG = 900.0
"""Lists lag no further behind than this."""

Key = tuple[str, str]
"""Scope (a zone, a region, ``global``) and name."""


@dataclass
class Timing:
    """How many of Google's seconds things take; the cloud's pace makes them longer or shorter."""

    accept: float = 0.4
    """From PENDING to RUNNING, of every operation."""
    provision: float = 4.0
    """From PROVISIONING to STAGING: the machine's place is found, or there is none."""
    stage: float = 6.0
    """From STAGING to RUNNING: the operation is done."""
    stop: float = 20.0
    """A guest's orderly power-off."""
    preempt: float = 30.0
    """From the notice to the end of a machine that is taken."""
    delete: float = 15.0
    """From STOPPING until it is gone."""
    disk: float = 2.0
    """Making, resizing, deleting, attaching and detaching a disk."""
    other: float = 1.0
    """Labels, metadata, tags, firewalls."""
    retention: float = 14 * 86400.0
    """How long a finished operation is remembered, at any pace."""


@dataclass
class Thing:
    """A resource and what the API does not show of it."""

    kind: str
    """``instances``, ``disks``, ``firewalls``, …"""
    scope: str
    data: Json
    born: float
    died: float | None = None
    history: list[tuple[float, Json | None]] = field(default_factory=list)
    """What it looked like since when: lists may lag behind."""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.data["name"])

    @property
    def key(self) -> Key:
        return (self.scope, self.name)

    def seen(self, at: float) -> Json | None:
        """How it looked at a time; None: it was not there."""
        found = None
        for since, data in self.history:
            if since > at:
                break
            found = data
        return found


class World:
    """One project."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.timing = Timing()
        self.things: dict[str, dict[Key, Thing]] = {}
        self.past: list[Thing] = []
        """Instances and disks that are gone: for the record of what lived when."""
        self._gone: list[Thing] = []
        """What was there a moment ago, for lists that lag."""
        self.list_lag = 0.0
        """Lists show what was this many seconds ago."""
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._ids = itertools.count(4_000_000_000_000_000_001, 7919)
        self._order = itertools.count()

    def now(self) -> float:
        return self.cloud.clock()

    def span(self, seconds: float) -> float:
        """Google's seconds in the clock's."""
        return seconds * self.cloud.pace

    def after(self, seconds: float, happens: Callable[[], None]) -> float:
        """Something happens after so many of Google's seconds; the time when."""
        return self.at(self.now() + self.span(seconds), happens)

    def at(self, when: float, happens: Callable[[], None]) -> float:
        """Something happens then."""
        heapq.heappush(self._due, (when, next(self._order), happens))
        return when

    def settle(self) -> None:
        """Lets everything happen that is due, each at its own hour."""
        now = self.now()
        real = self.cloud.clock
        try:
            while self._due and self._due[0][0] <= now:
                when, _, happens = heapq.heappop(self._due)
                self.now = lambda when=when: when  # type: ignore[method-assign,misc]
                happens()
        finally:
            self.now = real  # type: ignore[method-assign]

    def next_at(self) -> float:
        """When something will happen next; the end of time, if nothing will."""
        return self._due[0][0] if self._due else float("inf")

    def new_id(self) -> str:
        return str(next(self._ids))

    def stamp(self) -> str:
        return rfc3339(self.now())

    def place(self, scope: str) -> str:
        """The URL of a zone, a region, or of what is global."""
        where = scope if scope == "global" else f"{'regions' if scope.count('-') == 1 else 'zones'}/{scope}"
        return f"{BASE}/projects/{self.cloud.project}/{where}"

    def link(self, kind: str, scope: str, name: str) -> str:
        """A resource's URL."""
        return f"{self.place(scope)}/{kind}/{name}"

    def add(self, kind: str, scope: str, data: Json, **extra: Any) -> Thing:
        """A new resource. Raises Refused (409) if its name is taken."""
        found = self.things.setdefault(kind, {})
        if (scope, data["name"]) in found:
            raise Refused(409, "alreadyExists", f"The resource '{self.short(kind, scope, data['name'])}' already exists")
        data.update(id=self.new_id(), creationTimestamp=self.stamp(), selfLink=self.link(kind, scope, data["name"]))
        thing = Thing(kind, scope, data, self.now(), extra=extra)
        found[thing.key] = thing
        self.changed(thing)
        return thing

    def changed(self, thing: Thing) -> None:
        """To be called after every change of a resource's JSON."""
        horizon = self.now() - MOST_LAG
        while len(thing.history) > 1 and thing.history[1][0] < horizon:
            thing.history.pop(0)
        thing.history.append((self.now(), copy.deepcopy(thing.data) if thing.died is None else None))

    def remove(self, thing: Thing) -> None:
        """It is gone."""
        thing.died = self.now()
        del self.things[thing.kind][thing.key]
        self.changed(thing)
        self._gone = [each for each in self._gone if (each.died or 0) > self.now() - MOST_LAG]
        self._gone.append(thing)
        if thing.kind in ("instances", "disks"):
            self.past.append(thing)

    def get(self, kind: str, scope: str, name: str) -> Thing:
        """A resource by name, or by its id. Raises Refused (404)."""
        found = self.things.get(kind, {})
        thing = found.get((scope, name))
        if thing is None and name.isdecimal():
            thing = next((each for each in found.values() if each.scope == scope and each.data["id"] == name), None)
        if thing is None:
            raise Refused(404, "notFound", f"The resource '{self.short(kind, scope, name)}' was not found")
        return thing

    def short(self, kind: str, scope: str, name: str) -> str:
        """``projects/p/zones/z/instances/i``: how messages name a resource."""
        return self.link(kind, scope, name).removeprefix(BASE + "/")

    def all(self, kind: str) -> Iterator[Thing]:
        """Those that are there now, in the order of scope and name."""
        found = self.things.get(kind, {})
        return (found[key] for key in sorted(found))

    def shown(self, kind: str, scope: str | None = None) -> list[tuple[str, Json]]:
        """What a list shows: scope and JSON, as it was the lag's seconds ago."""
        at = self.now() - self.list_lag
        things = list(self.all(kind))
        if self.list_lag:
            things += [each for each in self._gone if each.kind == kind and (each.died or 0) > at]
        found = [(each.scope, each.seen(at)) for each in things if scope in (None, each.scope)]
        return sorted(
            ((where, data) for where, data in found if data is not None), key=lambda each: (each[0], str(each[1]["name"]))
        )
