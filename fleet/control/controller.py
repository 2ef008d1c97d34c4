"""The loop: observe, fold, plan, record, act. Any number may run; dying between any two steps is harmless."""

from __future__ import annotations

import contextlib
import gc
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import ValidationError

from fleet.control.observe import Observer
from fleet.core.fold import Folded, fold, fold_all
from fleet.core.observed import Observed
from fleet.core.state import FOLD_VERSION, FleetState
from fleet.core.storage import due
from fleet.core.upcast import decode, encode
from fleet.model.base import Seconds
from fleet.model.errors import FleetError, JournalError, NewerVersionError, StoreError
from fleet.model.events import Event
from fleet.providers.base import Provider
from fleet.store import snapshots
from fleet.store.journal import Entry, Journal
from fleet.store.objects import Objects

if TYPE_CHECKING:
    from fleet.control.act import Effects
    from fleet.control.measuring import StorageMeter
    from fleet.core.actions import Action

log = logging.getLogger("fleet.control")

STALE_PLAN: Seconds = 10
"""Before acting on a plan older than this, the journal's head is read again (design.md, section 4)."""
ROUNDS = 16
"""So often a tick plans anew when other controllers win the next entry; then it leaves the work to them."""
AT_ONCE = 500
"""So many entries are in memory at once while a long journal is read."""
SNAPSHOT_EVERY = 100
"""Entries between two snapshots."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What one tick did."""

    observed: Observed
    events: tuple[Event, ...]
    """Recorded by this controller, in order."""
    actions: tuple[Action, ...]


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Without the collector, where much is made and nearly all of it kept or gone by its counts: looking for garbage in it
    meanwhile takes as long as the work."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class Controller:
    """Folds the journal, and acts on what it and the world say."""

    def __init__(
        self,
        objects: Objects,
        journal: Journal,
        fleet_id: str,
        providers: Mapping[str, Provider],
        *,
        on_event: Callable[[Event], None] = lambda _event: None,
    ) -> None:
        self.objects = objects
        self.journal = journal
        self.observer = Observer(objects, providers)
        self.state = FleetState(fleet_id=fleet_id)
        self.read_only = ""
        """Why this controller may not act, if so: the journal is newer than it."""
        self.failed = ""
        """Why the last round could not be made, and what to do about it, in words."""
        self.acted_at: Seconds | None = None
        """When this controller last recorded something, by the bucket's clock."""
        self.on_event = on_event
        """Called with each event as it is folded, whoever recorded it."""
        self.snapshot_every = SNAPSHOT_EVERY
        self._snapshot_at = 0

    @cached_property
    def effects(self) -> Effects:
        """What carries actions out: imported by those who act, not by those who only look."""
        from fleet.control.act import Effects

        return Effects(self.objects, self.observer.providers)

    @cached_property
    def meter(self) -> StorageMeter:
        """What counts the bucket."""
        from fleet.control.measuring import StorageMeter

        return StorageMeter(self.objects)

    def load(self) -> None:
        """Start from the newest snapshot, then read what came after it."""
        found = snapshots.load_newest(self.objects, FOLD_VERSION)
        if found is not None and found.number > self.state.head:
            try:
                with uncollected():
                    self.state = FleetState.model_validate_json(found.state)
                self.journal.start_from(found.number, found.sha256)
                self._snapshot_at = found.number
            except ValidationError as error:
                log.warning("the snapshot %d holds no state: %s", found.number, error)
        self.catch_up()

    def catch_up(self) -> bool:
        """Fold what others have written; True if there was anything. An event from the future makes this read-only."""
        news = False
        try:
            # What was read before a failure comes first, and is folded; the failure comes with the next call.
            with uncollected():
                while entries := self.journal.refresh(AT_ONCE):
                    news = True
                    self._fold(entries)
        except NewerVersionError as error:
            self.read_only = str(error)
        return news

    def _fold(self, entries: Sequence[Entry]) -> None:
        """Fold what is known of some entries; from the first that is not on, this controller only reads."""
        known: list[Folded] = []
        told: list[Event] = []
        try:
            for entry in entries:
                try:
                    events = [decode(raw) for raw in entry.events]
                except NewerVersionError as error:
                    self.read_only = str(error)
                    continue
                except JournalError as error:
                    self.read_only = str(error)
                    raise
                if not self.read_only:
                    known.append((entry.number, entry.at, events))
                told.extend(events)
        finally:
            self.state = fold_all(self.state, known) if known else self.state
            for event in told:
                self.on_event(event)

    def _recorded(self, entry: Entry) -> None:
        self.acted_at = entry.at
        self._fold([entry])

    def record(self, events: Sequence[Event], still: Callable[[FleetState], bool] = lambda _state: True) -> bool:
        """Append events whatever others write meanwhile, as long as ``still`` holds of the state before them."""
        raw = [encode(event) for event in events]
        while not self.read_only and still(self.state):
            entry = self.journal.append(raw)
            if entry is not None:
                self._recorded(entry)
                return True
            self.catch_up()
        return False

    def tick(self) -> Tick:
        """One round. Raises StoreError if the bucket cannot be reached: nothing was then begun that is not recorded."""
        try:
            done = self._tick()
        except FleetError as error:
            self.failed = str(error)
            raise
        self.failed = ""
        return done

    def _tick(self) -> Tick:
        self.catch_up()
        observed = self.observer.look(self.state)
        if self.read_only:
            return Tick(observed, (), ())
        recorded, actions = self._decide(observed)
        for action in actions:
            if not self._still_good(action, observed):
                break
            recorded += self._do(action)
        recorded += self._measure(observed.now)
        self._snapshot()
        return Tick(observed, tuple(recorded), tuple(actions))

    def _decide(self, observed: Observed) -> tuple[list[Event], list[Action]]:
        """Record the facts and the intentions of one plan in one entry; plan anew if another controller was first."""
        from fleet.core.facts import facts
        from fleet.core.plan import plan

        for _ in range(ROUNDS):
            new = facts(self.state, observed)
            ahead = fold(self.state, self.state.head + 1, observed.now, new) if new else self.state
            observed = self.observer.shopped(ahead, observed)
            actions = plan(ahead, observed)
            events = [*new, *(a.intention for a in actions if a.intention is not None)]
            if not events:
                return [], actions
            entry = self.journal.append([encode(event) for event in events])
            if entry is not None:
                self._recorded(entry)
                return events, actions
            self.catch_up()
            if self.read_only:
                break
        return [], []

    def _still_good(self, action: Action, observed: Observed) -> bool:
        """Neither too late, nor overtaken by another controller while this one was asleep."""
        now = self.objects.now()
        if now > action.not_after:
            return False
        return not (now - observed.now > STALE_PLAN and self.catch_up())

    def _do(self, action: Action) -> list[Event]:
        from fleet.core.actions import WriteDesired

        outcome = self.effects.perform(action, self.state)
        self.observer.acted[action.key] = self.objects.now()
        if isinstance(action, WriteDesired):
            self.observer.wrote_desired(action.run_id, action.desired)
        return outcome if outcome and self.record(outcome) else []

    def _measure(self, now: Seconds) -> list[Event]:
        """Count the bucket, if it is time."""
        if not due(self.state, now):
            return []
        found = self.meter.look(self.state, now)
        return [found] if found is not None and self.record([found], still=lambda state: due(state, now)) else []

    def _snapshot(self) -> None:
        """Keep the cold start short. A snapshot is a convenience: failing to write one is no failure."""
        if self.state.head - self._snapshot_at < self.snapshot_every:
            return
        self._snapshot_at = self.state.head
        data = self.state.model_dump_json().encode()
        try:
            snapshots.save(self.objects, FOLD_VERSION, self.state.head, self.journal.head_sha256, data)
        except StoreError as error:
            log.warning("no snapshot was written: %s", error)
