"""Heartbeats are the words of live attempts. Those of the dead are removed, or listings would grow with the fleet's age."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.core.actions import ForgetBeat
from fleet.core.observed import Observed
from fleet.core.plan.horizon import not_after
from fleet.core.state import FleetState


def forget_beats(state: FleetState, observed: Observed) -> Iterator[ForgetBeat]:
    """Remove what was said by attempts that are gone, once no later attempt measures its loss by it."""
    for run_id, number in sorted(observed.listed_beats):
        if forgettable(state, run_id, number):
            yield ForgetBeat(not_after=not_after(observed), run_id=run_id, attempt=number)


def forgettable(state: FleetState, run_id: str, number: int) -> bool:
    """Whether an attempt's word is of no use any more. Of attempts that nobody knows nothing is said."""
    run = state.runs.get(run_id)
    attempt = run.attempts.get(number) if run is not None else None
    if run is None or attempt is None or attempt.phase != "gone":
        return False
    return run.ended_at is not None or any(n > number and a.resumed is not None for n, a in run.attempts.items())
