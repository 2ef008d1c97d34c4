"""``plan(state, observed) -> actions``: every rule of fleet, pure. Each rule lives in a module of its own.

Collecting orphans, enforcing budgets and reacting to interruptions are rules here, not daemons.
"""

from __future__ import annotations

from collections.abc import Iterator

from fleet.core.actions import Action, DeleteVolume, Record
from fleet.core.fold import fold_all
from fleet.core.keeping import judge
from fleet.core.observed import Observed
from fleet.core.pace import pace_of
from fleet.core.plan.access import close_forgotten
from fleet.core.plan.beats import forget_beats
from fleet.core.plan.desired import desired
from fleet.core.plan.ending import end_machines
from fleet.core.plan.examining import examine_boots
from fleet.core.plan.keeping import relieve
from fleet.core.plan.launching import launch
from fleet.core.plan.leasing import renew_leases, shorten_leases
from fleet.core.plan.orphans import collect_orphans
from fleet.core.plan.outcome import end_run
from fleet.core.plan.volumes import delete_volumes, grow, hand_over
from fleet.core.plan.warning import warn
from fleet.core.state import FleetState, RunState
from fleet.model.events import LaunchIntended, LeaseExtended, VolumePassed

__all__ = ["plan"]


def plan(state: FleetState, observed: Observed) -> list[Action]:
    """What to do now, in order. Ending machines comes first: what costs money for nothing is the worst."""
    actions: list[Action] = []
    ahead = state
    for run in state.runs.values():
        if run.ended_at is None or run.live_attempts:
            own = list(_of_run(ahead, run, observed))
            actions.extend(own)
            ahead = ahead if state.budget is None else _given(ahead, own)
        actions.extend(delete_volumes(run, observed))
    actions.extend(warn(state, observed, actions))
    taken = {a.intention.volume_id for a in actions if isinstance(a.intention, VolumePassed)}
    # Its keep time may be over just now: what another run takes over is not deleted.
    actions = [a for a in actions if not (isinstance(a, DeleteVolume) and a.volume_id in taken)]
    actions.extend(collect_orphans(state, observed))
    actions.extend(close_forgotten(observed))
    actions.extend(forget_beats(state, observed))
    return [action for action in actions if _due(action, observed)]


def _given(state: FleetState, planned: list[Action]) -> FleetState:
    """What the machines of one run may spend by its new leases is nothing that another run could have as well."""
    leases = [a.intention for a in planned if isinstance(a.intention, (LaunchIntended, LeaseExtended))]
    return fold_all(state, [(state.head, state.at, leases)]) if leases else state


def _of_run(state: FleetState, run: RunState, observed: Observed) -> Iterator[Action]:
    yield from examine_boots(run, observed)
    verdict = judge(state, run, observed) if len(run.serving) > 1 else None  # else ``launch`` asks, if it need be
    yield from end_machines(run, observed, verdict)
    ended = end_run(run, observed)
    if ended is not None:
        yield ended  # the next tick sees an ended run, and ends its machines
        return
    yield from relieve(run, verdict, observed)
    launches = list(launch(state, run, observed))
    yield from launches
    yield from hand_over(run, observed)
    yield from grow(run, observed)
    if all(action.intention is None for action in launches):  # what one was just given is not given to another as well
        yield from renew_leases(state, run, observed)
    yield from shorten_leases(state, run, observed)
    yield from desired(run, observed)


def _due(action: Action, observed: Observed) -> bool:
    """A new intention is always due; a repetition only once the effect of the last time could have been seen."""
    if action.intention is not None or isinstance(action, Record):
        return True
    last = observed.acted.get(action.key)
    return last is None or observed.now - last >= pace_of(getattr(action, "provider", "")).again
