"""Files from people: read within limits, and JSON with the line of everything that stands in it."""

from __future__ import annotations

import json
import math
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fleet.workloads.deepracer.findings import Finding

MOST_BYTES = 1_000_000
"""More is nothing that somebody wrote."""
MOST_DEPTH = 50
_SPACE = " \t\n\r"
_DECODER = json.JSONDecoder()
Where = tuple[str | int, ...]
"""The way to a value: keys and indices."""


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object, and where its parts stand."""

    file: str
    value: dict[str, Any]
    lines: dict[Where, int] = field(default_factory=dict)
    twice: tuple[tuple[str, int], ...] = ()
    """Keys that stand there a second time, with the line: JSON takes the last one."""

    def line(self, *where: str | int) -> int | None:
        """The line of a value's key; of what it stands in, if there is no such value."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where)

    def finding(self, code: str, message: str, remedy: str, *where: str | int) -> Finding:
        """Something about a value of this file."""
        return Finding(code, message, remedy, self.file, self.line(*where))


def read_text(folder: Path, name: str, kind: str) -> str | Finding:
    """A text file's content, or what keeps it from being read. Never waits: a pipe or a device is no file."""
    path = folder / name
    make = f"`fleet init deepracer NAME` writes one that works; without it there is no {kind} to train with."
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return Finding(f"{kind}-unreadable", f"{name} is not a file", f"Put the {kind} there as a plain file.", name)
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return Finding(f"{kind}-missing", f"there is no {name} in {folder}", make, name)
    except OSError as error:
        return Finding(f"{kind}-unreadable", f"{name} cannot be read: {error.strerror}", "Make it readable.", name)
    if len(data) > MOST_BYTES:
        told = f"{name} is larger than {MOST_BYTES / 1e6:.0f} MB"
        return Finding(f"{kind}-unreadable", told, "Keep tables short: the file is sent to every machine.", name)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return Finding(f"{kind}-unreadable", f"{name} is no text in UTF-8", "Save it as UTF-8.", name, line)


def read_json(folder: Path, name: str, kind: str) -> Document | Finding:
    """A JSON object from a file."""
    text = read_text(folder, name, kind)
    return text if isinstance(text, Finding) else parse(text, name, kind)


def parse(text: str, name: str, kind: str) -> Document | Finding:
    """A JSON object from text."""
    try:
        value = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        told = f"this is no JSON: {error.msg} (column {error.colno})"
        hint = "JSON has double quotes, no comments, and no comma before a closing bracket."
        return Finding(f"{kind}-not-json", told, hint, name, error.lineno)
    except _ConstantError as error:
        line = text[: text.find(str(error))].count("\n") + 1
        return Finding(f"{kind}-not-json", f"{error} is no number of JSON's", "Write a finite number.", name, line)
    except (RecursionError, ValueError) as error:
        return Finding(f"{kind}-not-json", f"this cannot be read: {error}", "Write it out plainly.", name)
    if not isinstance(value, dict):
        told = f"an object in braces is expected, not {said(value)}"
        return Finding(f"{kind}-not-json", told, 'Begin with { and name things: {"key": value}.', name, 1)
    scan = _Scan(text)
    try:
        scan.value((), 0, 1, 0)
    except RecursionError:
        return Finding(f"{kind}-not-json", "brackets are nested too deeply", "Write it out plainly.", name)
    return Document(name, value, scan.lines, tuple(scan.twice))


def said(value: object) -> str:
    """A value in a message: as JSON, and short."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def number(value: object) -> float | None:
    """A finite number as such; None for everything else, also for true and false."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


class _ConstantError(Exception):
    """NaN, Infinity or -Infinity: Python's json takes them, JSON does not know them."""


def _refuse(word: str) -> Any:
    raise _ConstantError(word)


class _Scan:
    """Goes over text that is JSON already, and notes the lines of keys and elements."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.lines: dict[Where, int] = {}
        self.twice: list[tuple[str, int]] = []

    def value(self, where: Where, at: int, line: int, depth: int) -> tuple[int, int]:
        """From a value's beginning to behind it; the line there."""
        at, line = self._space(at, line)
        self.lines.setdefault(where, line)
        first = self._text[at]
        if first not in "{[":
            return _DECODER.raw_decode(self._text, at)[1], line
        if depth >= MOST_DEPTH:
            raise RecursionError
        return self._members(where, at + 1, line, depth, "}" if first == "{" else "]")

    def _members(self, where: Where, at: int, line: int, depth: int, end: str) -> tuple[int, int]:
        index = 0
        while True:
            at, line = self._space(at, line)
            if self._text[at] == end:
                return at + 1, line
            if self._text[at] == ",":
                at += 1
                continue
            key: str | int = index
            if end == "}":
                key, at, line = self._key(where, at, line)
            at, line = self.value((*where, key), at, line, depth + 1)
            index += 1

    def _key(self, where: Where, at: int, line: int) -> tuple[str, int, int]:
        key, at = _DECODER.raw_decode(self._text, at)
        here = (*where, key)
        if here in self.lines:
            self.twice.append((key, line))
        self.lines[here] = line
        at, line = self._space(at, line)
        return key, at + 1, line  # behind the colon

    def _space(self, at: int, line: int) -> tuple[int, int]:
        while at < len(self._text) and self._text[at] in _SPACE:
            line += self._text[at] == "\n"
            at += 1
        return at, line
