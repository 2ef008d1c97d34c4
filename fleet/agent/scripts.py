"""The machine's own scripts, run beside the agent's rounds: what hangs there must not delay seeing a notice."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence

from fleet.model.base import Seconds

TOLD_BYTES = 400
"""Of what a script complains, so much at its end is passed on."""
DID_NOT_START = 127


class Script:
    """One script, while it runs and after."""

    def __init__(self, words: Sequence[str], most: Seconds) -> None:
        """It is killed, with all it started, once it ran for ``most`` seconds. One that cannot be started has ended."""
        self._until = time.monotonic() + most
        self._name = words[0].rpartition("/")[2]
        self._most = most
        self._child: subprocess.Popen[bytes] | None = None
        self._told = ""
        self.killed = False
        """It took too long. It may still be there: what waits for a broken disk cannot be killed."""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the script may write
        try:
            self._child = subprocess.Popen(
                list(words),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                start_new_session=True,
            )
        except OSError as error:
            self._told = f"{self._name}: {error.strerror or error}"
            self._errors.close()

    def poll(self) -> int | None:
        """Its exit code, once it ended."""
        if self._child is None:
            return DID_NOT_START
        code = self._child.poll()
        if code is None and not self.killed and time.monotonic() > self._until:
            self.kill()
        if code is not None and not self._errors.closed:
            self._told = self._last_words(code)
            self._errors.close()
        return code

    def kill(self) -> None:
        """End it, with all that it started."""
        self.killed = True
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Until it ended, or has been given up."""
        while (code := self.poll()) is None and time.monotonic() < self._until + 1:
            time.sleep(0.02)
        return DID_NOT_START if code is None else code

    @property
    def told(self) -> str:
        """Why it failed, in its own words where it has any. To be asked once it ended, or was given up."""
        return self._told or f"{self._name} did not end within {self._most:.0f} s"

    def _last_words(self, code: int) -> str:
        if self.killed:
            return ""
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - TOLD_BYTES))
        lines = [line.strip() for line in self._errors.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1] if lines else f"{self._name} ended with exit code {code}"


class Errand:
    """The newest order of a kind, carried out in a thread until it succeeds; an older one is dropped for it."""

    def __init__(self, name: str, *, most: Seconds = 30.0, pause: Seconds = 5.0) -> None:
        self._most, self._pause = most, pause
        self._wanted: Sequence[str] | None = None
        self._news = threading.Condition()
        self.problem = ""
        """Why the last try failed; empty once one succeeded."""
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def want(self, words: Sequence[str]) -> None:
        """Do this from now on, in place of what was wanted before."""
        with self._news:
            self._wanted = words
            self._news.notify()

    def _work(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._wanted is not None)
                words = self._wanted
            assert words is not None
            script = Script(words, self._most)
            self.problem = script.told if script.wait() != 0 else ""
            with self._news:
                if self._wanted is words and not self.problem:
                    self._wanted = None
                elif self._wanted is words:
                    self._news.wait(self._pause)


def insist(steps: Sequence[tuple[Sequence[str], Seconds]], wait: Callable[[float], object] = time.sleep) -> None:
    """Carry out steps one after another for ever, in a thread: after each so many seconds are left for it to take effect."""

    def work() -> None:
        while True:
            for words, seconds in steps:
                Script(words, seconds).wait()
                wait(seconds)

    threading.Thread(target=work, name="power-off", daemon=True).start()
