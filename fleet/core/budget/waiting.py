"""Why a run without a machine waits for another day or month, as far as the machines that there were show it."""

from __future__ import annotations

from collections.abc import Mapping

from fleet.core.allowed import bid, fitting, providers_of
from fleet.core.budget.caps import caps_of
from fleet.core.budget.reaching import Ask, Later, within
from fleet.core.leases import Lease, dearest, worst_price
from fleet.core.pace import pace_of
from fleet.core.state import FleetState, RunState
from fleet.model.base import Micros, Seconds
from fleet.model.cloud import Billing, Market, Offer


def waits_for_budget(
    state: FleetState, run: RunState, now: Seconds, billing: Mapping[str, Billing], disk: Micros = 0
) -> Later | None:
    """What keeps a machine like its last one from being launched now; None: no budget does, or none is wanted.

    A run that never had one is judged by those of earlier runs of its name, else by the cheapest that others had.

    ``disk``: what a new one costs per GB and month. A run without one makes one with its machine.
    """
    if run.ended_at is not None or run.want != "train" or run.serving or not caps_of(state, run):
        return None
    offer = _last(run) or _of_its_name(state, run) or _of_others(state, run) or _free(run)
    new = not any(volume.held for volume in run.volumes.values())
    lease = Lease(now + pace_of(offer.provider).lease_cap, None)
    found = within(Ask(state, run, offer, now, billing, disk, new_volume=new), lease)
    return found if isinstance(found, Later) else None


def _last(run: RunState) -> Offer | None:
    """The dearest of those that its last machine was asked for as."""
    newest = run.newest
    return dearest(newest.offers, run.job.resources) if newest is not None and newest.offers else None


def _of_its_name(state: FleetState, run: RunState) -> Offer | None:
    """What an earlier run of its name had, if its job allows that still."""
    for other in reversed(state.runs.values()):
        offer = _last(other) if other.name == run.name else None
        if offer is not None:
            return offer if fitting(offer, run.job.resources) else None
    return None


def _of_others(state: FleetState, run: RunState) -> Offer | None:
    """What would come cheapest of all that other runs had and that its job allows: it can hardly do with less."""
    seen = [offer for other in state.runs.values() if (offer := _last(other)) is not None]
    fits = [offer for offer in seen if fitting(offer, run.job.resources)]
    return min(fits, key=lambda offer: worst_price(offer, bid(offer, run.job.resources)), default=None)


def _free(run: RunState) -> Offer:
    """Where nothing that fits was ever launched nobody knows what it costs: it waits only where nothing at all is left."""
    where = {"provider": min(providers_of(run.job.resources)), "region": "", "zone": "", "instance_type": ""}
    return Offer(**where, market=Market.ON_DEMAND, price=0, on_demand_price=0)
