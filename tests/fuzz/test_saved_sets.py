"""Manifests and bases in the bucket, and files on the volume, as others may have left them: what is whole comes back."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleet.control.saved import list_saved
from fleet.model import layout
from fleet.model.errors import CheckpointError
from fleet.providers.sim.clock import VirtualClock
from fleet.store.checkpoints import Checkpoints, Scanner
from fleet.store.files import FileObjects
from tests.agent.fakes import Life, World
from tests.fuzz.draw import ESCAPES, as_json, damaged, documents, examples, strings, values
from tests.fuzz.shelf import Shelf
from tests.unit.store.saves import Volume, commit

RUN = "r-1"
NEWEST = layout.manifest(RUN, 1, 2)
BASE = layout.base(RUN, 1)


@lru_cache
def saved() -> dict[str, bytes]:
    """A bucket with two checkpoints of two files, and another run's checkpoint."""
    shelf = Shelf({}, lambda: 0.0)
    with tempfile.TemporaryDirectory() as folder:
        volume = Volume(Path(folder) / "volume")
        for run in (RUN, "other-1"):
            checkpoints = Checkpoints(shelf, run)
            checkpoints.establish_base(1, 0.0)
            first = commit(checkpoints, volume, 1, 10, None, weights=f"{run} w10")
            commit(checkpoints, volume, 1, 20, first, weights=f"{run} w20")
    return shelf.things


def newest() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(saved()[NEWEST])
    return found


@contextmanager
def place() -> Iterator[Path]:
    """A folder to restore into, within one that nothing else may appear in."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "volume" / "checkpoints"


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


HOSTILE = (
    "../outside", "/tmp/fleet-fuzz", "a/../../outside", "./state", "state/", "state//x", "state/x",
    "", ".", "..", "a\0b", "x" * 300,
    "d/" * 2000 + "x", "e\u0301", "é", ESCAPES, "a\nb", "~/x", "C:\\x", "con",
)  # fmt: skip
KEYS = (
    layout.checkpoint_file("other-1", 1, 1, "state"), layout.checkpoint_file("other-1", 1, 2, "weights"), "fleet.json",
    "../x", "/etc/passwd", "a\0b", "", "x" * 3000,
    f"runs/{RUN}/checkpoints/../../other-1/checkpoints/1/00000001/files/state", BASE,
)  # fmt: skip


@st.composite
def manifests(draw: st.DrawFn) -> bytes:
    """A manifest in which a file is called something else, lies elsewhere, is another size, or is there twice."""
    made = newest()
    files: list[dict[str, Any]] = made["files"]
    for _ in range(draw(st.integers(1, 2))):
        entry = draw(st.sampled_from(files))
        way = draw(st.sampled_from(["path", "key", "size", "sha256", "twice", "none", "other"]))
        if way == "path":
            entry["path"] = draw(st.sampled_from(HOSTILE) | strings)
        elif way == "key":
            entry["key"] = draw(st.sampled_from(KEYS) | strings)
        elif way == "size":
            entry["size"] = draw(st.sampled_from([-1, 0, 10**30, 7]))
        elif way == "sha256":
            entry["sha256"] = draw(st.sampled_from(["", "0" * 64, entry["sha256"].upper()]))
        elif way == "twice":
            beside = [entry["path"], entry["path"].upper(), f"{entry['path']}/x"]
            files.append({**entry, "path": draw(st.sampled_from(beside))})
        elif way == "other":
            other = json.loads(saved()[layout.manifest("other-1", 1, 2)])["files"][0]
            entry.update({name: other[name] for name in ("key", "size", "sha256")})
        elif len(files) > 1:
            files.remove(entry)
    return as_json(made)


def check(data: bytes, have: bool) -> None:
    """The law: what is whole is restored, what is not is named; no other run's bytes, nothing beside the folder."""
    shelf = Shelf({**saved(), NEWEST: data}, lambda: 0.0)
    checkpoints = Checkpoints(shelf, RUN)
    with place() as folder:
        if have:
            folder.mkdir(parents=True)
            (folder / "state").write_text("state after 10")
        restored = checkpoints.restore(1, folder, have=folder if have else None)
        assert restored.manifest is not None
        texts = {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}
        if restored.skipped:
            assert [str(one.ref) for one in restored.skipped] == ["1/2"]
            assert restored.skipped[0].reason
            assert texts == {"state": "state after 10", "weights": f"{RUN} w10"}
        assert not any("other-1" in text for text in texts.values())
        root = folder.parents[1]
        assert {name.split("/")[1] for name in everything(root) if "/" in name} <= {"checkpoints"}
        assert [name for name in everything(root) if "/" not in name] == ["volume"]
    base = checkpoints.establish_base(2, 1.0)
    assert base.ref is not None
    assert str(base.ref) in ("1/1", "1/2")
    for one in list_saved(shelf, RUN):
        assert (one.manifest is None) == (one.status == "broken")


