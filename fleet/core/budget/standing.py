"""How much of a budget is used, what it will come to, and when its user is told so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fleet.core.allowed import bid
from fleet.core.budget.books import Books, counted, pace_for
from fleet.core.budget.caps import Cap, fleet_caps, own_caps
from fleet.core.costs import attempt_cost_in, run_cost, run_cost_in, volume_rate
from fleet.core.leases import committed, dearest, ends_by, launch_least, worst_price
from fleet.core.state import FleetState, RunState
from fleet.model.base import Micros, Seconds
from fleet.model.calendar import Span, day_of
from fleet.model.cloud import Billing

WARN_AT = 80
"""Per cent of a budget."""
LOOKS_BACK: Seconds = 7 * 86_400
"""What machines will cost on the days to come is what they did on those before."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A budget in its present period: the day or month, or all of a run's life."""

    cap: Cap
    period: Span
    spent: Micros
    committed: Micros
    """What machines may still spend by their leases, at the highest prices that they can come to."""
    disks: Micros
    """What disks come to in the rest of the period, if nobody deletes them."""
    forecast: Micros
    """What the period comes to if all goes on as it does."""

    @property
    def used(self) -> Micros:
        """What machines cannot have any more: spent, or the disks'."""
        return self.spent + self.disks

    @property
    def left(self) -> Micros:
        """What another machine could be given."""
        return max(0, self.cap.limit - self.used - self.committed)


def run_cap(run: RunState) -> Cap | None:
    """The budget of the run as a whole."""
    limit = run.job.budget.run
    return Cap("run", limit, "UTC", run.run_id) if limit is not None else None


def caps_to_tell(state: FleetState) -> Iterator[Cap]:
    """The fleet's, and those of every run that is not over."""
    yield from fleet_caps(state)
    for run in state.busy_runs:
        if run.ended_at is None:
            whole = run_cap(run)
            if whole is not None:
                yield whole
            yield from own_caps(run)


def period_of(state: FleetState, cap: Cap, now: Seconds) -> Span:
    """The period that counts now."""
    if cap.scope == "run" and cap.run_id is not None:
        created = state.runs[cap.run_id].created_at
        return Span(created, max(created, now))
    return cap.period(now)


def standing(state: FleetState, cap: Cap, now: Seconds, billing: Mapping[str, Billing]) -> Standing:
    """How a budget stands."""
    period = period_of(state, cap, now)
    if cap.scope == "run" and cap.run_id is not None:
        return _of_whole_run(state.runs[cap.run_id], cap, period, now, billing)
    books = Books(cap.accounts(state), now, billing, 0)
    spent = sum(run_cost_in(run, period, now, billing) for run in counted(books.runs, period.start))
    disks = books.disks(period)
    forecast = spent + disks + _machines_ahead(state, cap, period, now, billing)
    return Standing(cap, period, spent, books.machines(period), disks, forecast)


def _of_whole_run(run: RunState, cap: Cap, period: Span, now: Seconds, billing: Mapping[str, Billing]) -> Standing:
    """A run has no end to look to: the forecast is what it comes to by the leases that its machines have."""
    spent, bound, ahead, longest = run_cost(run, now, billing).total, 0, 0.0, 0.0
    for attempt in run.live_attempts:
        if attempt.lease_until is not None:
            pace = pace_for(run)
            lasts = max(0.0, ends_by(attempt, pace) - now)
            bound += committed(run, attempt, now, pace)
            ahead += lasts * (attempt.prices[-1].price if attempt.prices else 0) / 3600
            longest = max(longest, lasts)
    disks = round(longest * sum(volume_rate(v.size_gb, v.price) for v in run.volumes.values() if v.held) / 3600)
    return Standing(cap, period, spent, bound, disks, spent + disks + round(ahead))


def _machines_ahead(state: FleetState, cap: Cap, period: Span, now: Seconds, billing: Mapping[str, Billing]) -> Micros:
    """The rest of today as it goes now; the days after it as those of the last week went."""
    today, runs = day_of(now, cap.zone), cap.accounts(state).runs
    rate = sum(a.prices[-1].price for run in runs for a in run.live_attempts if a.prices)
    ahead = rate * (min(today.end, period.end) - now) / 3600
    if period.end > today.end:
        week = Span(now - LOOKS_BACK, now)
        paid = sum(_machines(run, week, now, billing) for run in counted(runs, week.start))
        begun = min((run.created_at for run in runs), default=now)
        lasted = min(LOOKS_BACK, max(86_400.0, now - begun))
        ahead += paid / lasted * (period.end - today.end)
    return round(ahead)


def _machines(run: RunState, span: Span, now: Seconds, billing: Mapping[str, Billing]) -> Micros:
    rules = {a.number: billing.get(a.offer.provider, Billing()) if a.offer else Billing() for a in run.attempts.values()}
    return sum(attempt_cost_in(a, span, now, rules[a.number]) for a in run.attempts.values())


def share_used(state: FleetState, cap: Cap, used: Micros) -> int:
    """100 once it pays for no machine more, 80 from four fifths on, else 0."""
    if used * 100 < cap.limit * WARN_AT and used + _least(state, cap) <= cap.limit:
        return 0
    return 100 if used >= cap.limit or cap.limit - used < _least(state, cap) else WARN_AT


def used_of(state: FleetState, cap: Cap, now: Seconds, billing: Mapping[str, Billing]) -> Micros:
    """What machines cannot have any more of a budget: cheap enough for every tick."""
    if cap.scope == "run" and cap.run_id is not None:
        return run_cost(state.runs[cap.run_id], now, billing).total
    books, period = Books(cap.accounts(state), now, billing, 0), cap.period(now)
    return books.spent(period) + books.disks(period)


def _least(state: FleetState, cap: Cap) -> Micros:
    """What the cheapest machine that one of its runs last had, or wanted, needs to go on or to be launched."""
    needs = []
    for run in state.busy_runs if cap.run_id is None else (state.runs[cap.run_id],):
        newest = run.newest if run.ended_at is None else None
        if newest is not None and newest.offers:
            offer, pace = newest.offer or dearest(newest.offers, run.job.resources), pace_for(run)
            least = pace.lease_least if run.live_attempts else launch_least(pace)
            needs.append(round(worst_price(offer, bid(offer, run.job.resources)) * least / 3600))
    return min(needs, default=0)
