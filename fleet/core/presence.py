"""What controllers say of themselves: when they say it again, who counts as living. Only for people to look at."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from fleet.model.base import FURTHEST, Seconds
from fleet.model.presence import Kind, Presence

EVERY: Seconds = 600
"""A word is repeated so often: six an hour, 144 a day, $0.02 a month on S3."""
FUNCTION_EVERY: Seconds = 3600
"""By a function so often, whose month is to cost no more than some cents in all. That it fails its alarm tells, at once."""
SLACK: Seconds = 120
"""Whoever was to speak again so long ago counts as dead."""
FORGET: Seconds = 86_400
"""The word of one who was to speak again so long ago is removed."""
LONGEST: Seconds = 86_400
"""Nobody is believed to live longer than this without a word, whatever it said."""
AHEAD: Seconds = 600
"""A word from further in the future than this was written by a clock that was wrong."""
CLOCK_BACK: Seconds = 1
"""A clock that goes back by more was set."""
OUT_OF_TURN: Seconds = 60
"""Between two words that are out of turn, each told at once, there is this at least: what flickers is not told each time."""
LONGEST_TEXT = 500


@dataclass(frozen=True, slots=True)
class Told:
    """A controller's word, as far as it can be understood."""

    key: str
    """Its document; empty: there is none, only its process is known."""
    presence: Presence
    lives: bool = False
    problem: str = ""
    """What of the document could not be understood."""

    @property
    def acts(self) -> bool:
        """It lives, and may act."""
        return self.lives and not self.presence.read_only

    @property
    def stays(self) -> bool:
        """It acts, and goes on without anybody's terminal."""
        return self.acts and self.presence.outlives_terminal


def until(word: Presence) -> Seconds:
    """By when it speaks again, if it is to be believed."""
    return min(word.again_at, word.seen_at + LONGEST)


def lives(word: Presence, now: Seconds) -> bool:
    """It is not overdue."""
    return word.seen_at - AHEAD <= now <= until(word) + SLACK


def forgotten(word: Presence, now: Seconds) -> bool:
    """It was overdue for a day: nobody misses it."""
    return now > until(word) + FORGET or word.seen_at > now + FORGET


def pause(kind: Kind) -> Seconds:
    """How long one is silent who has nothing new to say."""
    return FUNCTION_EVERY if kind == "function" else EVERY


def again_at(now: Seconds, every: Seconds, kind: Kind = "terminal") -> Seconds:
    """By when one who comes by so often speaks again: it may come by a moment before it is due."""
    return now + pause(kind) + every


def due(
    before: Presence | None, word: Presence, every: Seconds, turned_at: Seconds
) -> Literal["", "in turn", "out of turn"]:
    """Whether a word is to be written now, the last one having been ``before``.

    ``turned_at``: when it last spoke out of turn. Those who are paid for by the call speak out of turn only when they
    may no longer act, or may again; a function also when it becomes blind, if its last word is not young: else it would be
    an hour until that is told.
    """
    now = word.seen_at
    if (
        before is None
        or (before.version, before.process) != (word.version, word.process)
        or now < before.seen_at - CLOCK_BACK
    ):
        return "in turn"
    if now - before.seen_at >= pause(word.kind) or before.again_at < now + every:
        return "in turn"
    if bool(word.read_only) != bool(before.read_only):
        return "out of turn"
    if word.kind == "function" and word.blind and not before.blind and now - before.seen_at > EVERY:
        return "out of turn"
    if word.kind in ("function", "cron") or turned_at <= now < turned_at + OUT_OF_TURN:
        return ""
    awake = word.acted_at is not None and (before.acted_at is None or word.acted_at - before.acted_at > EVERY)
    return "out of turn" if awake or bool(word.blind) != bool(before.blind) else ""


def one_line(text: str) -> str:
    """Text as any document can hold it."""
    return " ".join(text.encode(errors="replace").decode().split())[:LONGEST_TEXT]


def understood(key: str, data: bytes, modified: Seconds, now: Seconds) -> Told:
    """A document, whatever it holds: what cannot be read is as if nothing was said of it."""
    try:
        word, problem = Presence.model_validate_json(data), ""
    except ValidationError:
        word, problem = _piecemeal(key, data, modified)
    return Told(key, word, lives(word, now), problem)


def unheard(key: str, modified: Seconds, problem: str) -> Told:
    """One of which nothing is known but when it last wrote."""
    seen = max(-FURTHEST, min(modified, FURTHEST / 2))
    name = key.rpartition("/")[2].removesuffix(".json")
    word = Presence(
        name=one_line(name), kind="terminal", host="", command="", version="", started_at=seen,
        seen_at=seen, again_at=again_at(seen, 0),
    )  # fmt: skip
    return Told(key, word, problem=problem)


def _piecemeal(key: str, data: bytes, modified: Seconds) -> tuple[Presence, str]:
    try:
        found: Any = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    told: dict[str, Any] = found if isinstance(found, dict) else {}
    known: dict[str, Any] = unheard(key, modified, "").presence.model_dump()
    word = Presence.model_validate(known)
    for name in Presence.model_fields.keys() & told.keys() - {"v"}:
        try:
            word = Presence.model_validate({**word.model_dump(), name: told[name]})
        except ValidationError:
            continue
    version = told.get("v")
    newer = isinstance(version, int) and version > word.v
    return word, "told by a newer fleet in words that this one does not know" if newer else "its word cannot be read"


def behind(words: Iterable[Presence]) -> tuple[str, str] | None:
    """The oldest and the newest version among some, if they differ."""
    versions = sorted({word.version for word in words if word.version}, key=_rank)
    return (versions[0], versions[-1]) if len(versions) > 1 else None


def _rank(version: str) -> tuple[tuple[int, ...], str]:
    """0.10 comes after 0.9; what is no number is compared as it is written."""
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits[:18]))
    return tuple(numbers), version
