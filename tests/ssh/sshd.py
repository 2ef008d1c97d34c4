"""Real sshd processes on ports of this computer, each with a host key of its own, logging in whoever runs the tests."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from fleet.boot.reach import Reach

SSHD = "/usr/sbin/sshd"
SUDO = '#!/bin/sh\ntest "$1" = -n && shift\nexec "$@"\n'
"""Stands in for the machine's: whoever runs the tests is nobody's root."""


def free_port(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def make_key(path: Path, kind: str = "ed25519") -> Path:
    """A key pair; the private half's path."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", str(path)], check=True)
    return path


def public(key: Path) -> str:
    return " ".join(key.with_suffix(".pub").read_text().split()[:2])


@dataclass
class Sshd:
    """One server, to be started and ended at will; it keeps its port and its host key."""

    folder: Path
    authorized: Path
    host: str = "127.0.0.1"
    port: int = 0
    kind: str = "ed25519"
    env: Mapping[str, str] = field(default_factory=dict)
    """What sessions have in their environment, HOME among it; PATH comes behind the server's own programs."""
    process: subprocess.Popen[bytes] | None = None
    _log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self._log = self.folder / "log"
        self.port = self.port or free_port(self.host)
        self.host_key = make_key(self.folder / "host_key", self.kind)
        tools = self.folder / "bin"
        tools.mkdir()
        (tools / "sudo").write_text(SUDO)
        (tools / "sudo").chmod(0o755)
        path = f"{tools}:{self.env.get('PATH', os.environ['PATH'])}"
        told = " ".join(f"{name}={value}" for name, value in {**self.env, "PATH": path}.items())
        listen = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        (self.folder / "config").write_text(
            f"ListenAddress {listen}\nHostKey {self.host_key}\nPidFile none\nAuthorizedKeysFile {self.authorized}\n"
            "StrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            f"AllowAgentForwarding yes\nSetEnv {told}\nLogLevel VERBOSE\n"
        )

    @property
    def reach(self) -> Reach:
        return Reach(self.host, getpass.getuser(), (public(self.host_key),), self.port, name=f"i-{self.port}")

    @property
    def log(self) -> str:
        return self._log.read_text()

    def start(self) -> Sshd:
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where it separates its privileges
        words = [SSHD, "-D", "-f", str(self.folder / "config"), "-E", str(self._log)]
        self.process = subprocess.Popen(words)
        deadline = time.monotonic() + 20
        while "Server listening" not in (self._log.read_text() if self._log.exists() else ""):
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return self

    def processes(self) -> list[psutil.Process]:
        """The server, and a process or two for each connection; not what they run, nor what ends while it is asked."""
        assert self.process is not None
        mine = psutil.Process(self.process.pid)
        return [mine, *(one for one in mine.children(recursive=True) if _is_sshd(one))]

    def hang(self) -> None:
        """As a machine whose processor is gone: the kernel still takes connections."""
        for one in self.processes():
            one.suspend()

    def drop(self) -> None:
        """End every connection, and the server, as a machine that is taken back."""
        for one in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGKILL)

    def end(self) -> None:
        if self.process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                self.drop()
            self.process.kill()
            self.process.wait(timeout=60)


def _is_sshd(process: psutil.Process) -> bool:
    try:
        return process.name().startswith("sshd")
    except psutil.NoSuchProcess:
        return False


@contextlib.contextmanager
def agent(key: Path) -> Iterator[str]:
    """An ssh-agent that holds a key; its socket."""
    program = shutil.which("ssh-agent")
    assert program is not None
    socket_path = f"{key.parent}/agent"
    process = subprocess.Popen([program, "-D", "-a", socket_path], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not Path(socket_path).exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        env = {**os.environ, "SSH_AUTH_SOCK": socket_path}
        subprocess.run(["ssh-add", "-q", str(key)], env=env, check=True, stderr=subprocess.DEVNULL)
        yield socket_path
    finally:
        process.terminate()
        process.wait(timeout=60)
