"""Telling that a budget is nearly used, and that it is: once for each period."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleet.core.actions import Action, Record
from fleet.core.budget.standing import WARN_AT, caps_to_tell, period_of, share_used, standing, used_of
from fleet.core.fold import warning_key
from fleet.core.observed import Observed
from fleet.core.plan.horizon import not_after
from fleet.core.state import FleetState
from fleet.model.events import BudgetWarned, RunEnded


def warn(state: FleetState, observed: Observed, planned: Iterable[Action]) -> Iterator[Action]:
    """The warnings that are due. A run that ends just now for its budget has used it, whatever is left of it."""
    if not state.busy_runs:
        return
    ends = [a.intention for a in planned if isinstance(a.intention, RunEnded)]
    ended = {one.run_id for one in ends if one.outcome == "over-budget" and "budget" in one.reason}  # not by max_duration
    billing = None
    for cap in caps_to_tell(state):
        start = period_of(state, cap, observed.now).start
        known = [warning_key(cap.scope, cap.run_id, start, cap.limit, share) in state.warned for share in (WARN_AT, 100)]
        if known[1]:
            continue
        billing = billing or {name: c.billing for name, c in observed.capabilities.items()}
        share = share_used(state, cap, used_of(state, cap, observed.now, billing))
        if cap.scope == "run" and cap.run_id in ended:
            share = 100
        if share == 100 or (share and not known[0]):
            found = standing(state, cap, observed.now, billing)
            warned = BudgetWarned(
                at=observed.now,
                scope=cap.scope,
                run_id=cap.run_id,
                period_start=start,
                share=100 if share == 100 else 80,
                spent=found.spent,
                cap=cap.limit,
                forecast=found.forecast,
            )
            yield Record(not_after=not_after(observed), intention=warned)
