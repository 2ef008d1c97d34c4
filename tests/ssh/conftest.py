"""Keys, servers, a training to go to, and a user who has nothing of the real one's."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.ssh.host import SmallHost
from tests.ssh.sshd import Sshd, make_key, public

MakeSshd = Callable[..., Sshd]
"""Make a server under a name, and start it."""

AGENT = """
import os, subprocess, sys
env = {name: value for name, value in os.environ.items() if not name.startswith("FLEET_")}
env |= {"FLEET_CHECKPOINTS": sys.argv[1] + "/checkpoints", "MARK": sys.argv[2]}
program = "import os, time; print(os.getppid(), os.getpid(), flush=True); time.sleep(600)"
subprocess.run([sys.executable, "-c", program], cwd=sys.argv[1], env=env)
"""
"""What the agent is to a training: its parent."""

INSIDE = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from fleet.agent import inside
training = inside.training
inside.training = lambda: training(Path({proc!r}))
sys.exit(inside.main(sys.argv[1:]))
"""
"""The machine's own program, but for trainings of other tests on this computer, which it does not see."""


@pytest.fixture(autouse=True)
def _nobodys_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The user's own, which every server knows."""
    made = make_key(tmp_path / "id_user")
    (tmp_path / "authorized").write_text(public(made) + "\n")
    return made


@pytest.fixture
def sshd(tmp_path: Path, key: Path) -> Iterator[MakeSshd]:
    made: list[Sshd] = []

    def make(name: str = "sshd", **more: Any) -> Sshd:
        made.append(Sshd(tmp_path / name, tmp_path / "authorized", **more))
        return made[-1].start()

    yield make
    for one in made:
        one.end()


@pytest.fixture
def host(tmp_path: Path, key: Path) -> Iterator[SmallHost]:
    """Whose key the user knows."""
    made = SmallHost(tmp_path / "host", tmp_path / "authorized")
    made.known_to(tmp_path / "home")
    made.sshd.start()
    yield made
    made.sshd.end()


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """What a machine has as inside.py."""
    (tmp_path / "proc").mkdir()
    made = tmp_path / "inside.py"
    made.write_text(INSIDE.format(root=str(Path(__file__).parents[2]), proc=str(tmp_path / "proc")))
    return made


@pytest.fixture
def training(tmp_path: Path, script: Path) -> Iterator[Path]:
    """The folder of one that runs, with MARK in its environment."""
    folder = tmp_path / "workdir"
    folder.mkdir()
    words = [sys.executable, "-c", AGENT, str(folder), "the mark"]
    process = subprocess.Popen(
        words, env={**os.environ, "FLEET_MACHINE": "ec2"}, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    for number in process.stdout.readline().decode().split():
        (tmp_path / "proc" / number).symlink_to(f"/proc/{number}")
    yield folder
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if one.environ().get("FLEET_CHECKPOINTS") == f"{folder}/checkpoints":
                one.kill()
    process.wait(timeout=60)
    process.stdout.close()


@pytest.fixture
def drive(tmp_path: Path, key: Path, script: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start ``fleet exec`` against a server."""
    started: list[subprocess.Popen[bytes]] = []

    def start(server: Sshd, *words: str | bytes, **more: Any) -> subprocess.Popen[bytes]:
        reach = server.reach
        told = {"address": reach.address, "user": reach.user, "keys": reach.keys, "port": reach.port}
        told |= {"identity": str(key), "script": str(script)}
        (tmp_path / "reach.json").write_text(json.dumps(told))
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        command = [sys.executable, "-m", "tests.ssh.drive", str(tmp_path / "reach.json"), *words]
        started.append(subprocess.Popen(command, preexec_fn=hear_ctrl_c, **streams))
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.wait(timeout=60)
        for stream in (one.stdin, one.stdout, one.stderr):
            if stream is not None:
                stream.close()


def hear_ctrl_c() -> None:
    """A shell starts background jobs deaf to SIGINT, and the tests may be one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def until(check: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found
