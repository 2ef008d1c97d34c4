"""The journal: one order that all writers agree on, whatever is lost on the way."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.model import layout
from fleet.model.errors import (
    AlreadyExistsError,
    FleetError,
    JournalError,
    NewerVersionError,
    NotFoundError,
    StoreError,
)
from fleet.store.cache import EntryCache
from fleet.store.files import FileObjects
from fleet.store.journal import FAR_BEHIND, Entry, Journal, repair_torn_tail
from fleet.store.objects import ObjectInfo, Objects
from tests.unit.store.conftest import Opener

WRITERS, EACH = 8, 12


def journal(objects: Objects, by: str = "me", **more: Any) -> Journal:
    return Journal(objects, "fleet-1", by=by, version="0", **more)


def said(entries: Sequence[Entry]) -> list[Any]:
    return [event["what"] for entry in entries for event in entry.events]


def append_all(book: Journal, words: Iterable[str]) -> None:
    """As the controller does: lost races are read, then tried again."""
    for word in words:
        while book.append([{"what": word}]) is None:
            book.refresh()


class Flaky:
    """A bucket that loses answers and calls as told: one letter a call, for create and get."""

    def __init__(self, inner: Objects, script: Iterable[str]) -> None:
        self._inner, self._script = inner, iter(script)

    def script_ends(self) -> None:
        self._script = iter(())

    def _turn(self) -> str:
        return next(self._script, ".")

    def create(self, key: str, data: bytes) -> None:
        turn = self._turn()
        if turn == "b":
            raise StoreError("failed before")
        if turn == "r":  # the store retries by itself: its own first write looks like another's
            self._inner.create(key, data)
            raise AlreadyExistsError("exists")
        self._inner.create(key, data)
        if turn == "a":
            raise StoreError("the answer was lost")

    def get(self, key: str) -> bytes:
        if self._turn() in "ba":
            raise StoreError("no answer")
        return self._inner.get(key)

    def put(self, key: str, data: bytes) -> None:
        self._inner.put(key, data)

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        return self._inner.list(prefix)

    def delete(self, keys: Iterable[str]) -> None:
        self._inner.delete(keys)

    def upload(self, key: str, path: Path) -> None:
        self._inner.upload(key, path)

    def download(self, key: str, path: Path) -> None:
        self._inner.download(key, path)

    def now(self) -> float:
        return self._inner.now()

    @property
    def url(self) -> str:
        return self._inner.url


def test_entries_are_read_in_order_by_everybody(objects: Objects) -> None:
    first, second = journal(objects), journal(objects, "you")
    append_all(first, ["a", "b"])
    assert said(second.refresh()) == ["a", "b"]
    append_all(second, ["c"])
    assert said(first.refresh()) == ["c"]
    assert first.refresh() == []
    assert (first.head, first.head_sha256) == (second.head, second.head_sha256)


def test_eight_writers_at_once_write_everything_once_and_agree_on_the_order(opener: Opener) -> None:
    def write(n: int) -> None:
        append_all(journal(opener(), f"writer-{n}"), [f"{n}/{i}" for i in range(EACH)])

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    entries = journal(opener()).refresh()
    words = said(entries)
    assert sorted(words) == sorted(f"{n}/{i}" for n in range(WRITERS) for i in range(EACH))
    assert [e.number for e in entries] == list(range(1, WRITERS * EACH + 1))
    for n in range(WRITERS):
        assert [w for w in words if w.startswith(f"{n}/")] == [f"{n}/{i}" for i in range(EACH)]


PROGRAM = """
import sys
from fleet.store.journal import Journal
from fleet.store.opening import open_objects
book = Journal(open_objects(sys.argv[1]), "fleet-1", by=sys.argv[2], version="0")
for i in range(int(sys.argv[3])):
    while book.append([{"what": f"{sys.argv[2]}/{i}"}]) is None:
        book.refresh()
