"""A log as it comes, piece by piece: its steps as columns, and of the rest the lines that mean something.

What was read once is never read again, and the lines of no meaning, most of a log, are not kept.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fleet.workloads.deepracer.analysis import setups, trainer_lines
from fleet.workloads.deepracer.analysis.columns import columns_of
from fleet.workloads.deepracer.analysis.encodings import plain, wide_of
from fleet.workloads.deepracer.analysis.numbering import without_false_starts
from fleet.workloads.deepracer.analysis.setups import HYPERPARAMETERS
from fleet.workloads.deepracer.analysis.steps import Steps, Whole, joined, no_steps
from fleet.workloads.deepracer.simtrace import MARK

_MARK = MARK.encode()
_ROW = re.compile(_MARK + rb"([^\n\t]*)")
_SERVICE = re.compile(rb"\s*([\w.-]+?)\s*\| ")
STARTS = (b"Starting as worker ", b"RoboMaker Log Recorder Starting", b"Training Worker Args", HYPERPARAMETERS)
"""Where a program's own story begins anew."""
EVALUATES = (b"evaluation.launch", b"evaluation_worker", b"evaluation_rl_agent")
_KEPT = (*STARTS, *EVALUATES, *setups.MARKS, *trainer_lines.MARKS)
ENOUGH = 64
"""Bytes that tell a log's encoding."""
MOST_LINE = 1 << 20
"""Bytes after which a line that does not end is given up: no line of the stack's is a thousandth of it."""


@dataclass(frozen=True)
class Rest:
    """Lines with a meaning, and the places in the log where they begin."""

    lines: Sequence[bytes]
    places: Whole

    def between(self, begin: int, end: int) -> Rest:
        """Those of a stretch of the log."""
        first, last = np.searchsorted(self.places, (begin, end))
        return Rest(self.lines[first:last], self.places[first:last])

    @property
    def text(self) -> bytes:
        """All of them."""
        return b"".join(line + b"\n" for line in self.lines)

    def places_of(self, within: Iterable[int]) -> Whole:
        """Places in ``text`` as places in the log."""
        begins = np.cumsum([0, *(len(line) + 1 for line in self.lines)])[:-1]
        positions = np.array(list(within), np.int64)
        return self.places[np.searchsorted(begins, positions, "right") - 1] if len(positions) else positions


@dataclass
class _Rows:
    steps: list[Steps] = field(default_factory=list)
    places: list[Whole] = field(default_factory=list)


