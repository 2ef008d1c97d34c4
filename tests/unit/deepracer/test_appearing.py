"""A folder appears whole or not at all, and what a death left is no hindrance."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from fleet.model.errors import FleetError
from fleet.workloads.deepracer.versions.appearing import MAKING, appearing


def rest(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_appears_when_the_body_is_done(tmp_path: Path) -> None:
    with appearing(tmp_path / "new" / "a-1") as folder:
        (folder / "file").write_text("x")
        assert not (tmp_path / "new" / "a-1").exists()
    assert (tmp_path / "new" / "a-1" / "file").read_text() == "x"
    assert rest(tmp_path / "new") == ["a-1"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        with appearing(tmp_path / "a-1") as folder:
            (folder / "file").write_text("x")
            raise error

    with pytest.raises(error):
        fail()
    assert rest(tmp_path) == []


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_is_there_is_left_as_it_is(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "a-1"
    if kind == "link":
        target.symlink_to("nowhere")
    else:
        target.mkdir() if kind == "folder" else target.touch()
    with pytest.raises(FleetError, match="is there already"), appearing(target):
        raise AssertionError
    assert rest(tmp_path) == ["a-1"]


def test_who_is_first_has_the_name(tmp_path: Path) -> None:
    def make_one_while_another_is_made() -> None:
        with appearing(tmp_path / "a-1") as slow:
            (slow / "file").write_text("slow")
            with appearing(tmp_path / "a-1") as quick:
                assert slow.exists()  # somebody works there: it is not cleared away
                (quick / "file").write_text("quick")

    with pytest.raises(FleetError, match="is there already"):
        make_one_while_another_is_made()
    assert (tmp_path / "a-1" / "file").read_text() == "quick"
    assert rest(tmp_path) == ["a-1"]


def test_a_killed_making_leaves_nothing_under_the_name_and_goes_with_the_next(tmp_path: Path) -> None:
    (tmp_path / f"{MAKING}a-10-0123abcd").mkdir()  # of another version's name
    pid = os.fork()
    if pid == 0:
        with appearing(tmp_path / "a-1") as folder:
            (folder / "half").write_text("x")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    left = rest(tmp_path)
    assert "a-1" not in left
    assert len(left) == 2
    with appearing(tmp_path / "a-1") as folder:
        (folder / "whole").write_text("y")
    assert rest(tmp_path) == [f"{MAKING}a-10-0123abcd", "a-1"]
    assert rest(tmp_path / "a-1") == ["whole"]


def test_a_folder_that_appears_between_the_last_look_and_the_renaming_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, target = Path.rename, tmp_path / "a"

    def late(path: Path, to: Path) -> Path:
        target.mkdir()
        (target / "theirs").touch()
        return real(path, to)

    monkeypatch.setattr(Path, "rename", late)
    with pytest.raises(FleetError, match="is there already"), appearing(target) as folder:
        (folder / "mine").touch()
    assert [path.name for path in target.iterdir()] == ["theirs"]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
