"""Parts put into their order and counted as one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from fleet.workloads.deepracer.analysis.recording import PartRecord, Recording, Trace, tied
from fleet.workloads.deepracer.analysis.steps import STATUSES
from fleet.workloads.deepracer.course import Course
from fleet.workloads.deepracer.metrics import Episode
from fleet.workloads.deepracer.records import STATUS
from fleet.workloads.deepracer.whole_run import Part, WholeRun, first_set, whole_run


def placed(
    source: str, parts: Sequence[PartRecord], course: Course | None, problems: Iterable[str], *, of_run: bool
) -> Recording:
    """As one recording.

    By the course of a run, which says what each prefix went on from; without one a run's prefixes are taken to have gone on
    from the newest set before them (``of_run``). Logs and folders of nobody's run follow each other, and all of them counts.
    """
    problems = list(problems)
    if course is not None and course.legs:
        return tied(source, *_by_course(parts, course), problems)
    if of_run:
        ready = [_with_part(part, Part(part.name, told=number == 0)) for number, part in enumerate(parts)]
        run = _run(ready)
        if run.guessed:
            problems.append(
                f"{source}: where each part went on from is not known: from the newest set before it, as it seems."
            )
        return tied(source, ready, run, problems)
    return tied(source, *_one_after_the_other(parts), problems)


def _by_course(parts: Sequence[PartRecord], course: Course) -> tuple[list[PartRecord], WholeRun]:
    """Of prefixes that left nothing behind the numbers still count. Those that the course does not know yet come last."""
    by_name = {part.name: part for part in parts}
    ready, all_parts = [], []
    for leg in course.legs:
        place = Part(leg.prefix, leg.attempt, leg.source, first=leg.first, began_at=leg.began_at, ended=leg.ended)
        part = by_name.get(leg.prefix)
        if part is not None:
            ready.append(_with_part(part, place))
            place = ready[-1].part or place
        all_parts.append(place)
    known = {leg.prefix for leg in course.legs}
    kept = max((leg.kept for leg in course.legs if leg.kept is not None), default=None)
    for part in parts:
        if part.name not in known:
            begun = _with_part(part, Part(part.name, source=kept, told=kept is not None))
            ready.append(begun)
            all_parts.append(begun.part or Part(part.name))
    return ready, whole_run(all_parts, _best_by(parts))


def _one_after_the_other(parts: Sequence[PartRecord]) -> tuple[list[PartRecord], WholeRun]:
    """Each goes on from the last iteration of the one before, whether that was finished or not: nothing is lost."""
    ready: list[PartRecord] = []
    newest: int | None = None
    for part in parts:
        one = _with_part(part, Part(part.name, source=newest))
        if one.part is not None:
            last = max((episode.iteration for episode in one.part.episodes if episode.phase == "training"), default=-1)
            newest = first_set(one.part) + last + 1
        ready.append(one)
    return ready, replace(_run(ready), lost=())


def _run(parts: Sequence[PartRecord]) -> WholeRun:
    return whole_run([part.part for part in parts if part.part is not None], _best_by(parts))


def _best_by(parts: Sequence[PartRecord]) -> str:
    return next((part.best_by for part in reversed(parts) if part.best_by), "progress")


def _with_part(part: PartRecord, place: Part) -> PartRecord:
    return replace(part, part=replace(place, episodes=counted(part)))


def counted(part: PartRecord) -> tuple[Episode, ...]:
    """The episodes that iterations are counted by: those of the metrics, those that only traces tell of, and where neither
    is there, what the trainer's log names (of which progress and status are not known).
    """
    there = {(one.worker, one.number) for one in part.episodes if one.phase == "training"}
    traced = [one for trace in part.training for one in episodes_of(trace) if (one.worker, one.number) not in there]
    if part.episodes or traced:
        found = [*part.episodes, *traced]
        return tuple(sorted(found, key=lambda one: (one.iteration, one.phase == "evaluation", one.ended, one.worker)))
    return tuple(
        Episode(one.worker, one.episode, one.iteration, "training", one.reward, 0.0, "", 0.0, 0.0) for one in part.heard
    )


def episodes_of(trace: Trace) -> list[Episode]:
    """A trace summed up by episode."""
    steps = trace.steps
    if not len(steps):
        return []
    firsts, lasts = steps.firsts, steps.lasts
    rewards = np.add.reduceat(steps.reward, firsts)
    words: Mapping[int, str] = {code: STATUS.get(name, "") for code, name in enumerate(STATUSES)}
    columns = zip(
        steps.episode[firsts].tolist(),
        steps.iteration[firsts].tolist(),
        rewards.tolist(),
        steps.progress[lasts].tolist(),
        steps.status[lasts].tolist(),
        steps.at[firsts].tolist(),
        steps.at[lasts].tolist(),
        (lasts - firsts + 1).tolist(),
        strict=True,
    )
    return [
        Episode(
            trace.worker,
            number + 1,
            iteration,
            trace.phase,
            reward,
            progress,
            words[status],
            began,
            max(began, ended),
            count,
        )
        for number, iteration, reward, progress, status, began, ended, count in columns
    ]
