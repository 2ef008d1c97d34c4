"""What EC2 asks for its machines: from moto where it knows, from answers in the service's own form where it does not."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
import time
from collections import defaultdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from fleet.model.cloud import Market
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.aws import asking
from fleet.providers.aws.asking import Asking
from fleet.providers.aws.offers import facts_of, offers, refresh
from fleet.providers.aws.pricecache import fingerprint, region_cache
from fleet.providers.aws.pricing import bundled, known_regions, list_prices, micros, on_demand, served_from
from fleet.providers.aws.session import aws_client
from fleet.providers.aws.spot import cut, history, now_prices, placement_scores
from fleet.providers.pricecache import DAY, LIMITS, PriceCache, told_age
from tests.aws.moto import Moto
from tests.aws.priced import NOWHERE, PRICES, learn
from tests.system.traces import folder

EAST, WEST, SOUTH = "us-east-1", "us-west-1", "eu-south-1"
"""moto lists few types in the last two: it is quick there."""


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call fails."""
    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)


def stubbed(service: str) -> tuple[Any, Stubber]:
    client = boto3.client(service, region_name=EAST, aws_access_key_id="x", aws_secret_access_key="x")
    return client, Stubber(client)


# --- the cloud, as moto plays it


def test_the_first_look_asks_and_the_second_does_not(moto: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = offers(None, EAST, tmp_path)
    assert {(o.zone, o.market) for o in found if o.instance_type == "g4dn.xlarge"} >= {
        ("us-east-1a", Market.SPOT), ("us-east-1a", Market.ON_DEMAND),
    }  # fmt: skip
    t4 = next(o for o in found if o.key == "aws/us-east-1/us-east-1a/g4dn.xlarge/on-demand")
    assert (t4.price, t4.on_demand_price, t4.accelerators) == (526_000, 526_000, ("T4",))
    assert {o.price for o in found if o.market is Market.SPOT} == {10}  # moto's one price for everything
    monkeypatch.setattr(asking, "aws_client", None)  # a call would fail
    assert offers(None, EAST, tmp_path) == found
    assert len(found) > 1000
    assert refresh(None, EAST, tmp_path) == ()


def test_a_type_that_a_zone_does_not_offer_is_no_offer_there(moto: Moto, tmp_path: Path) -> None:
    client = aws_client("ec2", SOUTH)
    rows = client.describe_instance_type_offerings(
        LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": ["g4dn.xlarge"]}]
    )["InstanceTypeOfferings"]
    zones = {row["Location"] for row in rows}
    assert zones
    assert {zone["ZoneName"] for zone in client.describe_availability_zones()["AvailabilityZones"]} - zones
    found = offers(None, SOUTH, tmp_path)
    assert {o.zone for o in found if o.instance_type == "g4dn.xlarge"} == zones
    assert not [o for o in found if o.instance_type in ("p2.xlarge", "g3s.xlarge")]  # gone, and moto knows it too


def test_other_types_are_offered_once_they_were_asked_for_and_stay(moto: Moto, tmp_path: Path) -> None:
    names = {o.instance_type for o in offers(None, WEST, tmp_path)}
    assert not names & {"t3.medium", "m7g.large", "r6a.large"}
    refresh(None, WEST, tmp_path, ["r6a.large", "t3.medium", "nonsense.large"])
    refresh(None, WEST, tmp_path, force=True, tries=1)
    found = {o.instance_type: o for o in offers(None, WEST, tmp_path)}
    assert {"r6a.large", "t3.medium"} <= found.keys()
    assert found["r6a.large"].on_demand_price == pytest.approx(113_400 * 1.24, rel=0.1)
    r6a = facts_of("r6a.large", tmp_path)
    assert r6a is not None
    assert (r6a.arch, r6a.vcpus, r6a.gpu) == ("x86_64", 2, None)
    assert "nonsense.large" not in found
    assert facts_of("nonsense.large", tmp_path) is None


def test_without_a_price_list_the_own_table_serves_and_that_is_said_once(moto: Moto, tmp_path: Path) -> None:
    (told,) = refresh(None, SOUTH, tmp_path, tries=1)  # moto has no price list
    assert "on-demand prices could not be asked for" in told
    assert "fleet's own table is used" in told
    assert "\n" not in told
    assert "<" not in told
    assert refresh(None, SOUTH, tmp_path) == ()
    later = time.time() + LIMITS["ondemand-failed"] + 1
    assert len(refresh(None, SOUTH, tmp_path, now=lambda: later, tries=1)) == 1


@pytest.mark.xfail(strict=True, reason="moto has no GetSpotPlacementScores", raises=ProviderError)
def test_placement_scores_by_moto(moto: Moto) -> None:
    scores = placement_scores(aws_client("ec2", EAST), ["g4dn.xlarge", "g5.xlarge", "g6.xlarge"], EAST)
    assert set(scores.values()) <= set(range(1, 11))


@pytest.mark.xfail(strict=True, reason="moto has no price list", raises=ProviderError)
def test_a_price_list_by_moto(moto: Moto) -> None:
    assert list_prices(aws_client("pricing", EAST), EAST)


@pytest.mark.xfail(
    strict=True, reason="moto lists every spot price as 0.00001, changed in 2006 and never again", raises=AssertionError
)
def test_spot_prices_differ_by_moto(moto: Moto) -> None:
    found = now_prices(aws_client("ec2", EAST), ["g4dn.xlarge", "p5.48xlarge"], time.time())
    assert len({price for zones in found.values() for price in zones.values()}) > 1


# --- answers in the services' own form


def test_spot_history_is_paged_and_an_empty_page_does_not_end_it() -> None:
    client, stub = stubbed("ec2")
    since = 1_790_000_000.0

    def row(at: float, price: str, zone: str = "us-east-1a", product: str = "Linux/UNIX") -> dict[str, Any]:
        when = datetime.fromtimestamp(at, timezone.utc)
        return {
            "InstanceType": "g4dn.xlarge", "AvailabilityZone": zone, "SpotPrice": price, "Timestamp": when,
            "ProductDescription": product,
        }  # fmt: skip

    asked: dict[str, Any] = {
        "InstanceTypes": ["g4dn.xlarge"],
        "ProductDescriptions": ["Linux/UNIX", "Linux/UNIX (Amazon VPC)"],
        "StartTime": datetime.fromtimestamp(since, timezone.utc),
    }
    first = [row(since + 50, "0.2"), row(since - 900, "0.1"), row(since - 999_999, "0.7"), row(since + 9, "nothing")]
    stub.add_response("describe_spot_price_history", {"SpotPriceHistory": first, "NextToken": "2"}, asked)
    stub.add_response("describe_spot_price_history", {"SpotPriceHistory": [], "NextToken": "3"}, {**asked, "NextToken": "2"})
    last = [row(since - 5, "0.3", "us-east-1b"), row(since + 50, "0.2", product="Linux/UNIX (Amazon VPC)")]
    stub.add_response(
        "describe_spot_price_history", {"SpotPriceHistory": last, "NextToken": ""}, {**asked, "NextToken": "3"}
    )
    with stub:
        found = history(client, ["g4dn.xlarge"], since)
        stub.assert_no_pending_responses()
    assert found == {
        "g4dn.xlarge": {"us-east-1a": [(since, 100_000), (since + 50, 200_000)], "us-east-1b": [(since, 300_000)]}
    }


def test_the_price_now_is_the_last_change() -> None:
    client, stub = stubbed("ec2")
    at = datetime(2026, 11, 1, tzinfo=timezone.utc)
    rows = [
        {"InstanceType": "g5.xlarge", "AvailabilityZone": "us-east-1a", "SpotPrice": "0.4321", "Timestamp": at},
        {
            "InstanceType": "g5.xlarge",
            "AvailabilityZone": "us-east-1a",
            "SpotPrice": "0.5",
            "Timestamp": at.replace(year=2025),
        },
    ]
    stub.add_response("describe_spot_price_history", {"SpotPriceHistory": rows})
    with stub:
        assert now_prices(client, ["g5.xlarge"], at.timestamp() + 60) == {"g5.xlarge": {"us-east-1a": 432_100}}


def product(name: str, price: str, *, unit: str = "Hrs", currency: str = "USD", **attributes: str) -> str:
    """One line of a price list, as the service writes it: JSON within JSON."""
    dimension = {"unit": unit, "pricePerUnit": {currency: price}, "appliesTo": [], "beginRange": "0"}
    return json.dumps(
        {
            "product": {"attributes": {"instanceType": name, "regionCode": EAST, "operation": "RunInstances", **attributes}},
            "terms": {"OnDemand": {"SKU.TERM": {"priceDimensions": {"SKU.TERM.6YS6EN2CT7": dimension}}}},
        }
    )


def test_the_price_list_is_read_page_by_page_and_what_is_no_plain_hour_is_left_out() -> None:
    client, stub = stubbed("pricing")
    first = [
        product("g4dn.xlarge", "0.5260000000"),
        product("g5.xlarge", "0.0000000000"),
        product("g5.xlarge", "1.006", operation="RunInstances:0004"),
        product("g6.xlarge", "0.8", regionCode="us-east-1-bos-1"),
        product("c5.large", "0.085", unit="Quantity"),
        product("c5.xlarge", "1.2", currency="CNY"),
        "not JSON",
        "{}",
    ]
    fields = {"regionCode": EAST, "operatingSystem": "Linux", "tenancy": "Shared", "capacitystatus": "Used",
              "preInstalledSw": "NA", "marketoption": "OnDemand"}  # fmt: skip
    asked: dict[str, Any] = {
        "ServiceCode": "AmazonEC2",
        "FormatVersion": "aws_v1",
        "Filters": [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in fields.items()],
    }
    stub.add_response("get_products", {"PriceList": first, "NextToken": "more"}, asked)
    stub.add_response("get_products", {"PriceList": [product("p4d.24xlarge", "21.957642")]}, {**asked, "NextToken": "more"})
    with stub:
        assert list_prices(client, EAST) == {"g4dn.xlarge": 526_000, "p4d.24xlarge": 21_957_642}
        stub.assert_no_pending_responses()


def test_a_refusal_of_the_price_list_is_a_refusal() -> None:
    client, stub = stubbed("pricing")
    stub.add_client_error("get_products", "AccessDeniedException", "not authorized to perform: pricing:GetProducts")
    with stub, pytest.raises(ProviderError, match="pricing:GetProducts") as told:
        list_prices(client, EAST)
    assert told.value.error_class is ErrorClass.DENIED


def test_placement_scores_are_told_by_the_accounts_own_names_of_zones() -> None:
    client, stub = stubbed("ec2")
    types = ["g4dn.xlarge", "g5.xlarge", "g6.xlarge"]
    scores = [{"Region": EAST, "AvailabilityZoneId": "use1-az4", "Score": 9},
              {"Region": EAST, "AvailabilityZoneId": "use1-az9", "Score": 1}]  # fmt: skip
    asked = {"InstanceTypes": types, "TargetCapacity": 1, "SingleAvailabilityZone": True, "RegionNames": [EAST]}
    stub.add_response("get_spot_placement_scores", {"SpotPlacementScores": scores}, asked)
    zones = [{"ZoneName": "us-east-1b", "ZoneId": "use1-az4"}]
    stub.add_response("describe_availability_zones", {"AvailabilityZones": zones})
    with stub:
        assert placement_scores(client, types, EAST) == {"us-east-1b": 9, "use1-az9": 1}


# --- on-demand prices that fleet ships


def test_every_price_says_where_it_is_from(tmp_path: Path) -> None:
    kept = PriceCache(tmp_path)
    kept.write("ondemand", {"g4dn.xlarge": 500_000}, 99.0)
    found = on_demand(EAST, kept.read("ondemand"))
    assert (found["g4dn.xlarge"].price, found["g4dn.xlarge"].source, found["g4dn.xlarge"].at) == (
        500_000,
        "price-list",
        99.0,
    )
    assert (found["g5.xlarge"].price, found["g5.xlarge"].source) == (1_006_000, "bundled")
    assert datetime.fromtimestamp(found["g5.xlarge"].at, timezone.utc).year == 2026
    frankfurt = bundled("eu-central-1")
    assert frankfurt["g4dn.xlarge"].source == "bundled"
    assert frankfurt["c5.2xlarge"].source == "estimate"
    assert frankfurt["c5.2xlarge"].price == pytest.approx(388_000, rel=0.12)  # AWS asks $0.388 there
    assert bundled("mars-north-1") == {}
    assert on_demand("mars-north-1", None) == {}


def test_who_is_asked_for_a_regions_prices() -> None:
    assert served_from("eu-west-1") == "us-east-1"
    assert served_from("us-gov-west-1") is None
    assert EAST in known_regions()
    assert [micros(text) for text in ("0.5260000000", "0", "-1", "x", "")] == [526_000, None, None, None, None]


@pytest.mark.skipif(folder() is None, reason="the measured prices are not at hand: ../shared/data")
def test_no_real_spot_price_was_ever_above_the_tables_on_demand_price_and_some_reached_it() -> None:
    """EC2 caps spot at on-demand: two years of real prices show whether the table is right, region by region."""
    highest: dict[tuple[str, str], float] = defaultdict(float)
    traces = folder()
    assert traces is not None
    with gzip.open(traces.parent / "aws-gpu-spot-prices-daily.csv.gz", "rt", newline="") as file:
        for row in csv.DictReader(file):
            key = row["region"], row["instance_type"]
            highest[key] = max(highest[key], float(row["spot_price_usd_per_hour"]) * 1e6)
    assert len(highest) > 150
    shares = {key: price / bundled(key[0])[key[1]].price for key, price in highest.items()}
    assert {key: share for key, share in shares.items() if share > 1.0001} == {}
    assert sum(share > 0.9999 for share in shares.values()) >= 3


# --- what is kept


def test_what_is_kept_is_offered_without_a_call_and_without_the_sdk(nowhere: None, tmp_path: Path) -> None:
    learn(tmp_path)
    code = (
        "import sys; from pathlib import Path; from fleet.providers.aws.offers import offers\n"
        f"cache = Path({str(tmp_path)!r}); found = offers(None, 'us-east-1', cache)\n"
        "print(len(found), *(name for name in ('boto3', 'botocore') if name in sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert told[1:] == []
    assert int(told[0]) == 8 + 8 + 1  # spot and on demand in each zone; p5 on demand only


@pytest.mark.parametrize("harm", ["torn", "empty", "other version", "not an object", "strange prices", "gone"])
def test_a_harmed_cache_is_no_cache(nowhere: None, tmp_path: Path, harm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = learn(tmp_path)
    offered, spot, listed = (made.read(name) for name in ("offered", "spot", "ondemand"))
    assert offered
    assert spot
    assert listed
    for name, part in (("offered", offered), ("spot", spot), ("listed", listed)):
        monkeypatch.setattr(Asking, name, lambda *_, answer=part.data: answer)
    before = offers(None, EAST, tmp_path)
    path = region_cache(tmp_path, None, EAST).folder / "spot.json"
    text = {
        "torn": path.read_text()[:500],
        "empty": "",
        "other version": json.dumps({"v": 99, "at": time.time(), "data": {}}),
        "not an object": "[1]",
        "strange prices": json.dumps({"v": 1, "at": time.time(), "data": {"asked": [], "prices": {"g5.xlarge": 7}}}),
    }
    if harm in text:
        path.write_text(text[harm])
    else:
        path.unlink()
    assert offers(None, EAST, tmp_path) == before


def test_each_part_is_asked_for_again_when_it_is_old_and_not_before(nowhere: None, tmp_path: Path) -> None:
    made = learn(tmp_path, at=1000.0, age=0.0)
    for name in ("offered", "spot", "ondemand"):
        part = made.read(name)
        assert part is not None
        assert part.fresh(name, part.at + LIMITS[name] - 1)
        assert not part.fresh(name, part.at + LIMITS[name] + 1)
        assert not part.fresh(name, part.at - 3600)  # of the future: a clock was wrong


def test_what_cannot_be_asked_anew_is_used_as_it_was_and_said(nowhere: None, tmp_path: Path) -> None:
    learn(tmp_path, age=2 * DAY)
    told = refresh(None, EAST, tmp_path, tries=1)
    assert len(told) == 2
    assert all("what was learned before is used" in one for one in told)
    assert {o.price for o in offers(None, EAST, tmp_path) if o.market is Market.SPOT} == {
        price for zones in PRICES.values() for price in zones.values()
    }


def test_with_nothing_kept_and_nobody_to_ask_it_is_an_error(nowhere: None, tmp_path: Path) -> None:
    with pytest.raises(ProviderError):
        offers(None, EAST, tmp_path)


def test_other_accounts_and_other_clouds_have_other_prices(
    moto: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = region_cache(tmp_path, None, EAST).folder
    assert here.parent.name.startswith("123456789012-")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    assert region_cache(tmp_path, None, EAST).folder == here  # moto knows one account: asked again, the same answer
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    known = PriceCache(tmp_path).read("accounts")
    assert known is not None
    assert len(known.data) == 2
    assert "AWS_ACCESS_KEY_ID" not in json.dumps(known.data)


def test_who_the_prices_are_for_is_asked_again_after_a_day_and_remembered_if_nobody_answers(
    nowhere: None, tmp_path: Path
) -> None:
    kept = PriceCache(tmp_path)
    with pytest.raises(ProviderError, match="GetCallerIdentity"):
        region_cache(tmp_path, None, EAST)
    kept.write("accounts", {fingerprint(): ["123", time.time() - 9 * DAY]}, 0.0)
    assert region_cache(tmp_path, None, EAST).folder.parent.name.startswith("123-")
    harms: list[Any] = [7, [], {fingerprint(): []}, {fingerprint(): "x"}]
    for harm in harms:
        kept.write("accounts", harm, 0.0)
        with pytest.raises(ProviderError, match="GetCallerIdentity"):
            region_cache(tmp_path, None, EAST)


def test_a_folder_that_takes_nothing_does_not_end_a_look(moto: Moto, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = PriceCache(tmp_path / "file")
    kept.write("spot", {}, 0.0)
    assert kept.read("spot") is None


def test_ages_are_told_in_one_unit() -> None:
    assert [told_age(s) for s in (3, 240, 7100, 3 * 3600, 47 * 3600, 9 * DAY)] == [
        "just now", "4m old", "118m old", "3h old", "47h old", "9d old",
    ]  # fmt: skip


def test_a_line_is_cut_at_the_price_in_force() -> None:
    line = [(1.0, 10), (5.0, 20), (9.0, 30)]
    assert cut(line, 6.0) == [(6.0, 20), (9.0, 30)]
    assert cut(line, 5.0) == [(5.0, 20), (9.0, 30)]
    assert cut(line, 0.0) == line
    assert cut([], 6.0) == []
