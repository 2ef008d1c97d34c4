"""How the files of a local cloud lie, and how processes share them. Standard library only: supervisors start fast.

::

    <home>/lock                        held for every change of what is attached to what
    <home>/market.json                 what takes instances back, and prices
    <home>/outages/<zone>              until when a zone has no spot capacity
    <home>/instances/<id>/             instance.json, user-data, boot-id, dead-man.json, session, console.log,
                                       root/ (the machine's own disk), dev/<volume>
    <home>/volumes/<id>/               volume.json, data/
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REGION = "here"
"""The only one."""
INSTANCE = "instance.json"
SUPERVISOR_LOCK = "supervisor.lock"
TERMINATE = "terminate"
POWER_OFF = "power-off"
DEAD_MAN = "dead-man.json"
TRAINING = "training"
USER_DATA = "user-data"
BOOT_ID = "boot-id"
SESSION = "session"
"""The session id of the supervisor, which every process of the machine shares unless it made its own."""


def read_json(path: Path) -> dict[str, Any] | None:
    """A file's JSON object; None if there is no such file, or none that holds one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replace a file whole: readers see the old object or the new one."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    temporary.write_text(json.dumps(value), encoding="utf-8")
    temporary.replace(path)


@contextlib.contextmanager
def locked(home: Path) -> Iterator[None]:
    """One process at a time changes the home. The lock goes with the process that holds it."""
    home.mkdir(parents=True, exist_ok=True)
    fd = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def hold_supervision(folder: Path) -> int | None:
    """Take the instance's supervisor lock for the life of this process; None if another process holds it."""
    fd = os.open(folder / SUPERVISOR_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd


def supervised(folder: Path) -> bool:
    """Whether a supervisor lives: it holds its lock until it dies, however it dies; no pid is mistaken for it."""
    fd = hold_supervision(folder)
    if fd is None:
        return True
    os.close(fd)
    return False


def session_of(folder: Path) -> tuple[int, float] | None:
    """The session id that the machine's supervisor had, and when it was last there; None if it never ran."""
    try:
        path = folder / SESSION
        return int(path.read_text(encoding="utf-8")), path.stat().st_mtime
    except (OSError, ValueError):
        return None


def last_sign(folder: Path) -> float | None:
    """When the machine last did something: its supervisor touches the session every second."""
    times = []
    for name in (DEAD_MAN, SESSION, TRAINING):
        with contextlib.suppress(OSError):
            times.append((folder / name).stat().st_mtime)
    return max(times, default=None)


def end_instance(home: Path, folder: Path, ended_by: str, at: float) -> None:
    """Mark an instance terminated, once, and let go of its volumes. Nothing of it may run any more."""
    import shutil

    with locked(home):
        record = read_json(folder / INSTANCE)
        if record is None or record["state"] == "terminated":
            return
        for path in (home / "volumes").glob("*/volume.json"):
            volume = read_json(path)
            if volume is not None and volume.get("attached_to") == record["instance_id"]:
                write_json(path, {**volume, "attached_to": None})
        shutil.rmtree(folder / "root", ignore_errors=True)
        shutil.rmtree(folder / "dev", ignore_errors=True)
        write_json(folder / INSTANCE, {**record, "state": "terminated", "ended_at": at, "ended_by": ended_by})
