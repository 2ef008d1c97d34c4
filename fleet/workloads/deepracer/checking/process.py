"""Starts the process in which a reward function is called, listens to it, and ends it whatever it does."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from fleet.workloads.deepracer.checking.sampling import Samples

NAME = "reward_function.py"
MOST_BYTES = 32 << 20
"""Results are a few dozen bytes for each call; more is somebody's mischief."""
_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); from fleet.workloads.deepracer.checking.sandbox.run import run; "
    "run(int(sys.argv[2]), int(sys.argv[3]))"
)
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS")
_KEPT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
_LINE = re.compile(rf'File "{re.escape(NAME)}", line (\d+)')


@dataclass(frozen=True, slots=True)
class Limits:
    """What a reward function may use."""

    call: float = 4.0
    """Seconds without a result after which it hangs."""
    load: float = 10.0
    """Seconds for the import of its file, and of what it imports."""
    total: float = 30.0
    """Seconds for everything."""
    memory: int = 1 << 30
    """Bytes of address space."""


@dataclass(slots=True)
class Trouble:
    """A kind of call that did not end with a plain number."""

    kind: str
    type: str | None
    text: str
    line: int | None
    missing: str | None = None
    """The module that could not be imported."""
    count: int = 0
    first: int = -1
    """The place of the first such call."""


@dataclass(slots=True)
class Outcome:
    """What came of it."""

    asked: int
    """Calls that were to be made."""
    end: Literal["done", "hung", "too-long", "died", "no-memory"] = "died"
    rewards: dict[int, float] = field(default_factory=dict)
    """By the call's place in the order."""
    seconds: float = 0.0
    """In all calls together."""
    troubles: list[Trouble] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    functions: dict[str, int] | None = None
    """Names and lines, if the wanted one is missing."""
    imports: dict[str, int] = field(default_factory=dict)
    """What the file imports and Python does not bring, with lines."""
    newer: tuple[int | None, str] | None = None
    """Where it needs a newer Python than the stack's."""
    loaded: bool = False
    confined: dict[str, Any] = field(default_factory=dict)
    printed: int = 0
    printed_at_once: int = 0
    status: int | None = None
    """The exit status, if it died."""
    line: int | None = None
    """Where it was, if it hung or crashed."""

    @property
    def last(self) -> int:
        """The place of the last call that ended."""
        return max([-1, *self.rewards, *(trouble.first for trouble in self.troubles)])


def call_all(
    source: str, samples: Samples, order: Sequence[tuple[int, int]], limits: Limits, python: tuple[int, int] | None = None
) -> Outcome:
    """Call it with parameter sets in this order: pairs of an episode and a row. Never raises for what the function does.

    ``python`` is the version that the file has to be written for, if it is an old one.
    """
    outcome = Outcome(len(order))
    reader, writer = os.pipe()
    with tempfile.TemporaryFile() as job, contextlib.ExitStack() as stack:
        stack.callback(os.close, reader)
        _write_job(job, source, samples, order, limits, python)
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-B", "-c", _PROGRAM, str(_root()), str(writer), str(os.getpid())],
                stdin=job,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[writer],
                cwd="/",
                env=_environment(),
                start_new_session=True,
            )
        finally:
            os.close(writer)
        try:
            _listen(reader, process, outcome, limits)
            if outcome.end == "died":
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(1.0)  # it closed the pipe: let it say how it ends
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            outcome.status = process.wait()
    return outcome


def _root() -> Path:
    """The folder that holds fleet's package: the process begins without this one's paths."""
    return Path(__file__).resolve().parents[4]


