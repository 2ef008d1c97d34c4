"""One log file, of a simulator or a trainer or of both, of any year, as parts: one for each of the runs in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fleet.workloads.deepracer.analysis.columns import columns_of
from fleet.workloads.deepracer.analysis.encodings import plain
from fleet.workloads.deepracer.analysis.model import Phase
from fleet.workloads.deepracer.analysis.numbering import (
    MOST_RUNS,
    begun_anew,
    by_count,
    by_marks,
    in_order,
    without_false_starts,
)
from fleet.workloads.deepracer.analysis.recording import PartRecord, Setup, Trace
from fleet.workloads.deepracer.analysis.setups import HYPERPARAMETERS, setup_of, worker_in
from fleet.workloads.deepracer.analysis.steps import Steps, Whole
from fleet.workloads.deepracer.analysis.trainer_lines import Said, said
from fleet.workloads.deepracer.metrics import Evaluated
from fleet.workloads.deepracer.simtrace import MARK

_MARK = MARK.encode()
_ROW = re.compile(_MARK + rb"([^\n\t]*)")
_SERVICE_ROW = re.compile(rb"([^\n]*?)" + _MARK + rb"([^\n\t]*)")
_SERVICE = re.compile(rb"^\s*([\w.-]+?)\s*\| ")
_NUMBER_AT_END = re.compile(r"(?:^|[-_.])(\d{1,4})$")
_STARTS = (b"Starting as worker ", b"RoboMaker Log Recorder Starting", b"Training Worker Args", HYPERPARAMETERS)
"""Where a program's own story begins anew: the lines before a run's first step belong to that run."""
_TRAINER_START = b"Training Worker Args"
_TRAINED = b"Training> Name"
_EVALUATES = (b"evaluation.launch", b"evaluation_worker", b"evaluation_rl_agent")
_OF_THE_STACK = (_MARK, b"Training> Name", b"Training - Name", b"Policy training", b"Checkpoint> ", HYPERPARAMETERS,
                 b"Training Worker Args", b"Testing> Name", b"Starting as worker ", b"simapp")  # fmt: skip


@dataclass(frozen=True)
class LogRead:
    """What a log holds."""

    parts: tuple[PartRecord, ...]
    """Its runs, in order."""
    problems: tuple[str, ...] = ()
    worker: int | None = None
    """Whose log it is, by its own word; None: it does not say, or it is of several."""


@dataclass(frozen=True)
class _Rows:
    """The steps of one program within a log."""

    service: str
    steps: Steps
    places: Whole


def is_log(data: bytes) -> bool:
    """Whether anything in it is a line of trainer's or simulator's."""
    return any(mark in data for mark in _OF_THE_STACK)


def read_log(data: bytes, name: str = "", worker: int | None = None) -> LogRead:
    """Never raises: what cannot be read is left out and named.

    ``worker``: whose log it is, where its place or name tells it, and the log itself does not.
    """
    data = plain(data)
    found, problems = _rows(data, name)
    own = worker_in(data)
    cuts = _cuts(data, found)
    if len(cuts) > MOST_RUNS:
        problems.append(f"{name}: steps of several programs stand in it mixed, without the programs' names: none are taken.")
        found, cuts = [], []
    ends = [*cuts, len(data) + 1]
    parts = []
    for number, (begin, end) in enumerate(zip([0, *cuts], ends, strict=True)):
        part = _part(data[begin:end], begin, end, found, worker if own is None else own)
        parts.append(replace(part, name=f"{name} ({number + 1})" if cuts else name))
    parts = [part for part in parts if not _is_empty(part)] or parts[:1]
    if len(parts) > 1:
        problems.append(f"{name}: episodes are counted from the beginning again: it is read as {len(parts)} runs.")
    return LogRead(tuple(parts), tuple(problems), own)


def _is_empty(part: PartRecord) -> bool:
    return not (part.traces or part.heard or part.epochs or part.evaluated or part.saved)


def _rows(data: bytes, name: str) -> tuple[list[_Rows], list[str]]:
    """The steps of each program, in order; what is torn or cut is counted."""
    if b"| " + _MARK in data or re.search(rb"\n?[\w.-]+\s*\| [^\n]*" + _MARK, data[:1] and _around_first(data)):
        by_service = _by_service(data)
    else:
        rows, places = [], []
        for found in _ROW.finditer(data):
            rows.append(found[1])
            places.append(found.start())
        by_service = {"": (rows, places)}
    result, torn = [], 0
    for service, (rows, places) in by_service.items():
        if rows and service == _last_service(by_service) and not data.endswith(b"\n") and _is_cut(rows):
            rows, places, torn = rows[:-1], places[:-1], torn + 1
        steps, where, lost = columns_of([_last_of(row) for row in rows], np.array(places, np.int64))
        torn += lost
        steps, where = without_false_starts(steps, where)
        if len(steps):
            result.append(_Rows(service, steps, where))
    problems = [f"{name}: {torn} torn or cut {'step is' if torn == 1 else 'steps are'} left out."] if torn else []
    return result, problems


def _around_first(data: bytes) -> bytes:
    """The line of the first step."""
    at = data.find(_MARK)
    begin = data.rfind(b"\n", 0, max(0, at)) + 1
    return data[begin : at + len(_MARK)] if at >= 0 else b""


def _by_service(data: bytes) -> dict[str, tuple[list[bytes], list[int]]]:
    """Docker's and fleet's own way of telling containers apart: ``name | line``."""
    found: dict[str, tuple[list[bytes], list[int]]] = {}
    for match in _SERVICE_ROW.finditer(data):
        told = _SERVICE.match(match[1])
        rows, places = found.setdefault(told[1].decode("utf-8", "replace") if told else "", ([], []))
        rows.append(match[2])
        places.append(match.start(2))
    return found


def _last_service(by_service: Mapping[str, tuple[list[bytes], list[int]]]) -> str:
    return max(by_service, key=lambda one: by_service[one][1][-1] if by_service[one][1] else -1)


def _last_of(row: bytes) -> bytes:
    """Where two programs wrote into one line, the row that stands last."""
    return row.rpartition(_MARK)[2] if _MARK in row else row


def _is_cut(rows: Sequence[bytes]) -> bool:
    """Whether a last row without the end of its line lacks something: fields, or digits of its time."""
    if len(rows) < 2:
        return False
    last, before = rows[-1].split(b","), rows[-2].split(b",")
    return len(last) != len(before) or len(last[-1]) < len(before[-1].strip()) - 2


def _cuts(data: bytes, found: Sequence[_Rows]) -> list[int]:
    """Where in the log another run begins: with what its programs say before its first step."""
    phase = _phase(data)
    cuts: set[int] = set()
    for rows in found:
        for first in begun_anew(rows.steps, phase):
            cuts.add(_start_before(data, int(rows.places[first - 1]), int(rows.places[first])))
    if not found:
        at = data.find(_TRAINED)
        while at >= 0 and (at := data.find(_TRAINER_START, at)) >= 0:
            cuts.add(data.rfind(b"\n", 0, at) + 1)
            at = data.find(_TRAINED, at)
    return sorted(cuts)


def _start_before(data: bytes, after: int, place: int) -> int:
    """The beginning of a run's own lines, between the last step of the run before and its own first."""
    begins = [at for mark in _STARTS if (at := data.find(mark, after, place)) >= 0]
    return data.rfind(b"\n", 0, min(begins, default=place)) + 1


