"""Deadlines that cannot be kept, told before anything is spent."""

from __future__ import annotations

from fleet.core.allowed import providers_of
from fleet.core.keeping.verdict import margin_of, overhead_of
from fleet.core.keeping.work import deadline_at
from fleet.core.overheads import Overheads
from fleet.core.pace import pace_of
from fleet.model.base import Seconds
from fleet.model.job import Job
from fleet.model.units import format_duration


def least_time(job: Job, known: Overheads) -> Seconds | None:
    """The least time in which the job's work can be promised: on-demand at once, one overhead, and the margin."""
    if job.estimate is None:
        return None
    pace = pace_of(min(providers_of(job.resources)))
    return job.estimate + overhead_of(known) + margin_of(job.estimate, pace)


def refusal(job: Job, now: Seconds, known: Overheads) -> tuple[str, Seconds] | None:
    """Why the job's deadline cannot be kept by a run that begins now, and the earliest that can; None: it can."""
    deadline = deadline_at(job, now)
    if deadline is None:
        return None
    least = least_time(job, known)
    if deadline <= now:
        return f"the deadline was {format_duration(now - deadline)} ago", now + (least or 0.0)
    if least is None or deadline - now >= least:
        return None
    left, work = format_duration(deadline - now), format_duration(job.estimate or 0.0)
    more = format_duration(least - (job.estimate or 0.0))
    return f"the deadline in {left} cannot be kept: {work} of work need {more} more for starting, and as margin", now + least
