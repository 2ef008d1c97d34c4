"""Switching the controller in the account on when something lives; what may be called for it; and what may go wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from fleet import api
from fleet.cli import doctor_aws
from fleet.cli.doctor_aws import deployed
from fleet.control import aws_function
from fleet.control.clouds import wake_controller
from fleet.control.controller import Controller
from fleet.control.fleets import open_fleet
from fleet.model.cloud import NewVolume
from fleet.model.errors import ErrorClass, ProviderError, StoreError
from fleet.model.job import Job
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.function_policies import function_policy
from fleet.providers.aws.policies import controller_policy
from fleet.providers.aws.schedules import Schedules
from fleet.providers.aws.session import aws_client
from tests.aws.account import ACCOUNT, BUCKET, HOME, Account
from tests.aws.bench import Rig
from tests.aws.deploying import Yard, rule_state, state
from tests.aws.evaluator import decide
from tests.aws.ground import offer
from tests.aws.recorded import Recorder, requests_of

OTHER = "eu-west-1"
ON_AWS = Job.model_validate({"name": "racer", "run": "x", "resources": {"infra": "aws"}})
HERE = Job.model_validate({"name": "racer", "run": "x", "resources": {"infra": "local"}})


@pytest.fixture
def yard(account: Account) -> Yard:
    account.init(HOME, OTHER)
    return Yard(account)


@pytest.fixture
def asleep(yard: Yard) -> Yard:
    """It was deployed, and nothing lives."""
    yard.deploy()
    Schedules(yard.record, yard.calls).turn(on=False)
    return yard


def states(yard: Yard) -> set[str]:
    name = yard.record.function
    return {state(yard.record.minute), rule_state(name), rule_state(name, OTHER)}


def controller_of(yard: Yard) -> Controller:
    return open_fleet(yard.account.home, f"s3://{BUCKET}")


# --- the switch


def test_everything_is_switched_off_and_on_together_and_the_hour_stays(yard: Yard) -> None:
    yard.deploy()
    schedules = Schedules(yard.record, yard.calls)
    assert (schedules.on(), states(yard)) == (True, {"ENABLED"})
    assert schedules.turn(on=False)
    assert (schedules.on(), states(yard)) == (False, {"DISABLED"})
    assert state(yard.record.hour) == "ENABLED"
    assert schedules.turn(on=True)
    assert (schedules.on(), states(yard)) == (True, {"ENABLED"})


def test_what_is_so_already_is_not_changed(asleep: Yard) -> None:
    recorder = Recorder()
    assert not Schedules(asleep.record, asleep.calls).turn(on=False)
    assert recorder.changes == []


def test_a_switch_keeps_everything_else_of_a_schedule(asleep: Yard) -> None:
    name = asleep.record.minute
    before: dict[str, Any] = aws_client("scheduler", HOME).get_schedule(Name=name)
    Schedules(asleep.record, asleep.calls).turn(on=True)
    after: dict[str, Any] = aws_client("scheduler", HOME).get_schedule(Name=name)
    changed = {key for key in before if before[key] != after.get(key)} - {"ResponseMetadata", "LastModificationDate"}
    assert changed == {"State"}
    assert asleep.prepare().idle


def test_a_rule_that_was_left_behind_is_switched_by_the_next_one(asleep: Yard) -> None:
    """Whoever switched was killed between the two."""
    aws_client("events", OTHER).enable_rule(Name=asleep.record.function)
    assert Schedules(asleep.record, asleep.calls).turn(on=False)
    assert states(asleep) == {"DISABLED"}


def test_one_that_cannot_be_switched_keeps_the_others_from_nothing(asleep: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Calls.once

    def once(calls: Calls, service: str, region: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        if operation == broken:
            raise ProviderError(ErrorClass.DENIED, "AccessDeniedException", f"{broken}: not authorized")
        return plain(calls, service, region, operation, parameters)

    monkeypatch.setattr(Calls, "once", once)
    name, schedules = asleep.record.function, Schedules(asleep.record, asleep.calls)
    broken = "update_schedule"
    with pytest.raises(ProviderError, match="update_schedule: not authorized"):
        schedules.turn(on=True)
    assert (state(asleep.record.minute), rule_state(name), rule_state(name, OTHER)) == ("DISABLED", "ENABLED", "ENABLED")
    broken = "describe_rule"
    with pytest.raises(ProviderError, match="describe_rule: not authorized"):
        schedules.turn(on=True)
    assert states(asleep) == {"ENABLED"}
    assert schedules.on()  # what cannot be asked is no reason to switch anything


def test_rules_that_are_not_as_the_schedule_is_are_seen_and_are_no_removal(asleep: Yard) -> None:
    aws_client("events", OTHER).enable_rule(Name=asleep.record.function)
    schedules = Schedules(asleep.record, asleep.calls)
    assert (schedules.on(), schedules.minute()) == (None, False)
    assert wake_controller(asleep.account.home, controller_of(asleep), ON_AWS) == ""
    assert (schedules.on(), schedules.minute()) == (True, True)


def test_what_is_gone_is_told_and_hinders_nothing(asleep: Yard) -> None:
    aws_client("scheduler", HOME).delete_schedule(Name=asleep.record.minute)
    schedules = Schedules(asleep.record, asleep.calls)
    assert schedules.on() is None
    assert schedules.turn(on=True)  # the rules
    assert not schedules.turn(on=True)


# --- waking


def test_a_run_that_may_go_to_aws_wakes_it_and_one_that_stays_here_does_not(asleep: Yard) -> None:
    controller = controller_of(asleep)
    assert wake_controller(asleep.account.home, controller, HERE) == ""
    assert states(asleep) == {"DISABLED"}
    assert wake_controller(asleep.account.home, controller, ON_AWS) == ""
    assert states(asleep) == {"ENABLED"}


def test_where_none_was_deployed_one_look_is_all(yard: Yard) -> None:
    controller, recorder, asked = controller_of(yard), Recorder(), list[str]()
    plain = controller.objects.get

    def get(key: str) -> bytes:
        asked.append(key)
        return plain(key)

    controller.objects.get = get  # type: ignore[method-assign]
    assert wake_controller(yard.account.home, controller, ON_AWS) == ""
    assert (asked, recorder.calls) == (["setup/aws-controller.json"], [])


def test_one_that_was_removed_by_hand_is_told_with_what_to_do(asleep: Yard) -> None:
    aws_client("scheduler", HOME).delete_schedule(Name=asleep.record.minute)
    told = wake_controller(asleep.account.home, controller_of(asleep), ON_AWS)
    assert "was removed by hand" in told
    assert "`fleet controller deploy aws` makes it again" in told


def test_another_version_is_woken_and_told(asleep: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_function, "__version__", "99.0")
    told = wake_controller(asleep.account.home, controller_of(asleep), ON_AWS)
    assert "this is 99.0" in told
    assert states(asleep) == {"ENABLED"}


@pytest.mark.parametrize(
    "error",
    [
        ProviderError(ErrorClass.DENIED, "AccessDeniedException", "GetSchedule: not authorized"),
        StoreError("the bucket cannot be reached"),
        OSError(28, "No space left on device"),
    ],
    ids=["denied", "bucket", "disk"],
)
def test_whatever_goes_wrong_is_a_sentence_and_no_error(
    asleep: Yard, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    controller = controller_of(asleep)

    def fails(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(Calls, "once", fails)
    told = wake_controller(asleep.account.home, controller, ON_AWS)
    assert "was not woken, and looks by itself within the hour" in told
    assert "\n" not in told


def test_from_python_a_run_that_begins_and_one_that_goes_on_wake_it(
    asleep: Yard, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLEET_HOME", str(asleep.account.home.path))
    for name in ("prepare", "refuse_without_setup"):
        monkeypatch.setattr(api, name, lambda *_: None)
    monkeypatch.setattr(Controller, "tick", lambda _self: None)
    job = {"name": "racer", "run": "x", "resources": {"infra": "aws"}, "bucket": f"s3://{BUCKET}"}
    api.up(job, wait=False)
    assert states(asleep) == {"ENABLED"}
    controller = controller_of(asleep)
    from fleet.model.events import RunEnded

    run = next(iter(controller.state.runs.values()))
    controller.record([RunEnded(at=controller.objects.now(), run_id=run.run_id, outcome="stopped", reason="so it was said")])
    Schedules(asleep.record, asleep.calls).turn(on=False)
    api.resume("racer", wait=False, bucket=f"s3://{BUCKET}")
    assert states(asleep) == {"ENABLED"}


# --- what a doctor says


def test_a_doctor_says_how_often_it_is_called_and_where_it_is_not_as_it_should_be(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, url = yard.account.home, f"s3://{BUCKET}"
    assert deployed(home, url) == []
    yard.deploy()
    (one,) = deployed(home, url)
    assert (one.state, "each minute" in one.told) == ("good", True)
    Schedules(yard.record, yard.calls).turn(on=False)
    (one,) = deployed(home, url)
    assert (one.state, "each hour" in one.told) == ("good", True)
    with monkeypatch.context() as patch:
        patch.setattr(doctor_aws, "__version__", "99.0")
        (one,) = deployed(home, url)
        assert (one.state, one.remedy) == ("note", "fleet controller deploy aws")
    aws_client("scheduler", HOME).delete_schedule(Name=yard.record.minute)
    (one,) = deployed(home, url)
    assert (one.state, one.remedy) == ("bad", "fleet controller deploy aws")


# --- who may


def test_everything_that_waking_calls_is_in_the_controllers_policy(asleep: Yard) -> None:
    policy = controller_policy(ACCOUNT, "aws", BUCKET, asleep.account.setup.fleet_id)
    controller, recorder = controller_of(asleep), Recorder()
    wake_controller(asleep.account.home, controller, ON_AWS)
    refused = [str(one) for call in recorder.calls for one in requests_of(call) if decide(policy, one) != "allow"]
    assert refused == []
    assert {call.operation for call in recorder.changes} == {"UpdateSchedule", "EnableRule"}


def test_every_call_of_a_tick_is_in_the_functions_policy(asleep: Yard, tmp_path: Path) -> None:
    rig = Rig(cast(Any, None), asleep.account.setup, tmp_path / "prices")
    fleet, recorder, provider = rig.setup.fleet_id, Recorder(), rig.provider()
    first = provider.launch(rig.request(volume=NewVolume(size_gb=8)))
    provider.launch(rig.request(offer(), volume=NewVolume(size_gb=8)))
    volume = provider.create_volume(HOME, first.offer.zone, NewVolume(size_gb=8), "t-9", {"fleet": fleet, "run": "car-1"})
    provider.attach(HOME, volume.volume_id, first.instance_id)
    provider.detach(HOME, volume.volume_id, first.instance_id)
    provider.delete_volume(HOME, volume.volume_id)
    provider.list(HOME)
    provider.get(HOME, first.instance_id)
    provider.console(HOME, first.instance_id)
    provider.boot_target([offer()], None)
    provider.access_rules(HOME)
    provider.terminate(HOME, first.instance_id)
    Schedules(asleep.record, asleep.calls).turn(on=True)
    Schedules(asleep.record, asleep.calls).turn(on=False)
    policy = function_policy(ACCOUNT, "aws", rig.setup.bucket, fleet, HOME)
    refused = [str(one) for call in recorder.calls for one in requests_of(call) if decide(policy, one) != "allow"]
    assert refused == []
    assert {call.operation for call in recorder.changes} >= {"CreateFleet", "TerminateInstances", "DisableRule"}
