"""The journal: numbered entries, each created exclusively, never changed, each carrying the hash of the one before.

Exclusive creation is the only concurrency primitive. "Already exists" is no answer by itself: stores retry on their
own, and a lost reply makes one's own write look like another's. The entry's nonce tells: read the key, and see whose it is.
"""

from __future__ import annotations

import hashlib
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic_core import from_json

from fleet.model import layout
from fleet.model.base import FURTHEST, canonical_json
from fleet.model.errors import (
    AlreadyExistsError,
    FleetError,
    JournalError,
    NewerVersionError,
    NotFoundError,
    StoreError,
)
from fleet.store.objects import Objects
from fleet.store.parallel import in_shares

ENTRY_VERSION = 1
APPEND_TRIES = 4
"""So often a create whose fate is unknown is tried again under the same nonce."""
FAR_BEHIND = 64
"""After so many entries read one by one, a listing and parallel reads are cheaper."""
PAGE_DIGITS = 3
"""A listing of keys that differ in their last three digits only is one page."""
MOST_DIGITS = 18
READ_AHEAD = 512
"""Entries that are read, and held in memory, before they are accepted."""
REPAIR = "`fleet journal repair` sets a torn last entry aside."
RESTORE = "Restore the folder or bucket from a copy; nothing was written."


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, parsed."""

    number: int
    at: float
    by: str
    version: str
    events: tuple[dict[str, Any], ...]
    sha256: str


class Cache(Protocol):
    """Remembers immutable entries between processes; may forget any of them."""

    def get(self, number: int) -> bytes | None:
        """An entry's bytes, if they are known."""
        ...

    def put(self, number: int, data: bytes) -> None:
        """Remember an entry's bytes."""
        ...


