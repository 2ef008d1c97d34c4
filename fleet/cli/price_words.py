"""How prices, and where they come from, are told: the same words in tables and on pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone

from fleet.model.base import Micros
from fleet.model.units import MICROS_PER_DOLLAR
from fleet.providers.gpus import GPUS
from fleet.providers.pricecache import told_age
from fleet.providers.priced import Overview, Row, Source

STACKS = 4
"""What runs on a GPU is told where so many kinds are shown at most."""
LISTS = ("AWS Price List", "Google's price list")
"""Origins that are asked, and say what holds now."""
_WHAT = {"spot": "spot", "history": "over time", "on-demand": "on demand", "bands": "interrupted"}


def dollars(price: Micros) -> float:
    """For JSON. (What runs cost has its own, which brings the whole loop with it: a price needs none of that.)"""
    return price / MICROS_PER_DOLLAR


def told_price(price: Micros) -> str:
    """With four digits, as EC2 tells it: zones differ in the third. Never rounded to nothing."""
    digits = 2 if price >= 10_000_000 else 4 if price >= 1000 or price == 0 else 6
    return f"${price / 1e6:.{digits}f}"


def saving(row: Row) -> int | None:
    """In percent of on-demand's price; negative where spot is dearer."""
    if row.spot is None or row.on_demand is None:
        return None
    return round(100 * (1 - row.spot / row.on_demand.price))


def told_sources(seen: Overview) -> Iterator[str]:
    """A line for each kind of figure; regions that say the same share one."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for source in seen.sources:
        grouped.setdefault((source.what, _told(source, seen.at)), []).append(source.region)
    for (what, told), regions in grouped.items():
        where = f" ({', '.join(regions)})" if any(regions) and len({s.region for s in seen.sources if s.region}) > 1 else ""
        yield f"{_WHAT[what]:<12} {told}{where}"


def _told(source: Source, now: float) -> str:
    if source.at is None:
        return f"not available: {source.problem or 'nothing was told'}"
    if source.what == "on-demand" and source.origin not in LISTS:
        told = f"{source.origin}, of {datetime.fromtimestamp(source.at, timezone.utc):%Y-%m-%d}"
        why = f"; the price list could not be asked: {source.problem}" if source.problem else ""
        return f"~ {told}" if source.origin.startswith("worked") else f"{told}{why}"
    told = f"{source.origin}, {told_age(max(0.0, now - source.at))}"
    return f"{told}; not newer: {source.problem}" if source.problem else told


def stacks(rows: Sequence[Row]) -> Iterator[str]:
    """A line for each kind of accelerator: which driver runs it, and what runs on that; none where there are many kinds."""
    gpus = list(dict.fromkeys(row.facts.gpu for row in rows if row.facts and row.facts.gpu in GPUS))
    for name in gpus if len(gpus) <= STACKS else ():
        gpu = GPUS[name or ""]
        driver = f"driver {gpu.branch}, CUDA up to {gpu.cuda}; " if gpu.branch else ""
        yield f"{name:<12} {driver}{gpu.note}"
