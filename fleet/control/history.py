"""What happened, from the journal's first entry on: for people who look back."""

from __future__ import annotations

from collections.abc import Iterator

from fleet import __version__
from fleet.control.controller import AT_ONCE, Controller
from fleet.core.upcast import decode
from fleet.model.errors import NewerVersionError
from fleet.model.events import Event
from fleet.store.journal import Journal


class History:
    """Every event (of one run), oldest first, with the number of its journal entry. Those of a newer fleet are left out."""

    def __init__(self, controller: Controller, run_id: str | None = None) -> None:
        self._book = Journal(controller.objects, controller.state.fleet_id, by="reader", version=__version__)
        self._run_id = run_id

    def read(self) -> Iterator[tuple[int, Event]]:
        """What was not read yet. Raises StoreError, JournalError."""
        while entries := self._book.refresh(AT_ONCE):
            for entry in entries:
                for raw in entry.events:
                    if self._run_id is not None and raw.get("run_id", self._run_id) != self._run_id:
                        continue  # most are of other runs, and understanding them takes most of the time
                    try:
                        event = decode(raw)
                    except NewerVersionError:
                        continue
                    if self._run_id is None or getattr(event, "run_id", None) == self._run_id:
                        yield entry.number, event


def events_of(controller: Controller, run_id: str | None = None) -> Iterator[tuple[int, Event]]:
    """All that there is until now."""
    return History(controller, run_id).read()
