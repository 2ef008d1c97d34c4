"""Before training goes on from a set, keeps it or hands it over, its weights are looked at: the trainer's files are real."""

from __future__ import annotations

import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fleet.model.errors import StoreError
from fleet.workloads.deepracer import drive, leg, mirror
from fleet.workloads.deepracer.engine_room import EngineRoom
from fleet.workloads.deepracer.ground import Storage
from fleet.workloads.deepracer.leg import Stop
from fleet.workloads.deepracer.listen import Line
from fleet.workloads.deepracer.prepare import Preparation
from fleet.workloads.deepracer.resume import FROM, Candidate
from fleet.workloads.deepracer.spec import HYPERPARAMETERS, METADATA, REWARD, DeepRacer
from fleet.workloads.deepracer.steer import EndLeg
from fleet.workloads.deepracer.weights.errors import NotFiniteError
from tests.unit.deepracer.test_keeper import Scene
from tests.unit.deepracer.test_leg import EPISODE, UPLOADED, Stage, gone
from tests.unit.deepracer.test_sources import World
from tests.unit.deepracer.trainer import Memory, load
from tests.unit.deepracer.weights.bundling import DATA, become, lay, write


class Resume:
    """A machine's trainer saved sets 0 to 3, and the next machine looks for what it can go on from."""

    def __init__(self, folder: Path, **sets: str) -> None:
        self.world = World(folder)
        self.world.live(saves=4, crash=1000, looks=set())
        (name,) = self.world.bucket.names()
        for n, kind in sets.items():
            become(self.world.bucket.prefixes[name], int(n.removeprefix("n")), kind)
        self.world.attempt += 1

    def begin(self, **spec: Any) -> tuple[int | None, str | None]:
        """The set that was taken, and what the next trainer loads."""
        options = DeepRacer.model_validate(spec)
        ready = Preparation(options, self.world.ground(), cast(EngineRoom, None), self.world.history)
        found = self.world.find()
        prefix, source = ready.copied(found, ready.source(found), cast(Storage, self.world.bucket))
        copy = self.world.bucket.open(prefix + FROM)
        return source.n if source is not None else None, load(copy.contents, "today")


def test_a_resume_passes_over_sets_of_nan_and_of_broken_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    resume = Resume(tmp_path, n3="nan", n2="broken", n1="tf1")
    assert resume.begin() == (1, "1_Step-100.ckpt")
    said = capsys.readouterr().out
    assert "set 3_Step-300.ckpt: 2 of 12 tensors hold what is no number" in said
    assert "set 2_Step-200.ckpt: the data are broken" in said
    assert said.count("it is passed over") == 2
    assert list((tmp_path / "own").glob(".tmp-*")) == []


def test_a_resume_says_that_weights_explode_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    resume = Resume(tmp_path)
    made = write(tmp_path / "3", {"kernel": (1, [1], struct.pack("<f", 5e6))})
    (name,) = resume.world.bucket.names()
    prefix = resume.world.bucket.prefixes[name]
    for suffix in (".index", DATA):
        prefix.write(f"model/3_Step-300.ckpt{suffix}", made.with_name(made.name + suffix).read_bytes())
    assert resume.begin() == (3, "3_Step-300.ckpt")
    assert "set 3_Step-300.ckpt: a weight of kernel is 5e+06 large" in capsys.readouterr().out


def test_a_set_whose_weights_cannot_be_looked_at_is_gone_on_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Resume(tmp_path).begin() == (3, "3_Step-300.ckpt")
    assert "the weights of set 3_Step-300.ckpt could not be looked at" in capsys.readouterr().out


