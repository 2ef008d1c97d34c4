"""What this fleet has seen of each pool of machines: launches, refusals, lives and their ends, each fading with time.

A pool is a provider, a region, a zone and an instance type. Counts halve in ``HALF_LIFE``: a zone that was full last month
may be empty today. Sums fade by when something happened, so it does not matter in which order a journal tells of it.
"""

from __future__ import annotations

import math
from itertools import pairwise

from pydantic import Field

from fleet.model.base import Frozen, Seconds
from fleet.model.cloud import Offer

PoolKey = tuple[str, str, str, str]
"""Provider, region, zone, instance type."""

AGES: tuple[Seconds, ...] = (600, 1200, 1800, 3600, 7200, 14400, 28800, 86400, math.inf)
"""Until which age the hazard of each class holds. scripts/calibrate_survival.py has the same."""
HALF_LIFE: Seconds = 7 * 86400
SAME_STRETCH: Seconds = 6 * 3600
"""Two refusals further apart say nothing of the time between them."""
NOTHING = (0.0,) * len(AGES)


def pool_of(offer: Offer) -> PoolKey:
    """The pool that an offer is served from, whatever its market."""
    return offer.provider, offer.region, offer.zone, offer.instance_type


def pool_name(pool: PoolKey) -> str:
    """As a key of JSON."""
    return "/".join(pool)


class PoolRecord(Frozen):
    """One pool. Counts and hours are as of ``at``, each faded by the time since."""

    at: Seconds = 0.0
    launched: float = 0.0
    refused: float = 0.0
    """For capacity."""
    taken: float = 0.0
    """Spot machines that the cloud took back."""
    rebalanced: float = 0.0
    """Signals that one is more likely to be taken."""
    lived: tuple[float, ...] = NOTHING
    """Hours that ended machines lived, by their age then."""
    waited: tuple[float, ...] = NOTHING
    """Hours under refusal, by how long it had been refused then."""
    came_back: float = 0.0
    """Stretches of refusals that ended with a machine."""
    on_demand_launched: float = 0.0
    on_demand_refused: float = 0.0
    living: dict[str, Seconds] = Field(default_factory=dict)
    """Spot machines that live, and since when."""
    up: bool | None = None
    """Whether spot could be had when last seen; None: never seen."""
    since: Seconds = 0.0
    """Since when that is so."""
    seen_at: Seconds = 0.0


def faded(record: PoolRecord, at: Seconds) -> PoolRecord:
    """The record as of a later time; of an earlier one: unchanged."""
    if at <= record.at:
        return record
    share = 0.5 ** ((at - record.at) / HALF_LIFE)
    counts = ("launched", "refused", "taken", "rebalanced", "came_back", "on_demand_launched", "on_demand_refused")
    update: dict[str, object] = {name: getattr(record, name) * share for name in counts}
    update["lived"] = tuple(hours * share for hours in record.lived)
    update["waited"] = tuple(hours * share for hours in record.waited)
    return record.model_copy(update={**update, "at": at})


def hours_by_age(begin: Seconds, end: Seconds) -> tuple[float, ...]:
    """The hours between two ages, seconds, by class of age."""
    edges = pairwise((0.0, *AGES))
    return tuple(max(0.0, min(end, high) - max(begin, low)) / 3600 for low, high in edges)


def _counted(record: PoolRecord, at: Seconds, **more: float) -> tuple[PoolRecord, float]:
    """Some counts more, each faded if it is told late; and what one event of then counts now."""
    record = faded(record, at)
    weight = 0.5 ** ((record.at - at) / HALF_LIFE)
    update = {name: getattr(record, name) + weight * count for name, count in more.items()}
    return record.model_copy(update=update), weight


def _added(hours: tuple[float, ...], more: tuple[float, ...], weight: float) -> tuple[float, ...]:
    return tuple(one + weight * other for one, other in zip(hours, more, strict=True))


def launched(record: PoolRecord, at: Seconds, who: str) -> PoolRecord:
    """A spot machine was had."""
    record, weight = _counted(record, at, launched=1)
    record = record.model_copy(update={"living": {**record.living, who: at}})
    if record.up is False and at >= record.seen_at:
        gap = at - record.seen_at
        if gap <= SAME_STRETCH:  # it came back somewhere between: half of the time is given to the refusal
            hours = hours_by_age(record.seen_at - record.since, record.seen_at - record.since + gap / 2)
            counts = {"waited": _added(record.waited, hours, weight), "came_back": record.came_back + weight}
            record = record.model_copy(update=counts)
    return _seen(record, at, up=True)


def refused(record: PoolRecord, at: Seconds) -> PoolRecord:
    """Spot was asked for, and there was none."""
    record, weight = _counted(record, at, refused=1)
    if record.up is False and 0 <= at - record.seen_at <= SAME_STRETCH:
        hours = hours_by_age(record.seen_at - record.since, at - record.since)
        record = record.model_copy(update={"waited": _added(record.waited, hours, weight)})
    return _seen(record, at, up=False)


def ended(record: PoolRecord, at: Seconds, who: str, *, taken: bool) -> PoolRecord:
    """A spot machine's life is over, or its end was announced. Unknown, or told already: nothing changes."""
    began = record.living.get(who)
    if began is None:
        return record
    record, weight = _counted(record, at, **({"taken": 1.0} if taken else {}))
    living = {name: since for name, since in record.living.items() if name != who}
    lived = _added(record.lived, hours_by_age(0.0, max(0.0, at - began)), weight)
    return _seen(record.model_copy(update={"living": living, "lived": lived}), at, up=not taken)


def rebalanced(record: PoolRecord, at: Seconds) -> PoolRecord:
    """The cloud says that a machine of this pool is more likely to be taken."""
    return _counted(record, at, rebalanced=1)[0]


def on_demand(record: PoolRecord, at: Seconds, *, had: bool) -> PoolRecord:
    """An on-demand machine was had, or refused for capacity."""
    return _counted(record, at, **({"on_demand_launched": 1.0} if had else {"on_demand_refused": 1.0}))[0]


def _seen(record: PoolRecord, at: Seconds, *, up: bool) -> PoolRecord:
    """Whether spot can be had, as seen at a time; what is told late changes no newer word."""
    if at < record.seen_at:
        return record
    if record.up == up:
        return record.model_copy(update={"seen_at": at})
    return record.model_copy(update={"up": up, "since": at, "seen_at": at})
