"""What Compute Engine sells and at which price, by the stand-in's lists: nothing is charged for what only reads alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.model.cloud import Market, Offer
from fleet.model.errors import ErrorClass, ProviderError
from fleet.model.setup import GcpRegion, GcpSetup
from fleet.providers.gcp import session
from fleet.providers.gcp.catalog import is_old, list_cache, offers, refresh, region_cache
from fleet.providers.gcp.prices import bundled, listed_of
from fleet.providers.pricecache import DAY, HOUR
from tests.gce.standing import PROJECT, Standing, standing_google

REGION = "us-central1"
NOW = 1_790_000_000.0
DISABLED = "Cloud Billing API has not been used in project 1 before or it is disabled. Enable it by visiting \
https://console.developers.google.com/apis/api/cloudbilling.googleapis.com/overview?project=1 then retry."


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Standing:
    return standing_google(monkeypatch)


def setup() -> GcpSetup:
    place = GcpRegion(region=REGION, subnetwork="fleet")
    return GcpSetup(
        fleet_id="f1", project=PROJECT, number="1", bucket="gs://b", network="fleet", service_account="m", made_at=0.0,
        regions={REGION: place},
    )  # fmt: skip


def known(cache: Path, *types: str, at: float = NOW, region: str = REGION) -> list[Offer]:
    refresh(setup(), region, cache, types, tries=1, now=lambda: at)
    return list(offers(setup(), region, cache, now=lambda: at))


def price(found: list[Offer], kind: str, market: Market = Market.SPOT, zone: str = f"{REGION}-a") -> int:
    return next(one.price for one in found if (one.instance_type, one.market, one.zone) == (kind, market, zone))


def refuse(google: Standing, status: int = 403, reason: str = "SERVICE_DISABLED", message: str = DISABLED) -> None:
    google.control("cloudbilling", "refuse", status=status, reason=reason, message=message)


def test_a_machine_costs_what_its_parts_cost_in_every_zone_and_on_both_markets(google: Standing, tmp_path: Path) -> None:
    found = known(tmp_path)
    assert price(found, "n1-standard-4") == round((4 * 0.0146 + 15 * 0.00205) * 1e6)
    assert price(found, "n1-standard-4+1xT4") == round((4 * 0.0146 + 15 * 0.00205 + 0.175) * 1e6)
    assert price(found, "n1-standard-4+1xT4", Market.ON_DEMAND) == round((4 * 0.031611 + 15 * 0.004237 + 0.35) * 1e6)
    assert price(found, "g2-standard-24") == round((24 * 0.01499 + 96 * 0.001756 + 2 * 0.3359) * 1e6)
    local = 375 * 0.08 / 730
    assert price(found, "a2-ultragpu-1g", Market.ON_DEMAND) == pytest.approx(
        (12 * 0.031611 + 170 * 0.004237 + 3.92808 + local) * 1e6, abs=2
    )
    assert {one.zone for one in found} == {f"{REGION}-{letter}" for letter in "abcf"}
    assert all(one.on_demand_price == price(found, one.instance_type, Market.ON_DEMAND, one.zone) for one in found)
    assert {one.accelerators for one in found if one.instance_type == "g2-standard-24"} == {("L4", "L4")}
    assert google.faults() == []


def test_what_another_region_asks_is_another_price(google: Standing, tmp_path: Path) -> None:
    there = known(tmp_path, region="europe-west4")
    here = price(known(tmp_path), "g2-standard-4")
    assert price(there, "g2-standard-4", zone="europe-west4-b") == pytest.approx(1.1 * here, abs=1)
    calls = [one["method"] for one in google.calls()]
    assert calls.count("cloudbilling.services.skus.list") == 1  # it tells of all regions at once


def test_only_usual_types_are_offered_and_those_that_were_asked_for_from_then_on(google: Standing, tmp_path: Path) -> None:
    usual = {one.instance_type for one in known(tmp_path)}
    assert not usual & {"n1-highmem-8", "n4-standard-4", "e2-medium", "t2a-standard-4", "n1-highmem-8+1xT4"}
    asked = {one.instance_type for one in known(tmp_path, "n1-highmem-8", "t2a-standard-4", "e2-medium")}
    put_in = ("1xT4", "2xT4", "4xT4", "1xP100", "2xP100", "4xP100", "1xV100", "2xV100", "4xV100", "8xV100")
    assert asked - usual == {"n1-highmem-8", "t2a-standard-4", *(f"n1-highmem-8+{one}" for one in put_in)}
    assert {one.instance_type for one in known(tmp_path)} == asked  # remembered; a shared processor has no price of its own


def test_an_n1_is_offered_with_what_its_zone_has_and_it_can_take(google: Standing, tmp_path: Path) -> None:
    google.control("compute", "lacking", zone=f"{REGION}-a", types=["nvidia-tesla-t4", "g2-standard-4"])
    found = known(tmp_path, "n1-standard-16")
    with_t4 = {one.zone for one in found if one.instance_type == "n1-standard-4+1xT4"}
    assert with_t4 == {f"{REGION}-{letter}" for letter in "bcf"}
    assert {one.zone for one in found if one.instance_type == "g2-standard-4"} == with_t4
    names = {one.instance_type for one in found}
    assert "n1-standard-16+2xV100" in names
    assert "n1-standard-16+1xV100" not in names  # one V100 goes with twelve vCPUs at most


def test_young_answers_are_not_asked_for_again(google: Standing, tmp_path: Path) -> None:
    known(tmp_path)
    first = len(google.calls())
    assert first == 10  # the region, two lists in each of four zones, one page of prices
    known(tmp_path, at=NOW + DAY / 2)
    assert len(google.calls()) == first
    google.control(
        "cloudbilling", "price", description="Spot Preemptible G2 Instance Core running in Americas", nanos=20_000_000
    )
    assert price(known(tmp_path, at=NOW + DAY + 1), "g2-standard-4") == round((4 * 0.02 + 16 * 0.001756 + 0.3359) * 1e6)
    refresh(setup(), REGION, tmp_path, force=True, tries=1, now=lambda: NOW + DAY + 2)
    assert len(google.calls()) == 3 * first


def test_a_price_list_of_many_pages_is_read_whole(google: Standing, tmp_path: Path) -> None:
    whole = {(one.key, one.price) for one in known(tmp_path / "whole")}
    google.control("cloudbilling", "page", size=7)
    assert {(one.key, one.price) for one in known(tmp_path / "pages")} == whole
    assert len([one for one in google.calls() if one["method"] == "cloudbilling.services.skus.list"]) > 10


def test_without_the_price_list_a_bundled_table_serves_and_its_date_is_told(google: Standing, tmp_path: Path) -> None:
    refuse(google)
    told = refresh(setup(), REGION, tmp_path, tries=1, now=lambda: NOW)
    assert len(told) == 1
    assert f"SERVICE_DISABLED); fleet's own table of {listed_of(REGION)} is used" in told[0]
    assert "gcloud services enable cloudbilling.googleapis.com" in told[0]
    found = list(offers(setup(), REGION, tmp_path, now=lambda: NOW))
    table = bundled(REGION)
    t4 = table["n1-standard", Market.SPOT].nanos * 4 + table["gpu.T4", Market.SPOT].nanos
    assert price(found, "n1-standard-4+1xT4") == round(t4 / 1000)
    assert price(found, "a2-highgpu-2g") == round(2 * table["a2-highgpu", Market.SPOT].nanos / 1000)
    assert "a2-ultragpu-1g" not in {one.instance_type for one in found}  # nothing is made up


def test_that_there_is_no_price_list_is_remembered_for_an_hour_and_said_each_time(google: Standing, tmp_path: Path) -> None:
    refuse(google)
    known(tmp_path)
    calls = len(google.calls())
    again = refresh(setup(), REGION, tmp_path, tries=1, now=lambda: NOW + HOUR / 2)
    assert "could not be asked for (SERVICE_DISABLED)" in again[0]
    assert len(google.calls()) == calls
    google.control("cloudbilling", "refuse", status=0)
    assert refresh(setup(), REGION, tmp_path, tries=1, now=lambda: NOW + HOUR + 1) == ()
    assert price(list(offers(setup(), REGION, tmp_path)), "n1-standard-4") == round((4 * 0.0146 + 15 * 0.00205) * 1e6)


def test_prices_of_yesterday_go_before_the_bundled_ones(google: Standing, tmp_path: Path) -> None:
    before = {(one.key, one.price) for one in known(tmp_path)}
    refuse(google, 503, "", "try later")
    later = NOW + 2 * DAY
    told = refresh(setup(), REGION, tmp_path, tries=1, now=lambda: later)
    assert "those known from before are used" in told[0]
    assert {(one.key, one.price) for one in offers(setup(), REGION, tmp_path, now=lambda: later)} == before


def test_a_file_that_is_torn_or_another_is_asked_for_anew(google: Standing, tmp_path: Path) -> None:
    before = known(tmp_path)
    kept = region_cache(tmp_path, setup(), REGION)
    for wrong in ({"machines": {"n1-standard-4": [4]}, "zones": {}, "gpus": {}}, {"zones": {f"{REGION}-a": ["unheard"]}}):
        kept.write("offered", wrong, NOW)
        assert list(offers(setup(), REGION, tmp_path, now=lambda: NOW)) == before
    (kept.folder / "offered.json").write_text("{")
    assert list(offers(setup(), REGION, tmp_path, now=lambda: NOW)) == before


def test_a_round_fetches_what_is_older_than_its_limit_or_lacks_a_type(google: Standing, tmp_path: Path) -> None:
    assert is_old(setup(), tmp_path, REGION, [], NOW)
    known(tmp_path, "n1-highmem-8")
    assert not is_old(setup(), tmp_path, REGION, ["n1-highmem-8"], NOW + HOUR)
    assert is_old(setup(), tmp_path, REGION, ["c3-standard-4"], NOW + HOUR)
    assert is_old(setup(), tmp_path, REGION, [], NOW + DAY + 1)


def test_whose_machines_are_meant_is_the_set_up_or_the_login_and_a_stand_in_is_another_cloud(
    google: Standing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert region_cache(tmp_path, None, REGION).folder == region_cache(tmp_path, setup(), REGION).folder
    assert region_cache(tmp_path, "other", REGION).folder.parts[-2:] == ("other", REGION)
    assert list_cache(tmp_path).folder != tmp_path
    monkeypatch.setattr(session, "default_project", lambda: None)
    with pytest.raises(ProviderError, match="no project is named") as refused:
        offers(None, REGION, tmp_path)
    assert "fleet init gcp" in refused.value.hint
    for api in ("COMPUTE", "CLOUDBILLING"):
        monkeypatch.delenv(f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api}")
    assert list_cache(tmp_path).folder == tmp_path


def test_a_region_that_nobody_knows_is_refused_as_such(google: Standing, tmp_path: Path) -> None:
    with pytest.raises(ProviderError) as refused:
        known(tmp_path, region="mars-north1")
    assert refused.value.error_class is ErrorClass.INVALID
    assert "mars-north1" in refused.value.message
