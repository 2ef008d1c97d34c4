"""The driver of an evaluation: for each track a simulator with the model, until its laps are told.

What is known after each lap is kept as one of fleet's checkpoints: small, in the bucket, and what a machine after an
interruption goes on from: the laps that were driven count, the others are driven. Nothing of the model is changed.
"""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fleet import _training
from fleet.model.base import Seconds
from fleet.model.errors import FleetError, NotFoundError, StoreError
from fleet.workloads.deepracer import sources
from fleet.workloads.deepracer.book import say
from fleet.workloads.deepracer.chosen import Chosen, choose
from fleet.workloads.deepracer.engine_room import EngineRoom
from fleet.workloads.deepracer.evaluating.laps import Driving
from fleet.workloads.deepracer.evaluating.params import PARAMS, REWARD_2019
from fleet.workloads.deepracer.evaluating.results import RESULTS, Evaluation, OnTrack, Trial, parse_results
from fleet.workloads.deepracer.evaluating.steer import Ends
from fleet.workloads.deepracer.ground import Ground, Storage
from fleet.workloads.deepracer.health import begin
from fleet.workloads.deepracer.history import HISTORY, History
from fleet.workloads.deepracer.leg import Stop
from fleet.workloads.deepracer.listen import Listener
from fleet.workloads.deepracer.mirror import commit, copy_repaired, look_if_room
from fleet.workloads.deepracer.params import evaluation_yaml
from fleet.workloads.deepracer.place import Laps, Place
from fleet.workloads.deepracer.prefix import Prefix
from fleet.workloads.deepracer.prepare import Preparation
from fleet.workloads.deepracer.resume import next_prefix
from fleet.workloads.deepracer.spec import HYPERPARAMETERS, METADATA, DeepRacer, Evaluate
from fleet.workloads.deepracer.weights.judging import files_must_be_finite

OUTPUTS = "evaluation"
"""Below the workdir: what the job's ``outputs`` name."""
STOPPED, FAILED = 128 + signal.SIGTERM, 1
ANY_REWARD = b"def reward_function(params):\n    return 1.0\n"
"""2019's simulator fetches one before it drives; what it gives means nothing in an evaluation."""


