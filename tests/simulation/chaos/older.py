"""A controller of an older fleet: it does its work until the journal holds a word that it does not know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fleet.control import controller as module
from fleet.control.controller import Controller
from fleet.core.upcast import CURRENT, decode, upcast
from fleet.model.events import Event
from fleet.store.journal import Entry

PREFIX = "older-than-"
"""Of such a controller's name; the rest is the word."""
USERS_WORDS = ("note-added", "budget-set", "run-resumed", "stop-requested")
"""What only a user's command writes: the older controller itself writes as it does today."""


class Older(Controller):
    """Its snapshots are of another kind, so that it reads the journal from the beginning."""

    unknown: str = ""

    def load(self) -> None:
        self.snapshot_every = 1 << 60
        self.catch_up()

    def _fold(self, entries: Sequence[Entry]) -> None:
        known = {kind: version for kind, version in CURRENT.items() if kind != self.unknown}

        def old_decode(raw: dict[str, Any]) -> Event:
            upcast(raw, current=known, upcasts={})
            return decode(raw)

        vars(module).update(decode=old_decode)
        try:
            super()._fold(entries)
        finally:
            vars(module).update(decode=decode)


def unknown_to(name: str) -> str:
    """Which type of event the controller of a name does not know; empty: it is of today."""
    return name[len(PREFIX) :] if name.startswith(PREFIX) else ""
