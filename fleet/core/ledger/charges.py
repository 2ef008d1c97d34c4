"""What each thing has cost by any moment of its life: from that, the ledger cuts its lines.

Every amount is worked out from the beginning of the thing's life, in whole milliseconds and micro-dollars, and rounded
once: a part is the difference of two such amounts. So the parts add up to the whole wherever it is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fleet.core.costs import HOURS_PER_MONTH, Interval, intervals, volume_cost, volume_use
from fleet.core.ledger.line import Known, Line
from fleet.core.state import AttemptState, RunState, VolumeRecord
from fleet.model.base import Micros, Seconds
from fleet.model.cloud import Billing, Market
from fleet.model.rates import Rates

HOUR_MS = 3_600_000
MONTH_MS = HOURS_PER_MONTH * HOUR_MS
NO_RATES = Rates.model_validate({"of": "1970-01-01"})


@dataclass(frozen=True, slots=True)
class Charge:
    """One thing that is paid for. ``whole`` is its life until now; the figures in it are left at nought."""

    whole: Line
    paid: Callable[[Seconds], Micros]
    """What it has cost until a moment of its life."""
    twin: Callable[[Seconds], Micros]
    """What its twin on demand has."""
    used: Callable[[Seconds], float]
    """How much of it there was until then."""

    def cut(self, start: Seconds, end: Seconds) -> Line | None:
        """The part between two moments; None if it was not there."""
        start, end = max(start, self.whole.start), min(end, self.whole.end)
        if start >= end:
            return None
        amount, twin = self.paid(end) - self.paid(start), self.twin(end) - self.twin(start)
        used = self.used(end) - self.used(start)
        return replace(self.whole, start=start, end=end, quantity=used, amount=amount, on_demand=twin)


def of_run(run: RunState, now: Seconds, billing: Mapping[str, Billing], rates: Mapping[str, Rates]) -> Iterator[Charge]:
    """Everything of a run: its machines with what they have about them, and its disks."""
    for attempt in run.attempts.values():
        name = attempt.offer.provider if attempt.offer is not None else ""
        yield from of_attempt(run, attempt, now, billing.get(name, Billing()), rates.get(name, NO_RATES))
    for volume in run.volumes.values():
        yield of_volume(run, volume, now)


def of_attempt(run: RunState, attempt: AttemptState, now: Seconds, billing: Billing, rates: Rates) -> Iterator[Charge]:
    """A machine, its own disk and its public address; nothing of what was never launched."""
    offer, start = attempt.offer, attempt.launched_at
    if offer is None or start is None:
        return
    end = attempt.ended_at if attempt.ended_at is not None else now
    end = max(end, start + billing.minimum_seconds, start)
    known, how = _known(attempt, billing)
    whole = Line(
        kind="instance",
        run=run.run_id,
        name=run.name,
        attempt=attempt.number,
        provider=offer.provider,
        region=offer.region,
        zone=offer.zone,
        instance_type=offer.instance_type,
        market=offer.market,
        resource=attempt.instance_id or "",
        start=start,
        end=end,
        quantity=0.0,
        unit="instance-seconds",
        price=attempt.prices[-1].price if attempt.prices else offer.price,
        amount=0,
        on_demand=0,
        known=known,
        how=how,
        ended_by=attempt.ended_by,
    )
    paid = _hourly(intervals(attempt, now, billing))
    twin = _hourly([Interval(start, end, offer.on_demand_price)])
    yield Charge(whole, paid, twin, lambda until: until - start)
    local = rates.at(offer.region)
    sure: Known = "estimated" if attempt.end_estimated else "listed"
    listed = f"listed price of {local.of}" + ("; nobody saw the machine's end" if attempt.end_estimated else "")
    gigabytes = run.job.resources.disk_size or local.root_gb
    if gigabytes and local.root_gb_month:
        line = replace(whole, kind="root-disk", unit="GB-months", price=local.root_gb_month, known=sure, how=listed)
        yield _steady(line, gigabytes * local.root_gb_month, MONTH_MS, gigabytes)
    if local.address_hour:
        line = replace(
            whole, kind="address", unit="address-hours", price=local.address_hour, known=sure, how=listed,
            start=min(max(start, local.address_since), end),
        )  # fmt: skip
        yield _steady(line, local.address_hour, HOUR_MS, 1)


def of_volume(run: RunState, volume: VolumeRecord, now: Seconds) -> Charge:
    """A disk, for as long as this run answered for it."""
    start = min([since for since, _ in volume.earlier] + [volume.since])
    end = min(at for at in (volume.deleted_at, volume.passed_at, now) if at is not None)
    whole = Line(
        kind="volume",
        run=run.run_id,
        name=run.name,
        attempt=None,
        provider=volume.provider,
        region=volume.region,
        zone=volume.zone,
        instance_type="",
        market=None,
        resource=volume.volume_id,
        start=start,
        end=max(start, end),
        quantity=0.0,
        unit="GB-months",
        price=volume.price,
        amount=0,
        on_demand=0,
        known="listed",
        how="the price per GB and month that was listed when it was made",
        ended_by=None,
    )

    def paid(until: Seconds) -> Micros:
        return volume_cost(volume, until)

    return Charge(whole, paid, paid, lambda until: volume_use(volume, until) / MONTH_MS)


def _known(attempt: AttemptState, billing: Billing) -> tuple[Known, str]:
    """How a machine's cost is known."""
    assert attempt.offer is not None
    if attempt.end_estimated:
        return "estimated", "estimated: nobody saw the end; the last sign of life"
    if not intervals(attempt, attempt.ended_at or 0.0, billing) and attempt.ended_by == "cloud":
        return "measured", "measured: free, taken back by the cloud in the first hour"
    if attempt.offer.market is Market.ON_DEMAND:
        return "listed", "measured seconds at the listed price on demand"
    if attempt.priced_until is None or not attempt.settled:
        return "measured", "measured: seconds at the prices that were seen; the provider's own history comes"
    return "measured", "measured: seconds at the prices in force"


def _hourly(stretches: Sequence[Interval]) -> Callable[[Seconds], Micros]:
    """What some stretches at prices per hour come to, until a moment."""
    marks = [(round(one.start * 1000), round(one.end * 1000), one.price) for one in stretches]

    def until(moment: Seconds) -> Micros:
        at = round(moment * 1000)
        weighted = sum((min(end, at) - start) * price for start, end, price in marks if at > start)
        return (weighted + HOUR_MS // 2) // HOUR_MS

    return until


def _steady(whole: Line, price: Micros, per_ms: int, units: int) -> Charge:
    """Something that costs the same all the time, and on demand as well."""
    first = round(whole.start * 1000)

    def paid(until: Seconds) -> Micros:
        return (max(0, round(until * 1000) - first) * price + per_ms // 2) // per_ms

    return Charge(whole, paid, paid, lambda until: max(0.0, until - whole.start) * 1000 * units / per_ms)
