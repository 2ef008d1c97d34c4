"""What the lines of the containers' logs mean, in every format from 2019 to today.

Lines carry prefixes (``[agent-9] …``, colours, times): what is known is looked for anywhere in them. A line that means
nothing is None; numbers that are none are kept as nan.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Source = Literal["s3", "coach", "trainer", "simulator"]
Kind = Literal[
    "coach-started", "training-worker", "ip-uploaded", "saving", "uploaded", "ready", "iteration", "episode", "evaluation",
    "best-and-last", "sim-trace", "restored", "waiting-ip", "waiting-checkpoint", "lock-wait", "additional-evaluation",
    "nan", "reward-error", "sim-exception", "sim-fault", "out-of-memory", "disk-full", "unknown-runtime", "gpu-mismatch",
    "credentials", "no-bucket", "no-network", "no-image", "stopping", "terminated", "exited", "evaluated",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Signal:
    """One line's meaning. Which of the numbers are said depends on the kind."""

    kind: Kind
    source: Source
    n: int | None = None
    """``uploaded``, ``restored``: of the set. ``best-and-last``, ``additional-evaluation``: the best, or the new one.
    ``iteration``: the epoch, 0 for an iteration's first. ``episode``, ``evaluation``, ``sim-trace``: the episode.
    ``waiting-ip``: seconds."""
    last: int | None = None
    """``best-and-last``, ``additional-evaluation``: of the last set."""
    stem: str | None = None
    """``saving``, ``restored``: ``N_Step-Y.ckpt``."""
    iteration: int | None = None
    """``episode``: after how many iterations. Simulators know of none and always say 0."""
    steps: int | None = None
    """``episode``: of the training so far. ``sim-trace``: within the episode."""
    reward: float | None = None
    """``episode``, ``evaluation``: of the whole."""
    worker: int | None = None
    """``episode``, ``evaluation``: which simulator drove it."""
    loss: float | None = None
    divergence: float | None = None
    entropy: float | None = None
    learning_rate: float | None = None
    """``iteration``, and of ``nan`` if the line says them."""
    code: int | None = None
    """``sim-fault``: FAULT_CODE. ``exited``: the container's exit code."""
    text: str = ""
    """What the line says of an error."""


_NUMBER = r"([-+.\w]+)"
_STEM = re.compile(r"\b(\d+)_Step-(\d+)\.ckpt")
_EPISODE = re.compile(
    rf"(Training|Testing)(?:> | - )Name(?:=|: )[^,\s]*,? Worker(?:=|: )(\d+),? Episode(?:=|: )(\d+),? "
    rf"Total reward(?:=|: ){_NUMBER},? Steps(?:=|: )(\d+),? Training iteration(?:=|: )(\d+)"
)
"""Today's ``Name=…, Worker=…``; in 2019 ``- Name: … Worker: …``."""
_POLICY = re.compile(
    rf"Policy training(?:> | - )Surrogate loss(?:=|: ){_NUMBER},? KL divergence(?:=|: ){_NUMBER},? "
    rf"Entropy(?:=|: ){_NUMBER},? training epoch(?:=|: )(\d+),? learning_rate(?:=|: ){_NUMBER}"
)
_UPLOADED = re.compile(r"Uploaded (\d+) files for checkpoint (\d+)")
_BEST_LAST = re.compile(r"Best checkpoint number: (-?\d+), Last checkpoint number: (-?\d+)")
_ADDITIONAL = re.compile(r"Additional evaluation(?:\. New Checkpoint: (-?\d+), Last Checkpoint: (-?\d+))?")
_EXPECTING = re.compile(r"Expecting checkpoint >= (\d+)\. Waiting")
_WAITING_IP = re.compile(r"Redis server IP: Time elapsed: (\d+) seconds")
_FAULT = re.compile(r"FAULT_CODE: (\d+)")
_TRACE = re.compile(r"SIM_TRACE_LOG:(\d+),(\d+),")
_EXCEPTION = re.compile(r'\{"simapp_exception": .*\}')
_RELAYED = re.compile(r"algo-\d+-\S+\s*\|")
SET_OF_THREE = 3


def heard(source: Source, line: str) -> Signal | None:
    """What a line of a container's log means.

    Coach repeats what its trainer says: that is left to the trainer's own log, or all of it would be heard twice.
    """
    if source == "coach" and _RELAYED.search(line):
        return None
    for mark, read in _KNOWN:
        if mark in line:
            found = read(source, line)
            if found is not None:
                return found
    return None


