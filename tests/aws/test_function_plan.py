"""What deploying does about what it finds, and who may do what: facts in, steps and documents out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fleet.model import layout
from fleet.model.setup import AwsFunction
from fleet.providers.aws.function_blueprint import FunctionBlueprint
from fleet.providers.aws.function_plan import FunctionSurvey, plan_function, wanted
from fleet.providers.aws.function_policies import function_policy
from fleet.providers.aws.function_prices import IDLE, ONE_RUN, monthly_cost
from fleet.providers.aws.policies import INLINE_LIMIT
from fleet.providers.wanted import Found, Place, nothing_to_do
from tests.aws.account import ACCOUNT
from tests.aws.evaluator import Request, decide
from tests.aws.test_policies import BUCKET, FLEET, MINE, OTHER, THEIRS, call, decisions, launches, on, tagged

PLAN = FunctionBlueprint(
    account=ACCOUNT,
    partition="aws",
    fleet_id=FLEET,
    bucket=BUCKET,
    region="ap-southeast-2",
    regions=("ap-southeast-2", "us-east-1"),
    code_sha256="ab" * 32,
    code_size=1000,
    version="1.2",
    email="me@example.com",
    alert=True,
)
FUNCTION = function_policy(ACCOUNT, "aws", BUCKET, FLEET, "ap-southeast-2")
NAME = f"fleet-{FLEET[:8]}-controller"


def whole(blueprint: FunctionBlueprint = PLAN) -> FunctionSurvey:
    """Everything as it is wanted."""
    things = {
        (one.kind, one.region, one.name): Found(one.name, {"state": "ENABLED", **one.fields}) for one in wanted(blueprint)
    }
    return FunctionSurvey(things, AwsFunction.model_validate({**blueprint.record(), "made_at": 1.0}))


FIELDS = [(place, name) for place, found in whole().things.items() for name in found.fields if name != "state"]
FIELDS += [(place, "state") for place in whole().things if place[2].endswith("-hour")]


def test_in_an_empty_account_everything_is_made_what_is_called_before_what_calls_it_and_the_record_last() -> None:
    steps = plan_function(PLAN, FunctionSurvey())
    assert {step.action for step in steps} == {"make"}
    kinds: list[str] = [step.kind for step in steps]
    assert kinds[-1] == "record"
    for first, then in (("code", "function"), ("role", "function"), ("log group", "function"), ("function", "rule"),
                        ("function", "schedule"), ("function", "permission"), ("topic", "alarm")):  # fmt: skip
        assert kinds.index(first) < kinds.index(then)
    assert [step.region for step in steps if step.kind == "rule"] == ["ap-southeast-2", "us-east-1"]
    assert all(step.told for step in steps)


def test_where_everything_is_as_it_should_be_nothing_is_done() -> None:
    assert nothing_to_do(plan_function(PLAN, whole()))


@pytest.mark.parametrize(("place", "name"), FIELDS)
def test_every_field_that_is_another_is_mended_and_said(place: Place, name: str) -> None:
    survey = whole()
    found = survey.things[place]
    things = {**survey.things, place: Found(found.id, {**found.fields, name: "another"})}
    changes = [step for step in plan_function(PLAN, replace(survey, things=things)) if step.action != "leave"]
    assert [(step.kind, step.region, step.name) for step in changes] == [place]
    assert (changes[0].action, changes[0].differs) == ("mend", (name,))
    assert name in changes[0].told


@pytest.mark.parametrize("place", list(whole().things))
def test_everything_that_is_gone_is_made(place: Place) -> None:
    survey = whole()
    things = {key: found for key, found in survey.things.items() if key != place}
    steps = plan_function(PLAN, replace(survey, things=things))
    assert [(step.kind, step.region, step.name) for step in steps if step.action == "make"] == [place]


def test_whether_the_minutes_schedule_and_the_rules_are_on_is_nothing_to_mend() -> None:
    survey = whole()
    off = {
        place: Found(found.id, {**found.fields, "state": "DISABLED"})
        for place, found in survey.things.items()
        if place[0] == "rule" or place[2].endswith("-minute")
    }
    assert nothing_to_do(plan_function(PLAN, replace(survey, things={**survey.things, **off})))


def test_everything_about_it_is_called_after_the_fleet() -> None:
    own = {thing.name for thing in wanted(PLAN) if thing.kind not in ("agent", "code")}
    assert {name.removeprefix("/aws/lambda/").removeprefix(NAME) for name in own} == {
        "", "-schedule", "-events", "-minute", "-hour",
    }  # fmt: skip


def test_a_fleet_of_one_region_needs_no_role_for_events() -> None:
    alone = replace(PLAN, regions=("ap-southeast-2",))
    assert f"{NAME}-events" not in alone.roles
    assert alone.ruled == ("ap-southeast-2",)


def test_a_function_hears_its_own_region_where_no_machine_is_launched_too() -> None:
    """What other regions hand on arrives there, and the rule there hands it to the function."""
    elsewhere = replace(PLAN, regions=("us-east-1",))
    assert elsewhere.ruled == ("ap-southeast-2", "us-east-1")


def test_in_another_partition_events_do_not_travel_and_that_is_known() -> None:
    china = replace(PLAN, partition="aws-cn", region="cn-north-1", regions=("cn-north-1", "cn-northwest-1"))
    assert (china.ruled, china.deaf, china.arch) == (("cn-north-1",), ("cn-northwest-1",), "x86_64")
    assert china.function_arn.startswith("arn:aws-cn:lambda:cn-north-1:")
    assert (PLAN.deaf, PLAN.arch) == ((), "arm64")


def test_rules_hear_warnings_and_ends_of_this_account_and_nothing_else() -> None:
    pattern: Any = PLAN.pattern()
    assert pattern["source"] == ["aws.ec2"]
    assert pattern["account"] == [ACCOUNT]
    warnings, changes = pattern["$or"]
    assert "detail" not in warnings
    assert set(changes["detail"]["state"]) == {"stopping", "stopped", "shutting-down", "terminated"}


# --- the function's own policy


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("TerminateInstances", {"InstanceIds": ["i-1"]}),
        ("AttachVolume", {"VolumeId": "vol-1", "InstanceId": "i-1"}),
        ("DetachVolume", {"VolumeId": "vol-1", "InstanceId": "i-1"}),
        ("DeleteVolume", {"VolumeId": "vol-1"}),
        ("ModifyVolume", {"VolumeId": "vol-1"}),
        ("GetConsoleOutput", {"InstanceId": "i-1"}),
        ("RevokeSecurityGroupIngress", {"GroupId": "sg-1"}),
    ],
)
def test_the_function_changes_what_is_its_fleets_and_nothing_else(operation: str, parameters: dict[str, object]) -> None:
    assert decisions(FUNCTION, call(operation, MINE, **parameters)) == {"allow"}
    assert "nothing" in decisions(FUNCTION, call(operation, THEIRS, **parameters))
    assert "nothing" in decisions(FUNCTION, call(operation, {}, **parameters))


def test_the_function_launches_what_is_tagged_in_the_launching_call() -> None:
    for one in launches():
        assert decisions(FUNCTION, one) == {"allow"}
    for one in [*launches(kinds=("volume",)), *launches(fleet=OTHER)]:
        assert "nothing" in decisions(FUNCTION, one)
    assert decisions(FUNCTION, call("CreateVolume", TagSpecifications=tagged("volume"))) == {"allow"}


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("AuthorizeSecurityGroupIngress", {"GroupId": "sg-1"}),
        ("DeleteSnapshot", {"SnapshotId": "snap-1"}),
        ("DeleteLaunchTemplate", {"LaunchTemplateId": "lt-1"}),
        ("ModifyLaunchTemplate", {"LaunchTemplateId": "lt-1"}),
        ("CreateTags", {"Resources": ["vol-1"], "Tags": [{"Key": "run", "Value": "r2"}]}),
    ],
)
def test_the_function_opens_no_port_and_changes_no_set_up(operation: str, parameters: dict[str, object]) -> None:
    assert "nothing" in decisions(FUNCTION, call(operation, MINE, **parameters))


@pytest.mark.parametrize(
    "action",
    ["iam:CreateRole", "iam:PutRolePolicy", "iam:SimulatePrincipalPolicy", "iam:ListRoles", "pricing:GetProducts",
     "lambda:UpdateFunctionCode", "scheduler:CreateSchedule", "events:PutTargets", "sts:AssumeRole"],
)  # fmt: skip
def test_the_function_may_do_nothing_that_no_tick_does(action: str) -> None:
    for resource in ("*", f"arn:aws:iam::{ACCOUNT}:role/{NAME}", PLAN.function_arn, PLAN.rule_arn("us-east-1")):
        assert decide(FUNCTION, Request(action, resource)) == "nothing"


def test_the_function_switches_its_own_schedule_and_rules_and_nobody_elses() -> None:
    for name, said in ((NAME, "allow"), (f"fleet-{OTHER[:8]}-controller", "nothing")):
        schedule = f"arn:aws:scheduler:ap-southeast-2:{ACCOUNT}:schedule/default/{name}-minute"
        assert decide(FUNCTION, Request("scheduler:UpdateSchedule", schedule)) == said
        assert decide(FUNCTION, Request("events:DisableRule", f"arn:aws:events:us-east-1:{ACCOUNT}:rule/{name}")) == said
        service = {"iam:PassedToService": "scheduler.amazonaws.com"}
        assert decide(FUNCTION, Request("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/{name}-schedule", service)) == said
    hour = f"arn:aws:scheduler:ap-southeast-2:{ACCOUNT}:schedule/default/{NAME}-hour"
    assert decide(FUNCTION, Request("scheduler:UpdateSchedule", hour)) == "nothing"


KEPT = [layout.journal_entry(7), layout.snapshot(3, 100), layout.desired("r-1"), layout.launch("r-1", 2, 1),
        layout.console("r-1", 2), layout.controller("function")]  # fmt: skip
READ = [layout.FLEET, layout.AWS_SETUP, layout.AWS_FUNCTION, layout.LOCAL_HOME, layout.heartbeat("r-1", 2),
        layout.wheel_index("1.2"), layout.image("ami-1")]  # fmt: skip


@pytest.mark.parametrize("key", KEPT)
def test_the_function_keeps_the_journal_and_what_runs_are_told(key: str) -> None:
    assert on("GetObject", key, FUNCTION) == on("PutObject", key, FUNCTION) == "allow"


@pytest.mark.parametrize("key", [*READ, layout.models("racer") + "model.bin", layout.job_archive("ab" * 32)])
def test_the_function_writes_neither_code_nor_set_up(key: str) -> None:
    assert on("PutObject", key, FUNCTION) == "nothing"
    assert on("GetObject", key, FUNCTION) == ("allow" if key in READ else "nothing")


def test_the_function_forgets_heartbeats_and_old_snapshots_and_nothing_else() -> None:
    assert on("DeleteObject", layout.heartbeat("r-1", 2), FUNCTION) == "allow"
    assert on("DeleteObject", layout.snapshot(3, 100), FUNCTION) == "allow"
    for key in (layout.journal_entry(7), layout.desired("r-1"), layout.manifest("r-1", 2, 7), layout.FLEET):
        assert on("DeleteObject", key, FUNCTION) == "nothing"


def test_the_function_logs_into_its_own_group() -> None:
    group = f"arn:aws:logs:ap-southeast-2:{ACCOUNT}:log-group:/aws/lambda"
    assert decide(FUNCTION, Request("logs:PutLogEvents", f"{group}/{NAME}:log-stream:x")) == "allow"
    assert decide(FUNCTION, Request("logs:PutLogEvents", f"{group}/another:log-stream:x")) == "nothing"
    assert decide(FUNCTION, Request("logs:CreateLogGroup", f"{group}/{NAME}")) == "nothing"


def test_the_schedules_call_the_function_and_other_regions_reach_one_bus() -> None:
    schedule, events = PLAN.roles[f"{NAME}-schedule"][2], PLAN.roles[f"{NAME}-events"][2]
    assert decide(schedule, Request("lambda:InvokeFunction", PLAN.function_arn)) == "allow"
    assert decide(schedule, Request("lambda:InvokeFunction", f"{PLAN.function_arn}x")) == "nothing"
    assert (
        decide(events, Request("events:PutEvents", f"arn:aws:events:ap-southeast-2:{ACCOUNT}:event-bus/default")) == "allow"
    )
    assert decide(events, Request("events:PutEvents", f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default")) == "nothing"


def test_the_policies_fit_where_they_go() -> None:
    import json

    for _, _, policy in PLAN.roles.values():
        assert len("".join(json.dumps(policy).split())) < INLINE_LIMIT
        for one in policy["Statement"]:
            assert one["Resource"] != "*" or all(action.startswith("ec2:Describe") for action in one["Action"])


# --- what it costs


def test_a_month_costs_cents() -> None:
    assert 0 < monthly_cost(IDLE) < 45_000  # so $0.00 a day
    assert 50_000 < monthly_cost(ONE_RUN) <= 150_000


def test_what_costs_is_memory_times_time_and_requests() -> None:
    plain = replace(ONE_RUN, calls=1_000_000, seconds=0.0, gets=0, lists_and_puts=0, log_bytes=0)
    assert monthly_cost(plain) == 200_000
    assert monthly_cost(replace(plain, seconds=4.0)) == 200_000 + 13_333_400
    assert monthly_cost(replace(plain, gets=1)) == 200_000 + 400_000
    assert monthly_cost(replace(plain, lists_and_puts=1)) == 200_000 + 5_000_000
    assert monthly_cost(replace(plain, log_bytes=1000)) == 200_000 + 500_000
