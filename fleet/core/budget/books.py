"""What a day or month has cost so far, and what is bound to be spent in it, whatever nobody does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import TypeAlias, cast

from fleet.core.allowed import bid, providers_of
from fleet.core.costs import HOURS_PER_MONTH, disk_price, run_cost_in
from fleet.core.leases import at_most, dearest, ends_by, paid_size, worst_price
from fleet.core.pace import Pace, pace_of
from fleet.core.state import AttemptState, FleetState, RunState
from fleet.model.base import Micros, Seconds
from fleet.model.calendar import Span
from fleet.model.cloud import Billing, NewVolume, Offer

_LONGEST_UNSEEN: Seconds = 2 * 3600
"""A machine that ended unseen lived on for half an hour at most: after that a run that is over costs nothing more."""


_Bound: TypeAlias = tuple[tuple[str, int], Seconds, Micros]
"""A live machine: its run and attempt, when it ends without another word, and the highest hourly price it can come to."""


@dataclass(slots=True)
class Accounts:
    """Runs whose money counts together, sorted once however many leases of a tick ask: most of a fleet's are long over."""

    runs: tuple[RunState, ...]
    going: tuple[RunState, ...] = field(init=False)
    """Those that have a machine or a disk."""
    _spent: tuple[Seconds, Mapping[str, Billing], dict[Span, Micros]] | None = None
    _disks: tuple[Micros, Mapping[str, Micros], int] | None = None
    _machines: tuple[Seconds, list[_Bound]] | None = None

    def __post_init__(self) -> None:
        self.going = tuple(run for run in self.runs if _last_cost(run) == inf)

    def spent(self, span: Span, now: Seconds, billing: Mapping[str, Billing]) -> Micros:
        """In a span until ``now``."""
        if self._spent is None or self._spent[:2] != (now, billing):
            self._spent = (now, dict(billing), {})
        found = self._spent[2]
        if span not in found:
            found[span] = sum(_spent(run, span, now, billing) for run in self.runs)
        return found[span]

    def machines(self, now: Seconds) -> list[_Bound]:
        """Every live machine that has a lease. Worked out once a tick: each lease of a fleet with a cap asks for all."""
        if self._machines is None or self._machines[0] != now:
            bound = [
                ((run.run_id, attempt.number), ends_by(attempt, pace_for(run, attempt)), _worst(run, attempt))
                for run in self.going
                for attempt in run.live_attempts
                if attempt.lease_until is not None
            ]
            self._machines = (now, bound)
        return self._machines[1]

    def disk_rate(self, volume_price: Micros, disk_prices: Mapping[str, Micros]) -> int:
        """Micro-dollars per month of the disks that there are, and of those that are being made."""
        if self._disks is None or self._disks[:2] != (volume_price, disk_prices):
            rate = 0
            for run in self.going:
                rate += sum(paid_size(run, volume) * volume.price for volume in run.volumes.values() if volume.held)
                rate += sum(gb * disk_price(disk_prices, offer, volume_price) for offer, gb in _unseen(run))
            self._disks = (volume_price, dict(disk_prices), rate)
        return self._disks[2]


def whole_fleet(state: FleetState) -> Accounts:
    """The accounts of all runs."""
    known: tuple[object, Accounts] | None = state.__dict__.get("_accounts")  # a copy with other fields takes it along
    if known is None or known[0] is not state.runs:
        known = state.__dict__["_accounts"] = (state.runs, Accounts(tuple(state.runs.values())))
    return known[1]


