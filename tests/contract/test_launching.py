"""The contract of launching, listing and ending (fleet/providers/base.py)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from fleet.model.cloud import InstanceState, Market
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.base import Provider
from tests.contract.benches import Desk


def test_it_is_a_provider(desk: Desk) -> None:
    assert isinstance(desk.provider, Provider)
    assert desk.provider.capabilities.notice_seconds > 0


def test_offers_are_distinct_priced_and_of_this_provider(desk: Desk) -> None:
    offers = desk.provider.offers()
    assert {o.market for o in offers} == {Market.SPOT, Market.ON_DEMAND}
    assert len({o.key for o in offers}) == len(offers)
    assert all(o.provider == desk.provider.name and o.region in desk.provider.regions() for o in offers)
    assert all(0 < o.price <= o.on_demand_price for o in offers)


def test_a_machine_is_launched_tagged_and_comes_to_run(desk: Desk) -> None:
    request = desk.request()
    made = desk.provider.launch(request)
    assert made.state in (InstanceState.PENDING, InstanceState.RUNNING)
    assert made.tags == request.tags
    assert made.offer.key in {o.key for o in request.offers}
    assert desk.until(lambda: desk.instance_in(made.instance_id, InstanceState.RUNNING)).ended_at is None


def test_a_machine_is_tagged_whenever_it_is_listed_and_listed_within_the_grace(desk: Desk) -> None:
    request = desk.request()
    made = desk.provider.launch(request)
    seen = desk.until(lambda: desk.listed(made.instance_id))
    assert seen.tags == request.tags
    assert desk.provider.list(desk.region).at - made.launched_at <= desk.provider.capabilities.visible_within + 10


def test_the_same_token_gives_the_same_machine(desk: Desk) -> None:
    request = desk.request()
    assert {desk.provider.launch(request).instance_id for _ in range(3)} == {desk.provider.launch(request).instance_id}
    desk.until(lambda: desk.listed(desk.provider.launch(request).instance_id))
    assert len(desk.provider.list(desk.region).instances) == 1


def test_the_same_token_from_many_controllers_at_once_gives_one_machine(desk: Desk) -> None:
    request = desk.request()
    providers = [desk.bench.provider(desk.fleet_id) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda provider: provider.launch(request).instance_id, providers))
    assert len(set(made)) == 1
    desk.until(lambda: desk.listed(made[0]))
    assert len(desk.provider.list(desk.region).instances) == 1


def test_a_token_stays_its_machines_after_its_end(desk: Desk) -> None:
    request = desk.request()
    made = desk.provider.launch(request)
    desk.provider.terminate(desk.region, made.instance_id)
    desk.ended(made.instance_id)
    again = desk.provider.launch(request)
    assert (again.instance_id, again.state) == (made.instance_id, InstanceState.TERMINATED)


def test_a_token_for_another_request_is_invalid(desk: Desk) -> None:
    request = desk.request()
    desk.provider.launch(request)
    with pytest.raises(ProviderError) as told:
        desk.provider.launch(request.model_copy(update={"user_data": '{"other": 1}'}))
    assert told.value.error_class is ErrorClass.INVALID


def test_a_request_without_offers_is_invalid(desk: Desk) -> None:
    with pytest.raises(ProviderError) as told:
        desk.provider.launch(desk.request([]))
    assert told.value.error_class is ErrorClass.INVALID


def test_an_offer_that_does_not_exist_is_passed_over(desk: Desk) -> None:
    real = desk.offers()[0]
    unknown = real.model_copy(update={"instance_type": "no-such-type"})
    assert desk.provider.launch(desk.request([unknown, real])).offer.key == real.key
    with pytest.raises(ProviderError) as told:
        desk.provider.launch(desk.request([unknown]))
    assert told.value.error_class is ErrorClass.UNAVAILABLE


def test_nothing_is_launched_above_the_bid(desk: Desk) -> None:
    cheap = desk.offers()[0]
    with pytest.raises(ProviderError) as told:
        desk.provider.launch(desk.request([cheap], max_price=cheap.price - 1))
    assert told.value.error_class is ErrorClass.PRICE
    for _ in range(60):
        desk.bench.wait(1.0)
    assert desk.provider.list(desk.region).instances == ()
    assert desk.provider.launch(desk.request([cheap], max_price=cheap.price)).offer.price <= cheap.price


def test_an_on_demand_machine_costs_its_on_demand_price(desk: Desk) -> None:
    made = desk.provider.launch(desk.request(desk.offers(Market.ON_DEMAND)[:1]))
    assert made.offer.market is Market.ON_DEMAND
    assert made.offer.price == made.offer.on_demand_price


def test_a_terminated_machine_ends_once_and_says_by_whom(desk: Desk) -> None:
    made = desk.running()
    desk.provider.terminate(desk.region, made.instance_id)
    desk.provider.terminate(desk.region, made.instance_id)
    gone = desk.ended(made.instance_id)
    assert gone.ended_by == "fleet"
    assert gone.ended_at is not None
    assert gone.ended_at >= made.launched_at
    desk.provider.terminate(desk.region, made.instance_id)
    assert desk.ended(made.instance_id).ended_at == gone.ended_at


def test_ending_an_unknown_machine_is_success(desk: Desk) -> None:
    desk.provider.terminate(desk.region, "i-00000000000000000")
    assert desk.provider.get(desk.region, "i-00000000000000000") is None


def test_another_fleets_machines_are_neither_seen_nor_ended(desk: Desk) -> None:
    mine = desk.running()
    other = desk.bench.provider("fleet-2")
    assert other.list(desk.region).instances == ()
    assert other.get(desk.region, mine.instance_id) is None
    other.terminate(desk.region, mine.instance_id)
    for _ in range(120):
        desk.bench.wait(1.0)
    assert desk.instance_in(mine.instance_id, InstanceState.RUNNING) is not None


def test_a_launch_whose_time_is_over_makes_nothing_and_finds_what_its_token_became(desk: Desk) -> None:
    request = desk.request()
    with pytest.raises(ProviderError) as told:
        desk.provider.launch(request, lambda: False)
    assert told.value.error_class is ErrorClass.TRANSIENT
    for _ in range(120):
        desk.bench.wait(1.0)
    assert desk.provider.list(desk.region).instances == ()
    made = desk.provider.launch(request, lambda: True)
    desk.until(lambda: desk.listed(made.instance_id))
    assert desk.provider.launch(request, lambda: False).instance_id == made.instance_id
