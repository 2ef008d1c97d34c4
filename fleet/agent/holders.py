"""Who keeps a file system busy: found in /proc, since a stock image need not have ``fuser``."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")


def holders(folder: Path, proc: Path = PROC) -> Iterator[tuple[int, str]]:
    """Process and name of everyone, but ourselves, who has something open, mapped or as a working folder below a folder."""
    inside = (str(folder), f"{folder}/")
    for entry in proc.iterdir():
        if entry.name.isdecimal() and int(entry.name) not in (1, os.getpid()) and _holds(entry, inside):
            name = ""
            with contextlib.suppress(OSError):
                name = (entry / "comm").read_text(encoding="utf-8", errors="replace").strip()
            yield int(entry.name), name


def end_holders(folder: Path, proc: Path = PROC) -> str:
    """Kill them, and tell whom, for people: a shell that somebody left standing there must not keep the volume."""
    told = []
    for pid, name in holders(folder, proc):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
            told.append(f"{name} ({pid})")
    return ", ".join(told)


def _holds(entry: Path, inside: tuple[str, str]) -> bool:
    whole, below = inside
    try:
        links = [entry / "cwd", entry / "root", entry / "exe", *(entry / "fd").iterdir()]
        for link in links:
            with contextlib.suppress(FileNotFoundError):
                target = str(link.readlink())
                if target == whole or target.startswith(below):
                    return True
        with (entry / "maps").open(encoding="utf-8", errors="replace") as maps:
            return any(below in line for line in maps)
    except OSError:
        return False  # it ended meanwhile, or is the kernel's own
