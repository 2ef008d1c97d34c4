"""One log file, of a simulator or a trainer or of both, of any year, as parts: one for each of the runs in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from fleet.workloads.deepracer.analysis.log_text import EVALUATES, STARTS, LogText, Rest, by_worker, read_whole
from fleet.workloads.deepracer.analysis.model import Phase
from fleet.workloads.deepracer.analysis.numbering import (
    MOST_RUNS,
    begun_anew,
    by_count,
    by_format,
    by_marks,
    in_order,
    is_mixed,
)
from fleet.workloads.deepracer.analysis.recording import PartRecord, Setup, Trace
from fleet.workloads.deepracer.analysis.setups import per_worker, setup_of, worker_in
from fleet.workloads.deepracer.analysis.steps import Steps, Whole
from fleet.workloads.deepracer.analysis.trainer_lines import Said, said
from fleet.workloads.deepracer.metrics import Evaluated

_TRAINER_START = b"Training Worker Args"
_TRAINED = (b"Training> Name", b"Training - Name")
DEFAULT_EPISODES = 20
"""Per iteration, where no file and no log says: the stack's own default."""
_MIXED = "steps of several programs stand in it mixed, without the programs' names: none are taken."
_ByWorker = Mapping[int, tuple[Steps, Whole]]


@dataclass(frozen=True)
class LogRead:
    """What a log holds."""

    parts: tuple[PartRecord, ...]
    """Its runs, in order; none: nothing in it is a line of trainer's or simulator's."""
    problems: tuple[str, ...] = ()
    worker: int | None = None
    """Whose log it is, by its own word; None: it does not say, or it is of several."""


def read_log(data: bytes, name: str = "", worker: int | None = None) -> LogRead:
    """Never raises: what cannot be read is left out and named.

    ``worker``: whose log it is, where its place or name tells it, and the log itself does not.
    """
    return parts_of(read_whole(data), name, worker)


def parts_of(log: LogText, name: str = "", worker: int | None = None) -> LogRead:
    """What was read of a log up to now."""
    rest = log.rest
    text = rest.text
    own = worker_in(text)
    problems = (
        [f"{name}: {log.torn} torn or cut {'step is' if log.torn == 1 else 'steps are'} left out."] if log.torn else []
    )
    told = _unmixed(by_worker(log.steps()), name, problems)
    parts: list[PartRecord] = []
    for turn, found in enumerate(told):
        cuts = _cuts(found, rest, text)
        if len(cuts) > MOST_RUNS:
            problems.append(f"{name}: {_MIXED}")
            found, cuts = {}, []
        # What else is said in a log of several programs is told once, with the first.
        own_rest, phase = (rest, None) if not turn else (Rest((), rest.places[:0]), _phase(text, setup_of(text)))
        for begin, end in zip([0, *cuts], [*cuts, log.length + 1], strict=True):
            parts.append(_part(own_rest.between(begin, end), begin, end, found, worker if own is None else own, phase))
    parts = [part for part in parts if not is_empty(part)] or (parts[:1] if text else [])
    if len(parts) > 1 and len(told) == 1:
        problems.append(f"{name}: episodes are counted from the beginning again: it is read as {len(parts)} runs.")
    named = (replace(part, name=f"{name} ({at + 1})" if len(parts) > 1 else name) for at, part in enumerate(parts))
    return LogRead(tuple(named), tuple(problems), own)


def _unmixed(found: _ByWorker, name: str, problems: list[str]) -> list[_ByWorker]:
    """The steps of each program that wrote into the log without its name: told apart by their formats, or left out."""
    if not any(is_mixed(steps) for steps, _ in found.values()):
        return [found]
    several: list[dict[int, tuple[Steps, Whole]]] = [{}, {}, {}]
    for worker, (steps, places) in found.items():
        for number, which in enumerate(by_format(steps)):
            if which.any():
                several[number][worker] = (steps.take(which), places[which])
    apart = sorted(filter(None, several), key=lambda one: -sum(len(steps) for steps, _ in one.values()))
    if any(is_mixed(steps) for one in apart for steps, _ in one.values()):
        problems.append(f"{name}: {_MIXED}")
        return [{}]
    problems.append(f"{name}: steps of {len(apart)} programs stand in it mixed: they are told apart by their formats.")
    return list(apart)


