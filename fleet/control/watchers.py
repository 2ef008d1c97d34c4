"""Which programs on this computer keep runs alive now. Only for people to look at: nothing depends on it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fleet.control.home import Home


@dataclass(frozen=True, slots=True)
class Watcher:
    """A program that runs the loop."""

    process: int
    command: str
    buckets: tuple[str, ...]
    started_at: float
    """By this computer's clock."""


@contextlib.contextmanager
def watching(home: Home, command: str, buckets: list[str]) -> Iterator[bool]:
    """Be known as a watcher meanwhile: whether one is. The lock on its file tells at once that it died."""
    path, file, known = _folder(home) / f"{os.getpid()}.json", None, False
    with contextlib.suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        file = path.with_suffix(".tmp").open("w", encoding="utf-8")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # before it is seen
        json.dump({"command": command, "buckets": buckets, "started_at": time.time()}, file)
        file.flush()
        path.with_suffix(".tmp").replace(path)
        known = True
    try:
        yield known
    finally:
        if file is not None:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            file.close()


def watchers(home: Home, bucket: str) -> list[Watcher]:
    """Those that live and look after a bucket, the oldest first; what dead ones left behind is removed."""
    found = []
    for path in _folder(home).glob("*.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            with path.open(encoding="utf-8") as file:
                if not _locked(file.fileno()):
                    path.unlink(missing_ok=True)
                    continue
                told = json.load(file)
            if bucket in told["buckets"]:
                buckets = tuple(map(str, told["buckets"]))
                found.append(Watcher(int(path.stem), str(told["command"]), buckets, float(told["started_at"])))
    return sorted(found, key=lambda one: one.started_at)


def _folder(home: Home) -> Path:
    return home.path / "watchers"


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    return False
