"""Renewing leases, so that a budget counted at the worst price is used up at the real one."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.core.actions import Action, Record
from fleet.core.leases import Lease, grant
from fleet.core.observed import Observed
from fleet.core.pace import pace_of
from fleet.core.plan.horizon import not_after
from fleet.core.state import RunState
from fleet.model.events import LeaseExtended

WORTH = 0.25
"""A renewal is recorded once it adds this share of what is left: a handful of entries over a lease's life."""


def renew_leases(run: RunState, observed: Observed) -> Iterator[Action]:
    """A longer lease for the attempt that trains, where budget and time limit allow one."""
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
        if not isinstance(lease, Lease) or lease.until - attempt.lease_until <= max(WORTH * left, pace.again):
            continue
        yield Record(
            not_after=not_after(observed),
            intention=LeaseExtended(
                at=observed.now,
                run_id=run.run_id,
                attempt=attempt.number,
                lease_until=lease.until,
                share=lease.share,
            ),
        )
