"""What the types that were used cost over the last weeks, and what their jobs were willing to pay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fleet.core.allowed import bid
from fleet.core.state import AttemptState, FleetState, RunState
from fleet.model.base import Micros, Seconds
from fleet.model.calendar import Span
from fleet.model.cloud import Market, Offer, PriceSince
from fleet.report.reading import Pool, Trail
from fleet.report.running import ran
from fleet.report.statement import PriceHistory

JOURNAL = "the journal"
LATELY: Seconds = 7 * 86_400
"""A type that was not used for longer is not shown."""


@dataclass
class _Use:
    """What the journal knows of a pool."""

    offer: Offer
    seconds: Seconds = 0.0
    bids: list[Micros] = field(default_factory=list)
    points: list[PriceSince] = field(default_factory=list)
    ran: list[tuple[Seconds, Seconds]] = field(default_factory=list)


def pools_used(state: FleetState, window: Span, now: Seconds) -> dict[Pool, Offer]:
    """The spot pools that machines ran in lately: what prices are worth asking for."""
    return {pool: known.offer for pool, known in _uses(state, window, now).items()}


def histories(state: FleetState, window: Span, now: Seconds, told: Mapping[Pool, Trail]) -> Iterator[PriceHistory]:
    """A history of each pool, the most used type first; a provider's own word before the journal's."""
    uses = _uses(state, window, now)
    kinds: dict[tuple[str, str, str], Seconds] = {}
    for (provider, region, _, kind), known in uses.items():
        kinds[provider, region, kind] = kinds.get((provider, region, kind), 0.0) + known.seconds
    end = min(now, window.end)
    for provider, region, kind in sorted(kinds, key=lambda one: (-kinds[one], one)):
        here = {p for p in {*uses, *told} if (p[0], p[1], p[3]) == (provider, region, kind)}
        usual = next(known.offer.on_demand_price for p, known in uses.items() if p in here)
        limits = [limit for p in here if p in uses for limit in uses[p].bids]
        for pool in sorted(here, key=lambda p: (p not in uses, p)):
            trail, use = told.get(pool), uses.get(pool)
            points = _cut(trail.points if trail is not None and trail.points else _known(use), window.start, end)
            if points:
                source = trail.source if trail is not None and trail.points else JOURNAL
                paid = trail.on_demand if trail is not None and trail.on_demand is not None else usual
                used = tuple(use.ran) if use is not None else ()
                least = min(limits) if limits else None
                yield PriceHistory(provider, region, pool[2], kind, paid, least, points, end, used, source)


def _uses(state: FleetState, window: Span, now: Seconds) -> dict[Pool, _Use]:
    lately = Span(max(window.start, window.end - LATELY), window.end)
    found: dict[Pool, _Use] = {}
    for run, attempt in _machines(state, window, now):
        offer = attempt.offer
        assert offer is not None
        assert attempt.launched_at is not None
        pool = (offer.provider, offer.region, offer.zone, offer.instance_type)
        use = found.setdefault(pool, _Use(offer))
        use.offer = offer
        end = attempt.ended_at if attempt.ended_at is not None else now
        use.seconds += lately.shared(attempt.launched_at, end)
        use.points += attempt.prices
        use.ran.append((max(attempt.launched_at, window.start), min(end, window.end)))
        limit = bid(offer.model_copy(update={"price": 0}), run.job.resources)  # whatever it cost when it was launched
        if limit is not None:
            use.bids.append(limit)
    return {pool: use for pool, use in found.items() if use.seconds}


def _machines(state: FleetState, window: Span, now: Seconds) -> Iterator[tuple[RunState, AttemptState]]:
    for run in state.runs.values():
        for attempt in run.attempts.values():
            if attempt.offer is not None and attempt.offer.market is Market.SPOT and ran(attempt, window, now):
                yield run, attempt


def _known(use: _Use | None) -> tuple[PriceSince, ...]:
    """What the journal saw, of whichever machine: changes only."""
    found: list[PriceSince] = []
    for point in sorted(use.points, key=lambda one: one.at) if use is not None else ():
        if not found or found[-1].price != point.price:
            found.append(point)
    return tuple(found)


def _cut(points: tuple[PriceSince, ...], start: Seconds, end: Seconds) -> tuple[PriceSince, ...]:
    """What held within a stretch of time."""
    before = [point for point in points if point.at <= start]
    within = [point for point in points if start < point.at < end]
    first = [PriceSince(at=start, price=before[-1].price)] if before else []
    return (*first, *within)
