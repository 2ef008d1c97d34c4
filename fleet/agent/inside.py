"""A command where the training runs: in its folder, with its environment. ``fleet exec`` calls it over SSH, as root.

Run as a file of its own, isolated (``python3 -I …/fleet/agent/inside.py``): it needs nothing but Python's own library,
and nothing that lies in the caller's folder can take its place.

    inside.py run TOKEN COMMAND…      without a terminal; TOKEN is how `signal` finds it
    inside.py terminal TOKEN COMMAND… with one: the terminal itself passes Ctrl-C on
    inside.py signal TOKEN NUMBER     to a command, and to all that it started
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

PROC = Path("/proc")
NOT_DONE = 1


def processes(proc: Path = PROC) -> Iterator[Path]:
    """The folder of every process."""
    return (folder for folder in sorted(proc.iterdir()) if folder.name.isdecimal())


def environment(folder: Path) -> dict[str, str]:
    """A process's environment; empty once it has gone, or if it cannot be read."""
    with contextlib.suppress(OSError):
        pairs = (entry.partition(b"=") for entry in (folder / "environ").read_bytes().split(b"\0"))
        return {os.fsdecode(name): os.fsdecode(value) for name, equals, value in pairs if equals}
    return {}


def parent_and_start(folder: Path) -> tuple[str, int]:
    """The number of a process's parent, and when it began: they stand behind its name, which may hold anything."""
    with contextlib.suppress(OSError, IndexError):
        told = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return told[1], int(told[19])
    return "0", 0


def training(proc: Path = PROC) -> tuple[str, dict[str, str]] | None:
    """Folder and environment of what the agent started last; None if nothing runs.

    A child of the agent, and nothing else: what runs in a container, or was started from here, may have the same names
    in its environment.
    """
    found = []
    for folder in processes(proc):
        env, (parent, start) = environment(folder), parent_and_start(folder)
        if "FLEET_CHECKPOINTS" in env and "FLEET_MACHINE" in environment(proc / parent):
            with contextlib.suppress(OSError):
                found.append((start, str((folder / "cwd").readlink()), env))
    return max(found, key=lambda one: one[0])[1:] if found else None


def named(token: str, proc: Path = PROC) -> int | None:
    """The process that ``run`` was called for with a token; None once it has gone."""
    for folder in processes(proc):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if b"python" in words[0] and words[-1:] == [b""] and _is_ours(words, os.fsencode(token)):
                return int(folder.name)
    return None


def _is_ours(words: Sequence[bytes], token: bytes) -> bool:
    """``python3 -I inside.py run TOKEN …``, and not sudo's own process in front of it."""
    return any(name.endswith(b"inside.py") and words[at + 1 : at + 3] == [b"run", token] for at, name in enumerate(words))


def run(words: Sequence[str], folder: str, env: dict[str, str]) -> int:
    """Run a command in a group of its own, to which signals are passed on; its exit code, as a shell tells it."""
    child = subprocess.Popen(words, cwd=folder, env=env, start_new_session=True)

    def pass_on(number: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    code = child.wait()
    return code if code >= 0 else 128 - code


def main(arguments: Sequence[str]) -> int:
    """The command line above."""
    how, token, *words = arguments
    if how == "signal":
        found = named(token)
        if found is not None:
            os.kill(found, int(words[0]))
        return 0 if found is not None else NOT_DONE
    there = training()
    if there is None:
        _fail("nothing runs on this machine yet\nTry again once it trains.")
    folder, env = there
    try:
        if how == "terminal":
            os.chdir(folder)
            os.execvpe(words[0], list(words), env)  # noqa: S606 # no shell is wanted
        return run(words, folder, env)
    except OSError as error:
        _fail(f"{words[0]} cannot be started there: {error.strerror or error}")


def _fail(message: str) -> NoReturn:
    sys.stderr.write(f"fleet: {message}\n")
    sys.exit(NOT_DONE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
