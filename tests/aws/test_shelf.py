"""What a function knows of prices: nothing at first, then what a few calls tell; while nothing is bought none is made."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from fleet.control.prices import A_REGION, TOO_OLD, Shelf
from fleet.control.shops import FRESH
from fleet.core.state import AttemptState, FleetState, RunState
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.cloud import Market, NewVolume, PriceSince
from fleet.model.errors import ErrorClass, ProviderError
from fleet.model.job import Job
from fleet.providers.aws.provider import AwsProvider
from fleet.store.files import FileObjects
from tests.aws.bench import Rig
from tests.aws.ground import REGION, offer

PRICING = {"DescribeInstanceTypeOfferings", "DescribeSpotPriceHistory", "DescribeInstanceTypes", "GetProducts"}


class Bucket(FileObjects):
    """A folder that says that it is a bucket of Amazon's."""

    url = "s3://bucket"


class Shop:
    """A shelf in an account, for some runs."""

    def __init__(self, rig: Rig, folder: Path) -> None:
        self.rig, self.now = rig, time.time()
        self.state = FleetState(fleet_id="f1")
        self.bucket = Bucket(folder / "bucket", lambda: self.now)
        self.bucket.put(layout.AWS_SETUP, document_bytes(rig.setup))
        self.shelf = Shelf(folder / "aws", lambda: self.state, lambda: self.now)

    def wants(self, *types: str, **more: Any) -> None:
        resources = {"infra": "aws", "instance_type": list(types)} if types else {"infra": "aws"}
        job = Job.model_validate({"name": "racer", "run": "true", "resources": resources})
        run = RunState(run_id="r-1", name="racer", job=job, workdir_key=None, created_at=0.0, **more)
        self.state = FleetState(fleet_id="f1", runs={"r-1": run})

    def asked(self) -> list[str]:
        """Which calls for prices were made since the last question."""
        found = [one for one in self.rig.proxy.actions() if one in PRICING]
        self.rig.proxy.forget()
        return found


@pytest.fixture
def shop(rig: Rig, tmp_path: Path) -> Shop:
    made = Shop(rig, tmp_path)
    made.wants("g4dn.xlarge")
    return made


def test_prices_are_had_in_a_few_calls_and_then_for_hours_in_none(shop: Shop) -> None:
    found = {one.instance_type for one in shop.shelf.shop(shop.rig.setup, REGION)}
    assert "g4dn.xlarge" in found
    first = shop.asked()
    assert set(first) <= {"DescribeInstanceTypeOfferings", "DescribeSpotPriceHistory"}  # the table serves for the rest
    assert len(first) <= 5
    shop.now += TOO_OLD
    assert {one.instance_type for one in shop.shelf.shop(shop.rig.setup, REGION)} == found
    assert shop.asked() == []
    shop.now += 1
    shop.shelf.shop(shop.rig.setup, REGION)
    assert "DescribeSpotPriceHistory" in shop.asked()


def test_a_type_that_a_new_job_names_is_asked_for(shop: Shop) -> None:
    shop.shelf.shop(shop.rig.setup, REGION)
    shop.asked()
    shop.wants("t3.nano", "none.such")
    found = {one.instance_type for one in shop.shelf.shop(shop.rig.setup, REGION)}
    assert {"t3.nano", "g4dn.xlarge"} <= found
    assert "none.such" not in found
    assert {"DescribeInstanceTypeOfferings", "DescribeSpotPriceHistory"} <= set(shop.asked())
    shop.shelf.shop(shop.rig.setup, REGION)
    assert shop.asked() == []  # that there is none is known


def test_a_region_that_no_job_may_go_to_is_not_asked(shop: Shop) -> None:
    here = shop.rig.setup.regions[REGION]
    setup = shop.rig.setup.model_copy(update={"regions": {REGION: here, "eu-west-1": here}})
    job = Job.model_validate({"name": "racer", "run": "true", "resources": {"infra": f"aws/{REGION}"}})
    run = RunState(run_id="r-1", name="racer", job=job, workdir_key=None, created_at=0.0)
    shop.state = FleetState(fleet_id="f1", runs={"r-1": run})
    assert list(shop.shelf.shop(setup, "eu-west-1")) == []
    assert shop.asked() == []
    assert list(shop.shelf.shop(setup, REGION)) != []


