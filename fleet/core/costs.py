"""What a run has cost: prices in force over time, integer micro-dollars, every sum exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from fleet.core.state import AttemptState, RunState, VolumeRecord
from fleet.model.base import Micros, Seconds
from fleet.model.calendar import Span
from fleet.model.cloud import Billing, Offer

HOURS_PER_MONTH = 730
"""The month that clouds price storage by."""
_MS_PER_HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of time at one price, micro-dollars per hour."""

    start: Seconds
    end: Seconds
    price: Micros


@dataclass(frozen=True, slots=True)
class RunCost:
    """What a run has cost, micro-dollars, and what it costs per hour now."""

    compute: Micros
    volumes: Micros
    on_demand: Micros
    """The same machine hours at on-demand prices, plus the same volumes."""
    rate: Micros

    @property
    def total(self) -> Micros:
        """Everything together."""
        return self.compute + self.volumes


def _charge(intervals: list[Interval]) -> Micros:
    """Micro-dollars of some intervals, rounded half up once at the end."""
    weighted = sum(max(0, _milliseconds(i.start, i.end)) * i.price for i in intervals)
    return (weighted + _MS_PER_HOUR // 2) // _MS_PER_HOUR


def cost_until(charged: list[Interval], moment: int) -> Micros:
    """Micro-dollars of some intervals up to a moment (milliseconds since 1970), rounded once."""
    weighted = sum(max(0, min(round(i.end * 1000), moment) - round(i.start * 1000)) * i.price for i in charged)
    return (weighted + _MS_PER_HOUR // 2) // _MS_PER_HOUR


def _milliseconds(start: Seconds, end: Seconds) -> int:
    """Between two moments, each to the millisecond: what is split anywhere adds up to the whole."""
    return round(end * 1000) - round(start * 1000)


def intervals(attempt: AttemptState, now: Seconds, billing: Billing) -> list[Interval]:
    """The stretches that an attempt is charged for until ``now`` or its end; none if it was free or never launched."""
    start = attempt.launched_at
    if start is None or not attempt.prices:
        return []
    end = attempt.ended_at if attempt.ended_at is not None else now
    interrupted = attempt.ended_by == "cloud"
    if interrupted and end - start <= billing.free_if_interrupted_within:
        return []
    end = max(end, start + billing.minimum_seconds)
    found: list[Interval] = []
    until = end
    # What was recorded later is in force from its own time on, also where a clock has stepped back meanwhile.
    for since in reversed(attempt.prices):
        begins = max(since.at, start)
        if until > begins:
            found.append(Interval(begins, until, since.price))
        until = min(until, begins)
    found.reverse()
    return _held(found, start, billing.price_holds_seconds) if billing.price_holds_seconds else found


def _held(stretches: list[Interval], start: Seconds, hold: Seconds) -> list[Interval]:
    """Each price as of the beginning of every ``hold`` seconds of the machine, for all of them."""
    found: list[Interval] = []
    for one in stretches:
        first = -((start - one.start) // hold)  # the next beginning that lies in it
        begins, ends = start + first * hold, start - ((start - one.end) // hold) * hold
        if begins < one.end:
            found.append(Interval(begins, ends, one.price))
    if found:
        found[-1] = replace(found[-1], end=stretches[-1].end)
    return found


def attempt_cost(attempt: AttemptState, now: Seconds, billing: Billing) -> Micros:
    """What one machine has cost until ``now``."""
    return _charge(intervals(attempt, now, billing))


def on_demand_cost(attempt: AttemptState, now: Seconds, billing: Billing) -> Micros:
    """What the same machine would have cost on demand: for as long as it ran, free interruptions or not."""
    if attempt.launched_at is None or attempt.offer is None:
        return 0
    end = attempt.ended_at if attempt.ended_at is not None else now
    end = max(end, attempt.launched_at + billing.minimum_seconds)
    return _charge([Interval(attempt.launched_at, end, attempt.offer.on_demand_price)])


def _costs(attempt: AttemptState, now: Seconds, billing: Billing) -> tuple[Micros, Micros]:
    """Both costs of one machine. Those of one that has ended stay what they are: a run may have had hundreds."""
    if attempt.ended_at is None:
        return attempt_cost(attempt, now, billing), on_demand_cost(attempt, now, billing)
    depends = (attempt.prices, attempt.launched_at, attempt.ended_at, attempt.ended_by, billing)
    known = attempt.__dict__.get("_costs")  # a copy with other fields takes it along
    if known is None or known[0] != depends:
        found = attempt_cost(attempt, now, billing), on_demand_cost(attempt, now, billing)
        known = attempt.__dict__["_costs"] = (depends, found)
    return cast("tuple[Micros, Micros]", known[1])


def volume_rate(size_gb: int, price: Micros) -> Micros:
    """Micro-dollars per hour of a disk, from its price per GB and month."""
    return (size_gb * price + HOURS_PER_MONTH // 2) // HOURS_PER_MONTH


def disk_price(prices: Mapping[str, Micros], offer: Offer, usual: Micros = 0) -> Micros:
    """Micro-dollars for a GB and month of a disk that is made where an offer is, from prices by provider, and by
    ``provider/region`` where that asks something else; ``usual`` where nothing is known of the provider."""
    return prices.get(f"{offer.provider}/{offer.region}", prices.get(offer.provider, usual))


def volume_cost(volume: VolumeRecord, now: Seconds) -> Micros:
    """What a disk has cost its run: from its making (or coming) until its deletion (or going to another run) or ``now``."""
    per_month_ms = HOURS_PER_MONTH * _MS_PER_HOUR
    return (volume_use(volume, now) * volume.price + per_month_ms // 2) // per_month_ms


def volume_use(volume: VolumeRecord, now: Seconds) -> int:
    """How many GB for how many milliseconds a run has had a disk until ``now``."""
    end = min(at for at in (volume.deleted_at, volume.passed_at, now) if at is not None)
    stretches = (*((since, min(until, now)) for since, until in volume.earlier), (volume.since, end))
    return sum(_gb_milliseconds(volume, since, until) for since, until in stretches)


def _gb_milliseconds(volume: VolumeRecord, since: Seconds, until: Seconds) -> int:
    """How many GB it had for how long, between two times: it may have been enlarged meanwhile."""
    total = 0
    for at, before in (*volume.grown, (until, volume.size_gb)):
        end = min(max(at, since), until)
        total += before * max(0, _milliseconds(since, end))
        since = max(since, end)
    return total


def run_cost(run: RunState, now: Seconds, billing: Mapping[str, Billing]) -> RunCost:
    """What a run has cost until ``now``; ``billing`` by provider."""
    compute = on_demand = rate = 0
    for attempt in run.attempts.values():
        rules = billing.get(attempt.offer.provider, Billing()) if attempt.offer else Billing()
        paid, would_be = _costs(attempt, now, rules)
        compute, on_demand = compute + paid, on_demand + would_be
        rate += attempt.prices[-1].price if attempt.live and attempt.prices else 0
    volumes = sum(volume_cost(volume, now) for volume in run.volumes.values())
    rate += sum(volume_rate(v.size_gb, v.price) for v in run.volumes.values() if v.held)
    return RunCost(compute=compute, volumes=volumes, on_demand=on_demand + volumes, rate=rate)


def attempt_cost_in(attempt: AttemptState, span: Span, now: Seconds, billing: Billing) -> Micros:
    """What of a machine's cost until ``now`` falls into a span: the parts of any division of time add up to the whole."""
    if attempt.ended_at is not None and attempt.ended_at + billing.minimum_seconds <= span.start:
        return 0
    if attempt.ended_at is None:
        return _within(intervals(attempt, now, billing), span)
    depends = (attempt.prices, attempt.launched_at, attempt.ended_at, attempt.ended_by, billing)
    known = attempt.__dict__.get("_costs_in")  # a copy with other fields takes it along
    if known is None or known[0] != depends:
        known = attempt.__dict__["_costs_in"] = (depends, {})
    found = cast("dict[Span, Micros]", known[1])
    if span not in found:
        found[span] = _within(intervals(attempt, now, billing), span)
    return found[span]


def _within(charged: list[Interval], span: Span) -> Micros:
    return cost_until(charged, round(span.end * 1000)) - cost_until(charged, round(span.start * 1000))


def volume_cost_in(volume: VolumeRecord, span: Span, now: Seconds) -> Micros:
    """What of a disk's cost until ``now`` falls into a span."""
    if any(at is not None and at <= span.start for at in (volume.deleted_at, volume.passed_at)):
        return 0
    return volume_cost(volume, min(now, span.end)) - volume_cost(volume, min(now, span.start))


def run_cost_in(run: RunState, span: Span, now: Seconds, billing: Mapping[str, Billing]) -> Micros:
    """What of a run's cost until ``now``, disks included, falls into a span."""
    machines = sum(
        attempt_cost_in(a, span, now, billing.get(a.offer.provider, Billing()) if a.offer else Billing())
        for a in run.attempts.values()
    )
    return machines + sum(volume_cost_in(volume, span, now) for volume in run.volumes.values())
