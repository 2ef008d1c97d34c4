"""What clouds tell of their pools beside prices: how often machines were interrupted, how likely one is had."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.core.pools import pool_name, pool_of
from fleet.model.base import Seconds
from fleet.model.cloud import Market, Offer
from fleet.model.errors import FleetError

if TYPE_CHECKING:
    from fleet.core.survival import Hints
    from fleet.model.setup import AwsSetup

EVERY: Seconds = 3600
SCORES_GOOD: Seconds = 86_400
"""Scores say how likely a machine is had now; a day later they say nothing."""


def pool_hints(cache: Path, setup: AwsSetup | None, offers: Iterable[Offer], now: Seconds) -> dict[str, Hints]:
    """By pool, from what is kept on this computer: no call is made. Only EC2 tells such things."""
    spot = [offer for offer in offers if offer.provider == "aws" and offer.market is Market.SPOT]
    if not spot:
        return {}
    from fleet.core.survival import Hints
    from fleet.providers.aws.bands import known_bands

    bands = known_bands(cache)[0]
    scores = {region: _scores(cache, setup, region, now) for region in {offer.region for offer in spot}}
    found = {}
    for offer in spot:
        band = bands.of(offer.region, offer.instance_type) if bands is not None else None
        types, zones = scores[offer.region]
        score = zones.get(offer.zone) if offer.instance_type in types else None
        if band is not None or score is not None:
            name = pool_name(pool_of(offer))
            found[name] = Hints(band.rank if band else None, band.label if band else None, score)
    return found


def fresh_hints(cache: Path, setup: AwsSetup | None, offers: Iterable[Offer], now: Seconds) -> dict[str, Hints]:
    """The same, the interruption bands fetched first where they are old: for commands that show offers."""
    known = list(offers)
    if any(offer.provider == "aws" for offer in known):
        from fleet.providers.aws.bands import refresh_bands

        refresh_bands(cache, now)  # what could not be had is missed by nothing but the prior
    return pool_hints(cache, setup, known, now)


def _scores(cache: Path, setup: AwsSetup | None, region: str, now: Seconds) -> tuple[list[str], dict[str, int]]:
    """The types that were asked about together, and each zone's score."""
    from fleet.providers.aws.pricecache import region_cache

    if setup is None:
        return [], {}
    part = region_cache(cache, setup, region).read("scores")
    if part is None or part.age(now) > SCORES_GOOD:
        return [], {}
    try:
        zones = {str(zone): int(score) for zone, score in part.data["zones"].items()}
        return str(part.data["for"]).split(","), zones
    except (KeyError, TypeError, ValueError, AttributeError):
        return [], {}


@dataclass
class HintWatch:
    """The same for a controller, which asks with each look at offers: read once an hour."""

    cache: Path
    setup: Callable[[], AwsSetup | None]
    _known: dict[str, Hints] = field(default_factory=dict)
    _read: dict[str, Seconds] = field(default_factory=dict)
    """When each provider's were read."""

    def __call__(self, provider: str, offers: Iterable[Offer], now: Seconds) -> dict[str, Hints]:
        """Everything known so far. Never raises: placement does without."""
        if not 0 <= now - self._read.get(provider, float("-inf")) < EVERY:
            self._read[provider] = now
            try:
                self._known |= pool_hints(self.cache, self.setup() if provider == "aws" else None, offers, now)
            except (FleetError, OSError, ValueError, KeyError, TypeError, AttributeError):  # a cached file that is no such
                return self._known
        return self._known
