"""What a run's machines told, as files to be read.

The history on its volume, if that is a folder of this computer; else what its newest checkpoint carries of it, and what its
training printed, from the logs in fleet's bucket.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from fleet.cli.deepracer_sources import InCheckpoint, options, volume_of
from fleet.control.controller import Controller
from fleet.control.runs import view
from fleet.control.saved import SavedSet, list_saved
from fleet.core.state import RunState
from fleet.model import layout
from fleet.model.errors import NotFoundError, StoreError
from fleet.store.objects import Objects
from fleet.workloads.deepracer.analysis.log_text import means_something
from fleet.workloads.deepracer.analysis.readable import Entry, Here
from fleet.workloads.deepracer.course import COURSE, Course, parse_course
from fleet.workloads.deepracer.history import HISTORY

AT_ONCE = 8
MOST_CHUNKS = 1000
"""Of an attempt's log, the newest: each holds what was printed in some seconds, and each is asked for by itself."""
_BEGINS = re.compile(rb"^fleet: training (?:begins from nothing|goes on from set )")
"""What the driver says at the beginning of each leg."""
_TELLS = re.compile(rb"^(?:trainer|coach) \| .*Training(?:>| -) Name|^fleet: training ")
"""Lines that tell the iteration."""
_HEARD = (b"trainer | ", b"coach | ", b"simulator | ")
"""Of several simulators the first: each evaluates, and all say much the same."""
ATTEMPT_LOG = "logs/attempt.log"


@dataclass
class _Printed:
    """What an attempt's training printed, by its legs, without what means nothing."""

    seen: int = 0
    """Chunks that were read."""
    rest: bytes = b""
    """A line whose end is still to come."""
    legs: list[bytes] = field(default_factory=list)
    cut: bool = False
    """Its beginning is left out."""
    lost: bool = False
    """Which iteration it is in is not known yet."""