@dataclass(frozen=True, slots=True)
class Books:
    """Of some runs, at a moment."""

    accounts: Accounts
    now: Seconds
    billing: Mapping[str, Billing]
    volume_price: Micros
    """Per GB and month, of a disk that is being made and that nobody has seen yet."""
    besides: tuple[str, int] | None = None
    """An attempt that does not count: its share is what is asked for."""
    new_gb: int = 0
    """GB of a disk that is about to be made."""
    disk_prices: Mapping[str, Micros] = field(default_factory=dict)
    """As ``costs.disk_price`` reads them: others may be making disks elsewhere, at another price."""

    def spent(self, span: Span) -> Micros:
        """In a span until now, with every end that nobody saw as late as it can have been."""
        return self.accounts.spent(span, self.now, self.billing) if span.start <= self.now else 0

    @property
    def runs(self) -> tuple[RunState, ...]:
        """Whose they are."""
        return self.accounts.runs

    def machines(self, span: Span) -> Micros:
        """What live machines may spend in the rest of a span, at the highest prices that they can come to."""
        total = 0.0
        for key, until, price in self.accounts.machines(self.now):
            if key != self.besides:
                total += span.shared(self.now, until) * price
        return _up(total / 3600)

    def disks(self, span: Span) -> Micros:
        """What the disks come to in the rest of a span: nobody may be there to delete them."""
        seconds = span.end - max(span.start, self.now)
        return _up(seconds * self._disk_rate() / (HOURS_PER_MONTH * 3600))

    def _disk_rate(self) -> int:
        """Micro-dollars per month."""
        return self.new_gb * self.volume_price + self.accounts.disk_rate(self.volume_price, self.disk_prices)


def counted(runs: Iterable[RunState], since: Seconds) -> tuple[RunState, ...]:
    """Those that may have cost anything since a moment, or may yet: a fleet has run a thousand that have not."""
    return tuple(run for run in runs if _last_cost(run) > since)


def _unseen(run: RunState) -> Iterable[tuple[Offer, int]]:
    """Where live launches make disks that are not in the journal yet, and their GB."""
    for attempt in run.live_attempts:
        if isinstance(attempt.volume, NewVolume) and attempt.resumed is None:
            since = attempt.intended_at - _LONGEST_UNSEEN / 24
            if not any(volume.created_at >= since for volume in run.volumes.values()):
                yield attempt.offer or attempt.offers[0], max(attempt.volume.size_gb, run.job.volume.size)


def _worst(run: RunState, attempt: AttemptState) -> Micros:
    offer = attempt.offer or (dearest(attempt.offers, run.job.resources) if attempt.offers else None)
    return worst_price(offer, bid(offer, run.job.resources)) if offer is not None else 0


def pace_for(run: RunState, attempt: AttemptState | None = None) -> Pace:
    """The waiting times where an attempt is, or the newest one; of a run that never had one, where its job allows it."""
    one = attempt if attempt is not None else run.newest
    if one is not None and (one.offer is not None or one.offers):
        return pace_of((one.offer or one.offers[0]).provider)
    return pace_of(min(providers_of(run.job.resources)))


def _up(micros: float) -> Micros:
    """Rounded against oneself, but for what is only the error of a sum of floats."""
    return -int(-(micros - 1e-6) // 1)


def _spent(run: RunState, span: Span, now: Seconds, billing: Mapping[str, Billing]) -> Micros:
    """Worked out once a tick: every lease of a fleet with a cap asks for it."""
    last = _last_cost(run)
    if last <= span.start:
        return 0
    when = now if last > now else inf  # what has cost all that it ever will costs the same at every moment
    known = run.__dict__.get("_spent_in")  # a copy with other fields takes it along
    if known is None or known[0] is not run.attempts or known[1] is not run.volumes or known[2:4] != (when, billing):
        known = run.__dict__["_spent_in"] = (run.attempts, run.volumes, when, dict(billing), {})
    found = cast("dict[Span, Micros]", known[4])
    if span not in found:
        found[span] = run_cost_in(at_most(run, now, pace_for(run)), span, now, billing)
    return found[span]


def _last_cost(run: RunState) -> Seconds:
    """After which moment the run costs nothing more; infinite while it has a machine or a disk."""
    known = run.__dict__.get("_last_cost")
    if known is None or known[0] is not run.attempts or known[1] is not run.volumes:
        known = run.__dict__["_last_cost"] = (run.attempts, run.volumes, _worked_out(run))
    return cast("Seconds", known[2])


def _worked_out(run: RunState) -> Seconds:
    if run.live_attempts or any(volume.held for volume in run.volumes.values()):
        return inf
    ends = [a.ended_at if a.ended_at is not None else a.intended_at for a in run.attempts.values()]
    gone = [at for v in run.volumes.values() for at in (v.deleted_at, v.passed_at) if at is not None]
    return max([*ends, *gone], default=-inf) + _LONGEST_UNSEEN
