"""Training metrics, as the simulator uploads them after every episode: one file per worker, rewritten whole each time.

An entry does not say which iteration it belongs to, but its ``trial`` counts the episodes of one, and so begins anew with
the next. Evaluations stand between them, and drive the set that the iteration before them made its episodes with. Only the
first worker evaluates, and only its trials begin anew: the others' count on for ever, and are told apart by the first one's.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from statistics import median_low
from typing import Any, Literal

Phase = Literal["training", "evaluation"]
COMPLETE = "Lap complete"
FILE = re.compile(r"(?:^|/)TrainingMetrics(?:_(\d+))?\.json$|(?:^|/)training-metrics\.json$")
"""``TrainingMetrics.json`` is the first worker's, ``TrainingMetrics_1.json`` the second's."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One episode of one worker, within one prefix."""

    worker: int
    number: int
    """As written: from 1, each worker for itself."""
    iteration: int
    """Of this prefix, from 0: the episodes that the policy is next trained on."""
    phase: Phase
    reward: float
    progress: float
    """Percent of the lap."""
    status: str
    began: float
    """The simulator's seconds, which begin anew with the simulator."""
    ended: float
    steps: int | None = None
    """None: metrics do not tell."""

    @property
    def seconds(self) -> float:
        """How long the car drove."""
        return max(0.0, self.ended - self.began)


@dataclass(frozen=True, slots=True)
class Metrics:
    """What one file holds."""

    episodes: tuple[Episode, ...]
    best_by: str = "progress"
    """``progress`` or ``reward``: what the stack takes its best model by."""
    problem: str = ""
    """Why something was left out, for people; empty if nothing was."""


def worker_of(name: str) -> int | None:
    """The worker whose file has this name; None if it is no file of training metrics."""
    found = FILE.search(name)
    return None if found is None else int(found[1] or 0)


def read_metrics(data: bytes | str, worker: int = 0) -> Metrics:
    """A file of training metrics. Never raises: what cannot be read is left out and named."""
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        return Metrics((), problem="the metrics are not whole JSON")
    entries = told.get("metrics") if isinstance(told, dict) else None
    if not isinstance(entries, list):
        return Metrics((), problem="the metrics hold no list of episodes")
    episodes = tuple(_numbered(filter(None, (_entry(one, worker) for one in entries))))
    missing = len(entries) - len(episodes)
    best_by = told.get("best_model_metric")
    return Metrics(
        episodes,
        best_by if best_by in ("progress", "reward") else "progress",
        f"{missing} of {len(entries)} episodes cannot be read" if missing else "",
    )


def _entry(told: Any, worker: int) -> tuple[Episode, int] | None:
    """An episode without its iteration, and its ``trial``."""
    if not isinstance(told, dict):
        return None
    phase: Phase = "evaluation" if told.get("phase") == "evaluation" else "training"
    try:
        ended = _number(told, "metric_time") / 1000
        began = _number(told, "start_time") / 1000
        episode = Episode(
            worker=worker,
            number=int(_number(told, "episode")),
            iteration=0,
            phase=phase,
            reward=_number(told, "reward_score"),
            progress=_number(told, "completion_percentage"),
            status=str(told.get("episode_status", "")),
            began=began,
            ended=ended,
        )
        return episode, int(_number(told, "trial"))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _number(told: Mapping[str, Any], key: str) -> float:
    value = float(told[key])
    if not math.isfinite(value):
        raise ValueError(f"{key} is {value}")
    return value


def _numbered(entries: Iterable[tuple[Episode, int]]) -> Iterator[Episode]:
    """Every episode with its iteration."""
    iteration, last = 0, 0
    for episode, trial in entries:
        if episode.phase == "training":
            if trial <= last:
                iteration += 1
            last = trial
        yield replace(episode, iteration=iteration)


def together(files: Iterable[Metrics], per_worker: Callable[[int], int | None] | None = None) -> tuple[Episode, ...]:
    """The episodes of all workers, iteration by iteration: their clocks differ, their iterations do not.

    ``per_worker``: how many a worker drives in each, where it is told; needed only if no worker's trials tell.
    """
    files = list(files)
    counts, total = _first_counts(files)
    episodes: list[Episode] = []
    for one in files:
        training = [episode for episode in one.episodes if episode.phase == "training"]
        if not training or any(episode.iteration for episode in training):
            episodes += one.episodes
        elif counts:
            episodes += _counted(one.episodes, _shared(counts, total, len(training)))
        else:
            per = per_worker(training[0].worker) if per_worker is not None else None
            episodes += _counted(one.episodes, [per or len(training)])
    order = sorted(episodes, key=lambda one: (one.iteration, one.phase == "evaluation", one.ended, one.worker))
    return tuple(order)


def _first_counts(files: Iterable[Metrics]) -> tuple[list[int], int]:
    """Of the worker whose trials begin anew: how many it drove in each iteration that it finished, and in all."""
    for one in files:
        counts = Counter(episode.iteration for episode in one.episodes if episode.phase == "training")
        if len(counts) > 1:
            return [counts[iteration] for iteration in sorted(counts)][:-1], counts.total()
    return [], 0


def _shared(counts: list[int], total: int, own: int) -> list[int]:
    """What another worker drove in these iterations: as many, or one fewer if episodes cannot be shared evenly."""
    usual = median_low(counts)
    fewer = usual > 1 and own < total and round(usual * own / total) < usual
    return [count - fewer for count in counts]


def _counted(episodes: Iterable[Episode], counts: list[int]) -> list[Episode]:
    """With iterations by how many were driven in each; as many as usual in those that follow."""
    ends, usual = list(accumulate(counts)), median_low(counts)
    found, place = [], -1
    for one in episodes:
        place += one.phase == "training"
        beyond = max(0, place - ends[-1]) // usual
        found.append(replace(one, iteration=bisect_right(ends, max(0, place)) + beyond))
    return found


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What a set's evaluation came to."""

    iteration: int
    """Of this prefix: the set is the one that its episodes were driven with."""
    trials: int
    reward: float
    progress: float
    laps: int


def evaluations(episodes: Iterable[Episode]) -> list[Evaluated]:
    """Evaluations by iteration, the means over their trials."""
    trials: dict[int, list[Episode]] = {}
    for episode in episodes:
        if episode.phase == "evaluation":
            trials.setdefault(episode.iteration, []).append(episode)
    return [
        Evaluated(
            iteration,
            len(found),
            sum(one.reward for one in found) / len(found),
            sum(one.progress for one in found) / len(found),
            sum(one.status == COMPLETE for one in found),
        )
        for iteration, found in sorted(trials.items())
    ]