def _phase(data: bytes, setup: Setup | None = None) -> Phase:
    job = (setup if setup is not None else setup_of(data)).job
    if job:
        return "training" if job.upper() == "TRAINING" else "evaluation"
    return "evaluation" if any(mark in data for mark in _EVALUATES) and _TRAINED not in data else "training"


def _part(data: bytes, begin: int, end: int, found: Sequence[_Rows], worker: int | None) -> PartRecord:
    """What stands in a stretch of the log."""
    setup = setup_of(data)
    phase = _phase(data, setup)
    heard = said(data)
    marks = heard.marks + begin
    traces: list[Trace] = []
    for number, rows in enumerate(found):
        inside = (rows.places >= begin) & (rows.places < end)
        if not inside.any():
            continue
        steps, places = in_order(rows.steps.take(inside), rows.places[inside])
        steps = _iterations(steps, places, marks if len(found) == 1 else marks[:0], setup, heard)
        own = _worker_of(rows.service, number) if len(found) > 1 else worker or 0
        traces.append(Trace(own, phase, steps, track=setup.track))
    last = max((int(rows.places[-1]) for rows in found if len(rows.places)), default=-1) - begin
    return PartRecord(
        name="",
        traces=tuple(sorted(traces, key=lambda one: one.worker)),
        epochs=heard.epochs,
        heard=heard.heard,
        evaluated=_evaluated(heard, traces, found, begin),
        saved=heard.saved,
        best=heard.best,
        additional=sum(place > last for place in heard.additional),
        trouble=heard.trouble,
        setup=setup,
    )


def _worker_of(service: str, number: int) -> int:
    """``simulator-1`` is the second; docker's own names count from 1, which only their order tells."""
    found = _NUMBER_AT_END.search(service)
    return int(found[1]) if found and service.startswith("simulator") else number


def _iterations(steps: Steps, places: Whole, marks: Whole, setup: Setup, heard: Said) -> Steps:
    """By what the log itself says of the next policy; else by the number of episodes that a worker drives in each."""
    per = per_worker(setup)
    if len(marks) > 1:
        return by_marks(steps, places, marks, per)
    if per is None and heard.heard and any(one.iteration for one in heard.heard):
        return _by_trainer(steps, heard)
    return by_count(steps, per or DEFAULT_EPISODES)


DEFAULT_EPISODES = 20
"""Per iteration, where no file and no log says: the stack's own default."""


def per_worker(setup: Setup) -> int | None:
    """Episodes that each worker drives in an iteration; None: not told."""
    told = setup.hyperparameters.get("num_episodes_between_training")
    if isinstance(told, (int, float)) and told >= 1:
        return max(1, int(told) // max(1, setup.workers or 1))
    return None


def _by_trainer(steps: Steps, heard: Said) -> Steps:
    """Its lines stand in the same log, and number the episodes of its one simulator."""
    told = {one.episode - 1: one.iteration for one in heard.heard}
    iteration = np.array([told.get(int(one), -1) for one in steps.episode], np.int64)
    return replace(steps, iteration=np.maximum.accumulate(np.maximum(iteration, 0)))


def _evaluated(heard: Said, traces: Sequence[Trace], found: Sequence[_Rows], begin: int) -> tuple[Evaluated, ...]:
    """Evaluations with the iteration before them: they drove the set that its episodes were driven with."""
    if len(traces) != 1 or len(found) != 1:
        return tuple(replace(one, iteration=number) for number, (_, one) in enumerate(heard.evaluations))
    steps, rows = traces[0].steps, found[0]
    result = []
    for place, one in heard.evaluations:
        before = rows.steps.episode[rows.places < place + begin]
        own = steps.iteration[steps.episode == before[-1]] if len(before) else before
        result.append(replace(one, iteration=int(own[-1]) if own.size else 0))
    return tuple(result)
