"""Types that are not to be had: why, and what serves instead at which price."""

from __future__ import annotations

from fleet.model.cloud import Market, Offer
from fleet.providers.aws.catalog import accelerators_of
from fleet.providers.aws.missing import explain_missing


def offer(name: str, price: int, zone: str = "us-east-1a", market: Market = Market.SPOT) -> Offer:
    return Offer(
        provider="aws",
        region=zone[:-1],
        zone=zone,
        instance_type=name,
        market=market,
        price=price,
        on_demand_price=526_000,
        accelerators=accelerators_of(name),
    )


SOLD = [
    offer("g4dn.xlarge", 200_000),
    offer("g4dn.xlarge", 158_100, "us-east-1b"),
    offer("g4dn.xlarge", 526_000, market=Market.ON_DEMAND),
    offer("g6.xlarge", 400_000),
    offer("g4dn.12xlarge", 1_500_000),
    offer("c6i.2xlarge", 150_000),
]


def test_a_type_that_is_gone_names_successors_with_the_cheapest_price() -> None:
    (found,) = explain_missing(["g3s.xlarge"], None, SOLD)
    assert found.told == (
        "g3s.xlarge: AWS retired it with its M60 (2025-10-31), and it is not offered in us-east-1. "
        "Instead: g4dn.xlarge (T4) from $0.16/h (spot, us-east-1b); g6.xlarge (L4) from $0.40/h (spot, us-east-1a)"
    )
    assert [one.instance_type for one in found.instead] == ["g4dn.xlarge", "g5.xlarge", "g6.xlarge"]
    assert [one.offer is None for one in found.instead] == [False, True, False]


def test_an_accelerator_that_is_gone_names_them_too_and_several_devices_are_counted() -> None:
    (found,) = explain_missing([], "k80:2", SOLD)
    assert "p2.xlarge, p2.8xlarge, p2.16xlarge; 2024" in found.told
    assert "g4dn.xlarge (T4) from $0.16/h" in found.told
    (found,) = explain_missing(["g3.8xlarge"], None, SOLD)
    assert "g4dn.12xlarge (4 T4) from $1.50/h" in found.told


def test_where_nothing_that_serves_is_offered_either_that_is_said() -> None:
    (found,) = explain_missing(["p2.xlarge"], None, [], ["eu-west-1", "eu-west-2"])
    assert "not offered in eu-west-1, eu-west-2. Instead there would be g4dn.xlarge, g5.xlarge, g6.xlarge" in found.told
    assert "none is offered there" in found.told


def test_a_type_that_another_zone_or_region_has_names_what_is_alike() -> None:
    (found,) = explain_missing(["gr6.4xlarge"], None, [*SOLD, offer("g6.4xlarge", 700_000)])
    assert (
        "it is not offered in us-east-1. Instead: g6.xlarge (L4) from $0.40/h (spot, us-east-1a); g6.4xlarge" in found.told
    )
    (found,) = explain_missing(["c5.2xlarge"], None, SOLD)
    assert "Instead: c6i.2xlarge from $0.15/h" in found.told


def test_a_slip_of_the_pen_names_the_nearest() -> None:
    assert [one.told for one in explain_missing(["g4dn.xlagre"], None, SOLD)] == [
        "g4dn.xlagre: EC2 offers no such type in us-east-1; did you mean 'g4dn.xlarge'?"
    ]
    (found,) = explain_missing([], "L44", SOLD)
    assert found.told.endswith("did you mean 'L4'?")
    (found,) = explain_missing([], "Quantum", SOLD)
    assert found.told.endswith("there are L4, T4")


def test_what_is_offered_is_not_missing() -> None:
    assert explain_missing(["g4dn.xlarge"], "t4:8", SOLD) == ()
    (found,) = explain_missing(["g4dn.xlarge"], "A10G", SOLD)
    assert found.told == "A10G: no type that has it is offered in us-east-1"
    assert "the regions that were looked at" in explain_missing(["c5.large"], None, [])[0].told
