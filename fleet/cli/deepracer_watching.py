"""What is known of a training that goes on, and when to look again: looking must not cost what training needs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from fleet.model.errors import StoreError
from fleet.workloads.deepracer.analysis.analysing import analyse
from fleet.workloads.deepracer.analysis.light import summed
from fleet.workloads.deepracer.analysis.model import Analysis
from fleet.workloads.deepracer.analysis.recording import Recording
from fleet.workloads.deepracer.analysis.scene import Ground, Scene, named
from fleet.workloads.deepracer.analysis.scenery import Scenery

SHARE = 0.006
"""Of a core, that watching may take: one look in so many times what it took itself. Promised is 1 %."""
LONGEST = 600.0
"""Seconds between two looks at the most, whatever a look costs."""


class Source(Protocol):
    """A training's records, wherever they lie."""

    def poll(self) -> Recording | None:
        """All there is; None: nothing has changed since the last call. Raises StoreError while a bucket does not answer."""
        ...

    def state(self) -> tuple[str, bool]:
        """The run's state in words, and whether nothing more will come; ``""``: it is no run of fleet's."""
        ...

    def outcome(self) -> str | None:
        """How the run ended: ``succeeded``, ``failed`` …; None: it goes on, or it is none of fleet's."""
        ...


@dataclass
class Watching:
    """Looks; the page's server asks what there is from another thread."""

    source: Source
    scenery: Scenery
    every: float
    world: str = ""
    """The track, where the records do not name it."""
    now: Callable[[], float] = time.time
    cpu: Callable[[], float] = time.process_time
    analysis: Analysis = field(default_factory=Analysis)
    state: str = ""
    ended: bool = False
    number: int = 0
    """Grows with each change."""
    trouble: str = ""
    """Why the last look saw nothing; empty: it saw."""
    _recording: Recording | None = None
    _at: float | None = None
    _scene: tuple[int, Scene] | None = None
    _spent: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self) -> bool:
        """Whether something has changed."""
        try:
            state, ended = self.source.state()
            found = self.source.poll()
        except StoreError as error:
            with self._lock:
                changed = self.trouble != error.message
                self.trouble, self.number = error.message, self.number + changed
            return changed
        analysis = self.analysis if found is None else analyse(found, summed)
        changed = bool(found is not None or (state, ended) != (self.state, self.ended) or self.trouble or not self.number)
        with self._lock:
            self._recording = found or self._recording
            self.analysis, self.state, self.ended, self.trouble = analysis, state, ended, ""
            if changed:
                self.number += 1
                self._at = self.now()
        return changed

    def scene(self) -> tuple[int, Scene]:
        """For the page: maps are brought up to date when somebody looks at them."""
        with self._lock:
            if self._scene is None or self._scene[0] != self.number:
                grounds = self.scenery.grounds(self._recording) if self._recording is not None else ()
                self._scene = (self.number, self._as_scene(grounds))
            return self._scene

    def words(self) -> Scene:
        """The same without the maps: for the terminal."""
        with self._lock:
            return self._as_scene(())

    def _as_scene(self, grounds: tuple[Ground, ...]) -> Scene:
        return named(Scene(self.analysis, grounds, self._at, self.state, self.ended, self.trouble), self.world)

    def pause(self) -> float:
        """Seconds until the next look: longer than was asked for where looks are dear. The first one, which reads all that
        there is, is paid once.
        """
        spent = self.cpu()
        took = 0.0 if self._spent is None else spent - self._spent
        self._spent = spent
        return max(self.every, min(took / SHARE, LONGEST))
