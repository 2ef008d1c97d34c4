"""Finding a finished checkpoint, and holding on to it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from fleet.store.checkpoints import Scanner
from tests.unit.store.saves import Volume


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path)


def scanner(volume: Volume, format: str = "rename", **more: object) -> Scanner:  # noqa: A002
    return Scanner(volume.folder, volume.staging, format, **more)  # type: ignore[arg-type]


def test_nothing_is_found_where_nothing_is(volume: Volume) -> None:
    assert scanner(volume).finished() is None
    volume.folder.rmdir()
    assert scanner(volume).finished() is None


def test_a_set_is_handed_out_once_and_again_when_it_changes(volume: Volume) -> None:
    look = scanner(volume)
    volume.save(1)
    first = look.finished()
    assert first is not None
    look.mark_committed(first.signature)
    assert look.finished() is None
    volume.save(1)  # the same bytes again
    assert look.finished() is None
    volume.save(2)
    second = look.finished()
    assert second is not None
    assert second.signature != first.signature


def test_a_set_that_was_not_committed_is_handed_out_again(volume: Volume) -> None:
    look = scanner(volume)
    volume.save(1)
    found = look.finished()
    assert found is not None
    found.discard()
    assert look.finished() is not None


@pytest.mark.parametrize("name", ["w.tmp", "w.tmp.123", "w.partial", ".w.swp", "w~", ".tmp-3", ".fleet"])
def test_unfinished_files_are_not_seen(volume: Volume, name: str) -> None:
    (volume.folder / name).write_text("half")
    assert scanner(volume).finished() is None


def test_what_is_staged_stays_as_it_was_while_training_goes_on(volume: Volume) -> None:
    volume.save(1)
    found = scanner(volume).finished()
    assert found is not None
    with found:
        volume.save(2)
        assert [f.source.read_text() for f in found.files] == ["state after 1"]
    assert not found.folder.exists()


def test_a_set_that_changes_while_it_is_looked_at_waits_for_the_next_look(volume: Volume) -> None:
    look = scanner(volume)
    volume.save(1)
    real, calls = look._listing, []

    def listing() -> object:
        calls.append(1)
        if len(calls) == 2:
            volume.save(2)
        return real()

    look._listing = listing  # type: ignore[method-assign,assignment]
    assert look.finished() is None
    found = look.finished()
    assert found is not None
    assert found.files[0].source.read_text() == "state after 2"
    assert [p.name for p in volume.staging.iterdir()] == [found.folder.name]


def test_a_marked_set_is_finished_once_its_marker_stands(volume: Volume) -> None:
    look = scanner(volume, "marker")
    (volume.folder / "step-5").mkdir()
    (volume.folder / "step-5" / "weights").write_text("w")
    (volume.folder / "step-6").mkdir()
    (volume.folder / "step-6" / "weights").write_text("half")
    assert look.finished() is None
    (volume.folder / "step-5" / "DONE").touch()
    found = look.finished()
    assert found is not None
    assert [f.path for f in found.files] == ["step-5/DONE", "step-5/weights"]  # the marker comes back with its set
    (volume.folder / ".ready").touch()
    everything = look.finished()
    assert everything is not None
    assert [f.path for f in everything.files] == [".ready", "step-5/DONE", "step-5/weights", "step-6/weights"]


def test_a_quiet_set_is_finished_after_five_seconds_without_a_change(volume: Volume) -> None:
    now = [0.0]
    look = scanner(volume, "quiet", monotonic=lambda: now[0])
    (volume.folder / "w").write_text("1")
    assert look.finished() is None
    now[0] = 4.9
    assert look.finished() is None
    (volume.folder / "w").write_text("22")
    assert look.finished() is None
    now[0] = 9.8
    assert look.finished() is None
    now[0] = 9.9
    found = look.finished()
    assert found is not None
    (volume.folder / "w").write_text("333")  # written in place: what is staged is a copy
    assert found.files[0].source.read_text() == "22"


def broken_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "x" * 1000)
    data = bytearray(path.read_bytes())
    data[100] ^= 255
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("name", ["w.npz", "w.pt", "c.json", "cut.npz"])
def test_a_set_with_a_broken_file_is_not_handed_out_and_the_file_is_named(volume: Volume, name: str) -> None:
    look = scanner(volume)
    volume.save(1)
    if name == "c.json":
        (volume.folder / name).write_text('{"cut": ')
    elif name == "cut.npz":
        (volume.folder / name).write_bytes(b"PK\x03\x04 and then the power went")
    else:
        broken_zip(volume.folder / name)
    assert look.finished() is None
    assert name in look.problem
    (volume.folder / name).unlink()
    (volume.folder / "c.json").write_text(json.dumps({"whole": True}))
    assert look.finished() is not None
    assert look.problem == ""


def test_a_folder_that_cannot_be_read_is_a_problem_not_a_crash(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    look = scanner(volume)
    volume.save(1)

    def failing(*_args: object) -> None:
        raise OSError(5, "Input/output error", "state")

    monkeypatch.setattr(look, "_take", failing)
    assert look.finished() is None
    assert "Input/output error" in look.problem
