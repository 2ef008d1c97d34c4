"""Journal entries from a broken disk, a newer fleet or somebody's editor: named, or read only; never acted upon."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleet.control.controller import Controller
from fleet.core.state import FOLD_VERSION
from fleet.model import layout
from fleet.model.errors import FleetError, JournalError
from fleet.store import snapshots
from fleet.store.journal import repair_torn_tail
from tests.fuzz.draw import bent, damaged, documents, examples, strings, values
from tests.fuzz.shelf import Past, Shelf, past


def tried(controller: Controller) -> str:
    """What a controller says that reads, and looks once more: its error, or that it only reads; empty if all is well."""
    said = ""
    for act in (controller.load, controller.tick, controller.tick):
        try:
            done = act()
        except FleetError as error:
            said = error.message
            continue
        if done is not None and controller.read_only:
            assert (done.actions, done.events) == ((), ())
    return said or controller.read_only


def unwritten(shelf: Shelf, before: dict[str, bytes]) -> bool:
    return shelf.things == before


@st.composite
def broken_entries(draw: st.DrawFn) -> tuple[int, bytes]:
    number = draw(st.integers(1, past().head))
    data = past().entry(number)
    return number, draw(damaged(data, 1) | documents(json.loads(data)))


@examples(120)
@given(broken_entries())
@example((1, b"[" * 100_000))
@example((2, b'{"v":1,"n":1e999}'))
def test_an_entry_that_is_not_what_was_written_is_noticed(case: tuple[int, bytes]) -> None:
    number, data = case
    told: Past = past()
    if data == told.entry(number):
        return
    shelf = told.shelf({layout.journal_entry(number): data})
    before = dict(shelf.things)
    said = tried(told.controller(shelf))
    if number < told.head:  # the hash in the next one tells
        assert said
        assert unwritten(shelf, before)


@st.composite
def next_entries(draw: st.DrawFn) -> bytes:
    """An entry that follows the last one in form, and holds anything."""
    known = [json.loads(past().entry(n)) for n in range(1, past().head + 1)]
    events = [event for entry in known for event in entry["events"]]
    one = bent(draw(st.sampled_from(events)), 2)
    drawn = draw(st.lists(one, max_size=2) | values)
    entry = json.loads(past().next_entry(drawn))
    for field in draw(st.sets(st.sampled_from(["v", "at", "by", "version", "nonce", "x"]), max_size=2)):
        entry[field] = draw(values)
    return json.dumps(entry).encode()


@examples(120)
@given(next_entries())
@example(past().next_entry("events"))
@example(past().next_entry([], at=10**400))
@example(past().next_entry([], at=float("nan")))
def test_whatever_the_next_entry_holds_no_controller_falls_over_it(data: bytes) -> None:
    shelf = past().shelf({layout.journal_entry(past().head + 1): data})
    controller = past().controller(shelf)
    before = dict(shelf.things)
    if tried(controller):
        assert unwritten(shelf, before)
    repaired = repair_torn_tail(shelf) if json_nonce(data) is None else None
    assert repaired is None or tried(past().controller(shelf)) == ""


def json_nonce(data: bytes) -> Any:
    try:
        found = json.loads(data)["nonce"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return found if isinstance(found, str) else None


@examples(40)
@given(st.binary(max_size=50) | damaged(past().next_entry([])))
@example(b'{"nonce":' + b"[" * 100_000)
def test_a_torn_last_entry_is_set_aside_by_the_repair_that_the_error_names(data: bytes) -> None:
    shelf = past().shelf({layout.journal_entry(past().head + 1): data})
    if json_nonce(data) is not None:
        return
    assert tried(past().controller(shelf))
    assert repair_torn_tail(shelf) is not None
    assert tried(past().controller(shelf)) == ""


@pytest.mark.parametrize("event", [{"type": "of tomorrow", "v": 1}, {"type": "note-added", "v": 2, "text": "x"}])
def test_what_a_newer_fleet_wrote_makes_this_one_read_only(event: dict[str, Any]) -> None:
    note = {"type": "note-added", "v": 1, "at": 1.0, "run_id": past().runs[0], "text": "after"}
    shelf = past().shelf({layout.journal_entry(past().head + 1): past().next_entry([event, note])})
    controller = past().controller(shelf)
    before = dict(shelf.things)
    assert "Upgrade fleet" in tried(controller) + controller.read_only
    assert unwritten(shelf, before)
    assert controller.state.runs[past().runs[0]].notes == ()


@examples(60)
@given(strings)
@example("²²²")
def test_strange_names_beside_the_entries_are_nobodys(name: str) -> None:
    """Seen by listings alone, which a journal that is far behind is read by."""
    shelf = past().shelf(
        {f"journal/{name}.json": b"x", f"journal/{name}": b"x", f"snapshots/{FOLD_VERSION}/{name}.json": b"x"}
    )
    shelf.things = {key: data for key, data in shelf.things.items() if key not in (layout.journal_entry(past().head + 1),)}
    assert repair_torn_tail(shelf) is None
    assert tried(past().controller(shelf)) == ""


# --- snapshots


def with_snapshot() -> tuple[Shelf, str]:
    shelf = past().shelf()
    controller = past().controller(shelf)
    controller.load()
    number = past().head - 2
    early = past().shelf()
    early.things = {
        k: v for k, v in early.things.items() if not k.startswith("journal/") or k <= layout.journal_entry(number)
    }
    reader = past().controller(early)
    reader.load()
    data = reader.state.model_dump_json().encode()
    snapshots.save(shelf, FOLD_VERSION, number, hashlib.sha256(past().entry(number)).hexdigest(), data)
    return shelf, layout.snapshot(FOLD_VERSION, number)


@examples(120)
@given(st.data())
def test_a_damaged_snapshot_is_as_good_as_none(data: st.DataObject) -> None:
    shelf, key = with_snapshot()
    whole = past().controller(past().shelf())
    whole.load()
    good = shelf.things[key]
    shelf.things[key] = data.draw(
        damaged(good, 1) | damaged(good[:120], 1).map(lambda head: head + good[120:]) | documents(json.loads(good))
    )
    controller = past().controller(shelf)
    controller.load()
    assert controller.state == whole.state
    assert controller.journal.head_sha256 == whole.journal.head_sha256


def test_the_snapshot_that_is_damaged_here_is_used_when_it_is_whole() -> None:
    shelf, _ = with_snapshot()
    for number in range(1, past().head - 2):
        del shelf.things[layout.journal_entry(number)]
    assert tried(past().controller(shelf)) == ""


def test_a_snapshot_of_another_entry_than_its_name_says_is_passed_over() -> None:
    shelf, key = with_snapshot()
    shelf.things[layout.snapshot(FOLD_VERSION, past().head + 40)] = shelf.things.pop(key)
    assert snapshots.load_newest(shelf, FOLD_VERSION) is None


def test_the_past_that_is_bent_here_is_believed_as_it_is() -> None:
    controller = past().controller(past().shelf())
    controller.load()
    assert (len(controller.state.runs), controller.read_only) == (2, "")
    copied = past().controller(past().shelf({layout.journal_entry(past().head + 1): past().entry(past().head)}))
    with pytest.raises(JournalError, match="follow"):
        copied.load()
