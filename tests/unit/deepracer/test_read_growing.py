"""Records that grow while they are read: what another look costs, and what it must not believe."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fleet.model.errors import FleetError, NotFoundError
from fleet.workloads.deepracer.analysis.following import Follow, News
from fleet.workloads.deepracer.analysis.opening import Opened, open_paths, read_paths
from fleet.workloads.deepracer.analysis.readable import Entry, Here
from fleet.workloads.deepracer.analysis.reading import Reader
from fleet.workloads.deepracer.prefix import open_prefix
from tests.unit.deepracer.analyses import lines
from tests.unit.deepracer.test_metrics import entry, text
from tests.unit.deepracer.test_read_records import csv, lay


@dataclass
class Counted:
    """A folder, and what was read of it."""

    root: Path
    taken: list[tuple[str, int]] = field(default_factory=list)

    @property
    def where(self) -> str:
        return str(self.root)

    def entries(self) -> Mapping[str, Entry]:
        return Here(self.root).entries()

    def read(self, name: str, offset: int = 0) -> bytes:
        data = Here(self.root).read(name, offset)
        self.taken.append((name, len(data)))
        return data


class Scene:
    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.place = Counted(root)
        self.follow = Follow(Opened([Reader(self.place, "m", grows=True)], "m"))

    def write(self, name: str, content: str, mode: str = "w") -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open(mode) as file:
            file.write(content)

    def poll(self) -> News | None:
        self.place.taken.clear()
        return self.follow.poll()

    def episodes(self) -> int:
        news = self.poll()
        assert news is not None
        return news.recording.run.episodes


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "m")


def test_where_nothing_changed_nothing_is_read(scene: Scene) -> None:
    scene.write("logs/simulator.log", lines(0))
    scene.write("metrics/TrainingMetrics.json", text([entry(1, 1)]))
    assert scene.episodes() == 1
    assert scene.poll() is None
    assert scene.place.taken == []


def test_of_a_log_only_what_was_added_is_read(scene: Scene) -> None:
    scene.write("logs/simulator.log", "".join(lines(number) for number in range(50)))
    assert scene.episodes() == 50
    added = lines(50)
    scene.write("logs/simulator.log", added, "a")
    assert scene.episodes() == 51
    assert scene.place.taken == [("logs/simulator.log", len(added) + 256)]  # and so much to know it by


def test_a_line_that_is_being_written_waits_for_its_end(scene: Scene) -> None:
    whole = lines(0) + lines(1)
    for end in (len(whole) // 2, len(whole) // 2 + 7, len(whole) - 1):
        scene.write("a.log", whole[:end])
        scene.poll()
    scene.write("a.log", whole)
    news = scene.poll()
    assert news is not None
    assert (len(news.recording.parts[0].training[0].steps), news.recording.problems) == (10, ())


def test_of_files_only_those_that_changed_are_read(scene: Scene) -> None:
    scene.write("training-simtrace/0-iteration.csv", csv(0))
    scene.write("metrics/TrainingMetrics.json", text([entry(1, 1)]))
    scene.poll()
    scene.write("training-simtrace/1-iteration.csv", csv(1, 2))
    assert scene.episodes() == 3
    assert [name for name, _ in scene.place.taken] == ["training-simtrace/1-iteration.csv"]


def test_only_the_parts_that_changed_are_told(scene: Scene) -> None:
    scene.write("one/a.log", lines(0))
    scene.write("two/a.log", lines(0))
    first = scene.poll()
    assert first is not None
    assert [part.name for part in first.parts] == ["one", "two"]
    scene.write("two/a.log", lines(1), "a")
    second = scene.poll()
    assert second is not None
    assert [part.name for part in second.parts] == ["two"]
    assert second.recording.parts[0] is not None
    assert second.recording.run.episodes == 3


@pytest.mark.parametrize("more", [0, 4], ids=["smaller", "larger"])
def test_a_log_that_is_another_one_is_read_from_its_beginning(scene: Scene, more: int) -> None:
    scene.write("a.log", "".join(lines(number) for number in range(3)))
    assert scene.episodes() == 3
    scene.write("a.log", "".join(lines(number, reward=7.0) for number in range(2 + more)))
    news = scene.poll()
    assert news is not None
    assert news.recording.run.episodes == 2 + more
    assert set(news.recording.parts[0].training[0].steps.reward.tolist()) == {7.0}


def test_a_log_that_is_rotated_is_read_on(scene: Scene) -> None:
    scene.write("logs/simulator.log", lines(0) + lines(1))
    scene.poll()
    (scene.root / "logs/simulator.log").rename(scene.root / "logs/simulator.log.1")
    scene.write("logs/simulator.log", lines(2))
    assert scene.episodes() == 3
    scene.write("logs/simulator.log", lines(3), "a")
    assert scene.episodes() == 4
    assert sum(size for _, size in scene.place.taken) == len(lines(3)) + 256  # what was rotated away is not read again


def test_what_vanishes_is_gone(scene: Scene) -> None:
    scene.write("one/a.log", lines(0))
    scene.write("two/a.log", lines(0))
    scene.poll()
    (scene.root / "two/a.log").unlink()
    news = scene.poll()
    assert news is not None
    assert [part.name for part in news.recording.parts] == ["one"]


def test_a_folder_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    follow = Follow(open_paths([str(tmp_path / "m")], grows=True))
    first = follow.poll()
    assert first is not None
    assert first.recording.parts == ()
    lay(tmp_path / "m", {"a.log": lines(0)})
    second = follow.poll()
    assert second is not None
    assert second.recording.run.episodes == 1


def test_a_file_that_is_replaced_within_one_tick_of_the_clock_is_read_again(scene: Scene) -> None:
    path = scene.root / "metrics" / "TrainingMetrics.json"
    scene.write("metrics/TrainingMetrics.json", text([entry(1, 1)]))
    scene.poll()
    stat = path.stat()
    scene.write("metrics/TrainingMetrics.json", text([entry(1, 1), entry(2, 2)]))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert scene.episodes() == 2


# A bucket that grows while it is read.


class Bucket:
    """Objects, and a listing that may be older than they are."""

    where = "s3://b/m"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.listed: dict[str, Entry] | None = None
        self.ghosts: dict[str, Entry] = {}
        self.reads = 0

    def entries(self) -> Mapping[str, Entry]:
        listed, self.listed = self.listed, None
        return listed or {name: Entry(len(data), hash(data)) for name, data in self.objects.items()} | self.ghosts

    def read(self, name: str, offset: int = 0) -> bytes:
        self.reads += 1
        if name not in self.objects:
            raise NotFoundError(name)
        return self.objects[name][offset:]


def test_objects_that_are_newer_than_their_listing_are_read_as_they_are_and_once_more_when_it_says_so() -> None:
    bucket = Bucket()
    bucket.objects["metrics/TrainingMetrics.json"] = text([entry(1, 1)]).encode()
    bucket.listed = dict(bucket.entries())
    bucket.objects["metrics/TrainingMetrics.json"] = text([entry(1, 1), entry(2, 2)]).encode()
    follow = Follow(Opened([Reader(bucket, "m", grows=True)], "m"))
    first = follow.poll()
    assert first is not None
    assert first.recording.run.episodes == 2
    follow.poll()
    assert bucket.reads == 2  # the listing tells of another object now
    assert follow.poll() is None
    assert bucket.reads == 2


def test_objects_that_are_gone_when_they_are_read_make_the_listing_be_read_again() -> None:
    bucket = Bucket()
    for number in range(3):
        bucket.objects[f"training-simtrace/{number}-iteration.csv"] = csv(number).encode()
    bucket.listed = dict(bucket.entries())
    del bucket.objects["training-simtrace/0-iteration.csv"]
    bucket.objects["training-simtrace/3-iteration.csv"] = csv(3).encode()
    found, _ = Reader(bucket, "m").look()
    assert found.parts[0].training[0].steps.iteration[::5].tolist() == [1, 2, 3]
    assert all("a moment ago" not in problem for problem in found.problems)


def test_an_object_that_is_listed_again_and_again_and_never_there_is_said() -> None:
    bucket = Bucket()
    bucket.objects["training-simtrace/0-iteration.csv"] = csv(0).encode()
    bucket.ghosts = {"training-simtrace/1-iteration.csv": Entry(9, "x"), "a.log": Entry(9, "y")}
    found, _ = Reader(bucket, "m").look()
    assert found.run.episodes == 1
    assert sorted(problem for problem in found.problems if "a moment ago" in problem) == [
        "a.log was there a moment ago, and is left out.",
        "training-simtrace/1-iteration.csv was there a moment ago, and is left out.",
    ]


def test_a_prefix_in_a_bucket_is_read_and_sees_nothing_of_its_neighbour(s3_url: str) -> None:
    bucket = s3_url.rpartition("/some/")[0]
    for name, episodes in (("racer-1", 1), ("racer-10", 5)):
        prefix = open_prefix(f"{bucket}/{name}")
        for number in range(episodes):
            prefix.write(f"training-simtrace/{number}-iteration.csv", csv(number).encode())
    assert read_paths([f"{bucket}/racer-1"]).run.episodes == 1
    follow = Follow(open_paths([f"{bucket}/racer-10"], grows=True))
    first = follow.poll()
    assert first is not None
    assert (first.recording.run.episodes, first.recording.parts[0].name) == (5, "racer-10")
    assert follow.poll() is None
    open_prefix(f"{bucket}/racer-10").write("metrics/TrainingMetrics.json", text([entry(9, 1)]).encode())
    second = follow.poll()
    assert second is not None
    assert second.recording.run.episodes == 6


@pytest.mark.usefixtures("s3_url")
def test_a_bucket_that_is_not_there_is_said_by_its_name() -> None:
    with pytest.raises(FleetError, match="there is no bucket 'not-there'"):
        read_paths(["s3://not-there/racer-1"])