class RunRecords:
    """Of one run."""

    def __init__(self, controller: Controller, run: RunState) -> None:
        self._controller, self._id = controller, run.run_id
        self._volume = volume_of(run)
        self._here = Here(self._volume / HISTORY) if self._volume is not None else None
        self._saved: SavedSet | None = None
        self._shelf: InCheckpoint | None = None
        self._live = f"{layout.run(run.run_id)}deepracer/" if options(run).storage == "bucket" else None
        """Where the stack itself keeps its prefixes, if that is fleet's bucket."""
        self._saved_by: object = None
        """The word of the machine's after which it was looked for."""
        self._kept_live: dict[str, str] = {}
        self._printed: dict[int, _Printed] = {}
        self.course: Course | None = None
        """As it was noted last."""
        self.problems: tuple[str, ...] = ()
        """What cannot be seen from here."""

    @property
    def where(self) -> str:
        """For people."""
        return f"run {self._id}"

    @property
    def _objects(self) -> Objects:
        return self._controller.objects

    def entries(self) -> Mapping[str, Entry]:
        """All that is there now. Raises StoreError."""
        if self._here is not None:
            self.course = self._noted(partial(self._here.read, COURSE))
            return self._here.entries()
        if self._look_for_checkpoint():
            self._shelf = InCheckpoint(self._objects, self._saved) if self._saved is not None else None
            self.course = self._noted(partial(self._shelf.beside, COURSE)) if self._shelf is not None else None
        found = {name: Entry(0, key) for name, key in self._shelf.keys.items()} if self._shelf is not None else {}
        return found | self._prefixes() | self._logs()

    def read(self, name: str, offset: int = 0) -> bytes:
        """Raises NotFoundError."""
        if self._here is not None:
            return self._here.read(name, offset)
        if name.endswith(f"/{ATTEMPT_LOG}"):
            return self._log_of(name.removesuffix(f"/{ATTEMPT_LOG}"))[offset:]
        if name in self._kept_live:
            return self._objects.get(self._kept_live[name])[offset:]
        if self._shelf is None:
            raise NotFoundError(f"there is no {name!r}")
        return self._shelf.read(name)[offset:]

    def _prefixes(self) -> dict[str, Entry]:
        """What the stack writes into the run's own bucket, as it goes."""
        if self._live is None:
            return {}
        found = [(info.key.removeprefix(self._live), info) for info in self._objects.list(self._live)]
        self._kept_live = {name: info.key for name, info in found}
        return {name: Entry(info.size, info.version) for name, info in found}

    def _noted(self, read: Callable[[], bytes]) -> Course | None:
        try:
            return parse_course(read(), self._id)
        except StoreError:
            return None

    def _look_for_checkpoint(self) -> bool:
        """For the newest one, when the machine says that there is another: it asks the bucket for all. Whether it did."""
        self._controller.observer.read_beats(self._controller.state)
        run = self._controller.state.runs[self._id]
        number = run.newest.number if run.newest is not None else 0
        beat = view(self._controller, run).beat
        word = (number, run.ended_at, beat.checkpoint_at if beat is not None else None)
        if self._saved_by == word:
            return False
        found = list_saved(self._objects, self._id)
        self._saved = next((one for one in found if one.status in ("newest", "trusted") and one.manifest is not None), None)
        self._saved_by = word
        self.problems = (
            (f"what came after checkpoint {self._saved.ref} comes with the next one",)
            if self._saved is not None
            else ("metrics and traces come with the first checkpoint",)
        )
        if self._live is not None or (run.ended_at is not None and self._saved is not None):
            self.problems = ()
        return True

    def _logs(self) -> dict[str, Entry]:
        """What the training printed, a log for each leg."""
        found = {}
        legs = self.course.legs if self.course is not None else ()
        for number in sorted({leg.attempt for leg in legs}):
            self._read_on(number)
        for leg in legs:
            data = self._log_of(leg.prefix)
            if data:
                found[f"{leg.prefix}/{ATTEMPT_LOG}"] = Entry(len(data), len(data))
        cut = [number for number, one in self._printed.items() if one.cut]
        if cut:
            self.problems = (
                *(one for one in self.problems if not one.startswith("of the log")),
                f"of the log of attempt {cut[0]} the newest part is read: losses and entropy before it are not shown",
            )
        return found

    def _log_of(self, prefix: str) -> bytes:
        """The legs of an attempt began in the order in which the driver said so."""
        legs = self.course.legs if self.course is not None else ()
        own = next((leg for leg in legs if leg.prefix == prefix), None)
        if own is None:
            raise NotFoundError(f"there is no leg {prefix!r}")
        same = [leg.prefix for leg in legs if leg.attempt == own.attempt]
        pieces = self._printed[own.attempt].legs if own.attempt in self._printed else []
        # Of a log whose beginning is left out the last piece is the last leg's.
        place = same.index(prefix) - (len(same) if self._printed[own.attempt].cut else 0) if pieces else 0
        try:
            return pieces[place]
        except IndexError:
            return b""

    def _read_on(self, attempt: int) -> None:
        """The chunks that came since the last look."""
        printed = self._printed.setdefault(attempt, _Printed())
        keys = [info.key for info in self._objects.list(layout.logs(self._id, attempt))]
        new = keys[printed.seen :]
        if len(new) > MOST_CHUNKS:
            new, printed.cut, printed.lost = new[-MOST_CHUNKS:], True, True
        printed.seen = len(keys)
        if not new:
            return
        with ThreadPoolExecutor(AT_ONCE) as pool:
            data = printed.rest + b"".join(pool.map(self._objects.get, new))
        lines = data.split(b"\n")
        printed.rest = lines.pop()
        if printed.lost:
            known = next((place for place, line in enumerate(lines) if _TELLS.match(line)), None)
            lines, printed.lost = lines[known:] if known is not None else [], known is None
        kept: list[bytes] = []
        for line in lines:
            if _BEGINS.match(line):
                _add(printed, kept)
                printed.legs.append(b"")
                kept = []
            elif line.startswith(_HEARD) and means_something(line):
                kept.append(line + b"\n")
        _add(printed, kept)


def _add(printed: _Printed, lines: list[bytes]) -> None:
    if lines:
        printed.legs = printed.legs or [b""]
        printed.legs[-1] += b"".join(lines)
