"""What a machine type's name says, and what Compute Engine's own words on it become."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.model.cloud import Market
from fleet.providers.gcp import shapes
from fleet.providers.gcp.billing import rates_of
from fleet.providers.gcp.machines import (
    DEVICES,
    PROCESSORS,
    SERIES,
    UNASKED,
    USUAL,
    Machine,
    accelerators_of,
    combinations,
    described,
    gpu_of,
    series_of,
)
from fleet.providers.gpus import GPUS
from tests.gce.billing_skus import sku


def row(name: str, cpus: int = 4, memory_mb: int = 16384, **more: Any) -> dict[str, Any]:
    return {"name": name, "guestCpus": cpus, "memoryMb": memory_mb, "isSharedCpu": False, **more}


@pytest.mark.parametrize(
    ("name", "has"),
    [
        ("n1-standard-4", None),
        ("n1-standard-4+1xT4", ("T4", 1)),
        ("n1-standard-64+8xV100", ("V100", 8)),
        ("n1-standard-4+1xT5", None),
        ("g2-standard-4", ("L4", 1)),
        ("a2-highgpu-4g", ("A100", 4)),
        ("a2-ultragpu-1g", ("A100-80GB", 1)),
        ("a3-megagpu-8g", ("H100-MEGA", 8)),
        ("x9-unheard-4", None),
    ],
)
def test_a_name_tells_what_the_machine_has(name: str, has: tuple[str, int] | None) -> None:
    assert accelerators_of(name) == has


def test_every_type_that_is_offered_unasked_is_of_a_known_series_takes_the_usual_disk_and_can_be_made() -> None:
    assert set(USUAL) <= set(UNASKED)
    for name in UNASKED:
        assert series_of(name) is not None, name
        assert shapes.disk_type(name) == "pd-balanced", name
        bare, kind, count = shapes.parts(name)
        if "+" in name:
            vcpus = int(bare.rpartition("-")[2])
            gpu = gpu_of(kind or "")
            assert gpu is not None
            assert vcpus <= DEVICES[gpu].most_vcpus[count], name


def test_every_device_has_a_driver_and_every_series_a_price() -> None:
    assert set(DEVICES) <= set(GPUS)
    assert {one.gpu for one in SERIES.values() if one.gpu} <= set(DEVICES)
    assert {one.rate for one in SERIES.values()} == set(PROCESSORS)
    assert {name: one.accelerator_type for name, one in DEVICES.items() if one.most_vcpus} == shapes.PUT_IN


def test_an_n1_takes_as_many_devices_as_its_vcpus_and_its_zone_allow() -> None:
    small, large = Machine("n1-standard-4", 4, 15), Machine("n1-standard-64", 64, 240)
    zone = {"T4": 4, "V100": 4}
    assert [one.name.partition("+")[2] for one in combinations(small, zone)] == [
        "1xT4", "2xT4", "4xT4", "1xV100", "2xV100", "4xV100",
    ]  # fmt: skip
    assert [one.name for one in combinations(large, zone)] == ["n1-standard-64+4xT4"]
    assert [one.accelerators for one in combinations(small, {"P4": 1})] == [("P4",)]
    assert not list(combinations(Machine("n2-standard-4", 4, 16), zone))


def test_a_type_as_compute_engine_describes_it() -> None:
    device = [{"guestAcceleratorType": "nvidia-l4", "guestAcceleratorCount": 2}]
    assert described(row("g2-standard-24", 24, 98304, accelerators=device)) == Machine(
        "g2-standard-24", 24, 96.0, "x86_64", "L4", 2
    )
    assert described(row("t2a-standard-4", architecture="ARM64")) == Machine("t2a-standard-4", 4, 16.0, "aarch64")
    ssd = described(row("c3-standard-4-lssd", bundledLocalSsds={"partitionCount": 1, "defaultInterface": "NVME"}))
    assert ssd is not None
    assert ssd.local_ssds == 1


@pytest.mark.parametrize(
    "strange",
    [
        row("e2-medium", 2, isSharedCpu=True),
        row("n1-standard-4", deprecated={"state": "DELETED"}),
        row("x9-unheard-4"),
        row("a3-ultragpu-8g", accelerators=[{"guestAcceleratorType": "nvidia-h200-141gb", "guestAcceleratorCount": 8}]),
        row("g2-standard-4"),  # without its device: it would be sold for less than it costs
        row("a2-highgpu-1g", accelerators=[{"guestAcceleratorType": "nvidia-unheard", "guestAcceleratorCount": 1}]),
    ],
)
def test_what_cannot_be_priced_is_no_machine(strange: dict[str, Any]) -> None:
    assert described(strange) is None


def test_products_are_told_by_their_whole_description() -> None:
    here = ("us-central1",)
    found = rates_of(
        [
            sku("N1 Predefined Instance Core running in Americas", here, 0.031611, "N1Standard", "h"),
            sku("Custom Instance Core running in Americas", here, 0.5, "CPU", "h"),
            sku("Spot Preemptible Compute optimized Ram running in Americas", here, 0.0012, "RAM", "GiBy.h", "Preemptible"),
            sku("Nvidia Tesla A100 80GB GPU attached to Spot Preemptible VMs running in Americas", here, 2.1, "GPU", "h"),
            sku("Nvidia Tesla A100 GPU running in Americas", here, 2.9, "GPU", "h"),
            sku("Nvidia Tesla A100 GPU running in Americas", here, 1.9, "GPU", "h", "Commit1Yr"),
            sku("SSD backed Local Storage in Americas", here, 0.08, "LocalSSD", "GiBy.mo"),
            sku("Balanced PD Capacity", here, 0.1, "SSD", "GiBy.mo"),
            {"description": "G2 Instance Core running in Americas"},
            {**sku("G2 Instance Core running in Americas", here, 0.02, "CPU", "h"), "pricingInfo": []},
        ]
    )
    assert found == {
        "us-central1": {
            "n1.core": {"on-demand": 31_611_000},
            "c2.ram": {"spot": 1_200_000},
            "gpu.A100-80GB": {"spot": 2_100_000_000},
            "gpu.A100": {"on-demand": 2_900_000_000},
            "ssd": {"on-demand": 109_589},
            "disk.pd-balanced": {"on-demand": 100_000_000},
        }
    }
    assert Market("spot") is Market.SPOT


def test_of_several_prices_the_newest_counts_and_beyond_what_is_free() -> None:
    one = sku("Balanced PD Capacity", ("us-central1",), 0.1, "SSD", "GiBy.mo", free=30)
    newer = sku("Balanced PD Capacity", ("us-central1",), 0.12, "SSD", "GiBy.mo")
    one["pricingInfo"] += newer["pricingInfo"]
    assert rates_of([one]) == {"us-central1": {"disk.pd-balanced": {"on-demand": 120_000_000}}}
    euros = sku("Balanced PD Capacity", ("us-central1",), 0.1, "SSD", "GiBy.mo")
    euros["pricingInfo"][0]["pricingExpression"]["tieredRates"][0]["unitPrice"]["currencyCode"] = "EUR"
    assert rates_of([euros]) == {}
