"""What a leg keeps as it goes, and what fleet is told of it: the prefix is in memory."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fleet.model.errors import StoreError
from fleet.workloads.deepracer.book import Book, Clock
from fleet.workloads.deepracer.course import Course
from fleet.workloads.deepracer.history import LARGE, LOG_MOST, History
from fleet.workloads.deepracer.keeper import Keeper, export, keep_source
from fleet.workloads.deepracer.prefix import Stat
from fleet.workloads.deepracer.signals import heard
from fleet.workloads.deepracer.spec import Until
from tests.unit.deepracer.trainer import Memory, Trainer

PREFIX = "r-1-1-1"


class Scene:
    """A leg on a volume, and its trainer."""

    def __init__(self, folder: Path, source: int | None = None) -> None:
        self.volume, self.checkpoints = folder / "volume", folder / "checkpoints"
        self.history = History(self.volume / "history")
        self.book = Book(Course(run="r-1"), self.history, Until(iterations=10))
        self.book.begins(PREFIX, 1, "pretrained" if source is not None else "nothing", source, 0.0)
        self.prefix = Memory()
        self.trainer = Trainer("today").life(0 if source is None else source + 1, 9)
        beside = {"model_metadata.json": b"{}"}
        self.keeper = Keeper(self.prefix, self.checkpoints, beside, self.book, self.history)

    def save(self, many: int = 1) -> None:
        """The trainer saves so many sets, to the end of each."""
        for effect in self.trainer:
            self.prefix.carry(effect)
            many -= effect == ("delete", "model/.lock", b"")
            if not many:
                return

    def hear(self, line: str) -> None:
        signal = heard("trainer", line)
        assert signal is not None
        self.book.hears(signal)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def protocol(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What was told to fleet, without times."""
    return [re.sub(r" at=\S+", "", line) for line in capsys.readouterr().out.splitlines() if line.startswith("fleet.")]