@examples(80)
@given(manifests(), st.booleans())
@example(as_json({**newest(), "files": [{**newest()["files"][0], "path": "a\0b"}]}), False)
@example(as_json({**newest(), "files": [{**newest()["files"][0], "path": "x" * 300}]}), False)
@example(as_json({**newest(), "files": [{**newest()["files"][0], "path": "state/x"}, newest()["files"][0]]}), True)
@example(as_json({**newest(), "files": [{**newest()["files"][0], "key": "a\0b"}]}), False)
@example(as_json({**newest(), "files": [{**newest()["files"][0], "path": "../outside"}]}), True)
def test_a_hostile_manifest_restores_nothing_but_the_run_s_own_files_where_they_belong(data: bytes, have: bool) -> None:
    check(data, have)


@examples(60)
@given(documents(newest()), st.booleans())
@example(b"[" * 100_000, False)
@example(as_json({**newest(), "at": float("inf")}), False)
def test_a_damaged_manifest_is_passed_over_and_named(data: bytes, have: bool) -> None:
    check(data, have)


@examples(25)
@given(manifests() | damaged(saved()[NEWEST]))
def test_a_hostile_manifest_in_a_folder_of_files_is_no_way_out_of_it(data: bytes) -> None:
    """The same in a real folder, whose keys are paths."""
    with tempfile.TemporaryDirectory() as root:
        objects = FileObjects(Path(root) / "bucket")
        for key, content in {**saved(), NEWEST: data}.items():
            objects.put(key, content)
        checkpoints = Checkpoints(objects, RUN)
        restored = checkpoints.restore(1, Path(root) / "volume" / "checkpoints")
        assert restored.manifest is not None
        checkpoints.establish_base(2, 1.0)
        checkpoints.prune(2, keep=1, protect=())
        assert sorted(p.name for p in Path(root).iterdir()) == ["bucket", "volume"]
        kept = {info.key for info in objects.list("runs/other-1/")}
        assert kept == {key for key in saved() if key.startswith("runs/other-1/")}


@examples(80)
@given(documents(json.loads(saved()[BASE])))
def test_a_damaged_base_is_told_and_nothing_is_guessed(data: bytes) -> None:
    checkpoints = Checkpoints(Shelf({**saved(), BASE: data}, lambda: 0.0), RUN)
    with place() as folder:
        try:
            checkpoints.establish_base(2, 1.0)
        except CheckpointError:
            with pytest.raises(CheckpointError, match="does not hold what a base holds"):
                checkpoints.restore(1, folder)
            return
        assert checkpoints.restore(2, folder).manifest is not None


@pytest.mark.parametrize("stray", ["²", "٣", "x", "-1", "1.5", "9" * 5000])
def test_strange_names_among_attempts_and_checkpoints_are_nobodys(stray: str) -> None:
    keys = (f"runs/{RUN}/attempts/{stray}/base.json", f"runs/{RUN}/checkpoints/{stray}/{stray}/manifest.json")
    checkpoints = Checkpoints(Shelf({**saved(), **dict.fromkeys(keys, b"x")}, lambda: 0.0), RUN)
    assert set(checkpoints.bases()) == {1}
    assert checkpoints.all_committed() == {1: [1, 2]}
    checkpoints.establish_base(2, 1.0)
    checkpoints.prune(2, keep=1, protect=())


# --- files on the volume


def strange_files(folder: Path) -> None:
    """What a training, or who had the disk before, may have left."""
    (folder / "link-out").symlink_to("/etc/passwd")
    (folder / "link-broken").symlink_to("nowhere")
    (folder / "link-round").symlink_to(".")
    os.mkfifo(folder / "pipe")
    (folder / "empty").mkdir()
    (folder / ("n" * 255)).write_text("long")
    (folder / "e\u0301").write_text("composed")
    (folder / "é").write_text("precomposed")
    (folder / "a\nb\x1b[31m").write_text("escapes")
    (folder / "state.json").write_text("[" * 100_000)


@contextmanager
def life(**job: object) -> Iterator[tuple[World, Life]]:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), job)
        try:
            yield world, world.attempt(disk=world.disk())
        finally:
            world.close()


def go_on(world: World) -> Life:
    """Another machine with the same volume."""
    world.desired(2, live=(2,), newest=2, gone=(1,))
    return world.attempt(2, disk=world.disk(), predecessor=1, volume_new=False)


@pytest.mark.parametrize("way", ["rename", "marker"])
def test_strange_files_in_the_checkpoint_folder_are_no_end_of_the_agent(way: str) -> None:
    with life(checkpoint={"format": way}) as (world, first):
        first.until("training")
        first.training.save(10)
        strange_files(world.disk() / "checkpoints")
        (world.disk() / "checkpoints" / "DONE").touch()
        first.live(30)
        assert "state.json" in first.beat.message
        (world.disk() / "checkpoints" / "state.json").unlink()
        first.training.save(20)
        first.live(30)
        assert first.beat.checkpoint_step == 20, first.beat.message
        second = go_on(world)
        second.until("training")
        assert second.agent.resumed is not None
        assert second.agent.resumed.step == 20