class Journal:
    """One reader's and writer's view of the journal, up to ``head``."""

    def __init__(
        self,
        objects: Objects,
        fleet_id: str,
        *,
        by: str,
        version: str,
        cache: Cache | None = None,
        nonce: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._objects = objects
        self._fleet_id = fleet_id
        self._by = by
        self._version = version
        self._cache = cache
        self._nonce = nonce
        self._at = 0.0
        self._listed: list[int] = []
        """Numbers that a listing showed and that are not read yet, ascending."""
        self.head = 0
        self.head_sha256 = ""

    @property
    def by(self) -> str:
        """Who writes: as in the entries."""
        return self._by

    def start_from(self, number: int, sha256: str) -> None:
        """Take up behind a snapshot: entry ``number`` has that hash."""
        self.head, self.head_sha256 = number, sha256

    def refresh(self, most: int = sys.maxsize) -> list[Entry]:
        """Every entry after ``head``, in order; at most so many, if the rest is to be asked for later.

        Raises JournalError for a torn or foreign one, NewerVersionError for a newer fleet's, StoreError if the bucket
        cannot be asked: but what was read before that is returned first, since it is the head now and is read only once.
        """
        found: list[Entry] = []
        try:
            self._read_on(found, most)
        except FleetError:
            self._listed = []
            if not found:
                raise
        return found

    def _read_on(self, found: list[Entry], most: int) -> None:
        """Accept one entry after the other, until there is none."""
        self._listed = [number for number in self._listed if number > self.head]
        while not self._listed and len(found) < most:
            if len(found) == FAR_BEHIND:
                self._listed = self._list()
                break
            data = self._read(self.head + 1)
            if data is None:
                return
            found.append(self._accept(data))
        while self._listed and len(found) < most:
            count = min(READ_AHEAD, most - len(found))
            numbers, self._listed = self._listed[:count], self._listed[count:]
            self._read_listed(numbers, found)

    def append(self, events: Sequence[dict[str, Any]]) -> Entry | None:
        """Write the next entry; None if another writer won its number (refresh, and decide anew).

        Raises StoreError if it is not known whether the entry was written: the next refresh tells, since the entry is
        then read like any other.
        """
        number, nonce = self.head + 1, self._nonce()
        data = canonical_json(
            {
                "v": ENTRY_VERSION,
                "n": number,
                "fleet": self._fleet_id,
                "prev": self.head_sha256,
                "nonce": nonce,
                "at": round(max(self._objects.now(), self._at), 3),
                "by": self._by,
                "version": self._version,
                "events": list(events),
            }
        )
        return self._accept(data) if self._create(number, nonce, data) else None

    def _create(self, number: int, nonce: str, data: bytes) -> bool:
        """True if our bytes are entry ``number``, False if another's are."""
        key = layout.journal_entry(number)
        failure: StoreError | None = None
        for _ in range(APPEND_TRIES):
            try:
                self._objects.create(key, data)
                return True
            except AlreadyExistsError:
                pass
            except StoreError as error:
                failure = error  # it may have been written all the same
            try:
                return _nonce_of(self._objects.get(key)) == nonce
            except NotFoundError:
                continue
            except StoreError as error:
                failure = error
        raise failure or StoreError(f"{key} exists and cannot be read", "Try again.")

    def _read(self, number: int) -> bytes | None:
        if self._cache is not None and (known := self._cache.get(number)) is not None:
            return known
        try:
            return self._objects.get(layout.journal_entry(number))
        except NotFoundError:
            return None

    def _list(self) -> list[int]:
        """The numbers after ``head``, by listings of blocks: the next thousand, and while one is full, ten times as many."""
        found: list[int] = []
        following, digits = self.head + 1, PAGE_DIGITS
        while True:
            block = layout.journal_entry(following).removesuffix(".json")[:-digits]
            there = (_number_of(info.key) for info in self._objects.list(block))
            found += sorted(number for number in there if number >= following)
            following, digits = (following // 10**digits + 1) * 10**digits, digits + 1
            if found[-1:] != [following - 1]:
                return found

    def _read_listed(self, numbers: list[int], found: list[Entry]) -> None:
        """Accept entries that a listing showed."""
        for number, data in zip(numbers, in_shares(self._read, numbers), strict=True):
            if number != self.head + 1 or data is None:
                raise JournalError(f"journal entry {self.head + 1} is missing, but entry {number} is there")
            found.append(self._accept(data))

    def _accept(self, data: bytes) -> Entry:
        """Check an entry against the chain, and make it the head."""
        entry = _parsed(data, self.head + 1, self._fleet_id, self.head_sha256)
        self.head, self.head_sha256, self._at = entry.number, entry.sha256, entry.at
        if self._cache is not None:
            self._cache.put(entry.number, data)
        return entry


def _parsed(data: bytes, number: int, fleet_id: str, previous: str) -> Entry:
    """An entry whose place in the chain is checked. Raises JournalError, NewerVersionError."""
    key = layout.journal_entry(number)
    try:
        raw = from_json(data, cache_strings="keys")
        version = raw["v"]
    except (ValueError, TypeError, KeyError):
        raise JournalError(f"{key} is torn: {len(data)} bytes that are no entry", REPAIR) from None
    if not isinstance(version, int) or version > ENTRY_VERSION:
        raise NewerVersionError(f"{key} was written by a newer fleet", "Upgrade fleet (pip install -U fleet).")
    try:
        entry = Entry(
            number=int(raw["n"]),
            at=_time(raw["at"]),
            by=str(raw["by"]),
            version=str(raw["version"]),
            events=_events(raw["events"]),
            sha256=hashlib.sha256(data).hexdigest(),
        )
        chained = (raw["fleet"], raw["prev"])
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        hint = RESTORE if _nonce_of(data) is not None else REPAIR
        raise JournalError(f"{key} does not hold what an entry holds: {str(error)[:200]}", hint) from None
    if entry.number != number or chained != (fleet_id, previous):
        raise JournalError(
            f"{key} does not follow the entry before it (number {entry.number}, fleet {chained[0]}): "
            "the journal was changed from outside",
            RESTORE,
        )
    return entry


def _time(value: Any) -> float:
    """Later entries are no earlier than this one: a time out of the world would be theirs too."""
    found = float(value)
    if not abs(found) <= FURTHEST:
        raise ValueError(f"{found} is no time")
    return found


def _events(value: Any) -> tuple[dict[str, Any], ...]:
    if not isinstance(value, list) or not all(isinstance(event, dict) for event in value):
        raise TypeError("its events are none")
    return tuple(value)


def _nonce_of(data: bytes) -> str | None:
    try:
        found = from_json(data)["nonce"]
    except (ValueError, TypeError, KeyError):
        return None
    return found if isinstance(found, str) else None


def _number_of(key: str) -> int:
    """The number in an entry's key; 0 for anything else that lies there."""
    name = key.removeprefix(layout.JOURNAL).removesuffix(".json")
    is_number = len(name) <= MOST_DIGITS and name.isascii() and name.isdigit()
    return int(name) if is_number and key == layout.journal_entry(int(name)) else 0


def repair_torn_tail(objects: Objects) -> str | None:
    """The named repair: set a torn *last* entry aside. The key where it lies then, or None if nothing is torn.

    Raises FleetError if an entry before the last one is torn: that is no power cut, and nothing here may be guessed.
    """
    numbers = sorted(filter(None, (_number_of(info.key) for info in objects.list(layout.JOURNAL))))
    torn = [number for number in numbers if _nonce_of(objects.get(layout.journal_entry(number))) is None]
    if not torn:
        return None
    if torn != numbers[-1:]:
        raise FleetError(
            f"journal entry {torn[0]} is torn, and it is not the last one",
            "Restore the folder or bucket from a copy; nothing was changed.",
        )
    key = layout.journal_entry(torn[0])
    data = objects.get(key)
    aside = f"{layout.JOURNAL}aside/{torn[0]:012d}-{hashlib.sha256(data).hexdigest()[:12]}.json"
    objects.put(aside, data)
    objects.delete([key])
    return aside
