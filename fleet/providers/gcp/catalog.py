"""What Compute Engine sells in a region, with prices: from what is kept on this computer, for a tick asks for none of it.

``offers`` asks only where nothing at all is known of a region. Commands that show prices (`fleet plan`, `up`, `prices`) call
``refresh`` before: which types and devices a zone has is asked once a day, and so is the price list, which is the same for
all regions and accounts.

Only the usual types, and those that somebody asked for by name, are offered: a region has hundreds. An N1 that was asked for
is offered with each device that its zone can put into it.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleet.model.cloud import Market, Offer
from fleet.model.errors import ErrorClass, ProviderError
from fleet.model.setup import GcpSetup
from fleet.providers.again import again
from fleet.providers.gcp import session
from fleet.providers.gcp.asking import machine_of, offered
from fleet.providers.gcp.billing import list_rates
from fleet.providers.gcp.machines import UNASKED, Machine, combinations
from fleet.providers.gcp.prices import Region, listed_of, price_of, rates_at
from fleet.providers.pricecache import PriceCache, in_short, part_dict

Whose = GcpSetup | str | None
"""Whose machines are meant: a set-up's project, one by its id, or the login's."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one region. Nothing in it was asked for just now."""

    region: str
    machines: dict[str, Machine]
    """Every type that some zone has, without devices that are put in."""
    zones: dict[str, list[str]]
    """By zone, the types that it has."""
    gpus: dict[str, dict[str, int]]
    """By zone, the devices that can be put into an N1, and how many at most."""
    asked: tuple[str, ...]
    """Types that somebody asked for by name."""
    rates: Region
    unlisted: str
    """Why the price list could not be asked; empty: it could, or was not."""

    def sold(self, *, everything: bool = False) -> Iterator[tuple[str, Machine]]:
        """Zones and what they have, of the types that are offered (``everything``: of all)."""
        wanted = {*UNASKED, *self.asked}
        for zone, names in self.zones.items():
            for name in names:
                machine = self.machines[name]
                whole = everything or name in self.asked
                if whole or name in wanted:
                    yield zone, machine
                for one in combinations(machine, self.gpus.get(zone, {})):
                    if whole or one.name in wanted:
                        yield zone, one


def offers(
    whose: Whose, region: str, cache: Path, *, now: Callable[[], float] = time.time
) -> Sequence[Offer]:  # fmt: skip
    """What can be bought in a region, by what is known. Raises ProviderError only where nothing is, and none can be had."""
    kept = region_cache(cache, whose, region)
    if kept.read("offered") is not None:
        try:
            return list(_offers(known(cache, kept, region)))
        except (ValueError, TypeError, KeyError, AttributeError):  # JSON, but not what was written: as if nothing were there
            refresh(whose, region, cache, force=True, tries=1, now=now)
    else:
        refresh(whose, region, cache, tries=1, now=now)
    return list(_offers(known(cache, kept, region)))


def known(cache: Path, kept: PriceCache, region: str) -> Known:
    """Everything that is kept of a region."""
    there, asked, common = kept.read("offered"), kept.read("asked"), list_cache(cache)
    listed, failed = common.read("rates"), common.read("rates-failed")
    return Known(
        region=region,
        machines={name: machine_of(name, figures) for name, figures in part_dict(there, "machines").items()},
        zones=part_dict(there, "zones"),
        gpus=part_dict(there, "gpus"),
        asked=tuple(asked.data) if asked is not None else (),
        rates=rates_at(region, listed),
        unlisted=str(failed.data) if failed and (listed is None or failed.at > listed.at) else "",
    )


def _offers(found: Known) -> Iterator[Offer]:
    """A machine without an on-demand price is none: nothing could be compared."""
    for zone, machine in found.sold():
        usual = price_of(machine, found.rates, Market.ON_DEMAND)
        if usual is None:
            continue
        for market in Market:
            price = usual if market is Market.ON_DEMAND else price_of(machine, found.rates, market)
            if price is not None:
                yield Offer(
                    provider="gcp",
                    region=found.region,
                    zone=zone,
                    instance_type=machine.name,
                    market=market,
                    price=price.price,
                    on_demand_price=usual.price,
                    accelerators=machine.accelerators,
                )


