"""The ground that was driven on, out of a recording. Asked again of one that has grown, only what came since is added."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from fleet.workloads.deepracer.analysis.analysing import numbered
from fleet.workloads.deepracer.analysis.heat import Heat, step_seconds
from fleet.workloads.deepracer.analysis.recording import PartRecord, Recording, Trace
from fleet.workloads.deepracer.analysis.scene import Borders, Ground, Lap, borders
from fleet.workloads.deepracer.analysis.steps import STATUSES, Steps, Truths
from fleet.workloads.deepracer.checking.tracks import Tracks

_COMPLETE = STATUSES.index("lap_complete")
_SAID = frozenset(STATUSES.index(one) for one in STATUSES if one)


@dataclass
class _Seen:
    """What was made of a trace so far."""

    world: str
    steps: int = 0
    """Of its steps that were added."""
    last: tuple[int, float] = (0, 0.0)
    """Number and time of the last of them: if they are others now, the trace was begun anew."""
    left_out: int = 0
    """Steps that were left out, of iterations that do not count."""
    heat: Heat = field(default_factory=Heat)
    begun: int = 0
    """Where the last episode that was looked at begins."""
    best: Lap | None = None


@dataclass
class Scenery:
    """What was made of all traces so far."""

    tracks: Tracks
    """Where borders come from."""
    world: str = ""
    """The track, where the records name none."""
    _seen: dict[tuple[str, str, int, str], _Seen] = field(default_factory=dict)
    _borders: dict[str, Borders | None] = field(default_factory=dict)

    def grounds(self, recording: Recording) -> tuple[Ground, ...]:
        """Each track, in the order in which they were first driven. Training if there is any, else evaluations; iterations
        that the model holds nothing of are left out. The best lap may be an evaluation's.
        """
        trains = any(len(trace.steps) for part in recording.parts for trace in part.training)
        kept = {key: self._look(key, part, trace) for key, part, trace in _traces(recording)}
        self._seen = kept
        worlds: dict[str, list[_Seen]] = {}
        for (_, phase, *_), seen in kept.items():
            worlds.setdefault(seen.world or self.world, []).append(_bare(seen) if trains and phase != "training" else seen)
        grounds = (self._ground(world, many) for world, many in worlds.items())
        return tuple(one for one in grounds if one.heat.steps)

    def _look(self, key: tuple[str, str, int, str], part: PartRecord, trace: Trace) -> _Seen:
        steps = trace.steps
        counts = _counts(part, trace)
        seen = self._seen.get(key)
        if seen is None or not _continues(seen, steps, counts):
            seen = _Seen(trace.track or part.setup.track)
        if len(steps) > seen.steps:
            _add(seen, trace, counts)
        return seen

    def _ground(self, world: str, many: Iterable[_Seen]) -> Ground:
        if world not in self._borders:
            self._borders[world] = borders(world, self.tracks)
        heat, best = Heat(), None
        for one in many:
            heat = heat.merge(one.heat)
            if one.best is not None and (best is None or one.best.seconds < best.seconds):
                best = one.best
        return Ground(world, heat, self._borders[world], best)


def _traces(recording: Recording) -> Iterator[tuple[tuple[str, str, int, str], PartRecord, Trace]]:
    for part in recording.parts:
        for trace in part.traces:
            if len(trace.steps):
                yield (part.name, trace.phase, trace.worker, trace.name), part, trace


def _bare(seen: _Seen) -> _Seen:
    """Only its best lap."""
    return replace(seen, heat=Heat())


def _counts(part: PartRecord, trace: Trace) -> Truths:
    """Which steps the model holds something of."""
    if trace.phase == "evaluation" or part.part is None:
        return np.ones(len(trace.steps), dtype=np.bool_)
    found: Truths = np.isin(trace.steps.iteration, np.fromiter(part.whole, dtype=np.int64, count=len(part.whole)))
    return found


def _continues(seen: _Seen, steps: Steps, counts: Truths) -> bool:
    """Whether the steps are those that were seen, and more."""
    if not seen.steps:
        return True
    if len(steps) < seen.steps:
        return False
    last = (int(steps.number[seen.steps - 1]), float(steps.at[seen.steps - 1]))
    return last == seen.last and int((~counts[: seen.steps]).sum()) == seen.left_out


def _add(seen: _Seen, trace: Trace, counts: Truths) -> None:
    """What came since."""
    steps, begin = trace.steps, seen.steps
    before = max(0, begin - 1)  # the time of the first one is told by the one before
    took = step_seconds(steps.drive[before:], steps.at[before:])[begin - before :]
    new = counts[begin:]
    x, y, speed, reward = (of[begin:][new] for of in (steps.x, steps.y, steps.speed, steps.reward))
    seen.heat = seen.heat.add(x, y, speed, reward, took[new])
    for first, last in _ended(steps, seen.begun):
        seen.begun = last + 1
        if counts[last]:
            seen.best = _better(seen.best, trace, first, last)
    seen.steps = len(steps)
    seen.last = (int(steps.number[-1]), float(steps.at[-1]))
    seen.left_out = int((~counts).sum())


def _ended(steps: Steps, begun: int) -> Iterator[tuple[int, int]]:
    """First and last step of each episode from there on that has ended."""
    lasts = begun + np.flatnonzero(np.diff(steps.drive[begun:]) != 0)
    first = begun
    for last in [*lasts.tolist(), *([len(steps) - 1] if steps.done[-1] else [])]:
        yield first, last
        first = last + 1


def _better(best: Lap | None, trace: Trace, first: int, last: int) -> Lap | None:
    """The lap of these steps, if it is one and shorter."""
    steps = trace.steps
    code = int(steps.status[last])
    whole = code == _COMPLETE or (code not in _SAID and float(steps.progress[first : last + 1].max()) >= 100.0)
    seconds = float(steps.at[last] - steps.at[first])
    if not whole or not seconds > 0 or (best is not None and seconds >= best.seconds):
        return best
    places = np.stack([steps.x[first : last + 1], steps.y[first : last + 1]], axis=1)
    points = places[np.isfinite(places).all(axis=1)]
    return Lap(seconds, trace.phase, points) if len(points) > 1 else best


def only(recording: Recording, first: int, last: int) -> Recording:
    """The steps of these iterations of the run alone: for a map of a stretch of it."""
    parts = []
    for part, counted in zip(recording.parts, numbered(recording.parts), strict=True):
        held: Mapping[int, int] = {own: whole for own, whole in counted.items() if first <= whole <= last}
        traces = []
        for trace in part.traces:
            own = np.fromiter(held, dtype=np.int64, count=len(held))
            chosen = np.isin(trace.steps.iteration, own) if trace.phase == "training" else np.zeros(len(trace.steps), bool)
            traces.append(replace(trace, steps=trace.steps.take(chosen)))
        parts.append(replace(part, traces=tuple(traces), whole=held))
    return replace(recording, parts=tuple(parts))
