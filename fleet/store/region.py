"""Where Amazon's regions are found, and how a machine is told which region its bucket is in."""

from __future__ import annotations

BUCKET_REGION = "FLEET_BUCKET_REGION"
"""The variable that says it, on a machine: it may run in another."""


def amazon_domain(region: str) -> str:
    """Where a region's services are found."""
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
