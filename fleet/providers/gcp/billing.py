"""Google's price list, the Cloud Billing Catalog: what a vCPU, a GiB of memory, a device and a disk cost in each region.

A machine has no price there: its parts have (``prices`` puts them together). One question gives the parts of every region
(some 30,000 products, 5,000 on a page); it needs a login, no permission, and a project in which the interface is enabled.
What is what is told by descriptions for people, which are matched whole: reservations, commitments, sole tenancy, custom
machines and other ways of buying read much alike.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any

from fleet.model.cloud import Market
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.gcp.machines import DEVICES, PROCESSORS
from fleet.providers.gcp.rest import rows

COMPUTE_ENGINE = "6F81-5844-456A"
"""Compute Engine's number among the services."""
PAGE = 5000
"""The most that it gives at once."""
HOURS_A_MONTH = 730
NANOS = 1_000_000_000
"""Of a dollar: a GiB of memory costs a fraction of a micro-dollar an hour less here than there."""

Rates = dict[str, dict[str, dict[str, int]]]
"""By region, part and market: nano-dollars. Parts: ``n1.core`` and ``n1.ram`` (a vCPU or a GiB, an hour), ``gpu.T4`` (a
device, an hour), ``ssd`` (a GiB of local SSD, an hour), ``disk.pd-balanced`` and ``disk.hyperdisk-balanced`` (a GiB, a
month)."""

_LOCAL = {"SSD backed Local Storage": "ssd"}
_DISKS = {"Balanced PD Capacity": "disk.pd-balanced", "Hyperdisk Balanced Capacity": "disk.hyperdisk-balanced"}


def list_rates() -> Rates:
    """What the price list says of every part that fleet knows. Raises ProviderError, also if it names none."""
    path = f"/v1/services/{COMPUTE_ENGINE}/skus"
    found = rates_of(rows("cloudbilling", path, "services.skus.list", "skus", pageSize=PAGE, currencyCode="USD"))
    if not found:
        raise ProviderError(ErrorClass.UNAVAILABLE, "PriceList", "the price list names no machines")
    return found


def rates_of(skus: Iterable[Mapping[str, Any]]) -> Rates:
    """The same of products that are at hand. What cannot be read is left out."""
    found: Rates = {}
    for sku in skus:
        try:
            known = _part(str(sku["description"]), str(sku["category"]["usageType"]))
            price = _nanos(sku["pricingInfo"]) if known is not None else None
            if known is None or price is None:
                continue
            part, market = known
            for region in sku["serviceRegions"]:
                found.setdefault(str(region), {}).setdefault(part, {})[market.value] = _per(part, price)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            continue
    return found


def _per(part: str, price: int) -> int:
    """Local SSD is sold by the month, and runs by the hour."""
    return round(price / HOURS_A_MONTH) if part == "ssd" else price


def _part(description: str, usage: str) -> tuple[str, Market] | None:
    """Which part a product is, and of which market; None: one that no machine of fleet's is made of."""
    if usage not in ("OnDemand", "Preemptible"):
        return None
    for pattern, names in _patterns():
        match = pattern.fullmatch(description)
        if match is None:
            continue
        found = match.groupdict()
        part = names[found["words"]] + (f".{found['what'].lower()}" if "what" in found else "")
        # Of some devices the spot price is told as one on demand: the description is right.
        spot = usage == "Preemptible" or bool(found.get("spot"))
        return part, Market.SPOT if spot else Market.ON_DEMAND
    return None


@functools.cache
def _patterns() -> tuple[tuple[re.Pattern[str], Mapping[str, str]], ...]:
    processors = {words: name for name, words in PROCESSORS.items()}
    devices = {one.words: f"gpu.{name}" for name, one in DEVICES.items()}
    attached = r"(?P<spot> attached to Spot Preemptible VMs)?"
    return (
        (re.compile(rf"(?P<spot>Spot Preemptible )?{_any(processors)} (?P<what>Core|Ram) running in .+"), processors),
        (re.compile(rf"{_any(devices)}{attached} running in .+"), devices),
        (re.compile(rf"{_any(_LOCAL)}{attached}( in .+)?"), _LOCAL),
        (re.compile(rf"{_any(_DISKS)}( in .+)?"), _DISKS),
    )


def _any(words: Iterable[str]) -> str:
    return f"(?P<words>{'|'.join(re.escape(one) for one in sorted(words, key=len, reverse=True))})"


def _nanos(infos: Iterable[Mapping[str, Any]]) -> int | None:
    """The newest price, beyond what is given for nothing; None: it is in another currency, or nothing."""
    rate = list(infos)[-1]["pricingExpression"]["tieredRates"][-1]["unitPrice"]
    if rate.get("currencyCode", "USD") != "USD":
        return None
    price = int(rate.get("units") or 0) * NANOS + int(rate.get("nanos") or 0)
    return price if price > 0 else None
