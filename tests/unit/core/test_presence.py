"""When controllers speak of themselves, and who counts as living."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.core.presence import (
    AHEAD,
    EVERY,
    FORGET,
    FUNCTION_EVERY,
    LONGEST,
    SLACK,
    again_at,
    behind,
    due,
    forgotten,
    lives,
    pause,
    understood,
    unheard,
    until,
)
from fleet.model.base import document_bytes
from fleet.model.presence import Kind, Presence

NEVER = float("-inf")
BEGIN = 1_800_000_000.0


def word(at: float = BEGIN, *, every: float = 60, **fields: Any) -> Presence:
    told: dict[str, Any] = {"name": "a-1", "kind": "terminal", "host": "a", "command": "controller run", "version": "1.0"}
    again = again_at(at, every, fields.get("kind", "terminal"))
    return Presence(**{**told, "started_at": BEGIN, "seen_at": at, "again_at": again, **fields})


@pytest.mark.parametrize(
    ("after", "before", "now", "kind", "turn"),
    [
        (1, {}, {}, "terminal", ""),
        (EVERY - 1, {}, {}, "terminal", ""),
        (EVERY, {}, {}, "cron", "in turn"),
        (EVERY, {}, {}, "function", ""),  # each word costs, and there are some cents for a month
        (FUNCTION_EVERY, {}, {}, "function", "in turn"),
        (-2, {}, {}, "terminal", "in turn"),  # the clock was set back: the old word is from the future
        (1, {"version": "0.9"}, {}, "function", "in turn"),
        (1, {"process": 1}, {"process": 2}, "service", "in turn"),  # started anew
        (1, {}, {"read_only": "newer"}, "terminal", "out of turn"),
        (1, {}, {"read_only": "newer"}, "function", "out of turn"),
        (1, {"read_only": "newer"}, {}, "cron", "out of turn"),
        (1, {"read_only": "newer"}, {"read_only": "another"}, "terminal", ""),
        (1, {}, {"blind": "no credentials"}, "service", "out of turn"),
        (1, {}, {"blind": "no credentials"}, "function", ""),  # its last word is young
        (EVERY + 1, {}, {"blind": "no credentials"}, "function", "out of turn"),
        (EVERY + 1, {"blind": "no credentials"}, {"blind": "no network"}, "function", ""),
        (EVERY + 1, {"blind": "no credentials"}, {}, "function", ""),  # within the hour it is told
        (1, {"blind": "no credentials"}, {"blind": "no network"}, "terminal", ""),
        (1, {"blind": "no credentials"}, {}, "terminal", "out of turn"),
        (1, {}, {"acted_at": BEGIN + 1}, "terminal", "out of turn"),
        (1, {}, {"acted_at": BEGIN + 1}, "cron", ""),
        (300, {"acted_at": BEGIN - 1}, {"acted_at": BEGIN + 300}, "terminal", ""),  # the next word in turn tells it
        (300, {"acted_at": BEGIN - EVERY}, {"acted_at": BEGIN + 300}, "terminal", "out of turn"),
    ],
)
def test_a_word_is_due(after: float, before: dict[str, Any], now: dict[str, Any], kind: Kind, turn: str) -> None:
    assert due(word(kind=kind, **before), word(BEGIN + after, kind=kind, **now), 60, NEVER) == turn
    assert due(None, word(kind=kind, **now), 60, NEVER) == "in turn"


def test_what_flickers_is_told_once_a_minute_at_most() -> None:
    blind = word(BEGIN + 10, blind="no network")
    assert due(word(), blind, 60, BEGIN - 40) == ""
    assert due(word(), blind, 60, BEGIN - 50) == "out of turn"
    assert due(word(), word(BEGIN + 10, read_only="newer"), 60, BEGIN) == "out of turn"


def test_one_who_will_come_by_more_seldom_says_so_at_once() -> None:
    assert due(word(kind="function"), word(BEGIN + 120, kind="function"), 3600, NEVER) == "in turn"
    hourly = word(every=3600, kind="function")
    assert lives(hourly, BEGIN + 3600 + EVERY)
    assert due(hourly, word(BEGIN + 120, kind="function"), 60, NEVER) == ""
    assert due(hourly, word(BEGIN + FUNCTION_EVERY, kind="function"), 60, NEVER) == "in turn"


@given(
    gaps=st.lists(st.floats(0.25, 60), min_size=1, max_size=200),
    kind=st.sampled_from(["terminal", "function"]),
)
def test_whoever_comes_by_in_time_is_never_taken_for_dead_and_seldom_writes(gaps: list[float], kind: Kind) -> None:
    said, at, words = word(kind=kind), BEGIN, 1
    for gap in gaps:
        assert lives(said, at + gap)
        at += gap
        now = word(at, kind=kind)
        if due(said, now, 60, NEVER):
            said, words = now, words + 1
    assert words <= 1 + (at - BEGIN) / pause(kind)


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.floats(-1e6, 1e7))
def test_nobody_lives_and_is_forgotten_and_who_fell_silent_stays_silent(seen: float, again: float, now: float) -> None:
    one = word(seen_at=seen, again_at=seen + again)
    assert not (lives(one, now) and forgotten(one, now))
    if not lives(one, now) and now > seen:
        assert not lives(one, now + 1)
    assert forgotten(one, until(one) + FORGET + 1)
    assert not lives(one, seen + LONGEST + SLACK + 1)  # whatever it promised
    assert not lives(one, seen - AHEAD - 1)  # by a clock that was wrong


def test_a_word_is_believed_until_it_is_overdue() -> None:
    one = word()
    assert lives(one, one.again_at + SLACK)
    assert not lives(one, one.again_at + SLACK + 1)
    assert not forgotten(one, one.again_at + FORGET)


JUNK = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
TORN = st.fixed_dictionaries({}, optional=dict.fromkeys(sorted(Presence.model_fields), JUNK))


@given(st.binary(max_size=50) | JUNK.map(json.dumps).map(str.encode) | TORN.map(json.dumps).map(str.encode))
def test_any_document_is_told_as_far_as_it_can_be_understood(data: bytes) -> None:
    told = understood("controllers/b-2.json", data, BEGIN, BEGIN)
    assert told.key == "controllers/b-2.json"
    assert document_bytes(told.presence)
    assert isinstance(told.acts, bool)


def test_what_is_understood_of_a_word_is_what_it_says() -> None:
    whole = word(process=7, read_only="why")
    assert understood("k", document_bytes(whole), 0, BEGIN).presence == whole
    newer = {**whole.model_dump(), "v": 2, "mood": "good", "version": "2.0", "command": 5}
    told = understood("k", json.dumps(newer).encode(), 0, BEGIN)
    assert (told.presence.version, told.presence.process, told.presence.command) == ("2.0", 7, "")
    assert "newer fleet" in told.problem
    assert told.lives
    torn = understood("controllers/b-2.json", document_bytes(whole)[:-9], BEGIN - 5, BEGIN)
    assert (torn.presence.name, torn.presence.seen_at, torn.problem) == ("b-2", BEGIN - 5, "its word cannot be read")
    assert torn.lives  # it was written a moment ago, whatever it says
    assert understood("k", b"[" * 100_000, 0, 0).problem
    assert unheard("k", 1e300, "gone").presence.seen_at > 0


def test_versions_are_compared_as_numbers() -> None:
    assert behind([word(version="0.10.0"), word(version="0.9.1"), word(version="")]) == ("0.9.1", "0.10.0")
    assert behind([word(version="1.0"), word(version="1.0")]) is None
    assert behind([word(version="1.0"), word(version="1.0.dev1")]) is not None
    assert behind([word(version="weird"), word(version="1")]) == ("weird", "1")
