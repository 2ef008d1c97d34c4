"""What AWS asks for besides machines, from fleet's own list (``rates.json``): no call is made, and no SDK needed."""

from __future__ import annotations

import functools
from pathlib import Path

from fleet.model.base import Micros
from fleet.model.rates import Rates


@functools.cache
def aws_rates() -> Rates:
    """Every region's."""
    return Rates.model_validate_json(Path(__file__).with_name("rates.json").read_bytes())


def volume_price(region: str) -> Micros:
    """Micro-dollars for a GB and month of gp3."""
    return aws_rates().at(region).volume_gb_month


def volume_prices() -> dict[str, Micros]:
    """The same by region."""
    return {region: volume_price(region) for region in aws_rates().regions}
