"""Renewing leases, so that a budget counted at the worst price is used up at the real one; and shortening those that are not
paid for any more, since the user lowered a budget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fleet.core.actions import Action, Record
from fleet.core.budget import Ask, caps_of, reach, within
from fleet.core.leases import Lease, grant
from fleet.core.observed import Observed
from fleet.core.pace import pace_of
from fleet.core.plan.horizon import not_after
from fleet.core.state import AttemptState, FleetState, RunState
from fleet.core.worth import disk_prices
from fleet.model.base import Seconds
from fleet.model.events import LeaseExtended

WORTH = 0.25
"""A renewal is recorded once it adds this share of what is left: a handful of entries over a lease's life."""


def renew_leases(state: FleetState, run: RunState, observed: Observed) -> Iterator[Action]:
    """A longer lease for the attempt that trains, where budgets and time limit allow one."""
    if run.ended_at is not None or run.want != "train":
        return
    for attempt in run.live_attempts:
        if attempt.phase != "running" or attempt.offer is None or attempt.lease_until is None:
            continue
        capabilities = observed.capabilities.get(attempt.offer.provider)
        left = attempt.lease_until - observed.now
        if capabilities is None or left <= 0:
            continue  # what is over is over: its machine is ended by another rule
        billing = {name: c.billing for name, c in observed.capabilities.items()}
        pace = pace_of(attempt.offer.provider)
        disk = capabilities.volume_price_in(attempt.offer.region)
        lease = grant(run, attempt.offer, observed.now, pace, billing, disk, besides=attempt.number)
        worth = max(WORTH * left, pace.again)
        if not isinstance(lease, Lease) or lease.until - attempt.lease_until <= worth:
            continue
        others = disk_prices(observed.capabilities)
        ask = Ask(state, run, attempt.offer, observed.now, billing, disk, attempt.number, disk_prices=others)
        found = within(ask, lease)
        if isinstance(found, Lease) and found.until - attempt.lease_until > worth:
            yield _record(run, attempt, found.until, found.share, observed)


def shorten_leases(state: FleetState, run: RunState, observed: Observed) -> Iterator[Action]:
    """A shorter lease where days and months pay for less than was promised: long enough to save and leave."""
    if not caps_of(state, run):
        return
    for attempt in run.live_attempts:
        offer, until = attempt.offer, attempt.lease_until
        if attempt.phase not in ("launched", "running") or offer is None or until is None:
            continue
        capabilities, pace = observed.capabilities.get(offer.provider), pace_of(offer.provider)
        if capabilities is None or until <= observed.now + pace.lease_least:
            continue
        billing = {name: c.billing for name, c in observed.capabilities.items()}
        disk = capabilities.volume_price_in(offer.region)
        others = disk_prices(observed.capabilities)
        ask = Ask(state, run, offer, observed.now, billing, disk, attempt.number, disk_prices=others)
        # Passed by a minute: else the rounding of a sum shortens what was just granted, and the next look grants it anew.
        allowed = reach(replace(ask, slack=ask.rate // 60), until)
        if min((one.until for one in allowed), default=until) < until - pace.again:
            paid = min(one.until for one in reach(ask, until))
            yield _record(run, attempt, max(paid, observed.now + pace.lease_least), attempt.share, observed)


def _record(run: RunState, attempt: AttemptState, until: Seconds, share: int | None, observed: Observed) -> Record:
    return Record(
        not_after=not_after(observed),
        intention=LeaseExtended(at=observed.now, run_id=run.run_id, attempt=attempt.number, lease_until=until, share=share),
    )
