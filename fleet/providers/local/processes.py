"""Finding and killing every process of a local machine, on Linux and macOS, after any parent has died."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from fleet.providers.local.folder import session_of

MARK = "FLEET_INSTANCE_ID"
"""Every process of a machine inherits this in its environment, also one that made a session of its own."""
DYING = 2.0
"""A killed process is waited for so long before it is killed again."""
ROUNDS = 200
"""A machine that forks faster than it is killed is given up after so many rounds."""


def machine_processes(instance_id: str, session: int | None) -> Iterator[psutil.Process]:
    """Every process of an instance but the asking one: of its session, or with its mark.

    The mark finds those that made a session of their own; the session those whose environment cannot be read (programs
    of macOS itself).
    """
    me = os.getpid()
    for process in psutil.process_iter():
        if process.pid == me:
            continue
        with contextlib.suppress(psutil.Error, OSError):
            if process.status() != psutil.STATUS_ZOMBIE and _belongs(process, instance_id, session):
                yield process


def _belongs(process: psutil.Process, instance_id: str, session: int | None) -> bool:
    with contextlib.suppress(psutil.AccessDenied, OSError):
        if process.environ().get(MARK) == instance_id:
            return True
    # A session's number is its first process's: nobody else has it while any process of the session lives.
    return session is not None and os.getsid(process.pid) == session and process.pid != session


def living_session(folder: Path) -> int | None:
    """The machine's session; None if its number may be another's by now, after a restart of the computer for example."""
    known = session_of(folder)
    if known is None:
        return None
    session, since = known
    if psutil.boot_time() > since:
        return None
    with contextlib.suppress(psutil.Error):
        if psutil.Process(session).create_time() > since + 1.0:
            return None
    return session


def kill_machine(instance_id: str, session: int | None) -> bool:
    """SIGKILL everything of an instance until nothing is left; the asking process lives on. True if nothing is left.

    Everything is stopped before anything is killed: a machine dies at once, and no agent sees its training die first.
    Round after round, since a process may fork between being listed and being stopped.
    """
    for _ in range(ROUNDS):
        found = list(machine_processes(instance_id, session))
        if not found:
            return True
        for act in (psutil.Process.suspend, psutil.Process.kill):
            for process in found:
                with contextlib.suppress(psutil.Error):
                    act(process)
        _wait_until_dead(found)
    return False


def training_of(instance_id: str) -> tuple[str, dict[str, str]] | None:
    """The working folder and the environment of what ``setup`` or ``run`` started on a machine; None if nothing runs."""
    for process in machine_processes(instance_id, None):
        with contextlib.suppress(psutil.Error, OSError):
            env = process.environ()
            if "FLEET_CHECKPOINTS" in env:
                return process.cwd(), env
    return None


def _wait_until_dead(processes: list[psutil.Process]) -> None:
    """A zombie is dead: its parent, perhaps an init that never looks, may not have asked for it yet."""
    deadline = time.monotonic() + DYING
    while time.monotonic() < deadline and any(_alive(process) for process in processes):
        time.sleep(0.005)


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
