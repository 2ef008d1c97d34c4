"""What EC2 sells in a region, with prices: from what is kept on this computer, for a tick of the loop makes no pricing call.

``offers`` asks only where nothing at all is known of a region. Commands that show prices (`fleet plan`, `up`, `prices`) call
``refresh`` before, which fetches each part that is older than its limit: spot prices after 10 minutes, which types a zone
offers after a day, the price list after a week.

Only the types of the table that a job may get unasked, and those that somebody asked for by name, are priced: all thousand
types in every zone would be ten thousand offers, of which a job could mean almost none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleet.model.cloud import Market, Offer
from fleet.model.errors import ProviderError
from fleet.providers.aws import catalog
from fleet.providers.aws.asking import Asking
from fleet.providers.aws.pricecache import region_cache
from fleet.providers.aws.pricing import on_demand
from fleet.providers.pricecache import PriceCache, in_short, part_dict
from fleet.providers.priced import OnDemand, TypeFacts, accelerators

if TYPE_CHECKING:
    from fleet.model.setup import AwsSetup


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one region. Nothing in it was asked for just now."""

    region: str
    offered: dict[str, list[str]]
    """Every type that EC2 offers in the region, and its zones."""
    spot: dict[str, dict[str, int]]
    """By type and zone, micro-dollars per hour now."""
    on_demand: dict[str, OnDemand]
    facts: dict[str, Any]
    """What DescribeInstanceTypes said of types that the table lacks."""
    spot_at: float | None
    """Of when the spot prices are; None: there are none."""
    unlisted: str
    """Why the price list could not be asked; empty: it could, or was not."""

    def facts_of(self, instance_type: str) -> TypeFacts | None:
        """The table's word, else EC2's; None: never heard of."""
        known = catalog.type_of(instance_type)
        if known is not None:
            return known
        told = self.facts.get(instance_type)
        return catalog.facts_of(told) if told is not None else None


def offers(
    setup: AwsSetup | None, region: str, cache: Path, *, profile: str | None = None, now: Callable[[], float] = time.time
) -> Sequence[Offer]:
    """What can be bought in a region, by what is known. Raises ProviderError only where nothing is, and none can be had."""
    kept = region_cache(cache, setup, region, profile)
    if kept.read("offered") is not None and kept.read("spot") is not None:
        try:
            return list(_offers(known(kept, cache, region)))
        except (ValueError, TypeError, AttributeError):  # JSON, but not what was written: as if nothing were there
            refresh(setup, region, cache, profile=profile, force=True, tries=1, now=now)
    else:
        refresh(setup, region, cache, profile=profile, tries=1, now=now)
    return list(_offers(known(kept, cache, region)))


def known(kept: PriceCache, cache: Path, region: str) -> Known:
    """Everything that is kept of a region."""
    offered, spot = kept.read("offered"), kept.read("spot")
    listed, failed = kept.read("ondemand"), kept.read("ondemand-failed")
    types = PriceCache(cache).read("types")
    return Known(
        region=region,
        offered=part_dict(offered),
        spot=part_dict(spot, "prices"),
        on_demand=on_demand(region, listed),
        facts=part_dict(types),
        spot_at=spot.at if spot else None,
        unlisted=str(failed.data) if failed and (listed is None or failed.at > listed.at) else "",
    )


def facts_of(instance_type: str, cache: Path) -> TypeFacts | None:
    """The table's word on a type, else what EC2 said of it when it was first priced; None: never heard of."""
    known_here = catalog.type_of(instance_type)
    if known_here is not None:
        return known_here
    told = part_dict(PriceCache(cache).read("types")).get(instance_type)
    return catalog.facts_of(told) if told is not None else None


def _offers(found: Known) -> Iterator[Offer]:
    """A type without any on-demand price is none: nothing could be compared, and no bid be made."""
    for name, prices in found.spot.items():
        usual = found.on_demand.get(name)
        if usual is None:
            continue
        devices = accelerators(found.facts_of(name))
        for zone in found.offered.get(name, ()):
            markets = {Market.SPOT: prices.get(zone), Market.ON_DEMAND: usual.price}
            for market, price in markets.items():
                if price is not None:
                    yield Offer(
                        provider="aws",
                        region=found.region,
                        zone=zone,
                        instance_type=name,
                        market=market,
                        price=price,
                        on_demand_price=usual.price,
                        accelerators=devices,
                    )


