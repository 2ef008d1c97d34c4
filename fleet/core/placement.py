"""Which offers to try next: the cheapest allowed within the bid, the price of leaving the volume's zone counted in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fleet.core.allowed import bid, described, fitting, wanted_now
from fleet.core.cooling import is_cool
from fleet.core.costs import volume_rate
from fleet.core.state import RunState, VolumeRecord
from fleet.model.base import Micros, Seconds
from fleet.model.cloud import ExistingVolume, Market, NewVolume, Offer
from fleet.model.units import format_money

MOVE_HOURS = 0.25
"""Paid machine time that filling a new volume from the bucket takes: an estimate until attempts measured it."""
SPREAD_HOURS = 24
"""A move's cost is spread over so many hours of training before it is held against a cheaper price."""
KEPT_HOURS = 7 * 24
"""The volume that is left behind is paid for its keep time, 7 days unless the job says otherwise."""
OFFERS_AT_ONCE = 5
"""A launch tries at most so many offers in order."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Offers to try in one launch, all of one region, market and choice of volume."""

    offers: tuple[Offer, ...]
    volume: NewVolume | ExistingVolume
    why: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """No offer is allowed now; ``until`` is when one may be again, None if only a change of offers can help."""

    reason: str
    until: Seconds | None = None


def leaving_price(offer: Offer, volume: VolumeRecord, keep: Seconds | None) -> Micros:
    """Micro-dollars per hour that moving to ``offer`` costs beside its price, spread over the hours after the move."""
    kept_hours = keep / 3600 if keep is not None else KEPT_HOURS
    moving = MOVE_HOURS * offer.price + kept_hours * volume_rate(volume.size_gb, volume.price)
    return round(moving / SPREAD_HOURS)


def place(
    run: RunState,
    offers: Iterable[Offer],
    cooling: dict[str, float],
    now: Seconds,
    resting: Mapping[str, float] | None = None,
    market: Market | None = None,
) -> Placement | Nothing:
    """The offers to try next for a run, or why there is none. One that was just taken back is tried if no other is left.

    ``market``: only offers of this one, where a deadline decides. A volume with a name holds more than checkpoints, which
    the bucket could not bring back: the run stays in its zone.
    """
    resources = run.job.resources
    allowed = [o for o in offers if fitting(o, resources) and (market is None or o.market is market)]
    if not allowed:
        which = f"{market.value} " if market is not None else ""
        return Nothing(f"no {which}offer fits {described(resources)}")
    volume = run.volumes.get(run.volume_id) if run.volume_id else None
    if volume is not None and (volume.delete_at is not None or volume.deleted_at is not None):
        volume = None
    if volume is not None and volume.name is not None:
        allowed = [offer for offer in allowed if (offer.region, offer.zone) == (volume.region, volume.zone)]
        if not allowed:
            return Nothing(f"no offer fits in {volume.zone}, where the volume {volume.name!r} is: {described(resources)}")
    waits = {offer.key: until for offer in allowed if (until := is_cool(offer, cooling, now)) is not None}
    ready = wanted_now([offer for offer in allowed if offer.key not in waits], resources)
    if not ready:
        return Nothing("every offer that fits was refused a moment ago", min(waits.values()))
    fresh = [offer for offer in ready if (resting or {}).get(offer.key, 0.0) <= now]
    ready = fresh or ready

    def cost(offer: Offer) -> tuple[int, str]:
        leaves = volume is not None and (offer.region, offer.zone) != (volume.region, volume.zone)
        extra = leaving_price(offer, volume, run.job.volume.keep) if volume is not None and leaves else 0
        return offer.price + extra, offer.key

    ranked = sorted(ready, key=cost)
    return _grouped(ranked, volume, run)


def _grouped(ranked: list[Offer], volume: VolumeRecord | None, run: RunState) -> Placement:
    """The best offer and those that can stand in one request with it."""
    best = ranked[0]
    stays = volume is not None and (best.region, best.zone) == (volume.region, volume.zone)

    def fits(offer: Offer) -> bool:
        same = (offer.provider, offer.region, offer.market) == (best.provider, best.region, best.market)
        same_bid = bid(offer, run.job.resources) == bid(best, run.job.resources)
        in_zone = volume is not None and (offer.region, offer.zone) == (volume.region, volume.zone)
        return same and same_bid and in_zone == stays

    chosen = tuple([offer for offer in ranked if fits(offer)][:OFFERS_AT_ONCE])
    if volume is not None and stays:
        choice: NewVolume | ExistingVolume = ExistingVolume(volume_id=volume.volume_id, zone=volume.zone)
    else:
        choice = NewVolume(size_gb=run.job.volume.size)
    return Placement(chosen, choice, _why(best, volume, stays, len(ranked)))


def _why(best: Offer, volume: VolumeRecord | None, stays: bool, count: int) -> str:
    head = (
        f"{best.instance_type} {best.market.value} in {best.zone} at {format_money(best.price)}/h "
        f"is the cheapest of {count} allowed (on demand {format_money(best.on_demand_price)}/h)"
    )
    if volume is None:
        return head
    if stays:
        return f"{head}; {volume.volume_id} is in its zone"
    return f"{head}; move: {volume.volume_id} stays in {volume.zone}, a new volume is filled from the bucket"
