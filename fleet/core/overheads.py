"""What an interruption costs in time: measured on the earlier attempts of a job's own name, once there are any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from fleet.core.pace import pace_of
from fleet.core.state import AttemptState, FleetState, RunState
from fleet.model.base import Seconds
from fleet.model.job import Job

USUAL_BOOT: Seconds = 120
USUAL_RESTORE: Seconds = 30
USUAL_LOST: Seconds = 300
"""Half of the ten minutes between checkpoints of a job that does not say how often it writes one."""
RECENT = 50
"""Of a name's attempts only the newest so many are looked at: what runs changes."""


@dataclass(frozen=True, slots=True)
class Overheads:
    """Seconds per interruption, and from how many attempts each is known; 0: a usual value."""

    boot: Seconds = USUAL_BOOT
    """From the launch to the agent's first word."""
    restore: Seconds = USUAL_RESTORE
    """From there to training."""
    lost: Seconds = USUAL_LOST
    """Training that is done again."""
    boots: int = 0
    restores: int = 0
    losses: int = 0

    @property
    def total(self) -> Seconds:
        """From the launch to training."""
        return self.boot + self.restore


def measured(state: FleetState, name: str, provider: str | None = None, job: Job | None = None) -> Overheads:
    """Medians over the newest attempts of all runs of a name (on one provider, if it is given); else usual values."""
    runs = state.runs.values()
    return of_runs((run for run in runs if run.name == name), provider, job)


def of_runs(runs: Iterable[RunState], provider: str | None = None, job: Job | None = None) -> Overheads:
    """The same for the runs given, oldest first."""
    known = [
        (attempt, run.attempts)
        for run in runs
        for attempt in run.attempts.values()
        if attempt.offer is not None and provider in (None, attempt.offer.provider)
    ][-RECENT:]
    boots = [seconds for one, _ in known if (seconds := _boot(one)) is not None]
    restores = [seconds for one, others in known if (seconds := _restore(one, others)) is not None]
    losses = [
        max(0.0, one.resumed.lost_seconds) for one, _ in known if one.resumed is not None and one.predecessor is not None
    ]
    every = job.checkpoint.every if job is not None else None
    return Overheads(
        boot=median(boots) if boots else USUAL_BOOT,
        restore=median(restores) if restores else USUAL_RESTORE,
        lost=median(losses) if losses else every / 2 if every else USUAL_LOST,
        boots=len(boots),
        restores=len(restores),
        losses=len(losses),
    )


def _boot(attempt: AttemptState) -> Seconds | None:
    if attempt.launched_at is None or attempt.began_at is None or _heard_late(attempt):
        return None
    return max(0.0, attempt.began_at - attempt.launched_at)


def _heard_late(attempt: AttemptState) -> bool:
    """It spoke while nobody watched, and when is not known: whoever had watched would have ended one that was mute for so
    long. A laptop that was closed for the night must not count as a boot of eight hours."""
    if attempt.launched_at is None or attempt.began_at is None or attempt.offer is None:
        return False
    return attempt.began_at - attempt.launched_at > pace_of(attempt.offer.provider).boot_deadline


def _restore(attempt: AttemptState, attempts: Mapping[int, AttemptState]) -> Seconds | None:
    """Of attempts that brought something back: a first one's set-up is another matter."""
    if attempt.began_at is None or attempt.resumed is None or attempt.predecessor is None or _heard_late(attempt):
        return None
    before = attempts.get(attempt.predecessor)
    free = (before.released_at or before.ended_at or 0.0) if before is not None else 0.0  # until then it only waited
    return max(0.0, attempt.resumed.at - max(attempt.began_at, free))
