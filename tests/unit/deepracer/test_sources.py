"""Machines come and go, the trainer dies at any write: what the next leg begins from is the newest whole set there is.

Everything but docker is real: prefixes in memory, fleet's folder on disk, the rules of resume, mirror and keeper.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.model.errors import FleetError, StoreError
from fleet.workloads.deepracer import sources
from fleet.workloads.deepracer.book import Book
from fleet.workloads.deepracer.engine_room import EngineRoom
from fleet.workloads.deepracer.ground import Ground, Storage, ground_of
from fleet.workloads.deepracer.history import History
from fleet.workloads.deepracer.keeper import Keeper, keep_source
from fleet.workloads.deepracer.mirror import copy_repaired
from fleet.workloads.deepracer.prepare import Preparation
from fleet.workloads.deepracer.resume import FROM, must_keep, next_prefix
from fleet.workloads.deepracer.spec import DeepRacer, Until
from tests.unit.deepracer.test_ground import ENV
from tests.unit.deepracer.trainer import Memory, Trainer, load

RUN = ENV["FLEET_RUN_ID"]


@dataclass
class Bucket:
    """The look-alike's prefixes."""

    prefixes: dict[str, Memory] = field(default_factory=dict)

    def names(self) -> list[str]:
        return sorted(name for name, prefix in self.prefixes.items() if prefix.files)

    def open(self, name: str) -> Memory:
        return self.prefixes.setdefault(name, Memory())


class World:
    """A run from machine to machine."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.attempt = folder, 0
        self.checkpoints = folder / "checkpoints"
        self.bucket = Bucket()
        self.history = History(folder / "history")

    def ground(self) -> Ground:
        env = {**ENV, "FLEET_ATTEMPT": str(self.attempt), "FLEET_CHECKPOINTS": str(self.checkpoints)}
        return ground_of(env, self.folder)

    def lose_volume(self) -> None:
        """The next machine has what fleet restores, and nothing else."""
        self.bucket = Bucket()
        shutil.rmtree(self.folder / "history", ignore_errors=True)
        self.history = History(self.folder / "history")

    def find(self) -> sources.Found:
        return sources.find(self.ground(), cast(Storage, self.bucket), self.history.course(RUN))

    def live(self, saves: int, crash: int, looks: set[int]) -> tuple[int, int]:
        """A machine: a leg whose trainer dies before a write; the keeper looks after some. The newest whole, and kept."""
        self.attempt += 1
        found = self.find()
        source = found.sets[0] if found.sets else None
        prefix = next_prefix(RUN, self.attempt, [*found.names, *found.course.prefixes])
        assert prefix not in found.names
        book = Book(found.course, self.history, Until())
        copy = self.bucket.open(prefix + FROM)
        if source is not None:
            lies = sources.opened(self.ground(), cast(Storage, self.bucket), source)
            copy_repaired(lies, copy, source.n, self.folder / "own", "today")
        n = source.n if source else None
        book.begins(prefix, self.attempt, source.origin if source else "nothing", n, found.course.trained_at(n or 0))
        if source is not None and must_keep(source, found.kept, found.course):
            keep_source(copy, source.n, self.checkpoints, {}, book, self.history)
        begins = load(copy.contents, "today")
        assert begins is None if n is None else begins is not None and begins.startswith(f"{n}_")
        target = self.bucket.open(prefix)
        keeper = Keeper(target, self.checkpoints, {}, book, self.history)
        trainer = Trainer("today")
        for index, effect in enumerate(trainer.life(0 if n is None else n + 1, saves)):
            if index == crash:
                break
            target.carry(effect)
            if index in looks:
                keeper.look()
        whole = [int(stem.split("_")[0]) for stem in trainer.whole(target.contents)]
        return max([*whole, n if n is not None else -1]), book.course.iterations


EFFECTS = st.integers(0, 40)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 4), EFFECTS, st.sets(EFFECTS, max_size=12), st.booleans()), min_size=1, max_size=5))
def test_the_next_leg_begins_from_the_newest_whole_set_or_without_the_volume_from_the_newest_kept(
    tmp_path_factory: pytest.TempPathFactory, lives: list[tuple[int, int, set[int], bool]]
) -> None:
    world = World(tmp_path_factory.mktemp("world"))
    for saves, crash, looks, lost in lives:
        whole, kept = world.live(saves, crash, looks)
        if lost:
            world.lose_volume()
        found = world.find()
        expected = max(kept, 0) if lost else max(whole, 0)
        assert (found.sets[0].n if found.sets else 0) == expected
    shutil.rmtree(world.folder, ignore_errors=True)


class Lost(Memory):
    """A bucket whose disk lost some of what its listing tells of."""

    lost = ""

    def fetch(self, name: str, path: Path) -> None:
        if self.lost and self.lost in name:
            raise StoreError("the look-alike answers 503: the file is corrupted")
        super().fetch(name, path)


def test_a_newest_set_that_cannot_be_read_gives_way_to_the_one_before_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(tmp_path)
    world.live(saves=4, crash=1000, looks=set())
    (name,) = world.bucket.names()
    lost = world.bucket.prefixes[name] = Lost(files=world.bucket.prefixes[name].files)
    newest, before = (one.n for one in world.find().sets[:2])
    world.attempt += 1
    ready = Preparation(DeepRacer(), world.ground(), cast(EngineRoom, None), world.history)
    found = world.find()

    lost.lost = f"/{newest}_Step"
    prefix, source = ready.copied(found, ready.source(found), cast(Storage, world.bucket))
    assert source is not None
    assert source.n == before
    assert (load(world.bucket.open(prefix + FROM).contents, "today") or "").startswith(f"{before}_")
    assert f"set {newest} cannot be read" in capsys.readouterr().out

    lost.lost = "/"
    with pytest.raises(StoreError, match="corrupted"):
        ready.copied(found, ready.source(found), cast(Storage, world.bucket))


def test_a_pretrained_folder_gives_its_newest_whole_set_and_one_without_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path)
    model = tmp_path / "old" / "model"
    model.mkdir(parents=True)
    with pytest.raises(FleetError, match="no whole set"):
        sources.pretrained(world.ground(), "old")
    for n, suffixes in ((307, (".index", ".meta", ".data-00000-of-00001")), (308, (".index",))):
        for suffix in suffixes:
            (model / f"{n}_Step-0.ckpt{suffix}").write_text("x")
    (found,) = sources.pretrained(world.ground(), "old")
    assert (found.origin, found.n) == ("pretrained", 307)
    prefix = sources.opened(world.ground(), cast(Storage, world.bucket), found)
    assert prefix.where == str(tmp_path / "old")
    with pytest.raises(FleetError, match="no whole set"):
        sources.pretrained(world.ground(), "nowhere")
