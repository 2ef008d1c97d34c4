"""Machines with this fleet's tag that no attempt owns: ended, but never a young one, and only a few at once."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.core.actions import Action, Terminate
from fleet.core.observed import Observed, Place
from fleet.core.pace import pace_of
from fleet.core.plan.horizon import not_after
from fleet.core.state import FleetState
from fleet.model.base import Seconds
from fleet.model.cloud import Instance, InstanceState
from fleet.model.events import OrphanIntended

MOST_AT_ONCE = 5
"""A mistake of ours must not end everything at once."""
AT_ONCE: Seconds = 60
"""Within so long, whichever controllers found them: what one has recorded counts for all."""


def collect_orphans(state: FleetState, observed: Observed) -> Iterator[Action]:
    """End what nobody owns. What was asked to end is asked again, and takes no place from what was not."""
    new: dict[str, tuple[Instance, Place, str]] = {}  # a listing may show a machine twice
    for place, listing in observed.listings.items():
        for instance in listing.instances:
            if instance.state in (InstanceState.TERMINATED, InstanceState.SHUTTING_DOWN):
                continue
            reason = _nobodys(state, instance, place, observed)
            if _powered_off(state, instance) or (reason is not None and instance.instance_id in state.orphans):
                yield _terminate(instance, place, observed)
            elif reason is not None:
                new[instance.instance_id] = (instance, place, reason)
    lately = sum(1 for at in state.orphans.values() if observed.now - at < AT_ONCE)
    room = max(0, MOST_AT_ONCE - lately)
    waiting = f"; {len(new) - room} more wait" if len(new) > room else ""
    for instance, place, reason in list(new.values())[:room]:
        yield _terminate(instance, place, observed, reason + waiting)


def _powered_off(state: FleetState, instance: Instance) -> bool:
    """Whether it is an attempt's machine that is over, as the journal says, and is only stopped: its disks cost money.

    Where a power-off from within does not end a machine (Compute Engine), that is how each one leaves: nobody's fault, and
    nothing that another record would tell.
    """
    if instance.state is not InstanceState.STOPPED:
        return False
    run = state.runs.get(instance.tags.get("run", ""))
    attempts = run.attempts.values() if run is not None else ()
    return any(a.instance_id == instance.instance_id and a.phase == "gone" for a in attempts)


def _nobodys(state: FleetState, instance: Instance, place: Place, observed: Observed) -> str | None:
    """Why the instance is nobody's, in words; None if it is somebody's, or too young to tell."""
    pace = pace_of(place[0])
    if observed.now - instance.launched_at <= pace.age_guard:
        return None
    run = state.runs.get(instance.tags.get("run", ""))
    number = instance.tags.get("attempt", "")
    attempt = next((a for a in run.attempts.values() if str(a.number) == number), None) if run is not None else None
    if run is None or attempt is None:
        return "no run of this fleet launched it"
    adoptable = attempt.phase in ("intended", "ending") or (attempt.phase == "refused" and run.ended_at is None)
    if attempt.instance_id is None and instance.tags.get("token") == attempt.token and adoptable:
        return None
    if attempt.instance_id != instance.instance_id:
        return f"attempt {attempt.number} of {attempt.instance_id or 'nothing'} is another machine"
    if attempt.phase == "gone" and observed.now - (attempt.ended_at or 0.0) > pace.age_guard:
        return "it was gone, and is listed as alive"
    return None


def _terminate(instance: Instance, place: Place, observed: Observed, reason: str | None = None) -> Terminate:
    """End it; with a reason it is recorded first, else it is already."""
    intention = None
    if reason is not None:
        intention = OrphanIntended(
            at=observed.now, provider=place[0], region=place[1], instance_id=instance.instance_id, reason=reason
        )
    return Terminate(
        not_after=not_after(observed),
        intention=intention,
        run_id="",
        attempt=0,
        provider=place[0],
        region=place[1],
        instance_id=instance.instance_id,
    )
