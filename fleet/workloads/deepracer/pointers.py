"""Pointers: the files that say which set is the committed one, and what an earlier repair left a note of.

Today ``.coach_checkpoint`` (the bare name), and ``deepracer_checkpoints.json`` with the last evaluated and the best one; in
2019 TensorFlow's text file ``checkpoint``. Whatever a crash or an editor left in them, reading never fails: what cannot be
understood names no set, and is noted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from fleet.model.errors import NotFoundError
from fleet.workloads.deepracer.prefix import Prefix, Stat
from fleet.workloads.deepracer.sets import MODEL, ModelSet, parse_stem, sets_of

COACH = f"{MODEL}.coach_checkpoint"
TEXT = f"{MODEL}checkpoint"
JSON = f"{MODEL}deepracer_checkpoints.json"
ASIDE = "set-aside/"
"""Below the prefix, and not below ``model/``: no loader looks there, nor does a listing of ``model/`` meet it."""
NOTE = "repair.json"
"""In each folder of what was set aside: what was moved there, why, and what stayed."""
LARGEST = 1 << 20
"""Bytes; no pointer comes near it."""

Era = Literal["2019", "today"]
_TEXT_LINE = re.compile(r"^\s*model_checkpoint_path\s*:\s*\"([^\"\n]*)\"", re.MULTILINE)
_NOTES = re.compile(rf"{ASIDE}([1-9][0-9]{{0,8}})/{re.escape(NOTE)}")


@dataclass(frozen=True, slots=True)
class Note:
    """What a repair meant to do, written before it began: a crash must not make the next one decide otherwise."""

    number: int
    """Of its folder."""
    committed: str | None
    """The set that it went back to."""
    back: int
    """So many sets before the newest, after a NaN; else 0."""
    files: tuple[str, ...]
    """What it set aside, by the names from before."""

    @property
    def folder(self) -> str:
        """Where it set them aside."""
        return f"{ASIDE}{self.number}/"

    def goes_to(self, name: str) -> str:
        """Where a file of ``model/`` is moved to."""
        return self.folder + name.removeprefix(MODEL)

    def unfinished(self, listing: Mapping[str, Stat]) -> tuple[str, ...]:
        """What it left where it was, since it was broken off. Files that were written anew since then are no such ones."""
        left = tuple(name for name in self.files if name in listing)
        return left if any(self.goes_to(name) not in listing for name in left) else ()


@dataclass(frozen=True)
class Pointers:
    """What the pointers say; None: absent, or it names no set."""

    coach: str | None = None
    """``.coach_checkpoint``."""
    text: str | None = None
    """``checkpoint``."""
    last: str | None = None
    """The JSON's last evaluated one: one or two behind ``coach``."""
    best: str | None = None
    """The JSON's."""
    problems: tuple[str, ...] = ()
    """In words, what could not be read."""
    raw: Mapping[str, bytes] = field(default_factory=dict)
    """The bytes of those that are there, by name."""
    document: Mapping[str, Any] = field(default_factory=dict)
    """The JSON's whole content; empty if it cannot be read."""
    note: Note | None = None
    """Of the newest repair that set something aside."""


def read_pointers(prefix: Prefix, listing: Mapping[str, Stat] | None = None) -> Pointers:
    """What they say now; ``listing`` spares listing once more. Raises StoreError if the place cannot be read."""
    listing = prefix.list() if listing is None else listing
    raw = {}
    for name in (COACH, TEXT, JSON):
        if name in listing:
            try:
                raw[name] = prefix.read(name) if listing[name].size <= LARGEST else b"\0"
            except NotFoundError:
                continue
    numbers = [int(match[1]) for name in listing if (match := _NOTES.fullmatch(name))]
    note = _note(prefix, max(numbers)) if numbers else None
    return parse_pointers(raw, note)


