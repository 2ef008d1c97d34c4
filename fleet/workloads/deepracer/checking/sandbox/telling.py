"""The pipe to whoever asked, and what takes the place of standard output."""

from __future__ import annotations

import io
import json
import os


class Pipe:
    """Where results go. One write for each: nothing is lost if the process is ended."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.known: dict[tuple[object, ...], int] = {}
        self._refused: set[tuple[object, ...]] = set()

    def write(self, letter: str, *words: object) -> None:
        """A line."""
        os.write(self._number, (" ".join([letter, *map(str, words)]) + "\n").encode("utf-8", "replace"))

    def trouble(self, at: int, **what: object) -> None:
        """A call, or (-1) the import, that ended otherwise than with a number. Its kind is written once."""
        key = (what["kind"], what.get("type"), what.get("line"))
        if key not in self.known:
            self.known[key] = len(self.known)
            short = {name: value[:300] if isinstance(value, str) else value for name, value in what.items()}
            self.write("K", self.known[key], json.dumps(short))
        self.write("X", at, self.known[key])

    def refused(self, kind: str, what: str, line: int | None) -> None:
        """Something that the guard refused; once for each line."""
        if (kind, line) not in self._refused:
            self._refused.add((kind, line))
            self.write("B", json.dumps({"kind": kind, "what": what[:200], "line": line}))


class Counted(io.TextIOBase):
    """Takes the place of standard output: counts, and keeps nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.most = 0
        """In one call."""

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Counted."""
        self.count += len(text)
        return len(text)
