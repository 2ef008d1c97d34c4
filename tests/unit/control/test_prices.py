"""What is said of prices before anything is spent, and how they are kept fresh."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.control import prices
from fleet.control.home import Home
from fleet.control.prices import PriceWatch, low_bid, refresh_prices
from fleet.control.shops import FRESH
from fleet.model.errors import FleetError
from fleet.model.job import Job
from fleet.model.setup import AwsRegion, AwsSetup
from fleet.providers.aws import offers, session
from tests.aws.ground import shelf
from tests.unit.core.world import folded


def resources(**fields: Any) -> Any:
    return Job.model_validate({"name": "a", "run": "true", "resources": {"infra": "aws/us-east-1", **fields}}).resources


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"max_price": "$0.20"}, True),
        ({"max_price": "$0.60"}, False),
        ({}, False),
        ({"max_price": "$0.20", "market": "on-demand"}, False),
        ({"max_price": "$0.40", "instance_type": "c5.2xlarge"}, False),
    ],
)
def test_a_bid_below_the_price_on_demand_is_said_to_cost_interruptions(fields: dict[str, Any], said: bool) -> None:
    told = list(low_bid(resources(**fields), shelf()))
    assert bool(told) is said
    assert all("taken back more often" in one for one in told)


class Clock:
    """A controller, as far as prices are concerned."""

    def __init__(self, infra: str) -> None:
        self.state = folded([{"run-created": {"resources": {"infra": infra}}}])
        self.objects = self
        self.at = 1000.0

    def now(self) -> float:
        return self.at


def test_prices_are_fetched_each_hour_while_a_run_needs_them(home: Home) -> None:
    asked: list[str] = []
    clock: Any = Clock("aws/us-east-1")

    def refresh(_home: Home, _objects: Any, job: Job) -> tuple[str, ...]:
        asked.append(job.name)
        if len(asked) == 2:
            raise FleetError("the cloud does not answer")
        return ()

    watch = PriceWatch(lambda: home, refresh)
    for step in (0, FRESH - 1, 1, FRESH):
        clock.at += step
        watch.look(clock)
    assert asked == ["racer"] * 3  # at once, after an hour (in vain), after another


def test_runs_of_this_computer_need_no_clouds_prices_and_no_home() -> None:
    clock: Any = Clock("local")
    PriceWatch(lambda: pytest.fail("opened"), lambda *_: pytest.fail("asked")).look(clock)


def test_a_full_disk_ends_nobody_who_keeps_runs_alive(home: Home) -> None:
    def refresh(*_: Any) -> tuple[str, ...]:
        raise OSError(28, "No space left on device")

    clock: Any = Clock("aws/us-east-1")
    PriceWatch(lambda: home, refresh).look(clock)


def test_each_fleets_prices_are_asked_for_with_its_own_profile(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """One process looks after fleets of several accounts, and the last one's profile was in force."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    place = AwsRegion(region="us-east-1", security_group="sg", launch_template="lt", template_version="1")
    setup = AwsSetup(
        fleet_id="f", account="1", bucket="b", bucket_region="us-east-1", instance_profile="p", made_at=0,
        regions={"us-east-1": place},
    )  # fmt: skip
    asked: list[str | None] = []
    monkeypatch.setattr(prices, "aws_setup", lambda _objects: setup)
    monkeypatch.setattr(session, "_BY_DEFAULT", ["another"])

    def refresh(*_: Any) -> tuple[str, ...]:
        asked.extend(session._BY_DEFAULT)
        return ()

    monkeypatch.setattr(offers, "refresh", refresh)
    home.remember_aws("s3://mine", "work", ["us-east-1"])
    job = Job.model_validate({"name": "a", "run": "true", "resources": {"infra": "aws"}})
    refresh_prices(home, type("Bucket", (), {"url": "s3://mine"})(), job)
    assert asked == ["work"]


def test_a_region_without_prices_keeps_no_other_from_its_own(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    regions = ("eu-west-1", "us-east-1")
    places = {one: AwsRegion(region=one, security_group="s", launch_template="l", template_version="1") for one in regions}
    setup = AwsSetup(
        fleet_id="f", account="1", bucket="b", bucket_region="us-east-1", instance_profile="p", made_at=0, regions=places
    )
    broken = ["eu-west-1"]
    asked: list[str] = []

    def refresh(_setup: Any, region: str, *_: Any) -> tuple[str, ...]:
        asked.append(region)
        if region in broken:
            raise FleetError("it does not answer")
        return ()

    monkeypatch.setattr(prices, "aws_setup", lambda _objects: setup)
    monkeypatch.setattr(offers, "refresh", refresh)
    job = Job.model_validate({"name": "a", "run": "true", "resources": {"infra": "aws"}})
    bucket: Any = type("Bucket", (), {"url": "s3://mine"})()
    assert refresh_prices(home, bucket, job) == ("eu-west-1 has no prices: it does not answer",)
    assert asked == list(regions)
    broken.append("us-east-1")
    with pytest.raises(FleetError, match="does not answer"):
        refresh_prices(home, bucket, job)
