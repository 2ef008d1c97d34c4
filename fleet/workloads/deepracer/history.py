"""What is told of a leg, kept after its prefix: metrics, traces and logs in ``<volume>/history/<prefix>/``.

A stack's bucket may be cleaned, lost with its volume, or written anew: ``status`` reads all legs here as one run.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from fleet.model.errors import NotFoundError
from fleet.workloads.deepracer.course import COURSE, Course, parse_course
from fleet.workloads.deepracer.ordering import natural
from fleet.workloads.deepracer.prefix import Prefix, Stat

HISTORY = "history"
"""Below the volume; and below a checkpoint, without what is large."""
LARGE = 4 << 20
"""Bytes of a file that does not go with every checkpoint."""
LOG_MOST = 32 << 20
"""Bytes of a container's log; the file before it is kept too."""
PACKED = "packed-history"
"""Beside the history: traces as they go with checkpoints, each packed once."""
MOST_TRACES, MOST_PACKED = 128, 32 << 20
"""Traces that go with every checkpoint, the newest, and their bytes: a new machine waits for all of them."""
PACKING = 6
"""zlib's level: half the time of its highest, and 2 % more bytes."""
MOST_ANEW = 16 << 20
"""Bytes of traces that are packed for one checkpoint, some 1.5 s: the others' turn comes with the next ones."""
_TRACE = re.compile(r"[^/]+/(?:[^/]+/)*(?:training-simtrace|evaluation-simtrace)/[^/]+\.csv(?:\.gz)?")
_TOLD = re.compile(r"(?:metrics/[^/]+\.json|(?:[^/]+/)*(?:training-simtrace|evaluation-simtrace)/[^/]+\.csv)")


class History:
    """The legs' records on a volume."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[tuple[str, str], Stat] = {}
        self._logs: dict[Path, int] = {}

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return self._folder

    def course(self, run: str) -> Course | None:
        """The run's course as it was last noted here."""
        try:
            data = (self._folder / COURSE).read_bytes()
        except OSError:
            return None
        return parse_course(data, run)

    def note(self, course: Course) -> None:
        """Keep the course; a reader finds the old one or the new."""
        _replace(self._folder / COURSE, course.model_dump_json(indent=1).encode())

    def take(self, leg: str, prefix: Prefix) -> None:
        """Copy what the leg has told since the last call."""
        for name, stat in prefix.list().items():
            if not _TOLD.fullmatch(name) or self._seen.get((leg, name)) == stat:
                continue
            target = self._folder / leg / name
            if not _holds(target, stat):
                target.parent.mkdir(parents=True, exist_ok=True)
                with contextlib.suppress(NotFoundError):  # written anew just now: next time
                    prefix.fetch(name, target)
                    os.utime(target, (stat.modified, stat.modified))
                    target.with_name(f"{target.name}.gz").unlink(missing_ok=True)  # a checkpoint's, of the same
            self._seen[leg, name] = stat

    def log(self, leg: str, service: str, line: str) -> None:
        """Add a line of a container's."""
        path = self._folder / leg / "logs" / f"{service}.log"
        if path not in self._logs:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._logs[path] = path.stat().st_size if path.exists() else 0
        if self._logs[path] > LOG_MOST:
            path.replace(path.with_name(f"{path.name}.1"))
            self._logs[path] = 0
        data = f"{line}\n".encode(errors="replace")
        with path.open("ab") as file:
            file.write(data)
        self._logs[path] += len(data)

    def lay_into(self, checkpoint: Path, *, hurry: bool = False) -> None:
        """Beside a set: metrics of all legs, and the newest traces, packed, so that they outlive the volume.

        A trace never changes once its iteration is over: fleet sends the bytes of each to its bucket once. ``hurry``: only
        traces that went along before; new ones would have to be packed and sent, and a set that is to be saved waits.
        """
        with contextlib.suppress(OSError):  # a set is kept without all this rather than not at all
            for name, path in _small(self._folder):
                with contextlib.suppress(OSError):
                    _copy(path, checkpoint / HISTORY / name)
            self._lay_traces_into(checkpoint / HISTORY, 0 if hurry else MOST_ANEW)

    def _lay_traces_into(self, folder: Path, anew: int) -> None:
        """``anew``: bytes that may be packed now."""
        taken, total = set(), 0
        for name, path in _newest_traces(self._folder):
            packed = self._packed(name, path)
            if not _is_packed(packed, path):
                anew -= path.stat().st_size
                if anew < 0 or not _pack(path, packed):
                    continue
            total += packed.stat().st_size
            if total > MOST_PACKED:
                break
            taken.add(packed)
            _link(packed, folder / _as_packed(name))
        self._forget_packed(taken)

    def bring_back(self, checkpoint: Path) -> None:
        """What a checkpoint tells of legs that this volume knows nothing of, as far as it can be read and there is room."""
        with contextlib.suppress(OSError):
            for name, path in (*_small(checkpoint / HISTORY), *_newest_traces(checkpoint / HISTORY)):
                with contextlib.suppress(OSError):
                    self._bring(name, path)

    def _bring(self, name: str, path: Path) -> None:
        target = self._folder / name
        if not target.exists() and not target.with_name(target.name.removesuffix(".gz")).exists():
            _copy(path, target)

    def _packed(self, name: str, path: Path) -> Path:
        """Where a trace lies as it goes with checkpoints: the same bytes each time."""
        return path if path.suffix == ".gz" else self._folder.with_name(PACKED) / _as_packed(name)

    def _forget_packed(self, taken: set[Path]) -> None:
        """What goes along no more takes no room."""
        for path in self._folder.with_name(PACKED).rglob("*.gz"):
            if path not in taken:
                path.unlink(missing_ok=True)


