"""Work that may take long is done beside the agent's loop, so that no upload delays seeing a notice."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

LOW_PRIORITY = 10
"""Against training, which has 0, a tenth of a contested core."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """A piece of work that ended: its result, or what it raised."""

    result: T | None = None
    error: Exception | None = None


class Lane(Protocol):
    """One worker: one piece of work at a time, collected when it is done."""

    @property
    def busy(self) -> bool:
        """Work was given and its end not yet taken."""
        ...

    def give(self, work: Callable[[], object]) -> None:
        """Begin a piece of work; only when not busy."""
        ...

    def take(self) -> Done[object] | None:
        """The work that ended since, once."""
        ...


class ThreadLane:
    """A lane with a thread of its own; ``wake`` is called when a piece of work ends.

    ``nice`` lowers its priority, and that of every thread started from it, a library's included, where the system has
    priorities for threads (Linux). The disk's follows from it. It cannot be raised again, and need not be: work in this lane
    competes with training alone.
    """

    def __init__(self, name: str, wake: Callable[[], None], *, nice: int = 0) -> None:
        self._nice = nice
        self._wake = wake
        self._todo: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Done[object]] = queue.SimpleQueue()
        self.busy = False
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def give(self, work: Callable[[], object]) -> None:
        """Begin a piece of work."""
        assert not self.busy
        self.busy = True
        self._todo.put(work)

    def take(self) -> Done[object] | None:
        """The work that ended since, once."""
        try:
            done = self._done.get_nowait()
        except queue.Empty:
            return None
        self.busy = False
        return done

    def _work(self) -> None:
        if self._nice and sys.platform == "linux":
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._nice)
        while True:
            work = self._todo.get()
            self._done.put(attempted(work))
            self._wake()


def attempted(work: Callable[[], object]) -> Done[object]:
    """Do a piece of work; whatever it raises is its result, for the loop to judge."""
    try:
        return Done(result=work())
    except Exception as error:  # noqa: BLE001 - carried to the loop, never swallowed
        return Done(error=error)
