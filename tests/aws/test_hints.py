"""What EC2 tells of pools beside prices, as placement uses it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from fleet.control.hints import HintWatch, pool_hints
from fleet.core.survival import Hints
from fleet.model.cloud import Market, Offer
from fleet.model.errors import StoreError
from fleet.model.setup import AwsSetup
from fleet.providers.aws.pricecache import region_cache
from tests.aws.priced import ACCOUNT, learn

SETUP = AwsSetup(
    fleet_id="f", account=ACCOUNT, bucket="b", bucket_region="us-east-1", instance_profile="p", made_at=0.0
)  # fmt: skip


def offer(kind: str, zone: str = "us-east-1a", provider: str = "aws", market: Market = Market.SPOT) -> Offer:
    where = {"provider": provider, "region": "us-east-1", "zone": zone, "instance_type": kind, "market": market}
    return Offer(**where, price=1, on_demand_price=3)


OFFERS = [offer("g4dn.xlarge"), offer("g4dn.xlarge", "us-east-1b"), offer("g5.xlarge"), offer("g6.xlarge")]


def scored(cache: Path, at: float, data: object) -> None:
    region_cache(cache, SETUP, "us-east-1").write("scores", data, at)


def test_bands_and_scores_are_told_by_pool(tmp_path: Path) -> None:
    learn(tmp_path)
    now = time.time()
    scored(tmp_path, now - 60, {"for": "g4dn.xlarge,g6.xlarge", "zones": {"us-east-1a": 9}})
    assert pool_hints(tmp_path, SETUP, OFFERS, now) == {
        "aws/us-east-1/us-east-1a/g4dn.xlarge": Hints(1, "5-10%", 9),
        "aws/us-east-1/us-east-1b/g4dn.xlarge": Hints(1, "5-10%"),
        "aws/us-east-1/us-east-1a/g5.xlarge": Hints(4, ">20%"),
        "aws/us-east-1/us-east-1a/g6.xlarge": Hints(score=9),
    }


@pytest.mark.parametrize("data", [{"for": "g6.xlarge"}, {"zones": {"us-east-1a": 9}}, [], {"for": "g6.xlarge", "zones": 7}])
def test_scores_that_are_torn_are_not_there(tmp_path: Path, data: object) -> None:
    learn(tmp_path)
    scored(tmp_path, time.time(), data)
    assert "aws/us-east-1/us-east-1a/g6.xlarge" not in pool_hints(tmp_path, SETUP, OFFERS, time.time())


def test_yesterdays_scores_say_nothing_of_today(tmp_path: Path) -> None:
    learn(tmp_path)
    scored(tmp_path, time.time() - 90_000, {"for": "g6.xlarge", "zones": {"us-east-1a": 9}})
    assert "aws/us-east-1/us-east-1a/g6.xlarge" not in pool_hints(tmp_path, SETUP, OFFERS, time.time())


def test_other_providers_and_on_demand_have_none(tmp_path: Path) -> None:
    learn(tmp_path)
    others: Iterable[Offer] = [offer("g4dn.xlarge", provider="sim"), offer("g4dn.xlarge", market=Market.ON_DEMAND)]
    assert pool_hints(tmp_path, SETUP, others, time.time()) == {}


def test_a_controller_reads_them_once_an_hour_and_does_without(tmp_path: Path) -> None:
    asked: list[int] = []

    def setup() -> AwsSetup | None:
        asked.append(1)
        if len(asked) == 1:
            raise StoreError("the bucket does not answer")
        return SETUP

    learn(tmp_path)
    watch = HintWatch(tmp_path, setup)
    assert watch("aws", OFFERS, 1000.0) == {}
    assert watch("aws", OFFERS, 2000.0) == {}
    assert len(watch("aws", OFFERS, 5000.0)) == 3
    assert len(asked) == 2
