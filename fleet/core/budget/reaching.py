"""Until when a machine may live, by every day and month that its lease reaches into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fleet.core.allowed import bid
from fleet.core.budget.books import Books
from fleet.core.budget.caps import Cap, caps_of
from fleet.core.leases import Lease, launch_least, worst_price
from fleet.core.pace import pace_of
from fleet.core.state import FleetState, RunState
from fleet.model.base import Micros, Seconds
from fleet.model.calendar import Span
from fleet.model.cloud import Billing, Offer
from fleet.model.units import format_duration, format_money


@dataclass(frozen=True, slots=True)
class Ask:
    """Until when a machine of an offer may live, that is launched now or lives already."""

    state: FleetState
    run: RunState
    offer: Offer
    now: Seconds
    billing: Mapping[str, Billing]
    volume_price: Micros
    besides: int | None = None
    """The attempt that it is, if it lives: what that may still spend is what is asked about."""
    new_volume: bool = False
    """Its launch makes a disk."""
    disk_prices: Mapping[str, Micros] = field(default_factory=dict)
    """Of disks that other launches make, as ``costs.disk_price`` reads them; else as ``volume_price``."""
    slack: Micros = 0
    """What a cap may be passed by, for a lease that was granted: sums are rounded."""

    @property
    def rate(self) -> Micros:
        """The highest hourly price that it can come to."""
        return worst_price(self.offer, bid(self.offer, self.run.job.resources))

    @property
    def least(self) -> Seconds:
        """What is worth a lease: less is not worth a launch when the next day brings new money, but lets a machine go on."""
        pace = pace_of(self.offer.provider)
        return pace.lease_least if self.besides is not None else launch_least(pace)

    def books(self, cap: Cap) -> Books:
        """Of all that counts in a cap."""
        mine = (self.run.run_id, self.besides) if self.besides is not None else None
        size = self.run.job.volume.size if self.new_volume else 0
        accounts = cap.accounts(self.state, self.run)
        return Books(accounts, self.now, self.billing, self.volume_price, mine, size, self.disk_prices)


@dataclass(frozen=True, slots=True)
class Later:
    """Nothing is launched before another day or month begins, or another machine spends less than it may."""

    reason: str
    until: Seconds
    cap: Cap


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a cap lets a lease reach, and in which of its days or months that ends."""

    until: Seconds
    cap: Cap
    period: Span


def within(ask: Ask, lease: Lease) -> Lease | Later:
    """The lease, or as much of it as the budgets for days and months allow."""
    found = reach(ask, lease.until)
    if not found:
        return lease
    short = [one for one in found if one.until < lease.until and one.until - ask.now < ask.least]
    if short:
        last = max(short, key=lambda one: one.period.end)
        return Later(_why(ask, last), last.period.end, last.cap)
    until = min(one.until for one in found)
    if until >= lease.until or lease.share is None:
        return replace(lease, until=until)
    return Lease(until, round(lease.share * (until - ask.now) / (lease.until - ask.now)))


def reach(ask: Ask, most: Seconds) -> list[Reach]:
    """How far each cap lets the machine live, up to ``most``; empty: there is no cap."""
    return [_under(cap, ask.books(cap), ask.rate, most, ask.slack) for cap in caps_of(ask.state, ask.run)]


def _under(cap: Cap, books: Books, rate: Micros, most: Seconds, slack: Micros) -> Reach:
    """Day by day, or month by month: what is left of each pays for the machine to its end, or the lease ends in it."""
    at = books.now
    while True:
        period = cap.period(at)
        left = cap.limit + slack - books.spent(period) - books.machines(period) - books.disks(period)
        lasts = left * 3600 / rate if rate else (period.end - at if left >= 0 else 0.0)
        if at + lasts < min(period.end, most):
            return Reach(max(at, at + lasts), cap, period)
        if period.end >= most:
            return Reach(most, cap, period)
        at = period.end


def _why(ask: Ask, reach: Reach) -> str:
    """In words, with when it goes on."""
    cap, period = reach.cap, reach.period
    books = ask.books(cap)
    needs = round(ask.rate * ask.least / 3600)
    whole = replace(books, now=min(ask.now, period.start)).disks(period)
    if whole + needs > cap.limit:
        each = f", and {format_duration(ask.least)} of a machine may come to {format_money(needs)}" if needs else ""
        return f"{cap.words} lets no machine run: its disks come to {format_money(whole)}{each}"
    goes_on = f"it goes on from {cap.begins(period.end)}"
    if cap.limit - books.spent(period) - books.disks(period) >= needs:
        return f"{cap.words} is spoken for by the machines that run; {goes_on}, or when they need less"
    return f"{cap.words} is used up; {goes_on}"
