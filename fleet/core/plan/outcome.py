"""When a run is over, and how."""

from __future__ import annotations

from fleet.core.actions import Record
from fleet.core.observed import Observed
from fleet.core.plan.horizon import not_after
from fleet.core.state import RunState
from fleet.model.events import RunEnded


def end_run(run: RunState, observed: Observed) -> Record | None:
    """The record of the run's end, once there is a reason."""
    if run.ended_at is not None:
        return None
    ended = _by_training(run, observed.now) or _by_user(run, observed.now) or _by_boots(run, observed.now)
    return Record(not_after=not_after(observed), intention=ended) if ended else None


def _by_training(run: RunState, now: float) -> RunEnded | None:
    """The word of the latest attempt that has a base counts: those before it are fenced off."""
    based = [a.number for a in run.attempts.values() if a.resumed is not None and a.number > run.resumed_after]
    outcome = run.attempts[max(based)].outcome if based else None
    if outcome is None or outcome.kind not in ("succeeded", "failed"):
        return None
    if outcome.kind == "succeeded":
        return RunEnded(at=now, run_id=run.run_id, outcome="succeeded", reason=outcome.message or "training ended")
    code = f"exit code {outcome.exit_code}" if outcome.exit_code is not None else "failed"
    return RunEnded(at=now, run_id=run.run_id, outcome="failed", reason=f"{code}: {outcome.message}")


def _by_user(run: RunState, now: float) -> RunEnded | None:
    if run.want == "train" or run.live_attempts:
        return None
    return RunEnded(at=now, run_id=run.run_id, outcome="stopped", reason=f"the user said {run.want}")


def _by_boots(run: RunState, now: float) -> RunEnded | None:
    """A boot that always fails, or a machine that always dies, must not spend for ever."""
    if run.live_attempts:
        return None
    if run.crashes > run.job.retries.boot:
        why = f"{run.crashes} machines in a row ended by themselves without getting further"
        return RunEnded(at=now, run_id=run.run_id, outcome="failed", reason=f"{why}; the agent's log may tell why")
    if run.boot_failures <= run.job.retries.boot:
        return None
    last = run.newest.error if run.newest is not None else None
    why = f"{run.boot_failures} instances in a row ended without a word from the agent"
    return RunEnded(at=now, run_id=run.run_id, outcome="failed", reason=f"{why}: {last}" if last else why)
