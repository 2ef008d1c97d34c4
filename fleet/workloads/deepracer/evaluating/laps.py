"""The laps on one track, from the simulator's start to its end, whatever ends it. Effects; ``steer`` decides."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from fleet.model.base import Seconds
from fleet.model.errors import NotFoundError, StoreError
from fleet.workloads.deepracer import signals
from fleet.workloads.deepracer.book import say
from fleet.workloads.deepracer.engine_room import EngineRoom
from fleet.workloads.deepracer.evaluating.params import metrics_name, traces_folder
from fleet.workloads.deepracer.evaluating.results import Trial, read_trials
from fleet.workloads.deepracer.evaluating.steer import Ends, Facts, decide
from fleet.workloads.deepracer.health import Health
from fleet.workloads.deepracer.history import History
from fleet.workloads.deepracer.leg import SOURCES, WAIT, Stop, follow_new, note_line
from fleet.workloads.deepracer.listen import Heard, Listener
from fleet.workloads.deepracer.place import Laps
from fleet.workloads.deepracer.prefix import Prefix
from fleet.workloads.deepracer.steer import Exited

LOOK_FOR_IT: Seconds = 1.0
"""The simulator's container is looked for so often until it is followed."""
LOOK: Seconds = 2.0
"""Between two looks at the metrics, which are written once a lap."""


@dataclass
class Driving:
    """A simulator with a model, on one track."""

    room: EngineRoom
    listener: Listener
    history: History
    health: Health
    stop: Stop
    prefix: Prefix
    name: str
    """The prefix's."""
    laps: Laps
    tell: Callable[[tuple[Trial, ...]], None]
    """Called with all laps of this start, once more of them are told."""
    hidden: str = ""
    """The look-alike's secret."""
    clock: Callable[[], Seconds] = time.monotonic
    trials: tuple[Trial, ...] = ()
    _exited: list[Exited] = field(default_factory=list)
    _exited_at: Seconds | None = None
    _moved: Seconds = 0.0
    _looked_at: Seconds = float("-inf")
    _followed: set[str] = field(default_factory=set)
    _searched_at: Seconds = float("-inf")
    _driver_seen: bool = False
    _traced: bool = False
    _problem: str = ""

    def run(self) -> Ends:
        """Until something ends it."""
        self._moved = self.clock()
        self.stop.wake = self.listener.wake
        while True:
            self._follow_new()
            for heard in self.listener.take(WAIT):
                self._hear(heard)
            if self.clock() >= self._looked_at + LOOK or self.stop.is_asked() or self._exited:
                self.look()
            ends = decide(self._facts())
            if ends is not None:
                return ends

    def look(self) -> None:
        """Read the metrics, and see whether the traces are there. What cannot be read is said once, and tried again."""
        self._looked_at = self.clock()
        try:
            found = read_trials(self.prefix.read(metrics_name(self.laps.stamp)))
            if len(found) > len(self.trials):
                self.trials, self._moved = found[: self.laps.count], self.clock()
                self.tell(self.trials)
            if len(self.trials) >= self.laps.count:
                folder = traces_folder(self.laps.stamp)
                self._traced = any(name.startswith(f"{folder}/") for name in self.prefix.list())
            self._problem = ""
        except NotFoundError:
            return
        except (StoreError, OSError) as error:
            if str(error) != self._problem:
                self._problem = str(error)
                say(f"the laps' metrics could not be read or kept, the car drives on: {error}")

    def _follow_new(self) -> None:
        now = self.clock()
        if self._driver_seen or now < self._searched_at + LOOK_FOR_IT:
            return
        self._searched_at = now
        found = follow_new(self.room, self.listener, self._followed)
        self._driver_seen = any(container.service == "simulator" for container in found)

    def _hear(self, heard: Heard) -> None:
        if isinstance(heard, Exited):
            self._exited.append(heard)
            self._exited_at = self._exited_at if self._exited_at is not None else self.clock()
            say(f"the {heard.service} ended with exit code {heard.code}")
            return
        note_line(self.history, self.name, heard, self.hidden)
        signal = signals.heard(SOURCES[heard.service.partition("-")[0]], heard.text)
        if signal is not None:
            self.health = self.health.hear(signal, self.clock())
            if signal.kind == "evaluated":
                self._looked_at = float("-inf")

    def _facts(self) -> Facts:
        now = self.clock()
        return Facts(
            now=now,
            driven=len(self.trials),
            wanted=self.laps.count,
            moved=self._moved,
            traced=self._traced,
            exited=self._exited,
            exited_at=self._exited_at,
            fault=self.health.fault(now),
            stop_asked=self.stop.is_asked(),
        )
