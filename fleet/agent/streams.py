"""What the commands around a stack print: one log, and of the training's own output the lines that the agent hears."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO

from fleet.agent.lines import MOST_LINE, Lines
from fleet.agent.logfile import LogFile
from fleet.agent.process import AFTER_EXIT, own_group
from fleet.model.base import Seconds


class Streams:
    """Commands that are read line by line, so that the output of several is never mixed within one."""

    def __init__(
        self,
        folder: Path,
        env: Mapping[str, str],
        log: LogFile,
        wake: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._folder, self._env, self._log, self._wake = folder, dict(env), log, wake
        self._heard = Lines(clock)
        self._training: threading.Thread | None = None
        self._others: list[threading.Thread] = []
        self._children: list[subprocess.Popen[bytes]] = []
        self.read_at: Seconds = time.time()
        """When the training's last line came, on this machine's clock."""
        self.worth_telling: Callable[[str], bool] = lambda _line: True
        """Whether a line that is not the training's goes into the log."""

    def lines(self) -> list[tuple[float, str]]:
        """What the training printed since the last call."""
        return self._heard.take()

    def say(self, text: str) -> None:
        """A word of fleet's own."""
        self.write([f"fleet: {line}" for line in text.splitlines()])

    def write(self, lines: Iterable[str]) -> None:
        """What a command said that was read otherwise."""
        text = "".join(f"{line}\n" for line in lines if line.strip() and self.worth_telling(line))
        if text:
            self._log.write(text.encode())

    def start(self, words: Sequence[str]) -> subprocess.Popen[bytes]:
        """A command in a group of its own. Raises OSError if it cannot be started."""
        return subprocess.Popen(
            list(words),
            cwd=self._folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=own_group,
        )

    def hear(self, child: subprocess.Popen[bytes], *, training: bool = False) -> None:
        """Read a command's output to its end, into the log."""
        assert child.stdout is not None
        with child.stdout as pipe:
            self._read(pipe, training=training)

    def follow(self, words: Sequence[str], *, training: bool = False) -> None:
        """Read a command's output beside everything else."""
        child = self.start(words)
        reader = threading.Thread(target=self.hear, args=(child,), kwargs={"training": training}, name="output", daemon=True)
        reader.start()
        self._children.append(child)
        if training:
            self._training = reader
        else:
            self._others.append(reader)

    @property
    def hears_training(self) -> bool:
        """Its output is still being read."""
        return self._training is not None and self._training.is_alive()

    def hear_training_out(self) -> None:
        """What it printed before its end is read."""
        if self._training is not None:
            self._training.join(AFTER_EXIT)

    def end(self) -> None:
        """Read what there is, end what goes on, and close."""
        deadline = time.monotonic() + AFTER_EXIT
        for reader in [*([self._training] if self._training else []), *self._others]:
            reader.join(max(0.0, deadline - time.monotonic()))
        for child in self._children:
            signal_group(child, signal.SIGKILL)
            child.wait()
        self._log.finish()

    def _read(self, pipe: IO[bytes], *, training: bool) -> None:
        while line := pipe.readline(MOST_LINE):
            text = line.decode("utf-8", errors="replace").rstrip("\r\n")
            if training or self.worth_telling(text):
                self._log.write(line)
            if training:
                self.read_at = time.time()
                if self._heard.feed(line):
                    self._wake()
        if training:
            self._heard.finish()


def signal_group(child: subprocess.Popen[bytes], number: int) -> None:
    """A signal to a command and what it started, if it still lives."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)
