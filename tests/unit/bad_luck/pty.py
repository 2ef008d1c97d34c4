"""A user's terminal: a real one (a pty), with the keys that are pressed in it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path

CTRL_C, CTRL_D = b"\x03", b"\x04"


class Terminal:
    """A program in the foreground of a terminal of its own."""

    def __init__(self, words: list[str], env: Mapping[str, str], folder: Path, columns: int = 100) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.said = b""
        self._program = subprocess.Popen(
            [sys.executable, "-m", "fleet.cli", *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={k: v for k, v in env.items() if k != "COLUMNS"},
            cwd=folder,
            start_new_session=True,
            preexec_fn=_take_the_terminal,
        )
        os.close(slave)

    def wait_for(self, words: str, seconds: float = 40) -> None:
        """Until the program said ``words``."""
        end = time.monotonic() + seconds
        while words.encode() not in self.said:
            assert time.monotonic() < end, self.said
            assert self._read(0.2) or self._program.poll() is None, self.said

    def press(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def end(self, seconds: float = 40) -> tuple[int, str]:
        """The exit code, and everything that was said."""
        end = time.monotonic() + seconds
        while self._program.poll() is None:
            assert time.monotonic() < end, self.said
            self._read(0.1)
        while self._read(0):
            pass
        return self._program.returncode, self.said.decode()

    def close(self) -> None:
        self._program.kill()
        self._program.wait()
        os.close(self._master)

    def _read(self, wait: float) -> bool:
        if not select.select([self._master], [], [], wait)[0]:
            return False
        with contextlib.suppress(OSError):  # Linux says EIO once nobody has the other end open
            piece = os.read(self._master, 65536)
            self.said += piece
            return bool(piece)
        time.sleep(wait)
        return False


def _take_the_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
