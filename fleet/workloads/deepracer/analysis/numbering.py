"""Which steps belong together: the runs in one log, the episodes of a run, the iterations of its episodes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fleet.workloads.deepracer.analysis.model import Phase
from fleet.workloads.deepracer.analysis.steps import Steps, Truths, Whole

FIRST = 1
"""No episode's first step has a larger number: from 1 today, from 0 in 2019."""
FALSE_START = 2
"""Steps at most."""
MOST_RUNS = 100
"""In one log: more are no runs, but programs that wrote between each other's lines."""
BROKEN, BROKEN_LEAST = 0.1, 20
"""Of a log's steps, and how many: more that do not follow the one before are of programs that wrote between each other's."""


def begun_anew(steps: Steps, phase: Phase) -> Whole:
    """The places at which another run begins, without the first: its episodes are counted from the beginning again.

    In training no episode is driven twice. An evaluation may call each of its trials 0: that is no other run.
    """
    found: list[int] = []
    begin = 0
    while len(found) <= MOST_RUNS:
        again = np.flatnonzero(_falls(steps.episode[begin:], steps.number[begin:], phase))
        if not len(again):
            break
        begin += int(again[0]) + 1
        found.append(begin)
    return np.array(found, np.int64)


def _falls(episode: Whole, number: Whole, phase: Phase) -> Truths:
    """For each step but the first: whether it cannot belong to the run of those before it."""
    highest, now = np.maximum.accumulate(episode)[:-1], episode[1:]
    first = number[1:] <= FIRST
    # Lines of two threads may stand in the wrong order around an episode's end: one lower is no new run yet.
    falls = (now < highest - 1) | (first & (now < highest))
    if phase == "training":
        falls |= first & (now == highest) & (number[1:] <= number[:-1])
    return np.asarray(falls, np.bool_)


def is_mixed(steps: Steps) -> bool:
    """Whether steps of several programs stand in each other's way."""
    if len(steps) < BROKEN_LEAST:
        return False
    follows = (np.diff(steps.episode) == 0) & (np.diff(steps.number) == 1)
    broken = int((~follows & (steps.number[1:] > FIRST)).sum())
    return broken > max(BROKEN_LEAST, BROKEN * len(steps))


def by_format(steps: Steps) -> list[Truths]:
    """Which steps are of 2019, which of the years that told of pauses, and which of those that tell the time too."""
    old, clocked = np.isnan(steps.pause), ~np.isnan(steps.wall)
    return [old, ~old & ~clocked, ~old & clocked]


def in_order(steps: Steps, places: Whole) -> tuple[Steps, Whole]:
    """The steps of one run with their drives, in the order of drives and of numbers within them; their places likewise.

    Two threads' lines that changed places are put right.
    """
    if not len(steps):
        return steps, places
    next_one = np.diff(steps.episode) > 0
    if (next_one | ((np.diff(steps.episode) == 0) & (np.diff(steps.number) > 0))).all():
        return replace(steps, drive=np.cumsum(np.r_[0, next_one]).astype(np.int64)), places
    repeat = _repeats(steps)
    order = np.lexsort((steps.number, repeat, steps.episode))
    # Where episodes begin anew (evaluations), what was driven first comes first.
    key = np.stack((steps.episode[order], repeat[order]), axis=1)
    change = np.r_[True, (np.diff(key, axis=0) != 0).any(axis=1)]
    group = np.cumsum(change) - 1
    earliest = np.minimum.reduceat(order, np.flatnonzero(change))
    rank = np.argsort(np.argsort(earliest, kind="stable"), kind="stable")
    drive = rank[group]
    order = order[np.lexsort((steps.number[order], drive))]
    sorted_drive = np.sort(drive)
    return replace(steps.take(order), drive=sorted_drive.astype(np.int64)), places[order]


def _repeats(steps: Steps) -> Whole:
    """Of steps with the same episode's number: how often it had begun anew before."""
    order = np.argsort(steps.episode, kind="stable")
    episode, number = steps.episode[order], steps.number[order]
    same = np.r_[False, episode[1:] == episode[:-1]]
    anew = same & (number <= FIRST) & np.r_[False, number[1:] <= number[:-1]]
    total = np.cumsum(anew)
    begins = np.flatnonzero(~same)
    before = total[begins] - anew[begins]
    of_group = np.repeat(before, np.diff(np.r_[begins, len(order)]))
    found = np.empty(len(order), np.int64)
    found[order] = total - of_group
    return found


def without_false_starts(steps: Steps, places: Whole) -> tuple[Steps, Whole]:
    """Without the step or two that a simulator may write before it puts the car back and begins the same episode again."""
    if len(steps) < 2:
        return steps, places
    episode, number = steps.episode, steps.number
    begins = np.flatnonzero(np.r_[True, (number[1:] <= FIRST) & (number[1:] <= number[:-1])])
    lengths = np.diff(np.r_[begins, len(steps)])
    again = np.r_[episode[begins[1:]] == episode[begins[:-1]], False]
    false = (lengths <= FALSE_START) & again & ~steps.done[begins + lengths - 1]
    keep = ~np.repeat(false, lengths)
    return (steps, places) if keep.all() else (steps.take(keep), places[keep])


def by_marks(steps: Steps, places: Whole, marks: Whole, per_iteration: int | None) -> Steps:
    """Iterations by what stands between the steps in a log: a mark where the simulator loaded the next policy.

    An episode belongs where its first step stands. Marks between which nothing was driven count once. Of a log whose
    beginning is gone the first episode tells how many iterations were before.
    """
    if not len(steps):
        return steps
    before = np.searchsorted(marks, places[steps.firsts])
    _, dense = np.unique(before, return_inverse=True)
    gone = int(steps.episode[0]) // per_iteration if per_iteration else 0
    return replace(steps, iteration=dense.astype(np.int64)[steps.drive] + gone)


def by_count(steps: Steps, per_iteration: int) -> Steps:
    """Iterations by the number of episodes that one worker drives in each."""
    return replace(steps, iteration=steps.episode // max(1, per_iteration))