class LogText:
    """One log."""

    def __init__(self) -> None:
        self._rows: dict[str, _Rows] = {}
        self._lines: list[bytes] = []
        self._places: list[int] = []
        self._tail = b""
        self._length = 0
        self._decoder: codecs.IncrementalDecoder | None = None
        self._begun = False
        self._block = 0
        """So many more lines belong to hyperparameters that began."""
        self._last_row = b""
        self.torn = 0
        """Steps that were torn or cut, and are left out."""

    def feed(self, data: bytes, *, last: bool = False) -> None:
        """What follows. A line whose end is still to come waits for it, unless nothing more does (``last``)."""
        if not self._begun:
            data, self._tail = self._tail + data, b""
            if len(data) < ENOUGH and not last:
                self._tail = data
                return
            self._begun = True
            if (wide := wide_of(data)) is not None:
                self._decoder = codecs.getincrementaldecoder(wide)("replace")
        if self._decoder is not None:
            data = self._decoder.decode(data).encode("utf-8", "replace")
        data = self._tail + data
        end = max(data.rfind(b"\n"), data.rfind(b"\r", 0, -1)) + 1
        self._tail = data[end:] if len(data) - end <= MOST_LINE else b""
        if end:
            self._take(plain(data[:end]))

    def finish(self) -> None:
        """Nothing follows: the last line counts, unless it is visibly cut."""
        self.feed(b"", last=True)
        tail, self._tail = plain(self._tail), b""
        row = tail.rpartition(_MARK)[2] if _MARK in tail else b""
        if row and is_cut(row, self._last_row):
            self.torn += 1
        elif tail:
            self._take(tail + b"\n")

    def steps(self) -> dict[str, tuple[Steps, Whole]]:
        """By the program's name, if its lines have one, and with the steps' places in the log."""
        found = {}
        for service, rows in self._rows.items():
            steps, places = joined(rows.steps), np.concatenate(rows.places) if rows.places else np.zeros(0, np.int64)
            rows.steps, rows.places = [steps], [places]
            steps, places = without_false_starts(steps, places)
            if len(steps):
                found[service] = (steps, places)
        return found

    @property
    def rest(self) -> Rest:
        """Everything else with a meaning."""
        return Rest(self._lines, np.array(self._places, np.int64))

    @property
    def length(self) -> int:
        """Of what was read, as places count."""
        return self._length

    def _take(self, data: bytes) -> None:
        rows: dict[str, tuple[list[bytes], list[int]]] = {}
        gaps, begins, at = [], [], 0
        named = _SERVICE.match(data[data.rfind(b"\n", 0, max(0, data.find(_MARK))) + 1 :]) if _MARK in data else None
        for found in _ROW.finditer(data):
            gaps.append(data[at : found.start()])
            begins.append(at)
            at = found.end()
            own = rows.setdefault(_service(data, found.start()) if named else "", ([], []))
            row = found[1]
            own[0].append(row.rpartition(_MARK)[2] if _MARK in row else row)
            own[1].append(self._length + found.start())
        gaps.append(data[at:])
        begins.append(at)
        self._keep_lines(b"".join(gaps), np.array(begins), np.cumsum([0, *map(len, gaps)])[:-1])
        for service, (texts, places) in rows.items():
            steps, where, torn = columns_of(texts, np.array(places, np.int64))
            kept = self._rows.setdefault(service, _Rows([no_steps()], [np.zeros(0, np.int64)]))
            kept.steps.append(steps)
            kept.places.append(where)
            self.torn += torn
            self._last_row = texts[-1]
        self._length += len(data)

    def _keep_lines(self, text: bytes, begins: Whole, lies: Whole) -> None:
        """The lines of a text without steps; its piece at ``lies[i]`` stood at ``begins[i]``."""
        spans: dict[int, int] = {}
        if self._block:
            self._block -= self._of_block(text, 0, spans)
        for mark in _KEPT:
            at = text.find(mark)
            while at >= 0:
                begin, end = text.rfind(b"\n", 0, at) + 1, text.find(b"\n", at)
                end = len(text) if end < 0 else end
                spans[begin] = end
                if mark == HYPERPARAMETERS:
                    self._block = setups.MOST_LINES - self._of_block(text, end + 1, spans)
                at = text.find(mark, end)
        for begin in sorted(spans):
            piece = int(np.searchsorted(lies, begin, "right")) - 1
            self._lines.append(text[begin : spans[begin]])
            self._places.append(self._length + int(begins[piece] + begin - lies[piece]))

    def _of_block(self, text: bytes, begin: int, spans: dict[int, int]) -> int:
        """The lines of hyperparameters up to their end; how many there were, or as many as it can be if they ended."""
        for count in range(setups.MOST_LINES):
            end = text.find(b"\n", begin)
            if end < 0:
                return count
            spans[begin] = end
            if b"}" in text[begin:end]:
                break
            begin = end + 1
        return setups.MOST_LINES


def _service(data: bytes, at: int) -> str:
    """Docker's and fleet's own way of telling containers apart: ``name | line``."""
    found = _SERVICE.match(data, data.rfind(b"\n", 0, at) + 1, at)
    return found[1].decode("utf-8", "replace") if found else ""


def is_cut(row: bytes, before: bytes) -> bool:
    """Whether a last row without the end of its line lacks something: fields, or digits of its last one."""
    own, whole = row.split(b","), before.split(b",")
    return bool(before) and (len(own) != len(whole) or len(own[-1].strip()) < len(whole[-1].strip()) - 2)


def means_something(line: bytes) -> bool:
    """Whether a line is one that is kept."""
    return any(mark in line for mark in _KEPT)


def read_whole(data: bytes) -> LogText:
    """A log of which nothing follows."""
    log = LogText()
    log.feed(data)
    log.finish()
    return log


def worker_of_service(service: str, number: int) -> int:
    """``simulator`` is the first, ``simulator-2`` the second; of other names only the order tells."""
    found = re.fullmatch(r"simulator(?:-(\d{1,4}))?", service)
    return max(0, int(found[1] or 1) - 1) if found else number


def by_worker(found: Mapping[str, tuple[Steps, Whole]]) -> dict[int, tuple[Steps, Whole]]:
    """Programs' steps by their workers, in order."""
    named = {worker_of_service(service, number): one for number, (service, one) in enumerate(sorted(found.items()))}
    return dict(sorted(named.items()))
