"""What is told of legs outlives their volume: metrics whole, traces packed, each sent to the bucket once."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from fleet.store.checkpoints import Checkpoints
from fleet.store.files import FileObjects
from fleet.workloads.deepracer.analysis.opening import read_paths
from fleet.workloads.deepracer.course import Course, Leg
from fleet.workloads.deepracer.history import HISTORY, LARGE, MOST_PACKED, MOST_TRACES, PACKED, History
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