def _small(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.glob("*/metrics/*.json")):
        if path.stat().st_size <= LARGE:
            yield path.relative_to(folder).as_posix(), path


def _newest_traces(folder: Path) -> list[tuple[str, Path]]:
    """The newest first, by the names of prefixes and iterations: copies have other times. Each once, unpacked if it is."""
    found = []
    for path in folder.rglob("*-iteration.csv*"):
        name = path.relative_to(folder).as_posix()
        twice = path.suffix == ".gz" and path.with_suffix("").exists()
        if not twice and _TRACE.fullmatch(name) and 0 < path.stat().st_size <= LARGE:
            prefix, _, rest = name.partition("/")
            found.append((natural(prefix), natural(rest.rpartition("/")[2]), name, path))
    found.sort(reverse=True)
    return [(name, path) for *_, name, path in found[:MOST_TRACES]]


def _as_packed(name: str) -> str:
    return name if name.endswith(".gz") else f"{name}.gz"


def _is_packed(packed: Path, path: Path) -> bool:
    """As the trace is now: what is packed has its time."""
    return packed == path or (packed.exists() and abs(packed.stat().st_mtime - path.stat().st_mtime) <= 0.001)


def _pack(path: Path, packed: Path) -> bool:
    """Whether it could be read and written: one that cannot keeps no other from going along."""
    try:
        _replace(packed, gzip.compress(path.read_bytes(), PACKING, mtime=0), path.stat().st_mtime)
    except OSError:
        return False
    return True


def _link(path: Path, target: Path) -> None:
    """Files here are only ever replaced whole: what is linked stays as it is."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, target)
    except OSError:
        _copy(path, target)


def _copy(path: Path, target: Path) -> None:
    """The whole of it, or nothing: a disk may be full. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        shutil.copy2(path, temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _holds(path: Path, stat: Stat) -> bool:
    """A copy has its source's time."""
    try:
        found = path.stat()
    except OSError:
        return False
    return found.st_size == stat.size and abs(found.st_mtime - stat.modified) < 0.001


def _replace(path: Path, data: bytes, modified: float | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if modified is not None:
        os.utime(temporary, (modified, modified))
    temporary.replace(path)
