"""The driver: what fleet starts on a machine to train DeepRacer, and of which nothing is left afterwards but checkpoints.

It looks for the newest whole set, begins a new prefix from a repaired copy of it, starts the stack, keeps every set that the
trainer commits, and takes everything down again. Exit codes: 0, trained to the end; 143, stopped as asked; 1, it says why.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from fleet.model.base import Seconds
from fleet.model.errors import FleetError, StoreError
from fleet.workloads.deepracer import nan, sources
from fleet.workloads.deepracer.alone import alone
from fleet.workloads.deepracer.book import Book, say
from fleet.workloads.deepracer.engine_room import EngineRoom, InterruptedStart
from fleet.workloads.deepracer.evaluating.driver import Evaluator
from fleet.workloads.deepracer.ground import Ground, Storage, ground_of
from fleet.workloads.deepracer.health import begin, patience
from fleet.workloads.deepracer.history import HISTORY, History
from fleet.workloads.deepracer.keeper import Keeper, export, keep_source
from fleet.workloads.deepracer.leg import Leg, Stop
from fleet.workloads.deepracer.listen import Listener
from fleet.workloads.deepracer.mirror import kept_in
from fleet.workloads.deepracer.params import PARAMS
from fleet.workloads.deepracer.prepare import Preparation, Prepared
from fleet.workloads.deepracer.resume import FROM, Candidate, must_keep, newest_course
from fleet.workloads.deepracer.sources import Found
from fleet.workloads.deepracer.spec import HYPERPARAMETERS, METADATA, REWARD, DeepRacer
from fleet.workloads.deepracer.steer import EndLeg
from fleet.workloads.deepracer.tending import Caretaker
from fleet.workloads.deepracer.weights.errors import UnsoundWeightsError

MODEL = "model"
"""Below the workdir: what the job's ``outputs`` name."""
STOPPED, FAILED = 128 + signal.SIGTERM, 1
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(options: Mapping[str, object], env: Mapping[str, str]) -> int:
    """Train or evaluate, as the job's ``workload:`` says. The exit code."""
    began = time.monotonic()
    try:
        spec = DeepRacer.model_validate(options)
        ground = ground_of(env, Path.cwd())
    except (ValidationError, FleetError) as error:
        say(str(error))
        return FAILED
    stop = Stop(ground.stop_by)
    for number in SIGNALS:
        signal.signal(number, stop.ask)
    try:
        with alone(ground.own):
            driver = Evaluator(spec, ground, stop) if spec.evaluate is not None else Driver(spec, ground, stop, began)
            return driver.live()
    except InterruptedStart:
        say("asked to stop before it began")
        return STOPPED
    except FleetError as error:
        say(str(error))
    except BrokenPipeError:
        pass  # nobody hears us any more
    except OSError as error:
        say(f"{error.filename or 'the disk'}: {error.strerror or error}")
    return FAILED


@dataclass(frozen=True)
class Ran:
    """A leg that is over."""

    leg: Leg
    ready: Prepared
    ending: EndLeg


