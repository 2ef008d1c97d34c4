"""A run told in figures: interruptions, work lost, time to recover. All measured, from what the journal holds."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.core.state import AttemptState, RunState
from fleet.model.base import Seconds


@dataclass(frozen=True, slots=True)
class Interruption:
    """One machine taken back, and what came of it."""

    attempt: int
    kind: str
    """``notice``, ``rebalance+notice``, or ``kill`` (no warning was seen)."""
    at: Seconds
    """When the notice was seen, or the machine was gone."""
    recovered_by: int | None
    """The attempt in which training went on; None if it has not yet."""
    recover_seconds: Seconds | None
    lost_steps: int
    lost_seconds: Seconds
    moved: bool
    """To another zone."""


def interrupted(attempt: AttemptState) -> bool:
    """The cloud took the machine, or gave notice that it would; not what fleet or the training ended."""
    if attempt.outcome is not None and attempt.outcome.kind in ("succeeded", "failed", "stopped", "lease"):
        return False
    if attempt.notice is not None:
        return True
    if attempt.relieved_at is not None:
        return False
    return attempt.phase == "gone" and attempt.terminate_at is None and attempt.launched_at is not None


def interruptions(run: RunState) -> list[Interruption]:
    """Every interruption of a run, oldest first."""
    return [_of(run, attempt) for attempt in run.attempts.values() if interrupted(attempt)]


def _of(run: RunState, attempt: AttemptState) -> Interruption:
    at = attempt.notice.seen_at if attempt.notice else attempt.ended_at or 0.0
    kind = "kill" if attempt.notice is None else "rebalance+notice" if attempt.rebalance else "notice"
    later = [a for a in run.attempts.values() if a.number > attempt.number and a.resumed is not None]
    next_one = later[0] if later else None
    resumed = next_one.resumed if next_one is not None else None
    first_after = next_one is not None and not any(
        interrupted(a) for a in run.attempts.values() if attempt.number < a.number < next_one.number
    )
    zones = (attempt.offer.zone if attempt.offer else "", next_one.offer.zone if next_one and next_one.offer else "")
    return Interruption(
        attempt=attempt.number,
        kind=kind,
        at=at,
        recovered_by=next_one.number if next_one else None,
        recover_seconds=max(0.0, resumed.at - at) if resumed else None,
        lost_steps=resumed.lost_steps if resumed and first_after else 0,
        lost_seconds=resumed.lost_seconds if resumed and first_after else 0.0,
        moved=next_one is not None and zones[0] != zones[1],
    )


def steps_lost(run: RunState) -> int:
    """Steps that had to be trained again, over all resumptions."""
    return sum(a.resumed.lost_steps for a in run.attempts.values() if a.resumed is not None)


def seconds_lost(run: RunState) -> Seconds:
    """Seconds of training that had to be done again, over all resumptions."""
    return sum(a.resumed.lost_seconds for a in run.attempts.values() if a.resumed is not None)
