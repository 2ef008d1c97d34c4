"""Rows of the simulator's steps as columns, fast: logs hold a hundred thousand of them.

What is whole and regular is converted column by column; where something is torn, its neighbourhood is read by the careful
reader row by row (``simtrace.step_of``), which leaves out what is not whole. Both give the same numbers.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from fleet.workloads.deepracer.analysis.steps import STATUSES, Floats, Steps, Truths, Whole, joined
from fleet.workloads.deepracer.simtrace import LEAST_FIELDS, UNIX, Step, step_of

CHUNK = 4096
"""Rows that are converted together: enough to be fast, and few enough that one torn row costs little."""
MOST = 2**53
"""No count is larger: beyond it a float is no whole number any more."""
_CODES = {name: code for code, name in enumerate(STATUSES)}
_CODES_OF_BYTES = {name.encode(): code for name, code in _CODES.items()}
_ARRAY = re.compile(rb"\"?\[[^\]\n]*\]\"?")
_TRUTHS = {b"True", b"False"}


def columns_of(rows: Sequence[bytes], places: Whole) -> tuple[Steps, Whole, int]:
    """The steps, the places (one a row) of those that are whole, and how many rows are not.

    Iterations and drives are not known yet, and are all 0.
    """
    found: list[Steps] = []
    kept: list[Whole] = []
    for begin in range(0, len(rows), CHUNK):
        chunk, where = rows[begin : begin + CHUNK], places[begin : begin + CHUNK]
        steps, whole = _chunk(chunk)
        found.append(steps)
        kept.append(where[whole])
    steps = joined(found)
    steps = replace(steps, drive=np.zeros(len(steps), np.int64))
    where = np.concatenate(kept) if kept else np.zeros(0, np.int64)
    return steps, where, len(rows) - len(where)


def _chunk(rows: Sequence[bytes]) -> tuple[Steps, Whole]:
    """The steps, and which rows they are, in order: those of the usual form together, the others one by one."""
    text = b"\n".join(rows)
    if b"[" in text:
        text = _ARRAY.sub(b"", text)
    bare = text.split(b"\n")
    widths = [row.count(b",") for row in bare]
    usual = Counter(widths).most_common(1)[0][0]
    regular = [place for place, width in enumerate(widths) if width == usual]
    steps = _regular([bare[place] for place in regular])
    if steps is None:
        return _carefully(rows, range(len(rows)))
    if len(regular) == len(rows):
        return steps, np.arange(len(rows))
    others, whole = _carefully(rows, [place for place, width in enumerate(widths) if width != usual])
    which = np.concatenate([np.array(regular, np.int64), whole])
    order = np.argsort(which)
    return joined([steps, others]).take(order), which[order]


def _regular(rows: Sequence[bytes]) -> Steps | None:
    """All rows, if each is whole; arrays are out of them, and all have as many fields."""
    told = list(zip(*[row.split(b",") for row in rows], strict=True))
    if len(told) < LEAST_FIELDS or not _TRUTHS.issuperset(told[9]) or not _TRUTHS.issuperset(told[10]):
        return None
    try:
        return _converted(told)
    except (ValueError, OverflowError):
        return None


def _converted(told: Sequence[Sequence[bytes]]) -> Steps | None:
    """The columns of bytes as numbers. Raises ValueError for what is none."""
    count = len(told[0])
    numbers = {place: _floats(told[place], count) for place in (0, 1, 2, 3, 4, 5, 6, 11, 12, 13, 14)}
    if not all(np.isfinite(column).all() for column in numbers.values()):
        return None
    if any(np.abs(numbers[place]).max() >= MOST for place in (0, 1, 12)):
        return None
    heading, steering, at = numbers[4], numbers[5], numbers[14]
    if len(told) == LEAST_FIELDS:
        radians = (at > UNIX) & (np.abs(heading) <= 7) & (np.abs(steering) <= 2)
        heading, steering = (np.where(radians, np.degrees(one), one) for one in (heading, steering))
    action = _actions(told[7], count)
    if action is None:
        return None
    status = told[15] if len(told) > LEAST_FIELDS else ()
    codes = [_CODES_OF_BYTES.get(one.strip(), 0) for one in status] if status else [0] * count
    return Steps(
        iteration=np.zeros(count, np.int64),
        drive=np.zeros(count, np.int64),
        episode=numbers[0].astype(np.int64),
        number=numbers[1].astype(np.int64),
        x=numbers[2],
        y=numbers[3],
        heading=heading,
        steering=steering,
        speed=numbers[6],
        action=action,
        reward=_floats(told[8], count),
        done=_truths(told[9], count),
        on_track=_truths(told[10], count),
        progress=numbers[11],
        waypoint=numbers[12].astype(np.int64),
        track_length=numbers[13],
        at=at,
        status=np.array(codes, np.int8),
        pause=_floats(told[16], count) if len(told) > 16 else np.full(count, np.nan),
        wall=_wall(told, at, count),
    )


def _floats(column: Iterable[bytes], count: int) -> Floats:
    return np.fromiter(map(float, column), np.float64, count)


def _truths(column: Iterable[bytes], count: int) -> Truths:
    return np.fromiter((one == b"True" for one in column), np.bool_, count)


def _actions(column: Sequence[bytes], count: int) -> Whole | None:
    """-1 where an array stood; None: some are discrete and some are not."""
    if not any(column):
        return np.full(count, -1, np.int64)
    if not all(column):
        return None
    found = _floats(column, count)
    return found.astype(np.int64) if np.isfinite(found).all() and np.abs(found).max() < MOST else None


def _wall(told: Sequence[Sequence[bytes]], at: Floats, count: int) -> Floats:
    """A clock's time: of 2019 the only one, today the last field, before which obstacles are counted."""
    more = _floats(told[-1], count) if len(told) > LEAST_FIELDS + 2 else np.full(count, np.nan)
    return np.where(at > UNIX, at, np.where(more > UNIX, more, np.nan))