def is_empty(part: PartRecord) -> bool:
    """Nothing was driven or trained in it."""
    return not (part.traces or part.episodes or part.heard or part.epochs or part.evaluated or part.saved or part.trials)


def _cuts(found: _ByWorker, rest: Rest, text: bytes) -> list[int]:
    """Where in the log another run begins: with what its programs say before its first step."""
    phase = _phase(text, setup_of(text))
    cuts: set[int] = set()
    for steps, places in found.values():
        for first in begun_anew(steps, phase):
            cuts.add(_start_before(rest, int(places[first - 1]), int(places[first])))
    if not found:
        trained = False
        for line, place in zip(rest.lines, rest.places, strict=True):
            if trained and _TRAINER_START in line:
                cuts.add(int(place))
                trained = False
            trained = trained or any(mark in line for mark in _TRAINED)
    return sorted(cuts)


def _start_before(rest: Rest, after: int, place: int) -> int:
    """The beginning of a run's own lines, between the last step of the run before and its own first."""
    between = rest.between(after, place)
    begins = (
        at
        for line, at in zip(between.lines, between.places, strict=True)
        if any(mark in line for mark in (*STARTS, *EVALUATES))
    )
    return int(next(begins, place))


def _phase(text: bytes, setup: Setup) -> Phase:
    if setup.job:
        return "training" if setup.job.upper() == "TRAINING" else "evaluation"
    trains = any(mark in text for mark in _TRAINED)
    return "evaluation" if any(mark in text for mark in EVALUATES) and not trains else "training"


def _part(rest: Rest, begin: int, end: int, found: _ByWorker, worker: int | None, known: Phase | None) -> PartRecord:
    """What stands in a stretch of the log. ``known``: the phase, where its lines do not tell it."""
    text = rest.text
    setup, heard = setup_of(text), said(text)
    phase = known or _phase(text, setup)
    marks = rest.places_of(heard.marks)
    traces: list[Trace] = []
    last = begin
    judged = [replace(one, iteration=number) for number, (_, one) in enumerate(heard.evaluations)]
    for program, (steps, places) in found.items():
        inside = (places >= begin) & (places < end)
        if not inside.any():
            continue
        last = max(last, int(places[inside][-1]))
        own = program if len(found) > 1 else worker or 0
        steps, where = in_order(steps.take(inside), places[inside])
        steps = _iterations(steps, where, marks if len(found) == 1 else marks[:0], setup, heard, own)
        traces.append(Trace(own, phase, steps, track=setup.track))
        if len(found) == 1:
            judged = _placed(heard, rest, steps, where)
    return PartRecord(
        name="",
        traces=tuple(traces),
        epochs=heard.epochs,
        heard=heard.heard,
        evaluated=tuple(judged),
        saved=heard.saved,
        best=heard.best,
        additional=int((rest.places_of(heard.additional) > last).sum()),
        trouble=heard.trouble,
        setup=setup,
    )


def _iterations(steps: Steps, places: Whole, marks: Whole, setup: Setup, heard: Said, worker: int) -> Steps:
    """By what the log itself says of the next policy; else by the number of episodes that a worker drives in each."""
    per = per_worker(setup, worker)
    if len(marks) > 1:
        return by_marks(steps, places, marks, per)
    if per is None and any(one.iteration for one in heard.heard):
        return _by_trainer(steps, heard)
    return by_count(steps, per or DEFAULT_EPISODES)


def _by_trainer(steps: Steps, heard: Said) -> Steps:
    """Its lines stand in the same log, and number the episodes of its one simulator."""
    told = {one.episode - 1: one.iteration for one in heard.heard}
    iteration = np.array([told.get(int(one), -1) for one in steps.episode], np.int64)
    return replace(steps, iteration=np.maximum.accumulate(np.maximum(iteration, 0)))


def _placed(heard: Said, rest: Rest, steps: Steps, places: Whole) -> list[Evaluated]:
    """Evaluations with the iteration before them: they drove the set that its episodes were driven with."""
    judged = []
    lines = rest.places_of(place for place, _ in heard.evaluations)
    for line, (_, one) in zip(lines, heard.evaluations, strict=True):
        before = np.flatnonzero(places < line)
        judged.append(replace(one, iteration=int(steps.iteration[before[-1]]) if len(before) else 0))
    return judged