@pytest.mark.parametrize("name", [b"caf\xe9.bin", b"\xff\xfe"])
def test_a_file_whose_name_is_no_text_is_told_by_the_agent_and_not_committed(name: bytes) -> None:
    with life() as (world, first):
        first.until("training")
        first.training.save(10)
        path = os.fsencode(world.disk() / "checkpoints") + b"/" + name
        with open(path, "wb") as file:  # noqa: PTH123 - pathlib takes no bytes
            file.write(b"x")
        first.live(30)
        assert "name" in first.beat.message
        assert first.beat.checkpoint is None
        os.unlink(path)  # noqa: PTH108
        first.live(30)
        assert first.beat.checkpoint_step == 10


@pytest.mark.parametrize("at", [-(10**9), 10**11, 1.6e10])
def test_a_file_from_another_time_is_committed_all_the_same(at: float) -> None:
    with life() as (world, first):
        first.until("training")
        first.training.save(10)
        os.utime(world.disk() / "checkpoints" / "state.json", (at, at))
        first.live(30)
        assert first.beat.checkpoint is not None, first.beat.message
        second = go_on(world)
        second.until("training")


NOTES = {
    "progress.json": {"run_id": "racer-1", "step": 10, "at": 1.0, "wall": 1.0},
    "saved.json": {"run_id": "racer-1", "step": 10, "at": 1.0},
    "volume.json": {"run_id": "racer-1", "attempt": 1},
}


@examples(15)
@given(st.data())
@example(None)
def test_notes_on_the_volume_that_are_damaged_do_not_keep_training_from_going_on(data: st.DataObject | None) -> None:
    with life() as (world, first):
        first.until("training")
        first.training.save(10)
        first.live(5)
        first.training.save(20)
        for name, valid in NOTES.items():
            note = world.disk() / ".fleet" / name
            bent_one = data.draw(documents(valid)) if data is not None else b"[" * 100_000
            note.write_bytes(bent_one)
        if data is None:
            note = world.disk() / ".fleet" / "progress.json"
            note.write_bytes(as_json({"run_id": "racer-1", "step": float("inf"), "at": float("nan")}))
        second = go_on(world)
        second.until("training", most=60)
        second.live(2)
        assert second.beat.resumed is not None
        assert second.beat.resumed.ref is not None


@examples(24)
@given(st.sampled_from(["desired", "began", "base", "beat"]), st.data())
def test_what_others_leave_in_the_bucket_does_not_end_the_agent(which: str, data: st.DataObject) -> None:
    """It goes on, waits, or leaves with a reason: it never falls over."""
    with life() as (world, first):
        first.until("training")
        first.training.save(10)
        first.live(3)
        world.desired(2, live=(2,), newest=2, gone=(1,))
        key = {
            "desired": layout.desired("racer-1"),
            "began": layout.began("racer-1", 2),
            "base": layout.base("racer-1", 1),
            "beat": layout.heartbeat("racer-1", 1),
        }[which]
        valid = world.objects.get(key) if which != "began" else world.objects.get(layout.began("racer-1", 1))
        world.objects.put(key, data.draw(documents(json.loads(valid))))
        second = world.attempt(2, disk=world.disk("fresh"), predecessor=1, volume_new=True)
        second.live(30)
        assert second.agent.phase in ("training", "waiting-predecessor", "fenced", "released", "draining")
        if second.agent.phase == "training":
            assert second.beat.resumed is not None


@examples(60)
@given(st.lists(strings, min_size=1, max_size=4), st.sampled_from(["rename", "marker", "quiet"]), values)
def test_whatever_files_are_called_a_scan_finds_a_set_or_a_problem(names: list[str], way: Any, content: object) -> None:
    clock = VirtualClock()
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "checkpoints"
        folder.mkdir()
        for name in ["DONE", *names]:
            path = folder.joinpath(*[part for part in name.split("/") if part not in ("", ".", "..", "etc")] or ["x"])
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(as_json(content) if path.suffix != ".npz" else b"PK")
            except (OSError, ValueError):
                continue
        scanner = Scanner(folder, Path(root) / "staging", way, quiet_seconds=0, monotonic=clock, clock=clock)
        found = scanner.finished(settled=True)
        assert found is not None or scanner.problem
        if found is not None:
            with found:
                assert len(found.signature) == 64
        shutil.rmtree(folder)


def test_the_bucket_that_is_bent_here_is_whole() -> None:
    with place() as folder:
        restored = Checkpoints(Shelf(saved(), lambda: 0.0), RUN).restore(1, folder)
        assert (restored.skipped, (folder / "weights").read_text()) == ((), f"{RUN} w20")
