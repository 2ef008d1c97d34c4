"""``fleet exec`` over a real sshd: bytes, arguments, exit codes and Ctrl-C as if the command ran here."""

from __future__ import annotations

import os
import pty
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.ssh.conftest import MakeSshd, until

pytestmark = pytest.mark.system

Drive = Callable[..., "subprocess.Popen[bytes]"]


def done(process: subprocess.Popen[bytes], feed: bytes | None = None) -> tuple[int, bytes, bytes]:
    out, err = process.communicate(feed, timeout=60)
    return process.returncode, out, err


@pytest.mark.usefixtures("training")
def test_what_is_printed_and_returned_is_the_commands_own(sshd: MakeSshd, drive: Drive) -> None:
    program = r"printf 'out \000\377\n'; printf 'err \376\n' >&2; exit 42"
    assert done(drive(sshd(), "sh", "-c", program)) == (42, b"out \0\xff\n", b"err \xfe\n")


@pytest.mark.usefixtures("training")
def test_arguments_arrive_as_they_were_given(sshd: MakeSshd, drive: Drive) -> None:
    odd: list[str | bytes] = [
        "",
        " ",
        "a b",
        "'",
        '"',
        "$HOME",
        "`id`",
        "$(id)",
        "*",
        "\\",
        "\n",
        "~",
        "-n",
        "--",
        "A=B",
        "!!",
        "ü",
        b"\xff\xfe",
    ]
    code, out, err = done(drive(sshd(), "printf", "%s\\0", *odd))
    assert (code, err) == (0, b"")
    assert out.split(b"\0")[:-1] == [os.fsencode(word) for word in odd]


def test_a_command_runs_where_the_training_runs_and_with_its_environment(
    sshd: MakeSshd, drive: Drive, training: Path
) -> None:
    code, out, _ = done(drive(sshd(), "sh", "-c", "pwd; echo $MARK; echo $FLEET_CHECKPOINTS; echo ${SSH_CONNECTION-none}"))
    assert (code, out.decode().splitlines()) == (0, [str(training), "the mark", f"{training}/checkpoints", "none"])


def test_while_nothing_trains_it_says_so(sshd: MakeSshd, drive: Drive) -> None:
    code, out, err = done(drive(sshd(), "ls"))
    assert (code, out) == (1, b"")
    assert err.startswith(b"fleet: nothing runs on this machine yet")


@pytest.mark.usefixtures("training")
def test_a_program_that_is_not_there_is_named(sshd: MakeSshd, drive: Drive) -> None:
    for name in ("no-such-program", "A=B"):
        code, _, err = done(drive(sshd(name), name))
        assert (code, err) == (1, f"fleet: {name} cannot be started there: No such file or directory\n".encode())


@pytest.mark.usefixtures("training")
def test_standard_input_goes_there_to_its_end(sshd: MakeSshd, drive: Drive) -> None:
    data = os.urandom(3_000_000)
    server = sshd()
    assert done(drive(server, "cat", stdin=subprocess.PIPE), data) == (0, data, b"")
    assert done(drive(server, "sh", "-c", "read word; echo $word", stdin=subprocess.PIPE), b"first\n" * 500_000)[:2] == (
        0,
        b"first\n",
    )


@pytest.mark.usefixtures("training")
def test_a_reader_that_goes_away_ends_the_command(sshd: MakeSshd, drive: Drive) -> None:
    process = drive(sshd(), "sh", "-c", "echo $$; exec yes")
    assert process.stdout is not None
    there = int(process.stdout.readline())
    process.stdout.close()
    assert process.wait(timeout=20) != 0
    until(lambda: not psutil.pid_exists(there))
    assert process.stderr is not None
    process.stderr.close()


