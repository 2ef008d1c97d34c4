"""What a job allows, by its resources or any of its alternatives."""

from __future__ import annotations

import pytest

from fleet.core.allowed import alternatives, bid, described, fitting, providers_of, wanted_now
from fleet.model.cloud import Market, Offer
from fleet.model.job import Resources


def offer(kind: str = "small", *, spot: bool = True, price: int = 100, accelerators: tuple[str, ...] = ()) -> Offer:
    return Offer(
        provider="local",
        region="here",
        zone="here-a",
        instance_type=kind,
        market=Market.SPOT if spot else Market.ON_DEMAND,
        price=price,
        on_demand_price=300,
        accelerators=accelerators,
    )


def resources(**fields: object) -> Resources:
    return Resources.model_validate(fields)


def test_without_alternatives_the_resources_are_the_only_one() -> None:
    assert alternatives(resources(market="spot")) == (resources(market="spot"),)


def test_an_alternative_replaces_what_it_says_and_keeps_the_rest() -> None:
    found = alternatives(
        resources(market="spot", max_price=100, any_of=[{"instance_type": "a"}, {"instance_type": "b", "max_price": 200}])
    )
    assert [(one.market, one.instance_type, one.max_price) for one in found] == [
        ("spot", ("a",), 100),
        ("spot", ("b",), 200),
    ]


def test_an_offer_fits_if_any_alternative_takes_it() -> None:
    wish = resources(any_of=[{"instance_type": "a", "market": "spot"}, {"instance_type": "b", "market": "on-demand"}])
    assert fitting(offer("a"), wish)
    assert not fitting(offer("a", spot=False), wish)
    assert fitting(offer("b", spot=False), wish)
    assert not fitting(offer("c"), wish)


@pytest.mark.parametrize(
    ("wanted", "have", "fits"),
    [
        ("K80", ("K80",), True),
        ("k80", ("K80",), True),
        ("K80:2", ("K80",), False),
        ("K80:2", ("K80", "K80", "K80"), True),
        ("T4", ("K80",), False),
        ("K80", (), False),
    ],
)
def test_accelerators_are_counted(wanted: str, have: tuple[str, ...], fits: bool) -> None:
    assert bool(fitting(offer(accelerators=have), resources(accelerators=wanted))) is fits


def test_on_demand_waits_for_spot_unless_an_alternative_wants_it() -> None:
    spot, dear = offer(), offer(spot=False)
    assert wanted_now([spot, dear], resources()) == [spot]
    assert wanted_now([dear], resources()) == [dear]
    assert wanted_now([spot, dear], resources(any_of=[{"market": "spot"}, {"market": "on-demand"}])) == [spot, dear]


def test_the_bid_is_the_highest_that_an_alternative_allows() -> None:
    wish = resources(any_of=[{"max_price": 150}, {"max_price": 250}])
    assert bid(offer(price=100), wish) == 250
    assert bid(offer(price=200), wish) == 250
    assert bid(offer(price=100), resources(any_of=[{"max_price": 150}, {"market": "spot"}])) is None


def test_the_limits_are_told_in_words() -> None:
    wish = resources(any_of=[{"market": "spot", "accelerators": "K80:2"}, {"max_price": 500_000}])
    assert (
        described(wish) == "infra local; market spot; accelerators K80:2 or infra local; market spot-first; max_price $0.50"
    )
    assert providers_of(wish) == {"local"}


@pytest.mark.parametrize(
    ("wish", "fits"),
    [
        ({"instance_type": "n1-standard-4", "accelerators": "T4:1"}, True),
        ({"instance_type": "n1-standard-4", "accelerators": "T4:2"}, False),
        ({"instance_type": "n1-standard-4", "accelerators": "V100"}, False),
        ({"instance_type": "n1-standard-4+1xT4"}, True),
        ({"instance_type": "n1-standard-4"}, False),  # a bare one: nobody asked for what is put in
        ({"instance_type": "n1-standard-8", "accelerators": "T4"}, False),
        ({"accelerators": "t4"}, True),
    ],
)
def test_a_bare_types_name_means_it_with_what_is_put_into_it_where_that_is_asked_for(
    wish: dict[str, object], fits: bool
) -> None:
    assert bool(fitting(offer("n1-standard-4+1xT4", accelerators=("T4",)), resources(**wish))) is fits
    assert bool(fitting(offer("n1-standard-4"), resources(instance_type="n1-standard-4")))
