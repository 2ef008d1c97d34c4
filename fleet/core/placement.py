"""Which offers to try next: those on which training costs least, of what is allowed within the bid (worth.py says how)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fleet.core.allowed import bid, described, fitting, wanted_now
from fleet.core.cooling import is_cool
from fleet.core.state import RunState, VolumeRecord
from fleet.core.worth import Knowledge, Worth, dearer_than_on_demand, worth
from fleet.model.base import Seconds
from fleet.model.cloud import ExistingVolume, Market, NewVolume, Offer
from fleet.model.units import format_money

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


def place(
    run: RunState,
    offers: Iterable[Offer],
    cooling: dict[str, float],
    now: Seconds,
    resting: Mapping[str, float] | None = None,
    known: Knowledge | None = None,
    market: Market | None = None,
) -> Placement | Nothing:
    """The offers to try next for a run, or why there is none. One that was just taken back is tried if no other is left.

    With ``market: spot`` nothing is better than paying more than on-demand would cost; with ``spot-first`` on-demand is
    taken where spot costs more. ``market``: only offers of this one, where a deadline decides.

    A volume with a name holds more than checkpoints, which the bucket could not bring back: the run stays in its zone.
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
        allowed = [offer for offer in allowed if volume.near(offer)]
        if not allowed:
            return Nothing(f"no offer fits in {volume.zone}, where the volume {volume.name!r} is: {described(resources)}")
    waits = {offer.key: until for offer in allowed if (until := is_cool(offer, cooling, now)) is not None}
    there = [offer for offer in allowed if offer.key not in waits]
    ready = wanted_now(there, resources)
    if not ready:
        return Nothing("every offer that fits was refused a moment ago", min(waits.values()))
    fresh = [offer for offer in ready if (resting or {}).get(offer.key, 0.0) <= now]
    return _ranked(run, fresh or ready, there, volume, known or Knowledge(now=now))


def _ranked(
    run: RunState, ready: list[Offer], there: list[Offer], volume: VolumeRecord | None, known: Knowledge
) -> Placement | Nothing:
    """The best of what is ready; ``there`` has what is kept for when no spot is to be had, too."""
    worths = {offer.key: worth(offer, run, volume, known) for offer in ready}

    def dear(offer: Offer) -> bool:
        return dearer_than_on_demand(offer, worths[offer.key], known.overheads(run.job, offer.provider))

    sound = [offer for offer in ready if not dear(offer)]
    if not sound:
        instead = [offer for offer in there if offer.market is Market.ON_DEMAND and offer.key not in worths]
        if not instead and all(one.market == "spot" for offer in ready for one in fitting(offer, run.job.resources)):
            return Nothing(_too_dear(min(ready, key=lambda offer: worths[offer.key].per_hour), worths))
        worths.update((offer.key, worth(offer, run, volume, known)) for offer in instead)
        sound = [*ready, *instead]
    ranked = sorted(sound, key=lambda offer: (worths[offer.key].per_hour, offer.key))
    return _grouped(ranked, worths, volume, run)


def _too_dear(offer: Offer, worths: Mapping[str, Worth]) -> str:
    found = worths[offer.key]
    return (
        f"spot costs more than on-demand would ({offer.instance_type} in {offer.zone}: {format_money(offer.price)}/h, "
        f"{found.kept:.0%} of paid time trains; on demand {format_money(offer.on_demand_price)}/h): it waits"
    )


def _grouped(ranked: list[Offer], worths: Mapping[str, Worth], volume: VolumeRecord | None, run: RunState) -> Placement:
    """The best offer and those that can stand in one request with it."""
    best = ranked[0]
    stays = volume is not None and volume.near(best)

    def fits(offer: Offer) -> bool:
        same = (offer.provider, offer.region, offer.market) == (best.provider, best.region, best.market)
        same_bid = bid(offer, run.job.resources) == bid(best, run.job.resources)
        in_zone = volume is not None and volume.near(offer)
        return same and same_bid and in_zone == stays

    chosen = tuple([offer for offer in ranked if fits(offer)][:OFFERS_AT_ONCE])
    if volume is not None and stays:
        choice: NewVolume | ExistingVolume = ExistingVolume(volume_id=volume.volume_id, zone=volume.zone)
    else:
        choice = NewVolume(size_gb=run.job.volume.size)
    return Placement(chosen, choice, _why(best, worths[best.key], volume, stays, len(ranked)))


def _why(best: Offer, found: Worth, volume: VolumeRecord | None, stays: bool, count: int) -> str:
    expected = f"life about {told_life(found.life)}, " if found.life is not None else ""
    head = (
        f"{best.instance_type} {best.market.value} in {best.zone} at {format_money(best.price)}/h: "
        f"{format_money(found.per_hour)} for an hour of training, the least of {count} allowed "
        f"({expected}{found.kept:.0%} of paid time trains; on demand {format_money(best.on_demand_price)}/h)"
    )
    if volume is None:
        return head
    if stays:
        return f"{head}; {volume.volume_id} is in its zone"
    return f"{head}; move: {volume.volume_id} stays in {volume.zone}, a new volume is filled from the bucket"


def told_life(seconds: Seconds) -> str:
    """``40m``, ``5h``, ``3d``."""
    if seconds < 5400:
        return f"{seconds / 60:.0f}m"
    return f"{seconds / 3600:.0f}h" if seconds < 2 * 86400 else f"{seconds / 86400:.0f}d"
