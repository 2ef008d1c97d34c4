"""The driver's book on one run: its course as it goes, kept on the volume, and what is told to fleet on standard output."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from fleet import _training
from fleet.model.base import Seconds
from fleet.workloads.deepracer.course import Course, Origin
from fleet.workloads.deepracer.history import History
from fleet.workloads.deepracer.signals import Signal
from fleet.workloads.deepracer.spec import Until

NOTE_EVERY: Seconds = 10.0
"""So much of what was lost may be unknown."""
TELL_EVERY: Seconds = 2.0


def say(text: str) -> None:
    """To the user, by the run's log."""
    for line in text.splitlines():
        print(f"fleet: {line}", flush=True)


class Clock:
    """How long the run has trained: its legs' time between the first sign of training and the trainer's end."""

    def __init__(self, before: Seconds, monotonic: Callable[[], Seconds] = time.monotonic) -> None:
        self._monotonic, self._total = monotonic, before
        self._since: Seconds | None = None

    @property
    def runs(self) -> bool:
        """Training is under way."""
        return self._since is not None

    def start(self) -> None:
        """The first sign of training; any later one changes nothing."""
        if self._since is None:
            self._since = self._monotonic()

    def stop(self) -> None:
        """The trainer is gone."""
        self._total, self._since = self.now(), None

    def now(self, ago: Seconds = 0.0) -> Seconds:
        """As of so many seconds ago."""
        if self._since is None:
            return self._total
        return self._total + max(0.0, self._monotonic() - self._since - max(0.0, ago))


class Book:
    """What has happened, in memory and on the volume."""

    def __init__(self, course: Course, history: History, until: Until) -> None:
        self.course = course
        self.clock = Clock(course.trained_seconds)
        self._history, self._until = history, until
        self._noted_at = self._told_at = float("-inf")
        self._metrics: dict[str, float] = {}
        self._rewards: list[float] = []
        self._iteration: int | None = None
        self._problem = ""

    def begins(self, prefix: str, attempt: int, origin: Origin, source: int | None, trained: Seconds) -> None:
        """A new leg."""
        self.clock = Clock(trained)
        self._rewards, self._iteration = [], None
        self._set(self.course.begun(prefix, attempt, origin, source, trained, round(time.time(), 3)))

    def hears(self, signal: Signal) -> None:
        """What a container's log tells of training."""
        if signal.kind in ("sim-trace", "episode", "iteration"):
            self.clock.start()
        if signal.kind == "saving" and signal.n is not None and (signal.stem or "").endswith("_Step-0.ckpt"):
            self._started(signal.n)
        elif signal.kind == "uploaded" and signal.n is not None and signal.n > self.course.reached:
            self._set(self.course.seen(signal.n, self.clock.now()))
            self._tell()
        self._measure(signal)
        if signal.kind in ("episode", "iteration") and time.monotonic() >= self._told_at + TELL_EVERY:
            self._tell()

    def _measure(self, signal: Signal) -> None:
        if signal.kind == "episode" and signal.source == "trainer" and signal.reward is not None:
            if signal.iteration != self._iteration:
                self._rewards, self._iteration = [], signal.iteration
            self._rewards.append(signal.reward)
            self._metrics["reward"] = sum(self._rewards) / len(self._rewards)
            self._metrics["episode"] = float(signal.n or 0)
        elif signal.kind == "iteration":
            told = {"entropy": signal.entropy, "loss": signal.loss, "learning_rate": signal.learning_rate}
            self._metrics |= {name: value for name, value in told.items() if value is not None}

    def _started(self, n: int) -> None:
        leg = self.course.leg
        if leg.first is None and not leg.sets and n >= (leg.source or 0):
            self._set(self.course.started(n))

    def kept(self, n: int, ago: Seconds) -> None:
        """A set that was made so many seconds ago lies where a resume finds it."""
        self._set(self.course.kept(n, self.clock.now(ago)))
        self._tell()
        _training.saved(n)

    def kept_source(self, n: int) -> None:
        """What the leg begins from lies among fleet's checkpoints."""
        self._tell()
        _training.saved(n)

    def note(self) -> None:
        """Now and then: how far training is."""
        if self.clock.runs and time.monotonic() >= self._noted_at + NOTE_EVERY:
            self._set(self.course.seen(self.course.reached, self.clock.now()))

    def trainer_gone(self) -> None:
        """The time of training ends here."""
        if self.clock.runs:
            self.clock.stop()
            self._set(self.course.seen(self.course.reached, self.clock.now()))

    def ended(self, how: str) -> None:
        """The leg is over."""
        self.trainer_gone()
        self._set(self.course.ended(how))

    def went_bad(self, after: int | None, learning_rate: float | None) -> None:
        """NaN."""
        self._set(self.course.went_bad(after, learning_rate))

    def gives_up(self, after: int | None) -> None:
        """NaN once too often: whoever starts this run again does not begin from what may be none."""
        self._set(self.course.doubted(after))

    def _set(self, course: Course) -> None:
        self.course, self._noted_at = course, time.monotonic()
        try:
            self._history.note(course)
            self._problem = ""
        except OSError as error:  # a full disk must not end the training
            if str(error) != self._problem:
                self._problem = str(error)
                say(f"the run's course could not be noted, training goes on: {error}")

    def _tell(self) -> None:
        course, most = self.course, self._until.iterations
        total = course.base + course.repeats + most if most is not None else None
        told = {name: value for name, value in self._metrics.items() if math.isfinite(value)}
        _training.progress(max(course.reached, course.iterations), total=total, **told)
        self._told_at = time.monotonic()
