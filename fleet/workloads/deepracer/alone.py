"""One driver at a time on a machine: one whose agent died may still be there, and would take the next one's stack down."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fleet.model.base import Seconds
from fleet.model.errors import FleetError

WITHIN: Seconds = 10.0


@contextmanager
def alone(own: Path) -> Iterator[None]:
    """Hold the machine; who holds it is killed first. Raises FleetError if it does not go."""
    own.mkdir(parents=True, exist_ok=True)
    with (own / "driver").open("a+", encoding="utf-8") as file:
        until = time.monotonic() + WITHIN
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise FleetError("another driver of this machine does not end") from None
            file.seek(0)
            with suppress(ValueError, ProcessLookupError):
                os.kill(int(file.read()), signal.SIGKILL)
            time.sleep(0.05)
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield
