"""What a plan tells besides the offers: what comes on top of a machine, and what earlier runs got for their money."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import pytest

from fleet.cli.plan import plan_object
from fleet.cli.up import spending
from fleet.control.offering import Beside, NothingFitsError, Plan, offering
from fleet.core.state import FleetState
from fleet.model.cloud import Capabilities, Offer
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.aws.rates import aws_rates
from fleet.providers.base import Provider
from tests.unit.core.world import folded, job, offer


class Shop:
    """A provider that only sells."""

    def __init__(self, name: str, offers: Sequence[Offer], address: int = 5000) -> None:
        self.name, self._offers = name, offers
        self.capabilities = Capabilities(
            notice_seconds=120, visible_within=60, volume_price=80_000, volume_prices={"eu-south-1": 92_000},
            address_price=address,
        )  # fmt: skip

    def offers(self) -> Iterable[Offer]:
        return self._offers


def planned(shop: Shop, state: FleetState | None = None, now: float = 1000.0, **fields: Any) -> Plan:
    wishes = job({"resources": {"infra": shop.name, **fields.pop("resources", {})}, "volume": {"size": "500GB"}, **fields})
    return offering(state or FleetState(), [cast("Provider", shop)], wishes, now)


def in_region(region: str) -> list[Offer]:
    sold = offer("a-small-spot")
    return [sold.model_copy(update={"provider": "aws", "region": region, "zone": f"{region}a"})]


@pytest.mark.parametrize(("region", "gb_month"), [("us-east-1", 80_000), ("eu-south-1", 92_000)])
def test_volume_address_and_root_disk_are_told_at_the_prices_of_the_region(region: str, gb_month: int) -> None:
    rates = aws_rates().at(region)
    beside = planned(Shop("aws", in_region(region))).beside
    assert beside.volume == round(500 * gb_month / 730)
    assert (beside.address, beside.root_gb) == (5000, rates.root_gb)
    assert beside.root_disk == pytest.approx(rates.root_gb * rates.root_gb_month / 730, abs=1)
    assert beside.hourly == beside.volume + beside.machine
    assert beside.listed.startswith(str(rates.of))


def test_a_job_that_asks_for_a_larger_root_disk_pays_for_it_and_without_an_address_for_none() -> None:
    beside = planned(Shop("aws", in_region("us-east-1"), address=0), resources={"disk_size": "200GB"}).beside
    assert (beside.address, beside.root_gb) == (0, 200)
    assert beside.root_disk == pytest.approx(200 * 80_000 / 730, abs=1)


def test_a_provider_without_a_list_says_itself_what_an_address_costs() -> None:
    beside = planned(Shop("sim", [offer("a-small-spot")], address=700)).beside
    assert beside == Beside(volume=round(500 * 80_000 / 730), address=700, root_disk=0, root_gb=0)


EARLIER: list[dict[str, Any]] = [
    {"run-created": {"at": 0}},
    {"launch-intended": {"at": 0}},
    {"launch-succeeded": {"at": 0}},
    {"attempt-began": {"at": 100}},
    {"attempt-resumed": {"at": 100, "trained": 0.0}},
    {"attempt-gone": {"at": 3600, "step": 3500, "trained": 3500.0, "ended_by": "itself"}},
]


def test_what_earlier_runs_got_is_told_without_machines_of_which_it_is_not_known_yet() -> None:
    living = [{"launch-intended": {"attempt": 2, "at": 5000}}, {"launch-succeeded": {"attempt": 2, "at": 5000}}]
    plan = planned(Shop("sim", [offer("a-small-spot")]), folded([*EARLIER, *living]), now=90_000.0)
    (one,) = plan.bought
    assert (one.steps, one.paid, one.seconds) == (3500, 100_000, 3600)
    assert [one for _, some in plan.weeks for one in some] == [one]


def test_what_was_got_long_ago_is_not_told() -> None:
    ended = {"run-ended": {"at": 3700, "outcome": "succeeded"}}
    plan = planned(Shop("sim", [offer("a-small-spot")]), folded([*EARLIER, ended]), now=1e8)
    assert (plan.bought, plan.weeks) == ((), ())


def test_a_budget_that_lets_no_machine_be_launched_is_told_before_anything_is_started() -> None:
    shop = Shop("sim", [offer("a-small-spot")])
    told = planned(shop, budget={"day": "$1", "time_zone": "UTC"})
    assert told.waits == (
        "the budget of $1.00 for a day lets no machine run: "
        "its disks come to $1.32, and 20m00s of a machine may come to $0.10"
    )
    assert spending(told).startswith(f"It waits: {told.waits}.")
    assert plan_object(told)["notes"] == [f"it would wait: {told.waits}"]
    fleets = folded([{"budget-set": {"day": 1_300_000}}])
    assert planned(shop, fleets).waits.startswith("the fleet's budget of $1.30 for a day")
    assert planned(shop, budget={"day": "$10", "time_zone": "UTC"}).waits == ""
    assert spending(planned(shop)).startswith("It begins on")


class Silent(Shop):
    """A provider that cannot be asked."""

    def offers(self) -> Iterable[Offer]:
        raise ProviderError(ErrorClass.CREDENTIALS, "RefreshError", "no Google credentials", "Log in.")


def over_both(*shops: Shop) -> Plan:
    wishes = job({"resources": {"any_of": [{"infra": "aws"}, {"infra": "gcp"}]}})
    return offering(FleetState(), [cast("Provider", shop) for shop in shops], wishes, 1000.0)


def test_a_cloud_that_cannot_be_asked_hides_no_other_and_is_named() -> None:
    amazon = Shop("aws", in_region("us-east-1"))
    found = over_both(amazon, Silent("gcp", ()))
    assert [one.offer.provider for one in found.offers] == ["aws"]
    assert found.notes == ("gcp tells no offers now: no Google credentials",)
    assert over_both(amazon).notes == ("gcp is left out: `fleet init gcp` sets this fleet up there",)
    with pytest.raises(ProviderError, match="no Google credentials"):
        over_both(Silent("gcp", ()))
    with pytest.raises(NothingFitsError, match=r"(?s)no offer fits.*gcp tells no offers now"):
        over_both(Shop("aws", ()), Silent("gcp", ()))


def test_the_cheaper_cloud_is_chosen() -> None:
    google = [
        offer("a-small-spot@50000").model_copy(update={"provider": "gcp", "region": "us-east-1", "zone": "us-east-1a"})
    ]
    found = over_both(Shop("aws", in_region("us-east-1")), Shop("gcp", google))
    assert [(one.offer.provider, one.chosen) for one in found.offers] == [("gcp", True), ("aws", False)]
    assert found.notes == ()