def refresh(
    setup: AwsSetup | None,
    region: str,
    cache: Path,
    types: Sequence[str] | None = None,
    *,
    profile: str | None = None,
    force: bool = False,
    lean: bool = False,
    tries: int = 3,
    now: Callable[[], float] = time.time,
) -> tuple[str, ...]:
    """Fetch what is older than its limit (``force``: everything). ``types`` are priced from now on, beside the usual ones.

    ``lean``: in a few calls, for whoever keeps nothing for long. Of the other types no zones are asked for, and no price
    list: fleet's own table serves.

    Returns what could not be had and what is used instead, a line each. Raises ProviderError if nothing usable is left.
    """
    kept, at = region_cache(cache, setup, region, profile), now()
    ask = Asking(region, profile, tries=tries)
    told: list[str] = []

    def fetch(name: str, do: Callable[[], Any]) -> None:
        try:
            kept.write(name, do(), at)
        except ProviderError as error:
            if kept.read(name) is None:
                raise
            told.append(f"{region}: {in_short(error)}; what was learned before is used")

    asked = _asked(kept, types)
    if _is_old(kept, "offered", at, force=force) or (lean and not part_dict(kept.read("offered")).keys() >= set(asked)):
        fetch("offered", lambda: ask.offered(asked if lean else None))
    offered = part_dict(kept.read("offered"))
    wanted = [name for name in asked if offered.get(name)]
    priced = part_dict(kept.read("spot"), "prices")
    if _is_old(kept, "spot", at, force=force) or any(name not in priced for name in wanted):
        fetch("spot", lambda: ask.spot(asked, wanted, at))
    told.extend(_refresh_listed(ask, kept, at, force=force) if not lean else ())
    told.extend(_refresh_types(ask, PriceCache(cache), wanted, at))
    return tuple(told)


def _is_old(kept: PriceCache, name: str, at: float, *, force: bool) -> bool:
    part = kept.read(name)
    return force or part is None or not part.fresh(name, at)


def _asked(kept: PriceCache, types: Sequence[str] | None) -> list[str]:
    """The usual types, those asked for by name before, and these."""
    before = kept.read("spot")
    named = before.data.get("asked", []) if before is not None and isinstance(before.data, dict) else []
    return list(dict.fromkeys([*catalog.offered_unasked(), *named, *(types or ())]))


def _refresh_listed(ask: Asking, kept: PriceCache, at: float, *, force: bool) -> Iterator[str]:
    """The price list. That it cannot be had is remembered for an hour, and told once: it must not make commands slow."""
    failed = kept.read("ondemand-failed")
    if failed is not None and failed.fresh("ondemand-failed", at) and not force:
        return
    if not _is_old(kept, "ondemand", at, force=force):
        return
    try:
        kept.write("ondemand", ask.listed(), at)
    except ProviderError as error:
        kept.write("ondemand-failed", in_short(error), at)
        instead = "those known from before are used" if kept.read("ondemand") else "fleet's own table is used"
        yield f"{ask.region}: on-demand prices could not be asked for ({in_short(error)}); {instead}"


def _refresh_types(ask: Asking, kept: PriceCache, wanted: Sequence[str], at: float) -> Iterator[str]:
    """Facts of types that the table lacks, from EC2: they are the same everywhere and hardly ever change."""
    part = kept.read("types")
    have = part_dict(part) if part is not None and part.fresh("types", at) else {}
    missing = [name for name in wanted if catalog.type_of(name) is None and name not in have]
    if missing:
        try:
            kept.write("types", {**have, **ask.described(missing)}, at)
        except ProviderError as error:
            yield f"{ask.region}: {in_short(error)}; nothing is known of the accelerators of {', '.join(missing)}"
