"""What trainer and simulator say in a log beside the steps: epochs, episodes, evaluations, sets, trouble."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fleet.workloads.deepracer.analysis.recording import Epoch, Heard
from fleet.workloads.deepracer.analysis.setups import lines_with
from fleet.workloads.deepracer.analysis.steps import Whole
from fleet.workloads.deepracer.metrics import Evaluated
from fleet.workloads.deepracer.signals import Signal, heard

RESTORING = b"Checkpoint> Restoring from path="
EVALUATED = b"Number of evaluations:"
_FINISHED = b"Finished evaluation phase"
_EVALUATED = re.compile(rb"Number of evaluations:\s*(\d+)\s*Evaluation episode progress:\s*(\[[^\]\n]*\])")
_REWARD = re.compile(rb"Avg Total Reward = ([-+.\w]+)")
_TROUBLE = (b"NaN detected in loss function", b"Reward function error", b"in customer reward function. Job failed",
            b"simapp_exception", b"FAULT_CODE:", b"Found a lock file", b"ran out of memory", b"OOM when allocating",
            b"CUDA_ERROR_OUT_OF_MEMORY", b"No space left on device")  # fmt: skip
_ADDITIONAL = b"Additional evaluation"
_EPISODES = (b"Training> Name", b"Training - Name")
_POLICY, _SAVING, _BEST = b"Policy training", b"Checkpoint> Saving in path=", b"Best checkpoint number:"
MARKS = (RESTORING, EVALUATED, _FINISHED, *_TROUBLE, _ADDITIONAL, *_EPISODES, _POLICY, _SAVING, _BEST)
"""Of lines that mean something."""
WHOLE_LAP = 100.0


@dataclass(frozen=True)
class Said:
    """All of it."""

    epochs: tuple[Epoch, ...]
    heard: tuple[Heard, ...]
    evaluations: tuple[tuple[int, Evaluated], ...]
    """With the place of the line; the iteration is still to be told by it."""
    saved: tuple[int, ...]
    best: int | None
    additional: tuple[int, ...]
    """Places."""
    trouble: tuple[Signal, ...]
    marks: Whole
    """Places at which a simulator takes up the next policy: what is driven after it belongs to another iteration."""


def said(data: bytes) -> Said:
    """Everything but the steps. Never raises."""
    episodes, epochs = _episodes_and_epochs(data)
    sets = [signal.n for _, signal in _signals(data, _SAVING) if signal.n is not None]
    best = [signal.n for _, signal in _signals(data, _BEST)]
    trouble = [(place, one) for mark in _TROUBLE for place, one in _signals(data, mark)]
    trouble += [(place, one) for place, one in _signals(data, _POLICY) if one.kind == "nan"]
    first: dict[str, Signal] = {}
    for _, one in sorted(trouble, key=lambda pair: pair[0]):
        first.setdefault(one.kind, one)
    restored = [place for place, _ in lines_with(data, RESTORING)]
    judged = tuple(_evaluations(data))
    # A log may have lost the one line or the other; both stand at the same turn, with nothing driven between them.
    marks = sorted({*restored, *(place for place, _ in judged)})
    return Said(
        epochs=epochs,
        heard=episodes,
        evaluations=tuple((place, one) for place, one in judged if one.trials),
        saved=tuple(dict.fromkeys(sets)),
        best=next((n for n in reversed(best) if n is not None and n >= 0), None),
        additional=tuple(place for place, _ in lines_with(data, _ADDITIONAL)),
        trouble=tuple(first.values()),
        marks=np.array(marks, np.int64),
    )


def _signals(data: bytes, mark: bytes) -> Iterator[tuple[int, Signal]]:
    for place, line in lines_with(data, mark):
        signal = heard("trainer", line.decode("utf-8", "replace"))
        if signal is not None:
            yield place, signal


def _episodes_and_epochs(data: bytes) -> tuple[tuple[Heard, ...], tuple[Epoch, ...]]:
    """Epochs belong to the iteration of the episodes told before them, and never to one that was trained on already:
    simulators always say 0, and of some logs only the epochs are left. What is said twice, by coach too, is taken once.
    """
    told = [pair for mark in (*_EPISODES, _POLICY) for pair in _signals(data, mark)]
    episodes: dict[Heard, None] = {}
    epochs: list[Epoch] = []
    told_iteration, before = -1, ""
    for _, one in sorted(told, key=lambda pair: pair[0]):
        if one.kind == "episode":
            episodes[_heard(one)] = None
            told_iteration = max(told_iteration, one.iteration or 0)
            continue
        if (text := repr(one)) == before:
            continue
        before = text
        last = epochs[-1] if epochs else None
        if last is not None and (one.n or 0) > last.epoch:
            epochs.append(_epoch(one, last.iteration))
        else:
            epochs.append(_epoch(one, max(told_iteration, last.iteration + 1 if last is not None else 0)))
    return tuple(episodes), tuple(epochs)


def _heard(one: Signal) -> Heard:
    return Heard(one.worker or 0, one.n or 0, one.iteration or 0, _number(one.reward), one.steps or 0)


def _epoch(one: Signal, iteration: int) -> Epoch:
    numbers = (_number(value) for value in (one.loss, one.divergence, one.entropy, one.learning_rate))
    return Epoch(iteration, one.n or 0, *numbers)


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _evaluations(data: bytes) -> Iterator[tuple[int, Evaluated]]:
    """What the simulator chose its best set by: progress of each trial, and the rewards of the trials before that line."""
    rewards = [(place, float(found[1])) for place, line in lines_with(data, _FINISHED) if (found := _reward(line))]
    done = 0
    for place, line in lines_with(data, EVALUATED):
        found = _EVALUATED.search(line)
        if found is None:
            continue
        until = sum(at < place for at, _ in rewards[done:]) + done
        own = [reward for _, reward in rewards[done:until]]
        done = until
        progress = _progresses(found[2])
        yield (
            place,
            Evaluated(
                iteration=0,
                trials=len(progress),
                reward=sum(own) / len(own) if own else math.nan,
                progress=sum(progress) / len(progress) if progress else 0.0,
                laps=sum(one >= WHOLE_LAP for one in progress),
            ),
        )


def _reward(line: bytes) -> re.Match[bytes] | None:
    found = _REWARD.search(line)
    try:
        return found if found is not None and math.isfinite(float(found[1])) else None
    except ValueError:
        return None


def _progresses(text: bytes) -> list[float]:
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return [max(0.0, float(one)) for one in found if isinstance(one, (int, float))]