def _carefully(rows: Sequence[bytes], which: Iterable[int]) -> tuple[Steps, Whole]:
    """Some of the rows, one by one; and which of them are whole."""
    read = [(place, step_of(rows[place].decode("utf-8", "replace"))) for place in which]
    sound = [(place, one) for place, one in read if one is not None and _in_bounds(one)]
    return steps_of([one for _, one in sound]), np.array([place for place, _ in sound], np.int64)


def _in_bounds(step: Step) -> bool:
    return all(abs(one) < MOST for one in (step.episode, step.number, step.waypoint, step.action or 0))


def steps_of(steps: Sequence[Step]) -> Steps:
    """Steps that were read one by one, as columns."""

    def floats(of: Callable[[Step], float]) -> Floats:
        return np.array([of(one) for one in steps], np.float64)

    def whole(of: Callable[[Step], int]) -> Whole:
        return np.array([of(one) for one in steps], np.int64)

    return Steps(
        iteration=whole(lambda _: 0),
        drive=whole(lambda _: 0),
        episode=whole(lambda one: one.episode),
        number=whole(lambda one: one.number),
        x=floats(lambda one: one.x),
        y=floats(lambda one: one.y),
        heading=floats(lambda one: one.heading),
        steering=floats(lambda one: one.steering),
        speed=floats(lambda one: one.speed),
        action=whole(lambda one: -1 if one.action is None else one.action),
        reward=floats(lambda one: one.reward),
        done=np.array([one.done for one in steps], np.bool_),
        on_track=np.array([one.on_track for one in steps], np.bool_),
        progress=floats(lambda one: one.progress),
        waypoint=whole(lambda one: one.waypoint),
        track_length=floats(lambda one: one.track_length),
        at=floats(lambda one: one.at),
        status=np.array([_CODES.get(one.status or "", 0) for one in steps], np.int8),
        pause=floats(lambda one: math.nan if one.pause is None else one.pause),
        wall=floats(lambda one: math.nan if one.wall is None else one.wall),
    )
