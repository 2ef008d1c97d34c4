"""Steps that were recorded twice, in files and in logs: each episode is told once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from fleet.workloads.deepracer.analysis.recording import Trace
from fleet.workloads.deepracer.analysis.steps import Steps, joined


def each_once(traces: Iterable[Trace]) -> list[Trace]:
    """An evaluation's log and its file tell the same steps, under names that have little in common."""
    found: list[Trace] = []
    for trace in traces:
        same = next((place for place, one in enumerate(found) if trace.phase == "evaluation" and _same(one, trace)), None)
        if same is None:
            found.append(trace)
        else:
            found[same] = replace(found[same], track=found[same].track or trace.track)
    return found


def _same(first: Trace, second: Trace) -> bool:
    one, other = first.steps, second.steps
    if first.phase != second.phase or len(one) != len(other) or not np.array_equal(one.number, other.number):
        return False
    # Logs have four digits, files all of them.
    return bool(np.allclose(one.x, other.x, rtol=0, atol=1e-3) and np.allclose(one.y, other.y, rtol=0, atol=1e-3))


def as_one(first: Trace, second: Trace) -> Trace:
    """Episode by episode from whichever holds more of it; iterations as the first one counts them."""
    steps = united(first.steps, second.steps)
    return replace(first, steps=steps, track=first.track or second.track)


def united(first: Steps, second: Steps) -> Steps:
    """The same worker's steps, recorded twice: each episode once."""
    if not len(first) or not len(second):
        return first if len(first) else second
    mine, others = _counts(first), _counts(second)
    common = sorted(mine.keys() & others.keys())
    shift = 0
    if common:
        one = common[0]
        shift = int(first.iteration[first.episode == one][0] - second.iteration[second.episode == one][0])
    take_first = [episode for episode, count in mine.items() if count >= others.get(episode, 0)]
    kept = first.take(np.isin(first.episode, take_first))
    added = second.take(~np.isin(second.episode, take_first))
    if not len(added):
        return kept
    both = joined([kept, replace(added, iteration=added.iteration + shift)])
    order = np.lexsort((np.arange(len(both)), both.episode))
    both = both.take(order)
    return replace(both, drive=np.cumsum(np.r_[0, np.diff(both.drive) != 0]).astype(np.int64))


def _counts(steps: Steps) -> dict[int, int]:
    numbers, counts = np.unique(steps.episode, return_counts=True)
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))