def parse_pointers(raw: Mapping[str, bytes], note: Note | None = None) -> Pointers:
    """From their bytes. Never raises."""
    problems: list[str] = []
    coach = _named(_clean(raw.get(COACH, b"")), COACH, problems) if COACH in raw else None
    text = _text(raw[TEXT], problems) if TEXT in raw else None
    document = _document(raw[JSON], problems) if JSON in raw else {}
    last, best = (_entry(document, which, problems) for which in ("last_checkpoint", "best_checkpoint"))
    return Pointers(coach, text, last, best, tuple(problems), dict(raw), document, note)


def committed(listing: Mapping[str, Stat], pointers: Pointers) -> ModelSet | None:
    """The set that the pointer names, if it is whole: today's pointer, else that of 2019."""
    named = pointers.coach or pointers.text
    return next((one for one in sets_of(listing) if one.stem == named and one.whole), None)


def coach_bytes(stem: str) -> bytes:
    """``.coach_checkpoint``: the bare name, without an end of line."""
    return stem.encode()


def text_bytes(stem: str) -> bytes:
    """``checkpoint`` of 2019, with both lines: importing a model asks for the second."""
    return f'model_checkpoint_path: "{stem}"\nall_model_checkpoint_paths: "{stem}"\n'.encode()


def note_bytes(note: Note) -> bytes:
    """A note, as it is kept."""
    told = {"committed": note.committed, "back": note.back, "files": list(note.files)}
    why = "Set aside by a repair: partial sets, and sets that are newer than the committed one. Nothing here is in use."
    return json.dumps({"why": why, **told}, indent=2).encode() + b"\n"


def _clean(data: bytes) -> str:
    return data.decode("utf-8", errors="replace").removeprefix("\ufeff").strip().strip("\"'")


def _named(text: str, where: str, problems: list[str]) -> str | None:
    """A set's name, without the folder that TensorFlow may write before it."""
    stem = text.replace("\\", "/").rpartition("/")[2]
    if parse_stem(stem) is not None:
        return stem
    problems.append(f"{where} names no set: {_shown(text)}.")
    return None


def _shown(text: str) -> str:
    return "it is empty" if not text else repr(text if len(text) <= 40 else text[:40] + "…")


def _text(data: bytes, problems: list[str]) -> str | None:
    text = data.decode("utf-8", errors="replace").removeprefix("\ufeff")
    match = _TEXT_LINE.search(text)
    if match is None:
        problems.append(f"{TEXT} has no line model_checkpoint_path.")
        return None
    return _named(match[1], TEXT, problems)


def _document(data: bytes, problems: list[str]) -> dict[str, Any]:
    try:
        found = json.loads(data.decode("utf-8-sig"), parse_constant=_no_number)
    except (ValueError, RecursionError):
        problems.append(f"{JSON} is no JSON.")
        return {}
    if not isinstance(found, dict):
        problems.append(f"{JSON} holds no object.")
        return {}
    return found


def _no_number(_: str) -> None:
    """A metric may be NaN, which Python writes and reads, and no other program does: null says the same."""


def _entry(document: Mapping[str, Any], which: str, problems: list[str]) -> str | None:
    entry = document.get(which)
    if entry is None:
        return None
    name = entry.get("name") if isinstance(entry, dict) else None
    if name is None and isinstance(entry, dict):
        return None  # so it is before the first evaluation
    if isinstance(name, str) and parse_stem(name) is not None:
        return name
    problems.append(f"{JSON}: {which} names no set.")
    return None


def _note(prefix: Prefix, number: int) -> Note | None:
    """None if it was cut off in the middle, by a place that does not write whole files: then it had not begun either."""
    try:
        found = json.loads(prefix.read(f"{ASIDE}{number}/{NOTE}"))
        stem, back, files = found["committed"], found["back"], found["files"]
    except (ValueError, KeyError, TypeError, NotFoundError, RecursionError):
        return None
    right = (stem is None or isinstance(stem, str)) and isinstance(back, int) and isinstance(files, list)
    return Note(number, stem, back, tuple(map(str, files))) if right else None
