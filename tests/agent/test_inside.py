"""What ``fleet exec`` calls on a machine: it finds the training by what the agent started, and needs nothing of fleet's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fleet.agent import inside


class Proc:
    """/proc, with the processes that a test says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "self").mkdir()

    def add(self, number: int, parent: int, start: int, env: dict[str, str], words: str = "x", name: str = "x") -> None:
        one = self.folder / str(number)
        one.mkdir()
        (one / "environ").write_bytes(b"".join(f"{key}={value}\0".encode() for key, value in env.items()))
        (one / "stat").write_text(f"{number} ({name}) S {parent} " + "0 " * 17 + f"{start} 0\n")
        (one / "cmdline").write_bytes(words.replace(" ", "\0").encode() + b"\0")
        (one / "cwd").symlink_to(f"/somewhere/{number}")


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path / "proc")


TRAINS = {"FLEET_CHECKPOINTS": "/volume/checkpoints", "A": "b=c\nd"}


def test_the_training_is_what_the_agent_started_last(proc: Proc) -> None:
    assert inside.training(proc.folder) is None
    proc.add(1, 0, 0, {})
    proc.add(50, 1, 5, {"FLEET_MACHINE": "ec2"}, name="python3 (x) R 1 2")
    proc.add(900, 50, 10, {**TRAINS, "N": "setup"})
    proc.add(60, 50, 20, {**TRAINS, "N": "run"})  # process numbers begin anew now and then
    proc.add(61, 60, 30, {**TRAINS, "N": "what training started"})
    proc.add(70, 1, 40, {**TRAINS, "N": "in a container, or started by `fleet exec`"})
    proc.add(80, 50, 50, {"N": "docker"})
    assert inside.training(proc.folder) == ("/somewhere/60", {**TRAINS, "N": "run"})


def test_a_process_that_goes_away_while_it_is_looked_at_is_none(proc: Proc) -> None:
    proc.add(50, 1, 5, {"FLEET_MACHINE": "ec2"})
    proc.add(60, 50, 20, TRAINS)
    for name in ("cwd", "stat", "environ"):
        (proc.folder / "60" / name).unlink()
        assert inside.training(proc.folder) is None


def test_a_signal_goes_to_the_program_itself_not_to_sudo_before_it(proc: Proc) -> None:
    words = "/usr/bin/python3 -I /opt/fleet/agent/fleet/agent/inside.py run token ls"
    proc.add(10, 1, 1, {}, "bash -c sudo -n " + words)
    proc.add(11, 10, 2, {}, "sudo -n " + words)
    proc.add(12, 11, 3, {}, words.replace("token", "another"))
    proc.add(13, 11, 4, {}, words)
    assert inside.named("token", proc.folder) == 13
    assert inside.named("nobody", proc.folder) is None


def test_it_needs_nothing_but_python_itself(tmp_path: Path) -> None:
    """Nor does a file of the caller's take the place of one of Python's."""
    (tmp_path / "subprocess.py").write_text("raise SystemExit('taken')")
    words = [sys.executable, "-I", "-S", inside.__file__, "signal", "nobody", "2"]
    done = subprocess.run(
        words, cwd=tmp_path, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(tmp_path)}
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_a_command_ends_with_what_a_shell_would_tell(tmp_path: Path) -> None:
    folder = str(tmp_path.resolve())
    program = "import sys; from fleet.agent import inside; sys.exit(inside.run(sys.argv[2:], sys.argv[1], {'A': 'b'}))"
    for words, code, out in (
        (["/bin/sh", "-c", "pwd; echo $A; exit 7"], 7, f"{folder}\nb\n"),
        (["/bin/sh", "-c", "kill -TERM $$"], 143, ""),
    ):
        command = [sys.executable, "-c", program, folder, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
        assert (done.returncode, done.stdout) == (code, out), done.stderr
