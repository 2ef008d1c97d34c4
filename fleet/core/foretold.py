"""What a job's whole training is expected to come to, from its offers: before anything is spent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from fleet.core.costs import volume_rate
from fleet.core.experience import earlier
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

    provider: str
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
    like: str | None = None
    """The run that took so long, since the job does not say; None: it does."""
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


def foretell(
    run: RunState, allowed: Sequence[Offer], rest: Iterable[Offer], known: Knowledge, beside: Micros = 0
) -> Foretold | None:
    """What the job comes to on what it allows; ``rest``: what it would allow in other regions; ``beside``: what a machine's
    address and own disk cost per hour.

    How long it trains the job says, else the newest run of its name that got to its end. None: nobody knows.
    """
    job = run.job
    work, like = (job.estimate, None) if job.estimate is not None else _like(job, known)
    if work is None or work <= 0 or not allowed:
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
        found = _by_deadline(job, work, deadline, spot, usual, disk + beside, known)
        return replace(found, like=like, elsewhere=elsewhere)
    pools = [_buyable(one, offer, beside) for one, offer in spot[:LOOKED_AT]]
    fallback = _buyable(*on_demand[0], beside) if on_demand else None
    told = forecast(pools, fallback, usual + beside, work, overheads, disk, deadline=deadline, seed=_seed(job))
    earliest = work + overheads.total if deadline is not None else None
    return Foretold(work, told, like, deadline, earliest, elsewhere=elsewhere)


def _like(job: Job, known: Knowledge) -> tuple[Seconds | None, str | None]:
    """How long the newest run of the job's name trained that got to its end, and which that is."""
    found = earlier(known.runs_of(job.name), known.speeds(job.name))
    return (found.work, found.run_id) if found is not None else (None, None)


def _by_deadline(
    job: Job,
    work: Seconds,
    deadline: Seconds,
    spot: Sequence[tuple[Worth, Offer]],
    usual: Micros,
    disk: Micros,
    known: Knowledge,
) -> Foretold:
    from fleet.core.forecast_deadline import terms_of, with_deadline

    _, best = spot[0]
    overheads = known.overheads(job, best.provider)
    earliest = work + overheads.total
    here = (offer for _, offer in spot if (offer.provider, offer.region) == (best.provider, best.region))
    zones = len({offer.zone for offer in here})
    risk = risk_of(known.record(best), known.prior(best), known.now)
    share = best.price / usual if usual > 0 else 1.0
    terms = terms_of(overheads.total, overheads.restore, min(1.0, share), zones, risk, deadline)
    up = known.outlook(best).chance >= 0.5
    found, looser = with_deadline(terms, work, deadline, usual, disk, up=up, seed=_seed(job))
    later = tuple(Later(one.deadline, one.cost) for one in looser)
    return Foretold(work, found, None, deadline, earliest, later)


def _buyable(found: Worth, offer: Offer, beside: Micros) -> Buyable:
    beyond = found.outlook
    if offer.market is not Market.SPOT:
        return Buyable(offer.price + beside, found.speed)
    return Buyable(offer.price + beside, found.speed, beyond.life, beyond.refusal, beyond.chance)


def _elsewhere(run: RunState, best: Worth, rest: Iterable[Offer], known: Knowledge) -> tuple[Elsewhere, ...]:
    """Regions that the job rules out, where training would cost less."""
    least: dict[tuple[str, str], Micros] = {}
    for offer in rest:
        place, price = (offer.provider, offer.region), worth(offer, run, None, known).per_hour
        least[place] = min(price, least.get(place, price))
    found = (Elsewhere(*place, price, 1 - price / best.per_hour) for place, price in least.items())
    there = (one for one in found if one.saves >= SAVES)
    return tuple(sorted(there, key=lambda one: (one.per_hour, one.provider, one.region)))


def _seed(job: Job) -> int:
    """Of the job itself: the same question has the same answer."""
    return int.from_bytes(hashlib.sha256(job.model_dump_json().encode()).digest()[:8], "big")
