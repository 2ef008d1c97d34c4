"""The containers of a local machine: no children of its processes, so they are taken along by their compose project.

The agent notes on the machine's own disk where they run, before it makes the first (engine.py).
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from fleet.engine import ENGINE_NOTE, remove_noted
from fleet.model.errors import FleetError
from fleet.providers.local import folder as files

LEFT = "containers-left.json"
"""The note, kept where the machine's end does not remove it, while its containers could not be."""
AGAIN = 30.0


def remove_containers(folder: Path) -> None:
    """Remove whatever of a machine's stack is left. What cannot be, is told on its console and tried again later."""
    note = files.read_json(folder / "root" / ENGINE_NOTE) or files.read_json(folder / LEFT)
    if note is None:
        return
    problem = _removed(note)
    if problem is None:
        (folder / LEFT).unlink(missing_ok=True)
        return
    files.write_json(folder / LEFT, note)
    print(problem, file=sys.stderr)


def try_again(folder: Path) -> None:
    """Once in a while, for a machine that has ended."""
    try:
        due = (folder / LEFT).stat().st_mtime + AGAIN <= time.time()
    except OSError:
        return
    if due:
        remove_containers(folder)


def _removed(note: dict[str, Any]) -> str | None:
    try:
        remove_noted(note, os.environ)
    except FleetError as error:
        return str(error)
    return None
