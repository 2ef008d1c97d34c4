"""Committed sets as fleet's checkpoints: whole at every moment; and the repaired copy that a leg begins from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.model.errors import NotFoundError, StoreError
from fleet.store.checkpoints import Scanner
from fleet.workloads.deepracer.course import Course
from fleet.workloads.deepracer.mirror import FRESH, copy_repaired, keep, kept_in, to_keep, usable
from fleet.workloads.deepracer.mirror import GRAPH as GRAPH_WAIT
from fleet.workloads.deepracer.pointers import COACH, JSON, TEXT, Era, Pointers, read_pointers
from fleet.workloads.deepracer.prefix import Stat, open_folder
from fleet.workloads.deepracer.repair import LOCK
from fleet.workloads.deepracer.sets import SUFFIXES, ModelSet, sets_of
from tests.unit.deepracer.trainer import Crash, Memory, Trainer, intact, load


def listing(*numbers: int, y: int = 40) -> dict[str, Stat]:
    return {f"model/{n}_Step-{y}.ckpt{suffix}": Stat(10, float(n)) for n in numbers for suffix in SUFFIXES}


def pointing(n: int, y: int = 40) -> Pointers:
    return Pointers(coach=f"{n}_Step-{y}.ckpt")


def number(found: ModelSet | None) -> int | None:
    return found.n if found else None


def just_made(n: int) -> dict[str, Stat]:
    return {name: Stat(10, 1000.0) for name in listing(n)}


LOCKED = {LOCK: Stat(0, 1000.0)}
GRAPH = {"model/model_3.pb": Stat(5, 1000.0)}


@pytest.mark.parametrize(
    ("files", "pointers", "newest", "now", "hurry", "expected"),
    [
        (listing(2, 3), pointing(3), 2, 1001.0, False, 3),
        (listing(2, 3), pointing(2), 2, 1001.0, False, None),  # 3 is not committed
        (listing(2, 3), pointing(2), 1, 1001.0, False, 2),
        (listing(2, 3), pointing(3), 3, 1001.0, False, None),  # kept already
        (listing(2, 3), pointing(1), 2, 1001.0, True, None),  # points at nothing
        (listing(2, 3), Pointers(), 2, 1001.0, True, None),
        (listing(3) | LOCKED, pointing(3), 2, 1001.0, False, None),  # its graph is still to come
        (listing(3) | LOCKED, pointing(3), 2, 1001.0, True, 3),
        (listing(3) | LOCKED | GRAPH, pointing(3), 2, 1001.0, False, 3),
        (listing(3) | LOCKED, pointing(3), 2, 1000.0 + FRESH, False, 3),  # a stale lock holds nobody up
        (listing(3) | LOCKED, pointing(3), 2, 900.0, False, 3),  # one of a clock that was set back
        (just_made(3), pointing(3), 2, 1001.0, False, None),  # 2019: unlocked before its graph is there
        (just_made(3), pointing(3), 2, 1001.0, True, 3),
        (just_made(3) | GRAPH, pointing(3), 2, 1001.0, False, 3),
        (just_made(3), pointing(3), 2, 1000.0 + GRAPH_WAIT, False, 3),  # one that writes none
        (just_made(3), pointing(3), 2, 900.0, False, 3),
        ({**listing(3), "model/3_Step-40.ckpt.meta": Stat(0, 1.0)}, pointing(3), 2, 1001.0, True, None),
    ],
)
def test_what_is_kept(
    files: dict[str, Stat], pointers: Pointers, newest: int, now: float, *, hurry: bool, expected: int | None
) -> None:
    assert number(to_keep(files, pointers, newest, now, hurry=hurry)) == expected


def trained(era: Era = "today", saves: int = 4, crash: int | None = None) -> tuple[Memory, Trainer]:
    """A prefix in which a trainer lived, up to an effect."""
    prefix, trainer = Memory(), Trainer(era)
    for index, effect in enumerate(trainer.life(1, saves)):
        if index == crash:
            break
        prefix.carry(effect)
    return prefix, trainer


def newest_of(prefix: Memory) -> ModelSet:
    return usable(prefix.list(), read_pointers(prefix))[max(usable(prefix.list(), read_pointers(prefix)))]


def kept(prefix: Memory, folder: Path, course: Course | None = None) -> bool:
    data = (course or Course(run="r-1")).model_dump_json().encode()
    return keep(prefix, newest_of(prefix), folder, {"reward_function.py": b"def", "course.json": data}, lambda _: None)


def test_a_checkpoint_is_a_prefix_of_one_whole_set_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    prefix, _ = trained()
    prefix.write("model/model_metadata.json", b"{}")
    before = prefix.contents
    assert kept(prefix, tmp_path)
    assert prefix.contents == before
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    stem = "4_Step-300.ckpt"
    assert names == {
        *(f"4/model/{stem}{suffix}" for suffix in SUFFIXES),
        *(f"4/model/{name}" for name in (".coach_checkpoint", "deepracer_checkpoints.json", "model_4.pb")),
        *(f"4/{name}" for name in ("model/model_metadata.json", "reward_function.py", "course.json")),
    }
    told = json.loads((tmp_path / "4" / JSON).read_text())
    assert told["last_checkpoint"]["name"] == told["best_checkpoint"]["name"] == stem
    (found,) = kept_in(tmp_path, "r-1")
    assert (found.name, found.n, found.course) == ("4", 4, Course(run="r-1"))


@pytest.mark.parametrize("broken", [b"", b'{"metrics": [', b"\xef\xbb\xbf{}"])
def test_a_record_that_is_broken_keeps_no_set_from_being_committed(tmp_path: Path, broken: bytes) -> None:
    """A power cut left metrics of an earlier leg empty on the volume: they would go into every set to come."""
    folder = tmp_path / "checkpoints"

    def history(making: Path) -> None:
        for leg, data in {"r-1-1-1": broken, "r-1-2-1": b'{"metrics": []}'}.items():
            (making / "history" / leg / "metrics").mkdir(parents=True)
            (making / "history" / leg / "metrics" / "TrainingMetrics.json").write_bytes(data)

    made, _ = trained()
    assert keep(made, newest_of(made), folder, {}, history)
    scanner = Scanner(folder, tmp_path / "staging", "rename")
    staged = scanner.finished(settled=True)
    assert staged is not None, scanner.problem
    with staged:
        names = {file.path for file in staged.files}
    assert [name for name in names if "history" in name] == ["4/history/r-1-2-1/metrics/TrainingMetrics.json"]
    assert f"4/{JSON}" in names


def test_the_newest_two_stay_and_what_training_went_back_over_goes(tmp_path: Path) -> None:
    for saves in (2, 3, 4, 5):
        assert kept(trained(saves=saves)[0], tmp_path)
    assert [one.name for one in kept_in(tmp_path, "r-1")] == ["4", "5"]
    assert kept(trained(saves=2)[0], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2"]


class Failing(Memory):
    """A bucket that fails at one of its answers, or changes under one's hands."""

    at = -1
    answers = 0
    change: str | None = None

    def _answer(self) -> None:
        self.answers += 1
        if self.answers == self.at:
            if self.change is None:
                raise StoreError("the bucket is away")
            self.files[self.change] = b"other", self.clock + 1

    def list(self) -> dict[str, Stat]:
        self._answer()
        return super().list()

    def fetch(self, name: str, path: Path) -> None:
        self._answer()
        super().fetch(name, path)


