"""What Compute Engine can do, as data."""

from __future__ import annotations

from fleet.model.cloud import Billing, Capabilities
from fleet.providers.gcp.errors import IMAGE_GONE
from fleet.providers.gcp.rates import gcp_rates, volume_prices

CAPABILITIES = Capabilities(
    notice_seconds=30,
    visible_within=60,
    billing=Billing(minimum_seconds=60, free_if_interrupted_within=60),
    price_history=False,
    images=True,
    images_gone=(IMAGE_GONE,),
    console=True,
    access_rules=True,
    growing=True,
    volume_price=gcp_rates().volume_gb_month,
    volume_prices=volume_prices(),
    address_price=gcp_rates().address_hour,
)
"""Billing: by the second, a minute at least; nothing for a spot machine that is preempted within its first minute
(https://cloud.google.com/compute/docs/instances/spot)."""
