"""Rounds that nobody looks at: never two at once, none for ever, and a log that does not grow without bound."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

LOG_BYTES = 1_000_000
"""Then the log is put aside as ``….1``, in the place of the one before."""
ROUND_SECONDS = 900
"""A round that takes longer is ended: the next one does what it did not do. cron has no other end for it."""


@contextlib.contextmanager
def alone(log: Path) -> Iterator[bool]:
    """Whether this is the only round, with a lock beside the log; flock(1) is not on every system. Ended if it hangs."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.with_name(f"{log.name}.lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        before = signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(ROUND_SECONDS)
        try:
            yield True
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def logged(log: Path, now: Callable[[], float] = time.time) -> Iterator[Callable[[str], None]]:
    """A function that appends lines to the log with the time; what else is printed meanwhile goes there, too."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_BYTES:
            log.replace(log.with_name(f"{log.name}.1"))
    with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
        kept = [(number, os.dup(number)) for number in (1, 2)]
        for number, _ in kept:
            os.dup2(file.fileno(), number)

        def write(text: str) -> None:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now()))
            file.write("".join(f"{stamp} {line}\n" for line in text.splitlines()))
            file.flush()

        try:
            yield write
        finally:
            for number, copy in kept:
                os.dup2(copy, number)
                os.close(copy)
