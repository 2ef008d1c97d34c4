"""The products of the stand-in's price list: those of machines, and others of the real one that read much alike."""

from __future__ import annotations

from collections.abc import Iterator

from tests.gce.wire import Json

AMERICAS = ("us-central1", "us-east1", "us-west1")
NETHERLANDS = ("europe-west4",)
WHERE = ((AMERICAS, "Americas", 1.0), (NETHERLANDS, "Netherlands", 1.1))
"""Regions, the words for them, and how much more is asked there."""

HOURLY = {
    "N1 Predefined Instance Core": (0.031611, 0.0146),
    "N1 Predefined Instance Ram": (0.004237, 0.00205),
    "N2 Instance Core": (0.031611, 0.012),
    "N2 Instance Ram": (0.004237, 0.0016),
    "E2 Instance Core": (0.02181159, 0.01309),
    "E2 Instance Ram": (0.00292353, 0.00175),
    "Compute optimized Core": (0.03398, 0.0091),
    "Compute optimized Ram": (0.00455, 0.0012),
    "C3 Instance Core": (0.03465, 0.0099),
    "C3 Instance Ram": (0.003938, 0.0011),
    "N4 Instance Core": (0.0317, 0.0101),
    "N4 Instance Ram": (0.0042, 0.0013),
    "T2A Arm Instance Core": (0.0286, 0.0084),
    "T2A Arm Instance Ram": (0.0038, 0.0011),
    "G2 Instance Core": (0.02498844, 0.01499),
    "G2 Instance Ram": (0.00292741, 0.001756),
    "A2 Instance Core": (0.031611, 0.018966),
    "A2 Instance Ram": (0.004237, 0.002542),
    "A3 Instance Core": (0.0295, 0.0162),
    "A3 Instance Ram": (0.0025, 0.0014),
}
"""Dollars an hour on demand and on spot: of a vCPU, of a GiB."""
DEVICES = {
    "Nvidia Tesla T4 GPU": (0.35, 0.175),
    "Nvidia Tesla V100 GPU": (2.48, 1.0885),
    "Nvidia Tesla P100 GPU": (1.46, 0.43),
    "Nvidia L4 GPU": (0.56004, 0.3359),
    "Nvidia Tesla A100 GPU": (2.933908, 1.6772),
    "Nvidia Tesla A100 80GB GPU": (3.92808, 2.1),
    "Nvidia H100 80GB GPU": (9.796558, 2.9926),
}
MONTHLY = {
    "Storage PD Capacity": ("PDStandard", 0.04),
    "Balanced PD Capacity": ("SSD", 0.1),
    "SSD backed PD Capacity": ("SSD", 0.17),
    "Hyperdisk Balanced Capacity": ("SSD", 0.08),
    "Regional Balanced PD Capacity": ("SSD", 0.2),
}
LOCAL_SSD = (0.08, 0.048)


def skus() -> Iterator[Json]:
    """Every product."""
    for regions, words, times in WHERE:
        for name, prices in HOURLY.items():
            group = "N1Standard" if name.startswith("N1") else "RAM" if name.endswith("Ram") else "CPU"
            unit = "GiBy.h" if name.endswith("Ram") else "h"
            yield sku(f"{name} running in {words}", regions, prices[0] * times, group, unit)
            yield sku(f"Spot Preemptible {name} running in {words}", regions, prices[1] * times, group, unit, "Preemptible")
        for name, prices in DEVICES.items():
            yield sku(f"{name} running in {words}", regions, prices[0] * times, "GPU", "h")
            told = f"{name} attached to Spot Preemptible VMs running in {words}"
            yield sku(told, regions, prices[1] * times, "GPU", "h", "Preemptible")
        for name, (group, price) in MONTHLY.items():
            here = name if regions is AMERICAS else f"{name} in {words}"
            yield sku(
                here, regions, price * times, group, "GiBy.mo", family="Storage", free=30 if group == "PDStandard" else 0
            )
        yield sku(
            f"SSD backed Local Storage in {words}", regions, LOCAL_SSD[0] * times, "LocalSSD", "GiBy.mo", family="Storage"
        )
        told = f"SSD backed Local Storage attached to Spot Preemptible VMs in {words}"
        yield sku(told, regions, LOCAL_SSD[1] * times, "LocalSSD", "GiBy.mo", "Preemptible", family="Storage")
        yield from _alike(regions, words)


def _alike(regions: tuple[str, ...], words: str) -> Iterator[Json]:
    """What no machine of fleet's is charged as: each costs a dollar, so that whoever takes one is seen to."""
    for usage, name in (
        ("Commit1Yr", f"Commitment v1: N2 Cpu in {words} for 1 Year"),
        ("Commit3Yr", f"Commitment v1: Nvidia Tesla T4 GPU running in {words} for 3 Years"),
        ("OnDemand", f"N2 Custom Instance Core running in {words}"),
        ("Preemptible", f"Spot Preemptible N2 Custom Extended Instance Ram running in {words}"),
        ("OnDemand", f"N2 Sole Tenancy Instance Core running in {words}"),
        ("OnDemand", f"Reserved A2 Core in {words}"),
        ("OnDemand", f"Nvidia L4 GPU attached to DWS Defined Duration VMs running in {words}"),
        ("OnDemand", f"Nvidia Tesla T4 Virtual Workstation GPU running in {words}"),
        ("OnDemand", f"Sole Tenancy Premium for N1 Predefined Instance Core running in {words}"),
        ("OnDemand", f"Licensing Fee for N1 Predefined Instance Core running in {words}"),
    ):
        yield sku(name, regions, 1.0, "CPU", "h", usage)


def sku(
    description: str,
    regions: tuple[str, ...],
    price: float,
    group: str,
    unit: str,
    usage: str = "OnDemand",
    family: str = "Compute",
    free: float = 0,
) -> Json:
    """One product as the list has it. ``free``: so much of it costs nothing."""
    nanos = round(price * 1e9)
    rates: list[Json] = [{"startUsageAmount": free, "unitPrice": money(nanos)}]
    if free:
        rates.insert(0, {"startUsageAmount": 0, "unitPrice": money(0)})
    number = f"{abs(hash((description, regions))) % 16**12:012X}"
    return {
        "name": f"services/6F81-5844-456A/skus/{number[:4]}-{number[4:8]}-{number[8:]}",
        "skuId": f"{number[:4]}-{number[4:8]}-{number[8:]}",
        "description": description,
        "category": {
            "serviceDisplayName": "Compute Engine",
            "resourceFamily": family,
            "resourceGroup": group,
            "usageType": usage,
        },
        "serviceRegions": list(regions),
        "pricingInfo": [
            {
                "summary": "",
                "pricingExpression": {"usageUnit": unit, "displayQuantity": 1, "tieredRates": rates},
                "currencyConversionRate": 1,
                "effectiveTime": "2026-02-10T08:00:00.000Z",
            }
        ],
        "serviceProviderName": "Google",
    }


def money(nanos: int) -> Json:
    """Dollars as Google writes them."""
    return {"currencyCode": "USD", "units": str(nanos // 10**9), "nanos": nanos % 10**9}
