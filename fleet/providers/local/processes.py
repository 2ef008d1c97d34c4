"""Finding and killing every process of a local machine, on Linux and macOS, after any parent has died."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import psutil

MARK = "FLEET_INSTANCE_ID"
"""Every process of a machine inherits this in its environment, also one that made a session of its own."""
ROUNDS = 200
"""A machine that forks faster than it is killed is given up after so many rounds."""


def machine_processes(instance_id: str) -> Iterator[psutil.Process]:
    """Every process of an instance but the asking one."""
    me = os.getpid()
    for process in psutil.process_iter():
        if process.pid == me:
            continue
        with contextlib.suppress(psutil.Error, OSError):
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == instance_id:
                yield process


def kill_machine(instance_id: str) -> bool:
    """SIGKILL everything of an instance until nothing is left; the asking process lives on. True if nothing is left.

    Round after round, since a process may fork between being listed and being killed.
    """
    for _ in range(ROUNDS):
        found = list(machine_processes(instance_id))
        if not found:
            return True
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=2)
    return False
