"""How much work a run has, and how much of it is done: seconds of training at full speed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from fleet.core.observed import AttemptKey
from fleet.core.state import AttemptState, RunState
from fleet.model.base import Seconds
from fleet.model.documents import Heartbeat
from fleet.model.job import Job

FLOOR_SHARE = 0.01
"""A training that goes on past its estimate has this share of it left, for as long as it does."""
FLOOR_LEAST: Seconds = 10
STALE: Seconds = 60
"""A machine's last word is reckoned on for so long: it speaks each quarter of a minute."""
PLAIN = 2.0
"""Training does not change its speed by this factor: then its steps began elsewhere."""
LEARN_AGAIN = 0.05
"""What is learned is recorded anew once it differs by this share."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is left. ``kept`` is what is left if the machine were lost now: only what a checkpoint holds is done then."""

    total: Seconds
    left: Seconds
    kept: Seconds
    learned: bool
    """From the steps that training reported, not from the job's estimate."""


def deadline_at(job: Job, created_at: Seconds) -> Seconds | None:
    """When a run is to have ended; None: it has no deadline."""
    if isinstance(job.deadline, str):
        return datetime.fromisoformat(job.deadline).timestamp()
    return created_at + job.deadline if job.deadline is not None else None


def deadline_of(run: RunState) -> Seconds | None:
    """When the run is to have ended."""
    return deadline_at(run.job, run.created_at)


def work_of(run: RunState, beats: Mapping[AttemptKey, Heartbeat], now: Seconds) -> Work | None:
    """What is left to do; None while nobody knows how much there is."""
    total = run.work if run.work is not None else run.job.estimate
    if total is None:
        return None
    trained, saved = progress_of(run, beats, now)
    least = max(FLOOR_LEAST, FLOOR_SHARE * total)
    return Work(total, max(least, total - trained), max(least, total - saved), run.work is not None)


def progress_of(run: RunState, beats: Mapping[AttemptKey, Heartbeat], now: Seconds) -> tuple[Seconds, Seconds]:
    """Seconds of training that are done now, and those that the newest checkpoint is known to hold."""
    head = next((a for a in reversed(list(run.attempts.values())) if a.resumed is not None), None)
    if head is None or head.resumed is None:
        return 0.0, 0.0
    from_start = head.resumed.trained or 0.0
    beat = beats.get((run.run_id, head.number))
    told = beat if beat is not None and beat.instance_id == head.instance_id else None
    saved = max(from_start, head.saved or 0.0, (told.saved or 0.0) if told is not None else 0.0)
    if head.relieved_at is not None and head.ended_at is None and told is not None:
        saved = max(saved, told.trained or 0.0)  # nobody takes its machine: it saves what it has, then lets go
    if told is None or not trains(head, told):
        return saved, saved
    trained = (told.trained or 0.0) + min(max(0.0, now - told.at), STALE)
    return max(saved, trained), saved


def trains(attempt: AttemptState, beat: Heartbeat | None) -> bool:
    """Whether its training runs, by its last word."""
    return attempt.phase == "running" and beat is not None and beat.phase == "training"


def _speed(run: RunState, beat: Heartbeat) -> float:
    """Steps per second: since this machine's training went on, if it is known at which step that was. Else over all of its
    training, unless it plainly did not begin at step 0: then as it is now."""
    step, trained = beat.step or 0, beat.trained or 1.0
    attempt = run.attempts.get(beat.attempt)
    base = attempt.resumed if attempt is not None else None
    if base is not None and base.step is not None and base.trained is not None:
        steps, seconds = step - base.step, trained - base.trained
        if steps > 0 and seconds > 0:
            return steps / seconds
    usual = step / trained
    return beat.rate if beat.rate and not beat.rate / PLAIN < usual < beat.rate * PLAIN else usual


def learned(run: RunState, beat: Heartbeat, after: Seconds) -> Seconds | None:
    """All of the run's work, as a machine's steps show it once it has trained for ``after``; None: that is no news."""
    if run.job.deadline is None or not beat.total or not beat.step or beat.trained is None or beat.trained < after:
        return None
    work = beat.trained + max(0, beat.total - beat.step) / _speed(run, beat)
    if run.work is not None and abs(work / run.work - 1) <= LEARN_AGAIN:
        return None
    return round(work, 1)
