"""Sending and fetching: what is read, how often, and that a manifest claims no other bytes than were sent."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.model.documents import Manifest
from fleet.model.errors import CheckpointError
from fleet.store import fileio
from fleet.store.checkpoints import Checkpoints, Scanner, signature_of, staged, staging
from fleet.store.checkpoints.restore import MANY
from fleet.store.files import FileObjects
from fleet.store.objects import Objects
from fleet.store.opening import open_objects
from fleet.store.remote import PART
from fleet.store.throttle import BURST, LONGEST, Throttle
from tests.unit.store.saves import Volume, commit

LONG_AGO = 1_000_000_000_000_000_000


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path / "volume")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that the scanner read, in order."""
    names: list[str] = []
    real = fileio.sha256_of

    def counted(path: Path, pause: Callable[[], None]) -> str:
        names.append(path.name)
        return real(path, pause)

    monkeypatch.setattr(staged, "sha256_of", counted)
    return names


def age(path: Path, nanoseconds: int = LONG_AGO) -> None:
    os.utime(path, ns=(nanoseconds, nanoseconds))


def looked(scanner: Scanner) -> bool:
    found = scanner.finished()
    if found is None:
        return False
    found.discard()
    scanner.mark_committed(found.signature)
    return True


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 3 * PART + 5])
def test_what_is_sent_and_fetched_is_hashed_on_its_way(objects: Objects, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "up").write_bytes(data)
    assert objects.upload("k", tmp_path / "up") == hashlib.sha256(data).hexdigest()
    assert objects.get("k") == data
    assert objects.download("k", tmp_path / "down") == hashlib.sha256(data).hexdigest()
    assert (tmp_path / "down").read_bytes() == data


def test_a_settled_file_is_read_once_and_only_what_changed_is_read_again(volume: Volume, read: list[str]) -> None:
    volume.save(1, frozen="weights")
    age(volume.folder / "state")
    age(volume.folder / "frozen")
    scanner = Scanner(volume.folder, volume.staging, "rename")
    assert looked(scanner)
    assert not looked(scanner)
    assert sorted(read) == ["frozen", "state"]
    (volume.folder / "state.tmp").write_text("state after 2")
    (volume.folder / "state.tmp").replace(volume.folder / "state")
    assert looked(scanner)
    assert sorted(read) == ["frozen", "state", "state"]


def test_a_file_written_just_before_is_read_once_more_when_its_time_has_settled(volume: Volume, read: list[str]) -> None:
    now = [time.time() + 0.5]
    scanner = Scanner(volume.folder, volume.staging, "rename", clock=lambda: now[0])
    volume.save(1)
    assert looked(scanner)
    assert not looked(scanner)
    assert len(read) == 1
    now[0] += staging.SETTLED
    assert not looked(scanner)
    assert len(read) == 2
    assert not looked(scanner)
    assert len(read) == 2


def test_a_write_that_its_time_does_not_show_is_found_when_times_have_settled(volume: Volume) -> None:
    now = [time.time() + 0.5]
    scanner = Scanner(volume.folder, volume.staging, "rename", clock=lambda: now[0])
    volume.save(1)
    stamp = (volume.folder / "state").stat().st_mtime_ns
    assert looked(scanner)
    with (volume.folder / "state").open("r+b") as file:  # in place, within the resolution of the file system's times
        file.write(b"STATE")
    age(volume.folder / "state", stamp)
    assert not looked(scanner)
    now[0] += staging.SETTLED
    assert looked(scanner)


class Training:
    """Saves a large file, whose bytes are a matter of its seed, and a small one; committed as the agent does."""

    def __init__(self, volume: Volume, checkpoints: Checkpoints) -> None:
        self.volume, self.checkpoints = volume, checkpoints
        self.scanner = Scanner(volume.folder, volume.staging, "rename")
        self.newest: Manifest | None = None
        checkpoints.establish_base(1, 0.0)

    def save(self, name: str, data: bytes) -> None:
        temporary = self.volume.folder / f"{name}.tmp"
        temporary.write_bytes(data)
        age(temporary)
        temporary.replace(self.volume.folder / name)

    def commit(self) -> Manifest | None:
        found = self.scanner.finished()
        if found is None:
            return None
        with found:
            self.newest = self.checkpoints.commit(
                1, found, parent=None, step=None, at=0.0, format="rename", previous=self.newest
            )
        self.scanner.mark_committed(found.signature)
        return self.newest