"""


def test_eight_processes_killed_and_started_again_never_tear_a_folder(tmp_path: Path) -> None:
    """SIGKILL at any moment leaves whole entries only."""
    url = (tmp_path / "b").as_uri()
    for turn in range(3):
        crowd = [subprocess.Popen([sys.executable, "-c", PROGRAM, url, f"{turn}-{n}", "400"]) for n in range(WRITERS)]
        reader = journal(FileObjects(tmp_path / "b"))
        while reader.head < 40 * (turn + 1):
            reader.refresh()
        for one in crowd:
            one.kill()
            one.wait()
    entries = journal(FileObjects(tmp_path / "b")).refresh()
    words = said(entries)
    assert len(words) == len(set(words)) >= 120
    for name in {w.split("/")[0] for w in words}:
        mine = [int(w.split("/")[1]) for w in words if w.split("/")[0] == name]
        assert mine == list(range(len(mine)))


@pytest.mark.parametrize("script", ["a", "r", "b", "ba", "a.a", "bbb", "ab"])
def test_ones_own_write_is_known_by_its_nonce_whatever_answer_was_lost(script: str) -> None:
    from fleet.store.opening import open_objects

    objects = open_objects("memory://")
    book = journal(Flaky(objects, script))
    assert book.append([{"what": "mine"}]) is not None
    assert said(journal(objects).refresh()) == ["mine"]


def test_anothers_write_is_lost_even_if_the_answer_was_lost_too() -> None:
    from fleet.store.opening import open_objects

    objects = open_objects("memory://")
    append_all(journal(objects, "other"), ["theirs"])
    book = journal(Flaky(objects, "b"))
    assert book.append([{"what": "mine"}]) is None
    assert said(book.refresh()) == ["theirs"]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text("..abr", max_size=12), min_size=2, max_size=4), st.integers(1, 5))
def test_whatever_is_lost_every_word_stands_once_and_its_writer_knows(scripts: list[str], each: int) -> None:
    """A writer that is left in doubt (StoreError) reads on, and sees whether its word stands."""
    from fleet.store.opening import open_objects

    objects = open_objects("memory://")
    books = [journal(Flaky(objects, script), str(n)) for n, script in enumerate(scripts)]
    todo = {n: [f"{n}/{i}" for i in range(each)] for n in range(len(books))}
    while any(todo.values()):
        for n, book in enumerate(books):
            if not todo[n]:
                continue
            try:
                for entry in book.refresh():
                    todo[n] = [w for w in todo[n] if w not in said([entry])]
                if todo[n] and book.append([{"what": todo[n][0]}]) is not None:
                    todo[n].pop(0)
            except StoreError:
                continue
    words = said(journal(objects).refresh())
    assert sorted(words) == sorted(f"{n}/{i}" for n in range(len(books)) for i in range(each))


def test_what_was_read_before_the_bucket_failed_is_not_lost() -> None:
    from fleet.store.opening import open_objects

    objects = open_objects("memory://")
    append_all(journal(objects), ["a", "b", "c"])
    reader = journal(Flaky(objects, "..b"))
    assert said(reader.refresh()) == ["a", "b"]
    assert said(reader.refresh()) == ["c"]


def test_a_reader_far_behind_catches_up_by_one_listing(objects: Objects) -> None:
    count = FAR_BEHIND + 40
    append_all(journal(objects), [str(n) for n in range(count)])
    assert said(journal(objects).refresh()) == [str(n) for n in range(count)]


def test_a_gap_far_behind_is_named(tmp_path: Path) -> None:
    objects = FileObjects(tmp_path)
    append_all(journal(objects), [str(n) for n in range(FAR_BEHIND + 10)])
    objects.delete([layout.journal_entry(FAR_BEHIND + 5)])
    reader = journal(objects)
    assert len(reader.refresh()) == FAR_BEHIND + 4
    # Read one by one there is simply no entry there; whoever appends finds out.
    assert reader.refresh() == []


@pytest.mark.parametrize("count", [FAR_BEHIND - 1, FAR_BEHIND, FAR_BEHIND + 35, FAR_BEHIND + 36, FAR_BEHIND + 140])
def test_a_long_journal_is_read_in_pieces_and_by_blocks(
    objects: Objects, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Blocks of ten keys here, so that some are full, some begin in the middle, and one ends with the journal."""
    monkeypatch.setattr("fleet.store.journal.PAGE_DIGITS", 1)
    words = [str(n) for n in range(count)]
    append_all(journal(objects), words)
    assert said(journal(objects).refresh()) == words
    reader, pieces = journal(objects), list[list[Any]]()
    while entries := reader.refresh(25):
        pieces.append(said(entries))
    assert [word for piece in pieces for word in piece] == words
    assert max(map(len, pieces)) == 25
    append_all(journal_at(objects, reader), ["one more"])
    assert said(reader.refresh(25)) == ["one more"]


def journal_at(objects: Objects, reader: Journal) -> Journal:
    book = journal(objects, "you")
    book.start_from(reader.head, reader.head_sha256)
    return book


def test_what_was_listed_is_forgotten_once_it_is_not_as_listed(tmp_path: Path) -> None:
    objects = FileObjects(tmp_path)
    count = FAR_BEHIND + 60
    append_all(journal(objects), [str(n) for n in range(count)])
    last = layout.journal_entry(count)
    whole = objects.get(last)
    objects.put(last, b"{")
    reader = journal(objects)
    assert len(reader.refresh(FAR_BEHIND + 10)) == FAR_BEHIND + 10
    assert len(reader.refresh()) == 49
    with pytest.raises(JournalError, match="torn"):
        reader.refresh()
    repair_torn_tail(objects)
    assert reader.refresh() == []
    objects.put(last, whole)
    assert said(reader.refresh()) == [str(count - 1)]


