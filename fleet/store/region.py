"""Where Amazon's regions are found."""

from __future__ import annotations


def amazon_domain(region: str) -> str:
    """Where a region's services are found."""
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