def test_where_no_set_is_sound_a_broken_one_is_tried_and_nan_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resume = Resume(tmp_path / "a", n3="nan", n2="broken", n1="nan", n0="nan")
    assert resume.begin() == (2, "2_Step-200.ckpt")
    assert "there is no sound set before it: set 2 is tried nevertheless" in capsys.readouterr().out
    resume = Resume(tmp_path / "b", n3="nan", n2="nan", n1="nan", n0="nan")
    with pytest.raises(NotFiniteError, match=r"no set to go on from: set 3_Step-300\.ckpt") as refused:
        resume.begin()
    assert "Begin anew" in refused.value.hint


def test_a_pretrained_model_of_nan_gives_the_newest_set_that_is_sound(tmp_path: Path) -> None:
    world = World(tmp_path)
    for n, kind in ((1, "tf1"), (2, "tf1"), (3, "nan")):
        lay(kind, tmp_path / "old" / "model" / f"{n}_Step-0.ckpt")
    world.attempt += 1
    ready = Preparation(DeepRacer(pretrained="old"), world.ground(), cast(EngineRoom, None), world.history)
    found = world.find()
    _, source = ready.copied(found, ready.source(found), cast(Storage, world.bucket))
    assert source is not None
    assert (source.origin, source.n) == ("pretrained", 2)


def test_a_set_of_nan_is_not_kept_and_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = Scene(tmp_path)
    scene.save(2)
    become(scene.prefix, 1, "tf1")
    assert scene.keeper.look()
    scene.save()
    become(scene.prefix, 2, "nan")
    assert not scene.keeper.nan
    assert not scene.keeper.look()
    assert not scene.keeper.look()
    assert scene.keeper.nan
    assert [path.name for path in scene.checkpoints.iterdir()] == ["1"]
    said = capsys.readouterr().out
    assert said.count("set 2_Step-200.ckpt: 2 of 12 tensors hold what is no number") == 1
    assert "fleet.saved step=2" not in said


def test_a_set_whose_copy_is_broken_is_kept_once_it_is_written_anew(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.save(2)
    become(scene.prefix, 1, "broken")
    assert not scene.keeper.look()
    assert not scene.keeper.nan
    become(scene.prefix, 1, "tf1")
    assert scene.keeper.look()


def test_with_little_time_left_a_set_is_kept_without_a_look(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.save(2)
    become(scene.prefix, 1, "nan")
    assert scene.keeper.look(hurry=True)


def test_that_weights_cannot_be_looked_at_is_told_once_and_hinders_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = Scene(tmp_path)
    for _ in range(3):
        scene.save()
        scene.keeper.look()
    assert scene.book.course.leg.kept == 2
    assert capsys.readouterr().out.count("could not be looked at") == 1


def test_weights_of_nan_end_a_leg_as_a_loss_of_nan_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(tmp_path, monkeypatch)

    def saves_nan() -> None:
        stage.scene.save(2)
        become(stage.scene.prefix, 1, "nan")

    assert stage.plays(Line("trainer", EPISODE), saves_nan, Line("trainer", UPLOADED.format(1))) == EndLeg("nan")
    assert stage.leg.nan


def _driver(resume: Resume, monkeypatch: pytest.MonkeyPatch) -> drive.Driver:
    """At its end: only what it hands over is its own."""
    monkeypatch.setattr(drive, "EngineRoom", lambda *_: None)
    driver = drive.Driver(DeepRacer(), resume.world.ground(), Stop(lambda asked: asked), 0.0)
    files = {f"custom/{name}": b"{}" for name in (METADATA, HYPERPARAMETERS, REWARD)}
    monkeypatch.setattr(Preparation, "files", lambda *_: (files, None))
    return driver


def test_what_is_handed_over_is_the_newest_set_that_is_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    resume = Resume(tmp_path, n3="nan", n2="tf1")
    driver, found = _driver(resume, monkeypatch), resume.world.find()
    assert driver._hand_over(found, cast(Storage, resume.world.bucket), found.sets[0]) == 0
    model = tmp_path / "model" / "model"
    assert (model / ".coach_checkpoint").read_text() == "2_Step-200.ckpt"
    assert sorted(path.name for path in model.glob("*.index")) == ["2_Step-200.ckpt.index"]
    assert "trained to the end: set 2 is the model" in capsys.readouterr().out


def test_a_training_without_a_sound_set_hands_nothing_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    resume = Resume(tmp_path, n3="nan", n2="nan", n1="broken", n0="nan")
    driver, found = _driver(resume, monkeypatch), resume.world.find()
    assert driver._hand_over(found, cast(Storage, resume.world.bucket), found.sets[0]) == drive.FAILED
    assert "no set is sound" in capsys.readouterr().out


def test_a_disk_without_room_for_a_look_hinders_no_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    resume = Resume(tmp_path, n3="tf1")
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=mirror.SPARE))
    at_once: list[int] = []
    real = Memory.fetch

    def fetch(prefix: Memory, name: str, path: Path) -> None:
        at_once.append(sum(one.is_file() for one in path.parent.iterdir()))
        real(prefix, name, path)

    monkeypatch.setattr(Memory, "fetch", fetch)
    assert resume.begin() == (3, "3_Step-300.ckpt")
    assert set(at_once) == {0}  # never more of it than a file
    assert "has no room for them" in capsys.readouterr().out


