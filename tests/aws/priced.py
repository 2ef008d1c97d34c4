"""A home whose prices were all learned a moment ago: what a command says of them needs no cloud."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from fleet.providers.aws.pricecache import fingerprint, region_cache
from fleet.providers.pricecache import DAY, HOUR, PriceCache

ACCOUNT = "123456789012"
LABELS = ["<5%", "5-10%", "10-15%", "15-20%", ">20%"]
NOWHERE = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""An environment in which every call fails at once: nobody listens there."""

PRICES = {
    "g4dn.xlarge": {"us-east-1a": 200_000, "us-east-1b": 158_100},
    "g4dn.2xlarge": {"us-east-1a": 300_000, "us-east-1b": 310_000},
    "g5.xlarge": {"us-east-1a": 500_000},
    "g6.xlarge": {"us-east-1b": 400_000},
    "c5.2xlarge": {"us-east-1a": 150_000, "us-east-1b": 140_000},
    "p5.48xlarge": {},
}
"""Spot prices now; p5 is offered in a zone, on demand only."""


def learn(cache: Path, region: str = "us-east-1", *, age: float = 60.0, at: float | None = None) -> PriceCache:
    """Fill a cache as if everything had been asked ``age`` seconds ago. The environment must be the one it is read in."""
    then = (time.time() if at is None else at) - age
    kept = PriceCache(cache)
    kept.write("accounts", {fingerprint(): [ACCOUNT, time.time()]}, 0.0)
    kept.write("bands", {"labels": LABELS, "regions": {region: {"g4dn.xlarge": [1, 70], "g5.xlarge": [4, 50]}}}, then)
    made = region_cache(cache, None, region)
    offered = {name: [zone.replace("us-east-1", region) for zone in zones] for name, zones in PRICES.items()}
    offered["p5.48xlarge"] = [f"{region}a"]
    prices = {
        name: {zone.replace("us-east-1", region): price for zone, price in zones.items()} for name, zones in PRICES.items()
    }
    made.write("offered", {**offered, "x2idn.metal": [f"{region}a"]}, then)
    made.write("spot", {"asked": sorted(offered), "prices": prices}, then)
    made.write("ondemand", {"g4dn.xlarge": 526_000, "g4dn.2xlarge": 752_000}, then - 2 * DAY)
    lines = {name: {"at": then, "days": 30, "zones": _lines(zones, then)} for name, zones in prices.items()}
    made.write("history", lines, then)
    return made


def _lines(zones: dict[str, int], then: float) -> dict[str, Any]:
    """A dollar-tenth more expensive ten days ago, the present price for a day."""
    return {
        zone: [(then - 30 * DAY, price), (then - 10 * DAY, price + 100_000), (then - DAY - HOUR, price)]
        for zone, price in zones.items()
    }