class Driver:
    """One process's life: one leg, or several where a loss became NaN."""

    def __init__(self, spec: DeepRacer, ground: Ground, stop: Stop, began: Seconds) -> None:
        self._spec, self._ground, self._stop, self._began = spec, ground, stop, began
        self._history = History(ground.volume / HISTORY)
        self._room = EngineRoom(ground, spec, stop.is_asked)
        self._ready = Preparation(spec, ground, self._room, self._history)

    def live(self) -> int:
        """To the end; no container of it is left then. Raises FleetError, InterruptedStart."""
        self._room.note()
        try:
            return self._live()
        finally:
            self._room.remove()

    def _live(self) -> int:
        noted = self._history.course(self._ground.run)
        if noted is not None and nan.gave_up(noted, self._spec.nan, self._ground.attempt):
            say("the loss was no number (NaN) once too often: nothing is started again; `fleet resume` would")
            return FAILED
        self._room.clear(self._ready.place("start", None))
        known = noted or newest_course(kept_in(self._ground.checkpoints, self._ground.run))
        self._ready.images = self._room.pull(known.images if known is not None else {}, self._ready.device)
        storage = self._ready.open_storage()
        engine = self._room.engine if self._ground.is_own else None
        self._caretaker = Caretaker(self._ground.volume, storage, self._spec, say, engine)
        self._caretaker.look_if_due(noted.legs if noted is not None else ())  # a full disk has no room for a new leg
        while True:
            found = sources.find(self._ground, storage, noted)
            source = self._ready.source(found)
            if self._ready.is_done(found.course, source):
                return self._hand_over(found, storage, source)
            code = self._after(self._run(self._ready.prepare(found, source, storage), storage), storage)
            if code is not None:
                return code
            noted = self._history.course(self._ground.run)

    # --- a leg

    def _run(self, ready: Prepared, storage: Storage) -> Ran:
        found, source, ground = ready.found, ready.source, self._ground
        course = found.course.model_copy(update={"images": dict(self._ready.images)})
        book = Book(course, self._history, self._spec.until)
        trained = course.trained_at(source.n) if source is not None else 0.0
        prefix = ready.place.prefix.removeprefix(storage.base)
        book.begins(prefix, ground.attempt, source.origin if source else "nothing", source.n if source else None, trained)
        self._room.up(ready.place)
        started = time.monotonic()
        keeper = Keeper(storage.open(prefix), ground.checkpoints, ready.beside, book, self._history)
        listener = Listener(self._room.engine)
        leg = Leg(
            spec=self._spec,
            room=self._room,
            listener=listener,
            book=book,
            keeper=keeper,
            history=self._history,
            health=begin(self._spec, started, patience(nan.parsed(ready.beside[HYPERPARAMETERS]))),
            stop=self._stop,
            caretaker=self._caretaker,
            began=self._began,
            started=started,
            hidden=ready.place.s3.secret or "",
        )
        try:
            self._catch_up(ready, storage, book)
            ending = leg.run()
            self._finish(leg, ending)
        finally:
            listener.end()
        return Ran(leg, ready, ending)

    def _catch_up(self, ready: Prepared, storage: Storage, book: Book) -> None:
        """While the containers start: what the leg begins from is kept, and the records of the leg before it."""
        source, found = ready.source, ready.found
        if source is not None and must_keep(source, found.kept, found.course):
            copy = storage.open(book.course.leg.prefix + FROM)
            keep_source(copy, source.n, self._ground.checkpoints, ready.beside, book, self._history)
        before = found.course.legs[-1].prefix if found.course.legs else None
        if before in found.names and before is not None:
            with suppress(StoreError, OSError):
                self._history.take(before, storage.open(before))

    def _finish(self, leg: Leg, ending: EndLeg) -> None:
        """A last look at what is committed, unless it may be NaN; then the books are closed."""
        if not leg.nan:
            leg.keeper.look(hurry=True)
        leg.book.ended(ending.how)
        leg.keeper.take_history()

    # --- after a leg

    def _after(self, ran: Ran, storage: Storage) -> int | None:
        """The exit code; None: another leg."""
        ending, book = ran.ending, ran.leg.book
        if ending.how == "fault":
            assert ending.fault is not None
            say(f"{ending.fault.message} [{ending.fault.code}]\n{ending.fault.remedy}")
            return FAILED
        if ending.how == "succeeded":
            found = sources.find(self._ground, storage, book.course)
            return self._hand_over(found, storage, found.sets[0] if found.sets else None)
        if ending.how == "stopped" and not ran.leg.nan:
            return STOPPED
        self._room.end_training()
        code = self._go_back(ran, storage)
        return STOPPED if ending.how == "stopped" else code

    def _go_back(self, ran: Ran, storage: Storage) -> int | None:
        """After a NaN: from which set training goes on. The exit code if it does not."""
        found = sources.find(self._ground, storage, ran.leg.book.course)
        rate = nan.learning_rate_of(ran.ready.beside[HYPERPARAMETERS])
        decision = nan.after_nan(found.course, found.sets, self._spec.nan, rate)
        if isinstance(decision, nan.Enough):
            say(f"{decision.message} [nan]\n{decision.remedy}")
            ran.leg.book.gives_up(decision.source.n if decision.source is not None else None)
            return FAILED
        say(decision.words)
        ran.leg.book.went_bad(decision.source.n if decision.source is not None else None, decision.learning_rate)
        return None

    def _hand_over(self, found: Found, storage: Storage, source: Candidate | None) -> int:
        """The final model goes into the workdir, where the job's outputs are taken from."""
        if source is None:
            say("training ended before a first set was kept: there is no model")
            return FAILED
        files, _ = self._ready.files("final", None, storage, found.course.learning_rate)
        beside = {Path(key).name: data for key, data in files.items() if Path(key).name in (METADATA, REWARD, PARAMS)}
        beside |= {"ip/hyperparameters.json": next(data for key, data in files.items() if key.endswith(HYPERPARAMETERS))}
        last = found.course.legs[-1].prefix if found.course.legs else ""
        metrics = self._ground.volume / HISTORY / last / "metrics"
        for one in self._ready.from_here(found, source):
            prefix = sources.opened(self._ground, storage, one)
            try:
                export(prefix, one.n, self._ground.workdir / MODEL, self._ground.own, beside, metrics)
            except UnsoundWeightsError as error:
                say(f"{error.message}: it is passed over")
                continue
            say(f"trained to the end: set {one.n} is the model, in {MODEL}/")
            return 0
        say("training ended, and no set is sound: there is no model to hand over")
        return FAILED
