"""One round over several fleets, as cron makes it: each has its turn, and what went wrong is said at the end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fleet.control import prices, watching
from fleet.control.home import Home
from fleet.control.prices import refresh_old_prices
from fleet.control.shops import FRESH
from fleet.control.watching import watch
from fleet.model.errors import FleetError
from fleet.model.job import Job
from fleet.model.setup import AwsRegion, AwsSetup
from fleet.providers.aws.pricecache import region_cache
from tests.unit.core.world import folded

REGION = "us-east-1"


class Controller:
    """What a round needs of one, and the order of what happened."""

    def __init__(self, happened: list[str], name: str, infra: str = "local", **troubles: str) -> None:
        self.happened, self.name, self.troubles = happened, name, troubles
        self.state = folded([{"run-created": {"resources": {"infra": infra}}}])
        self.objects: Any = self
        self.observer = self
        self.providers: dict[str, Any] = {}
        self.url = f"s3://{name}"
        self.read_only = ""
        self.fails = ""

    def now(self) -> float:
        return 1000.0

    def tick(self) -> None:
        self.happened.append(f"tick {self.name}")
        if self.fails:
            raise FleetError(self.fails)


@pytest.fixture
def happened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    made: list[str] = []

    def refresh(_home: Any, objects: Any, _job: Any) -> tuple[str, ...]:
        made.append(f"prices {objects.name}")
        return ()

    monkeypatch.setattr(watching, "refresh_old_prices", refresh)
    return made


def once(*controllers: Any) -> list[str]:
    said: list[str] = []
    watch(controllers, once=True, on_word=said.append)
    return said


def test_prices_come_before_the_round_that_may_launch_by_them(happened: list[str]) -> None:
    once(Controller(happened, "a", "aws"), Controller(happened, "b"))
    assert happened == ["prices a", "tick a", "tick b"]


def test_one_fleets_trouble_keeps_no_other_from_its_turn(happened: list[str]) -> None:
    first, second, third = (Controller(happened, name) for name in "abc")
    first.fails, second.fails = "the bucket is out of reach", "so is this"
    with pytest.raises(FleetError, match="out of reach"):
        once(first, second, third)
    assert happened == ["tick a", "tick b", "tick c"]
    said: list[str] = []
    with pytest.raises(FleetError):
        watch([first, second], once=True, on_word=said.append)  # type: ignore[list-item]
    assert said == ["so is this"]


def test_who_could_not_see_or_act_does_not_say_that_all_is_well(happened: list[str]) -> None:
    with pytest.raises(FleetError, match="credentials: they have expired"):
        once(Controller(happened, "a", "aws", **{"aws/us-east-1": "credentials: they have expired"}))
    newer = Controller(happened, "b")
    newer.read_only = "upgrade to at least 9"
    with pytest.raises(FleetError, match="upgrade"):
        once(newer)


def test_that_another_computers_machines_are_out_of_sight_is_said_only_if_a_run_needs_them(happened: list[str]) -> None:
    elsewhere = {"local/local": "transient: this fleet's local machines live elsewhere"}
    assert once(Controller(happened, "a", "aws", **elsewhere)) == []
    with pytest.raises(FleetError, match="live elsewhere"):
        once(Controller(happened, "b", "local", **elsewhere))


@pytest.mark.parametrize(
    ("age", "types", "asked"),
    [
        (None, [], True),
        (60.0, [], False),
        (FRESH - 1.0, ["m7i.large"], False),
        (FRESH + 1.0, [], True),
        (60.0, ["m7i.large", "x1e.xlarge"], True),
    ],
)
def test_a_round_fetches_prices_that_are_older_than_an_hour_or_lack_a_type_that_is_wanted(
    home: Home, monkeypatch: pytest.MonkeyPatch, age: float | None, types: list[str], asked: bool
) -> None:
    place = AwsRegion(region=REGION, security_group="sg", launch_template="lt", template_version="1")
    setup = AwsSetup(
        fleet_id="f", account="123456789012", bucket="b", bucket_region=REGION, instance_profile="p", made_at=0,
        regions={REGION: place},
    )  # fmt: skip
    calls: list[str] = []
    monkeypatch.setattr(prices, "aws_setup", lambda _objects: setup)
    monkeypatch.setattr(prices, "refresh_prices", lambda _home, _objects, job: calls.append(job.name))
    if age is not None:
        region_cache(home.cache / "aws", setup, REGION).write("spot", {"asked": ["m7i.large"], "prices": {}}, 10_000.0 - age)
    wish = {"infra": f"aws/{REGION}", "instance_type": types}
    job = Job.model_validate({"name": "racer", "run": "true", "resources": wish})
    bucket: Any = SimpleNamespace(url="s3://b")
    refresh_old_prices(home, bucket, job, now=lambda: 10_000.0)
    assert calls == (["racer"] if asked else [])


def test_a_run_of_this_computer_asks_for_no_prices(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices, "aws_setup", lambda _objects: None)
    monkeypatch.setattr(prices, "refresh_prices", lambda *_: pytest.fail("asked"))
    refresh_old_prices(home, object(), Job(name="a", run="true"))  # type: ignore[arg-type]
