"""What the simulator writes at every step: ``SIM_TRACE_LOG`` lines and simtrace CSVs, of every version, as one kind of row.

The forms grew: 15 fields in 2019 (radians, Unix time), then the episode's status, the pause, the obstacles hit, and in 2026
the wall clock. Today's angles are degrees and its times the simulator's seconds; rows always have degrees. A continuous
action is written as an array, with spaces or with a comma, which must not be taken for two fields.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MARK = "SIM_TRACE_LOG:"
LEAST_FIELDS, RADIANS_FIELDS = 15, 15
UNIX = 1e9
"""Seconds that are more than that are a wall clock's: no simulation runs for thirty years."""
_ARRAY = re.compile(r"\"?\[([^\]]*)\]\"?")
_NUMBERS = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an episode."""

    episode: int
    """As written: from 0, anew in every prefix."""
    number: int
    x: float
    y: float
    heading: float
    """Degrees."""
    steering: float
    """Degrees."""
    speed: float
    action: int | None
    """None: the actions are continuous, and steering and speed say it all."""
    reward: float
    done: bool
    on_track: bool
    progress: float
    """Percent of the lap."""
    waypoint: int
    track_length: float
    at: float
    """The simulator's seconds; in 2019 seconds since 1970."""
    status: str | None = None
    """``in_progress``, ``off_track``, ``lap_complete`` …; None: 2019 did not say."""
    crashes: int | None = None
    wall: float | None = None
    """Seconds since 1970, where it was written."""
    pause: float | None = None
    """Seconds of penalty, where they are written."""


def steps_of_log(lines: Iterable[str]) -> Iterator[Step]:
    """The steps among the lines of a log. What is cut or torn is left out: two programs may write into one line."""
    for line in lines:
        at = line.rfind(MARK)
        if at >= 0:
            step = step_of(line[at + len(MARK) :])
            if step is not None:
                yield step


def steps_of_csv(lines: Iterable[str]) -> Iterator[Step]:
    """The steps of a simtrace CSV. Its header is no row of numbers, and so passes by itself."""
    for line in lines:
        step = step_of(line)
        if step is not None:
            yield step


def step_of(text: str) -> Step | None:
    """A row's fields; None if it is not whole."""
    try:
        fields, action = _fields(text)
        return _step(fields, action) if len(fields) >= LEAST_FIELDS else None
    except (ValueError, OverflowError):
        return None


def _step(fields: list[str], action: int | None) -> Step:
    episode, number = _whole(fields[0]), _whole(fields[1])
    x, y, heading, steering, speed = map(_number, fields[2:7])
    if _in_radians(fields, heading, steering):
        heading, steering = math.degrees(heading), math.degrees(steering)
    at = _number(fields[14])
    more = fields[15:]
    last = _number(more[-1]) if len(more) > 2 else 0.0
    clocked = last > UNIX
    return Step(
        episode=episode,
        number=number,
        x=x,
        y=y,
        heading=heading,
        steering=steering,
        speed=speed,
        action=action,
        reward=float(fields[8]),
        done=_truth(fields[9]),
        on_track=_truth(fields[10]),
        progress=_number(fields[11]),
        waypoint=_whole(fields[12]),
        track_length=_number(fields[13]),
        at=at,
        status=more[0] if more else None,
        crashes=_whole(more[2]) if len(more) > (3 if clocked else 2) else None,
        wall=at if at > UNIX else last if clocked else None,
        pause=_number(more[1]) if len(more) > 1 else None,
    )


def _fields(text: str) -> tuple[list[str], int | None]:
    """The fields between commas, the array of a continuous action as an empty one; the number of a discrete action."""
    bare = _ARRAY.sub("", _COLOUR.sub("", text).strip().strip(), count=1)
    fields = [field.strip() for field in bare.split(",")]
    told = fields[7] if len(fields) > 7 else ""
    return fields, _whole(told) if _NUMBERS.fullmatch(told) else None


def _in_radians(fields: list[str], heading: float, steering: float) -> bool:
    """2019's form has no status; a later one of that form would betray itself by its larger numbers and small times."""
    return len(fields) == RADIANS_FIELDS and _number(fields[14]) > UNIX and abs(heading) <= 7 and abs(steering) <= 2


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number")
    return value


def _whole(text: str) -> int:
    return int(_number(text))


def _truth(text: str) -> bool:
    if text.casefold() in ("true", "1"):
        return True
    if text.casefold() in ("false", "0"):
        return False
    raise ValueError(f"{text} is neither true nor false")


@dataclass(frozen=True, slots=True)
class Driven:
    """An episode as its steps tell it."""

    episode: int
    steps: int
    reward: float
    progress: float
    status: str | None
    began: float
    """By the simulator's clock."""
    seconds: float
    wall: float | None
    """When it ended."""


def episodes_of(steps: Iterable[Step]) -> list[Driven]:
    """The steps of each episode summed up, in order, without holding all of them. An episode that begins anew is another."""
    found: list[Driven] = []
    first: Step | None = None
    last: Step | None = None
    reward, count = 0.0, 0
    for step in steps:
        if last is not None and first is not None and (step.episode != last.episode or step.number < last.number):
            found.append(_driven(first, last, count, reward))
            first, reward, count = None, 0.0, 0
        first = first or step
        last, reward, count = step, reward + step.reward, count + 1
    if first is not None and last is not None:
        found.append(_driven(first, last, count, reward))
    return found


def _driven(first: Step, last: Step, count: int, reward: float) -> Driven:
    return Driven(last.episode, count, reward, last.progress, last.status, first.at, max(0.0, last.at - first.at), last.wall)