def test_beside_the_ticks_they_are_fetched_each_hour_while_a_run_may_buy(shop: Shop) -> None:
    shop.shelf.freshen(shop.bucket)
    assert shop.asked() != []
    shop.now += FRESH - 1
    shop.shelf.freshen(shop.bucket)
    assert shop.asked() == []
    shop.now += 1
    shop.shelf.freshen(shop.bucket)
    assert shop.asked() == ["DescribeSpotPriceHistory"] * 2  # where types are sold does not change within the hour
    shop.wants("g4dn.xlarge", ended_at=5.0, outcome="succeeded")
    shop.now += FRESH
    shop.shelf.freshen(shop.bucket)
    assert shop.asked() == []


def test_what_a_call_has_no_time_for_is_fetched_by_the_next_one(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    here = shop.rig.setup.regions[REGION]
    regions = {name: here.model_copy(update={"region": name}) for name in ("eu-west-1", "eu-west-2", REGION)}
    shop.bucket.put(layout.AWS_SETUP, document_bytes(shop.rig.setup.model_copy(update={"regions": regions})))
    remains, fetched = 0.0, list[str]()

    def fetch(_setup: Any, region: str, _types: Any) -> None:
        nonlocal remains
        remains -= 10
        fetched.append(region)
        if region == "eu-west-2":
            raise ProviderError(ErrorClass.TRANSIENT, "ReadTimeout", "no answer")

    monkeypatch.setattr(shop.shelf, "_fetch", fetch)

    def call(seconds: float) -> list[str]:
        nonlocal remains
        remains = seconds
        fetched.clear()
        shop.shelf.freshen(shop.bucket, lambda: remains)
        shop.now += 60
        return fetched.copy()

    assert call(A_REGION + 5) == ["eu-west-1"]
    assert call(A_REGION - 1) == []
    assert call(A_REGION + 15) == ["eu-west-2", REGION]  # one that fails keeps the next from nothing
    assert call(1000) == []
    shop.now += FRESH
    assert call(A_REGION - 1) == []
    assert call(1000) == ["eu-west-1", "eu-west-2", REGION]


def test_a_cloud_that_tells_no_prices_keeps_nothing_from_its_work(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.rig.proxy.error("DescribeInstanceTypeOfferings", "UnauthorizedOperation", status=403, times=2)
    shop.shelf.freshen(shop.bucket)
    with pytest.raises(ProviderError) as told:
        shop.shelf.shop(shop.rig.setup, REGION)
    assert told.value.error_class is ErrorClass.DENIED


def attempt(**more: Any) -> AttemptState:
    fields: dict[str, Any] = {
        "number": 1,
        "phase": "running",
        "try_no": 1,
        "token": "t",
        "offers": (offer(), offer("c5.2xlarge")),
        "volume": NewVolume(size_gb=1),
        "predecessor": None,
        "why": "",
        "intended_at": 0.0,
        "instance_id": "i-1",
    }
    return AttemptState.model_validate({**fields, **more})


def test_what_is_looked_at_costs_what_its_launch_said_and_nobody_is_asked(shop: Shop) -> None:
    paid = (PriceSince(at=0.0, price=158_000), PriceSince(at=9.0, price=170_000))
    shop.wants("g4dn.xlarge", attempts={1: attempt(offer=offer(), prices=paid)})
    known = {one.key: one.price for one in shop.shelf.book(REGION)}
    assert known == {offer().key: 170_000, offer("c5.2xlarge").key: offer("c5.2xlarge").price}
    assert shop.shelf.book("eu-west-1") == []
    provider = AwsProvider("f1", shop.rig.setup, shop.rig.cache, shop=_nobody, book=shop.shelf.book)
    made = provider.launch(shop.rig.request(offer(market=Market.SPOT)))
    listed = {one.instance_id: one.offer.price for one in provider.list(REGION).instances}
    assert listed == {made.instance_id: 170_000}
    assert shop.asked() == []


def _nobody(_region: str) -> list[Any]:
    raise AssertionError("a look needs no offers")