def test_time_in_the_journal_never_goes_back(tmp_path: Path) -> None:
    times = iter([100.0, 50.0, 200.0])
    objects = FileObjects(tmp_path, clock=lambda: next(times))
    append_all(journal(objects), ["a", "b", "c"])
    assert [e.at for e in journal(objects).refresh()] == [100.0, 100.0, 200.0]


@pytest.mark.parametrize("torn", [b"", b"{", b'{"v": 1', b"\x00" * 50, b"[]", b'{"v": 1}'])
def test_a_torn_last_entry_is_named_and_its_repair_sets_it_aside(tmp_path: Path, torn: bytes) -> None:
    objects = FileObjects(tmp_path)
    append_all(journal(objects), ["a", "b"])
    objects.put(layout.journal_entry(3), torn)
    reader = journal(objects)
    assert said(reader.refresh()) == ["a", "b"]
    with pytest.raises(JournalError, match="000000000003"):
        reader.refresh()
    aside = repair_torn_tail(objects)
    assert aside is not None
    assert objects.get(aside) == torn
    append_all(reader, ["c"])
    assert said(journal(objects).refresh()) == ["a", "b", "c"]
    assert repair_torn_tail(objects) is None


def test_a_torn_entry_that_is_not_the_last_is_nobodys_to_repair(tmp_path: Path) -> None:
    objects = FileObjects(tmp_path)
    append_all(journal(objects), ["a", "b", "c"])
    objects.put(layout.journal_entry(2), b"{")
    with pytest.raises(FleetError, match="not the last"):
        repair_torn_tail(objects)
    assert objects.get(layout.journal_entry(2)) == b"{"


@pytest.mark.parametrize("field", ["prev", "fleet", "n"])
def test_an_entry_changed_from_outside_breaks_the_chain(tmp_path: Path, field: str) -> None:
    objects = FileObjects(tmp_path)
    append_all(journal(objects), ["a", "b"])
    entry = json.loads(objects.get(layout.journal_entry(2)))
    entry[field] = 7 if field == "n" else "other"
    objects.put(layout.journal_entry(2), json.dumps(entry).encode())
    reader = journal(objects)
    assert said(reader.refresh()) == ["a"]
    with pytest.raises(JournalError, match="changed from outside"):
        reader.refresh()


def test_a_changed_earlier_entry_is_found_by_the_next_ones_hash(tmp_path: Path) -> None:
    objects = FileObjects(tmp_path)
    append_all(journal(objects), ["a", "b"])
    changed = objects.get(layout.journal_entry(1)).replace(b'"a"', b'"z"')
    objects.put(layout.journal_entry(1), changed)
    reader = journal(objects)
    assert said(reader.refresh()) == ["z"]
    with pytest.raises(JournalError):
        reader.refresh()


def test_an_entry_of_a_newer_fleet_is_not_guessed_at(tmp_path: Path) -> None:
    objects = FileObjects(tmp_path)
    objects.create(layout.journal_entry(1), b'{"v": 2, "whatever": 1}')
    with pytest.raises(NewerVersionError, match=r"(?s)newer.*[Uu]pgrade"):
        journal(objects).refresh()


def test_known_entries_come_from_the_cache(tmp_path: Path) -> None:
    objects = FileObjects(tmp_path / "b")
    cache = EntryCache(tmp_path / "cache", "fleet-1")
    append_all(journal(objects), ["a", "b"])
    journal(objects, cache=cache).refresh()
    objects.delete([layout.journal_entry(1), layout.journal_entry(2)])
    assert said(journal(objects, cache=cache).refresh()) == ["a", "b"]
    assert journal(objects, cache=EntryCache(tmp_path / "cache", "fleet-2")).refresh() == []


def test_a_broken_cache_is_as_good_as_none(tmp_path: Path) -> None:
    objects = FileObjects(tmp_path / "b")
    append_all(journal(objects), ["a"])
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "fleet-1.sqlite").write_bytes(b"no database" * 200)
    cache = EntryCache(tmp_path / "cache", "fleet-1")
    assert said(journal(objects, cache=cache).refresh()) == ["a"]
    assert cache.get(1) is not None
    nowhere = EntryCache(Path("/proc/nowhere"), "fleet-1")
    nowhere.put(1, b"x")
    assert nowhere.get(1) is None


def test_an_unreadable_journal_after_an_exists_answer_is_told(tmp_path: Path) -> None:
    class Mute(FileObjects):
        def create(self, key: str, data: bytes) -> None:
            raise AlreadyExistsError("exists")

        def get(self, key: str) -> bytes:
            raise NotFoundError("not there")

    with pytest.raises(StoreError):
        journal(Mute(tmp_path)).append([{"what": "a"}])
