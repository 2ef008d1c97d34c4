"""What each thing has cost by any moment of its life: from that, the ledger cuts its lines.

Every amount is worked out from the beginning of the thing's life, in whole milliseconds and micro-dollars, and rounded
once: a part is the difference of two such amounts. So the parts add up to the whole wherever it is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fleet.core.costs import HOURS_PER_MONTH, Interval, intervals, volume_cost, volume_use
from fleet.core.ledger.line import Kind, Known, Line
from fleet.core.state import AttemptState, RunState, VolumeRecord
from fleet.model.base import Micros, Seconds
from fleet.model.calendar import Span
from fleet.model.cloud import Billing, EndedBy, Market, Offer
from fleet.model.rates import Rates

HOUR_MS = 3_600_000
MONTH_MS = HOURS_PER_MONTH * HOUR_MS
UNSEEN = "estimated: nobody saw the end; the last sign of life"
NO_BILLING = Billing()
NO_RATES = Rates.model_validate({"of": "1970-01-01"})


Whose = tuple[str | None, str, int | None, str, str, str, str, Market | None, str]
"""The part of a line that says whose something is and where, in the line's own order."""


@dataclass(slots=True)
class Charge:
    """One thing that is paid for, over its whole life until now. Its lines are cut from it."""

    kind: Kind
    whose: Whose
    start: Seconds
    end: Seconds
    unit: str
    price: Micros
    paid: Callable[[Seconds], Micros]
    """What it has cost until a moment of its life."""
    twin: Callable[[Seconds], Micros] | None
    """What its twin on demand has; None: the same."""
    used: Callable[[Seconds], float]
    """How much of it there was until then."""
    known: Known
    how: str
    ended_by: EndedBy | None = None

    def cut(self, start: Seconds, end: Seconds) -> Line | None:
        """The part between two moments; None if it was not there."""
        start, end = max(start, self.start), min(end, self.end)
        if start >= end:
            return None
        begins = start == self.start
        amount = self.paid(end) - (0 if begins else self.paid(start))
        twin = amount if self.twin is None else self.twin(end) - (0 if begins else self.twin(start))
        used = self.used(end) - (0 if begins else self.used(start))
        how = (used, self.unit, self.price, amount, twin, self.known, self.how, self.ended_by)
        return Line(self.kind, *self.whose, start, end, *how)


def of_run(
    run: RunState, span: Span, now: Seconds, billing: Mapping[str, Billing], rates: Mapping[str, Rates]
) -> Iterator[Charge]:
    """Everything of a run that was there within ``span``: its machines with what they have about them, and its disks."""
    for attempt in run.attempts.values():
        offer, start = attempt.offer, attempt.launched_at
        if offer is None or start is None or start >= span.end:
            continue
        rules = billing.get(offer.provider) or NO_BILLING
        end = attempt.ended_at if attempt.ended_at is not None else now
        end = max(end, start + rules.minimum_seconds)
        if end > span.start:
            whose = _whose(run, attempt, offer)
            machine = _machine(whose, attempt, offer, (start, end), now, rules)
            yield machine
            yield from _about(machine, run, attempt, offer.market, rates.get(offer.provider) or NO_RATES)
    for volume in run.volumes.values():
        yield _disk(run, volume, now)


def _whose(run: RunState, attempt: AttemptState, offer: Offer) -> Whose:
    where = (offer.provider, offer.region, offer.zone, offer.instance_type, offer.market)
    return (run.run_id, run.name, attempt.number, *where, attempt.instance_id or "")


def _machine(
    whose: Whose, attempt: AttemptState, offer: Offer, life: tuple[Seconds, Seconds], now: Seconds, rules: Billing
) -> Charge:
    start, end = life
    stretches = intervals(attempt, now, rules)
    known, how = _known(attempt, offer, free=not stretches)
    return Charge(
        kind="instance",
        whose=whose,
        start=start,
        end=end,
        unit="instance-seconds",
        price=attempt.prices[-1].price if attempt.prices else offer.price,
        paid=_hourly(stretches),
        twin=_hourly([Interval(start, end, offer.on_demand_price)]),
        used=lambda until: until - start,
        known=known,
        how=how,
        ended_by=attempt.ended_by,
    )


