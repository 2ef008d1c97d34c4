"""A fleet that cannot be opened, since its bucket or its credentials are out of reach: its user is told so all the same."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, cast

from fleet.control.controller import Controller
from fleet.control.fleets import hostname
from fleet.control.home import Home
from fleet.control.notify_memory import remembers
from fleet.control.notifying import Notifier
from fleet.core.state import FleetState
from fleet.model.base import Seconds
from fleet.model.errors import FleetError, StoreError
from fleet.model.presence import Kind


class _OutOfReach:
    """A bucket of which the URL is known."""

    def __init__(self, url: str, why: str, now: Callable[[], Seconds]) -> None:
        self.url, self._why = url, why
        self.now = now  # its clock is out of reach, too

    def __getattr__(self, _name: str) -> Any:
        def refuse(*_: object) -> None:
            raise StoreError(self._why)

        return refuse


def tell_unopened(
    home: Home,
    left_out: Mapping[str, FleetError],
    kind: Kind,
    seconds: Seconds,
    now: Callable[[], Seconds] = time.time,
) -> None:
    """Tell whom the user named, as far as this home remembers, that somebody here is blind; once it has lasted.

    Never raises. A message that is under way is waited for so long at most.
    """
    for url, error in left_out.items():
        if not remembers(home, url):
            continue
        name = f"{kind} on {hostname()}" if kind != "terminal" else f"{hostname()}-{os.getpid()}"
        stands_for = SimpleNamespace(
            objects=_OutOfReach(url, error.message, now),
            state=FleetState(),
            failed=error.message,
            read_only="",
            journal=SimpleNamespace(by=name),
        )
        # As much of a controller as telling needs.
        notifier = Notifier(cast("Controller", stands_for), home, name, lambda one: one.failed)
        notifier.look()
        notifier.finish(seconds)
