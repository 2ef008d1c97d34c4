"""Checkpoints that are not whole, on disks that are full: never committed, never restored, always named."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.model.errors import CheckpointError
from fleet.store.checkpoints import Checkpoints
from fleet.store.fileio import sha256_of
from fleet.store.files import FileObjects
from tests.agent.fakes import Life, World
from tests.unit.bad_luck.conftest import Make
from tests.unit.store.saves import Volume, commit

RUN = "r-1"


def next_attempt(world: World, number: int, disk: str = "fresh") -> Life:
    """Another machine, without the volume: the bucket must do."""
    world.desired(number, live=(number,), newest=number, gone=tuple(range(1, number)))
    life = world.attempt(number, disk=world.disk(disk), predecessor=number - 1, volume_new=True)
    life.until("training")
    life.live(1)
    return life


@pytest.mark.parametrize("half", ["under a temporary name", "under its own name"])
def test_a_checkpoint_half_written_when_the_machine_dies_is_not_what_training_goes_on_from(world: World, half: str) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    life.training.save(10)
    life.live(5)
    folder = world.disk() / "checkpoints"
    (folder / ("state.json.tmp" if "temporary" in half else "state.json")).write_text('{"step": 2')
    second = world.attempt(2, disk=world.disk(), predecessor=1, volume_new=False)  # the same volume
    second.until("training")
    second.live(1)
    assert second.beat.resumed is not None
    assert second.beat.resumed.step == 10
    assert (folder / "state.json").read_text() == '{"step": 10}'
    assert world.checkpoints.committed(2) == []


@pytest.mark.parametrize("damage", ["a flipped byte", "a missing file", "a file cut short"])
def test_a_damaged_checkpoint_is_passed_over_named_and_its_loss_measured(world: World, damage: str) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    for step in (10, 20):
        life.training.save(step)
        life.live(5)
    (newest,) = [i.key for i in world.objects.list("runs/") if "/00000002/files/" in i.key]
    data = world.objects.get(newest)
    if damage == "a missing file":
        world.objects.delete([newest])
    else:
        world.objects.put(newest, data[:-1] if "cut" in damage else data[:-1] + bytes([data[-1] ^ 1]))
    resumed = next_attempt(world, 2).beat.resumed
    assert resumed is not None
    assert (resumed.step, resumed.lost_steps, resumed.source) == (10, 10, "bucket")
    assert [str(s.ref) for s in resumed.skipped] == ["1/2"]
    assert "state.json" in resumed.skipped[0].reason


@pytest.mark.parametrize("when", ["while it is sent", "while it is hashed"])
def test_a_file_that_is_written_into_while_it_is_read_is_not_committed(
    tmp_path: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = Volume(tmp_path / "volume")

    def write_into(path: Path) -> None:
        with path.open("r+b") as file:
            file.write(b"STATE")
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))  # a tick of the file system's clock later

    class Sending(FileObjects):
        def upload(self, key: str, path: Path) -> None:
            super().upload(key, path)
            if when == "while it is sent":
                write_into(volume.folder / "state")

    def hashing(path: Path, pause: Callable[[], None] = lambda: None) -> str:
        found = sha256_of(path, pause)
        if when == "while it is hashed":
            write_into(volume.folder / "state")
        return found

    monkeypatch.setattr("fleet.store.checkpoints.staged.sha256_of", hashing)
    checkpoints = Checkpoints(Sending(tmp_path / "bucket"), RUN)
    with pytest.raises(CheckpointError, match=r"state changed while it was read(?s:.*)rename"):
        commit(checkpoints, volume, 1, 10)
    assert checkpoints.committed(1) == []
    monkeypatch.undo()
    when = ""
    commit(checkpoints, volume, 1, 20)
    assert checkpoints.committed(1) == [1]
    assert checkpoints.establish_base(2, 1.0).skipped == ()


def test_the_agent_goes_on_after_a_file_that_changed_and_commits_the_next_one(world: World) -> None:
    class Sending(FileObjects):
        changes = True

        def upload(self, key: str, path: Path) -> None:
            super().upload(key, path)
            if self.changes and "/files/" in key:
                with (world.disk() / "checkpoints" / "state.json").open("r+b") as file:
                    file.write(b'{"step": 99}')
                os.utime(path, ns=(0, path.stat().st_mtime_ns + 1000))

    objects = Sending(world.folder / "bucket", clock=world.clock)
    life = world.attempt(disk=world.disk(), objects=objects)
    life.until("training")
    life.training.save(10)
    life.live(5)
    assert "changed while it was read" in life.beat.message
    assert world.checkpoints.committed(1) == []
    Sending.changes = False
    life.training.save(20)
    life.live(60)
    assert life.beat.checkpoint_step == 20
    assert life.beat.message == ""


# --- full disks: on Linux the kernel's own answer, from /dev/full, so that no privilege is needed


class FullDisk:
    """From the moment it is full, new files below a folder are made on a disk without room."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._root, self._patch = str(root), monkeypatch
        self._open = os.open

    def fill(self) -> None:
        def opened(path: object, flags: int, *more: int, **named: int) -> int:
            writes = flags & os.O_CREAT and str(path).startswith(self._root)
            if writes and not Path("/dev/full").exists():
                raise OSError(errno.ENOSPC, "No space left on device", path)
            fd = self._open(path, flags, *more, **named)  # type: ignore[arg-type]
            if writes:
                full = self._open("/dev/full", os.O_WRONLY)
                os.dup2(full, fd)
                os.close(full)
            return fd

        self._patch.setattr(os, "open", opened)

    def free(self) -> None:
        self._patch.undo()


