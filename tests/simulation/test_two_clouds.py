"""A job that two clouds may serve: taken on one, resumed on the other, by nothing but its checkpoints."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.core.costs import run_cost
from fleet.core.summary import interruptions
from fleet.model.cloud import Billing, InstanceState
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.base import Provider
from fleet.providers.sim.cloud import Manners
from fleet.providers.sim.market import SimType, Weather
from fleet.providers.wrap import Call, Fault, Faults
from tests.simulation.system import System, model_after

EPOCH = 1_700_000_000.0
FAIR = Weather(up=1e12, epoch=EPOCH)
DEARER = {"n1-standard-4+1xK80": SimType(1_900_000, ("K80",))}
"""All that the other cloud sells: another type, with the same GPU."""
OTHER = Manners(
    provider="other",
    types=DEARER,
    regions={"sim-1": ("sim-1a", "sim-1b")},
    weather=Weather(up=1e12, low=0.3, epoch=EPOCH),
    notice=30,
    free_if_interrupted_within=60,
    volume_price=100_000,
    stops_only=True,
)
"""As Compute Engine is: 30 seconds, and a power-off only stops. Its zones are called as the first cloud's are: only its name
tells it apart."""
BOTH = {"market": "spot", "accelerators": "K80:1", "any_of": [{"infra": "sim/sim-1"}, {"infra": "other"}]}


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    made = System(tmp_path, weather=FAIR, more=(OTHER,))
    made.controllers = [made.controller()]
    yield made
    made.close()


def ended(system: System) -> bool:
    run = next(iter(system.controllers[0].state.runs.values()), None)
    return run is not None and run.ended_at is not None and not run.live_attempts


def trains(system: System, number: int) -> bool:
    attempt = system.state().attempts.get(number)
    return attempt is not None and attempt.resumed is not None


def no_more_spot(system: System, cloud: int) -> None:
    """Every machine of a cloud is taken, and none is to be had there from now on."""
    one, now = system.clouds[cloud], system.clock()
    for made in one.instances.values():
        if made.ended_by is None:
            one.take(made.instance_id, at=now + one.manners.notice)
    one.market.outages = {zone: [(now, math.inf)] for zones in one.manners.regions.values() for zone in zones}


def providers(system: System) -> list[str | None]:
    """Where each attempt's machine was."""
    return [attempt.offer.provider if attempt.offer else None for attempt in system.state().attempts.values()]


def test_a_run_taken_on_one_cloud_is_resumed_on_the_other_and_back_again(system: System) -> None:
    system.start(system.controllers[0], steps=540, resources=BOTH)
    system.until(lambda: trains(system, 1))
    system.live(2400)
    assert providers(system) == ["sim"]
    no_more_spot(system, 0)
    system.until(lambda: trains(system, 2))
    run = system.state()
    brought = run.attempts[2].resumed
    assert brought is not None
    assert brought.ref is not None
    assert (providers(system), brought.source, brought.ref.attempt) == (["sim", "other"], "bucket", 1)
    assert brought.lost_steps == 0
    assert [volume.provider for volume in run.volumes.values()] == ["sim", "other"]
    system.until(lambda: ended(system))
    run = system.state()
    assert (run.outcome, len(interruptions(run))) == ("succeeded", 1)
    assert system.model() == model_after(540)
    assert [volume.superseded_at is None for volume in run.volumes.values()] == [False, True]


def test_what_both_clouds_bill_is_what_the_ledger_says(system: System) -> None:
    system.start(system.controllers[0], steps=360, resources=BOTH)
    system.until(lambda: trains(system, 1))
    system.live(1200)
    no_more_spot(system, 0)
    system.until(lambda: ended(system))
    assert providers(system) == ["sim", "other"]
    system.live(3 * 3600, every=300)  # what was charged is told late
    rules = {
        cloud.manners.provider: Billing(
            minimum_seconds=cloud.manners.minimum_seconds,
            free_if_interrupted_within=cloud.manners.free_if_interrupted_within,
        )
        for cloud in system.clouds
    }
    cost = run_cost(system.state(), system.clock(), rules)
    billed = sum(charge.amount for cloud in system.clouds for charge in cloud.invoice())
    assert cost.total == pytest.approx(billed, abs=5)


def test_a_machine_that_powered_itself_off_and_is_only_stopped_is_ended(system: System) -> None:
    system.start(system.controllers[0], steps=60, resources={**BOTH, "any_of": [{"infra": "other"}]})
    system.until(lambda: ended(system))
    system.live(600)
    assert system.model() == model_after(60)
    states = [one.state.at(system.clock()) for one in system.clouds[1].instances.values()]
    assert states == [InstanceState.TERMINATED]


def test_a_stopped_machine_hands_its_volume_over(system: System) -> None:
    """It died without a word: what it keeps goes to the next one, which finds its last checkpoint there."""
    system.start(system.controllers[0], steps=240, resources={**BOTH, "any_of": [{"infra": "other/sim-1/sim-1a"}]})
    system.until(lambda: trains(system, 1))
    system.live(1000)
    first = system.state().attempts[1].instance_id
    assert first is not None
    system.clouds[1].power_off(first)
    died = system.clock()
    system.until(lambda: trains(system, 2))
    assert system.clock() - died < 600
    run = system.state()
    assert len(run.volumes) == 1
    assert run.attempts[2].resumed is not None
    assert run.attempts[2].resumed.source == "volume"
    system.until(lambda: ended(system))
    assert system.model() == model_after(240)


@pytest.mark.parametrize("reached", [False, True])
def test_a_cloud_that_does_not_answer_a_launch_is_left_for_the_other(tmp_path: Path, reached: bool) -> None:
    """Its listings fail, too, and nobody knows whether there is a machine. Such a one is ended once the cloud answers."""
    down: set[str] = set()
    error = ProviderError(ErrorClass.TRANSIENT, "Unavailable", "the cloud is down")

    def fault(call: Call) -> Fault | None:
        if call.method == "launch" and not down:
            down.add("since the first launch")
        if not down or "no more" in down:
            return None
        return Fault(after=error) if reached and call.method == "launch" else Fault(before=error)

    def wrap(provider: Provider) -> Provider:
        return Faults(provider, fault) if provider.name == "sim" else provider

    system = System(tmp_path, weather=FAIR, more=(OTHER,), wrap=wrap)
    system.controllers = [system.controller()]
    began = system.clock()
    system.start(system.controllers[0], steps=400, resources=BOTH)
    system.until(lambda: trains(system, 2))
    assert 900 < system.clock() - began < 1800
    assert providers(system) == [None, "other"]
    down.add("no more")
    system.until(lambda: ended(system))
    assert system.state().outcome == "succeeded"
    assert system.model() == model_after(400)
    assert len(system.clouds[0].instances) == int(reached)
    system.live(600)
    assert system.alive() == []
    system.close()