def test_each_set_is_kept_once_and_told(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    scene.save(2)
    assert scene.keeper.look()
    assert not scene.keeper.look()
    scene.save()
    assert scene.keeper.look()
    assert protocol(capsys) == [
        "fleet.progress step=1 total=10",
        "fleet.saved step=1",
        "fleet.progress step=2 total=10",
        "fleet.saved step=2",
    ]
    told = json.loads((scene.checkpoints / "2" / "course.json").read_text())
    assert (told["iterations"], told["prefixes"]) == (2, [PREFIX])
    assert scene.history.course("r-1") == scene.book.course
    assert scene.history.course("r-2") is None


def test_what_the_trainer_saves_before_it_trains_is_not_kept(tmp_path: Path) -> None:
    scene = Scene(tmp_path, source=307)
    scene.save()
    assert not scene.keeper.look(hurry=True)
    scene.save()
    assert scene.keeper.look()
    assert scene.book.course.leg.kept == 309


def test_a_bucket_that_is_away_is_told_once_and_tried_again(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    class Away(Memory):
        def list(self) -> dict[str, Stat]:
            raise StoreError("the bucket is away")

    scene.save(2)
    away = Keeper(Away(), scene.checkpoints, {}, scene.book, scene.history)
    assert not away.look()
    assert not away.look()
    assert capsys.readouterr().out.count("training goes on: the bucket is away") == 1
    assert scene.keeper.look()


def test_a_checkpoint_tells_of_the_run_what_is_small(scene: Scene, tmp_path: Path) -> None:
    scene.prefix.write("metrics/TrainingMetrics.json", b'{"metrics": []}')
    scene.prefix.write("metrics/TrainingMetrics_1.json", b"x" * (LARGE + 1))
    scene.prefix.write("training-simtrace/0-iteration.csv", b"episode,steps\n")
    scene.prefix.write("1/training-simtrace/0-iteration.csv", b"episode,steps\n")
    scene.prefix.write("ip/done", b"done")
    scene.keeper.take_history()
    scene.save(2)
    assert scene.keeper.look()
    folder = scene.volume / "history" / PREFIX
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {
        "metrics/TrainingMetrics.json",
        "metrics/TrainingMetrics_1.json",
        "training-simtrace/0-iteration.csv",
        "1/training-simtrace/0-iteration.csv",
    }
    carried = scene.checkpoints / "1" / "history"
    assert [path.relative_to(carried).as_posix() for path in carried.rglob("*") if path.is_file()] == [
        f"{PREFIX}/metrics/TrainingMetrics.json"
    ]
    other = History(tmp_path / "another" / "history")
    other.bring_back(scene.checkpoints / "1")
    assert (tmp_path / "another" / "history" / PREFIX / "metrics" / "TrainingMetrics.json").exists()


def test_only_what_changed_is_taken_again(scene: Scene) -> None:
    scene.prefix.write("metrics/TrainingMetrics.json", b"1")
    scene.prefix.write("training-simtrace/0-iteration.csv", b"1")
    taken: list[str] = []
    fetch = scene.prefix.fetch

    def counted(name: str, path: Path) -> None:
        taken.append(name)
        fetch(name, path)

    scene.prefix.fetch = counted  # type: ignore[method-assign]
    scene.keeper.take_history()
    scene.keeper.take_history()
    scene.prefix.write("metrics/TrainingMetrics.json", b"2")
    scene.keeper.take_history()
    History(scene.volume / "history").take(PREFIX, scene.prefix)  # a driver that was started anew
    assert taken == ["metrics/TrainingMetrics.json", "training-simtrace/0-iteration.csv", "metrics/TrainingMetrics.json"]


def test_a_log_does_not_grow_for_ever(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    assert LOG_MOST > 1 << 20
    monkeypatch.setattr("fleet.workloads.deepracer.history.LOG_MOST", 100)
    for number in range(100):
        scene.history.log(PREFIX, "trainer", f"line {number:05d}")
    logs = scene.volume / "history" / PREFIX / "logs"
    sizes = {path.name: path.stat().st_size for path in logs.iterdir()}
    assert set(sizes) == {"trainer.log", "trainer.log.1"}
    assert max(sizes.values()) < 120
    assert (logs / "trainer.log").read_text().endswith("line 00099\n")


EPISODE = "Training> Name=main_level/agent, Worker=0, Episode={}, Total reward={}, Steps=9, Training iteration=0"
EPOCH = "Policy training> Surrogate loss={0}, KL divergence={0}, Entropy={1}, training epoch=0, learning_rate=0.0003"


def test_lines_of_the_trainer_become_progress_with_metrics(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    scene.hear("Checkpoint> Saving in path=['./checkpoint_sagemaker/agent/0_Step-0.ckpt']")
    scene.hear(EPISODE.format(1, 10.0))
    scene.hear(EPISODE.format(2, 20.0))
    scene.hear(EPOCH.format(-0.01, 2.5))
    scene.hear("Uploaded 3 files for checkpoint 1")
    last = protocol(capsys)[-1]
    assert last == "fleet.progress step=1 total=10 reward=15 episode=2 entropy=2.5 loss=-0.01 learning_rate=0.0003"
    assert (scene.book.course.reached, scene.book.course.leg.first) == (1, 0)


def test_what_is_no_number_is_no_metric(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    scene.hear(EPOCH.format("nan", "nan"))
    scene.hear("Uploaded 3 files for checkpoint 1")
    assert "nan" not in capsys.readouterr().out


def test_what_a_leg_begins_from_is_kept_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = Scene(tmp_path, source=1)
    source = Memory()
    for effect in Trainer("today").life(1, 1):
        source.carry(effect)
    keep_source(source, 1, scene.checkpoints, {}, scene.book, scene.history)
    assert protocol(capsys)[-1] == "fleet.saved step=1"
    assert (scene.checkpoints / "1" / "model" / "1_Step-0.ckpt.index").exists()


def test_training_time_is_that_between_the_first_sign_and_the_trainers_end() -> None:
    now = [100.0]
    clock = Clock(60.0, lambda: now[0])
    now[0] += 30
    assert (clock.now(), clock.runs) == (60.0, False)
    clock.start()
    now[0] += 10
    clock.start()
    assert (clock.now(), clock.now(ago=4), clock.now(ago=99), clock.now(ago=-5)) == (70.0, 66.0, 60.0, 70.0)
    clock.stop()
    now[0] += 500
    assert clock.now() == 70.0


def test_a_model_is_handed_over_in_todays_layout_and_replaces_an_older_one(scene: Scene, tmp_path: Path) -> None:
    scene.save(3)
    folder, metrics = tmp_path / "model", tmp_path / "metrics"
    (folder / "old").mkdir(parents=True)
    metrics.mkdir()
    (metrics / "TrainingMetrics.json").write_text("{}")
    export(scene.prefix, 2, folder, tmp_path / "own", {"model_metadata.json": b"{}"}, metrics)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {
        *(f"model/2_Step-200.ckpt{suffix}" for suffix in (".index", ".meta", ".data-00000-of-00001")),
        "model/.coach_checkpoint",
        "model/deepracer_checkpoints.json",
        "model/model_2.pb",
        "model/model_metadata.json",
        "model_metadata.json",
        "metrics/TrainingMetrics.json",
    }
    assert not (folder / "old").exists()


def test_a_full_disk_ends_no_training(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    scene.save(2)
    monkeypatch.setattr("os.fsync", full)
    assert not scene.keeper.look()
    scene.hear("Uploaded 3 files for checkpoint 1")
    out = capsys.readouterr().out
    assert "the newest set could not be kept, training goes on: [Errno 28] No space left" in out
    assert "the run's course could not be noted, training goes on" in out
    assert list(scene.checkpoints.iterdir()) == []
    monkeypatch.undo()
    assert scene.keeper.look()
