"""What each cloud's regions sell, for whoever fetches prices or explains them: the same questions to either."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.model.base import Seconds
from fleet.model.cloud import Offer
from fleet.model.setup import AwsSetup, GcpSetup

if TYPE_CHECKING:
    from fleet.providers.pricecache import Part
    from fleet.providers.priced import Missing

FRESH: Seconds = 3600
"""EC2's spot prices move over hours; whoever watches a run for weeks must not place it by the prices of its first day."""


@dataclass(frozen=True)
class Shop:
    """One cloud that a fleet was set up in."""

    name: str
    regions: tuple[str, ...]
    """Those that it was set up in."""
    refresh: Callable[[str, Sequence[str]], tuple[str, ...]]
    """Fetch what is old of a region, for these types too. What could not be had, a line each. Raises FleetError."""
    offers: Callable[[str], Sequence[Offer]]
    """Of a region, by what is known."""
    is_old: Callable[[str, Iterable[str], Seconds], bool]
    """Whether a round of each minute should fetch a region's prices by now: a type that was not asked for yet has none,
    however young those of the others are."""
    missing: Callable[[Sequence[str], str | None, Sequence[Offer], Sequence[str]], Sequence[Missing]]
    """What of types and accelerators these offers of some regions have not, why, and what serves instead."""
    bids: bool
    """A spot machine is taken back when its price passes the bid: a low one is paid for in interruptions."""


def amazon(setup: AwsSetup, cache: Path, profile: str | None) -> Shop:
    """EC2. ``profile``: of the AWS configuration, for the calls of ``refresh``."""
    from fleet.providers.aws import missing, offers, pricecache, session

    def refresh(region: str, types: Sequence[str]) -> tuple[str, ...]:
        session.by_default(profile)  # another account's fleet may have been looked after before
        return offers.refresh(setup, region, cache, types)

    def is_old(region: str, types: Iterable[str], now: Seconds) -> bool:
        spot = pricecache.region_cache(cache, setup, region).read("spot")
        return spot is None or spot.age(now) > FRESH or not set(types) <= set(asked_for(spot))

    regions, sold = tuple(sorted(setup.regions)), partial(offers.offers, setup, cache=cache)
    return Shop("aws", regions, refresh, sold, is_old, missing.explain_missing, bids=True)


def google(setup: GcpSetup, cache: Path) -> Shop:
    """Compute Engine, whose prices change once a day at most, and know no bids."""
    from fleet.providers.gcp import catalog, missing

    def refresh(region: str, types: Sequence[str]) -> tuple[str, ...]:
        return catalog.refresh(setup, region, cache, types)

    regions, sold = tuple(sorted(setup.regions)), partial(catalog.offers, setup, cache=cache)
    is_old = partial(catalog.is_old, setup, cache)
    return Shop("gcp", regions, refresh, sold, is_old, missing.explain_missing, bids=False)


def asked_for(spot: Part) -> Sequence[str]:
    """The types that EC2's prices were asked for of."""
    found: Sequence[str] = spot.data.get("asked", ()) if isinstance(spot.data, dict) else ()
    return found
