"""One child of the agent, ``setup`` or ``run``: started, read line by line, asked to stop, and killed with all it forked."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Protocol

from fleet.agent.lines import Lines
from fleet.agent.logfile import LogFile
from fleet.model.base import Seconds

AFTER_EXIT = 2.0
"""Output of a child that exited is waited for so long: something that it forked may hold the pipe for ever."""


OOM_SCORE = "/proc/self/oom_score_adj"
"""Whom Linux kills for lack of memory: 1000 first, -1000 never."""


class Process(Protocol):
    """A child process, as the agent's logic sees it."""

    def poll(self) -> int | None:
        """Its exit code once it ended and all its output was read."""
        ...

    def lines(self) -> list[tuple[float, str]]:
        """The lines printed since the last call, each with the time when it was read; of a flood those of the protocol."""
        ...

    def ask_to_stop(self, within: Seconds) -> None:
        """SIGTERM to everything that it started; so many seconds are left until it is killed."""
        ...

    def kill(self) -> None:
        """SIGKILL to everything that it started."""
        ...

    @property
    def gone(self) -> bool:
        """Nothing of it is left that could hold a file open. An exit code may be known before that."""
        ...


class ShellProcess:
    """Shell commands in a process group of their own, in the agent's session, so that a machine's end takes them along."""

    def __init__(
        self,
        commands: str,
        folder: Path,
        env: Mapping[str, str],
        log: LogFile,
        wake: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        shell = shutil.which("bash")
        arguments = [shell, "-eo", "pipefail", "-c", commands] if shell else ["/bin/sh", "-e", "-c", commands]
        self._wake = wake
        self._log = log
        self._lines = Lines(clock)
        self._exited_at: float | None = None
        self._stopping = self._killed = False
        self._child = subprocess.Popen(
            arguments,
            cwd=folder,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=own_group,
        )
        self._reader = threading.Thread(target=self._read, name="output", daemon=True)
        self._reader.start()
        threading.Thread(target=self._wait, name="exit", daemon=True).start()

    def poll(self) -> int | None:
        """The exit code, once the output is read too; after a wish to stop, once everything that it started is gone.

        The shell that leads several commands dies of SIGTERM at once, while the training behind it still saves.
        """
        code = self._child.poll()
        if code is None or (self._stopping and not self._killed and self._group_lives()):
            return None
        if self._exited_at is None:
            self._exited_at = time.monotonic()
        if self._reader.is_alive() and time.monotonic() - self._exited_at < AFTER_EXIT:
            return None
        return code

    def lines(self) -> list[tuple[float, str]]:
        """What was printed since the last call."""
        return self._lines.take()

    def ask_to_stop(self, within: Seconds) -> None:
        """SIGTERM to the group."""
        self._stopping = True
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the group, also after its leader ended."""
        self._killed = True
        self._signal(signal.SIGKILL)

    @property
    def gone(self) -> bool:
        """Its group is empty."""
        return self._child.poll() is not None and not self._group_lives()

    def _group_lives(self) -> bool:
        try:
            os.killpg(self._child.pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, number)

    def _wait(self) -> None:
        self._child.wait()
        self._reader.join(AFTER_EXIT)
        self._wake()

    def _read(self) -> None:
        assert self._child.stdout is not None
        with self._child.stdout as pipe:
            self._read_lines(pipe)

    def _read_lines(self, pipe: IO[bytes]) -> None:
        while chunk := os.read(pipe.fileno(), 65536):
            self._log.write(chunk)
            if self._lines.feed(chunk):
                self._wake()
        self._log.finish()
        self._lines.finish()


def own_group() -> None:
    """A group of its own for signals; the session stays the machine's. An agent's shelter from lack of memory is its own."""
    os.setpgid(0, 0)
    with contextlib.suppress(OSError):
        score = os.open(OOM_SCORE, os.O_RDWR)
        if os.read(score, 8).startswith(b"-"):
            os.lseek(score, 0, os.SEEK_SET)
            os.write(score, b"0")
        os.close(score)
