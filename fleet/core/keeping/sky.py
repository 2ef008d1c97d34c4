"""What a run knows of spot machines: whether one can be had, and since when that is so."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.core.cooling import is_cool
from fleet.core.deadlines.model import Sky
from fleet.core.pace import pace_of
from fleet.core.state import FleetState, RunState
from fleet.model.base import Seconds
from fleet.model.cloud import Market, Offer

UNKNOWN_AGE: Seconds = 3600
"""Of a pool that nobody was ever refused in, when a run begins: spot is believed to be there until it is refused."""


def left_alone(state: FleetState, run: RunState, now: Seconds) -> dict[str, Seconds]:
    """Until when which offers are not tried: what was refused, and what the cloud is taking this run's machine back from."""
    noticed = {
        a.offer.key: max(now, a.notice.until or a.notice.seen_at) + 1
        for a in run.live_attempts
        if a.offer is not None and a.notice is not None
    }
    return {**state.cooling, **{key: max(until, state.cooling.get(key, 0.0)) for key, until in noticed.items()}}


def sky_of(state: FleetState, run: RunState, offers: Sequence[Offer], now: Seconds) -> Sky:
    """Of the pool that serves, else of the one that was there for longest. The last refusal, or machine that was taken back,
    is the last that is known of a drought; whether there was none since, nobody saw."""
    cooling = left_alone(state, run, now)
    pools = {offer.key: offer for offer in offers if offer.market is Market.SPOT}
    ages = {key: _age(state, run, one, now) for key, one in pools.items() if is_cool(one, cooling, now) is None}
    serves = [a.offer.key for a in run.serving if a.offer is not None and a.offer.market is Market.SPOT]
    if serves:
        own = pools.get(serves[-1]) or next(
            a.offer for a in run.serving if a.offer is not None and a.offer.key == serves[-1]
        )
        return Sky(up=True, age=_age(state, run, own, now), others=any(key != serves[-1] for key in ages))
    if ages:
        return Sky(up=True, age=max(ages.values()), others=len(ages) > 1)
    return Sky(up=False, age=max(0.0, now - _last_had(run)))


def _age(state: FleetState, run: RunState, offer: Offer, now: Seconds) -> Seconds:
    pace = pace_of(offer.provider)
    told = [
        until - wait
        for until, wait in (
            (state.cooling.get(offer.key), pace.cool_capacity),
            (state.resting.get(offer.key), pace.cool_interrupted),
        )
        if until is not None
    ]
    return max(0.0, now - max(told)) if told else now - run.created_at + UNKNOWN_AGE


def _last_had(run: RunState) -> Seconds:
    """When the run last had a spot machine."""
    spots = [a for a in run.attempts.values() if a.offer is not None and a.offer.market is Market.SPOT]
    ends = [a.notice.seen_at if a.notice is not None else a.ended_at for a in spots]
    return max([end for end in ends if end is not None], default=run.created_at)
