"""Before a leg: what it goes on from, its new prefix with a repaired copy of that, and the user's files in the bucket."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fleet.model.errors import FleetError, NotFoundError, StoreError
from fleet.workloads.deepracer import nan, sources
from fleet.workloads.deepracer.book import say
from fleet.workloads.deepracer.containers import gpu_by
from fleet.workloads.deepracer.course import Course
from fleet.workloads.deepracer.engine_room import EngineRoom, has_gpu
from fleet.workloads.deepracer.ground import Ground, Storage, look_alike, made_secret, runs_bucket
from fleet.workloads.deepracer.history import History
from fleet.workloads.deepracer.images import Device
from fleet.workloads.deepracer.mirror import Look, copy_repaired, look_if_room
from fleet.workloads.deepracer.params import PARAMS, files_of
from fleet.workloads.deepracer.place import Place, s3_endpoint
from fleet.workloads.deepracer.prefix import Prefix, open_s3
from fleet.workloads.deepracer.resume import FROM, Candidate, actions_of, loss, next_prefix
from fleet.workloads.deepracer.sources import Found
from fleet.workloads.deepracer.spec import HYPERPARAMETERS, METADATA, REWARD, DeepRacer
from fleet.workloads.deepracer.storage import make_bucket
from fleet.workloads.deepracer.weights.errors import BrokenWeightsError, NotFiniteError, UnsoundWeightsError
from fleet.workloads.deepracer.weights.judging import files_must_be_finite

FURTHER = 2
"""Sets before the newest that are taken if it cannot be read: a disk may have lost what its listing still tells of."""
Doubted = tuple[Candidate, UnsoundWeightsError]
"""A set that was passed over, and why."""
_WHERE = {"volume": "on the volume", "checkpoint": "from fleet's checkpoints", "pretrained": "the pretrained model"}


@dataclass(frozen=True)
class Prepared:
    """A leg that can begin."""

    place: Place
    beside: Mapping[str, bytes]
    """Texts that go with every set that is kept."""
    source: Candidate | None
    found: Found


@dataclass
class Preparation:
    """Of one driver's legs."""

    spec: DeepRacer
    ground: Ground
    room: EngineRoom
    history: History
    images: Mapping[str, str] = field(default_factory=dict)
    """By role, as this machine has them."""

    @property
    def device(self) -> Device:
        """What ``auto`` comes to on this machine."""
        if self.spec.device == "auto":
            return "gpu" if has_gpu() else "cpu"
        return self.spec.device

    def place(self, prefix: str, pretrained: str | None, base: str = "", hyperparameters: bytes = b"") -> Place:
        """The stack's, for a prefix (``base``: below which all lie)."""
        ground, spec = self.ground, self.spec
        if spec.storage == "instance":
            s3 = look_alike(s3_endpoint(ground.project), made_secret(ground.own))
        else:
            s3 = runs_bucket(ground.env, ground.run).place
        return Place(
            project=ground.project,
            run=ground.run,
            prefix=base + prefix,
            pretrained=base + pretrained if pretrained is not None else None,
            pretrained_checkpoint="last",
            bucket=s3.bucket,
            s3=s3,
            own=ground.own,
            volume=ground.volume,
            device=self.device,
            labels=ground.labels,
            gpu_by=gpu_by(self.room.compose),
            user=f"{os.getuid()}:{os.getgid()}",
            images=self.images,
            hyperparameters=nan.parsed(hyperparameters),
        )

    def open_storage(self) -> Storage:
        """The look-alike runs and answers, or the run's own bucket does."""
        if self.spec.storage == "bucket":
            return runs_bucket(self.ground.env, self.ground.run)
        (self.ground.volume / "s3").mkdir(parents=True, exist_ok=True)
        self.room.up(self.place("start", None), ["s3"])
        storage = Storage(look_alike(self.room.s3_endpoint(), made_secret(self.ground.own)))
        make_bucket(storage.place, pause=self.room.pause)
        return storage

    def source(self, found: Found) -> Candidate | None:
        """What training goes on from; None: nothing."""
        return next(iter(self._sets(found)), None)

    def from_here(self, found: Found, source: Candidate | None) -> list[Candidate]:
        """A source and what is before it, newest first: as far as one cannot be used, the next is."""
        there = self._sets(found)
        if source is None or source in there:
            return there[there.index(source) :] if source is not None else []
        return [source, *there]  # a place that is written meanwhile

    def _sets(self, found: Found) -> list[Candidate]:
        if found.sets or self.spec.pretrained is None:
            return found.sets
        return sources.pretrained(self.ground, self.spec.pretrained)

    def is_done(self, course: Course, source: Candidate | None) -> bool:
        """The run had reached its end, and died before it could hand over its model."""
        if source is None or source.origin == "pretrained":
            return False
        probe = course.begun("", 0, source.origin, source.n, course.trained_at(source.n), 0.0)
        until = self.spec.until
        enough = until.iterations is not None and probe.done >= until.iterations
        return enough or (until.duration is not None and probe.trained_seconds >= until.duration)

    def prepare(self, found: Found, source: Candidate | None, storage: Storage) -> Prepared:
        """The new prefix, with a repaired copy of the source beside it, and the user's files."""
        course = found.course
        prefix, source = self.copied(found, source, storage)
        if source is not None and source.origin == "checkpoint":
            self.history.bring_back(self.ground.checkpoints / source.place)
        files, place = self.files(prefix, prefix + FROM if source is not None else None, storage, course.learning_rate)
        bucket = open_s3(storage.place, "")
        for key, data in files.items():
            bucket.write(key, data)
        names = {f"{place.custom_files}/{name}": name for name in (METADATA, HYPERPARAMETERS)}
        names |= {f"{place.prefix}/{name}": name for name in (REWARD, PARAMS)}
        beside = {name: files[key] for key, name in names.items() if key in files}
        self._tell_source(course, source)
        return Prepared(place, beside, source, found)

    def copied(self, found: Found, source: Candidate | None, storage: Storage) -> tuple[str, Candidate | None]:
        """The new prefix, and what was copied beside it: the newest set, tried twice, else one before it; of those whose
        weights are no numbers, or broken, none, as long as there is another.

        Raises StoreError if none can be read, NotFiniteError if there is none but of NaN.
        """
        tried, failed = [*found.names, *found.course.prefixes], 0
        doubted: list[Doubted] = []
        wanted = self.from_here(found, source)
        while wanted:
            one = wanted[0]
            prefix = next_prefix(self.ground.run, self.ground.attempt, tried)
            try:
                self._copy(one, prefix, storage, lambda base: files_must_be_finite(base, say, closely=True))
                return prefix, one
            except UnsoundWeightsError as error:
                say(f"{error.message}: it is passed over")
                doubted.append((wanted.pop(0), error))
            except StoreError as error:
                tried.append(prefix)
                failed += 1
                if failed > 1:
                    wanted.pop(0)
                if not wanted or failed == 2 + FURTHER:
                    if any(isinstance(doubt, BrokenWeightsError) for _, doubt in doubted):
                        break
                    raise
                say(f"set {one.n} cannot be read: {error}")
        prefix = next_prefix(self.ground.run, self.ground.attempt, tried)
        return prefix, self._least_bad(doubted, prefix, storage) if doubted else None

    def _least_bad(self, doubted: Sequence[Doubted], prefix: str, storage: Storage) -> Candidate:
        """There is no sound set. A broken one's trainer says itself whether it loads; from NaN nothing ever comes."""
        for one, error in doubted:
            if isinstance(error, BrokenWeightsError):
                say(f"there is no sound set before it: set {one.n} is tried nevertheless")
                self._copy(one, prefix, storage, None)
                return one
        hint = "Begin anew without these sets, with a lower learning rate: weights that are no numbers never become any."
        raise NotFiniteError(f"there is no set to go on from: {doubted[0][1].message}", hint)

    def _copy(self, one: Candidate, prefix: str, storage: Storage, look: Look | None) -> None:
        lies = sources.opened(self.ground, storage, one)
        self._refuse_other_actions(lies)
        look = look_if_room(lies, one.n, self.ground.own, look, say) if look is not None else None
        copy_repaired(lies, storage.open(prefix + FROM), one.n, self.ground.own, self.spec.stack, look)

    def _refuse_other_actions(self, source: Prefix) -> None:
        """Everything else may change; a network has as many outputs as it has, and its trainer would fail late."""
        try:
            before = actions_of(source.read(f"model/{METADATA}"))
            now = actions_of((self.ground.workdir / METADATA).read_bytes())
        except (NotFoundError, OSError):
            return
        if before is not None and now is not None and before != now:
            raise FleetError(
                f"{METADATA} has {now} actions, the model that training goes on from has {before}",
                f"The number never changes: take the model's own file ({source.where}), or begin anew without pretrained.",
            )

    def files(
        self, prefix: str, pretrained: str | None, storage: Storage, rate: float | None
    ) -> tuple[dict[str, bytes], Place]:
        """What lies in the bucket before anything starts, with the learning rate in force."""
        place = self.place(prefix, pretrained, storage.base)
        files = files_of(self.spec, place, self.ground.workdir)
        key = f"{place.custom_files}/{HYPERPARAMETERS}"
        files[key] = nan.with_learning_rate(files[key], rate)
        return files, self.place(prefix, pretrained, storage.base, files[key])

    def _tell_source(self, course: Course, source: Candidate | None) -> None:
        if source is None:
            say("training begins from nothing")
            return
        lost = loss(course, source.n) if source.origin != "pretrained" else None
        told = f": {lost.told()}" if lost is not None else ""
        say(f"training goes on from set {source.n}, {_WHERE[source.origin]} ({source.place}){told}")
