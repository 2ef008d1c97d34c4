"""What a fleet has learned of its pools by using them: launches, refusals, warnings and ends, from the journal's events.

A pool is provider, region, zone and instance type. Pure: events in, records out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from fleet.model import events as ev
from fleet.model.base import Micros, Seconds
from fleet.model.cloud import Market, Offer
from fleet.model.errors import ErrorClass

KIND = "fleet-history"
VERSION = 1
"""Of the exported form: a field never changes its meaning."""

What = Literal["launched", "refused", "rebalance", "notice", "taken", "ended"]
PoolKey = tuple[str, str, str, str]
"""Provider, region, zone, instance type."""


@dataclass(frozen=True, slots=True)
class HistoryRecord:
    """One thing that was learned of a pool."""

    at: Seconds
    """By the bucket's clock."""
    what: What
    """``launched``; ``refused`` for want of capacity; ``rebalance`` and ``notice``: the cloud's warnings; ``taken`` back by
    the cloud; ``ended`` otherwise."""
    provider: str
    region: str
    zone: str
    instance_type: str
    market: Market
    price: Micros | None
    """Micro-dollars per hour at the launch, or as the offer stood when it was refused."""
    seconds: Seconds | None
    """How long the machine had run, of ``taken`` and ``ended``."""
    run: str
    """The run's id."""
    attempt: int

    @property
    def pool(self) -> PoolKey:
        """Where."""
        return self.provider, self.region, self.zone, self.instance_type


@dataclass(frozen=True, slots=True)
class _Machine:
    """An attempt so far."""

    try_no: int = 0
    offers: tuple[Offer, ...] = ()
    offer: Offer | None = None
    launched_at: Seconds = 0.0
    noticed: frozenset[str] = frozenset()
    gone: bool = False


def history(events: Iterable[ev.Event]) -> list[HistoryRecord]:
    """What was learned, in the order in which it happened. What two controllers recorded counts once."""
    known: dict[tuple[str, int], _Machine] = {}
    found: list[HistoryRecord] = []
    for event in events:
        number, run_id = getattr(event, "attempt", None), getattr(event, "run_id", None)
        if number is None or run_id is None:
            continue
        key = (run_id, number)
        known[key], records = _learned(known.get(key, _Machine()), event, key)
        found.extend(records)
    return sorted(found, key=lambda record: record.at)


def _learned(machine: _Machine, event: ev.Event, key: tuple[str, int]) -> tuple[_Machine, list[HistoryRecord]]:
    if isinstance(event, ev.LaunchIntended):
        if machine.offer is not None or event.try_no <= machine.try_no:
            return machine, []
        return replace(machine, try_no=event.try_no, offers=event.offers), []
    if isinstance(event, ev.LaunchFailed):
        if event.try_no != machine.try_no or machine.offer is not None:
            return machine, []
        refused = machine.offers if event.error_class is ErrorClass.CAPACITY else ()
        return replace(machine, offers=()), [_record(offer, key, event.at, "refused") for offer in refused]
    if isinstance(event, ev.LaunchSucceeded):
        if machine.offer is not None or event.try_no != machine.try_no:
            return machine, []
        offer, at = event.instance.offer, event.instance.launched_at
        return replace(machine, offer=offer, launched_at=at), [_record(offer, key, at, "launched")]
    return _later(machine, event, key)


def _later(machine: _Machine, event: ev.Event, key: tuple[str, int]) -> tuple[_Machine, list[HistoryRecord]]:
    offer = machine.offer
    if offer is None or machine.gone:
        return machine, []
    if isinstance(event, ev.NoticeSeen) and event.notice.kind not in machine.noticed:
        noticed = machine.noticed | {event.notice.kind}
        return replace(machine, noticed=noticed), [_record(offer, key, event.notice.seen_at, event.notice.kind)]
    if isinstance(event, ev.AttemptGone):
        ran = max(0.0, event.ended_at - machine.launched_at)
        warned = event.ended_by == "fleet" and "notice" in machine.noticed
        what: What = "taken" if event.ended_by == "cloud" or warned else "ended"
        return replace(machine, gone=True), [_record(offer, key, event.ended_at, what, ran)]
    return machine, []


def _record(offer: Offer, key: tuple[str, int], at: Seconds, what: What, ran: Seconds | None = None) -> HistoryRecord:
    where = (offer.provider, offer.region, offer.zone, offer.instance_type, offer.market)
    return HistoryRecord(at, what, *where, offer.price if what in ("launched", "refused") else None, ran, *key)


@dataclass(frozen=True, slots=True)
class PoolHistory:
    """One pool and market in sum."""

    pool: PoolKey
    market: Market
    launches: int
    refusals: int
    interruptions: int
    seconds: Seconds
    """Machine time, of live machines up to now."""
    mean_life: Seconds | None
    """Machine time for each interruption; None: there was none."""
    last: Seconds
    """When something was learned of it last."""


def by_pool(records: Iterable[HistoryRecord], now: Seconds) -> list[PoolHistory]:
    """The pools, the most used first."""
    grouped: dict[tuple[PoolKey, Market], list[HistoryRecord]] = {}
    for record in records:
        grouped.setdefault((record.pool, record.market), []).append(record)
    found = [_summed(pool, market, of, now) for (pool, market), of in grouped.items()]
    return sorted(found, key=lambda one: (-one.seconds, one.pool, one.market.value))


def _summed(pool: PoolKey, market: Market, records: list[HistoryRecord], now: Seconds) -> PoolHistory:
    live: dict[tuple[str, int], Seconds] = {}
    seconds = 0.0
    count = dict.fromkeys(("launched", "refused", "taken"), 0)
    for record in records:
        key = (record.run, record.attempt)
        if record.what in count:
            count[record.what] += 1
        if record.what == "launched":
            live[key] = record.at
        elif record.what in ("taken", "ended"):
            live.pop(key, None)
            seconds += record.seconds or 0.0
    seconds += sum(max(0.0, now - since) for since in live.values())
    life = seconds / count["taken"] if count["taken"] else None
    last = max(record.at for record in records)
    return PoolHistory(pool, market, count["launched"], count["refused"], count["taken"], seconds, life, last)
