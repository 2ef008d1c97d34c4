"""Where training goes on from, and under which name. Pure: listings and courses in, a source and a prefix out.

Sets lie in three places: in the prefixes of earlier legs (what the trainer wrote), in their ``-from`` copies (what a leg
began with), and in fleet's checkpoints (what was kept, and restored from the bucket). A set counts if it is on the line of
descent: not beyond what a later leg began from, and not beyond where a NaN was traced to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fleet.model.base import Seconds
from fleet.workloads.deepracer.course import Course, Leg, Origin

FROM = "-from"
"""Ends the name of the copy that a leg begins from: resuming rewrites its source's pointer; the source stays as it was."""


ENDING: Seconds = 2.0
"""A trainer that was asked to stop takes so long to end, once its last set is saved."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint of fleet's: a folder that is a prefix of one whole set."""

    name: str
    """The folder's."""
    n: int
    course: Course | None
    """The run's course when it was kept; None if that cannot be read."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A whole set that training can go on from."""

    origin: Origin
    place: str
    """The prefix, or the checkpoint's folder."""
    n: int


def merged(course: Course | None, kept: Sequence[Kept], prefixes: Iterable[str], run: str) -> Course:
    """The run's course, of what the volume and the checkpoints tell.

    The volume's, if it knows all that the newest checkpoint knows; else the checkpoint's, since the run went on elsewhere.
    Without a course on the volume the names of its prefixes tell which legs came after.
    """
    newest = newest_course(kept)
    if course is not None and (newest is None or course.continues(newest)):
        return course
    found = newest or Course(run=run)
    if course is not None:
        return found
    last = _number(found.leg.prefix, run) if found.legs else None
    later = sorted((number, name) for name in prefixes if (number := _number(name, run)) and (not last or number > last))
    unknown = tuple(Leg(prefix=name, attempt=number[0], origin="volume", source=_unbound(found)) for number, name in later)
    return found.model_copy(update={"legs": (*found.legs, *unknown)})


def newest_course(kept: Sequence[Kept]) -> Course | None:
    """What the checkpoints tell of the run, as of the newest."""
    return max((one.course for one in kept if one.course is not None), key=_age, default=None)


def candidates(course: Course, volume: Mapping[str, Sequence[int]], kept: Sequence[Kept]) -> list[Candidate]:
    """Every set on the line of descent, newest first; each N once, where it lies nearest."""
    found: dict[int, Candidate] = {}
    bound: int | None = None

    def add(leg: Leg, origin: Origin, place: str, numbers: Iterable[int]) -> None:
        for n in numbers:
            if leg.allows(n) and (bound is None or n <= bound):
                found.setdefault(n, Candidate(origin, place, n))

    for leg in reversed(course.legs):
        add(leg, "volume", leg.prefix, volume.get(leg.prefix, ()))
        add(leg, "volume", leg.prefix + FROM, volume.get(leg.prefix + FROM, ()))
        for one in kept:
            if one.course is not None and one.course.legs and one.course.leg.prefix == leg.prefix:
                add(leg, "checkpoint", one.name, (one.n,))
        begun = leg.source if leg.source is not None else -1
        bound = begun if bound is None else min(bound, begun)
    if not found:
        found = {one.n: Candidate("checkpoint", one.name, one.n) for one in kept if one.course is None}
    return [found[n] for n in sorted(found, reverse=True)]


def next_prefix(run: str, attempt: int, names: Iterable[str]) -> str:
    """A name that no leg of the run has or had: ``<run>-<attempt>-<k>``."""
    taken = [_number(name.removesuffix(FROM), run) for name in names]
    k = max((number[1] for number in taken if number is not None and number[0] == attempt), default=0)
    return f"{run}-{attempt}-{k + 1}"


def actions_of(metadata: bytes) -> int | None:
    """How many actions a model_metadata.json numbers; None for a continuous action space, or what cannot be read."""
    try:
        found = json.loads(metadata)["action_space"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return len(found) if isinstance(found, list) else None


@dataclass(frozen=True, slots=True)
class Loss:
    """The work that an interruption cost."""

    iterations: int
    """Begun ones count whole."""
    seconds: Seconds

    def told(self) -> str:
        """For people."""
        if self.iterations == 0:
            return "nothing was lost"
        some = "at most one iteration" if self.iterations == 1 else f"{self.iterations} iterations"
        return f"{some} lost, {self.seconds / 60:.1f} minutes of training"


def must_keep(source: Candidate, kept: Sequence[Kept], course: Course) -> bool:
    """Whether fleet has nothing that would lead to the same source with the same course: then it is kept at once."""
    if source.origin == "pretrained":
        return False
    newest = max(kept, key=lambda one: one.n, default=None)
    return newest is None or newest.n != source.n or newest.course is None or newest.course.nan_retries != course.nan_retries


def loss(course: Course, n: int) -> Loss | None:
    """What is lost by going on from set ``n``; None if nothing was done before."""
    if not course.legs:
        return None
    leg = course.leg
    same = leg.first if leg.first is not None and n == leg.source else n  # its trainer's first set is the source's weights
    whole = max(0, course.reached - same)
    begun = course.reached_seconds > course.reached_since + ENDING
    seconds = max(0.0, course.reached_seconds - course.trained_at(n))
    return Loss(whole + (1 if begun else 0), round(seconds, 1))


def _age(course: Course) -> tuple[int, int]:
    return len(course.legs), course.iterations


def _number(name: str, run: str) -> tuple[int, int] | None:
    """Attempt and k of one of the run's prefixes; None for anything else, ``-from`` copies among it."""
    match = re.fullmatch(re.escape(run) + r"-(\d{1,9})-(\d{1,9})", name)
    return (int(match[1]), int(match[2])) if match else None


def _unbound(course: Course) -> int:
    """What an unknown leg began from cannot be told: it takes nothing away from those before it that is not newer."""
    return max(course.iterations, 0)
