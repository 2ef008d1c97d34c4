"""The episodes that are in the traces: which of them count, and where each begins and ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fleet.workloads.deepracer.analysis.model import Phase
from fleet.workloads.deepracer.analysis.recording import PartRecord, Recording, Trace
from fleet.workloads.deepracer.analysis.steps import STATUSES, Steps, Truths, Whole
from fleet.workloads.deepracer.metrics import COMPLETE
from fleet.workloads.deepracer.records import STATUS

ALL_ROUND = 100.0
"""Percent."""


@dataclass(frozen=True, slots=True)
class Traced:
    """One episode of a trace."""

    part: int
    """The place of its part in the recording."""
    phase: Phase
    worker: int
    iteration: int
    """Of the whole run; of an evaluation of its own the part's last."""
    episode: int
    """As written: from 0. Of an evaluation of its own its place in it."""
    stream: str
    """Of an evaluation of its own what tells it from others; else empty."""
    status: str
    """In words; empty: not told."""
    start_waypoint: int
    end_waypoint: int
    end: tuple[float, float]
    """Metres."""
    steps: int
    wall_seconds: float | None
    track: str


@dataclass(frozen=True, eq=False)
class Tracks:
    """All episodes of the traces, and their steps, in the same order."""

    drives: tuple[Traced, ...]
    pieces: tuple[tuple[Steps, Whole, Whole], ...]
    """Of each trace the steps that count, the places of their episodes in ``drives``, and their iterations in the run."""
    unfinished: int
    """Episodes that had not ended at the end of a trace."""


def traced(recording: Recording, numbering: Sequence[Mapping[int, int]]) -> Tracks:
    """What the model holds: no iteration that was lost, and no episode that had not ended.

    ``numbering``: of each part the iterations that the model holds, as those of the run.
    """
    drives: list[Traced] = []
    pieces: list[tuple[Steps, Whole, Whole]] = []
    unfinished = 0
    for place, part in enumerate(recording.parts):
        held = numbering[place]
        for trace in part.traces:
            steps = trace.steps
            if not len(steps):
                continue
            whole = _held(trace, held)
            ended = bool(steps.done[-1])
            unfinished += not ended
            kept = whole >= 0
            kept[-1] &= ended
            begins = len(drives) - 1 + np.cumsum(kept)
            drives += _drives(place, part, trace, whole, kept)
            chosen = kept[_counted(steps)]
            number = _counted(steps)[chosen]
            pieces.append((steps if chosen.all() else steps.take(chosen), begins[number], whole[number]))
    return Tracks(tuple(drives), tuple(pieces), unfinished)


def _held(trace: Trace, held: Mapping[int, int]) -> Whole:
    """The iteration in the run of each of its drives; -1: lost."""
    own = trace.steps.iteration[trace.steps.firsts]
    if trace.phase == "evaluation":
        return np.full(len(own), max(held.values(), default=0), np.int64)
    return np.array([held.get(int(one), -1) for one in own], np.int64)


def _counted(steps: Steps) -> Whole:
    """The place of each step's drive among the trace's."""
    return np.cumsum(np.r_[False, np.diff(steps.drive) != 0])


def _drives(place: int, part: PartRecord, trace: Trace, whole: Whole, kept: Truths) -> list[Traced]:
    steps = trace.steps
    evaluation = trace.phase == "evaluation"
    found = []
    for number, (first, last) in enumerate(zip(steps.firsts.tolist(), steps.lasts.tolist(), strict=True)):
        if not kept[number]:
            continue
        took = float(steps.wall[last] - steps.wall[first])
        found.append(
            Traced(
                part=place,
                phase=trace.phase,
                worker=trace.worker,
                iteration=int(whole[number]),
                episode=number if evaluation else int(steps.episode[first]),
                stream=trace.name if evaluation else "",
                status=_status(steps, first, last),
                start_waypoint=int(steps.waypoint[first]),
                end_waypoint=int(steps.waypoint[last]),
                end=(float(steps.x[last]), float(steps.y[last])),
                steps=last - first + 1,
                wall_seconds=took if np.isfinite(took) else None,
                track=trace.track or part.setup.track,
            )
        )
    return found


def _status(steps: Steps, first: int, last: int) -> str:
    """As metrics call it. In 2019 nothing but progress and wheels tells."""
    word = STATUSES[steps.status[last]]
    if word:
        return STATUS.get(word, word)
    if float(steps.progress[first : last + 1].max()) >= ALL_ROUND:
        return COMPLETE
    return "" if steps.on_track[last] else "Off track"
