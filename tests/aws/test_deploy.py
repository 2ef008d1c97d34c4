"""Deploying the controller into an account, against moto: from nothing, from every half-made state, again and again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fleet import __version__
from fleet.control import aws_dismissal, aws_function, aws_place
from fleet.control.home import Home
from fleet.model.errors import ErrorClass, FleetError, ProviderError
from fleet.providers.aws import sweeping
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.errors import refusal
from fleet.providers.aws.schedules import Schedules
from fleet.providers.aws.session import aws_client, forget_clients
from fleet.providers.aws.setup_policy import setup_policy
from fleet.providers.strays import Owned
from fleet.store.opening import open_objects
from tests.aws.account import ACCOUNT, BUCKET, HOME, Account
from tests.aws.deploying import Yard, damages, everything_of_it, rule_state, sources, state, tiny_zip
from tests.aws.evaluator import Judged, decide
from tests.aws.recorded import Call, Recorder, requests_of

OTHER = "eu-west-1"


@pytest.fixture
def yard(account: Account) -> Yard:
    account.init()
    return Yard(account)


def actions(steps: Any) -> dict[str, str]:
    return {f"{step.kind} {step.name}": step.action for step in steps}


def changed(steps: Any) -> dict[str, tuple[str, ...]]:
    return {f"{step.kind} {step.region}".strip(): step.differs for step in steps if step.action != "leave"}


# --- from nothing


def test_from_nothing_everything_is_made_as_it_is_wanted(account: Account) -> None:
    account.init(HOME, OTHER)
    yard = Yard(account)
    made = yard.deploy("me@example.com")
    assert {step.action for step in made.steps} == {"make"}
    name, fleet = made.blueprint.name, account.setup.fleet_id
    assert name == f"fleet-{fleet[:8]}-controller"
    function = aws_client("lambda", HOME).get_function(FunctionName=name)
    one = function["Configuration"]
    assert (one["Runtime"], one["Handler"], one["MemorySize"], one["Timeout"], one["Architectures"]) == (
        "python3.12", "fleet.control.function.handler", 256, 55, ["arm64"],
    )  # fmt: skip
    assert one["Environment"]["Variables"] == {"FLEET_BUCKET": f"s3://{BUCKET}", "FLEET_HOME": "/tmp/fleet"}
    assert one["CodeSize"] == len(tiny_zip())
    assert function["Tags"] == {"fleet": fleet}
    assert function["Concurrency"] == {"ReservedConcurrentExecutions": 1}
    invocations = aws_client("lambda", HOME).get_function_event_invoke_config(FunctionName=name)
    assert (invocations["MaximumRetryAttempts"], invocations["MaximumEventAgeInSeconds"]) == (0, 120)
    (group,) = aws_client("logs", HOME).describe_log_groups()["logGroups"]
    assert (group["logGroupName"], group["retentionInDays"]) == (f"/aws/lambda/{name}", 7)
    (alarm,) = aws_client("cloudwatch", HOME).describe_alarms()["MetricAlarms"]
    assert (alarm["MetricName"], alarm["Threshold"], alarm["TreatMissingData"]) == ("AsyncEventsDropped", 3, "notBreaching")
    (topic,) = aws_client("sns", HOME).list_topics()["Topics"]
    assert alarm["AlarmActions"] == [topic["TopicArn"]]
    (told,) = aws_client("sns", HOME).list_subscriptions()["Subscriptions"]
    assert (told["Protocol"], told["Endpoint"]) == ("email", "me@example.com")


def test_the_schedules_call_the_function_and_rules_of_every_region_reach_it(account: Account) -> None:
    account.init(HOME, OTHER)
    name = Yard(account).deploy().blueprint.name
    arn = f"arn:aws:lambda:{HOME}:{ACCOUNT}:function:{name}"
    for every in ("minute", "hour"):
        schedule = aws_client("scheduler", HOME).get_schedule(Name=f"{name}-{every}")
        assert (schedule["ScheduleExpression"], schedule["State"]) == (f"rate(1 {every})", "ENABLED")
        assert schedule["Target"]["Arn"] == arn
        assert schedule["Target"]["RoleArn"].endswith(f"role/{name}-schedule")
    (here,) = aws_client("events", HOME).list_targets_by_rule(Rule=name)["Targets"]
    assert (here["Arn"], here.get("RoleArn")) == (arn, None)
    (there,) = aws_client("events", OTHER).list_targets_by_rule(Rule=name)["Targets"]
    assert there["Arn"] == f"arn:aws:events:{HOME}:{ACCOUNT}:event-bus/default"
    assert there["RoleArn"].endswith(f"role/{name}-events")
    (allowed,) = json.loads(aws_client("lambda", HOME).get_policy(FunctionName=name)["Policy"])["Statement"]
    assert allowed["Principal"] == {"Service": "events.amazonaws.com"}
    assert f"arn:aws:events:{HOME}:{ACCOUNT}:rule/{name}" in json.dumps(allowed["Condition"])
    trust = aws_client("iam", HOME).get_role(RoleName=f"{name}-schedule")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_the_record_says_where_everything_is(yard: Yard) -> None:
    plan = yard.deploy("me@example.com").blueprint
    record = yard.record
    assert (record.function, record.minute, record.hour) == (plan.name, f"{plan.name}-minute", f"{plan.name}-hour")
    assert (record.region, record.rules, record.version) == (HOME, {HOME: plan.name}, __version__)
    assert record.topic == f"arn:aws:sns:{HOME}:{ACCOUNT}:{plan.name}"
    assert record.code_sha256[:12] in plan.code_key
    assert record.made_at > 0


def test_a_second_time_nothing_is_changed(yard: Yard) -> None:
    yard.deploy("me@example.com")
    recorder = Recorder()
    again = yard.deploy()  # whom it tells need not be said again
    assert again.idle
    assert recorder.changes == []
    assert yard.account.slept == []


def test_without_an_address_the_alarm_stands_alone_and_one_can_be_added(yard: Yard) -> None:
    first = yard.deploy()
    assert not any(step.kind == "topic" for step in first.steps)
    assert any("--email" in told for told in first.warnings)
    second = yard.deploy("me@example.com")
    assert {step.kind: step.action for step in second.steps if step.action != "leave"} == {
        "topic": "make", "alarm": "mend", "record": "mend",
    }  # fmt: skip
    third = yard.deploy("you@example.com")
    assert changed(third.steps) == {f"topic {HOME}": ("e-mail",)}
    assert {one["Endpoint"] for one in aws_client("sns", HOME).list_subscriptions()["Subscriptions"]} == {
        "me@example.com", "you@example.com",
    }  # fmt: skip
    assert yard.prepare("me@example.com").idle


def test_another_version_updates_the_code_and_removes_the_old_one(yard: Yard) -> None:
    before = yard.deploy().blueprint.code_key
    yard.sources = sources("2")
    updated = yard.deploy()
    assert changed(updated.steps) == {
        f"code {HOME}": ("bytes", "older"), f"function {HOME}": ("code",), "record": ("code_sha256",),
    }  # fmt: skip
    stored = [one.key for one in open_objects(f"s3://{BUCKET}").list("agent/function-")]
    assert stored == [updated.blueprint.code_key] != [before]
    assert yard.prepare().idle


def test_another_version_of_fleet_alone_is_written_down(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    yard.deploy()
    monkeypatch.setattr(aws_function, "__version__", "99.0")
    step = yard.deploy().steps[-1]
    assert (step.kind, step.action, step.told) == ("record", "mend", f"fleet {__version__} → 99.0")
    assert yard.record.version == "99.0"


def test_a_region_that_is_added_later_is_heard_too(yard: Yard) -> None:
    name = yard.deploy().blueprint.name
    yard.account.init(OTHER)
    steps = yard.deploy().steps
    assert {f"{step.kind} {step.name}" for step in steps if step.action == "make"} == {f"role {name}-events", f"rule {name}"}
    assert set(yard.record.rules) == {HOME, OTHER}


def test_a_region_that_is_added_while_it_sleeps_is_not_switched_on(yard: Yard) -> None:
    name = yard.deploy().blueprint.name
    Schedules(yard.record, yard.calls).turn(on=False)
    yard.account.init(OTHER)
    yard.deploy()
    assert (state(f"{name}-minute"), rule_state(name), rule_state(name, OTHER)) == ("DISABLED",) * 3


def test_without_a_set_up_it_says_what_comes_first(account: Account) -> None:
    with pytest.raises(FleetError, match="no fleet was set up") as told:
        Yard(account).prepare()
    assert "fleet init aws" in told.value.hint


@pytest.mark.parametrize("email", ["me", "@", "me@", " me@example.com"])
def test_what_is_no_address_is_refused_before_anything_is_looked_at(yard: Yard, email: str) -> None:
    recorder = Recorder()
    with pytest.raises(FleetError, match="no e-mail address"):
        yard.prepare(email)
    assert recorder.calls == []


# --- changed by somebody


def test_everything_that_somebody_changed_by_hand_is_mended(yard: Yard) -> None:
    name = yard.deploy("me@example.com").blueprint.name
    wanted = {step.kind: step for step in yard.prepare().steps}
    assert set(wanted) >= {"role", "function", "rule", "schedule", "alarm", "topic", "log group", "permission"}
    all_damages = damages(name)
    for damage in all_damages.values():
        damage(name)
    mended = {f"{step.kind} {field}" for step in yard.deploy().steps if step.action == "mend" for field in step.differs}
    assert mended >= set(all_damages)
    assert yard.prepare().idle


def test_what_is_mended_is_neither_switched_on_nor_off(yard: Yard) -> None:
    name = yard.deploy().blueprint.name
    all_damages = damages(name)
    all_damages["schedule expression"](name)
    all_damages["rule pattern"](name)
    yard.deploy()
    assert (state(f"{name}-minute"), rule_state(name)) == ("DISABLED", "DISABLED")


def test_the_hourly_call_is_never_off(yard: Yard) -> None:
    name = yard.deploy().blueprint.name
    damages(name)["schedule target"](name)
    assert state(f"{name}-hour") == "DISABLED"
    yard.deploy()
    assert state(f"{name}-hour") == "ENABLED"


@pytest.mark.parametrize("what", ["function", "role", "rule", "schedule", "alarm", "record", "broken record"])
def test_what_somebody_removed_is_made_again(yard: Yard, what: str) -> None:
    name = yard.deploy().blueprint.name
    match what:
        case "function":
            aws_client("lambda", HOME).delete_function(FunctionName=name)
        case "role":
            aws_client("iam", HOME).delete_role_policy(RoleName=name, PolicyName="fleet")
            aws_client("iam", HOME).delete_role(RoleName=name)
        case "rule":
            aws_client("events", HOME).remove_targets(Rule=name, Ids=["controller"])
            aws_client("events", HOME).delete_rule(Name=name)
        case "schedule":
            aws_client("scheduler", HOME).delete_schedule(Name=f"{name}-minute")
        case "alarm":
            aws_client("cloudwatch", HOME).delete_alarms(AlarmNames=[name])
        case "record":
            aws_client("s3", HOME).delete_object(Bucket=BUCKET, Key="setup/aws-controller.json")
        case _:
            aws_client("s3", HOME).put_object(Bucket=BUCKET, Key="setup/aws-controller.json", Body=b"{")
    kind = what.removeprefix("broken ")
    assert "make" in {step.action for step in yard.deploy().steps if step.kind == kind}
    assert yard.prepare().idle


# --- broken off


class Killed(BaseException):
    """As a kill: nothing catches it."""


def test_one_that_is_killed_before_any_change_is_completed_by_the_next_one(account: Account) -> None:
    """One change more each time; each time the next run begins where the last one was killed."""
    account.init(HOME, OTHER)
    yard = Yard(account)
    seen: list[Call] = []

    def before(call: Call) -> None:
        seen.extend([call] if call.changes else [])
        if len(seen) == 2:
            raise Killed

    Recorder(before)
    kills = 0
    while kills < 60:
        seen.clear()
        try:
            yard.deploy("me@example.com")
            break
        except Killed:
            kills += 1
    assert 15 <= kills < 60  # at so many different places
    forget_clients()
    assert yard.prepare().idle
    assert set(yard.record.rules) == {HOME, OTHER}
    assert len(aws_client("lambda", HOME).list_functions()["Functions"]) == 1


class Unlucky(Calls):
    """Every call fails once: before it has its effect, or after, when nobody hears the answer."""

    def __init__(self, *, lost: bool, slept: list[float]) -> None:
        super().__init__(sleep=slept.append)
        self.lost, self.met = lost, set[str]()

    def once(self, service: str, region: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        key = f"{service} {region} {operation} {sorted(map(str, parameters.items()))}"
        if key in self.met:
            return super().once(service, region, operation, parameters)
        self.met.add(key)
        if self.lost:
            super().once(service, region, operation, parameters)
        raise ProviderError(ErrorClass.TRANSIENT, "ServiceUnavailable", f"{operation}: nobody answered")


@pytest.mark.parametrize("lost", [False, True], ids=["refused", "answer lost"])
def test_where_every_call_fails_once_it_is_deployed_and_removed_all_the_same(yard: Yard, *, lost: bool) -> None:
    yard.deploy("me@example.com", Unlucky(lost=lost, slept=yard.account.slept))
    assert yard.prepare().idle
    yard.account.calls = Unlucky(lost=lost, slept=yard.account.slept)
    yard.dismiss()
    assert everything_of_it() == []


EARLY = {
    "create_function": ("InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda."),
    "create_schedule": (
        "ValidationException", "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
    ),
    "put_function_concurrency": (
        "ResourceConflictException", "The operation cannot be performed at this time. An update is in progress for …",
    ),
}  # fmt: skip
"""AWS's own words."""


