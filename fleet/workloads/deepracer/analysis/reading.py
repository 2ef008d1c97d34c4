"""Reads the records of a training, wherever and in whatever layout they lie, and reads on as they grow.

What was read is kept by file: a second look lists, and reads what is new, of a log only what was added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from fleet.model.errors import NotFoundError
from fleet.workloads.deepracer.analysis.assembling import ReadLog, assembled
from fleet.workloads.deepracer.analysis.layouts import Place, by_root
from fleet.workloads.deepracer.analysis.loading import Loaded, load
from fleet.workloads.deepracer.analysis.log_text import LogText
from fleet.workloads.deepracer.analysis.logs import parts_of
from fleet.workloads.deepracer.analysis.placing import placed
from fleet.workloads.deepracer.analysis.readable import Entry, Readable
from fleet.workloads.deepracer.analysis.recording import PartRecord, Recording, Setup
from fleet.workloads.deepracer.course import Course
from fleet.workloads.deepracer.ordering import natural
from fleet.workloads.deepracer.unzipping import unzipped

KNOWN = 256
"""Bytes before what is new that are read once more: they tell whether it is still the same log."""
AT_ONCE, MOST_HELD = 8, 64
"""Files that are read at the same time, as a bucket answers each after a while; and of which the bytes are held."""
_Sort = Callable[[Mapping[str, Entry]], Mapping[str, Mapping[str, Place]]]


@dataclass
class _Log:
    """What is kept of a log and its rotated files."""

    text: LogText = field(default_factory=LogText)
    tokens: tuple[object, ...] = ()
    offset: int = 0
    known: bytes = b""
    """The last that was read of it."""
    ended: bool = False
    cut: tuple[str, ...] = ()
    """Names of its packed files that are cut off."""


@dataclass
class _Part:
    """What was made of a folder's files when they were as ``tokens`` say."""

    tokens: tuple[object, ...]
    parts: tuple[PartRecord, ...]
    problems: tuple[str, ...]


