"""Each exit code by a real command that returns it, and how commands end early."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.cli.app import EXIT_CODES, EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_JOB, EXIT_RUN, EXIT_USAGE
from fleet.providers.local.provider import stop_everything
from tests.unit.cli.test_commands import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    yield made
    stop_everything(made.home.local)


def broken_job(shell: Shell) -> list[str]:
    (shell.folder / "wrong.yaml").write_text("name: Wrong\n")
    return ["up", "wrong.yaml"]


def failing_job(shell: Shell) -> list[str]:
    return ["up", shell.job(run="exit 3", extra="retries: {training: 0}\n")]


def interrupted(shell: Shell) -> list[str]:
    shell.run("up", "--detach", shell.job(steps=10_000))
    return ["logs", "-f", "count"]


BY_CODE: dict[int, Callable[[Shell], list[str]]] = {
    EXIT_DONE: lambda _: ["ps"],
    EXIT_FAILED: lambda _: ["status", "nothing"],
    EXIT_USAGE: lambda _: ["status"],
    EXIT_JOB: broken_job,
    EXIT_RUN: failing_job,
    EXIT_INTERRUPTED: interrupted,
}


@pytest.mark.parametrize("code", sorted(EXIT_CODES))
def test_a_real_command_returns_each_code(shell: Shell, code: int) -> None:
    words = BY_CODE[code](shell)
    if code != EXIT_INTERRUPTED:
        shell.run(*words, code=code)
        return
    process = shell.start(*words, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (code, "")


@pytest.mark.parametrize("words", [["events", "-f"], ["events", "-f", "count"], ["up", "{job}"], ["controller", "run"]])
def test_ctrl_c_ends_whatever_follows_with_its_own_code(shell: Shell, words: list[str]) -> None:
    if words[0] != "up":
        shell.run("up", "--detach", shell.job(steps=10_000))
    process = shell.start(*[w.replace("{job}", shell.job(steps=10_000)) for w in words], start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == EXIT_INTERRUPTED
    assert "Traceback" not in err
    assert "Abort" not in err


def test_a_stop_that_is_left_early_tells_programs_how_far_it_is(shell: Shell) -> None:
    shell.run("up", "--detach", shell.job(steps=10_000, run="trap '' TERM; while true; do sleep 0.1; done"))
    process = shell.start("stop", "count", start_new_session=True)
    assert process.stdout is not None
    process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == EXIT_INTERRUPTED
    assert "The word is recorded" in err
    shell.run("down", "count")


def test_a_reader_that_goes_away_is_no_error_to_speak_of(shell: Shell) -> None:
    """With nobody at all at the other end, and with somebody who reads one line of many."""
    shell.run("up", shell.job(run="seq 20000; echo x > result.txt"))
    for words in ("events", "events -o json", "ps", "logs count", "logs count -o json", "schema event", "--help"):
        for reader in ("true", "head -1"):
            done = subprocess.run(
                ["sh", "-c", f"{sys.executable} -m fleet.cli {words} | {reader}"],
                env=shell.env, capture_output=True, text=True, check=False, timeout=60,
            )  # fmt: skip
            assert done.stderr == "", words


def test_exec_passes_its_commands_code_on(shell: Shell) -> None:
    shell.run("up", "--detach", shell.job(steps=10_000))
    shell.until(lambda: shell.runs()[0]["step"])
    shell.run("exec", "count", "--", "sh", "-c", "exit 42", code=42)
