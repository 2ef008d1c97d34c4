"""What set-up leaves in a project of the stand-in, and what can be bought there."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.model.cloud import Market, Offer
from fleet.model.setup import GcpRegion, GcpSetup
from tests.gce.standing import PROJECT

REGION = "us-central1"
IMAGE = "projects/ubuntu-os-cloud/global/images/ubuntu-2404-noble-amd64-v20260210"
"""One that the stand-in has."""
TYPES = {"e2-standard-4": (40_200, 134_012, ()), "n1-standard-4+1xT4": (147_990, 539_998, ("T4",))}
"""Spot price, on-demand price, accelerators."""


def make_setup(fleet_id: str, regions: Sequence[str] = (REGION,)) -> GcpSetup:
    """As ``fleet init gcp`` leaves it."""
    return GcpSetup(
        fleet_id=fleet_id,
        project=PROJECT,
        number="123456789012",
        bucket="gs://fleet-test",
        network="fleet",
        service_account=f"fleet-machines@{PROJECT}.iam.gserviceaccount.com",
        regions={region: GcpRegion(region=region, subnetwork="fleet", zones=zones(region)) for region in regions},
        ssh_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFsb25lIGluIHRoZSBkYXJrIHRoZXJlIHdhcyBhIGtl user@laptop",
        made_at=1_700_000_000,
    )


def zones(region: str) -> tuple[str, ...]:
    """Two of a region's zones."""
    return (f"{region}-a", f"{region}-b")


def offer(
    zone: str = "us-central1-a", instance_type: str = "e2-standard-4", market: Market = Market.SPOT, price: int | None = None
) -> Offer:
    """Something that can be bought."""
    spot, usual, accelerators = TYPES.get(instance_type, (50_000, 160_000, ()))
    asked = price if price is not None else spot if market is Market.SPOT else usual
    return Offer(
        provider="gcp",
        region=zone.rpartition("-")[0],
        zone=zone,
        instance_type=instance_type,
        market=market,
        price=asked,
        on_demand_price=usual,
        accelerators=accelerators,
    )


def shelf(region: str) -> list[Offer]:
    """Everything that is sold in a region."""
    return [offer(zone, kind, market) for zone in zones(region) for kind in TYPES for market in Market]
