"""Launches that happen twice, half, unseen, under the wrong token, or into a cloud that refuses."""

from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.model.cloud import Listing, VolumeState
from fleet.model.errors import ErrorClass
from fleet.providers.base import Provider
from fleet.providers.sim.errors import CLASSES, refusal
from fleet.providers.wrap import Call, Fault, Faults, Limit, Retry
from tests.simulation.system import System, model_after
from tests.simulation.test_loop import Killed, Mortal
from tests.simulation.wild.conftest import Make, ended, trains


def killed_at_its_launch(system: System, *, after: bool) -> None:
    """A controller starts a run, and dies at the call that launches its machine."""
    fuse = [1]
    system.wrap = lambda provider: Mortal(provider, fuse, after=after)
    first = system.controller()
    system.start(first, steps=60)
    with pytest.raises(Killed):
        first.tick()
    system.wrap = lambda provider: provider


@pytest.mark.parametrize("after", [False, True], ids=["before the launch", "after the launch"])
def test_a_crash_between_a_launch_and_its_record_makes_no_second_machine(make: Make, after: bool) -> None:
    system = make()
    killed_at_its_launch(system, after=after)
    assert len(system.cloud.instances) == int(after)
    system.controllers = [system.controller()]
    system.until(ended(system))
    assert (len(system.cloud.instances), system.model()) == (1, model_after(60))


def test_a_token_whose_machine_ended_meanwhile_launches_nothing_and_the_next_attempt_goes_on(make: Make) -> None:
    """Nobody was there for three hours; the machine of the intended launch lived, and ended by its dead-man switch."""
    system = make(agents_dumb=True)
    killed_at_its_launch(system, after=True)
    system.live(2800)  # it is off, and still listed
    assert system.alive() == []
    system.agents_dumb = False
    system.controllers = [system.controller()]
    system.until(ended(system))
    run = system.state()
    assert (run.outcome, system.model(), len(run.attempts)) == ("succeeded", model_after(60), 2)
    assert {a.instance_id for a in run.attempts.values()} == set(system.cloud.instances)


def test_a_token_whose_machine_the_cloud_has_forgotten_ends_its_try_and_not_the_run(make: Make) -> None:
    system = make()
    killed_at_its_launch(system, after=True)
    system.live(900)  # it booted, claimed the attempt, and trained to the end
    system.live(4 * 3600)
    assert system.alive() == []
    system.controllers = [system.controller()]
    system.until(ended(system))
    run = system.state()
    assert (run.outcome, system.model()) == ("succeeded", model_after(60))
    tokens = [i.request.token for i in system.cloud.instances.values()]
    assert len(tokens) == len(set(tokens)) <= 3
    assert system.alive() == []


def test_a_token_that_would_stand_for_another_request_is_refused_and_said(make: Make) -> None:
    """A token reused for something else is our own mistake: nothing is launched until the user has seen it."""
    system = make()
    mismatch = refusal("IdempotentParameterMismatch", "this token was used for another request")
    system.wrap = lambda p: Faults(p, lambda call: Fault(before=mismatch) if call.method == "launch" else None)
    controller = system.controller()
    system.controllers = [controller]
    system.start(controller)
    system.live(3600)
    run = system.state()
    assert run.waits_for_user
    assert run.pause is not None
    assert "another request" in run.pause.reason
    assert system.cloud.calls.get("launch", 0) == 0
    assert sum(1 for a in run.attempts.values() if a.live) == 0


