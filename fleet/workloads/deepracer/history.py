"""What is told of a leg, kept after its prefix: metrics, traces and logs in ``<volume>/history/<prefix>/``.

A stack's bucket may be cleaned, lost with its volume, or written anew: ``status`` reads all legs here as one run.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from fleet.model.errors import NotFoundError
from fleet.workloads.deepracer.course import COURSE, Course, parse_course
from fleet.workloads.deepracer.prefix import Prefix, Stat

HISTORY = "history"
"""Below the volume; and below a checkpoint, without what is large."""
LARGE = 4 << 20
"""Bytes of a file that does not go with every checkpoint."""
LOG_MOST = 32 << 20
"""Bytes of a container's log; the file before it is kept too."""
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

    def lay_into(self, checkpoint: Path) -> None:
        """Beside a set: metrics of all legs, which are small, so that they outlive the volume."""
        for name, path in _small(self._folder):
            target = checkpoint / HISTORY / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)

    def bring_back(self, checkpoint: Path) -> None:
        """What a checkpoint tells of legs that this volume knows nothing of."""
        for name, path in _small(checkpoint / HISTORY):
            target = self._folder / name
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target)


def _small(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.glob("*/metrics/*.json")):
        if path.stat().st_size <= LARGE:
            yield path.relative_to(folder).as_posix(), path


def _holds(path: Path, stat: Stat) -> bool:
    """A copy has its source's time."""
    try:
        found = path.stat()
    except OSError:
        return False
    return found.st_size == stat.size and abs(found.st_mtime - stat.modified) < 0.001


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