def _known(attempt: AttemptState, offer: Offer, *, free: bool) -> tuple[Known, str]:
    """How a machine's cost is known."""
    if attempt.end_estimated:
        return "estimated", UNSEEN
    if free and attempt.ended_by == "cloud":
        return "measured", "measured: free, taken back by the cloud in the first hour"
    if offer.market is Market.ON_DEMAND:
        return "listed", "measured seconds at the listed price on demand"
    if attempt.unpriced:
        return "estimated", "estimated: seconds at the prices that were seen; the provider's own history was not to be had"
    if attempt.priced_until is None or not attempt.settled:
        return "measured", "measured: seconds at the prices that were seen; the provider's own history comes"
    return "measured", "measured: seconds at the prices in force"


def _about(machine: Charge, run: RunState, attempt: AttemptState, market: Market, rates: Rates) -> Iterator[Charge]:
    """A machine's own disk and its public address, which are paid for as long as it lives, free or not."""
    local = rates.at(machine.whose[4])
    gigabytes = run.job.resources.disk_size or local.root_gb
    disk, address = gigabytes * local.root_gb_month, local.address_of(market)
    if not disk and not address:
        return
    known: Known = "estimated" if attempt.end_estimated else "listed"
    how = f"listed price of {local.listed}" + ("; nobody saw the machine's end" if attempt.end_estimated else "")
    start, end, told = machine.start, machine.end, (known, how, machine.ended_by)
    if disk:
        paid, used = _steady(start, disk, MONTH_MS), _times(start, gigabytes / MONTH_MS)
        yield Charge(
            "root-disk", machine.whose, start, end, "GB-months", local.root_gb_month, paid, None, used, *told
        )  # fmt: skip
    if address and end > local.address_since:
        start = max(start, local.address_since)
        paid, used = _steady(start, address, HOUR_MS), _times(start, 1 / HOUR_MS)
        yield Charge("address", machine.whose, start, end, "address-hours", address, paid, None, used, *told)


def _disk(run: RunState, volume: VolumeRecord, now: Seconds) -> Charge:
    """A disk, for as long as this run answered for it."""
    start = min([since for since, _ in volume.earlier] + [volume.since])
    end = min(at for at in (volume.deleted_at, volume.passed_at, now) if at is not None)
    return Charge(
        kind="volume",
        whose=(run.run_id, run.name, None, volume.provider, volume.region, volume.zone, "", None, volume.volume_id),
        start=start,
        end=max(start, end),
        unit="GB-months",
        price=volume.price,
        paid=lambda until: volume_cost(volume, until),
        twin=None,
        used=lambda until: volume_use(volume, until) / MONTH_MS,
        known="listed",
        how="the price per GB and month that was listed when it was made",
    )


def _hourly(stretches: Sequence[Interval]) -> Callable[[Seconds], Micros]:
    """What some stretches at prices per hour come to, until a moment."""
    marks = [(round(one.start * 1000), round(one.end * 1000), one.price) for one in stretches]

    def until(moment: Seconds) -> Micros:
        at = round(moment * 1000)
        weighted = 0
        for start, end, price in marks:
            if at > start:
                weighted += ((end if end < at else at) - start) * price
        return (weighted + HOUR_MS // 2) // HOUR_MS

    return until


def _steady(start: Seconds, price: Micros, per_ms: int) -> Callable[[Seconds], Micros]:
    """What costs the same all the time comes to, until a moment."""
    first = round(start * 1000)
    return lambda until: (max(0, round(until * 1000) - first) * price + per_ms // 2) // per_ms


def _times(start: Seconds, per_ms: float) -> Callable[[Seconds], float]:
    return lambda until: max(0.0, until - start) * 1000 * per_ms
