"""What is told of legs outlives their volume: metrics whole, traces packed, each sent to the bucket once."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import pytest

from fleet.store.checkpoints import Checkpoints
from fleet.store.files import FileObjects
from fleet.workloads.deepracer.analysis.opening import read_paths
from fleet.workloads.deepracer.course import Course, Leg
from fleet.workloads.deepracer.history import HISTORY, LARGE, MOST_PACKED, MOST_TRACES, PACKED, History
from fleet.workloads.deepracer.prefix import open_folder
from tests.unit.deepracer.test_metrics import entry, text
from tests.unit.deepracer.test_read_records import csv, lay
from tests.unit.store.saves import Volume, commit

PREFIX = "r-1-1-1"


def carried(checkpoint: Path) -> list[str]:
    folder = checkpoint / HISTORY
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def history(tmp_path: Path) -> History:
    found = History(tmp_path / "volume" / HISTORY)
    found.folder.mkdir(parents=True)
    return found


def trace(history: History, number: int, content: str, worker: str = "") -> Path:
    name = f"{PREFIX}/{worker}training-simtrace/{number}-iteration.csv"
    lay(history.folder, {name: content})
    return history.folder / name


def test_traces_go_with_a_checkpoint_packed_and_the_same_every_time(history: History, tmp_path: Path) -> None:
    trace(history, 0, csv(0))
    history.lay_into(tmp_path / "1")
    first = tmp_path / "1" / HISTORY / PREFIX / "training-simtrace" / "0-iteration.csv.gz"
    assert gzip.decompress(first.read_bytes()).decode() == csv(0)
    trace(history, 1, csv(1))
    History(history.folder).lay_into(tmp_path / "2")  # by a driver that was started anew
    again = tmp_path / "2" / HISTORY / PREFIX / "training-simtrace" / "0-iteration.csv.gz"
    assert again.read_bytes() == first.read_bytes()
    assert again.stat().st_ino == first.stat().st_ino  # and takes no more room
    assert len(carried(tmp_path / "2")) == 2


def test_a_trace_that_is_written_anew_is_packed_anew(history: History, tmp_path: Path) -> None:
    path = trace(history, 0, csv(0))
    history.lay_into(tmp_path / "1")
    trace(history, 0, csv(0, 1))
    os.utime(path, (1.0, 1.0))
    history.lay_into(tmp_path / "2")
    name = Path(HISTORY) / PREFIX / "training-simtrace" / "0-iteration.csv.gz"
    assert gzip.decompress((tmp_path / "2" / name).read_bytes()).decode() == csv(0, 1)
    assert gzip.decompress((tmp_path / "1" / name).read_bytes()).decode() == csv(0)  # a checkpoint never changes


def test_the_newest_go_along_and_no_more_than_there_is_room_for(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (MOST_TRACES, MOST_PACKED) >= (100, 16 << 20)
    monkeypatch.setattr("fleet.workloads.deepracer.history.MOST_TRACES", 3)
    for number in (8, 9, 10, 11):
        trace(history, number, csv(number))
    trace(history, 12, "x" * (LARGE + 1))
    history.lay_into(tmp_path / "1")
    assert [name.rpartition("/")[2] for name in carried(tmp_path / "1")] == [
        "10-iteration.csv.gz",
        "11-iteration.csv.gz",
        "9-iteration.csv.gz",
    ]
    monkeypatch.setattr("fleet.workloads.deepracer.history.MOST_PACKED", 300)
    history.lay_into(tmp_path / "2")
    assert [name.rpartition("/")[2] for name in carried(tmp_path / "2")] == ["11-iteration.csv.gz"]
    assert len(list((history.folder.parent / PACKED).rglob("*.gz"))) == 1


def test_traces_that_cannot_be_packed_keep_no_set_from_being_kept(history: History, tmp_path: Path) -> None:
    trace(history, 0, csv(0))
    lay(history.folder, {f"{PREFIX}/metrics/TrainingMetrics.json": text([entry(1, 1)])})
    (history.folder.parent / PACKED).write_text("a file stands in the way")
    history.lay_into(tmp_path / "1")
    assert carried(tmp_path / "1") == [f"{PREFIX}/metrics/TrainingMetrics.json"]


def test_another_volume_goes_on_with_them(history: History, tmp_path: Path) -> None:
    trace(history, 0, csv(0))
    trace(history, 0, csv(0), worker="1/")
    lay(history.folder, {f"{PREFIX}/metrics/TrainingMetrics.json": text([entry(1, 1)])})
    history.lay_into(tmp_path / "1")
    other = History(tmp_path / "other" / HISTORY)
    other.bring_back(tmp_path / "1")
    other.note(Course(run="r-1", legs=(Leg(prefix=PREFIX, attempt=1),)))
    other.lay_into(tmp_path / "2")
    assert carried(tmp_path / "2") == carried(tmp_path / "1")
    (part,) = read_paths([str(other.folder)]).parts
    assert [(one.worker, len(one.steps)) for one in part.training] == [(0, 5), (1, 5)]
    assert part.whole == {0: 0}


def test_what_a_volume_has_unpacked_is_not_brought_back_packed(history: History, tmp_path: Path) -> None:
    path = trace(history, 0, csv(0))
    history.lay_into(tmp_path / "1")
    history.bring_back(tmp_path / "1")
    assert [one.name for one in path.parent.iterdir()] == ["0-iteration.csv"]


def test_each_trace_is_sent_to_the_bucket_once(history: History, tmp_path: Path) -> None:
    store = FileObjects(tmp_path / "bucket")
    checkpoints, volume = Checkpoints(store, "r-1"), Volume(tmp_path / "fleet")
    checkpoints.establish_base(1, 0.0)
    trace(history, 0, csv(0))
    history.lay_into(volume.folder / "1")
    first = commit(checkpoints, volume, 1, 1)
    trace(history, 1, csv(1))
    history.lay_into(volume.folder / "2")
    second = commit(checkpoints, volume, 1, 2, first)
    keys = {entry.path: entry.key for entry in second.files if entry.path.endswith(".gz")}
    assert len(keys) == 3
    name = f"{HISTORY}/{PREFIX}/training-simtrace/0-iteration.csv.gz"
    assert keys[f"1/{name}"] == keys[f"2/{name}"]
    assert len(set(keys.values())) == 2
    assert sum(info.key.endswith(".gz") for info in store.list("")) == 2


def test_in_a_hurry_only_those_go_along_that_went_before(history: History, tmp_path: Path) -> None:
    trace(history, 0, csv(0))
    history.lay_into(tmp_path / "1")
    trace(history, 1, csv(1))
    history.lay_into(tmp_path / "2", hurry=True)
    assert carried(tmp_path / "2") == carried(tmp_path / "1") != []
    History(history.folder).lay_into(tmp_path / "3")
    assert len(carried(tmp_path / "3")) == 2


def test_few_are_packed_at_a_time_the_newest_first(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        trace(history, number, csv(number))
    monkeypatch.setattr("fleet.workloads.deepracer.history.MOST_ANEW", 2 * len(csv(0)))
    went = []
    for number in (1, 2, 3):
        history.lay_into(tmp_path / str(number))
        went.append([name.rpartition("/")[2][0] for name in carried(tmp_path / str(number))])
    assert went == [["3", "4"], ["1", "2", "3", "4"], ["0", "1", "2", "3", "4"]]


def test_a_trace_that_is_there_packed_and_unpacked_goes_once_and_leaves_kept_sets_as_they_are(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet.workloads.deepracer.history.MOST_TRACES", 1)
    path = trace(history, 0, csv(0))
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(b"another machine's"))
    history.lay_into(tmp_path / "1")
    (name,) = carried(tmp_path / "1")
    assert gzip.decompress((tmp_path / "1" / HISTORY / name).read_bytes()).decode() == csv(0)
    assert gzip.decompress(path.with_name(f"{path.name}.gz").read_bytes()) == b"another machine's"


def test_a_trace_that_is_fetched_takes_the_place_of_a_packed_one(history: History, tmp_path: Path) -> None:
    trace(history, 0, csv(0))
    history.lay_into(tmp_path / "1")
    other = History(tmp_path / "other" / HISTORY)
    other.bring_back(tmp_path / "1")
    other.take(PREFIX, open_folder(history.folder / PREFIX))
    assert [path.name for path in (other.folder / PREFIX / "training-simtrace").iterdir()] == ["0-iteration.csv"]


def test_a_full_disk_leaves_no_half_of_a_file(history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace(history, 0, csv(0))
    lay(history.folder, {f"{PREFIX}/metrics/TrainingMetrics.json": text([entry(1, 1)])})

    def full(_source: Path, target: Path) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    def other_disk(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    history.lay_into(tmp_path / "0")
    monkeypatch.setattr(os, "link", other_disk)
    monkeypatch.setattr(shutil, "copy2", full)
    history.lay_into(tmp_path / "1")
    other = History(tmp_path / "other" / HISTORY)
    other.bring_back(tmp_path / "0")
    assert carried(tmp_path / "1") == []
    assert [path for path in (tmp_path / "other").rglob("*") if path.is_file()] == []


def test_what_cannot_be_read_keeps_nothing_else_from_going_along(history: History, tmp_path: Path) -> None:
    trace(history, 0, csv(0))
    (history.folder / PREFIX / "training-simtrace" / "1-iteration.csv").mkdir()
    lay(history.folder, {f"{PREFIX}/metrics/TrainingMetrics.json": text([entry(1, 1)])})
    (history.folder / PREFIX / "metrics" / "Another.json").mkdir()
    history.lay_into(tmp_path / "1")
    assert [name.rpartition("/")[2] for name in carried(tmp_path / "1")] == ["TrainingMetrics.json", "0-iteration.csv.gz"]