@pytest.mark.usefixtures("training")
def test_ctrl_c_reaches_the_command_and_what_it_started(sshd: MakeSshd, drive: Drive) -> None:
    child = "trap 'echo child heard; exit' INT; echo ready; while true; do sleep 0.05; done"
    program = f"trap 'echo heard; exit 9' INT; sh -c {shlex.quote(child)}; exit 8"
    process = drive(sshd(), "bash", "-c", program)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGINT)
    code, out, err = done(process)
    assert (code, sorted(out.split(b"\n")), err) == (9, [b"", b"child heard", b"heard"], b"")


@pytest.mark.usefixtures("training")
def test_a_command_that_ctrl_c_kills_returns_what_a_shell_would(sshd: MakeSshd, drive: Drive) -> None:
    process = drive(sshd(), "sh", "-c", "echo ready; exec sleep 100")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert done(process)[0] == 128 + signal.SIGINT


@pytest.mark.usefixtures("training")
def test_a_command_that_does_not_end_is_left_after_the_third_ctrl_c(sshd: MakeSshd, drive: Drive) -> None:
    process = drive(sshd(), "sh", "-c", "trap 'echo heard' INT; echo $$; while true; do sleep 0.1; done")
    assert process.stdout is not None
    there = int(process.stdout.readline())
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == b"heard\n"
    process.send_signal(signal.SIGINT)
    code, _, err = done(process)
    assert code in (-signal.SIGINT, 130)
    assert b"Ctrl-C once more leaves it running there" in err
    assert psutil.pid_exists(there)


@pytest.mark.usefixtures("training")
@pytest.mark.parametrize("how", ["drops", "hangs"])
def test_a_connection_that_is_lost_meanwhile_is_an_error_of_its_own(sshd: MakeSshd, drive: Drive, how: str) -> None:
    server = sshd()
    process = drive(server, "sh", "-c", "echo ready; exec sleep 100")
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    server.drop() if how == "drops" else server.hang()
    begin = time.monotonic()
    code, out, err = done(process)
    assert time.monotonic() - begin < 10
    assert (code, out) == (1, b"")
    assert b"ConnectionLostError: the connection to the machine was lost" in err


@pytest.mark.usefixtures("training")
def test_at_a_terminal_the_command_has_one(sshd: MakeSshd, drive: Drive) -> None:
    """Of the same size, with Ctrl-C as its own key, and this one as it was before afterwards."""
    mine, theirs = pty.openpty()
    subprocess.run(["stty", "rows", "33", "cols", "77"], stdin=theirs, check=True)
    before = subprocess.run(["stty", "-g"], stdin=theirs, capture_output=True, check=True).stdout
    program = "stty size; trap 'echo heard; exit 5' INT; read word; echo got $word; while true; do sleep 0.05; done"
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    process = drive(sshd(), "bash", "-c", program, env={**os.environ, "COLUMNS": "", "LINES": ""}, **streams)
    seen = _read(mine, b"33 77\r\n")
    os.write(mine, b"a word\r")
    seen += _read(mine, b"got a word\r\n")
    os.write(mine, b"\x03")
    seen += _read(mine, b"heard\r\n")
    assert process.wait(timeout=20) == 5, seen
    assert subprocess.run(["stty", "-g"], stdin=theirs, capture_output=True, check=True).stdout == before
    os.close(mine)
    os.close(theirs)


def test_a_shell_without_the_openssh_client(sshd: MakeSshd, drive: Drive) -> None:
    mine, theirs = pty.openpty()
    process = drive(sshd(), "--shell", stdin=theirs, stdout=theirs, stderr=theirs)
    os.write(mine, b"echo $((40+2)) there; exit 3\r")
    _read(mine, b"42 there\r\n")
    assert process.wait(timeout=20) == 3
    os.close(mine)
    os.close(theirs)


def _read(terminal: int, wanted: bytes) -> bytes:
    seen, deadline = b"", time.monotonic() + 20
    while wanted not in seen:
        assert time.monotonic() < deadline, seen
        if select.select([terminal], [], [], 0.1)[0]:
            seen += os.read(terminal, 65536)
    return seen