def exited(source: Source, code: int, text: str = "") -> Signal:
    """What a container's end means: no line says it."""
    return Signal("exited", source, code=code, text=text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _plain(kind: Kind) -> Callable[[Source, str], Signal]:
    return lambda source, _: Signal(kind, source)


def _error(kind: Kind) -> Callable[[Source, str], Signal]:
    return lambda source, line: Signal(kind, source, text=line.strip()[:500])


def _set_of(kind: Kind) -> Callable[[Source, str], Signal | None]:
    def read(source: Source, line: str) -> Signal | None:
        match = _STEM.search(line)
        return Signal(kind, source, n=int(match[1]), stem=match[0]) if match else None

    return read


def _trace(source: Source, line: str) -> Signal | None:
    match = _TRACE.search(line)
    return Signal("sim-trace", source, n=int(match[1]), steps=int(match[2])) if match else None


def _episode(source: Source, line: str) -> Signal | None:
    match = _EPISODE.search(line)
    if match is None:
        return None
    kind: Kind = "episode" if match[1] == "Training" else "evaluation"
    worker, episode, steps, iteration = (int(match[group]) for group in (2, 3, 5, 6))
    reward = _number(match[4])
    return Signal(kind, source, n=episode, reward=reward, steps=steps, iteration=iteration, worker=worker)


def _policy(source: Source, line: str) -> Signal | None:
    """An epoch; one whose loss or entropy is no number is the beginning of a spoilt model, whatever follows."""
    match = _POLICY.search(line)
    if match is None:
        return None
    loss, divergence, entropy, rate = (_number(match[group]) for group in (1, 2, 3, 5))
    spoilt = not all(math.isfinite(value) for value in (loss, divergence, entropy))
    kind: Kind = "nan" if spoilt else "iteration"
    text = match[0] if spoilt else ""
    return Signal(
        kind,
        source,
        n=int(match[4]),
        loss=loss,
        divergence=divergence,
        entropy=entropy,
        learning_rate=rate,
        text=text,
    )


def _uploaded(source: Source, line: str) -> Signal | None:
    match = _UPLOADED.search(line)
    return Signal("uploaded", source, n=int(match[2])) if match and int(match[1]) >= SET_OF_THREE else None


def _best_and_last(source: Source, line: str) -> Signal | None:
    match = _BEST_LAST.search(line)
    return Signal("best-and-last", source, n=int(match[1]), last=int(match[2])) if match else None


def _additional(source: Source, line: str) -> Signal | None:
    match = _ADDITIONAL.search(line)
    if match is None:
        return None
    numbers = (int(match[1]), int(match[2])) if match[1] else (None, None)
    return Signal("additional-evaluation", source, n=numbers[0], last=numbers[1])


def _expecting(source: Source, line: str) -> Signal | None:
    match = _EXPECTING.search(line)
    return Signal("waiting-checkpoint", source, n=int(match[1])) if match else None


def _waiting_ip(source: Source, line: str) -> Signal | None:
    match = _WAITING_IP.search(line)
    return Signal("waiting-ip", source, n=int(match[1])) if match else None


def _fault(source: Source, line: str) -> Signal | None:
    match = _FAULT.search(line)
    return Signal("sim-fault", source, code=int(match[1])) if match else None


def _memory(source: Source, line: str) -> Signal | None:
    """TensorFlow says the same words of memory that it merely would have liked to have."""
    return None if "not a failure" in line else _error("out-of-memory")(source, line)


def _exception(source: Source, line: str) -> Signal:
    """The message out of the JSON; the line as it is, if that is broken off."""
    match = _EXCEPTION.search(line)
    try:
        said = json.loads(match[0])["simapp_exception"]["message"] if match else line
    except (ValueError, KeyError, TypeError, RecursionError):
        said = line
    return Signal("sim-exception", source, text=str(said).strip()[:500])


_KNOWN: tuple[tuple[str, Callable[[Source, str], Signal | None]], ...] = (
    ("SIM_TRACE_LOG:", _trace),
    ("ing> Name=", _episode),
    ("ing - Name:", _episode),
    ("Policy training", _policy),
    ("simapp_exception", _exception),
    ("FAULT_CODE:", _fault),
    ("NaN detected in loss function", _error("nan")),
    ("Reward function error", _error("reward-error")),
    ("in customer reward function. Job failed", _error("reward-error")),
    ("Model checkpoints and other metadata will be stored at", _plain("coach-started")),
    ("Training Worker Args", _plain("training-worker")),
    ("Successfully uploaded ip done", _plain("ip-uploaded")),
    ("Checkpoint> Saving in path=", _set_of("saving")),
    ("Checkpoint> Restoring from path=", _set_of("restored")),
    ("files for checkpoint", _uploaded),
    ("Successfully uploaded .ready", _plain("ready")),
    ("Best checkpoint number:", _best_and_last),
    ("Additional evaluation", _additional),
    ("Expecting checkpoint", _expecting),
    ("Redis server IP: Time elapsed", _waiting_ip),
    ("Found a lock file", _error("lock-wait")),
    ("Received SIGTERM. Checkpointing", _plain("stopping")),
    ("Received termination signal from trainer", _plain("terminated")),
    ("Evaluation job complete", _plain("evaluated")),
    ("ran out of memory", _memory),
    ("OOM when allocating", _error("out-of-memory")),
    ("CUDA_ERROR_OUT_OF_MEMORY", _error("out-of-memory")),
    ("No space left on device", _error("disk-full")),
    ("Unknown runtime specified", _error("unknown-runtime")),
    ("nrecognized runtime", _error("unknown-runtime")),
    ("nknown or invalid runtime name", _error("unknown-runtime")),
    ("could not select device driver", _error("unknown-runtime")),
    ("no kernel image is available for execution", _error("gpu-mismatch")),
    ("CUDA driver version is insufficient", _error("gpu-mismatch")),
    ("Unable to locate credentials", _error("credentials")),
    ("InvalidAccessKeyId", _error("credentials")),
    ("SignatureDoesNotMatch", _error("credentials")),
    ("AccessDenied", _error("credentials")),
    ("NoSuchBucket", _error("no-bucket")),
    ("declared as external, but could not be found", _error("no-network")),
    ("network sagemaker-local not found", _error("no-network")),
    ("pull access denied", _error("no-image")),
    ("manifest unknown", _error("no-image")),
    ("o such image", _error("no-image")),
)
"""What is looked for, the frequent first, and how the line is read."""