class Early(Calls):
    """A role that was made a moment ago is not known everywhere yet, and a change waits for the one before."""

    def __init__(self, times: int, slept: list[float]) -> None:
        super().__init__(sleep=slept.append)
        self.left = dict.fromkeys(EARLY, times)

    def once(self, service: str, region: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        if self.left.get(operation, 0) > 0:
            self.left[operation] -= 1
            code, said = EARLY[operation]
            raise refusal(code, f"{operation}: {said}", 400)
        return super().once(service, region, operation, parameters)


def test_a_role_that_is_not_known_yet_is_waited_for(yard: Yard) -> None:
    yard.deploy(calls=Early(3, yard.account.slept))
    assert yard.account.slept == [3.0] * 9
    assert yard.prepare().idle


def test_a_role_that_never_comes_to_be_known_ends_the_wait_with_lambdas_own_words(yard: Yard) -> None:
    with pytest.raises(ProviderError, match="cannot be assumed by Lambda"):
        yard.deploy(calls=Early(1000, yard.account.slept))
    assert sum(yard.account.slept) <= 60
    yard.deploy()
    assert yard.prepare().idle


# --- small accounts, other partitions


class Small(Calls):
    """An account whose whole limit is ten calls at once."""

    def __init__(self, *, told: bool) -> None:
        super().__init__(sleep=lambda _: None)
        self.told = told

    def once(self, service: str, region: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        if operation == "get_account_settings":
            return {"AccountLimit": {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10} if self.told else {}}
        if operation == "put_function_concurrency":
            told = "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution"
            raise refusal("InvalidParameterValueException", f"{operation}: {told} below its minimum value of [10].", 400)
        return super().once(service, region, operation, parameters)


def test_an_account_that_cannot_set_a_call_aside_gets_it_without_and_is_told(yard: Yard) -> None:
    made = yard.deploy(calls=Small(told=True))
    assert not any(step.kind == "concurrency" for step in made.steps)
    assert any("cannot set a call aside" in told for told in made.warnings)
    assert yard.prepare(calls=Small(told=True)).idle
    yard.dismiss()
    prepared = yard.prepare(calls=Small(told=False))
    warned = aws_function.carry_out_deployment(yard.account.home, prepared, lambda _: None)
    assert "cannot set a call aside" in warned
    assert yard.record.function == prepared.blueprint.name


# --- removed


def test_removing_leaves_nothing_with_the_record_or_without(account: Account) -> None:
    account.init(HOME, OTHER)
    yard = Yard(account)
    for lose in (False, True):
        yard.deploy("me@example.com")
        assert len(everything_of_it(HOME, OTHER)) >= 12
        if lose:
            aws_client("s3", HOME).delete_object(Bucket=BUCKET, Key="setup/aws-controller.json")
        assert yard.dismiss().steps
        assert everything_of_it(HOME, OTHER) == []
        assert yard.dismiss().steps == []
    assert account.setup.fleet_id  # what `fleet init aws` made stays
    assert account.prepare().steps
    assert {step.action for step in account.prepare().steps} == {"leave"}


def test_another_fleets_controller_stays(yard: Yard) -> None:
    yard.deploy()
    aws_client("s3", HOME).create_bucket(Bucket="another")
    yard.account.init(bucket="another")
    assert yard.dismiss().steps == []
    assert len(everything_of_it()) >= 9


def test_one_that_is_killed_before_any_removal_is_completed_by_the_next_one(yard: Yard) -> None:
    yard.deploy("me@example.com")
    seen: list[Call] = []

    def before(call: Call) -> None:
        seen.extend([call] if call.changes else [])
        if len(seen) == 2:
            raise Killed

    Recorder(before)
    kills = 0
    while kills < 40:
        seen.clear()
        try:
            yard.dismiss()
            break
        except Killed:
            kills += 1
    assert 8 <= kills < 40
    forget_clients()
    assert everything_of_it() == []


def test_destroying_the_set_up_removes_it_too(account: Account) -> None:
    account.init(HOME, OTHER)
    Yard(account).deploy("me@example.com")
    doomed = account.destroy(delete_bucket=False)
    kinds = [step.kind for step in doomed.steps]
    assert kinds.index("schedule") < kinds.index("function") < kinds.index("role") < kinds.index("record")
    assert everything_of_it(HOME, OTHER) == []
    account.init(HOME, OTHER)
    Yard(account).deploy()
    account.destroy(delete_bucket=True)
    assert aws_client("s3", HOME).list_buckets()["Buckets"] == []


def test_who_never_deployed_one_need_not_be_allowed_to_look_for_it(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Calls.once

    def once(self: Calls, service: str, region: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        if service == "scheduler":
            raise ProviderError(ErrorClass.DENIED, "AccessDeniedException", operation)
        return plain(self, service, region, operation, parameters)

    yard.deploy()
    monkeypatch.setattr(Calls, "once", once)
    with pytest.raises(ProviderError, match="get_schedule"):
        yard.account.doomed()
    aws_client("s3", HOME).delete_object(Bucket=BUCKET, Key="setup/aws-controller.json")
    assert not any(step.kind == "function" for step in yard.account.doomed().steps)


# --- who may


def test_everything_that_deploying_and_removing_call_is_in_the_set_ups_policy(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = setup_policy(ACCOUNT, "aws", BUCKET)
    account.init(HOME, OTHER)
    opened: list[Judged] = []

    def judged(_home: Home, url: str) -> Judged:
        opened.append(Judged(open_objects(url), policy, BUCKET))
        return opened[-1]

    for module in (aws_place, aws_function, aws_dismissal):
        monkeypatch.setattr(module, "open_bucket", judged)
    yard, recorder = Yard(account), Recorder()
    name = yard.deploy("me@example.com").blueprint.name
    calls = [*recorder.calls]
    for damage in damages(name).values():
        damage(name)
    recorder.calls.clear()
    yard.deploy()
    yard.dismiss()
    calls += recorder.calls
    refused = [str(request) for call in calls for request in requests_of(call) if decide(policy, request) != "allow"]
    assert refused == []
    assert [one for bucket in opened for one in bucket.refused] == []
    made = {call.operation for call in calls}
    assert made >= {"CreateFunction", "UpdateFunctionCode", "CreateSchedule", "PutTargets", "DeleteTopic", "DeleteLogGroup"}


def test_the_sweep_for_strays_takes_nothing_of_it(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    yard.deploy("me@example.com")
    monkeypatch.setattr(sweeping, "_regions", lambda _: [HOME])  # all others are empty
    setup = yard.account.setup
    assert sweeping.sweep(sweeping.Account(setup.fleet_id, HOME, BUCKET, setup=setup), Owned(), 4e9).strays == []
