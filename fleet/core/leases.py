"""How long a machine may live without anybody's word: the least of its time limit, its share of the budget, and a cap.

Shares of the attempts of a run never add up to more than its budget. They are counted at the highest price that the
machine can come to (its bid, or on-demand's price), so that they hold with every controller dead; a living one renews
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fleet.core.allowed import bid
from fleet.core.costs import run_cost, volume_rate
from fleet.core.pace import Pace
from fleet.core.state import AttemptState, RunState, VolumeRecord
from fleet.model.base import Micros, Seconds
from fleet.model.cloud import Billing, Market, Offer, PriceSince
from fleet.model.job import Resources
from fleet.model.units import format_duration, format_money


@dataclass(frozen=True, slots=True)
class Lease:
    """An absolute end, and the micro-dollars of the budget that it takes (None: no budget)."""

    until: Seconds
    share: Micros | None


@dataclass(frozen=True, slots=True)
class NoLease:
    """Nothing is left to spend; the reason is the run's end."""

    reason: str


def worst_price(offer: Offer, max_price: Micros | None) -> Micros:
    """The highest hourly price that an instance of this offer can come to."""
    if offer.market is Market.ON_DEMAND:
        return offer.price
    return max(offer.price, max_price if max_price is not None else offer.on_demand_price)


def dearest(offers: Sequence[Offer], resources: Resources) -> Offer:
    """The one that can come to the highest price: a launch takes any of them."""
    return max(offers, key=lambda offer: worst_price(offer, bid(offer, resources)))


def committed(run: RunState, attempt: AttemptState, now: Seconds, pace: Pace) -> Micros:
    """Micro-dollars that a live attempt may still spend from ``now`` on, without another word from fleet."""
    offer = attempt.offer or (dearest(attempt.offers, run.job.resources) if attempt.offers else None)
    if offer is None or not attempt.live or attempt.lease_until is None:
        return 0
    price = worst_price(offer, bid(offer, run.job.resources))
    return round(max(0.0, ends_by(attempt, pace) - now) * price / 3600)


def ends_by(attempt: AttemptState, pace: Pace) -> Seconds:
    """When a live attempt with a lease ends without another word from fleet."""
    assert attempt.lease_until is not None
    if attempt.notice is not None and attempt.notice.until is not None:
        return min(attempt.lease_until, attempt.notice.until + pace.drain_slack)  # the cloud takes it, or we do
    return attempt.lease_until


def at_most(run: RunState, now: Seconds, pace: Pace) -> RunState:
    """The run with every end that nobody saw as late as it can have been: a machine ends itself once it is not heard.

    What was spent is told up to its last word, as an estimate; what may still be spent must not hang on that.
    """
    late = {
        number: attempt.model_copy(update={"ended_at": min(latest, now)})
        for number, attempt in run.attempts.items()
        if attempt.end_estimated and (latest := _latest_end(attempt, pace)) is not None
    }
    late |= {
        number: _unheard(run, attempt, pace)
        for number, attempt in run.attempts.items()
        if attempt.phase == "gone" and attempt.launched_at is None
    }
    return run.model_copy(update={"attempts": {**run.attempts, **late}}) if late else run


def _unheard(run: RunState, attempt: AttemptState, pace: Pace) -> AttemptState:
    """A launch of which nobody ever heard: a machine may have booted, never spoken, and ended itself in time."""
    offer = dearest(attempt.offers, run.job.resources)
    price = worst_price(offer, bid(offer, run.job.resources))
    until = attempt.intended_at + pace.silence
    ended = until if attempt.lease_until is None else max(attempt.intended_at, min(until, attempt.lease_until))
    prices = (PriceSince(at=attempt.intended_at, price=price),)
    update = {"offer": offer, "launched_at": attempt.intended_at, "ended_at": ended, "ended_by": "unknown", "prices": prices}
    return attempt.model_copy(update=update)


def _latest_end(attempt: AttemptState, pace: Pace) -> Seconds | None:
    if attempt.ended_at is None:
        return None
    alone = attempt.ended_at + pace.intervals.cut_off
    return alone if attempt.lease_until is None else max(attempt.ended_at, min(alone, attempt.lease_until))


def launch_least(pace: Pace) -> Seconds:
    """A boot at its longest, and what a lease lasts at least: money for less is not worth a launch."""
    return pace.boot_deadline + pace.lease_least


