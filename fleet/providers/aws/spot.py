"""Spot prices, now and over time, and placement scores: what EC2 tells for nothing.

DescribeSpotPriceHistory lists *changes*: also the last one before the time asked from, which is the price in force then. So
the time "now" gives the present prices. It reaches back 90 days. A price belongs to a type, a zone and a product; Linux
is listed as ``Linux/UNIX``, for old accounts as ``Linux/UNIX (Amazon VPC)`` beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

from fleet.model.base import Micros, Seconds
from fleet.providers.aws.errors import translated
from fleet.providers.aws.pricing import micros
from fleet.providers.priced import Points

LONGEST_DAYS = 90
_PRODUCTS = ["Linux/UNIX", "Linux/UNIX (Amazon VPC)"]
_AT_ONCE = 100
"""Types in one question."""


def history(client: Any, types: Sequence[str], since: Seconds, until: Seconds | None = None) -> dict[str, dict[str, Points]]:
    """By type and zone: the price in force at ``since``, then each change, until now if not else. Raises ProviderError."""
    found: dict[str, dict[str, dict[Seconds, Micros]]] = {}
    for chunk in _chunks(types):
        for row in _rows(client, chunk, since, until):
            price = micros(row.get("SpotPrice", ""))
            if price is not None:
                of_type = found.setdefault(row["InstanceType"], {})
                of_type.setdefault(row["AvailabilityZone"], {})[_seconds(row["Timestamp"])] = price
    return {
        name: {zone: cut(sorted(points.items()), since) for zone, points in zones.items()} for name, zones in found.items()
    }


def now_prices(client: Any, types: Sequence[str], now: Seconds) -> dict[str, dict[str, Micros]]:
    """By type and zone: the price in force. Raises ProviderError."""
    found = history(client, types, now)
    return {name: {zone: points[-1][1] for zone, points in zones.items()} for name, zones in found.items()}


def placement_scores(client: Any, types: Sequence[str], region: str) -> dict[str, int]:
    """By zone, from 1 to 10: how likely EC2 thinks it that one machine of any of these types is had just now.

    It means little for fewer than three types (then it is always low), and nothing for how long the machine is kept. Zones
    are told by their ids, which are the same in all accounts: they are translated. Raises ProviderError.
    """
    with translated("GetSpotPlacementScores"):
        pages = client.get_paginator("get_spot_placement_scores").paginate(
            InstanceTypes=list(types), TargetCapacity=1, SingleAvailabilityZone=True, RegionNames=[region]
        )
        scores = {row["AvailabilityZoneId"]: int(row["Score"]) for page in pages for row in page["SpotPlacementScores"]}
    with translated("DescribeAvailabilityZones"):
        zones = client.describe_availability_zones()["AvailabilityZones"]
    names = {zone["ZoneId"]: zone["ZoneName"] for zone in zones}
    return {names.get(zone_id, zone_id): score for zone_id, score in scores.items()}


def _rows(client: Any, types: Sequence[str], since: Seconds, until: Seconds | None) -> Iterator[dict[str, Any]]:
    asked: dict[str, Any] = {
        "InstanceTypes": list(types),
        "ProductDescriptions": _PRODUCTS,
        "StartTime": datetime.fromtimestamp(since, timezone.utc),
    }
    if until is not None:
        asked["EndTime"] = datetime.fromtimestamp(until, timezone.utc)
    token: dict[str, str] = {}
    while True:
        with translated("DescribeSpotPriceHistory"):
            page = client.describe_spot_price_history(**asked, **token)
        yield from page.get("SpotPriceHistory", [])
        if not page.get("NextToken"):  # an empty text ends it, too; an empty page does not
            return
        token = {"NextToken": page["NextToken"]}


def _chunks(types: Sequence[str]) -> Iterable[Sequence[str]]:
    return (types[i : i + _AT_ONCE] for i in range(0, len(types), _AT_ONCE))


def _seconds(when: Any) -> Seconds:
    return float(when.timestamp()) if isinstance(when, datetime) else float(when)


def cut(ordered: Sequence[tuple[Seconds, Micros]], since: Seconds) -> Points:
    """From ``since`` on; of the points before it only the last, as the price in force then."""
    before = [price for at, price in ordered if at <= since]
    inside = [(at, price) for at, price in ordered if at > since]
    return [(since, before[-1]), *inside] if before else inside