class Reader:
    """Of one place."""

    def __init__(
        self,
        place: Readable,
        name: str,
        *,
        course: Callable[[], Course | None] | None = None,
        of_run: bool = False,
        setup: Setup | None = None,
        grows: bool = False,
        sort: _Sort = by_root,
        shown: Callable[[str], str] = str,
        unseen: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        """``name``: what the topmost folder is called. ``course``, ``of_run``: the folders are one run's prefixes.

        ``setup``: what is known beside the files. ``grows``: more will come, so that a log's last line may not be whole yet.
        ``shown``: what a log is called. ``unseen``: what the place itself has to say.
        """
        self._shown, self._unseen = shown, unseen
        self._place, self._name, self._course, self._of_run = place, name, course, of_run
        self._setup, self._grows, self._sort = setup or Setup(), grows, sort
        self._files: dict[str, tuple[object, Loaded]] = {}
        self._logs: dict[str, _Log] = {}
        self._made: dict[str, _Part] = {}
        self._gone: list[str] = []
        self._told: Recording | None = None
        self._noted: Course | None = None

    @property
    def where(self) -> str:
        """For people."""
        return self._place.where

    def look(self) -> tuple[Recording, tuple[str, ...]]:
        """All that is there now, and the names of the parts that changed since the last look. Raises StoreError."""
        roots = self._refresh()
        if self._gone:  # the listing was older than what it lists
            self._gone = []
            roots = self._refresh()
        changed = [root for root, own in roots.items() if self._assemble(root, own)]
        lost = set(self._made).difference(roots)
        for root in lost:
            del self._made[root]
        noted = self._course() if self._course is not None else None
        if self._told is None or changed or lost or noted != self._noted or self._gone:
            self._noted = noted
            found = [(root, self._made[root]) for root in roots]
            parts = [part for _, made in found for part in made.parts]
            problems = [*self._unseen(), *(said for _, made in found for said in made.problems), *self._gone]
            told = placed(self._place.where, parts, noted, problems, of_run=self._of_run)
            self._told = replace(told, awaited=any(loaded.blank for _, loaded in self._files.values()))
        names = tuple(part.name for root in changed for part in self._made[root].parts)
        return self._told, names

    def _refresh(self) -> Mapping[str, Mapping[str, Place]]:
        """List, and read what is new."""
        entries = self._place.entries()
        roots = self._sort(entries)
        wanted = [(name, place) for own in roots.values() for name, place in own.items() if place.kind != "log"]
        names = {name for name, _ in wanted}
        self._files = {name: kept for name, kept in self._files.items() if name in names}
        new = [one for one in wanted if one[0] not in self._files or self._files[one[0]][0] != entries[one[0]].token]
        for begin in range(0, len(new), MOST_HELD):
            some = new[begin : begin + MOST_HELD]
            for (name, place), data in zip(some, self._read_all([name for name, _ in some]), strict=True):
                if data is None:
                    self._files.pop(name, None)
                else:
                    self._files[name] = entries[name].token, load(name, place, data)
        stems: dict[str, list[tuple[str, Place]]] = {}
        for own in roots.values():
            for name, place in own.items():
                if place.kind == "log":
                    stems.setdefault(place.stream, []).append((name, place))
        self._logs = {stem: kept for stem, kept in self._logs.items() if stem in stems}
        for stem, own_logs in stems.items():
            self._read_log(stem, own_logs, entries)
        return roots

    def _read_all(self, names: Sequence[str]) -> list[bytes | None]:
        if len(names) == 1:
            return [self._read(names[0])]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(self._read, names))

    def _read(self, name: str) -> bytes | None:
        try:
            return self._place.read(name)
        except NotFoundError:
            self._gone.append(f"{name} was there a moment ago, and is left out.")
            return None

    def _read_log(self, stem: str, files: Sequence[tuple[str, Place]], entries: Mapping[str, Entry]) -> None:
        """What was added to it; all of it if it is another one, or was rotated."""
        ordered = [name for name, _ in sorted(files, key=lambda one: -one[1].number)]
        tokens = tuple(entries[name].token for name in ordered)
        log = self._logs.get(stem)
        if log is not None and log.tokens == tokens:
            return
        try:
            added = self._added(log, ordered, entries) if log is not None else None
            if log is None or added is None:
                log = _Log()
                for name in ordered:
                    data = self._place.read(name)
                    log.known, log.offset = data[-KNOWN:], len(data)
                    plain, whole = unzipped(data)
                    log.cut += () if whole else (name,)
                    log.text.feed(plain)
            else:
                log.text.feed(added)
                log.known, log.offset = (log.known + added)[-KNOWN:], log.offset + len(added)
        except NotFoundError:
            self._gone.append(f"{stem} was there a moment ago, and is left out.")
            return
        if not self._grows:
            log.text.finish()
            log.ended = True
        log.tokens = tokens
        self._logs[stem] = log

    def _added(self, log: _Log, names: Sequence[str], entries: Mapping[str, Entry]) -> bytes | None:
        """What a log grew by; None: it is another one by now, or was rotated, and is to be read from its beginning."""
        name, older = names[-1], tuple(entries[one].token for one in names[:-1])
        if log.tokens[:-1] != older or log.ended or entries[name].size < log.offset or name.endswith(".gz"):
            return None
        data = self._place.read(name, log.offset - len(log.known))
        return data[len(log.known) :] if data.startswith(log.known) else None

    def _assemble(self, root: str, own: Mapping[str, Place]) -> bool:
        """Put a folder's files together, if any is another than last time; whether that was so."""
        files = [(name, self._files[name]) for name in own if name in self._files]
        stems = sorted({place.stream for place in own.values() if place.kind == "log"}, key=natural)
        logs = [(stem, self._logs[stem]) for stem in stems if stem in self._logs]
        tokens = (*((name, token) for name, (token, _) in files), *((stem, log.tokens) for stem, log in logs))
        made = self._made.get(root)
        if made is not None and made.tokens == tokens:
            return False
        places = {place.stream: place for place in own.values() if place.kind == "log"}
        read = [ReadLog(places[stem], parts_of(log.text, self._shown(stem), places[stem].worker)) for stem, log in logs]
        parts, problems = assembled(root or self._name, [loaded for _, (_, loaded) in files], read)
        cut = (f"{self._shown(name)} is cut off: what stands before the cut is read." for _, log in logs for name in log.cut)
        problems = (*cut, *problems)
        parts = tuple(replace(part, setup=part.setup.over(self._setup)) for part in parts)
        self._made[root] = _Part(tokens, parts, problems)
        return True