def test_where_what_is_before_a_broken_set_cannot_be_read_the_broken_one_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    resume = Resume(tmp_path, n3="broken")
    real = Memory.fetch

    def fetch(prefix: Memory, name: str, path: Path) -> None:
        if "/3_Step" not in name and name.endswith(".index"):
            raise StoreError("the disk has lost it")
        real(prefix, name, path)

    monkeypatch.setattr(Memory, "fetch", fetch)
    assert resume.begin() == (3, "3_Step-300.ckpt")
    assert "set 3 is tried nevertheless" in capsys.readouterr().out


def test_a_source_that_its_place_lists_no_more_is_still_the_first_that_is_tried(tmp_path: Path) -> None:
    resume = Resume(tmp_path)
    ready = Preparation(DeepRacer(), resume.world.ground(), cast(EngineRoom, None), resume.world.history)
    found = resume.world.find()
    gone = Candidate("pretrained", "old", 9)
    assert ready.from_here(found, gone) == [gone, *found.sets]
    assert ready.from_here(found, None) == []


def test_a_trainer_whose_sets_all_look_broken_is_not_left_without_checkpoints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = Scene(tmp_path)
    scene.save(2)
    become(scene.prefix, 1, "broken")
    assert not scene.keeper.look()
    for n in (2, 3):
        scene.save()
        become(scene.prefix, n, "broken")
        assert scene.keeper.look()
    assert not scene.keeper.nan
    assert capsys.readouterr().out.count("it is kept nevertheless") == 2


def test_a_machine_that_may_be_taken_keeps_a_set_as_it_is(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    trace = scene.volume / "history" / "r-1-1-1" / "training-simtrace" / "0-iteration.csv"
    trace.parent.mkdir(parents=True)
    trace.write_text("episode,steps\n")
    scene.save(2)
    become(scene.prefix, 1, "nan")
    scene.keeper.press()
    assert scene.keeper.look()
    assert not list(scene.checkpoints.rglob("*.csv.gz"))


@pytest.mark.parametrize("asked", ["to save", "to stop"])
def test_who_is_asked_has_no_time_for_looks_and_traces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    stage = Stage(tmp_path, monkeypatch)
    wishes = [asked == "to save"]
    monkeypatch.setattr(leg, "save_requested", lambda: bool(wishes and wishes.pop()))

    def saves_nan() -> None:
        if asked == "to stop":
            stage.stop.ask()
        stage.leg.keeper.look()
        stage.scene.save(2)
        become(stage.scene.prefix, 1, "nan")

    stage.plays(Line("trainer", EPISODE), saves_nan, Line("trainer", UPLOADED.format(1)), stage.stop.ask, gone("trainer", 0))
    assert [path.name for path in stage.scene.checkpoints.iterdir()] == ["1"]