class Evaluator:
    """One process's life."""

    def __init__(self, spec: DeepRacer, ground: Ground, stop: Stop, clock: Callable[[], Seconds] = time.time) -> None:
        assert spec.evaluate is not None
        self._spec, self._ground, self._stop, self._clock = spec, ground, stop, clock
        self._wish: Evaluate = spec.evaluate
        self._history = History(ground.volume / HISTORY)
        self._room = EngineRoom(ground, spec, stop.is_asked)
        self._ready = Preparation(spec, ground, self._room, self._history)
        self._results = self._kept()
        self._saved = self._results.done

    def live(self) -> int:
        """To the end; no container of it is left then. Raises FleetError, InterruptedStart."""
        self._room.note()
        try:
            return self._live()
        finally:
            self._room.remove()

    def _live(self) -> int:
        if self._results.left(self._wish.tracks):
            self._room.clear(self._ready.place("start", None))
            self._ready.images = self._room.pull(self._results.images, self._ready.device)
            model = sources.open_pretrained(self._ground, self._wanted())
            chosen = self._chosen(model)
            storage = self._ready.open_storage()
            for track in self._results.left(self._wish.tracks):
                if self._stop.is_asked():
                    return STOPPED  # the laps of the track before were just complete
                code = self._on(track, model, chosen, storage)
                if code is not None:
                    return code
        self._hand_over()
        return 0

    def _wanted(self) -> str:
        assert self._spec.pretrained is not None
        return self._spec.pretrained

    def _chosen(self, model: Prefix) -> Chosen:
        """The set that drives: after an interruption the same one, whatever its model has become. Raises FleetError."""
        known = self._results.set
        chosen = choose(model, self._wish.checkpoint if known is None else known)
        if known is None:
            say(f"the model is {model.where}. {chosen.words}")
        self._results = self._results.model_copy(
            update={"set": chosen.set.n, "stem": chosen.set.stem, "images": dict(self._ready.images)}
        )
        return chosen

    # --- a track

    def _on(self, track: str, model: Prefix, chosen: Chosen, storage: Storage) -> int | None:
        """Drive the laps that are missing. The exit code; None: they are all there."""
        before = self._results.on(track) or OnTrack(track=track, began_at=round(self._clock(), 3))
        place = self._prepared(track, self._wish.laps - len(before.trials), model, chosen, storage)
        name = place.prefix.removeprefix(storage.base)
        before = before.model_copy(update={"prefixes": (*before.prefixes, name)})
        self._results = self._results.with_track(before)
        assert place.laps is not None
        say(f"{track}: {place.laps.count} laps with set {chosen.set.n}")
        self._room.up(place)
        listener = Listener(self._room.engine)
        driving = Driving(
            room=self._room,
            listener=listener,
            history=self._history,
            health=begin(self._spec, time.monotonic()),
            stop=self._stop,
            prefix=storage.open(name),
            name=name,
            laps=place.laps,
            tell=lambda trials: self._tell(before, trials),
            hidden=place.s3.secret or "",
        )
        try:
            ends = driving.run()
            driving.look()
        finally:
            listener.end()
        self._take(name, driving.prefix)
        return self._after(track, ends)

    def _prepared(self, track: str, laps: int, model: Prefix, chosen: Chosen, storage: Storage) -> Place:
        """A new prefix with a copy of the set, and the file that says what to drive. Raises StoreError, FleetError."""
        name = next_prefix(self._ground.run, self._ground.attempt, storage.names())
        place = self._ready.place(name, None, storage.base)
        stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(self._clock()))
        place = replace(place, laps=Laps(track, laps, stamp))
        target = storage.open(name)
        own, stack = self._ground.own, self._spec.stack
        look = look_if_room(model, chosen.set.n, own, lambda base: files_must_be_finite(base, say), say)
        copy_repaired(model, target, chosen.set.n, own, stack, look)
        metadata = self._text(model, METADATA, f"model/{METADATA}", METADATA)
        target.write(f"model/{METADATA}", metadata)
        if self._spec.stack == "today":
            target.write(PARAMS, evaluation_yaml(self._spec, place))
            return place
        target.write(METADATA, metadata)
        target.write(REWARD_2019, ANY_REWARD)
        of_training = self._text(model, HYPERPARAMETERS, f"ip/{HYPERPARAMETERS}", HYPERPARAMETERS)
        target.write(f"ip/{HYPERPARAMETERS}", of_training)  # its evaluation reads them before it builds the network
        return place

    def _text(self, model: Prefix, file: str, *names: str) -> bytes:
        """A text of the model's, else of the job's folder. Raises FleetError if it is nowhere."""
        for name in names:
            try:
                return model.read(name)
            except NotFoundError:
                continue
        try:
            return (self._ground.workdir / file).read_bytes()
        except OSError:
            hint = "It has to fit the model: take the one that it was trained with."
            raise FleetError(f"{model.where} has no {file}, and the job's folder neither", hint) from None

    def _tell(self, before: OnTrack, trials: tuple[Trial, ...]) -> None:
        """More laps are driven: said, and kept. Raises OSError on a full disk."""
        known = self._results.on(before.track)
        seen = len(known.trials) if known is not None else 0
        numbered = tuple(
            one.model_copy(update={"number": number}) for number, one in enumerate((*before.trials, *trials), 1)
        )
        new = before.model_copy(update={"trials": numbered})
        if len(numbered) >= self._wish.laps:
            new = new.model_copy(update={"ended_at": round(self._clock(), 3)})
        self._results = self._results.with_track(new)
        total = len(self._wish.tracks) * self._wish.laps
        for one in numbered[seen:]:
            say(f"{before.track}: {one.told()}")
            _training.progress(self._results.done, total=total, completion=one.progress, seconds=one.seconds)
        if new.ended_at is None:
            self._keep()  # the last one waits for the traces

    def _after(self, track: str, ends: Ends) -> int | None:
        self._keep()
        self._room.end_training()
        if ends.how == "stopped":
            return STOPPED
        if ends.how == "fault":
            assert ends.fault is not None
            say(f"{track}: {ends.fault.message} [{ends.fault.code}]\n{ends.fault.remedy}")
            return FAILED
        found = self._results.on(track)
        if found is not None and found.progress is not None:
            best = f", the best in {found.best:.3f} s" if found.best is not None else ""
            say(f"{track}: {len(found.laps)} of {len(found.trials)} laps, {found.progress:.1f} % on average{best}")
        return None

    # --- what is kept

    def _kept(self) -> Evaluation:
        """What earlier attempts of the run have found."""
        folder = self._ground.checkpoints
        names = [path for path in folder.iterdir() if path.name.isdecimal()] if folder.is_dir() else []
        for path in sorted(names, key=lambda path: int(path.name), reverse=True):
            try:
                found = parse_results((path / RESULTS).read_bytes(), self._ground.run)
            except OSError:
                continue
            if found is not None:
                self._history.bring_back(path)
                return found
        wish = self._wish
        model = wish.model or self._wanted()
        return Evaluation(run=self._ground.run, model=model, race=self._spec.race, resets=wish.resets, laps=wish.laps)

    def _keep(self) -> None:
        done = self._results.done

        def fill(making: Path) -> bool:
            making.mkdir()
            (making / RESULTS).write_bytes(self._results.data())
            self._history.lay_into(making, hurry=self._stop.is_asked())
            return True

        if done > self._saved and commit(self._ground.checkpoints, done, fill):
            self._saved = done
            _training.saved(done)

    def _take(self, name: str, prefix: Prefix) -> None:
        """Metrics and traces into the history; the results stand without them."""
        try:
            self._history.take(name, prefix)
        except (StoreError, OSError) as error:
            say(f"the traces could not be kept: {error}")

    def _hand_over(self) -> None:
        """Results, metrics and traces go into the workdir, where the job's outputs are taken from."""
        folder = self._ground.workdir / OUTPUTS
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / RESULTS).write_bytes(self._results.data())
        for one in self._results.tracks:
            for name in one.prefixes:
                told = self._ground.volume / HISTORY / name
                for path in sorted(told.rglob("*")):
                    if path.is_file() and "logs" not in path.relative_to(told).parts:
                        target = folder / one.track / path.relative_to(told)
                        target.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copy2(path, target)
        say(f"all laps are driven: the results are in {OUTPUTS}/")
