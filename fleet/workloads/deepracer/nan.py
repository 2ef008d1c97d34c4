"""What is done once a loss is no number. Pure: the course and the sets in, a way back or the end of the run out.

The trainer may have saved such weights and gone on (today's does), so the newest sets are not to be trusted: training goes
on from some sets before, and of no leg is a later one ever taken again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from fleet.workloads.deepracer.course import Course
from fleet.workloads.deepracer.resume import Candidate
from fleet.workloads.deepracer.spec import OnNan

DEFAULT_RATE = 0.0003
"""The trainer's own, if the hyperparameters name none."""
LEAST_RATE = 1e-7


@dataclass(frozen=True, slots=True)
class Back:
    """Go on from an earlier set; None: from where the run began."""

    source: Candidate | None
    learning_rate: float | None
    """The new one; None: it stays."""
    words: str


@dataclass(frozen=True, slots=True)
class Enough:
    """The run has failed."""

    message: str
    remedy: str
    source: Candidate | None = None
    """From where it would have gone on: whoever starts it again does."""


def gave_up(course: Course, spec: OnNan, attempt: int) -> bool:
    """Whether this attempt's last start ended with one NaN too many: no restart of it (``retries.training``) trains again.

    A later attempt does: the user's ``fleet resume`` asks for it.
    """
    leg = course.legs[-1] if course.legs else None
    return leg is not None and leg.ended == "nan" and leg.attempt == attempt and course.nan_retries >= spec.retries


def after_nan(course: Course, sets: Sequence[Candidate], spec: OnNan, rate: float) -> Back | Enough:
    """``sets``: newest first; ``rate``: the learning rate in force."""
    source = sets[min(spec.back, len(sets) - 1)] if sets else None
    if course.nan_retries >= spec.retries:
        times = "once" if course.nan_retries == 1 else f"{course.nan_retries} times"
        went = f"after going back {times}" if course.nan_retries else "and workload.nan.retries is 0"
        return Enough(
            f"the loss is no number (NaN) {went}",
            "Lower the learning rate in hyperparameters.json, keep the reward's values small and finite, or allow more: "
            "workload: {nan: {retries: …, learning_rate: 0.5}}",
            source,
        )
    lower = max(LEAST_RATE, rate * spec.learning_rate) if spec.learning_rate < 1 else None
    where = f"from set {source.n}, {course.reached - source.n} before the newest" if source else "from where the run began"
    slower = f", with a learning rate of {lower:g} instead of {rate:g}" if lower is not None else ""
    count = f"retry {course.nan_retries + 1} of {spec.retries}"
    return Back(source, lower, f"the loss is no number (NaN): training goes on {where}{slower} ({count})")


def learning_rate_of(hyperparameters: bytes) -> float:
    """What the trainer will take. Never raises: a file that is none is the checks' affair."""
    found = parsed(hyperparameters).get("lr")
    return float(found) if isinstance(found, int | float) else DEFAULT_RATE


def with_learning_rate(hyperparameters: bytes, rate: float | None) -> bytes:
    """The hyperparameters with another learning rate; as they are without one."""
    if rate is None:
        return hyperparameters
    return json.dumps({**parsed(hyperparameters), "lr": rate}, indent=2).encode() + b"\n"


def parsed(data: bytes) -> dict[str, object]:
    """As a mapping; of what is none, an empty one."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