def _environment() -> dict[str, str]:
    """Nothing of the caller's: no name, no path, no credentials."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {"PATH": os.defpath, "LANG": "C.UTF-8", **dict.fromkeys(_THREADS, "1"), **kept}


def _write_job(
    file: IO[bytes],
    source: str,
    samples: Samples,
    order: Sequence[tuple[int, int]],
    limits: Limits,
    python: tuple[int, int] | None,
) -> None:
    job = {
        "python": python,
        "source": source,
        "keys": samples.keys,
        "waypoints": [track.centre.points.tolist() for track in samples.tracks],
        "episodes": [{"track": episode.track, "rows": episode.rows} for episode in samples.episodes],
        "order": list(order),
        "seconds": int(limits.total) + 2,
        "memory": limits.memory,
    }
    file.write(json.dumps(job).encode("utf-8"))
    file.seek(0)


def _listen(reader: int, process: subprocess.Popen[bytes], outcome: Outcome, limits: Limits) -> None:
    """Until the end is told, nothing comes for too long, or the process is gone."""
    begun = heard = time.monotonic()
    rest = b""
    taken = 0
    while outcome.end == "died":  # until something else is told
        patience = limits.call if outcome.loaded else limits.load
        now = time.monotonic()
        wait = min(heard + patience, begun + limits.total) - now
        if wait <= 0:
            outcome.end = "too-long" if now >= begun + limits.total else "hung"
            if _size(process.pid) > limits.memory / 2:
                outcome.end = "no-memory"
            _ask_where(reader, process, outcome)
            return
        if not select.select([reader], [], [], wait)[0]:
            continue
        data = os.read(reader, 1 << 16)
        taken += len(data)
        if not data or taken > MOST_BYTES:
            return
        heard = time.monotonic()
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            with contextlib.suppress(ValueError, KeyError, TypeError, IndexError):  # what is no result is not believed
                _hear(line.decode("utf-8", "replace"), outcome)


def _size(process: int) -> float:
    """Bytes of address space."""
    import psutil

    with contextlib.suppress(psutil.Error):
        return float(psutil.Process(process).memory_info().vms)
    return 0.0


def _ask_where(reader: int, process: subprocess.Popen[bytes], outcome: Outcome) -> None:
    """faulthandler answers a signal from within whatever is running, even if no line of Python ends."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGUSR1)
    until = time.monotonic() + 0.5
    text = b""
    while outcome.line is None and (wait := until - time.monotonic()) > 0 and select.select([reader], [], [], wait)[0]:
        data = os.read(reader, 1 << 16)
        text += data
        if found := _LINE.search(text.decode("utf-8", "replace")):
            outcome.line = int(found[1])
        if not data or len(text) > MOST_BYTES:
            return


def _hear(line: str, outcome: Outcome) -> None:  # noqa: C901 - one branch for each letter
    """One line of sandbox/run.py's; its docstring says what the letters mean."""
    letter, _, words = line.partition(" ")
    if letter == "C":
        at, reward, told = words.split()
        seconds = float(told)
        if not 0 <= int(at) < outcome.asked or not 0.0 <= seconds < 1e6:
            raise ValueError("no call of ours")
        outcome.rewards[int(at)] = float(reward)
        outcome.seconds += seconds
    elif letter == "X":
        at, number = words.split()
        trouble = outcome.troubles[int(number)]
        trouble.first = int(at) if not trouble.count else trouble.first
        trouble.count += 1
    elif letter == "K":
        told = json.loads(words.partition(" ")[2])
        line_number = told["line"] if isinstance(told.get("line"), int) else None
        outcome.troubles.append(
            Trouble(str(told["kind"]), told.get("type"), str(told["text"]), line_number, told.get("missing"))
        )
    elif letter == "B":
        outcome.refused.append(json.loads(words))
    elif letter == "H":
        outcome.confined = json.loads(words)
    elif letter == "N":
        outcome.functions = {str(name): int(at) for name, at in json.loads(words).items()}
    elif letter == "L":
        outcome.imports = {str(name): int(at) for name, at in json.loads(words).items()}
    elif letter == "V":
        told = json.loads(words)
        outcome.newer = told["line"], str(told["text"])
    elif letter == "I":
        outcome.loaded = True
    elif letter == "M":
        outcome.end = "no-memory"
    elif letter == "E":
        outcome.printed, outcome.printed_at_once = map(int, words.split())
        outcome.end = "done"
    elif found := _LINE.search(line):
        outcome.line = outcome.line or int(found[1])
