"""Fleet's own tables of Google's prices: dated, of a named source, and of one piece with each other."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pytest

from fleet.model.cloud import Market
from fleet.providers.gcp import prices
from fleet.providers.gcp.machines import DEVICES, Machine
from fleet.providers.gcp.prices import bundled, known_regions, price_of, rates_at
from fleet.providers.gcp.rates import gcp_rates, volume_price, volume_prices
from fleet.providers.pricecache import Part, PriceCache

TABLES = json.loads(Path(prices.__file__).with_name("pricelist.json").read_bytes())["tables"]
T4 = Machine("n1-standard-4+1xT4", 4, 15.0, "x86_64", "T4", 1)


def test_each_table_has_a_date_and_a_source_and_names_regions_and_parts_that_there_are() -> None:
    for table in TABLES:
        assert date.fromisoformat(table["of"]) <= date(2026, 11, 26)
        assert "commit" in table["source"]
        for region, parts in table["regions"].items():
            assert re.fullmatch(r"[a-z]+-[a-z]+[0-9]+", region)
            for part, (usual, spot) in parts.items():
                name = part.removeprefix("gpu.")
                assert name in DEVICES if part.startswith("gpu.") else re.fullmatch(r"[a-z0-9]+-[a-z]+", part), part
                assert 0 < spot < usual, (region, part)


def test_no_two_tables_speak_of_the_same() -> None:
    spoken = [(region, part) for table in TABLES for region, parts in table["regions"].items() for part in parts]
    assert len(spoken) == len(set(spoken))


@pytest.mark.parametrize(
    ("machine", "usual", "spot"),
    [
        # As Google's pages have them for Iowa: n1-standard-4 $0.19, T4 $0.35, g2-standard-4 $0.71, a2-highgpu-1g $3.67.
        (Machine("n1-standard-4", 4, 15.0), 0.189999, 0.08918),
        (T4, 0.539999, 0.26418),
        (Machine("g2-standard-4", 4, 16.0, "x86_64", "L4", 1), 0.706832, 0.423956),
        (Machine("a2-highgpu-2g", 24, 170.0, "x86_64", "A100", 2), 7.34677, 4.24162),
        (Machine("e2-standard-8", 8, 32.0), 0.268046, 0.160848),
    ],
)
def test_machines_of_iowa(machine: Machine, usual: float, spot: float) -> None:
    for market, dollars in ((Market.ON_DEMAND, usual), (Market.SPOT, spot)):
        found = price_of(machine, bundled("us-central1"), market)
        assert found is not None
        assert found.price == pytest.approx(dollars * 1e6, abs=1)
        assert found.source == "bundled"


def test_a_machines_price_is_as_old_as_its_oldest_part() -> None:
    found = price_of(T4, bundled("us-central1"), Market.SPOT)
    bare = price_of(Machine("n1-standard-4", 4, 15.0), bundled("us-central1"), Market.SPOT)
    assert found is not None
    assert bare is not None
    assert found.at < bare.at


def test_what_lacks_a_part_has_no_price() -> None:
    rates = bundled("us-south1")  # no T4 there
    assert price_of(T4, rates, Market.SPOT) is None
    assert price_of(Machine("n1-standard-4", 4, 15.0, local_ssds=1), rates, Market.SPOT) is None
    assert price_of(Machine("c4-standard-4", 4, 15.0), rates, Market.SPOT) is None
    assert bundled("mars-north1") == {}


def test_the_price_list_goes_before_the_tables_and_they_fill_its_gaps() -> None:
    listed = Part(2e9, {"us-central1": {"n1.core": {"spot": 10_000_000}, "n1.ram": {"spot": 1_000_000}}})
    found = price_of(T4, rates_at("us-central1", listed), Market.SPOT)
    assert found is not None
    assert found.price == 40_000 + 15_000 + bundled("us-central1")["gpu.T4", Market.SPOT].nanos // 1000
    assert found.source == "bundled"  # for its T4
    usual = price_of(T4, rates_at("us-central1", listed), Market.ON_DEMAND)
    assert usual is not None
    assert usual.price == 539_999


def test_disks_and_addresses_are_listed_by_region_and_market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for api in ("COMPUTE", "CLOUDBILLING"):
        monkeypatch.delenv(f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api}", raising=False)
    rates = gcp_rates()
    assert (rates.at("us-central1").address_of(Market.ON_DEMAND), rates.at("us-central1").address_of(Market.SPOT)) == (
        5000,
        2500,
    )
    assert (volume_price("us-central1"), volume_price("europe-west3")) == (100_000, 120_000)
    assert set(volume_prices()) >= set(known_regions())
    PriceCache(tmp_path).write("rates", {"us-central1": {"disk.pd-balanced": {"on-demand": 110_000_000}}}, 1.0)
    assert (volume_price("us-central1", tmp_path), volume_price("europe-west3", tmp_path)) == (110_000, 120_000)
