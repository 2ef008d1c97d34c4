"""Traces and metrics of the same episodes joined: each is told once, by whoever knows more of it.

Metrics tell of every episode, in whole numbers (a reward of 2.9 reads 2); traces are exact, and may be there for some
iterations only. One of the two tells of all that one worker drove in a part, so that no step in a curve comes of a change
from one to the other: the traces, if they hold all iterations but the one under way; else the metrics. The other one adds
what the first does not know.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from fleet.workloads.deepracer.analysis.model import Drive
from fleet.workloads.deepracer.analysis.recording import PartRecord, Recording, Trial
from fleet.workloads.deepracer.analysis.tables import Summed
from fleet.workloads.deepracer.analysis.traced import Traced, Tracks
from fleet.workloads.deepracer.metrics import Episode

NEAR_PERCENT, NEAR_REWARD, NEAR_SHARE = 2.0, 2.0, 0.02
"""Points of the lap and of reward (plus a share of it) by which whole numbers and exact ones may differ."""
SAME_TRAINING = 0.1
"""Of the episodes, whose traces and metrics differ: with more, they are not of the same training."""
_Key = tuple[int, int, int]
"""Part, worker, number as metrics count: from 1."""


@dataclass(frozen=True, slots=True)
class _Both:
    """An episode of a trace, summed up."""

    seen: Traced
    sums: Summed


def drives_of(
    recording: Recording, numbering: Sequence[Mapping[int, int]], tracks: Tracks, sums: Sequence[Summed]
) -> tuple[tuple[Drive, ...], tuple[str, ...]]:
    """All episodes in order, numbered through; and what does not fit together, in words."""
    both = [_Both(seen, one) for seen, one in zip(tracks.drives, sums, strict=True)]
    found: list[Drive] = []
    problems: list[str] = []
    for place, part in enumerate(recording.parts):
        own = [one for one in both if one.seen.part == place]
        found += _training(place, part, numbering[place], [one for one in own if one.seen.phase == "training"], problems)
        found += _while_training(part, numbering[place])
        found += _evaluations(part, max(numbering[place].values(), default=0), own)
    order = sorted(found, key=lambda one: (one.iteration, one.phase == "evaluation"))
    return tuple(replace(one, number=number) for number, one in enumerate(order)), tuple(problems)


def _training(
    place: int, part: PartRecord, held: Mapping[int, int], own: Sequence[_Both], problems: list[str]
) -> list[Drive]:
    """By worker and number, within each iteration."""
    traces: dict[_Key, _Both] = {(place, one.seen.worker, one.seen.episode + 1): one for one in own}
    told = [one for one in part.episodes if one.phase == "training" and one.iteration in held]
    metrics: dict[_Key, Episode] = {(place, one.worker, one.number): one for one in told}
    exact = {worker for worker in {one.worker for one in told} if _covers(worker, told, traces)}
    found: list[tuple[int, int, int, Drive]] = []
    for key in traces.keys() | metrics.keys():
        episode, both = metrics.get(key), traces.get(key)
        if episode is None:
            drive = _of_trace(part, both) if both is not None else None
        elif both is None:
            drive = _of_metrics(part, episode, held)
        else:
            drive = _joined(part, episode, both, held, exact=episode.worker in exact)
        if drive is not None:
            found.append((drive.iteration, key[1], key[2], drive))
    _compare(part, metrics, traces, problems)
    return [one for *_, one in sorted(found, key=lambda one: one[:3])]


def _covers(worker: int, told: Iterable[Episode], traces: Mapping[_Key, _Both]) -> bool:
    """Whether there are traces of all that the worker drove, but for the iteration under way."""
    own = [one for one in told if one.worker == worker]
    numbers = {number for _, other, number in traces if other == worker}
    newest = max(one.iteration for one in own)
    before = [one for one in own if one.iteration < newest] or own
    return all(one.number in numbers for one in before)


def _of_trace(part: PartRecord, one: _Both) -> Drive:
    seen = one.seen
    return Drive(
        phase=seen.phase,
        worker=seen.worker,
        iteration=seen.iteration,
        number=0,
        reward=one.sums.reward,
        progress=one.sums.progress,
        status=seen.status,
        seconds=one.sums.seconds,
        steps=seen.steps,
        start_waypoint=seen.start_waypoint,
        end=seen.end,
        end_waypoint=seen.end_waypoint,
        wall_seconds=seen.wall_seconds,
        part=seen.stream or part.name,
        track=seen.track,
    )


def _of_metrics(part: PartRecord, told: Episode, held: Mapping[int, int]) -> Drive:
    return Drive(
        phase=told.phase,
        worker=told.worker,
        iteration=held[told.iteration],
        number=0,
        reward=told.reward,
        progress=told.progress,
        status=told.status,
        seconds=told.seconds,
        steps=told.steps,
        part=part.name,
        track=track_of(part, told.worker),
    )


def _joined(part: PartRecord, told: Episode, both: _Both, held: Mapping[int, int], *, exact: bool) -> Drive:
    """Who tells tells all of reward, progress and time; iteration and status are the metrics' where they say one."""
    seen = _of_trace(part, both)
    status = told.status or seen.status
    if exact:
        return replace(seen, iteration=held[told.iteration], status=status)
    return replace(
        seen,
        iteration=held[told.iteration],
        status=status,
        reward=told.reward,
        progress=told.progress,
        seconds=told.seconds,
    )


