"""What a machine of Compute Engine's boots from: looked up once a day, and frozen by its own name."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.core.allowed import STOCK
from fleet.model.cloud import BootTarget, Market, Offer
from fleet.model.errors import ErrorClass, ProviderError
from fleet.model.setup import GcpRegion, GcpSetup
from fleet.providers.gcp.images import Images, boot_target
from tests.gce.standing import PROJECT, Standing, standing_google

DAY = 86_400.0
SETUP = GcpSetup(
    fleet_id="f1", project=PROJECT, number="1", bucket="gs://b", network="fleet", service_account="m", made_at=0.0,
    regions={region: GcpRegion(region=region, subnetwork="fleet") for region in ("us-central1", "us-east1")},
)  # fmt: skip


NEWER = {
    "project": "ubuntu-os-cloud",
    "name": "ubuntu-2404-noble-amd64-v20261101",
    "family": "ubuntu-2404-lts-amd64",
    "size_gb": 10,
    "creationTimestamp": "2026-11-01T00:00:00.000-07:00",
}


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Standing:
    return standing_google(monkeypatch)


def offer(kind: str = "n1-standard-4", *gpus: str) -> Offer:
    return Offer(
        provider="gcp", region="us-central1", zone="us-central1-a", instance_type=kind, market=Market.SPOT, price=1,
        on_demand_price=2, accelerators=gpus,
    )  # fmt: skip


def target(cache: Path, image: str | None = None, one: Offer | None = None, at: float = 1e9) -> BootTarget:
    return boot_target(SETUP, [one or offer()], image, cache, clock=lambda: at)


def test_a_family_is_frozen_as_its_newest_image_and_the_machine_installs_a_driver(google: Standing, tmp_path: Path) -> None:
    found = target(tmp_path, one=offer("n1-standard-4+1xT4", "T4"))
    assert (found.image, found.driver, found.arch) == ("ubuntu-24.04", "580-server", "x86_64")
    assert found.image_id == "projects/ubuntu-os-cloud/global/images/ubuntu-2404-noble-amd64-v20260210"
    assert found.environment["FLEET_MACHINE"] == "gce"
    assert found.environment["CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"] == google.url
    assert set(GcpSetup.model_validate_json(found.setup).regions) == {"us-central1"}
    assert target(tmp_path, STOCK).driver is None
    assert google.faults() == []


@pytest.mark.parametrize("name", ["dlvm", "dlami", "ubuntu-24.04-nvidia"])
def test_an_image_with_a_driver_brings_it(google: Standing, tmp_path: Path, name: str) -> None:
    found = target(tmp_path, name, offer("g2-standard-4", "L4"))
    assert found.driver is None
    assert "nvidia-580" in found.image_id
    with pytest.raises(ProviderError, match="does not run a P100") as refused:
        target(tmp_path, name, offer("n1-standard-4+1xP100", "P100"))
    assert "ubuntu-24.04" in refused.value.hint


def test_what_was_found_is_asked_again_after_a_day_and_a_launch_finds_it_by_its_own_name(
    google: Standing, tmp_path: Path
) -> None:
    first = target(tmp_path)
    google.control("compute", "image", **NEWER)
    calls = len(google.calls())
    assert target(tmp_path, at=1e9 + DAY - 1) == first
    assert Images(PROJECT, tmp_path).newest(first.image_id, "x86_64").disk_gb == 10
    assert len(google.calls()) == calls
    assert target(tmp_path, at=1e9 + DAY + 1).image_id.endswith("v20261101")


def test_an_image_that_is_gone_is_not_chosen_again(google: Standing, tmp_path: Path) -> None:
    first = target(tmp_path)
    google.control("compute", "image", **NEWER)
    Images(PROJECT, tmp_path).is_gone(first.image_id)
    assert target(tmp_path).image_id.endswith("v20261101")


def test_ones_own_image_is_named_by_itself_by_its_family_or_whole(google: Standing, tmp_path: Path) -> None:
    google.control("compute", "image", project=PROJECT, name="mine-1", family="mine", size_gb=64)
    whole = f"projects/{PROJECT}/global/images/mine-1"
    for name in ("mine-1", "family/mine", whole, f"https://www.googleapis.com/compute/v1/{whole}"):
        found = target(tmp_path, name, offer("n1-standard-4+1xT4", "T4"))
        assert (found.image_id, found.driver) == (whole, "580-server")
    assert Images(PROJECT, tmp_path).newest(whole, "x86_64").disk_gb == 64


@pytest.mark.parametrize(
    ("name", "kind", "told", "means"),
    [
        ("unheard", "n1-standard-4", "was not found", ErrorClass.INVALID),
        ("not a name", "n1-standard-4", "is none of ubuntu-24.04", ErrorClass.INVALID),
        ("debian-12", "n1-standard-4", "is none of ubuntu-24.04", ErrorClass.INVALID),
        ("dlvm", "t2a-standard-4", "nobody publishes dlvm for aarch64", ErrorClass.INVALID),
        ("half-made", "n1-standard-4", "is not ready", ErrorClass.NOT_YET),
        ("mine-1", "t2a-standard-4", "is for x86_64, t2a-standard-4 is aarch64", ErrorClass.INVALID),
    ],
)
def test_what_cannot_be_booted_from_is_told(
    google: Standing, tmp_path: Path, name: str, kind: str, told: str, means: ErrorClass
) -> None:
    google.control("compute", "image", project=PROJECT, name="half-made", size_gb=10, status="PENDING")
    google.control("compute", "image", project=PROJECT, name="mine-1", size_gb=10)
    with pytest.raises(ProviderError, match=told) as refused:
        target(tmp_path, name, offer(kind))
    assert refused.value.error_class is means


def test_yesterdays_image_serves_while_nobody_answers(
    google: Standing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = target(tmp_path)
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", "http://127.0.0.1:9")
    assert target(tmp_path, at=1e9 + 2 * DAY).image_id == first.image_id
    with pytest.raises(ProviderError):
        target(tmp_path, "ubuntu-22.04")
