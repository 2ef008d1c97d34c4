"""What the simulated cloud charges, worked out second by second. Shares no code with the ledger (fleet/core/costs.py)."""

from __future__ import annotations

import math
from fractions import Fraction

from fleet.providers.sim.cloud import SimCloud
from fleet.providers.sim.things import SimInstance, SimVolume

HOUR = 3600


def machine(cloud: SimCloud, made: SimInstance) -> int:
    """Micro-dollars of one machine until it ended, or now: each second at the price of its hour."""
    rules = cloud.manners
    ended = made.ended_at(cloud.clock())
    end = ended if ended is not None else cloud.clock()
    if made.ended_by == "cloud" and ended is not None and ended - made.launched_at <= rules.free_if_interrupted_within:
        return 0
    start_ms, end_ms = round(made.launched_at * 1000), round(end * 1000)
    last = end_ms  # what a machine that ended sooner is charged at least, it is charged at its last price
    end_ms = max(end_ms, start_ms + rules.minimum_seconds * 1000)
    total = Fraction(0)
    at = start_ms
    while at < end_ms:
        until = min(end_ms, (at // 1000 + 1) * 1000)
        total += Fraction((until - at) * cloud.price_in_force(made, min(at, last) // 1000), HOUR * 1000)
        at = until
    return int(total + Fraction(1, 2))


def machine_by_the_hour(cloud: SimCloud, made: SimInstance, since: float = 0.0, until: float = math.inf) -> int:
    """The same by whole hours, for long simulations: a test holds it equal. Or what of it falls into a span."""
    rules = cloud.manners
    ended = made.ended_at(cloud.clock())
    end = ended if ended is not None else cloud.clock()
    if made.ended_by == "cloud" and ended is not None and ended - made.launched_at <= rules.free_if_interrupted_within:
        return 0
    at, end_ms = round(made.launched_at * 1000), round(end * 1000)
    last = end_ms
    end_ms = min(max(end_ms, at + rules.minimum_seconds * 1000), round(until * 1000) if until != math.inf else 10**15)
    at = max(at, round(since * 1000))
    total = Fraction(0)
    while at < end_ms:
        edge = min(end_ms, (at // (HOUR * 1000) + 1) * HOUR * 1000)
        total += Fraction((edge - at) * cloud.price_in_force(made, min(at, last) // 1000), HOUR * 1000)
        at = edge
    return int(total + Fraction(1, 2))


def disk(cloud: SimCloud, made: SimVolume, since: float | None = None, until: float | None = None) -> int:
    """Micro-dollars of one disk, for the stretch that somebody answers for it."""
    end = min(t for t in (made.deleted_at, until, cloud.clock()) if t is not None)
    start = max(made.created_at, since if since is not None else made.created_at)
    total = Fraction(0)
    edges = [(at, size) for at, size in made.grew] + [(end, made.size_gb)]
    for at, size in edges:
        milliseconds = max(0, round(min(at, end) * 1000) - round(start * 1000))
        total += Fraction(milliseconds * size * cloud.manners.volume_price, 730 * HOUR * 1000)
        start = max(start, min(at, end))
    return int(total + Fraction(1, 2))
