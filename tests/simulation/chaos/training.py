"""A scripted training: each step's result depends on the step before, so that one lost, repeated or skipped shows."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from fleet.agent.logfile import LogFile

STEP_SECONDS = 300.0
SAVE_EVERY = 9
"""Steps."""
LINGERS = 5.0
"""From SIGTERM to its end."""


def after(value: str, step: int) -> str:
    """What a step makes of the state before it."""
    return hashlib.sha256(f"{value}/{step}".encode()).hexdigest()


def model_after(steps: int) -> str:
    """What an uninterrupted training comes to."""
    value = "start"
    for step in range(1, steps + 1):
        value = after(value, step)
    return value


class Training:
    """Saves by temporary file and rename, resumes, saves when asked to stop, ends with its model. Runs when looked at."""

    def __init__(
        self, env: dict[str, str], clock: Callable[[], float], log: LogFile, skew: float, full: Callable[[], bool]
    ) -> None:
        self._clock, self._log, self._skew, self._full = clock, log, skew, full
        self._folder, self._volume = Path(env["FLEET_CHECKPOINTS"]), Path(env["FLEET_VOLUME"])
        self.steps = int(env["STEPS"])
        self._seconds = float(env.get("STEP_SECONDS", STEP_SECONDS))
        self._lines: list[tuple[float, str]] = []
        self.code: int | None = None
        self._stop_at: float | None = None
        self._total = f" total={self.steps}" if env.get("TELLS_TOTAL") == "1" else ""
        self.deaf = env.get("DEAF") == "1"
        """It ignores SIGTERM."""
        try:
            saved = json.loads((self._folder / "state.json").read_text())
        except FileNotFoundError:
            saved = {"step": 0, "value": "start"}
        self.step, self._value = int(saved["step"]), str(saved["value"])
        self._at = clock()

    def next_event(self) -> float:
        """When it next does something that others may see: a save, or its end."""
        if self.code is not None:
            return self._clock()
        if self._stop_at is not None:
            return self._stop_at
        left = min(SAVE_EVERY - self.step % SAVE_EVERY, max(1, self.steps - self.step))
        return self._at + left * self._seconds

    def _go_on(self) -> None:
        """Everything that happened since the last look."""
        now = self._clock()
        while self.code is None:
            if self.step >= self.steps:
                self._end()
                return
            if self._stop_at is not None and self._at + self._seconds > self._stop_at:
                if now >= self._stop_at:
                    self._save(self._stop_at)
                    self.code = 143 if self.code is None else self.code
                return
            if self._at + self._seconds > now:
                return
            self._at += self._seconds
            self.step += 1
            self._value = after(self._value, self.step)
            self._say(f"fleet.progress step={self.step}{self._total}", self._at)
            if self.step % SAVE_EVERY == 0 or self.step >= self.steps:
                self._save(self._at)

    def _end(self) -> None:
        if self._full():
            self.code = 1
            return
        (self._volume / "model").write_text(self._value)
        self.code = 0

    def _save(self, at: float) -> None:
        if self._full():
            self._say(f"OSError: [Errno {errno.ENOSPC}] No space left on device", at)
            self.code = 1
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = self._folder / "state.json.tmp"
        temporary.write_text(json.dumps({"step": self.step, "value": self._value}))
        os.utime(temporary, (at + self._skew, at + self._skew))
        temporary.replace(self._folder / "state.json")
        self._say(f"fleet.saved step={self.step} at={at + self._skew:.6f}", at)

    def _say(self, line: str, at: float) -> None:
        self._log.write(line.encode() + b"\n")
        self._lines.append((at + self._skew, line))

    def poll(self) -> int | None:
        self._go_on()
        return self.code

    def lines(self) -> list[tuple[float, str]]:
        self._go_on()
        said, self._lines = self._lines, []
        return said

    def ask_to_stop(self, within: float) -> None:
        self._go_on()
        if not self.deaf:
            self._stop_at = self._stop_at or self._clock() + LINGERS

    def crash(self) -> None:
        """Its own fault."""
        self._go_on()
        if self.code is None:
            self.code = 1

    def kill(self) -> None:
        self._go_on()
        if self.code is None:
            self.code = -9

    @property
    def gone(self) -> bool:
        return self.code is not None
