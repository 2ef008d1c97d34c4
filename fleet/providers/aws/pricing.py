"""On-demand prices: from the Price List API, else from the dated table that fleet ships, and it is always said which.

One question gives a whole region (some 1,000 Linux types, 100 on a page). The price list is public, but asking for it needs
the permission ``pricing:GetProducts``, and the service answers in a few regions only. Whole servers (``.metal``) are another
product there, and not asked for: the table serves.

The table ``ondemand.json`` holds every type of us-east-1, of 2026-07-20, as aws/karpenter-provider-aws generates it from the
Price List API, and of other regions the types with GPUs, of 2025-11-30, as instances.vantage.sh showed them (kept in
tsaol/aws-gpu). Where both speak they say the same, and no spot price of two years was above them (a test reads them). A
type that a region's table lacks is worked out: us-east-1's price times the median by which the region's known types
differ. Families of one region are within 8 % of that in most regions; it is marked as an estimate wherever it is shown.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation
from pathlib import Path
from statistics import median
from typing import Any

from fleet.model.base import Micros
from fleet.providers.aws.errors import translated
from fleet.providers.pricecache import Part
from fleet.providers.priced import OnDemand

_HOME = "us-east-1"
_SERVED_FROM = {"aws": "us-east-1", "aws-cn": "cn-northwest-1"}
"""Where each partition's price list is asked for. (GovCloud has none.)"""
_WANTED = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "capacitystatus": "Used",
    "preInstalledSw": "NA",
    "marketoption": "OnDemand",
}


def list_prices(client: Any, region: str) -> dict[str, Micros]:
    """Every Linux type's on-demand price in a region, by the Price List API. Raises ProviderError."""
    filters = [{"Type": "TERM_MATCH", "Field": "regionCode", "Value": region}]
    filters += [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in _WANTED.items()]
    found: dict[str, Micros] = {}
    token: dict[str, str] = {}
    with translated("GetProducts"):
        while True:
            page = client.get_products(ServiceCode="AmazonEC2", Filters=filters, FormatVersion="aws_v1", **token)
            found.update(_prices(page.get("PriceList", []), region))
            if not page.get("NextToken"):
                return found
            token = {"NextToken": page["NextToken"]}


def served_from(region: str) -> str | None:
    """The region whose price list service knows this one; None: nobody does."""
    partition = "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"
    return _SERVED_FROM.get(partition)


def _prices(products: Iterable[Any], region: str) -> Iterator[tuple[str, Micros]]:
    """Type and price of each product that is an instance's plain hour. What cannot be read is left out."""
    for product in products:
        try:
            one = json.loads(product) if isinstance(product, str) else product
            attributes = one["product"]["attributes"]
            operation = attributes.get("operation", "RunInstances")
            if attributes.get("regionCode", region) != region or operation != "RunInstances":
                continue  # the service matches some fields more loosely than it says
            price = _hourly(one["terms"]["OnDemand"])
            if price:
                yield str(attributes["instanceType"]), price
        except (ValueError, KeyError, TypeError, AttributeError):
            continue


def _hourly(terms: Mapping[str, Any]) -> Micros | None:
    for term in terms.values():
        for dimension in term["priceDimensions"].values():
            if dimension.get("unit") == "Hrs" and "USD" in dimension["pricePerUnit"]:
                return micros(dimension["pricePerUnit"]["USD"])
    return None


def micros(dollars: str) -> Micros | None:
    """Micro-dollars of a decimal number of dollars; None if it is none, or nothing."""
    try:
        value = int((Decimal(dollars) * 1_000_000).to_integral_value())
    except (InvalidOperation, ValueError, OverflowError):
        return None
    return value if value > 0 else None


@functools.cache
def _bundled() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(Path(__file__).with_name("ondemand.json").read_bytes())
    return found


def _date(region: str) -> float:
    return datetime.strptime(_bundled()[region]["at"], "%Y-%m-%d").replace(tzinfo=timezone.utc).timestamp()


@functools.cache
def bundled(region: str) -> Mapping[str, OnDemand]:
    """What fleet's own table says of a region, estimates included. Empty for a region that it does not know at all."""
    table = _bundled()
    if region not in table:
        return {}
    known: dict[str, Micros] = table[region]["micros"]
    home: dict[str, Micros] = table[_HOME]["micros"]
    ratio = median(known[name] / home[name] for name in known if name in home)
    at, home_at = _date(region), _date(_HOME)
    found = {name: OnDemand(round(price * ratio), "estimate", home_at) for name, price in home.items()}
    return {**found, **{name: OnDemand(price, "bundled", at) for name, price in known.items()}}


def known_regions() -> tuple[str, ...]:
    """Regions that the table knows: words for completion."""
    return tuple(_bundled())


def on_demand(region: str, listed: Part | None) -> dict[str, OnDemand]:
    """By type: the price list's word where it was asked, the table's for the rest."""
    found = dict(bundled(region))
    if listed is not None and isinstance(listed.data, dict):
        found.update({name: OnDemand(int(price), "price-list", listed.at) for name, price in listed.data.items()})
    return found