def everything(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".tmp-" not in path.as_posix()
    }


@pytest.mark.parametrize("at", range(1, 8))
def test_what_was_kept_stays_as_it_was_if_the_next_cannot_be_had(tmp_path: Path, at: int) -> None:
    assert kept(trained(saves=2)[0], tmp_path)
    before = everything(tmp_path)
    good, _ = trained(saves=3)
    prefix = Failing(files=good.files)
    found = newest_of(good)
    prefix.at = at
    try:
        done = keep(prefix, found, tmp_path, {}, lambda _: None)
    except StoreError:
        done = False
    assert done == (prefix.answers < at)
    if not done:
        assert everything(tmp_path) == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".tmp-")]


@pytest.mark.parametrize("at", range(2, 7))
def test_a_set_that_changes_while_it_is_copied_is_not_kept(tmp_path: Path, at: int) -> None:
    good, _ = trained(saves=3)
    prefix = Failing(files=good.files)
    prefix.at, prefix.change = at, "model/3_Step-200.ckpt.meta"
    assert not keep(prefix, newest_of(good), tmp_path, {}, lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_at_every_moment_the_agent_finds_whole_sets_only(tmp_path: Path) -> None:
    """Looked at after each file that comes: what is half made is passed over."""
    folder, staging = tmp_path / "checkpoints", tmp_path / "staging"
    scanner = Scanner(folder, staging, "rename")
    seen: set[tuple[str, ...]] = set()

    class Watched(Memory):
        def fetch(self, name: str, path: Path) -> None:
            super().fetch(name, path)
            look()

    def look() -> None:
        staged = scanner.finished(settled=True)
        if staged is not None:
            with staged:
                seen.add(tuple(sorted({file.path.split("/")[0] for file in staged.files})))
                for top in {file.path.split("/")[0] for file in staged.files}:
                    names = {file.path.removeprefix(f"{top}/") for file in staged.files if file.path.startswith(f"{top}/")}
                    assert any(one.whole for one in sets_of(dict.fromkeys(names, Stat(1, 0.0))))

    for saves in (2, 3, 4):
        made, _ = trained(saves=saves)
        assert keep(Watched(files=made.files), newest_of(made), folder, {}, lambda _: look())
        look()
    assert seen == {("2",), ("2", "3"), ("3", "4")}


def crashes(era: Era) -> Iterator[int]:
    return iter(range(sum(1 for _ in Trainer(era).life(1, 6)) + 1))


@pytest.mark.parametrize("era", ["today", "2019"])
def test_after_a_crash_at_any_write_the_copy_loads_the_newest_whole_set_and_the_source_is_untouched(
    tmp_path: Path, era: Era
) -> None:
    for crash in crashes(era):
        source, trainer = trained(era, 6, crash)
        before = source.contents
        whole = trainer.whole(before)
        numbers = usable(source.list(), read_pointers(source))
        assert max(numbers, default=None) == (int(whole[-1].split("_")[0]) if whole else None)
        for n in numbers:  # after a NaN an older one is taken
            target = Memory()
            copy_repaired(source, target, n, tmp_path, era)
            assert source.contents == before
            stem = numbers[n].stem
            assert load(target.contents, era) == stem
            assert intact(target.contents, stem)
            assert (COACH in target.contents, TEXT in target.contents) == (era == "today", era == "2019")
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_is_broken_off_leaves_nothing_but_a_prefix_that_nobody_uses(tmp_path: Path) -> None:
    source, _ = trained()
    for fuse in range(5):
        target = Memory(fuse=fuse)
        with pytest.raises(Crash):
            copy_repaired(source, target, 4, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_set_that_is_not_whole_is_not_copied(tmp_path: Path) -> None:
    source, _ = trained()
    source.remove("model/4_Step-300.ckpt.meta")
    with pytest.raises(NotFoundError):
        copy_repaired(source, Memory(), 4, tmp_path)


def test_folders_that_hold_no_whole_set_are_no_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "7" / "model").mkdir(parents=True)
    (tmp_path / "7" / "model" / "7_Step-1.ckpt.index").write_text("x")
    (tmp_path / "notes").mkdir()
    (tmp_path / "8").write_text("a file")
    assert kept_in(tmp_path, "r-1") == []
    assert kept_in(tmp_path / "nowhere", "r-1") == []
    assert open_folder(tmp_path / "7").list()