def spoilt(chance: random.Random, shown: float) -> Callable[[Listing], Listing]:
    """A listing in which each machine and disk stands only with some probability, or twice."""

    def spoil(listing: Listing) -> Listing:
        kept = [i for i in listing.instances for _ in range(chance.choice([1, 1, 2])) if chance.random() < shown]
        disks = [v for v in listing.volumes if chance.random() < shown]
        return listing.model_copy(update={"instances": tuple(kept), "volumes": tuple(disks)})

    return spoil


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000), lag=st.floats(0, 59), shown=st.sampled_from([0.3, 0.6, 1.0]))
def test_lists_that_lag_miss_and_repeat_launch_nothing_twice_and_leave_no_ghost(seed: int, lag: float, shown: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        system = System(Path(folder), seed=seed)
        manners = system.cloud.manners
        system.cloud.manners = manners.__class__(weather=manners.weather, lag=lag)
        chance = random.Random(seed)
        system.wrap = lambda p: Faults(
            p, lambda call: Fault(listing=spoilt(chance, shown)) if call.method == "list" else None
        )
        try:
            system.controllers = [system.controller(), system.controller()]
            system.start(system.controllers[0], steps=90)
            system.until(lambda: trains(system))
            system.cloud.take(system.alive()[0], at=system.clock() + 130)
            system.until(ended(system))
            run = system.state()
            assert (run.outcome, system.model(), system.alive()) == ("succeeded", model_after(90), [])
            by_attempt = [i.request.tags["attempt"] for i in system.cloud.instances.values()]
            assert len(by_attempt) == len(set(by_attempt)) == len(run.attempts)
        finally:
            system.close()


def test_a_half_made_launch_is_one_machine_that_trains_without_its_disk(make: Make) -> None:
    """The machine is there, its disk is not, and the answer was an error: what exists is not taken for whole."""
    system = make()
    system.cloud.half_launch = True
    system.controllers = [system.controller()]
    system.start(system.controllers[0], steps=60)
    system.until(ended(system))
    assert (system.state().outcome, system.model()) == ("succeeded", model_after(60))
    assert len(system.cloud.instances) == 1
    assert len(system.cloud.volumes) == 0
    assert system.alive() == []


@pytest.mark.parametrize("zone_is_out", [False, True], ids=["same zone", "zone out"])
def test_a_disk_that_a_dead_machine_holds_is_not_waited_for_for_ever(make: Make, zone_is_out: bool) -> None:
    """Stuck for a day: the next machine waits so long, then it trains from the bucket; or it is of another zone at once."""
    system = make()
    controller = system.controller()
    system.controllers = [controller]
    system.start(controller, steps=240, volume={"size": "20GB", "keep": "1h"})
    system.until(lambda: trains(system))
    system.live(1200)
    first = system.cloud.instances[system.alive()[0]]
    [disk] = system.cloud.volumes.values()
    system.cloud.lies.held_until[disk.volume_id] = system.clock() + 86_400
    if zone_is_out:
        system.cloud.market.outages[first.offer.zone] = [(system.clock(), system.clock() + 86_400)]
    system.cloud.take(first.instance_id, at=system.clock() + 130)
    begun = system.clock()
    system.until(ended(system))
    run = system.state()
    assert (run.outcome, system.model()) == ("succeeded", model_after(240))
    assert system.clock() - begun < 2 * 3600
    resumed = run.attempts[2].resumed
    assert resumed is not None
    assert (resumed.source, resumed.step) == ("bucket", run.attempts[1].step)
    held = disk.held.at(system.clock())
    assert held is not None
    assert held[0] is VolumeState.IN_USE  # never forced
    system.live(30 * 3600, every=900)
    assert disk.deleted_at is not None  # its keep time is over, and it is free at last


CODES = {
    ErrorClass.CAPACITY: ["InsufficientInstanceCapacity", "UnfulfillableCapacity", "InsufficientFreeAddressesInSubnet"],
    ErrorClass.UNAVAILABLE: ["Unsupported"],
    ErrorClass.PRICE: ["SpotMaxPriceTooLow"],
    ErrorClass.QUOTA: ["MaxSpotInstanceCountExceeded", "VcpuLimitExceeded"],
    ErrorClass.THROTTLED: ["RequestLimitExceeded"],
    ErrorClass.TRANSIENT: ["InternalError", "Unavailable", "RequestExpired"],
    ErrorClass.NOT_YET: ["IncorrectState", "VolumeInUse", "PendingVerification"],
    ErrorClass.CREDENTIALS: ["ExpiredToken"],
    ErrorClass.DENIED: ["UnauthorizedOperation"],
    ErrorClass.INVALID: ["InvalidUserData.Malformed", "IdempotentParameterMismatch"],
    ErrorClass.UNKNOWN: ["SomethingThatNobodyDocumented"],
}
"""Every code of EC2's that the design's table names, by its class; GCE's come with its provider."""


def test_every_documented_code_has_its_class() -> None:
    for error_class, codes in CODES.items():
        assert [refusal(code, "").error_class for code in codes] == [error_class] * len(codes)
    assert set(CODES) == set(ErrorClass)
    assert all(re.fullmatch(r"[A-Z]\w+(\.\w+)?", code) for code in CLASSES)


def refuse_spot(system: System, code: str, *, region: str = "", times: int = 10**6) -> list[Call]:
    """Launches on spot are refused so often; every launch that is asked for, in order."""
    asked: list[Call] = []

    def plan(call: Call) -> Fault | None:
        if call.method != "launch":
            return None
        asked.append(call)
        spot = call.arguments["request"].offers[0].market.value == "spot"
        hit = spot and len(asked) <= times and call.region.startswith(region)
        return Fault(before=refusal(code, "so it is today")) if hit else None

    system.wrap = lambda provider: Faults(provider, plan)
    return asked


@pytest.mark.parametrize("code", sorted(code for codes in CODES.values() for code in codes))
def test_whatever_a_launch_is_refused_for_the_run_goes_on_or_says_what_it_waits_for(make: Make, code: str) -> None:
    system = make()
    asked = refuse_spot(system, code, times=3)
    controller = system.controller()
    system.controllers = [controller]
    system.start(controller, steps=30, resources={"infra": "sim", "market": "spot"})
    for _ in range(16):
        system.live(900, every=30)
        if ended(system)() or system.state().waits_for_user:
            break
    run = system.state()
    assert len(asked) <= 40  # nothing is retried in a hot loop
    assert system.alive() == []
    if refusal(code, "").error_class in (ErrorClass.DENIED, ErrorClass.INVALID):
        assert run.waits_for_user
        assert run.pause is not None
        assert code in run.pause.reason
    else:
        assert (run.outcome, system.model()) == ("succeeded", model_after(30))


def test_a_quota_is_not_taken_for_lack_of_capacity(make: Make) -> None:
    """Another type of the region would be refused too: the whole market there is left alone, and another region taken."""
    system = make(agents_dumb=True)
    asked = refuse_spot(system, "MaxSpotInstanceCountExceeded", region="sim-1")
    controller = system.controller()
    system.controllers = [controller]
    system.start(controller, resources={"infra": "sim", "market": "spot"})
    system.live(300)
    regions = [call.region for call in asked]
    assert regions.count("sim-1") <= 1
    assert regions[-1] == "sim-2"
    assert len(system.alive()) == 1


def test_lack_of_capacity_is_not_taken_for_a_quota(make: Make) -> None:
    """Only the offers that were asked for are left alone: another type of the same region is tried at once."""
    system = make(agents_dumb=True)
    asked = refuse_spot(system, "InsufficientInstanceCapacity", times=1)
    controller = system.controller()
    system.controllers = [controller]
    system.start(controller, resources={"infra": "sim/sim-1", "market": "spot"})
    system.live(60)
    first, second = (call.arguments["request"].offers for call in asked[:2])
    assert not {o.key for o in first} & {o.key for o in second}
    assert len(system.alive()) == 1


def test_two_hundred_runs_that_want_machines_at_once_stay_within_what_the_cloud_allows(make: Make) -> None:
    """Two controllers share the account's allowance; throttled calls are few, and every run gets its machine."""
    system = make(agents_dumb=True)
    weather = system.cloud.manners.weather
    system.cloud.manners = system.cloud.manners.__class__(
        weather=weather, spot_quota=1000, volume_quota=1000, calls_burst=20, calls_per_second=4
    )

    def sleep(seconds: float) -> None:
        system.clock.advance(seconds)

    def careful(provider: Provider) -> Provider:
        return Retry(Limit(provider, per_second=2, burst=5, clock=system.clock, sleep=sleep), sleep=sleep)

    system.wrap = careful
    first, second = system.controller(), system.controller()
    for number in range(200):
        system.start(first, name=f"racer-{number}", volume={"size": "1GB"})
    begun, rounds = system.clock(), 0
    while len(system.cloud.instances) < 200:
        for controller in (first, second):
            controller.tick()
        system.clock.advance(10)
        rounds += 1
        assert rounds < 40, len(system.cloud.instances)
    took, made = system.clock() - begun, sum(system.cloud.calls.values())
    assert made <= 40 + 4 * took
    assert system.cloud.allowance.refused <= made / 10
    assert took < 900
    tokens = [i.request.token for i in system.cloud.instances.values()]
    assert len(tokens) == len(set(tokens)) == 200


def test_a_cloud_that_throttles_every_launch_is_asked_more_and_more_seldom_and_by_no_two_runs_at_once(make: Make) -> None:
    system = make(agents_dumb=True)
    asked: list[float] = []

    def plan(call: Call) -> Fault | None:
        if call.method != "launch":
            return None
        asked.append(system.clock())
        return Fault(before=refusal("RequestLimitExceeded", "too many calls"))

    system.wrap = lambda provider: Faults(provider, plan)
    controller = system.controller()
    system.controllers = [controller]
    for number in range(20):
        system.start(controller, name=f"racer-{number}")
    begun = system.clock()
    system.live(2 * 3600, every=10)
    by_half_hour = [sum(1 for at in asked if begun + i * 1800 <= at < begun + (i + 1) * 1800) for i in range(4)]
    assert by_half_hour[0] <= 20 * 9  # after 20, 60, 140, 300, 620 s and then each 320 s, if no pause were any longer
    assert max(by_half_hour[1:]) <= 20 * 5.6  # once in 320 s, and half as much again for some
    last = [at for at in asked if at >= begun + 5400]
    assert max(last.count(at) for at in last) <= 8
