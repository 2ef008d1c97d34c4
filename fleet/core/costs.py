"""What a run has cost: prices in force over time, integer micro-dollars, every sum exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fleet.core.state import AttemptState, RunState, VolumeRecord
from fleet.model.base import Micros, Seconds
from fleet.model.cloud import Billing

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
    weighted = sum(max(0, round((i.end - i.start) * 1000)) * i.price for i in intervals)
    return (weighted + _MS_PER_HOUR // 2) // _MS_PER_HOUR


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
    found = []
    for index, since in enumerate(attempt.prices):
        until = attempt.prices[index + 1].at if index + 1 < len(attempt.prices) else end
        if min(until, end) > since.at:
            found.append(Interval(since.at, min(until, end), since.price))
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


def volume_rate(size_gb: int, price: Micros) -> Micros:
    """Micro-dollars per hour of a disk, from its price per GB and month."""
    return (size_gb * price + HOURS_PER_MONTH // 2) // HOURS_PER_MONTH


def volume_cost(volume: VolumeRecord, now: Seconds) -> Micros:
    """What a disk has cost its run: from its making (or coming) until its deletion (or going to another run) or ``now``."""
    end = min(at for at in (volume.deleted_at, volume.passed_at, now) if at is not None)
    stretches = (*volume.earlier, (volume.since, end))
    per_month_ms = HOURS_PER_MONTH * _MS_PER_HOUR
    milliseconds = sum(max(0, round((until - since) * 1000)) for since, until in stretches)
    return (milliseconds * volume.size_gb * volume.price + per_month_ms // 2) // per_month_ms


def run_cost(run: RunState, now: Seconds, billing: Mapping[str, Billing]) -> RunCost:
    """What a run has cost until ``now``; ``billing`` by provider."""
    compute = on_demand = rate = 0
    for attempt in run.attempts.values():
        rules = billing.get(attempt.offer.provider, Billing()) if attempt.offer else Billing()
        compute += attempt_cost(attempt, now, rules)
        on_demand += on_demand_cost(attempt, now, rules)
        rate += attempt.prices[-1].price if attempt.live and attempt.prices else 0
    volumes = sum(volume_cost(volume, now) for volume in run.volumes.values())
    rate += sum(volume_rate(v.size_gb, v.price) for v in run.volumes.values() if v.held)
    return RunCost(compute=compute, volumes=volumes, on_demand=on_demand + volumes, rate=rate)
