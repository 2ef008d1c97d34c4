"""Which events say something of a pool of machines, and what."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from fleet.core.pools import PoolRecord, ended, launched, on_demand, pool_name, pool_of, rebalanced, refused
from fleet.core.state import AttemptState
from fleet.model import events as ev
from fleet.model.base import Seconds
from fleet.model.cloud import Market, Offer
from fleet.model.errors import ErrorClass

SIGHTINGS = (ev.LaunchSucceeded, ev.LaunchFailed, ev.NoticeSeen, ev.AttemptGone)
"""The only events that say anything of a pool."""


def observe(
    pools: dict[str, PoolRecord], run_id: str, before: AttemptState | None, after: AttemptState | None, event: ev.Event
) -> None:
    """Put what an event says of a pool into ``pools``. Before and after: repetition counts nothing."""
    if before is None or after is None:
        return
    who = f"{run_id}/{after.number}"
    if isinstance(event, ev.LaunchSucceeded) and before.instance_id is None and after.offer is not None:
        at, spot = event.instance.launched_at, after.offer.market is Market.SPOT
        _put(pools, after.offer, lambda r: launched(r, at, who) if spot else on_demand(r, at, had=True))
    elif isinstance(event, ev.LaunchFailed) and event.error_class is ErrorClass.CAPACITY and before.phase != after.phase:
        for offer in after.offers:
            _put(pools, offer, partial(_refused, at=event.at, spot=offer.market is Market.SPOT))
    elif after.offer is not None and after.offer.market is Market.SPOT:
        _lives(pools, after.offer, who, before, event)


def _refused(record: PoolRecord, *, at: Seconds, spot: bool) -> PoolRecord:
    return refused(record, at) if spot else on_demand(record, at, had=False)


def _lives(pools: dict[str, PoolRecord], offer: Offer, who: str, before: AttemptState, event: ev.Event) -> None:
    """Signals and ends of a spot machine."""
    if isinstance(event, ev.NoticeSeen) and event.notice.kind == "rebalance":
        if before.rebalance is None:
            _put(pools, offer, lambda record: rebalanced(record, event.notice.seen_at))
    elif isinstance(event, ev.NoticeSeen):
        ours = before.terminate_at is not None
        _put(pools, offer, lambda record: ended(record, event.notice.seen_at, who, taken=not ours))
    elif isinstance(event, ev.AttemptGone):
        told = before.outcome is not None and before.outcome.kind != "interrupted"
        taken = event.ended_by in ("cloud", "unknown") and before.terminate_at is None and not told
        _put(pools, offer, lambda record: ended(record, event.ended_at, who, taken=taken))


def _put(pools: dict[str, PoolRecord], offer: Offer, change: Callable[[PoolRecord], PoolRecord]) -> None:
    name = pool_name(pool_of(offer))
    pools[name] = change(pools.get(name, PoolRecord()))