def _compare(part: PartRecord, metrics: Mapping[_Key, Episode], traces: Mapping[_Key, _Both], problems: list[str]) -> None:
    """Say if metrics and traces differ by more than their rounding."""
    common = metrics.keys() & traces.keys()
    other = [key for key in common if not _alike(metrics[key], traces[key].sums)]
    if not common or len(other) <= SAME_TRAINING * len(common):
        return
    first = min(other)
    problems.append(
        f"{part.name}: metrics and traces differ in {len(other)} of {len(common)} episodes (episode {first[2]}: "
        f"{metrics[first].progress:g} and {traces[first].sums.progress:.1f} % of the lap); are they of the same training?"
    )


def _alike(told: Episode, sums: Summed) -> bool:
    near = NEAR_REWARD + NEAR_SHARE * abs(told.reward)
    reward = not math.isfinite(sums.reward) or abs(told.reward - sums.reward) <= near
    return reward and abs(told.progress - sums.progress) <= NEAR_PERCENT


def _while_training(part: PartRecord, held: Mapping[int, int]) -> list[Drive]:
    """Evaluations between iterations, as the metrics tell them."""
    return [_of_metrics(part, one, held) for one in part.episodes if one.phase == "evaluation" and one.iteration in held]


def _evaluations(part: PartRecord, last: int, own: Sequence[_Both]) -> list[Drive]:
    """Evaluations of their own: by their traces, and what their metrics add; where there is no trace, by metrics alone."""
    trials = {(one.stream, one.number): one for one in part.trials}
    found = []
    for one in own:
        if one.seen.phase == "evaluation":
            trial = trials.pop((one.seen.stream, one.seen.episode + 1), None)
            drive = _of_trace(part, one)
            found.append(drive if trial is None else replace(drive, seconds=trial.seconds, status=trial.status))
    return found + [_of_trial(part, last, one) for one in trials.values()]


def _of_trial(part: PartRecord, last: int, one: Trial) -> Drive:
    return Drive(
        phase="evaluation",
        worker=0,
        iteration=last,
        number=0,
        reward=math.nan,
        progress=one.progress,
        status=one.status,
        seconds=one.seconds,
        part=one.stream,
        track=part.setup.track,
    )


def track_of(part: PartRecord, worker: int) -> str:
    """The world that a worker drives in, as far as it is told."""
    return next((one.track for one in part.training if one.worker == worker and one.track), part.setup.track)
