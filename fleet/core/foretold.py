"""What a job's whole training is expected to come to, from its offers: before anything is spent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fleet.core.costs import volume_rate
from fleet.core.forecast import Buyable, Forecast, forecast
from fleet.core.keeping.work import deadline_at
from fleet.core.state import RunState
from fleet.core.survival import risk_of
from fleet.core.worth import Knowledge, Worth, worth
from fleet.model.base import Micros, Seconds
from fleet.model.cloud import Market, Offer
from fleet.model.job import Job, Resources

LOOKED_AT = 8
"""So many of the best pools are tried in a forecast: what comes after them is hardly ever needed."""
SAVES = 0.03
"""A region that is cheaper by less is not worth a word."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another region, and what an hour of training costs there."""

    region: str
    per_hour: Micros
    saves: float
    """Against the best that the job allows, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Later:
    """A later deadline, and what the machines are expected to cost."""

    deadline: Seconds
    cost: Micros


@dataclass(frozen=True, slots=True)
class Foretold:
    """The forecast, and what would be cheaper."""

    work: Seconds
    """At full speed."""
    forecast: Forecast
    deadline: Seconds | None = None
    earliest: Seconds | None = None
    """The earliest deadline that can be kept; None: there is none to keep."""
    later: tuple[Later, ...] = ()
    """The deadline itself first, then later ones; without those that cannot be kept."""
    elsewhere: tuple[Elsewhere, ...] = ()
    """The cheapest first."""


def anywhere(resources: Resources) -> Resources:
    """The same wishes in every region of their providers."""
    freed = resources.model_copy(update={"infra": resources.infra.partition("/")[0]})
    more = tuple(one.model_copy(update={"infra": one.infra.partition("/")[0]}) for one in resources.any_of)
    return freed.model_copy(update={"any_of": more})


def foretell(run: RunState, allowed: Sequence[Offer], rest: Iterable[Offer], known: Knowledge) -> Foretold | None:
    """What the job comes to on what it allows; ``rest``: what it would allow in other regions. None without an estimate."""
    job = run.job
    if job.estimate is None or job.estimate <= 0 or not allowed:
        return None
    volume = run.volumes.get(run.volume_id or "")
    ranked = sorted(((worth(o, run, volume, known), o) for o in allowed), key=lambda pair: (pair[0].per_hour, pair[1].key))
    spot = [(found, offer) for found, offer in ranked if offer.market is Market.SPOT]
    on_demand = [(found, offer) for found, offer in ranked if offer.market is not Market.SPOT]
    overheads = known.overheads(job, ranked[0][1].provider)
    disk = volume_rate(job.volume.size, known.disk_price(ranked[0][1]))
    usual = ranked[0][1].on_demand_price
    elsewhere = _elsewhere(run, ranked[0][0], rest, known)
    ends = deadline_at(job, known.now)
    deadline = ends - known.now if ends is not None else None
    if deadline is not None and spot and on_demand:
        return _by_deadline(job, spot, usual, disk, elsewhere, known)
    pools = [_buyable(found, offer) for found, offer in spot[:LOOKED_AT]]
    fallback = _buyable(*on_demand[0]) if on_demand else None
    found = forecast(pools, fallback, usual, job.estimate, overheads, disk, deadline=deadline, seed=_seed(job))
    earliest = job.estimate + overheads.total if deadline is not None else None
    return Foretold(job.estimate, found, deadline, earliest, elsewhere=elsewhere)


def _by_deadline(
    job: Job,
    spot: Sequence[tuple[Worth, Offer]],
    usual: Micros,
    disk: Micros,
    elsewhere: tuple[Elsewhere, ...],
    known: Knowledge,
) -> Foretold | None:
    from fleet.core.forecast_deadline import terms_of, with_deadline

    ends = deadline_at(job, known.now)
    if job.estimate is None or ends is None:
        return None
    deadline = ends - known.now
    _, best = spot[0]
    overheads = known.overheads(job, best.provider)
    earliest = job.estimate + overheads.total
    zones = len({(offer.region, offer.zone) for _, offer in spot if offer.region == best.region})
    risk = risk_of(known.record(best), known.prior(best), known.now)
    share = best.price / usual if usual > 0 else 1.0
    terms = terms_of(overheads.total, overheads.restore, min(1.0, share), zones, risk, deadline)
    up = known.outlook(best).chance >= 0.5
    found, looser = with_deadline(terms, job.estimate, deadline, usual, disk, up=up, seed=_seed(job))
    later = tuple(Later(one.deadline, one.cost) for one in looser)
    return Foretold(job.estimate, found, deadline, earliest, later, elsewhere)


def _buyable(found: Worth, offer: Offer) -> Buyable:
    beyond = found.outlook
    if offer.market is not Market.SPOT:
        return Buyable(offer.price, found.speed)
    return Buyable(offer.price, found.speed, beyond.life, beyond.refusal, beyond.chance)


def _elsewhere(run: RunState, best: Worth, rest: Iterable[Offer], known: Knowledge) -> tuple[Elsewhere, ...]:
    """Regions that the job rules out, where training would cost less."""
    least: dict[str, Micros] = {}
    for offer in rest:
        price = worth(offer, run, None, known).per_hour
        least[offer.region] = min(price, least.get(offer.region, price))
    found = (Elsewhere(region, price, 1 - price / best.per_hour) for region, price in least.items())
    return tuple(sorted((one for one in found if one.saves >= SAVES), key=lambda one: (one.per_hour, one.region)))


def _seed(job: Job) -> int:
    """Of the job itself: the same question has the same answer."""
    return int.from_bytes(hashlib.sha256(job.model_dump_json().encode()).digest()[:8], "big")
