"""When a machine is wanted, which one, and for how long."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from fleet.core.actions import Action, Launch, Record
from fleet.core.allowed import bid, described, providers_of
from fleet.core.budget import Ask, Later, within
from fleet.core.deadlines.model import Do
from fleet.core.keeping import Verdict, judge, told
from fleet.core.keeping.sky import left_alone
from fleet.core.leases import Lease, NoLease, dearest, grant, too_late, used_up, worst_price
from fleet.core.named import asks_before, usable, volume_to_take
from fleet.core.observed import Observed, for_sale
from fleet.core.pace import pace_of
from fleet.core.placement import Nothing, Placement, place
from fleet.core.plan.ending import unanswered
from fleet.core.plan.horizon import not_after
from fleet.core.plan.keeping import market_beside, next_market
from fleet.core.predecessors import may_write
from fleet.core.state import FleetState, RunState
from fleet.core.worth import disk_prices, knowledge
from fleet.model.cloud import Market, NewVolume
from fleet.model.events import LaunchIntended, RunEnded, VolumePassed

MOST_MACHINES = 3
"""One that trains, one that drains, one that would not end: more than that is waited out."""


def launch_token(fleet_id: str, run_id: str, attempt: int, try_no: int) -> str:
    """64 hexadecimal characters that name one try (EC2 takes at most 64)."""
    return hashlib.sha256(f"{fleet_id}\n{run_id}\n{attempt}\n{try_no}".encode()).hexdigest()


def waits_for(state: FleetState, run: RunState, observed: Observed) -> str | None:
    """Why no machine is launched for a run that wants one, in words; None if one is, or none is wanted."""
    found = _decide(state, run, observed)
    return found if isinstance(found, str) else None


def launch(state: FleetState, run: RunState, observed: Observed) -> Iterator[Action]:
    """Send again what was intended; else intend the next try, or the next attempt."""
    found = _decide(state, run, observed)
    if isinstance(found, NoLease):
        if not run.live_attempts:
            ended = RunEnded(at=observed.now, run_id=run.run_id, outcome="over-budget", reason=found.reason)
            yield Record(not_after=not_after(observed), intention=ended)
    elif isinstance(found, VolumePassed):
        yield Record(not_after=not_after(observed), intention=found)  # the next tick sees it, and launches where it is
    elif isinstance(found, Launch):
        yield found


def _decide(state: FleetState, run: RunState, observed: Observed) -> Launch | NoLease | VolumePassed | str | None:
    if run.ended_at is not None or run.want != "train":
        return None
    billing = {name: c.billing for name, c in observed.capabilities.items()}
    spent = used_up(run, observed.now, pace_of(min(providers_of(run.job.resources))), billing)
    if spent is not None and not run.live_attempts:
        return spent
    hindered = _hindered(run, observed)
    if hindered is not None:
        return hindered
    serving = run.serving
    if serving and serving[-1].phase == "intended":
        last = serving[-1]
        if too_late(last, observed.now, pace_of(last.offers[0].provider)) or unanswered(run, last, observed):
            return None  # another rule ends it, and the next has a lease of its own
        return Launch(not_after=not_after(observed), run_id=run.run_id, attempt=last.number, try_no=last.try_no)
    verdict = judge(state, run, observed)
    if serving:
        beside = market_beside(run, verdict) if verdict is not None else None
        if beside is None or _held_up(state, run, observed) is not None:
            return None
        found = _next(state, run, observed, beside, verdict)
        return None if isinstance(found, str) else found
    if verdict is not None and verdict.do is Do.WAIT:
        return told(verdict)
    market = next_market(verdict) if verdict is not None else None
    return _held_up(state, run, observed) or _next(state, run, observed, market, verdict)


def _hindered(run: RunState, observed: Observed) -> str | None:
    """Why nothing at all is sent to a cloud for the run."""
    missing = _missing_secrets(run, observed)
    if missing:
        return f"this controller has no {', '.join(missing)} in its environment: a secret of the job's"
    pause = run.pause
    if pause is not None and (pause.until is None or pause.until > observed.now):
        return f"{pause.reason}; it waits for a word of yours" if pause.until is None else f"{pause.reason}; tries again"
    return None


def _held_up(state: FleetState, run: RunState, observed: Observed) -> str | None:
    """Why no further machine is wanted for the moment."""
    if max(run.boot_failures, run.crashes) > run.job.retries.boot:
        return "too many machines in a row ended without getting anywhere"
    if len(run.live_attempts) >= MOST_MACHINES:
        return "earlier machines have not ended yet"
    if any(a.outcome is not None and a.notice is None and a.relieved_at is None for a in run.live_attempts):
        return "the machine before it still lets go"
    before = asks_before(state, run, for_sale(observed))
    if before is not None:
        return f"the volume {run.job.volume.name!r} is for run {before.run_id}, until that is over"
    return None


def _missing_secrets(run: RunState, observed: Observed) -> list[str]:
    """Secrets come from the controller's environment, unless the machines read them from the cloud's own store."""
    known = [observed.capabilities.get(name) for name in providers_of(run.job.resources)]
    if observed.secrets is None or any(one is not None and one.images for one in known):
        return []
    return [name for name in run.job.secrets if name not in observed.secrets]


def _next(
    state: FleetState, run: RunState, observed: Observed, market: Market | None, verdict: Verdict | None
) -> Launch | NoLease | VolumePassed | str:
    """``market``: the only one that is asked, for the sake of a deadline.

    On-demand that is nowhere to be had is no reason to wait: any machine then serves the deadline better than none.
    """
    offers = for_sale(observed)
    found = volume_to_take(state, run)
    if found is not None:
        giver, volume = found
        if not usable(volume, offers, run.job.resources):
            return f"no offer fits in {volume.zone}, where the volume {volume.name!r} is: {described(run.job.resources)}"
        return VolumePassed(at=observed.now, run_id=run.run_id, from_run=giver.run_id, volume_id=volume.volume_id)
    cooling = state.cooling if verdict is None else left_alone(state, run, observed.now)
    known = knowledge(state, observed)
    placement = place(run, offers, cooling, observed.now, state.resting, known, market)
    if isinstance(placement, Nothing) and market is Market.ON_DEMAND and not run.serving:
        placement = place(run, offers, cooling, observed.now, state.resting, known)
    if isinstance(placement, Nothing):
        return placement.reason
    placement, lease = _payable(state, run, placement, observed)
    if isinstance(lease, Later):
        return lease.reason
    if isinstance(lease, NoLease):
        return lease
    if verdict is not None:
        placement = replace(placement, why=f"{placement.why}; {told(verdict)}")
    return _intend(state, run, placement, lease, observed)


def _payable(
    state: FleetState, run: RunState, placement: Placement, observed: Observed
) -> tuple[Placement, Lease | NoLease | Later]:
    """As many of the offers as the budgets pay for: without the dearest ones, where those would be too much."""
    lease = _lease(state, run, placement, observed)
    worst = {offer.key: worst_price(offer, bid(offer, run.job.resources)) for offer in placement.offers}
    for most in sorted(set(worst.values()), reverse=True)[1:]:
        if isinstance(lease, Lease):
            break
        placement = replace(placement, offers=tuple(one for one in placement.offers if worst[one.key] <= most))
        lease = _lease(state, run, placement, observed)
    return placement, lease


def _lease(state: FleetState, run: RunState, placement: Placement, observed: Observed) -> Lease | NoLease | Later:
    """What the budgets pay for, whichever of the offers the launch becomes."""
    offer = dearest(placement.offers, run.job.resources)
    billing = {name: c.billing for name, c in observed.capabilities.items()}
    price = observed.capabilities[offer.provider].volume_price_in(offer.region)
    new = isinstance(placement.volume, NewVolume)
    lease = grant(run, offer, observed.now, pace_of(offer.provider), billing, price, new_volume=new)
    if isinstance(lease, NoLease):
        return lease
    others = disk_prices(observed.capabilities)
    return within(Ask(state, run, offer, observed.now, billing, price, new_volume=new, disk_prices=others), lease)


def _intend(state: FleetState, run: RunState, placement: Placement, lease: Lease, observed: Observed) -> Launch:
    newest = run.newest
    number, try_no = 1, 1
    if newest is not None:
        again = newest.phase == "refused"
        number, try_no = (newest.number, newest.try_no + 1) if again else (newest.number + 1, 1)
    began = [a.number for a in run.attempts.values() if a.began_at is not None and a.number < number]
    before = max(began, default=None)
    intention = LaunchIntended(
        at=observed.now,
        run_id=run.run_id,
        attempt=number,
        try_no=try_no,
        token=launch_token(state.fleet_id, run.run_id, number, try_no),
        offers=placement.offers,
        volume=placement.volume,
        predecessor=before,
        besides=tuple(other for other in may_write(run, number) if other != before),
        lease_until=lease.until,
        share=lease.share,
        why=placement.why,
    )
    return Launch(not_after=not_after(observed), intention=intention, run_id=run.run_id, attempt=number, try_no=try_no)
