"""Machines that do not end, that nobody owns, that are somebody else's, or that nobody watches."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from fleet.control.runs import start_run, stop_run
from fleet.core.plan.orphans import AT_ONCE, MOST_AT_ONCE
from fleet.model.cloud import InstanceState
from fleet.model.errors import ErrorClass, ProviderError
from fleet.model.job import Job
from fleet.providers.wrap import Call, Fault, Faults
from fleet.store.journal import Journal
from tests.simulation.system import System, model_after
from tests.simulation.wild.conftest import Make, ended, leaked, trains


def lives(system: System, instance_id: str) -> bool:
    return instance_id in system.alive()


def asked_to_end(system: System) -> dict[str, int]:
    """How often each machine is asked to end, from now on."""
    counts: dict[str, int] = {}

    def watch(call: Call) -> Fault | None:
        if call.method == "terminate":
            name = str(call.arguments["instance_id"])
            counts[name] = counts.get(name, 0) + 1
        return None

    before = system.wrap
    system.wrap = lambda provider: Faults(before(provider), watch)
    return counts


def test_an_end_that_is_answered_and_never_happens_is_asked_for_until_it_does(make: Make) -> None:
    system = make()
    asked = asked_to_end(system)
    controller = system.controller()
    system.controllers = [controller]
    system.start(controller, steps=10_000)
    system.until(lambda: trains(system))
    name = system.alive()[0]
    system.cloud.lies.deaf[name] = 20
    system.inside[name].agent.over = True  # nor does its agent end it
    stop_run(controller, "racer", "down")
    system.live(240)
    assert lives(system, name)
    assert not system.state().over  # it is shown as ending until it is seen to have ended
    system.until(ended(system), most=1800)
    assert asked[name] > 20
    assert not lives(system, name)


def test_ending_that_always_fails_is_tried_again_for_ever_and_said(make: Make) -> None:
    system = make()
    broken = [True]
    error = ProviderError(ErrorClass.DENIED, "UnauthorizedOperation", "you may not end that")
    system.wrap = lambda provider: Faults(
        provider, lambda call: Fault(before=error) if call.method == "terminate" and broken[0] else None
    )
    controller = system.controller()
    system.controllers = [controller]
    system.start(controller, steps=10_000)
    system.until(lambda: trains(system))
    name = system.alive()[0]
    system.inside[name].agent.over = True
    stop_run(controller, "racer", "down")
    system.live(600)
    attempt = system.state().attempts[1]
    assert (attempt.phase, lives(system, name)) == ("ending", True)
    assert "you may not end that" in (attempt.error or "")
    broken[0] = False
    system.until(ended(system), most=600)


def test_a_machine_said_to_be_terminated_and_billed_on_is_ended_once_it_is_seen_again(make: Make) -> None:
    system = make()
    controller = system.controller()
    system.controllers = [controller]
    system.start(controller, steps=10_000)
    system.until(lambda: trains(system))
    name = system.alive()[0]
    system.cloud.lies.said_ended[name] = system.clock() + 900
    system.inside[name].agent.over = True  # nobody on it ends it
    system.live(800)
    assert len(system.state().attempts) == 2  # the run went on
    assert lives(system, name)
    system.cloud.arm(name, system.clock() + 1e7)
    system.live(600)
    assert not lives(system, name)
    assert len(system.alive()) == 1


def test_one_that_lies_for_ever_leaves_by_itself_since_its_agent_is_wanted_no_more(make: Make) -> None:
    system = make()
    controller = system.controller()
    system.controllers = [controller]
    system.start(controller, steps=10_000)
    system.until(lambda: trains(system))
    name = system.alive()[0]
    system.cloud.lies.said_ended[name] = system.clock() + 1e9
    system.live(900)
    assert not lives(system, name)
    assert len(system.alive()) == 1


def test_two_fleets_in_one_account_end_nothing_of_each_others(make: Make) -> None:
    mine, theirs = make(), make(fleet_id="fleet-2")
    theirs.clock, theirs.cloud = mine.clock, mine.cloud
    theirs.objects._clock = mine.clock  # type: ignore[attr-defined]
    names = {"mine": leaked(mine, "mine").instance_id, "theirs": leaked(theirs, "theirs").instance_id}
    for system in (mine, theirs):
        system.dumb.update(names.values())
    asked = asked_to_end(mine)
    mine.clock.advance(400)
    mine.controllers = [mine.controller()]
    mine.live(1200)
    assert (lives(mine, names["mine"]), lives(mine, names["theirs"])) == (False, True)
    assert set(asked) == {names["mine"]}
    theirs.controllers = [theirs.controller()]
    theirs.live(1200)
    assert mine.alive() == []


def test_two_fleets_with_a_run_of_the_same_id_get_two_machines(make: Make) -> None:
    """A token that did not hold the fleet would give the second one the first one's machine, or a refusal."""
    mine, theirs = make(), make(fleet_id="fleet-2")
    theirs.clock, theirs.cloud = mine.clock, mine.cloud
    theirs.objects._clock = mine.clock  # type: ignore[attr-defined]
    job = Job.model_validate({"name": "racer", "run": "train", "resources": {"infra": "sim/sim-1"}})
    for system in (mine, theirs):
        system.agents_dumb = True
        controller = system.controller()
        start_run(controller, job, system.folder, suffix=lambda: "1")
        system.controllers = [controller]
    mine.live(30)
    theirs.live(30)
    made = list(mine.cloud.instances.values())
    assert [i.request.run_id for i in made] == ["racer-1", "racer-1"]
    assert {i.request.fleet_id for i in made} == {"fleet-1", "fleet-2"}


