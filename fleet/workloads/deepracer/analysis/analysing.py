"""A recording summed up: episodes told once, iterations over all workers and attempts, and what there is to act on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean, pstdev

import numpy as np

from fleet.workloads.deepracer.analysis import tables
from fleet.workloads.deepracer.analysis.findings import judge
from fleet.workloads.deepracer.analysis.joining import drives_of
from fleet.workloads.deepracer.analysis.model import ActionUse, Analysis, Drive, IterationRow
from fleet.workloads.deepracer.analysis.recording import Epoch, PartRecord, Recording
from fleet.workloads.deepracer.analysis.series import by_iteration, told
from fleet.workloads.deepracer.analysis.tables import Summed
from fleet.workloads.deepracer.analysis.traced import Tracks, traced
from fleet.workloads.deepracer.faults import Fault, of_fault_code, of_kind
from fleet.workloads.deepracer.metrics import Evaluated, evaluations

NAN_KINDS = ("nan",)
FAULT_KINDS = ("reward-error", "out-of-memory", "disk-full")
"""Of what a log tells: those that spoil a training, whoever ran it."""


def analyse(recording: Recording, sums: Callable[[Tracks], Sequence[Summed]] = tables.summed) -> Analysis:
    """All that can be said of it. Raises FleetError if there are traces and deepracer-utils, which sums their episodes up if
    nothing else is to (``light.summed``), is not installed.
    """
    numbering = numbered(recording.parts)
    tracks = traced(recording, numbering)
    drives, problems = drives_of(recording, numbering, tracks, sums(tracks))
    found = Analysis(
        drives=drives,
        rows=tuple(_rows(recording, numbering, tracks, drives)),
        workers=recording.workers,
        tracks=recording.tracks,
        parts=tuple(one.name for one in recording.parts),
        problems=(*recording.problems, *problems),
        seconds=recording.seconds,
        cost=recording.cost,
        source=recording.source,
        actions=_actions(recording, tracks),
        waiting=recording.parts[-1].additional if recording.parts else 0,
        not_numbers=tuple(_not_numbers(recording, numbering, drives)),
        faults=tuple(_faults(recording.parts)),
        unfinished=tracks.unfinished,
    )
    return replace(found, findings=judge(_comparable(found, recording.parts, numbering)))


def _comparable(found: Analysis, parts: Sequence[PartRecord], numbering: Sequence[Mapping[int, int]]) -> Analysis:
    """What curves may be drawn through: all attempts of a run; of what merely stands side by side, as two runs in one log,
    the last: the others may have been paid by another reward function.
    """
    if len(parts) < 2 or all(one.part is not None and one.part.attempt is not None for one in parts):
        return found
    begin = min(numbering[-1].values(), default=0)
    rows = tuple(row for row in found.rows if row.iteration >= begin)
    return replace(found, rows=rows, drives=tuple(one for one in found.drives if one.iteration >= begin))


def numbered(parts: Sequence[PartRecord]) -> list[dict[int, int]]:
    """Of each part the iterations that the model holds → iterations of the run: a later part goes on from the last one held,
    and an iteration of which nothing is there keeps its number.
    """
    found: list[dict[int, int]] = []
    begin = 0
    for part in parts:
        found.append({own: begin + own for own in sorted(part.whole)})
        ended = _ended(part)
        begin = max((whole for own, whole in found[-1].items() if own in ended), default=begin - 1) + 1
    return found


def _ended(part: PartRecord) -> set[int]:
    """Its iterations of which at least an episode came to an end."""
    found = {one.iteration for one in part.epochs} | {one.iteration for one in part.heard}
    found |= {one.iteration for one in part.episodes if one.phase == "training"}
    for steps in (trace.steps for trace in part.training):
        lasts = steps.lasts if len(steps) and steps.done[-1] else steps.lasts[:-1]
        found |= set(steps.iteration[lasts].tolist())
    return found


def _rows(
    recording: Recording, numbering: Sequence[Mapping[int, int]], tracks: Tracks, drives: Sequence[Drive]
) -> list[IterationRow]:
    training = by_iteration(one for one in drives if one.phase == "training")
    epochs, heard, judged = _epochs(recording, numbering), _heard(recording, numbering), _judged(recording, numbering)
    factors = tables.factors(tracks)
    rows = []
    for iteration in sorted(training.keys() | epochs.keys() | heard.keys()):
        row = _driven(iteration, training.get(iteration, ()), heard.get(iteration, 0))
        row = _trained(row, epochs.get(iteration, ()))
        rows.append(_evaluated(replace(row, real_time_factor=factors.get(iteration)), judged.get(iteration)))
    return rows


def _driven(iteration: int, drives: Sequence[Drive], heard: int) -> IterationRow:
    """What its episodes came to."""
    laps = [one.seconds for one in drives if one.is_lap]
    steps = [one.steps for one in drives if one.steps is not None]
    seconds = sum(one.seconds for one in drives if one.steps is not None)
    return IterationRow(
        iteration=iteration,
        episodes=len(drives) or heard,
        mean_reward=_mean([one.reward for one in drives]),
        mean_completion_percent=_mean([one.progress for one in drives]),
        laps=len(laps),
        best_lap_seconds=min(laps, default=None),
        mean_lap_seconds=fmean(laps) if laps else None,
        lap_spread_seconds=pstdev(laps) if len(laps) > 1 else None,
        off_track=sum(one.is_off_track for one in drives),
        steps=sum(steps) if drives and len(steps) == len(drives) else None,
        steps_per_second=sum(steps) / seconds if seconds > 0 else None,
    )


def _trained(row: IterationRow, epochs: Sequence[Epoch]) -> IterationRow:
    """What the trainer said of training on them."""

    def mean(values: Iterable[float]) -> float | None:
        known = told(values)
        return fmean(known) if known else None

    rates = told(one.learning_rate for one in epochs)
    return replace(
        row,
        entropy=mean(one.entropy for one in epochs),
        surrogate_loss=mean(one.loss for one in epochs),
        kl_divergence=mean(one.divergence for one in epochs),
        learning_rate=rates[-1] if rates else None,
    )


def _evaluated(row: IterationRow, judged: tuple[float, int, float | None] | None) -> IterationRow:
    if judged is None:
        return row
    progress, laps, best = judged
    return replace(row, evaluated_percent=progress, evaluated_laps=laps, evaluated_best_lap_seconds=best)


def _epochs(recording: Recording, numbering: Sequence[Mapping[int, int]]) -> dict[int, list[Epoch]]:
    found: dict[int, list[Epoch]] = {}
    for part, held in zip(recording.parts, numbering, strict=True):
        for epoch in part.epochs:
            if epoch.iteration in held:
                found.setdefault(held[epoch.iteration], []).append(epoch)
    return found


def _heard(recording: Recording, numbering: Sequence[Mapping[int, int]]) -> dict[int, int]:
    """How many episodes the trainer names, where nobody else tells of them: it knows neither reward nor progress."""
    found: dict[int, int] = {}
    for part, held in zip(recording.parts, numbering, strict=True):
        if part.training or any(one.phase == "training" for one in part.episodes):
            continue
        for one in part.heard:
            if one.iteration in held:
                found[held[one.iteration]] = found.get(held[one.iteration], 0) + 1
    return found


def _judged(recording: Recording, numbering: Sequence[Mapping[int, int]]) -> dict[int, tuple[float, int, float | None]]:
    """Iteration → mean completion, laps and best lap of the evaluation after it: of metrics, else as the log sums it up."""
    found: dict[int, tuple[float, int, float | None]] = {}
    for part, held in zip(recording.parts, numbering, strict=True):
        by_metrics = evaluations(part.episodes)
        known: dict[int, Evaluated] = {one.iteration: one for one in (*part.evaluated, *by_metrics)}
        laps: dict[int, list[float]] = {}
        for episode in part.episodes:
            if episode.phase == "evaluation" and episode.status == "Lap complete":
                laps.setdefault(episode.iteration, []).append(episode.seconds)
        for own, one in known.items():
            if own in held:
                found[held[own]] = (one.progress, one.laps, min(laps.get(own, ()), default=None))
    return found


def _actions(recording: Recording, tracks: Tracks) -> tuple[ActionUse, ...]:
    """Of a discrete space that is the same in all parts."""
    spaces = {one.setup.actions for one in recording.parts if one.setup.actions and not one.setup.continuous}
    if len(spaces) != 1 or any(one.setup.continuous for one in recording.parts):
        return ()
    space = spaces.pop()
    chosen = tables.taken(tracks)
    counts = np.bincount(chosen[(chosen >= 0) & (chosen < len(space))], minlength=len(space))
    return tuple(
        ActionUse(number, int(count), steering, speed)
        for number, ((steering, speed), count) in enumerate(zip(space, counts.tolist(), strict=True))
    )


def _faults(parts: Iterable[PartRecord]) -> Iterable[Fault]:
    """Each kind once, as the logs tell it first."""
    found: dict[str, Fault] = {}
    for one in (signal for part in parts for signal in part.trouble):
        if one.kind == "sim-fault" and one.code is not None:
            fault = of_fault_code(one.code, one.text)
        elif one.kind in FAULT_KINDS:
            fault = of_kind(one.kind, one.text)
        else:
            continue
        found.setdefault(fault.code, fault)
    return (fault for code, fault in found.items() if code not in NAN_KINDS)


def _not_numbers(recording: Recording, numbering: Sequence[Mapping[int, int]], drives: Iterable[Drive]) -> Iterable[str]:
    """Losses and entropies of the trainer, rewards of steps, and what the logs call NaN. Also of what was lost over it."""
    for part, held in zip(recording.parts, numbering, strict=True):
        for epoch in part.epochs:
            values = {"loss": epoch.loss, "divergence": epoch.divergence, "entropy": epoch.entropy}
            spoilt = [name for name, value in values.items() if not math.isfinite(value)]
            if spoilt:
                yield f"{' and '.join(spoilt)} in iteration {held.get(epoch.iteration, epoch.iteration)} of {part.name}"
        if not any(not math.isfinite(one.loss) for one in part.epochs):
            yield from (f"{part.name}: {one.text}" for one in part.trouble if one.kind in NAN_KINDS)
    for drive in drives:
        if drive.phase == "training" and not math.isfinite(drive.reward):
            yield f"the reward of episode {drive.number} in iteration {drive.iteration}"


def _mean(values: Sequence[float]) -> float:
    """Of those that are numbers; nan: there are none."""
    known = told(values)
    return fmean(known) if known else math.nan
