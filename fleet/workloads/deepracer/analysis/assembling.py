"""The files and logs of one training put together: its workers side by side, traces of files and of logs each told once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fleet.workloads.deepracer.analysis.layouts import Place
from fleet.workloads.deepracer.analysis.loading import Loaded
from fleet.workloads.deepracer.analysis.logs import LogRead, is_empty
from fleet.workloads.deepracer.analysis.recording import PartRecord, Setup, Trace
from fleet.workloads.deepracer.analysis.setups import per_worker
from fleet.workloads.deepracer.analysis.steps import Whole, joined
from fleet.workloads.deepracer.analysis.uniting import as_one, each_once
from fleet.workloads.deepracer.metrics import together
from fleet.workloads.deepracer.signals import Signal

MOST_GAPS = 5
"""Missing iterations that are named."""


@dataclass(frozen=True)
class ReadLog:
    """A log with what its name says."""

    place: Place
    read: LogRead


@dataclass
class _Slot:
    """What logs tell of one run, worker by worker."""

    pieces: list[PartRecord] = field(default_factory=list)


def assembled(name: str, files: Iterable[Loaded], logs: Sequence[ReadLog]) -> tuple[tuple[PartRecord, ...], tuple[str, ...]]:
    """The parts of one folder, or of logs that were named together, in order; and what does not fit together."""
    files = list(files)
    runs = _runs(logs)
    of_files = [_of_files(name, own) for own in _each_run(files)]
    last = of_files[-1]
    if not is_empty(last) or not runs:
        # Files hold the last runs only: a stack that is started again in the same prefix writes them anew.
        kept = max(0, len(runs) - len(of_files))
        beside = [PartRecord(name)] * (len(of_files) - len(runs)) + runs[kept:]
        runs = runs[:kept] + [replace(combined(both), name=name) for both in zip(of_files, beside, strict=True)]
    elif len(runs) == 1:
        runs = [replace(runs[0], name=name, setup=last.setup.over(runs[0].setup), best=last.best or runs[0].best)]
    parts = tuple(one for one in _named_apart(runs) if not is_empty(one))
    problems = [said for one in files for said in one.problems] + [said for log in logs for said in log.read.problems]
    for part in parts:
        problems += _gaps(part)
    return parts, tuple(problems)


def _each_run(files: Sequence[Loaded]) -> list[list[Loaded]]:
    """Downloads of several trainings may lie side by side: other metrics of the same worker are another training's.

    What else there is belongs to the last, but for what tells how all were set up.
    """
    turns: list[dict[int, Loaded]] = [{}]
    for one in files:
        if one.metrics is None or not one.metrics.episodes:
            continue
        worker = one.place.worker or 0
        turn = next((turn for turn in turns if worker not in turn or _copies(turn[worker], one)), None)
        if turn is None:
            turns.append({worker: one})
        elif worker not in turn or _count(turn[worker]) < _count(one):
            turn[worker] = one
    setups = [one for one in files if one.setup is not None]
    others = [one for one in files if one.setup is None and one.metrics is None]
    return [[*setups, *turn.values(), *(others if turn is turns[-1] else ())] for turn in turns]


def _copies(one: Loaded, other: Loaded) -> bool:
    """Metrics of the same training, though they may have been copied at another time."""
    return bool(one.metrics and other.metrics and one.metrics.episodes[:1] == other.metrics.episodes[:1])


def _count(one: Loaded) -> int:
    return len(one.metrics.episodes) if one.metrics is not None else 0


def combined(pieces: Sequence[PartRecord]) -> PartRecord:
    """Pieces of one run as one part; what the earlier one says goes before."""
    setup, trouble, traces = Setup(), dict[str, Signal](), dict[tuple[str, int, str], Trace]()
    for piece in pieces:
        setup = setup.over(piece.setup)
        for signal in piece.trouble:
            trouble.setdefault(signal.kind, signal)
        for trace in piece.traces:
            key = (trace.phase, trace.worker, trace.name if trace.phase == "evaluation" else "")
            traces[key] = as_one(traces[key], trace) if key in traces else trace
    order = sorted(each_once(traces.values()), key=lambda one: (one.phase == "evaluation", one.worker, one.name))
    return PartRecord(
        name=next((piece.name for piece in pieces if piece.name), ""),
        traces=tuple(order),
        episodes=next((piece.episodes for piece in pieces if piece.episodes), ()),
        epochs=next((piece.epochs for piece in pieces if piece.epochs), ()),
        heard=tuple(dict.fromkeys(one for piece in pieces for one in piece.heard)),
        evaluated=next((piece.evaluated for piece in pieces if piece.evaluated), ()),
        trials=tuple(one for piece in pieces for one in piece.trials),
        saved=next((piece.saved for piece in pieces if piece.saved), ()),
        best=next((piece.best for piece in pieces if piece.best is not None), None),
        best_by=next((piece.best_by for piece in pieces if piece.best_by), ""),
        additional=max((piece.additional for piece in pieces), default=0),
        trouble=tuple(trouble.values()),
        setup=setup,
    )


def _of_files(name: str, files: Sequence[Loaded]) -> PartRecord:
    setup = Setup()
    for kind in ("params", "hyperparameters", "metadata"):
        for one in files:
            if one.place.kind == kind and one.setup is not None:
                setup = setup.over(one.setup)
    tracks = {one.place.worker: one.setup.track for one in files if one.place.kind == "params" and one.setup is not None}
    traces, workers = [], sorted({one.place.worker or 0 for one in files if one.place.kind == "training"})
    for worker in workers:
        own = [one for one in files if one.place.kind == "training" and (one.place.worker or 0) == worker]
        steps = joined([one.steps for one in sorted(own, key=lambda one: one.place.number) if one.steps is not None])
        if len(steps):
            traces.append(Trace(worker, "training", steps, track=tracks.get(worker) or setup.track))
    for stream in sorted({one.place.stream for one in files if one.place.kind == "evaluation"}):
        own = [one for one in files if one.place.kind == "evaluation" and one.place.stream == stream]
        steps = joined([one.steps for one in sorted(own, key=lambda one: one.place.number) if one.steps is not None])
        if len(steps):
            traces.append(Trace(0, "evaluation", steps, stream))
    metrics = [one.metrics for one in files if one.metrics is not None]
    known = setup.workers or 1 + max((one.place.worker or 0 for one in files if one.metrics is not None), default=0)

    def share(worker: int) -> int | None:
        return per_worker(replace(setup, workers=known), worker)

    return PartRecord(
        name,
        traces=tuple(traces),
        episodes=together(metrics, share),
        trials=tuple(trial for one in files for trial in one.trials),
        best=next((one.best for one in files if one.best is not None), None),
        best_by=metrics[0].best_by if metrics else "",
        setup=setup,
    )


def _runs(logs: Sequence[ReadLog]) -> list[PartRecord]:
    """The runs that logs tell of: the first of every worker's log of one prefix belong together, then the second."""
    slots: dict[tuple[str, int], _Slot] = {}
    counts: dict[tuple[str, int], int] = {}
    trainers: list[PartRecord] = []
    evaluations: list[PartRecord] = []
    streams: dict[str, int] = {}
    for log in logs:
        for part in log.read.parts:
            if not part.traces:
                (trainers if part.epochs or part.heard or part.saved else evaluations).append(part)
            elif not part.training:
                evaluations.append(_with_stream(part, log.place, streams))
            else:
                workers = [trace.worker for trace in part.training]
                prefix = part.setup.prefix
                turn = max(counts.get((prefix, worker), 0) for worker in workers)
                counts.update({(prefix, worker): turn + 1 for worker in workers})
                slots.setdefault((prefix, turn), _Slot()).pieces.append(part)
    found = [_Slot(slot.pieces) for slot in slots.values()]
    for number, part in enumerate(trainers):
        if number >= len(found):
            found.append(_Slot())
        found[number].pieces.append(part)
    if evaluations:
        found = found or [_Slot()]
        found[-1].pieces += evaluations
    return [combined(sorted(slot.pieces, key=_first_worker)) for slot in found]


