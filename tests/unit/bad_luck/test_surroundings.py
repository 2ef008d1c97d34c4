"""Surroundings that lack what programs take for granted: streams, a home, a place to write."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fleet.cli.main import main
from tests.unit.bad_luck.conftest import NO_WRITES
from tests.unit.cli.test_commands import Shell

# --- no terminal at all


def closed(shell: Shell, words: list[str], redirections: str) -> subprocess.CompletedProcess[str]:
    """A command whose standard streams are closed before it begins."""
    line = f'exec "$0" -m fleet.cli "$@" {redirections}'
    return subprocess.run(
        ["/bin/sh", "-c", line, sys.executable, *words],
        env=shell.env,
        cwd=shell.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("redirections", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_run_is_started_watched_and_ended_whatever_streams_are_closed(shell: Shell, redirections: str) -> None:
    done = closed(shell, ["up", shell.job(steps=3)], redirections)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done
    for words in (["ps"], ["status", "count"], ["logs", "count"], ["events"], ["ps", "-o", "json"]):
        done = closed(shell, words, redirections)
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), done
    assert shell.runs()[0]["state"] == "succeeded"


def test_what_needs_an_answer_says_so_where_standard_input_is_closed(a_run_that_ended: Shell) -> None:
    done = closed(a_run_that_ended, ["checkpoints", "prune", "count"], "<&-")
    assert done.returncode == 1
    assert "--yes" in done.stderr


if Path("/dev/full").exists():  # Linux

    def test_output_that_cannot_be_written_is_no_success(a_run_that_ended: Shell) -> None:
        done = closed(a_run_that_ended, ["ps"], "> /dev/full")
        assert done.returncode == 1
        assert done.stderr.startswith("fleet: No space left on device")
        assert "Exception ignored" not in done.stderr


def test_a_reader_that_leaves_early_gets_no_traceback(a_run_that_ended: Shell) -> None:
    line = f'"{sys.executable}" -m fleet.cli events | true'
    done = subprocess.run(["/bin/sh", "-c", line], env=a_run_that_ended.env, capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_a_terminal_that_knows_few_characters_gets_the_rest_as_question_marks(a_run_that_ended: Shell) -> None:
    a_run_that_ended.run("note", "count", "漢")
    words = [sys.executable, "-m", "fleet.cli", "status", "count"]
    env = {**a_run_that_ended.env, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False, timeout=40)
    assert (done.returncode, done.stderr) == (0, "")
    assert "note      ?" in done.stdout


# --- homes


def run_in_process(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["fleet", *words])
        with pytest.raises(SystemExit) as end:
            main()
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    code = end.value.code
    return (code if isinstance(code, int) else 0), told.out + told.err


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """No HOME, and a user that no list of users knows."""

    def unknown(_uid: int) -> None:
        raise KeyError("uid not found")

    for name in ("HOME", "FLEET_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("words", [["ps"], ["controller", "run", "--once"], ["volumes", "list"], ["gc"]])
def test_without_a_home_folder_the_user_is_told_to_name_one(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, told = run_in_process(words, capsys)
    assert code == 1
    assert told.startswith("fleet: fleet's home cannot be made")
    assert "Set FLEET_HOME" in told


@pytest.mark.usefixtures("homeless")
def test_with_fleets_home_named_no_other_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    assert run_in_process(["ps"], capsys)[0] == 0
    assert run_in_process(["doctor"], capsys)[0] == 0
    code, told = run_in_process(["controller", "status"], capsys)
    assert (code, "Set HOME" in told) == (1, True)
    job = tmp_path / "job.yaml"
    job.write_text("name: a\nrun: x\nfile_mounts: {data: ~/data}\n")
    code, told = run_in_process(["plan", str(job)], capsys)
    assert (code, "Write the whole path" in told) == (3, True)


def test_a_read_only_home_is_one_clear_message(shell: Shell) -> None:
    shell.env["FLEET_HOME"] = NO_WRITES
    _, err = shell.run("up", shell.job(), code=1)
    assert f"home {NO_WRITES} cannot be written" in err
    assert "Set FLEET_HOME" in err
    assert "chosen" in shell.run("plan", shell.job())[0]  # it writes nothing
    assert "No runs yet" in shell.run("ps")[0]
    assert "bad   home" in shell.run("doctor", code=1)[0]


def test_looking_at_runs_writes_nothing_so_that_a_read_only_home_can_be_looked_at(
    a_run_that_ended: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = os.open

    def read_only(path: str | Path, flags: int, *more: int, **named: int) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR) and str(a_run_that_ended.home.path) in str(path):
            raise OSError(30, "Read-only file system", str(path))
        return real(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", read_only)
    monkeypatch.setenv("FLEET_HOME", str(a_run_that_ended.home.path))
    for words in (["ps"], ["status", "count"], ["events"], ["checkpoints", "list", "count"]):
        code, told = run_in_process(words, capsys)
        assert code == 0, told
