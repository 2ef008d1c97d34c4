"""Packer as a program: found, asked what it is, and run so that it always gets to clean up after itself.

It is in a session of its own: a terminal's Ctrl-C goes to fleet alone, which hands exactly one word on. A second one would
make Packer leave at once, with its machine running. The word is SIGTERM: Packer runs itself once more, as a child that does
the work, and the process that was started ignores SIGINT (a terminal sends it to both) and hands on SIGTERM alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from typing_extensions import Self

from fleet.boot.baking import PLUGINS
from fleet.model.errors import FleetError

OLDEST = (1, 6, 6)
"""The first that reads the template."""
INSTALL = (
    "Install Packer 1.7 or newer: https://developer.hashicorp.com/packer/install "
    "(macOS: brew install hashicorp/tap/packer; Debian has 1.6.6: apt install packer)."
)
ASK_SECONDS = 30
TAIL = 40
"""So many of its last lines are kept, to say why it failed."""
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_BROKEN = re.compile(r"^-->\s*(?P<who>\S+): (?P<why>.+)$")


@dataclass(frozen=True, slots=True)
class Packer:
    """The one that is installed."""

    path: str
    version: tuple[int, ...]

    @property
    def told(self) -> str:
        """For people: ``Packer 1.6.6``."""
        return f"Packer {'.'.join(map(str, self.version))}"


class PackerError(FleetError):
    """A build came to nothing; ``interrupted``: since the user said so."""

    def __init__(self, message: str, hint: str = "", *, interrupted: bool = False) -> None:
        super().__init__(message, hint)
        self.interrupted = interrupted


def find_packer() -> Packer:
    """Raises FleetError if there is none, or one that is too old."""
    path = shutil.which("packer")
    if path is None:
        raise FleetError("there is no program packer, which builds images", INSTALL)
    try:
        done = subprocess.run([path, "version"], capture_output=True, text=True, timeout=ASK_SECONDS, env=environment())
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FleetError(f"{path} does not say its version: {error}", INSTALL) from None
    found = re.search(r"Packer v(\d+)\.(\d+)\.(\d+)", done.stdout)
    if found is None:  # another program has this name: cracklib's
        raise FleetError(f"{path} is not HashiCorp's Packer", f"{INSTALL} It must come first in PATH.")
    version = tuple(map(int, found.groups()))
    if version < OLDEST:
        told = ".".join(map(str, version))
        raise FleetError(f"{path} is Packer {told}, and 1.6.6 is the oldest that reads the template", INSTALL)
    return Packer(path, version)


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What Packer runs with: the user's own, and no word to anybody else."""
    return {**os.environ, "CHECKPOINT_DISABLE": "1", "PACKER_NO_COLOR": "1", **(more or {})}


def command_of(packer: Packer, folder: Path, variables: Path) -> list[str]:
    """What builds the template in a folder."""
    return [packer.path, "build", "-color=false", "-only=amazon-ebs.fleet", f"-var-file={variables}", str(folder)]


def init(packer: Packer, folder: Path, tell: Callable[[str], None]) -> None:
    """Let it download its plugins, where it has any. Raises PackerError."""
    if packer.version >= PLUGINS:
        _run([packer.path, "init", str(folder)], folder, tell, environment())


def build(packer: Packer, folder: Path, variables: Path, tell: Callable[[str], None], env: Mapping[str, str]) -> None:
    """Build, each line of Packer's told as it comes. Raises PackerError, once Packer has cleaned up."""
    _run(command_of(packer, folder, variables), folder, tell, environment(env))


def _run(command: list[str], folder: Path, tell: Callable[[str], None], env: dict[str, str]) -> None:
    last: deque[str] = deque(maxlen=TAIL)
    with (
        _Interrupts(tell) as interrupts,
        subprocess.Popen(
            command, cwd=folder, env=env, text=True, errors="replace", start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process,
    ):  # fmt: skip
        interrupts.watch(process)
        assert process.stdout is not None
        for line in process.stdout:
            shown = _STYLE.sub("", line).rstrip()
            if shown:
                last.append(shown)
                with contextlib.suppress(OSError):  # a terminal that is gone must not stop who cleans up
                    tell(shown)
        code = process.wait()
    if interrupts.came and code != 0:
        raise PackerError("the build was broken off", interrupted=True)
    if code != 0:
        raise PackerError(f"Packer failed: {why_failed(list(last))}", "Its lines above say more.")


def why_failed(lines: list[str]) -> str:
    """The reason among its last lines: what it sums up at the end, else its last word."""
    summed = [found["why"] for line in lines if (found := _BROKEN.match(line))]
    errors = [line.partition("Error:")[2].strip() for line in lines if line.startswith(("Error:", "* Error:"))]
    told = [*summed, *errors, *reversed(lines)]
    return told[0][:500] if told else "it does not say why"


class _Interrupts:
    """Ctrl-C, a terminal that is closed, a kill: each ends the build by one word to Packer, and is waited out."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.came = False
        self._tell = tell
        self._process: subprocess.Popen[str] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def watch(self, process: subprocess.Popen[str]) -> None:
        """From now on it is this one's to clean up; a word that came before is handed on."""
        self._process = process
        if self.came:
            process.send_signal(signal.SIGTERM)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        if not self.came and self._process is not None:
            self._process.send_signal(signal.SIGTERM)
        self.came = True
        with contextlib.suppress(OSError, RuntimeError):  # a line of Packer's may just be on its way out
            self._tell("fleet: Packer ends its machine and cleans up, which takes a minute: wait for it.")