def test_a_collector_gone_wrong_ends_only_a_few_machines_a_minute(make: Make) -> None:
    system = make()
    system.cloud.manners = system.cloud.manners.__class__(weather=system.cloud.manners.weather, on_demand_quota=50)
    for number in range(4 * MOST_AT_ONCE):
        leaked(system, f"leak-{number}")
    system.clock.advance(400)
    system.controllers = [system.controller(), system.controller()]
    left = [len(system.alive())]
    while left[-1]:
        system.live(AT_ONCE)
        left.append(len(system.alive()))
        assert len(left) < 12
    assert max(a - b for a, b in pairwise(left)) <= MOST_AT_ONCE
    reasons = [e["reason"] for e in _events(system) if e["type"] == "orphan-intended"]
    assert "15 more wait" in reasons[0]


def _events(system: System) -> list[dict[str, str]]:
    journal = Journal(system.objects, system.fleet_id, by="reader", version="0")
    return [dict(event) for entry in journal.refresh() for event in entry.events]


def test_machines_that_do_not_end_keep_nobody_else_from_being_collected(make: Make) -> None:
    system = make()
    system.cloud.manners = system.cloud.manners.__class__(weather=system.cloud.manners.weather, on_demand_quota=50)
    for number in range(MOST_AT_ONCE):
        system.cloud.lies.deaf[leaked(system, f"deaf-{number}").instance_id] = 10**6
    other = leaked(system, "other").instance_id
    system.clock.advance(400)
    system.controllers = [system.controller()]
    system.live(300)
    assert not lives(system, other)
    assert len(system.alive()) == MOST_AT_ONCE


def test_a_leak_where_no_run_is_is_looked_at_until_it_is_gone(make: Make) -> None:
    """The sweep of all regions comes once an hour; a machine that did not end at once must not live on until the next."""
    system = make()
    name = leaked(system, "far", region="sim-2").instance_id
    system.cloud.lies.deaf[name] = 3
    system.clock.advance(400)
    system.controllers = [system.controller()]
    system.live(300)
    assert not lives(system, name)
    before = system.cloud.calls["list"]
    system.live(120)
    assert system.cloud.calls["list"] - before <= 16  # once it is seen to be off, nothing more is asked there


def boots_never(system: System) -> None:
    system.agents_dumb = True
    for made in system.cloud.instances.values():
        made.state.set(made.launched_at, InstanceState.PENDING)


def boots_and_never_speaks(system: System) -> None:
    system.agents_dumb = True


def speaks_once_and_dies(system: System) -> None:
    system.until(lambda: bool(system.inside))
    for inside in system.inside.values():
        inside.agent.over = True


@pytest.mark.parametrize("fails", [boots_never, boots_and_never_speaks, speaks_once_and_dies], ids=lambda f: f.__name__)
def test_with_nobody_watching_a_machine_whose_boot_fails_half_way_ends_by_its_lease(
    make: Make, fails: Callable[[System], None]
) -> None:
    system = make()
    controller = system.controller()
    system.start(controller, steps=10_000, max_duration="2h")
    controller.tick()
    fails(system)
    system.live(2 * 3600 + 120)
    assert system.alive() == []
    assert len(system.cloud.instances) == 1
    system.controllers = [system.controller()]
    system.until(ended(system), most=3600)
    assert len(system.cloud.instances) == 1  # its time is used up


@pytest.mark.parametrize("fails", [boots_never, boots_and_never_speaks, speaks_once_and_dies], ids=lambda f: f.__name__)
def test_a_boot_whose_failure_nobody_sees_is_ended_from_here_and_the_next_machine_trains(
    make: Make, fails: Callable[[System], None]
) -> None:
    system = make()
    controller = system.controller()
    system.controllers = [controller]
    system.start(controller, steps=30)
    controller.tick()
    fails(system)
    first = system.alive()[0]
    system.cloud.arm(first, system.clock() + 1e7)
    system.until(lambda: not lives(system, first), most=2400)
    system.agents_dumb = False
    system.until(ended(system))
    assert (system.state().outcome, system.model()) == ("succeeded", model_after(30))
    assert "no word from it" in (system.state().attempts[1].terminate_reason or "")
