"""One leg: from the stack's start to its end, whatever ends it. Effects; what to do is decided in ``steer``."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from fleet._training import save_requested
from fleet.model.base import Seconds
from fleet.model.errors import FleetError
from fleet.workloads.deepracer import signals
from fleet.workloads.deepracer.book import Book, say
from fleet.workloads.deepracer.containers import Container
from fleet.workloads.deepracer.engine_room import EngineRoom
from fleet.workloads.deepracer.health import Health
from fleet.workloads.deepracer.history import History
from fleet.workloads.deepracer.keeper import Keeper
from fleet.workloads.deepracer.listen import Heard, Line, Listener
from fleet.workloads.deepracer.signals import Source
from fleet.workloads.deepracer.spec import DeepRacer
from fleet.workloads.deepracer.steer import AskTrainer, EndLeg, Exited, Facts, culpable, decide
from fleet.workloads.deepracer.tending import Caretaker

WAIT: Seconds = 0.25
LOOK_FOR_TRAINER: Seconds = 1.0
"""The trainer that coach starts is none of compose's: it is looked for so often until it is there."""
SOURCES: dict[str, Source] = {"s3": "s3", "coach": "coach", "trainer": "trainer", "simulator": "simulator"}
SPAWNED = re.compile(r"^\S*algo-\d+-\S+\s+\| ")
"""What coach repeats of its trainer's output, which is followed itself."""
TRACE = "SIM_TRACE_LOG:"
"""Fifteen lines a second and simulator: they are in the leg's log, and not in the run's."""


@dataclass
class Stop:
    """fleet's wish that training ends, as a signal tells it."""

    by: Callable[[Seconds], Seconds]
    """When who was asked at a time is killed."""
    asked: Seconds | None = None
    wake: Callable[[], None] = lambda: None

    def ask(self, *_: object) -> None:
        """A signal's handler."""
        if self.asked is None:
            self.asked = time.time()
        self.wake()

    def is_asked(self) -> bool:
        """Whether it was."""
        return self.asked is not None


@dataclass
class Leg:
    """The stack runs, and is followed."""

    spec: DeepRacer
    room: EngineRoom
    listener: Listener
    book: Book
    keeper: Keeper
    history: History
    health: Health
    stop: Stop
    caretaker: Caretaker
    began: Seconds = field(default_factory=time.monotonic)
    """When the driver set about it, by the monotonic clock."""
    started: Seconds = field(default_factory=time.monotonic)
    """When its containers were started."""
    hidden: str = ""
    """The look-alike's secret: coach's launcher prints what it starts the trainer with."""
    trainer: str | None = None
    """The trainer's container."""
    _exited: list[Exited] = field(default_factory=list)
    _nan: bool = False
    _asked_trainer: bool = False
    _asked_container: str | None = None
    _finishing: Seconds | None = None
    _followed: set[str] = field(default_factory=set)
    _looked_at: Seconds = float("-inf")

    def run(self) -> EndLeg:
        """Until something ends it."""
        self.stop.wake = self.listener.wake
        while True:
            self._follow_new()
            for heard in self.listener.take(WAIT):
                self._hear(heard)
            if save_requested():
                self.keeper.press()
                self.keeper.look(hurry=True)
            if self.stop.is_asked():
                self.keeper.press()
            self.keeper.look_if_due()
            self.book.note()
            self.caretaker.look_if_due(self.book.course.legs)
            decision = decide(self._facts(), self.spec.until)
            if isinstance(decision, EndLeg):
                return decision
            if isinstance(decision, AskTrainer):
                self._ask_trainer(decision)
            if self._asked_trainer and self.trainer is not None and self._asked_container != self.trainer:
                self._asked_container = self.trainer
                self.room.ask_to_end(self.trainer)

    @property
    def nan(self) -> bool:
        """A loss was no number, or weights are none."""
        return self._nan

    def _follow_new(self) -> None:
        """Compose's containers are there at once; the trainer that coach starts comes later."""
        now = time.monotonic()
        if (self.trainer is not None and self._followed) or now < self._looked_at + LOOK_FOR_TRAINER:
            return
        self._looked_at = now
        for container in follow_new(self.room, self.listener, self._followed):
            if container.service == "trainer":
                self.trainer = container.id
                with suppress(FleetError, OSError):
                    self.room.note_trainer()

    def _hear(self, heard: Heard) -> None:
        if isinstance(heard, Exited):
            self._exited.append(heard)
            if heard.service == "trainer":
                self.book.trainer_gone()
                self.keeper.expect()
            say(f"the {heard.service} ended with exit code {heard.code}")
            return
        if heard.service == "coach" and self.trainer is not None and SPAWNED.match(heard.text):
            return
        note_line(self.history, self.book.course.leg.prefix, heard, self.hidden)
        signal = signals.heard(SOURCES[heard.service.partition("-")[0]], heard.text)
        if signal is None:
            return
        trained = self.book.clock.runs
        self.health = self.health.hear(signal, time.monotonic())
        self.book.hears(signal)
        self._nan = self._nan or signal.kind == "nan"
        if signal.kind in ("saving", "uploaded", "ready", "best-and-last"):
            self.keeper.expect()
        if self.book.clock.runs and not trained:
            own, all_of_it = self.started - self.began, time.monotonic() - self.began
            say(f"training goes on {all_of_it:.1f} s after the start: {own:.1f} s fleet's, the rest the containers' own")

    def _facts(self) -> Facts:
        asked = self.stop.asked
        fault = self.health.fault(time.monotonic())
        said = fault is not None and fault.code == "nan"  # a simulator may be the one who says it
        self._nan = self._nan or said or self.keeper.nan
        return Facts(
            now=time.time(),
            iterations=self.book.course.done,
            trained=self.book.clock.now(),
            exited=culpable(self._exited),
            trainer_gone=any(one.service == "trainer" for one in self._exited),
            fault=fault,
            nan=self._nan,
            stop_asked=asked,
            stop_by=self.stop.by(asked) if asked is not None else float("inf"),
            finishing=self._finishing,
            asked_trainer=self._asked_trainer,
        )

    def _ask_trainer(self, decision: AskTrainer) -> None:
        self._asked_trainer = True
        if decision.why == "duration":
            self._finishing = time.time()
            say("the job's training time is up: the iteration under way is the last")
        else:
            say("asked to stop: the trainer saves at its iteration's end; what is committed by then is kept")
        self.keeper.expect()


def note_line(history: History, prefix: str, heard: Line, hidden: str) -> None:
    """A container's line, into its log and, unless it is a step's, into the run's; ``hidden``: a secret that it may tell."""
    text = heard.text.replace(hidden, "…") if hidden else heard.text
    with suppress(OSError):  # a full disk must not end the training
        history.log(prefix, heard.service, text)
    if TRACE not in text and text.strip():
        print(f"{heard.service} | {text}", flush=True)


def follow_new(room: EngineRoom, listener: Listener, followed: set[str]) -> list[Container]:
    """Follow the containers that are not followed yet; all that there are, none while the engine is busy."""
    try:
        found = room.running()
    except FleetError:
        return []  # once more in a moment
    for container in found:
        if container.id not in followed:
            followed.add(container.id)
            listener.follow(container.service, container.id)
    return found
