"""Who must be looked at each minute, and what news is worth waiting for."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.core.rhythm import attempt_of, lively, may_be_ours, unsettled, unspoken, wants_machine
from fleet.core.state import AttemptState, FleetState, Pause, RunState, VolumeRecord
from fleet.model.cloud import NewVolume
from tests.unit.core.world import job, offer

NOW = 1000.0


def attempt(number: int = 1, phase: str = "running", **more: Any) -> AttemptState:
    fields = {
        "number": number,
        "phase": phase,
        "try_no": 1,
        "token": f"t{number}",
        "offers": (offer("a-small-spot"),),
        "volume": NewVolume(size_gb=1),
        "predecessor": None,
        "why": "",
        "intended_at": 0.0,
        "instance_id": None if phase in ("intended", "refused") else f"i-{number}",
    }
    return AttemptState.model_validate({**fields, **more})


def run(*attempts: AttemptState, infra: str = "sim", **more: Any) -> RunState:
    made = job({"resources": {"infra": infra}})
    known = {one.number: one for one in attempts}
    return RunState(run_id="r-1", name="r", job=made, workdir_key=None, created_at=0.0, attempts=known, **more)


def state(one: RunState) -> FleetState:
    return FleetState(fleet_id="f", runs={one.run_id: one})


BY_USER = Pause(reason="denied", until=None)
VOLUME = VolumeRecord(volume_id="v", provider="sim", region="r", zone="r-a", size_gb=1, price=1, created_at=0.0)
OVER: dict[str, Any] = {"ended_at": 5.0, "outcome": "succeeded"}


@pytest.mark.parametrize(
    ("one", "wanted"),
    [
        (run(), True),  # just begun
        (run(attempt()), True),
        (run(attempt(phase="gone")), True),  # a machine is wanted
        (run(attempt(phase="gone"), pause=Pause(reason="no capacity", until=NOW + 3600)), True),
        (run(attempt(phase="ending"), **OVER), True),  # it must be seen to end
        (run(attempt(phase="gone"), **OVER), False),
        (run(attempt(phase="gone"), volumes={"v": VOLUME}, volume_id="v", **OVER), False),  # the hour will do
        (run(attempt(phase="gone"), pause=BY_USER), True),  # its user must hear of it
        (run(attempt(phase="gone"), pause=BY_USER, infra="local"), False),
        (run(attempt(phase="ending"), pause=BY_USER), True),
        (run(attempt(), infra="local"), False),
    ],
)
def test_only_what_trains_wants_to_waits_or_is_ending_needs_a_look_each_minute(one: RunState, *, wanted: bool) -> None:
    assert lively(state(one)) is wanted


@pytest.mark.parametrize(
    ("one", "wanted"),
    [
        (run(pause=BY_USER), True),
        (run(attempt(phase="ending"), pause=BY_USER), True),
        (run(pause=BY_USER, infra="local"), False),
        (run(attempt(phase="ending"), pause=BY_USER, want="down"), False),  # the user has said something
        (run(pause=Pause(reason="no capacity", until=NOW + 3600)), False),
        (run(attempt(phase="ending"), pause=BY_USER, **OVER), False),
        (run(), False),
    ],
)
def test_a_run_waits_for_a_word_where_only_its_user_can_help(one: RunState, *, wanted: bool) -> None:
    assert bool(unspoken(state(one))) is wanted


def test_a_run_that_may_go_to_a_cloud_as_well_is_looked_at() -> None:
    mixed = job({"resources": {"infra": "local", "any_of": [{"infra": "local"}, {"infra": "sim"}]}})
    assert lively(state(run().model_copy(update={"job": mixed})))


@pytest.mark.parametrize(
    ("one", "wanted"),
    [
        (run(), True),
        (run(attempt(phase="intended")), True),  # it is sent again
        (run(attempt(phase="launched")), False),
        (run(attempt()), False),
        (run(attempt(phase="draining")), True),
        (run(attempt(phase="draining"), attempt(2, "launched")), False),
        (run(attempt(phase="gone"), want="stop"), False),
        (run(pause=BY_USER), False),
        (run(pause=Pause(reason="", until=NOW + 1)), False),
        (run(pause=Pause(reason="", until=NOW)), True),
        (run(attempt(phase="gone"), **OVER), False),
    ],
)
def test_offers_are_worth_knowing_only_where_a_launch_may_be_decided(one: RunState, *, wanted: bool) -> None:
    assert wants_machine(one, NOW) is wanted


@pytest.mark.parametrize(
    ("one", "wanted"),
    [
        (run(attempt()), True),  # nobody but the event says so yet
        (run(attempt(phase="launched")), True),
        (run(attempt(phase="draining")), False),  # and nothing is launched in its place: a budget, a full house
        (run(attempt(phase="draining"), attempt(2, "intended")), True),
        (run(attempt(phase="draining"), attempt(2, "refused")), True),  # the next offer may do
        (run(attempt(phase="draining"), attempt(2, "refused"), pause=Pause(reason="", until=NOW)), False),
        (run(attempt(phase="draining"), attempt(2, "launched")), False),
        (run(attempt(phase="ending"), attempt(2, "intended"), **OVER), False),
    ],
)
def test_news_is_followed_until_the_replacement_is_launched(one: RunState, *, wanted: bool) -> None:
    assert unsettled(state(one), "r-1", 1) is wanted
    assert not unsettled(state(one), "r-1", 7)
    assert not unsettled(state(one), "r-2", 1)


def test_a_machine_is_known_while_it_may_live() -> None:
    known = state(run(attempt(phase="gone"), attempt(2, "draining")))
    found = attempt_of(known, "i-2")
    assert found is not None
    assert (found[0].run_id, found[1].number) == ("r-1", 2)
    assert attempt_of(known, "i-1") is None
    assert attempt_of(known, "i-3") is None


def test_a_launch_whose_outcome_nobody_recorded_may_be_any_machine_of_its_region() -> None:
    asked = state(run(attempt(phase="intended")))
    assert may_be_ours(asked, "sim", "r")
    assert not may_be_ours(asked, "sim", "elsewhere")
    assert not may_be_ours(state(run(attempt())), "sim", "r")


def test_offers_are_worth_knowing_while_one_of_two_machines_for_a_deadline_may_have_to_go() -> None:
    two = run(attempt(), attempt(2))
    assert not wants_machine(two, NOW)
    assert wants_machine(two.model_copy(update={"job": two.job.model_copy(update={"deadline": 3600.0})}), NOW)