def test_a_bucket_folder_that_fills_up_while_checkpointing_costs_no_checkpoint_and_no_training(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    life.training.save(10)
    life.live(5)
    disk = FullDisk(world.folder / "bucket", monkeypatch)
    before = [i.key for i in world.objects.list("runs/")]
    disk.fill()
    life.training.save(20)
    life.live(30)
    assert life.agent.phase == "training"
    assert "No space left on device" in life.agent.message
    assert [i.key for i in world.objects.list("runs/")] == before  # no half object, no litter
    assert not list((world.folder / "bucket").rglob(".tmp-*"))
    disk.free()
    life.live(60)
    assert life.beat.checkpoint_step == 20
    assert life.beat.message == ""
    resumed = next_attempt(world, 2).beat.resumed
    assert resumed is not None
    assert (resumed.step, resumed.skipped) == (20, ())


def test_a_volume_that_is_full_while_a_checkpoint_is_held_for_sending_is_told_and_left_clean(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make(checkpoint={"format": "quiet"})
    life = world.attempt(disk=world.disk())
    life.until("training")

    def full(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:3])
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    life.training.save(10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fleet.store.checkpoints.staging.shutil.copy2", full)
        patch.setattr("fleet.store.checkpoints.staging.Scanner._settled", lambda *_args: True)
        life.live(10)
    assert life.agent.phase == "training"
    assert "No space left on device" in life.beat.message
    assert list((world.disk() / ".fleet" / "staging").iterdir()) == []
    monkeypatch.setattr("fleet.store.checkpoints.staging.Scanner._settled", lambda *_args: True)
    life.live(10)
    assert life.beat.checkpoint_step == 10


def test_a_training_that_dies_of_a_full_disk_says_so_in_the_runs_reason(make: Make) -> None:
    world = make(retries={"training": 0})
    life = world.attempt(disk=world.disk())
    life.until("training")
    life.training.save(10)
    life.live(5)
    (world.disk() / "checkpoints" / "state.json.tmp").write_text('{"st')  # all that fitted
    life.training.say("OSError: [Errno 28] No space left on device: 'state.json.tmp'")
    life.training.code = 1
    life.live(20)
    assert life.beat.outcome is not None
    assert "No space left on device" in life.beat.outcome.message
    assert life.beat.checkpoint_step == 10
