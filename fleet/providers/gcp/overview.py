"""Prices for people: what chosen types cost in every zone of some regions of Compute Engine, and how old each figure is."""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from fleet.model.cloud import Market, Offer
from fleet.model.errors import ProviderError
from fleet.providers.gcp import catalog
from fleet.providers.gcp.machines import DEVICES, USUAL, Machine
from fleet.providers.gcp.missing import explain_missing
from fleet.providers.gcp.prices import price_of
from fleet.providers.pricecache import DAY, in_short
from fleet.providers.priced import Overview, Row, Source, TypeFacts, Wish, by_price, is_pattern

ORIGINS = {"price-list": "Google's price list", "bundled": "fleet's own table"}


def look(
    wish: Wish,
    cache: Path,
    whose: catalog.Whose = None,
    *,
    force: bool = False,
    now: Callable[[], float] = time.time,
    on_region: Callable[[str], None] = lambda _: None,
) -> Overview:
    """Ask what is old, and put it together. A region that cannot be asked is a note; raises ProviderError if all are."""
    at = now()
    made = Overview(at, at - wish.days * DAY)
    errors: list[ProviderError] = []
    sold: list[Offer] = []
    named = [name for name in wish.types if not is_pattern(name)]
    for region in wish.regions:
        on_region(region)
        try:
            told = catalog.refresh(whose, region, cache, named, force=force, now=lambda: at)
            found = catalog.known(cache, catalog.region_cache(cache, whose, region), region)
            sold += catalog.offers(whose, region, cache, now=lambda: at)
        except ProviderError as error:
            errors.append(error)
            made.notes.append(f"{region}: {in_short(error)}")
            continue
        made.notes += told
        rows = list(_rows(found, wish))
        made.rows += rows
        made.sources += _sources(found, rows)
    if errors and len(errors) == len(wish.regions):
        raise errors[0]
    made.missing = explain_missing(named, None if made.rows else wish.gpu, sold, wish.regions)
    made.rows.sort(key=by_price)
    return made


def _rows(found: catalog.Known, wish: Wish) -> Iterator[Row]:
    for zone, machine in found.sold(everything=bool(wish.types or wish.gpu)):
        usual = price_of(machine, found.rates, Market.ON_DEMAND)
        if usual is None or not _is_wanted(machine, wish):
            continue
        spot = price_of(machine, found.rates, Market.SPOT)
        yield Row(
            region=found.region,
            zone=zone,
            instance_type=machine.name,
            facts=facts_of(machine),
            spot=spot.price if spot else None,
            on_demand=usual,
            band=None,
            points=[],
        )


def _is_wanted(machine: Machine, wish: Wish) -> bool:
    if wish.gpu and (machine.gpu or "").casefold() != wish.gpu.casefold():
        return False
    bare = machine.name.partition("+")[0]
    names = wish.types or (() if wish.gpu else USUAL)
    if bare in wish.types:
        return True  # with whatever can be put into it, too
    return not names or any(fnmatch.fnmatchcase(machine.name, name) for name in names)


def facts_of(machine: Machine) -> TypeFacts:
    """A machine as both clouds tell of theirs."""
    gpu = machine.gpu_facts
    return TypeFacts(
        name=machine.name,
        arch=machine.arch,
        vcpus=machine.vcpus,
        memory_gib=machine.memory_gib,
        gpu=machine.gpu,
        gpus=machine.gpus,
        gpu_memory_gib=DEVICES[machine.gpu].memory_gib if machine.gpu is not None else 0,
        driver_branch=gpu.branch if gpu else None,
        open_kernel=gpu.open_kernel if gpu else False,
        generation=gpu.architecture if gpu else "",
        cuda=gpu.cuda if gpu else "",
        stack=gpu.note if gpu else "",
    )


def _sources(found: catalog.Known, rows: list[Row]) -> Iterator[Source]:
    """By what is shown: the oldest figure of each origin. (Spot prices and others stand in the same list.)"""
    oldest: dict[str, float] = {}
    for price in (row.on_demand for row in rows):
        if price is not None:
            oldest[price.source] = min(price.at, oldest.get(price.source, price.at))
    for source, at in sorted(oldest.items()):
        for what in ("spot", "on-demand"):
            yield Source(what, found.region, ORIGINS[source], at, found.unlisted)
