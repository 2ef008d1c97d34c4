"""What a run's agents should do, as they read it from the bucket."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.core.actions import Action, WriteDesired
from fleet.core.observed import Observed
from fleet.core.plan.horizon import not_after
from fleet.core.state import RunState
from fleet.model.documents import Desired


def desired(run: RunState, observed: Observed) -> Iterator[Action]:
    """Write desired.json when it no longer says what the state says. Its journal number is set when it is written."""
    if not run.attempts:
        return
    wanted = desired_of(run)
    last = observed.desired.get(run.run_id)
    if last is None or last.model_copy(update={"journal": 0}) != wanted:
        yield WriteDesired(not_after=not_after(observed), run_id=run.run_id, desired=wanted)


def desired_of(run: RunState) -> Desired:
    """The document that the state implies, with journal number 0."""
    live = [a for a in run.live_attempts if a.terminate_at is None and a.relieved_at is None]
    return Desired(
        journal=0,
        want="train" if run.want == "train" and run.ended_at is None else "stop",
        live=tuple(a.number for a in live),
        newest=max((a.number for a in run.attempts.values() if a.phase != "refused"), default=0),  # its next try may live
        gone=tuple(a.number for a in run.attempts.values() if a.phase == "gone"),
        leases={a.number: a.lease_until for a in live if a.lease_until is not None},
    )
