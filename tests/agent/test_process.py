"""Children of the agent: real shells, real signals."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from fleet.agent.lines import MOST_WAITING
from fleet.agent.logfile import LogFile
from fleet.agent.process import ShellProcess
from fleet.model import layout
from fleet.store.files import FileObjects

Start = Callable[[str], ShellProcess]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LogFile]:
    made = LogFile(tmp_path / "log" / "training.log")
    yield made
    made.close()


@pytest.fixture
def start(tmp_path: Path, log: LogFile) -> Iterator[Start]:
    children: list[ShellProcess] = []

    def run(commands: str) -> ShellProcess:
        env = {"PATH": os.environ["PATH"]}
        children.append(ShellProcess(commands, tmp_path, env, log, threading.Event().set, time.time))
        return children[-1]

    yield run
    for child in children:
        child.kill()
        child._child.wait()
        child._reader.join(10)


def ended(child: ShellProcess, seconds: float = 15) -> int:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        code = child.poll()
        if code is not None:
            return code
        time.sleep(0.01)
    raise AssertionError("it still runs")


def wait_for(child: ShellProcess, word: str) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if any(word in line for _, line in child.lines()):
            return
        time.sleep(0.01)
    raise AssertionError(f"it never said {word!r}")


@pytest.mark.parametrize(
    ("commands", "code"), [("true", 0), ("exit 7", 7), ("false; echo no", 1), ("false | true", 1), ("kill -9 $$", -9)]
)
def test_the_exit_code_is_the_first_failures(start: Start, commands: str, code: int) -> None:
    assert ended(start(commands)) == code


def test_lines_come_with_their_time_and_the_last_one_needs_no_newline(start: Start, log: LogFile) -> None:
    before = time.time()
    child = start("echo one; echo two >&2; printf three")
    ended(child)
    lines = child.lines()
    assert [text for _, text in lines] == ["one", "two", "three"]
    assert all(before <= at <= time.time() for at, _ in lines)
    assert log.tail(2) == "two\nthree"


def test_a_flood_of_output_blocks_nothing(start: Start) -> None:
    child = start("seq 100001 300000; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo fleet.progress step=7; echo end")
    assert ended(child, 60) == 0
    lines = child.lines()
    assert len(lines) == MOST_WAITING  # nobody listened meanwhile: what is meant for the agent is kept
    assert lines[-1][1] == "fleet.progress step=7"
    assert max(len(text) for _, text in lines) <= 8192


def test_asking_to_stop_reaches_everything_that_was_started(start: Start) -> None:
    child = start("trap 'echo saved; exit 0' TERM; sleep 600 & echo ready; wait")
    wait_for(child, "ready")
    child.ask_to_stop(10)
    assert ended(child) == 0
    assert any(text == "saved" for _, text in child.lines())


def test_killing_takes_children_that_ignore_signals_along(start: Start) -> None:
    child = start("trap '' TERM; (trap '' TERM; sleep 600) & echo pid $!; wait")
    deadline = time.monotonic() + 15
    said: list[str] = []
    while not said and time.monotonic() < deadline:
        said += [text for _, text in child.lines() if text.startswith("pid")]
    grandchild = int(said[0].split()[1])
    child.ask_to_stop(10)
    time.sleep(0.2)
    assert child.poll() is None
    child.kill()
    assert ended(child) == -9
    gone = not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == psutil.STATUS_ZOMBIE
    assert gone


def test_a_forked_process_that_holds_the_output_open_does_not_hold_up_the_end(start: Start) -> None:
    begun = time.monotonic()
    assert ended(start("(exec setsid sleep 6) & exit 0")) == 0
    assert time.monotonic() - begun < 5


def test_a_log_ends_at_its_limit_and_says_so(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log", most_bytes=100)
    for _ in range(30):
        log.write(b"0123456789")
    log.close()
    text = (tmp_path / "log").read_text()
    assert text.startswith("0123456789" * 10)
    assert "the log ends here" in text
    assert len(text) < 200


def test_logs_are_shipped_in_pieces_and_never_over_anothers(tmp_path: Path) -> None:
    objects = FileObjects(tmp_path / "bucket")
    first = LogFile(tmp_path / "log")
    first.write(b"one\n")
    first.ship(objects, "r-1", 1)
    first.write(b"two\n")
    first.ship(objects, "r-1", 1)
    first.close()
    again = LogFile(tmp_path / "log")  # the agent was started again
    again.write(b"three\n")
    again.ship(objects, "r-1", 1)
    assert again.unshipped == 0
    again.close()
    chunks = [objects.get(i.key) for i in objects.list(layout.logs("r-1", 1))]
    assert chunks == [b"one\n", b"two\n", b"three\n"]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_secrets_never_reach_the_log_however_they_are_cut(tmp_path: Path, size: int) -> None:
    log = LogFile(tmp_path / "log", hide=["hunter22hunter", "short", "another-secret"])
    text = b"user hunter22 token hunter22hunter! and another-secret, hunter22hunterhunter22hunter; short stays; another-sec"
    for begin in range(0, len(text), size):
        log.write(text[begin : begin + size])
    log.finish()
    log.close()
    told = (tmp_path / "log").read_text()
    assert told == "user hunter22 token ***! and ***, ******; short stays; another-sec"
