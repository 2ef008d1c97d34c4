"""What happened, from the journal's first entry on: for people who look back."""

from __future__ import annotations

from collections.abc import Iterator

from fleet import __version__
from fleet.control.controller import AT_ONCE, Controller
from fleet.core.upcast import decode
from fleet.model.errors import NewerVersionError
from fleet.model.events import Event
from fleet.store.journal import Journal


def events_of(controller: Controller, run_id: str | None = None) -> Iterator[tuple[int, Event]]:
    """Every event (of one run), oldest first, with the number of its journal entry. Those of a newer fleet are left out."""
    book = Journal(controller.objects, controller.state.fleet_id, by="reader", version=__version__)
    while entries := book.refresh(AT_ONCE):
        for entry in entries:
            for raw in entry.events:
                if run_id is not None and raw.get("run_id", run_id) != run_id:
                    continue  # most are of other runs, and understanding them takes most of the time
                try:
                    event = decode(raw)
                except NewerVersionError:
                    continue
                if run_id is None or getattr(event, "run_id", None) == run_id:
                    yield entry.number, event
