"""The simulated cloud is deterministic, strict, late, and bills to the second."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.core.costs import attempt_cost
from fleet.core.state import AttemptState
from fleet.model.cloud import Billing, Instance, InstanceState, LaunchRequest, Market, NewVolume, Offer, PriceSince
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.sim.clock import VirtualClock
from fleet.providers.sim.cloud import Manners, SimCloud
from fleet.providers.sim.market import Weather
from fleet.providers.sim.provider import SimProvider
from fleet.providers.sim.timeline import Timeline


def cloud(seed: int = 1, **manners: object) -> tuple[SimCloud, SimProvider, VirtualClock]:
    clock = VirtualClock()
    weather = manners.pop("weather", Weather(up=1e12, epoch=clock()))
    made = SimCloud(clock, seed, Manners(weather=weather, **manners))  # type: ignore[arg-type]
    return made, SimProvider(made, "f"), clock


def request(offers: list[Offer], token: str = "t", **more: object) -> LaunchRequest:
    tags = {"fleet": "f", "run": "r-1", "attempt": "1", "try": "1", "token": token}
    fields = {"token": token, "fleet_id": "f", "run_id": "r-1", "run_name": "r", "attempt": 1, "try_no": 1, "tags": tags}
    return LaunchRequest.model_validate({**fields, "offers": tuple(offers), **more})


def cheapest(provider: SimProvider, market: Market = Market.SPOT, region: str = "sim-1") -> list[Offer]:
    return sorted((o for o in provider.offers(region) if o.market is market), key=lambda o: (o.price, o.key))


def _history(seed: int) -> list[object]:
    made, provider, clock = cloud(seed, weather=Weather(up=1800, down=600, epoch=VirtualClock()()))
    seen: list[object] = []
    for turn in range(60):
        try:
            seen.append(provider.launch(request(cheapest(provider)[:4], f"t{turn}", volume=NewVolume(size_gb=8))))
        except ProviderError as error:
            seen.append((error.code, error.message))
        clock.advance(120)
        seen.append(provider.list("sim-1"))
    return [*seen, *made.invoice()]


def test_one_seed_tells_one_story() -> None:
    assert _history(5) == _history(5)
    assert _history(5) != _history(6)


def test_a_list_lags_behind_a_launch_and_behind_an_end() -> None:
    _, provider, clock = cloud()
    made = provider.launch(request(cheapest(provider)))
    seen_late = provider.list("sim-1").instances == ()
    clock.advance(200)
    provider.terminate("sim-1", made.instance_id)
    fresh = provider.get("sim-1", made.instance_id)
    assert fresh is not None
    assert fresh.state is InstanceState.SHUTTING_DOWN
    states = {i.state for _ in range(30) for i in provider.list("sim-1").instances}
    assert seen_late
    assert InstanceState.RUNNING in states


def test_calls_beyond_the_limit_are_throttled_until_time_passes() -> None:
    _, provider, clock = cloud(calls_burst=3, calls_per_second=1)
    for _ in range(3):
        provider.list("sim-1")
    with pytest.raises(ProviderError) as told:
        provider.list("sim-1")
    assert told.value.error_class is ErrorClass.THROTTLED
    provider.list("sim-2")
    clock.advance(1)
    provider.list("sim-1")


@pytest.mark.parametrize(
    ("market", "code"), [(Market.SPOT, "MaxSpotInstanceCountExceeded"), (Market.ON_DEMAND, "VcpuLimitExceeded")]
)
def test_a_quota_counts_what_lives_in_a_region(market: Market, code: str) -> None:
    _, provider, clock = cloud(spot_quota=1, on_demand_quota=1)
    made = provider.launch(request(cheapest(provider, market), "t1"))
    with pytest.raises(ProviderError) as told:
        provider.launch(request(cheapest(provider, market), "t2"))
    assert (told.value.code, told.value.error_class) == (code, ErrorClass.QUOTA)
    provider.launch(request(cheapest(provider, market, "sim-2"), "t3"))
    provider.terminate("sim-1", made.instance_id)
    clock.advance(1)
    provider.launch(request(cheapest(provider, market), "t4"))


def test_without_capacity_the_launch_is_refused_and_nothing_is_made() -> None:
    made, provider, clock = cloud()
    for zone in made.manners.regions["sim-1"]:
        made.market.outages[zone] = [(clock(), clock() + 86_400)]
    with pytest.raises(ProviderError) as told:
        provider.launch(request(cheapest(provider), volume=NewVolume(size_gb=8)))
    assert told.value.error_class is ErrorClass.CAPACITY
    assert not made.instances
    assert not made.volumes
    clock.advance(86_400)
    provider.launch(request(cheapest(provider), "t2"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": "x" * 65},
        {"token": "ü"},
        {"user_data": "x" * 16_385},
        {"tags": {"fleet": "f", "run": "r-1"}},
        {"tags": {"fleet": "other", "run": "r-1", "attempt": "1", "try": "1", "token": "t"}},
    ],
)
def test_what_no_cloud_takes_is_refused_for_good(wrong: dict[str, object]) -> None:
    made, provider, _ = cloud()
    with pytest.raises(ProviderError) as told:
        provider.launch(request(cheapest(provider)).model_copy(update=wrong))
    assert told.value.error_class in (ErrorClass.INVALID, ErrorClass.DENIED)
    assert not made.instances


def test_a_machine_is_taken_with_a_rebalance_signal_then_a_notice_then_the_end() -> None:
    made, provider, clock = cloud()
    instance = provider.launch(request(cheapest(provider)))
    made.arm(instance.instance_id, clock() + 86_400)
    made.take(instance.instance_id, at=clock() + 1000)
    clock.advance(579)
    assert not made.rebalance(instance.instance_id)
    clock.advance(2)
    assert made.rebalance(instance.instance_id)
    assert made.notice(instance.instance_id) is None
    clock.advance(300)
    assert made.notice(instance.instance_id) == instance.launched_at + 1000
    clock.advance(120)
    seen = provider.get("sim-1", instance.instance_id)
    assert seen is not None
    assert (seen.ended_by, seen.ended_at) == ("cloud", instance.launched_at + 1000)


def test_a_price_above_the_bid_takes_the_machine_on_the_hour() -> None:
    made, provider, clock = cloud()
    offer = cheapest(provider)[0]
    instance = provider.launch(request([offer], max_price=offer.price))
    made.arm(instance.instance_id, clock() + 1e6)
    clock.advance(48 * 3600)
    seen = next(i for i in made.instances.values() if i.instance_id == instance.instance_id)
    made.evolve()
    assert seen.ended_by == "cloud"
    assert seen.take_at is not None
    assert seen.take_at % 3600 == 0


def test_a_machine_whose_agent_never_runs_ends_itself() -> None:
    _, provider, clock = cloud(first_dead_man=900)
    made = provider.launch(request(cheapest(provider)))
    clock.advance(1000)
    seen = provider.get("sim-1", made.instance_id)
    assert seen is not None
    assert seen.ended_by == "itself"


def test_a_dead_man_switch_ends_its_machine_unless_it_is_renewed() -> None:
    made, provider, clock = cloud()
    until = clock() + 900
    left = provider.launch(request(cheapest(provider), "t1", lease_until=until))
    kept = provider.launch(request(cheapest(provider), "t2", lease_until=until))
    made.arm(kept.instance_id, until + 900)
    clock.advance(1000)
    ended = {i: provider.get("sim-1", i) for i in (left.instance_id, kept.instance_id)}
    assert ended[left.instance_id] is not None
    assert [getattr(i, "ended_by", None) for i in ended.values()] == ["itself", None]


def test_the_invoice_knows_the_minute_the_free_hour_and_the_disk() -> None:
    made, provider, clock = cloud()
    offer = cheapest(provider, Market.ON_DEMAND)[0]
    short = provider.launch(request([offer], "t1"))
    clock.advance(10)
    provider.terminate("sim-1", short.instance_id)
    taken = provider.launch(request(cheapest(provider), "t2"))
    made.arm(taken.instance_id, clock() + 86_400)
    made.take(taken.instance_id, at=clock() + 3600)
    volume = provider.create_volume("sim-1", "sim-1a", NewVolume(size_gb=730), "v", {"fleet": "f"})
    clock.advance(3600)
    bill = {line.what: line.amount for line in made.invoice()}
    assert bill[short.instance_id] == round(offer.price / 60)
    assert taken.instance_id not in bill
    assert bill[volume.volume_id] == made.manners.volume_price


@settings(max_examples=60, deadline=None)
@given(st.floats(1, 200_000), st.sampled_from(["fleet", "cloud", "itself"]), st.integers(0, 99))
def test_the_ledger_and_the_invoice_agree_to_the_micro_dollar(seconds: float, by: str, seed: int) -> None:
    """Given the prices in force, core/costs computes what the cloud bills."""
    made, provider, clock = cloud(seed)
    instance = provider.launch(request(cheapest(provider)))
    sim = made.instances[instance.instance_id]
    prices = [PriceSince(at=clock(), price=made.price_in_force(sim, clock()))]
    hours = int(seconds // 3600) + 2
    for hour in range(1, hours + 1):
        at = (clock() // 3600 + hour) * 3600
        prices.append(PriceSince(at=at, price=made.price_in_force(sim, at)))
    end = clock.advance(seconds)
    made.end(instance.instance_id, by, end)  # type: ignore[arg-type]
    billed = sum(line.amount for line in made.invoice())
    attempt = AttemptState.model_validate(
        {
            "number": 1,
            "try_no": 1,
            "token": "t",
            "phase": "gone",
            "offers": (instance.offer,),
            "offer": instance.offer,
            "launched_at": instance.launched_at,
            "ended_at": end,
            "ended_by": by,
            "prices": tuple(prices),
            "intended_at": instance.launched_at,
            "volume": NewVolume(size_gb=1),
            "predecessor": None,
            "why": "",
        }
    )
    ours = attempt_cost(attempt, end, Billing(minimum_seconds=60, free_if_interrupted_within=3600))
    assert abs(ours - billed) <= hours  # the cloud rounds each hour's line, the ledger rounds once


@given(st.lists(st.tuples(st.floats(0, 100), st.integers()), min_size=1), st.floats(0, 100))
def test_a_timeline_tells_the_last_change_before_a_moment(changes: list[tuple[float, int]], moment: float) -> None:
    line: Timeline[int] = Timeline()
    for at, value in sorted(changes, key=lambda c: c[0]):
        line.foresee(at, value)
    before = [c for c in sorted(changes, key=lambda c: c[0]) if c[0] <= moment]
    assert line.at(moment) == (before[-1][1] if before else None)


def test_seen_instances_are_values() -> None:
    _, provider, _ = cloud()
    assert isinstance(provider.launch(request(cheapest(provider))), Instance)


def test_a_launch_that_is_refused_for_its_disk_has_made_no_machine() -> None:
    made, provider, _ = cloud(volume_quota=1)
    provider.launch(request(cheapest(provider), "first", volume=NewVolume(size_gb=8)))
    with pytest.raises(ProviderError) as told:
        provider.launch(request(cheapest(provider), "second", volume=NewVolume(size_gb=8)))
    assert told.value.code == "VolumeLimitExceeded"
    assert len(made.instances) == 1


def test_prices_of_the_past_are_what_the_invoice_charges() -> None:
    made, provider, clock = cloud(3)
    instance = provider.launch(request(cheapest(provider)))
    clock.advance(3 * 3600)
    history = provider.price_history(instance.offer, instance.launched_at, clock())
    sim = made.instances[instance.instance_id]
    assert history[0].at == instance.launched_at
    assert [point.price for point in history] == [made.price_in_force(sim, point.at) for point in history]
    assert len(history) == 4
