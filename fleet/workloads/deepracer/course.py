"""The course of a run over all its attempts: which prefixes there were, how far each came, what was lost between them.

Pure. Kept twice: on the volume, written with every iteration, and as ``course.json`` in each checkpoint, as it was then.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, computed_field

from fleet.model.base import MOST_STEPS, Seconds, Steps

Origin = Literal["nothing", "pretrained", "volume", "checkpoint"]
"""Where a prefix's first weights come from."""
MOST_SETS = 32
"""Of so many sets of a prefix it is remembered how long they were trained."""
COURSE = "course.json"


class _Lenient(BaseModel):
    """A value that a newer fleet may have written: what is not known is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Leg(_Lenient):
    """What one start of the stack did: one prefix, from its source to its end."""

    prefix: str
    attempt: int = Field(ge=0, le=MOST_STEPS)
    origin: Origin = "nothing"
    source: Steps | None = None
    """The N of the set that it began from; None: from nothing."""
    first: Steps | None = None
    """The N of the set that its trainer saved before it trained: the source's weights under the next number."""
    began_at: Seconds = 0.0
    trained_before: Seconds = 0.0
    """How long its source had been trained within this run."""
    sets: dict[int, Seconds] = Field(default_factory=dict)
    """N of the newest sets that were kept of it → how long they had been trained within this run."""
    limit: Steps | None = None
    """After NaN: sets beyond this one are not gone on from."""
    ended: str = ""
    """How, in a word; empty while it lasts, and of one that was killed."""

    @property
    def repeats(self) -> int:
        """By how much N grew without training, when its trainer saved what it had loaded."""
        return max(0, self.first - (self.source or 0)) if self.first is not None else 0

    @property
    def kept(self) -> int | None:
        """The N of the newest set that was kept of it and may be gone on from."""
        return max((n for n in self.sets if self.allows(n)), default=None)

    def allows(self, n: int) -> bool:
        """Whether the set may be gone on from."""
        return self.limit is None or n <= self.limit


class Course(_Lenient):
    """A run so far."""

    v: Literal[1] = 1
    run: str
    iterations: Steps = 0
    """The N of the newest set that was kept."""
    base: Steps = 0
    """The N of the pretrained set that the run began from."""
    trained_seconds: Seconds = 0.0
    """How long that newest set was trained within this run."""
    reached: Steps = 0
    """The newest N that the trainer is known to have come to."""
    reached_since: Seconds = 0.0
    """How long it had trained when it came there."""
    reached_seconds: Seconds = 0.0
    """How long it had trained when it was last seen at work."""
    nan_retries: int = Field(default=0, ge=0, le=MOST_STEPS)
    learning_rate: float | None = None
    """In force, where it is not the one of the job's hyperparameters."""
    legs: tuple[Leg, ...] = ()
    images: dict[str, str] = Field(default_factory=dict)
    """By role, with the digests that the run's first attempt found: a tag may mean another image tomorrow."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def prefixes(self) -> list[str]:
        """Of all legs, in their order."""
        return [leg.prefix for leg in self.legs]

    @property
    def leg(self) -> Leg:
        """The present one."""
        return self.legs[-1]

    @property
    def done(self) -> int:
        """Iterations that this run trained and kept: what it began with, and sets that only repeat others, do not count."""
        return max(0, self.iterations - self.base - self.repeats)

    @property
    def repeats(self) -> int:
        """By how much N grew without training, on the way to the newest set that was kept."""
        again, bound = 0, self.iterations
        for leg in reversed(self.legs):
            again += leg.repeats if leg.first is not None and leg.first <= bound else 0
            bound = min(bound, leg.source if leg.source is not None else -1)
        return again

    def begun(self, prefix: str, attempt: int, origin: Origin, source: int | None, trained: Seconds, at: Seconds) -> Course:
        """A new leg, from a set that had been trained so long within this run."""
        leg = Leg(prefix=prefix, attempt=attempt, origin=origin, source=source, began_at=at, trained_before=trained)
        first = source or 0
        base = first if origin in ("nothing", "pretrained") and not any(one.sets for one in self.legs) else self.base
        return self.model_copy(
            update={
                "legs": (*self.legs, leg),
                "base": base,
                "iterations": first,
                "trained_seconds": trained,
                "reached": first,
                "reached_since": trained,
                "reached_seconds": trained,
            }
        )

    def started(self, first: int) -> Course:
        """The trainer saved what it had loaded, before it trained, as set ``first``."""
        leg = self.leg.model_copy(update={"first": first})
        return self._with(leg).model_copy(update={"reached": max(self.reached, first)})

    def seen(self, n: int, trained: Seconds) -> Course:
        """The trainer has come to set ``n``, or is at work on the next one, having trained so long."""
        seconds = max(self.reached_seconds, round(trained, 3))
        since = seconds if n > self.reached else self.reached_since
        return self.model_copy(update={"reached": max(self.reached, n), "reached_since": since, "reached_seconds": seconds})

    def kept(self, n: int, trained: Seconds) -> Course:
        """The set ``n`` lies where a resume finds it."""
        sets = {**self.leg.sets, n: round(trained, 3)}
        newest = {one: sets[one] for one in sorted(sets)[-MOST_SETS:]}
        course = self._with(self.leg.model_copy(update={"sets": newest})).seen(n, trained)
        return course.model_copy(update={"iterations": n, "trained_seconds": round(trained, 3)})

    def ended(self, how: str) -> Course:
        """The present leg is over."""
        return self._with(self.leg.model_copy(update={"ended": how}))

    def doubted(self, after: int | None) -> Course:
        """NaN: of no leg a set beyond ``after`` is gone on from (None: of none at all)."""
        limit = -1 if after is None else after
        legs = tuple(
            leg.model_copy(update={"limit": limit if leg.limit is None else min(limit, leg.limit)}) for leg in self.legs
        )
        return self.model_copy(update={"legs": legs})

    def went_bad(self, after: int | None, learning_rate: float | None) -> Course:
        """NaN: training goes back to ``after``, and one retry is used up."""
        rate = learning_rate or self.learning_rate
        return self.doubted(after).model_copy(update={"nan_retries": self.nan_retries + 1, "learning_rate": rate})

    def trained_at(self, n: int) -> Seconds:
        """How long set ``n`` was trained within this run: as the newest leg knows, else as long as the nearest before it."""
        known: dict[int, Seconds] = {}
        for leg in self.legs:
            known = {one: seconds for one, seconds in known.items() if leg.source is not None and one <= leg.source}
            first = {one: leg.trained_before for one in (leg.source, leg.first) if one is not None}
            known |= {**first, **leg.sets}
        if self.legs:
            known.setdefault(self.reached, self.reached_since)
        return known[max((one for one in known if one <= n), default=min(known))] if known else 0.0

    def continues(self, other: Course) -> bool:
        """Whether this is the other one, or what became of it."""
        return self.prefixes[: len(other.legs)] == other.prefixes

    def _with(self, leg: Leg) -> Course:
        return self.model_copy(update={"legs": (*self.legs[:-1], leg)})


def parse_course(data: bytes | None, run: str) -> Course | None:
    """A course that was kept; None if there is none, none that can be read, or another run's."""
    if data is None:
        return None
    try:
        course = Course.model_validate_json(data)
    except ValidationError:
        return None
    return course if course.run == run else None
