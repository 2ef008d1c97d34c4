"""Sends what is asked to who answers it, by the path's first part; logs in; takes a test's word at ``/_control``.

Pure but for its clock: the server (`tests.gce.server`) and the adapter without sockets (`tests.gce.inprocess`) both ask it.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import pkgutil
import traceback
from collections.abc import Callable
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

import tests.gce
from tests.gce.clock import Clock
from tests.gce.jsonapi import Cloud, Handler
from tests.gce.login import Login
from tests.gce.wire import Answered, Asked, told

Waiter = Callable[[float], None]
"""Waits for the given seconds; called without the lock."""


class Router:
    """The whole stand-in."""

    def __init__(self, clock: Clock | None = None, pace: float = 1.0) -> None:
        self.pace = pace
        self.cloud = Cloud(clock or Clock(), pace=pace)
        self.reset()

    def reset(self) -> None:
        """An empty cloud, at its clock's own time: as if nothing had ever been asked or said."""
        self.cloud.pace = self.pace
        self.cloud.clock.ahead = 0.0
        self.cloud.faults.clear()
        self.cloud.calls.clear()
        self.cloud.login = self.login = Login(self.cloud)
        self.handlers: dict[str, list[Handler]] = {"token": [self.login]}
        for module in pkgutil.iter_modules(tests.gce.__path__):
            if module.name.endswith("_api"):
                found = importlib.import_module(f"tests.gce.{module.name}").handlers(self.cloud)
                for name, handler in found.items():
                    self.handlers.setdefault(name, []).append(handler)

    def __getitem__(self, name: str) -> Handler:
        """The first one that answers under a name."""
        return self.handlers[name][0]

    def ask(self, asked: Asked, wait: Waiter) -> Answered:
        """The answer, after as long as it takes."""
        asked = dataclasses.replace(asked, since=self.cloud.clock())
        while True:
            with self.cloud.lock:
                try:
                    answered = self._once(asked)
                except Exception:
                    # A mistake of the stand-in's own: told by the test that met it, not by a connection that breaks.
                    answered = self.cloud.fault(f"{asked.method} {asked.path}: {traceback.format_exc()}")
            if answered.again_at is None:
                return self._dated(answered)
            asked = dataclasses.replace(asked, again=True)
            wait(max(0.0, answered.again_at - self.cloud.clock()))

    def _dated(self, answered: Answered) -> Answered:
        # By the stand-in's clock, unless whoever answers is told to say another time.
        if "date" in {name.lower() for name in answered.headers}:
            return answered
        date = formatdate(self.cloud.clock(), usegmt=True)
        return dataclasses.replace(answered, headers={"date": date, **answered.headers})

    def _once(self, asked: Asked) -> Answered:
        first, _, rest = asked.path.lstrip("/").partition("/")
        if first == "_control":
            return self._control(rest, asked)
        if first != "token":
            principal = self.login.principal(asked)
            if isinstance(principal, Answered):
                if not any(getattr(one, "signs_in_itself", False) for one in self.handlers.get(first, ())):
                    return principal
                principal = ""
            asked = dataclasses.replace(asked, principal=principal)
        # Compute Engine's own paths begin with its name; all the others' are led here by one that is not theirs.
        inner = asked if first == "compute" else dataclasses.replace(asked, path="/" + rest)
        for handler in self.handlers.get(first, ()):
            answered = handler.handle(inner)
            if answered is not None:
                return answered
        return self.cloud.fault(f"nobody answers {asked.method} {asked.path}")

    def _control(self, rest: str, asked: Asked) -> Answered:
        name, _, verb = rest.partition("/")
        try:
            return told({"result": self.control(name, verb, asked.json())})
        except LookupError as error:
            return told({"error": f"nothing is known of {name}/{verb}: {error!r}"}, 404)

    def control(self, name: str, verb: str, telling: dict[str, Any]) -> Any:
        """A test's word: to the stand-in as a whole (``cloud``), or to one of its interfaces."""
        if name != "cloud":
            for handler in self.handlers[name]:
                try:
                    return handler.control(verb, telling)
                except KeyError as error:
                    if error.args != (verb,):
                        raise
            raise LookupError(verb)
        cloud = self.cloud
        if verb == "faults":
            return list(cloud.faults)
        if verb == "calls":
            return [dataclasses.asdict(call) for call in cloud.calls[int(telling.get("since", 0)) :]]
        if verb == "advance":
            cloud.clock.advance(float(telling["seconds"]))
            return cloud.clock()
        if verb == "now":
            return cloud.clock()
        if verb == "pace":
            cloud.pace = float(telling["pace"])
            return cloud.pace
        if verb == "reset":
            return self.reset()
        raise LookupError(verb)


def asked_of(method: str, url: str, headers: dict[str, str], body: bytes) -> Asked:
    """A request as it came."""
    parts = urlsplit(url)
    query = parse_qs(parts.query, keep_blank_values=True)
    return Asked(method, parts.path, query, {name.lower(): value for name, value in headers.items()}, body)


def dumped(value: Any) -> str:
    """As the stand-in prints it."""
    return json.dumps(value, sort_keys=True)