def refresh(
    whose: Whose,
    region: str,
    cache: Path,
    types: Sequence[str] | None = None,
    *,
    force: bool = False,
    tries: int = 3,
    now: Callable[[], float] = time.time,
) -> tuple[str, ...]:
    """Fetch what is older than its limit (``force``: everything). ``types`` are offered from now on, beside the usual ones.

    Returns what could not be had and what is used instead, a line each. Raises ProviderError if nothing usable is left.
    """
    kept, at = region_cache(cache, whose, region), now()
    told: list[str] = []
    _ask_for(kept, types or (), at)
    part = kept.read("offered")
    if force or part is None or not part.fresh("offered", at):
        try:
            kept.write("offered", again(lambda: offered(project_of(whose), region), tries), at)
        except ProviderError as error:
            if part is None:
                raise
            told.append(f"{region}: {in_short(error)}; what was learned before is used")
    told.extend(_refresh_rates(list_cache(cache), region, tries, at, force=force))
    if not rates_at(region, list_cache(cache).read("rates")):
        told.append(f"{region}: no price is known of anything there")
    return tuple(told)


def _ask_for(kept: PriceCache, types: Sequence[str], at: float) -> None:
    before = kept.read("asked")
    had = list(before.data) if before is not None and isinstance(before.data, list) else []
    # A machine is asked for as it is named, and with whatever could be put into it.
    wanted = list(dict.fromkeys([*had, *(name.partition("+")[0] for name in types), *types]))
    if before is None or wanted != had:
        kept.write("asked", wanted, at)


def _refresh_rates(kept: PriceCache, region: str, tries: int, at: float, *, force: bool) -> Iterator[str]:
    """The price list. That it cannot be had is remembered for an hour, so that it does not make commands slow."""
    part, failed = kept.read("rates"), kept.read("rates-failed")
    if not force and part is not None and part.fresh("rates", at):
        return
    instead = "those known from before are used" if part else f"fleet's own table of {listed_of(region)} is used"
    if not force and failed is not None and failed.fresh("rates-failed", at):
        yield f"{region}: Google's price list could not be asked for ({failed.data}); {instead}"
        return
    try:
        kept.write("rates", again(list_rates, tries), at)
    except ProviderError as error:
        told = error.code if error.error_class is ErrorClass.DENIED else in_short(error)
        kept.write("rates-failed", told, at)
        yield f"{region}: Google's price list could not be asked for ({told}); {instead}. {error.hint}".strip()


def project_of(whose: Whose) -> str:
    """Whose machines are meant: the set-up's project, or the one named, else the login's. Raises ProviderError for none."""
    project = whose if isinstance(whose, str) else whose.project if whose is not None else session.default_project()
    if not project:
        told = "no project is named, and the login names none"
        raise ProviderError(ErrorClass.INVALID, "NoProject", told, "export GOOGLE_CLOUD_PROJECT=…, or: fleet init gcp")
    return project


def list_cache(cache: Path) -> PriceCache:
    """Where the price list is kept: it is everybody's. A stand-in's is another."""
    names = [f"{session.OVERRIDE}{api}" for api in ("COMPUTE", "CLOUDBILLING")]
    custom = "\n".join(os.environ.get(name, "") for name in names)
    return PriceCache(cache / hashlib.sha256(custom.encode()).hexdigest()[:8] if custom.strip() else cache)


def region_cache(cache: Path, whose: Whose, region: str) -> PriceCache:
    """Where what a region has is kept: a project may be offered what others are not. Raises ProviderError."""
    return PriceCache(list_cache(cache).folder / project_of(whose) / region)


def is_old(whose: Whose, cache: Path, region: str, types: Iterable[str], at: float) -> bool:
    """Whether something that a job may be placed by is older than its limit, or a type was never asked for."""
    kept, common = region_cache(cache, whose, region), list_cache(cache)
    there, asked = kept.read("offered"), kept.read("asked")
    listed, failed = common.read("rates"), common.read("rates-failed")
    priced = (listed and listed.fresh("rates", at)) or (failed and failed.fresh("rates-failed", at))
    return (
        not priced or there is None or not there.fresh("offered", at) or not set(types) <= set(asked.data if asked else ())
    )
