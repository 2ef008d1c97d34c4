"""What Compute Engine can do, as data."""

from __future__ import annotations

import functools

from fleet.model.base import Micros
from fleet.model.cloud import Billing, Capabilities
from fleet.providers.gcp.errors import IMAGE_GONE
from fleet.providers.gcp.prices import bundled, disk_price, known_regions

ADDRESS_PRICE: Micros = 5_000
"""Micro-dollars per hour of an external IPv4 address in use at a standard machine; a spot machine's costs half of it
(https://cloud.google.com/vpc/network-pricing)."""
DISK_PRICE: Micros = 100_000
"""Micro-dollars per GB and month of a balanced disk in us-central1, where nothing else is known."""


@functools.cache
def volume_price(region: str) -> Micros:
    """Micro-dollars for a GB and month of a balanced disk."""
    return disk_price(bundled(region)) or DISK_PRICE


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
    volume_price=DISK_PRICE,
    volume_prices={region: volume_price(region) for region in known_regions()},
    address_price=ADDRESS_PRICE,
)
"""Billing: by the second, a minute at least; nothing for a spot machine that is preempted within its first minute
(https://cloud.google.com/compute/docs/instances/spot)."""