def grant(
    run: RunState,
    offer: Offer,
    now: Seconds,
    pace: Pace,
    billing: Mapping[str, Billing],
    volume_price: Micros,
    besides: int | None = None,
    new_volume: bool = False,
) -> Lease | NoLease:
    """The lease for an instance of ``offer``; ``besides`` names the attempt that it renews, whose share it replaces.

    Every disk of the run is paid for meanwhile: those left behind in other zones, and the one that ``new_volume`` makes;
    and for as long as a machine beside it may live, also when that is longer than this one's lease.
    """
    until = now + pace.lease_cap
    renewed = run.attempts.get(besides) if besides is not None else None
    if pace.longest_life is not None:
        until = min(until, (renewed.intended_at if renewed is not None else now) + pace.longest_life)
    limit = time_limit(run, now)
    if limit is not None:
        until = min(until, limit)
        if until - now < pace.lease_least:
            return NoLease(f"max_duration of {run.job.max_duration:.0f} s is used up")
    budget = run.job.budget.run
    if budget is None:
        return Lease(until, None)
    beside = [a for a in run.live_attempts if a.number != besides and a.lease_until is not None]
    others = sum(committed(run, a, now, pace) for a in beside)
    anyhow = max((ends_by(a, pace) - now for a in beside), default=0.0)
    left = budget - run_cost(at_most(run, now, pace), now, billing).total - others
    disks = sum(volume_rate(paid_size(run, v), v.price) for v in run.volumes.values() if v.held)
    if new_volume or not run.volumes:
        disks += volume_rate(run.job.volume.size, volume_price)
    rate = worst_price(offer, bid(offer, run.job.resources))
    left -= round(max(0.0, anyhow) * disks / 3600)  # the disks, for as long as a machine beside may live
    seconds = _lasts(left, rate, disks, max(0.0, anyhow), pace.lease_cap)
    least = pace.lease_least if besides is not None else launch_least(pace)
    if seconds < least:
        return NoLease("the budget for this run is used up" + (_rest(left, rate, least) if besides is None else ""))
    until = min(until, now + seconds)
    own = until - now
    return Lease(until, round((own * rate + max(0.0, own - anyhow) * disks) / 3600))


def _rest(left: Micros, rate: Micros, least: Seconds) -> str:
    """Why what is left is not enough for one more machine: it would be over before it had done anything."""
    if left <= 0:
        return ""
    needs = format_money(round(rate * least / 3600))
    return f": {format_money(left)} of it are left, and {format_duration(least)} of a machine may come to {needs}"


def _lasts(left: Micros, rate: Micros, disks: Micros, paid: Seconds, cap: Seconds) -> Seconds:
    """How long ``left`` pays for a machine, and from ``paid`` seconds on for the disks too."""
    alone = left * 3600 / rate if rate else paid
    if alone <= paid:
        return alone
    both = rate + disks
    return paid + (left * 3600 - paid * rate) / both if both else cap


def paid_size(run: RunState, volume: VolumeRecord) -> int:
    """The GB that are paid for: one that came smaller than the job asks for is enlarged, or has been already, unseen."""
    grows = volume.volume_id == run.volume_id or volume.grow_at is not None
    return max(volume.size_gb, run.job.volume.size) if grows else volume.size_gb


def too_late(attempt: AttemptState, now: Seconds, pace: Pace) -> bool:
    """Whether an intended launch that nobody saw happen is not worth sending any more: its lease is too short."""
    if attempt.phase != "intended" or attempt.instance_id is not None or attempt.lease_until is None:
        return False
    return attempt.lease_until - now < pace.lease_least / 2


def used_up(run: RunState, now: Seconds, pace: Pace, billing: Mapping[str, Billing]) -> NoLease | None:
    """Whether nothing is left to spend or no time, whatever could be launched."""
    limit = time_limit(run, now)
    if limit is not None and limit - now < pace.lease_least:
        return NoLease(f"max_duration of {run.job.max_duration:.0f} s is used up")
    budget = run.job.budget.run
    if budget is not None and run_cost(at_most(run, now, pace), now, billing).total >= budget:
        return NoLease("the budget for this run is used up")
    return None


def time_limit(run: RunState, now: Seconds) -> Seconds | None:
    """When max_duration ends: counted from the first launch (since the user resumed the run), or from now."""
    if run.job.max_duration is None:
        return None
    since = [a for a in run.attempts.values() if a.number > run.resumed_after]
    launched = [a.launched_at for a in since if a.launched_at is not None]
    return min(launched, default=now) + run.job.max_duration