def _first_worker(part: PartRecord) -> int:
    """Evaluations are told of by the first worker's log, if that is there."""
    return min((trace.worker for trace in part.training), default=0 if part.evaluation else 1 << 20)


def _with_stream(part: PartRecord, place: Place, seen: dict[str, int]) -> PartRecord:
    """By its log's name; what a log holds of several evaluations, and logs of one name, are told apart."""
    stream = place.stream.rpartition("/")[2].removesuffix(".log")
    turn = seen[stream] = seen.get(stream, 0) + 1
    stream = f"{stream} ({turn})" if turn > 1 else stream
    return replace(part, traces=tuple(replace(trace, name=trace.name or stream) for trace in part.traces))


def _named_apart(parts: Sequence[PartRecord]) -> list[PartRecord]:
    """No two of the same name: iterations are told apart by it."""
    seen: dict[str, int] = {}
    found = []
    for part in parts:
        seen[part.name] = seen.get(part.name, 0) + 1
        found.append(replace(part, name=f"{part.name} ({seen[part.name]})") if seen[part.name] > 1 else part)
    return found


def _gaps(part: PartRecord) -> list[str]:
    """Workers and iterations of which nothing is there, though there is of those around them."""
    found, workers = [], part.workers
    count = max(part.setup.workers or 0, max(workers, default=-1) + 1)
    missing = sorted(set(range(count)).difference(workers)) if workers and part.training else []
    if missing:
        which = f"worker {missing[0]}" if len(missing) == 1 else f"workers {', '.join(map(str, missing))}"
        found.append(f"{part.name}: nothing is there of {which} of {count} (counted from 0): the numbers are the others'.")
    for trace in part.training:
        there: Whole = np.unique(trace.steps.iteration)
        gone = sorted(set(range(int(there[-1]))).difference(there.tolist())) if len(there) else []
        if gone:
            more = f" and {len(gone) - MOST_GAPS} more" if len(gone) > MOST_GAPS else ""
            named = f"iteration{'s' if len(gone) > 1 else ''} {', '.join(map(str, gone[:MOST_GAPS]))}{more}"
            found.append(f"{part.name}: of worker {trace.worker} no trace is there of {named}.")
    return found
