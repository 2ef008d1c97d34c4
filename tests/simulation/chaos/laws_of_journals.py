"""Laws of the journal, and of every other document that is created exclusively."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fleet.core.state import FleetState
from fleet.model import events as ev
from fleet.model import layout
from fleet.model.base import canonical_json
from tests.simulation.chaos.bucket import kind_of
from tests.simulation.chaos.more_laws import Part
from tests.simulation.chaos.older import unknown_to

if TYPE_CHECKING:
    from tests.simulation.chaos.laws import Laws

EXCLUSIVE = frozenset({"journal", "launch", "began", "base", "manifest"})


class Journals(Part):
    """One history, that everybody sees."""

    def __init__(self, laws: Laws) -> None:
        super().__init__(laws)
        self._words: set[tuple[str, bytes]] = set()
        self._types: set[str] = set()
        """Of the events that stand in it."""

    def replaced(self, key: str) -> None:
        if kind_of(key) in EXCLUSIVE:
            self.laws.broken("what is created exclusively is never just put", key)

    def recorded(self, entry: dict[str, Any], before: FleetState, events: Sequence[ev.Event]) -> None:
        """Whoever takes its own write for another's says everything twice."""
        if int(entry["n"]) != before.head + 1:
            self.laws.broken("an entry of the journal stands as it was written", f"{entry['n']} after {before.head}")
        if unknown_to(str(entry["by"])) in self._types:
            self.laws.broken(
                "who does not know what stands in the journal writes nothing more", f"{entry['n']} by {entry['by']}"
            )
        self._types.update(event.type for event in events)
        for raw in entry["events"]:
            word = (str(entry["by"]), hashlib.sha256(canonical_json(raw)).digest())
            if word in self._words:
                self.laws.broken("no word stands twice in the journal", f"entry {entry['n']}: {raw.get('type')}")
            self._words.add(word)

    def look_around(self) -> None:
        """A controller that took another's entry for its own goes on from what never was."""
        for laptop in self.world.laptops:
            journal = laptop.controller.journal if laptop.controller is not None else None
            if journal is None or journal.head == 0:
                continue
            data, *_ = self.world.bucket.data[layout.journal_entry(journal.head)]
            if hashlib.sha256(data).hexdigest() != journal.head_sha256:
                self.laws.broken("all see one journal", f"{laptop.name} sees another entry {journal.head}")
