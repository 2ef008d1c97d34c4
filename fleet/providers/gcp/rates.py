"""What Google Cloud asks for besides machines, from fleet's own list (``rates.json``): no call is made, no SDK needed."""

from __future__ import annotations

import functools
from pathlib import Path

from fleet.model.base import Micros
from fleet.model.rates import Rates
from fleet.providers.gcp.catalog import list_cache
from fleet.providers.gcp.prices import disk_price, rates_at


@functools.cache
def gcp_rates() -> Rates:
    """Every region's."""
    return Rates.model_validate_json(Path(__file__).with_name("rates.json").read_bytes())


def volume_price(region: str, cache: Path | None = None) -> Micros:
    """Micro-dollars for a GiB and month of a balanced disk: by the price list if it is kept, else by fleet's own."""
    listed = disk_price(rates_at(region, list_cache(cache).read("rates"))) if cache is not None else None
    return listed if listed is not None else gcp_rates().at(region).volume_gb_month


def volume_prices(cache: Path | None = None) -> dict[str, Micros]:
    """The same by region."""
    return {region: volume_price(region, cache) for region in gcp_rates().regions}
