"""Why a run without a machine waits for another day or month, as far as its last machine shows it."""

from __future__ import annotations

from collections.abc import Mapping

from fleet.core.allowed import providers_of
from fleet.core.budget.caps import caps_of
from fleet.core.budget.reaching import Ask, Later, within
from fleet.core.leases import Lease, dearest
from fleet.core.pace import pace_of
from fleet.core.state import FleetState, RunState
from fleet.model.base import Seconds
from fleet.model.cloud import Billing, Market, Offer


def waits_for_budget(state: FleetState, run: RunState, now: Seconds, billing: Mapping[str, Billing]) -> Later | None:
    """What keeps a machine like its last one from being launched now; None: no budget does, or none is wanted."""
    if run.ended_at is not None or run.want != "train" or run.serving or not caps_of(state, run):
        return None
    newest = run.newest
    offer = dearest(newest.offers, run.job.resources) if newest is not None and newest.offers else _free(run)
    lease = Lease(now + pace_of(offer.provider).lease_cap, None)
    found = within(Ask(state, run, offer, now, billing, 0), lease)
    return found if isinstance(found, Later) else None


def _free(run: RunState) -> Offer:
    """Of a run that never had a machine nobody knows what one costs: it waits only where nothing at all is left."""
    where = {"provider": min(providers_of(run.job.resources)), "region": "", "zone": "", "instance_type": ""}
    return Offer(**where, market=Market.ON_DEMAND, price=0, on_demand_price=0)
