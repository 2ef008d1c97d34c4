"""Looks at prefixes and at what docker left, and carries out what the janitor decides. Never more than was shown."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from fleet.engine import Engine
from fleet.model.errors import FleetError
from fleet.workloads.deepracer.janitor import (
    Action,
    Image,
    Leg,
    Machine,
    Rules,
    Seen,
    enough,
    in_order,
    plan_machine,
    plan_old_prefixes,
    plan_prefix,
)
from fleet.workloads.deepracer.pointers import read_pointers
from fleet.workloads.deepracer.prefix import Prefix, Stat

TEMPORARY = Path("/tmp/sagemaker")  # noqa: S108 - where the launcher leaves its folders
ROOM = 0.1
"""Cleaned is until so much of the disk less is in use than where it began: it is not to begin again at once."""
_OURS = re.compile(r"deepracer|sagemaker-rl|fleet\.run=", re.IGNORECASE)
_SIZE = re.compile(r"([\d.]+)\s*([kKMGT]?)i?B")
_UNITS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def look(name: str, prefix: Prefix) -> Seen:
    """A prefix as it is now. Raises StoreError."""
    listing = prefix.list()
    pointers = read_pointers(prefix, listing)
    note = pointers.note
    named = (pointers.coach, pointers.text, pointers.last, pointers.best, note.committed if note is not None else None)
    unclear = f"a pointer cannot be read: {pointers.problems[0]}" if pointers.problems else ""
    if note is not None and note.unfinished(listing):
        unclear = "a repair was broken off: `fleet deepracer repair` first"
    return Seen(name, listing, prefix.now(), frozenset(stem for stem in named if stem), unclear)


def plan(
    places: Mapping[str, Prefix],
    rules: Rules,
    *,
    legs: Sequence[Leg] = (),
    carried: Collection[str] = (),
    machine: Machine | None = None,
) -> list[Action]:
    """All that may go of these prefixes, and of the machine, the least missed first. Raises StoreError."""
    seen = [look(name, prefix) for name, prefix in sorted(places.items())]
    old = plan_old_prefixes(seen, legs, carried, rules)
    gone = {one.place for one in old}
    within = [action for one in seen if one.name not in gone for action in plan_prefix(one, rules)]
    return in_order([*within, *old, *(plan_machine(machine) if machine is not None else ())])


def automatic(
    volume: Path,
    used_share: float,
    places: Mapping[str, Prefix],
    rules: Rules,
    *,
    above: float,
    legs: Sequence[Leg] = (),
    carried: Collection[str] = (),
    machine: Machine | None = None,
) -> list[Action]:
    """What to clean now: nothing up to the threshold; beyond it as little as makes room for a while. Raises StoreError."""
    if used_share <= above:
        return []
    wanted = round((used_share - max(0.0, above - ROOM)) * shutil.disk_usage(volume).total)
    return enough(plan(places, rules, legs=legs, carried=carried, machine=machine), wanted)


def carry_out(action: Action, places: Mapping[str, Prefix], engine: Engine | None = None) -> None:
    """Do what was shown. Raises FleetError, OSError if it cannot be done; what is gone already is fine."""
    if action.kind == "container-log":
        for log in action.names:
            with contextlib.suppress(FileNotFoundError):
                os.truncate(log, 0)  # docker has it open, and goes on at its end
    elif action.kind == "temporary":
        for path in map(Path, action.names):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    elif action.kind == "image":
        _remove_images(action.names, engine)
    else:
        for name in action.names:
            places[action.place].remove(name)


def _remove_images(names: Iterable[str], engine: Engine | None) -> None:
    for name in names:
        answer = engine.ask("image", "rm", name, timeout=300) if engine is not None else None
        if answer is not None and answer.returncode != 0 and "No such image" not in answer.stderr:
            raise FleetError(f"image {name} cannot be removed: {answer.stderr.strip()}", "It may be in use: docker ps -a")


def look_at_machine(engine: Engine, wanted: Collection[str], now: float, temporary: Path = TEMPORARY) -> Machine:
    """What docker and the launcher left here. What may not be looked at (docker's logs belong to root) is left out."""
    rows = [
        row for row in _rows(engine, "ps", "--all", "--no-trunc") if _OURS.search(f"{row.get('Image')} {row.get('Labels')}")
    ]
    logs, mounted = _inspected(engine, [str(row["ID"]) for row in rows if "ID" in row])
    left = {str(path): _newest(path) for path in _children(temporary) if not any(m.startswith(str(path)) for m in mounted)}
    return Machine(logs, left, tuple(_images(engine)), frozenset(wanted), now)


def _rows(engine: Engine, *words: str) -> list[dict[str, object]]:
    answer = engine.ask(*words, "--format", "{{json .}}")
    found = []
    for line in answer.stdout.splitlines() if answer.returncode == 0 else ():
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    return [one for one in found if isinstance(one, dict)]


def _inspected(engine: Engine, ids: Sequence[str]) -> tuple[dict[str, int], set[str]]:
    """Containers' log files with their sizes, and all that is mounted in any."""
    logs: dict[str, int] = {}
    if ids:
        answer = engine.ask("inspect", "--type", "container", "--format", "{{.LogPath}}", *ids)
        for path in filter(None, answer.stdout.split("\n")):
            with contextlib.suppress(OSError):
                logs[path] = Path(path).stat().st_size
    every = [str(row["ID"]) for row in _rows(engine, "ps", "--all", "--no-trunc") if "ID" in row]
    mounts = (
        engine.ask(
            "inspect", "--type", "container", "--format", "{{range .Mounts}}{{println .Source}}{{end}}", *every
        ).stdout
        if every
        else ""
    )
    return logs, set(filter(None, mounts.split("\n")))


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _newest(path: Path) -> Stat:
    """Size and newest time of everything below a path."""
    size, newest = 0, 0.0
    for one in [path, *path.rglob("*")]:
        with contextlib.suppress(OSError):
            stat = one.lstat()
            size, newest = size + stat.st_size, max(newest, stat.st_mtime)
    return Stat(size, newest)


def _images(engine: Engine) -> Iterable[Image]:
    """Of the stack alone: others' images are nobody's business."""
    rows = _rows(engine, "ps", "--all", "--no-trunc")
    used = {str(row.get("Image")) for row in rows}
    ids = [str(row["ID"]) for row in rows if "ID" in row]
    if ids:  # a container whose image was named by its digest says no tag
        used |= set(engine.ask("inspect", "--type", "container", "--format", "{{.Image}}", *ids).stdout.split())
    for row in _rows(engine, "images", "--no-trunc"):
        name, identity = f"{row.get('Repository')}:{row.get('Tag')}", str(row.get("ID"))
        if re.search(r"deepracer|sagemaker-rl", name):
            yield Image(
                identity,
                name,
                size_of(str(row.get("Size"))),
                _created(str(row.get("CreatedAt"))),
                bool({name, identity} & used),
            )


def size_of(text: str) -> int:
    """Bytes of what docker writes for people: ``4.91GB``."""
    found = _SIZE.search(text)
    return int(float(found[1]) * _UNITS[found[2]]) if found else 0


def _created(text: str) -> float:
    """``2026-03-06 13:37:00 +0000 UTC``."""
    with contextlib.suppress(ValueError):
        return datetime.strptime(" ".join(text.split()[:3]), "%Y-%m-%d %H:%M:%S %z").timestamp()
    return 0.0
