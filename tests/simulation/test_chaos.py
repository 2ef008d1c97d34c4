"""The laws under storms of faults, for a few seeds; ``make soak`` searches on. And those who judge are judged."""

from __future__ import annotations

import pytest

from fleet.model.cloud import LaunchRequest, Market, Offer
from fleet.providers.sim.clock import START, VirtualClock
from fleet.providers.sim.cloud import Manners, SimCloud
from fleet.providers.sim.market import HOUR, Weather
from tests.simulation.chaos import invoice
from tests.simulation.chaos.explore import Explorer


@pytest.mark.parametrize("seed", range(4))
def test_no_law_is_broken_in_a_storm(seed: int) -> None:
    result = Explorer(seed, hours=24, runs=6).explore()
    assert result.violations == [], f"python -m tests.simulation.chaos replay {seed} --hours 24 --runs 6 --trace"
    assert result.instance_hours > 10


def test_a_seed_replays_everything() -> None:
    first, second = (Explorer(7, hours=8, runs=4, trace=True).explore() for _ in (0, 1))
    assert first.trace == second.trace
    assert len(first.trace) > 100
    assert (first.events, first.effects, first.reached) == (second.events, second.effects, second.reached)


def machine(cloud: SimCloud, seconds: float, *, by: str = "fleet", market: Market = Market.SPOT) -> int:
    """Micro-dollars of a machine that lived so long, counted second by second; the quick way must agree."""
    offer = next(o for o in cloud.offers("sim-1") if o.market is market and o.instance_type == "p2.xlarge")
    request = LaunchRequest(
        token="t", fleet_id="f", run_id="r", run_name="r", attempt=1, try_no=1, offers=(offer,), max_price=None
    )  # fmt: skip
    made = cloud.make_instance(request, "digest", Offer.model_validate(offer))
    cloud.end(made.instance_id, by, cloud.clock() + seconds)  # type: ignore[arg-type]
    cloud.clock.advance(seconds + 1)  # type: ignore[attr-defined]
    counted = invoice.machine(cloud, made)
    assert counted == invoice.machine_by_the_hour(cloud, made)
    return counted


@pytest.fixture
def cloud() -> SimCloud:
    clock = VirtualClock(START // HOUR * HOUR)
    weather = Weather(up=1e12, low=0.3, high=0.3, epoch=clock())  # p2.xlarge at $0.27 an hour, always
    return SimCloud(clock, 1, Manners(weather=weather))


@pytest.mark.parametrize(
    ("seconds", "by", "market", "micros"),
    [
        (3600, "fleet", Market.SPOT, 270_000),  # an hour
        (5400, "fleet", Market.SPOT, 405_000),  # an hour and a half
        (1, "fleet", Market.SPOT, 4_500),  # a minute at least: 270,000 / 60
        (0.5, "fleet", Market.ON_DEMAND, 15_000),  # $0.90 / 60
        (3600, "cloud", Market.SPOT, 0),  # taken back within the first hour: free
        (3601, "cloud", Market.SPOT, 270_075),  # a second later it is not
        (1234.567, "itself", Market.ON_DEMAND, 308_642),  # 0.9 * 1234.567 / 3600
    ],
)
def test_the_invoice_is_what_one_works_out_by_hand(
    cloud: SimCloud, seconds: float, by: str, market: Market, micros: int
) -> None:
    assert machine(cloud, seconds, by=by, market=market) == micros


def test_counting_by_the_hour_is_counting_by_the_second_whatever_the_market_does() -> None:
    for seed in range(5):
        clock = VirtualClock(START + 1234.567)
        cloud = SimCloud(clock, seed, Manners(weather=Weather(up=1e12, epoch=clock())))
        assert machine(cloud, 3600 * 5.3 + seed) > 0