LARGE_DATA = bytes(range(256)) * (staging.LARGE // 128)


@pytest.fixture
def training(volume: Volume, tmp_path: Path) -> Training:
    return Training(volume, Checkpoints(FileObjects(tmp_path / "bucket"), "r"))


def test_a_large_file_that_is_certainly_new_is_read_only_to_be_sent(training: Training, read: list[str]) -> None:
    training.save("large", LARGE_DATA)
    first = training.commit()
    training.save("large", bytes(len(LARGE_DATA)))
    second = training.commit()
    training.save("large", bytes(len(LARGE_DATA) + 1))
    third = training.commit()
    assert read == []
    assert first is not None
    assert second is not None
    assert third is not None
    sums = [hashlib.sha256(data).hexdigest() for data in (LARGE_DATA, bytes(len(LARGE_DATA)), bytes(len(LARGE_DATA) + 1))]
    assert [manifest.files[0].sha256 for manifest in (first, second, third)] == sums
    assert training.commit() is None
    assert read == []


def test_a_large_file_whose_samples_are_equal_is_told_by_its_hash(training: Training, read: list[str]) -> None:
    training.save("large", LARGE_DATA)
    first = training.commit()
    changed = bytearray(LARGE_DATA)
    changed[staged.SAMPLE + 1] ^= 1  # between two samples
    training.save("large", bytes(changed))
    second = training.commit()
    assert read == ["large"]
    training.save("large", bytes(changed))
    assert training.commit() is None
    assert read == ["large", "large"]
    assert first is not None
    assert second is not None
    assert second.files[0].sha256 == hashlib.sha256(changed).hexdigest() != first.files[0].sha256


def test_a_large_file_written_anew_with_the_same_bytes_is_not_sent_again(training: Training) -> None:
    training.save("large", LARGE_DATA)
    training.save("small", b"1")
    first = training.commit()
    training.save("large", LARGE_DATA)
    training.save("small", b"2")
    second = training.commit()
    assert first is not None
    assert second is not None
    assert second.files[0] == first.files[0]
    assert second.files[1].key != first.files[1].key


def test_a_large_file_that_lies_elsewhere_by_now_is_not_sent_again(training: Training, read: list[str]) -> None:
    training.save("1-trace", LARGE_DATA)
    first = training.commit()
    training.save("2-trace", LARGE_DATA)
    training.save("large", bytes(len(LARGE_DATA)))
    second = training.commit()
    assert first is not None
    assert second is not None
    keys = {file.path: file.key for file in second.files}
    assert keys["1-trace"] == keys["2-trace"] == first.files[0].key
    assert read == ["2-trace"]  # what is certainly new is still read only to be sent


def test_after_a_restore_everything_is_compared_by_its_hash(training: Training, read: list[str]) -> None:
    training.save("large", LARGE_DATA)
    first = training.commit()
    assert first is not None
    restarted = Scanner(training.volume.folder, training.volume.staging, "rename")
    restarted.mark_committed(signature_of(first.files))
    assert restarted.finished() is None
    assert read == ["large"]


def test_a_signature_that_nobody_knows_yet_is_had_when_it_is_asked_for(training: Training) -> None:
    training.save("large", LARGE_DATA)
    training.save("small", b"1")
    found = training.scanner.finished()
    assert found is not None
    assert [file.hashed is None for file in found.files] == [True, False]
    assert found.signature == signature_of(found.files)
    assert found.files[0].hashed == hashlib.sha256(LARGE_DATA).hexdigest()


def test_a_large_file_that_grows_while_it_is_sent_commits_nothing(volume: Volume, tmp_path: Path) -> None:
    class Racing(FileObjects):
        def upload(self, key: str, path: Path) -> str | None:
            with path.open("ab") as file:
                file.write(b"more")
            return super().upload(key, path)

    training = Training(volume, Checkpoints(Racing(tmp_path / "bucket"), "r"))
    training.save("large", LARGE_DATA)
    with pytest.raises(CheckpointError, match="large changed while it was read"):
        training.commit()
    assert training.checkpoints.committed(1) == []


def test_the_last_look_reads_what_had_not_settled(volume: Volume, read: list[str]) -> None:
    scanner = Scanner(volume.folder, volume.staging, "rename")
    volume.save(1)
    assert looked(scanner)
    assert scanner.finished(settled=True) is None
    assert len(read) == 2


def test_a_file_that_is_written_in_place_while_it_is_sent_commits_nothing(volume: Volume, tmp_path: Path) -> None:
    class Racing(FileObjects):
        def upload(self, key: str, path: Path) -> str | None:
            stamp = path.stat().st_mtime_ns
            with path.open("r+b") as file:
                file.write(b"X")
            age(path, stamp)  # as a write through a memory map does
            return super().upload(key, path)

    checkpoints = Checkpoints(Racing(tmp_path / "bucket"), "r")
    checkpoints.establish_base(1, 0.0)
    with pytest.raises(CheckpointError, match="state changed while it was read"):
        commit(checkpoints, volume, 1, 10)
    assert checkpoints.committed(1) == []


def test_a_bucket_that_does_not_hash_is_not_believed(volume: Volume, tmp_path: Path) -> None:
    class Silent(FileObjects):
        def upload(self, key: str, path: Path) -> None:
            super().upload(key, path)

        def download(self, key: str, path: Path) -> None:
            super().download(key, path)
            path.write_text("state after 1X")

    checkpoints = Checkpoints(Silent(tmp_path / "bucket"), "r")
    checkpoints.establish_base(1, 0.0)
    commit(checkpoints, volume, 1, 10)
    restored = checkpoints.restore(1, tmp_path / "new")
    assert [s.reason for s in restored.skipped] == ["state does not match its hash"]


def test_many_files_come_back_as_they_were(volume: Volume, tmp_path: Path) -> None:
    checkpoints = Checkpoints(FileObjects(tmp_path / "bucket"), "r")
    checkpoints.establish_base(1, 0.0)
    parts = {f"part-{n}": str(n) for n in range(2 * MANY)}
    commit(checkpoints, volume, 1, 10, None, **parts)
    assert checkpoints.restore(1, tmp_path / "new").bytes_downloaded > 0
    assert {p.name: p.read_text() for p in (tmp_path / "new").iterdir()} == volume.files()


class Machine:
    """Two cores whose time passes only when somebody works or waits."""

    def __init__(self) -> None:
        self.time = self.cpu = 0.0

    def work(self, seconds: float) -> None:
        self.time += seconds
        self.cpu += seconds

    def wait(self, seconds: float) -> None:
        assert 0 < seconds <= LONGEST
        self.time += seconds

    def throttle(self, share: float | None) -> Throttle:
        throttle = Throttle(share, cores=2, now=lambda: self.time, used=lambda: self.cpu, wait=self.wait)
        throttle.impose()
        return throttle


@pytest.mark.parametrize("share", [0.01, 0.05, 0.25, 0.5])
@pytest.mark.parametrize("piece", [0.001, 0.02, 0.4])
def test_over_any_stretch_no_more_than_the_share_is_used(share: float, piece: float) -> None:
    machine = Machine()
    throttle = machine.throttle(share)
    marks = [(0.0, 0.0)]
    for number in range(400):
        if number == 200:
            machine.time += 1000.0  # idle time is not saved up
        throttle.pause()
        marks.append((machine.time, machine.cpu))
        machine.work(piece)
    for n, (begun, before) in enumerate(marks[1:], 1):
        for until, after in marks[n:]:
            assert after - before <= share * 2 * (until - begun) + BURST + piece + 1e-9
    slowest = max(share * 2 * (machine.time - 1000.0), 1e-9)
    assert machine.cpu >= 0.8 * min(slowest, machine.time - 1000.0) or share * 2 >= 1  # the share may be used, too


def test_without_a_share_nothing_waits() -> None:
    machine = Machine()
    throttle = machine.throttle(None)
    for _ in range(100):
        throttle.pause()
        machine.work(1.0)
    assert machine.time == machine.cpu


def test_a_lifted_limit_waits_no_more() -> None:
    machine = Machine()
    throttle = machine.throttle(0.01)
    throttle.pause()
    machine.work(100.0)
    throttle.lift()
    throttle.pause()
    assert machine.time == 100.0


def test_a_limit_holds_only_while_it_is_imposed() -> None:
    machine = Machine()
    throttle = Throttle(0.01, cores=2, now=lambda: machine.time, used=lambda: machine.cpu, wait=machine.wait)
    machine.work(100.0)
    throttle.pause()
    assert machine.time == 100.0  # what was used before training is no debt
    throttle.impose()
    machine.work(1.0)
    throttle.pause()
    assert machine.time == pytest.approx(100.0 + 1.0 / 0.02, abs=2 * BURST / 0.02)


def test_an_upload_pauses_before_each_part(tmp_path: Path, s3_url: str) -> None:
    (tmp_path / "large").write_bytes(bytes(3 * PART))
    pauses: list[int] = []
    for url in (s3_url, (tmp_path / "bucket").as_uri()):
        pauses.clear()
        open_objects(url, pause=lambda: pauses.append(1)).upload("k", tmp_path / "large")
        assert len(pauses) >= 3
