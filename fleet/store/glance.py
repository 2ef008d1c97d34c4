"""What lies in the journals known here, at a glance: unchecked, from this computer alone, for completing words in a shell.

Nothing is decided by it. A remote bucket is not asked: what this computer remembers of its journal has to do.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

REMEMBERED = 500
"""Of a remote bucket's journal the newest so many entries are looked at."""


@dataclass
class Glance:
    """Names as they were written."""

    runs: dict[str, str] = field(default_factory=dict)
    """A run's name → the id of its newest run."""
    ids: list[str] = field(default_factory=list)
    """Every run's id, oldest first."""
    volumes: list[str] = field(default_factory=list)
    """Volumes that were not deleted."""
    folders: list[Path] = field(default_factory=list)
    """Buckets that are folders here."""

    def take(self, event: dict[str, Any]) -> None:
        """One event of the journal."""
        if event.get("type") == "run-created":
            self.runs.pop(event["name"], None)  # to the end: the newest last
            self.runs[event["name"]] = event["run_id"]
            self.ids.append(event["run_id"])
        elif event.get("type") == "volume-made":
            self.volumes.append(event["volume"]["volume_id"])
        elif event.get("type") == "volume-deleted":
            self.volumes = [one for one in self.volumes if one != event["volume_id"]]


def glance(buckets: Sequence[str], cache: Path) -> Glance:
    """Look at buckets by their URLs, and at what is remembered of remote ones. What cannot be read is left out."""
    found = Glance()
    for url in buckets:
        if url.startswith("file:"):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                _folder(found, Path(unquote(urlsplit(url).path)))
    for path in sorted(cache.glob("*.sqlite")):
        with contextlib.suppress(sqlite3.Error, OSError, ValueError, KeyError, TypeError, AttributeError):
            _remembered(found, path)
    return found


def saved_refs(found: Glance, run: str) -> list[str]:
    """Committed checkpoints of a run (its name or id) as ``attempt/number``, in folders only, newest first."""
    run_id = found.runs.get(run, run)
    refs = []
    for folder in found.folders:
        for path in folder.glob(f"runs/{run_id}/checkpoints/*/*/manifest.json"):
            with contextlib.suppress(ValueError):
                refs.append((int(path.parts[-3]), int(path.parts[-2])))
    return [f"{attempt}/{seq}" for attempt, seq in sorted(refs, reverse=True)]


def _folder(found: Glance, folder: Path) -> None:
    found.folders.append(folder)
    head = 0
    snapshots = sorted(folder.glob("snapshots/*/*.json"), key=lambda path: (int(path.parts[-2]), path.name))
    if snapshots:
        document = json.loads(snapshots[-1].read_bytes())
        head, state = document["number"], document["state"]
        found.runs |= state["names"]
        found.ids += sorted(state["runs"], key=lambda run: float(state["runs"][run]["created_at"]))
        for run in state["runs"].values():
            found.volumes += [key for key, volume in run["volumes"].items() if volume["deleted_at"] is None]
    first = f"{head + 1:012d}.json"
    for event in _events(sorted(path for path in folder.glob("journal/*.json") if path.name >= first)):
        found.take(event)


def _events(paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
    for path in paths:
        yield from json.loads(path.read_bytes())["events"]


def _remembered(found: Glance, path: Path) -> None:
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=0.2)) as connection:
        newest = connection.execute("SELECT data FROM entries ORDER BY number DESC LIMIT ?", (REMEMBERED,)).fetchall()
    for (data,) in reversed(newest):
        for event in json.loads(data)["events"]:
            found.take(event)
