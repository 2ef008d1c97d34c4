"""What there is in an account of the controller that runs as a function: looked at, thing by thing. Changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fleet.model.setup import AwsFunction
from fleet.providers.aws.calling import ABSENT, Calls
from fleet.providers.aws.function_blueprint import CODE_PREFIX, FunctionBlueprint
from fleet.providers.aws.function_plan import FunctionSurvey
from fleet.providers.aws.names import TAG
from fleet.providers.aws.setup_role import look_at_role
from fleet.providers.wanted import Found, Place

KEPT_BACK = 100
"""Calls at once that Lambda leaves to an account's other functions whatever is set aside."""


def survey_function(
    calls: Calls, plan: FunctionBlueprint, *, agent: bool, stored: Mapping[str, int], record: AwsFunction | None
) -> FunctionSurvey:
    """Everything that is there. ``agent``: whether the agent's archives are in the bucket; ``stored``: codes there."""
    region, name = plan.region, plan.name
    things: dict[Place, Found | None] = {
        ("agent", "", plan.version): Found(plan.version, {}) if agent else None,
        ("code", region, plan.code_key): look_at_code(stored, plan.code_key),
        ("log group", region, plan.log_group): look_at_log_group(calls, plan),
        ("alarm", region, name): look_at_alarm(calls, plan),
        ("topic", region, name): look_at_topic(calls, plan) if plan.alert else None,
    }
    for role in plan.roles:
        things["role", "", role] = look_at_role(calls, region, role)
    for place in plan.ruled:
        things["rule", place, name] = look_at_rule(calls, place, name, plan.rule_arn(place))
    for schedule in (plan.minute, plan.hour):
        things["schedule", region, schedule] = look_at_schedule(calls, region, schedule)
    function = look_at_function(calls, region, name)
    things["function", region, name] = function
    if function is not None:
        things["invocations", region, name] = look_at_invocations(calls, region, name)
        things["concurrency", region, name] = look_at_concurrency(calls, region, name)
        things["permission", region, name] = look_at_permission(calls, region, name)
    return FunctionSurvey({place: found for place, found in things.items() if found is not None}, record)


def look_at_code(stored: Mapping[str, int], key: str) -> Found | None:
    """The archive of this very code, and whether others lie beside it, which nothing needs."""
    if key not in stored:
        return None
    older = ", ".join(sorted(one.removeprefix(CODE_PREFIX) for one in stored if one != key))
    return Found(key, {"bytes": stored[key], "older": older or "none"})


def look_at_function(calls: Calls, region: str, name: str) -> Found | None:
    """The function; None if there is none."""
    answer = calls.unless(ABSENT, "lambda", region, "get_function", FunctionName=name)
    if answer is None:
        return None
    one = answer["Configuration"]
    fields = {
        "code": one.get("CodeSha256"),
        "architecture": ", ".join(one.get("Architectures", ())),
        "role": one.get("Role"),
        "runtime": one.get("Runtime"),
        "handler": one.get("Handler"),
        "memory": one.get("MemorySize"),
        "timeout": one.get("Timeout"),
        "environment": one.get("Environment", {}).get("Variables", {}),
        "tag": answer.get("Tags", {}).get(TAG),
    }
    return Found(one["FunctionArn"], fields)


def look_at_invocations(calls: Calls, region: str, name: str) -> Found | None:
    """What becomes of a call that failed."""
    answer = calls.unless(ABSENT, "lambda", region, "get_function_event_invoke_config", FunctionName=name)
    if answer is None:
        return None
    return Found(name, {"retries": answer.get("MaximumRetryAttempts"), "age": answer.get("MaximumEventAgeInSeconds")})


def look_at_concurrency(calls: Calls, region: str, name: str) -> Found | None:
    """How many calls are set aside for it."""
    reserved = calls("lambda", region, "get_function_concurrency", FunctionName=name).get("ReservedConcurrentExecutions")
    return None if reserved is None else Found(name, {"reserved": reserved})


def can_reserve(calls: Calls, region: str) -> bool:
    """Whether the account may set a call aside: of a small account all are everybody's. Not told: it can be tried."""
    limits = calls("lambda", region, "get_account_settings").get("AccountLimit", {})
    return int(limits.get("UnreservedConcurrentExecutions", KEPT_BACK + 1)) > KEPT_BACK


def look_at_permission(calls: Calls, region: str, name: str) -> Found | None:
    """Who else may call it: the statement that is called as everything is."""
    answer = calls.unless(ABSENT, "lambda", region, "get_policy", FunctionName=name)
    for one in json.loads(answer["Policy"])["Statement"] if answer else ():
        if one.get("Sid") == name:
            terms = {key.lower(): told for terms in one.get("Condition", {}).values() for key, told in terms.items()}
            fields = {
                "principal": (one.get("Principal") or {}).get("Service"),
                "action": one.get("Action"),
                "source": terms.get("aws:sourcearn"),
            }
            return Found(name, fields)
    return None


def look_at_rule(calls: Calls, region: str, name: str, arn: str) -> Found | None:
    """The rule of a region, and whom it tells. Whether it is on is not asked: that goes with the runs."""
    answer = calls.unless(ABSENT, "events", region, "describe_rule", Name=name)
    if answer is None:
        return None
    targets = calls.pages("events", region, "list_targets_by_rule", "Targets", Rule=name)
    tags = calls("events", region, "list_tags_for_resource", ResourceARN=arn).get("Tags", ())
    fields = {
        "pattern": json.loads(answer.get("EventPattern") or "null"),
        "target": targets[0] if len(targets) == 1 else targets,
        "tag": _tag(tags),
        "state": answer.get("State", "ENABLED"),
    }
    return Found(arn, fields)


def look_at_schedule(calls: Calls, region: str, name: str) -> Found | None:
    """A schedule. The state that it is in stays, whatever else is mended."""
    answer = calls.unless(ABSENT, "scheduler", region, "get_schedule", Name=name)
    if answer is None:
        return None
    target = answer["Target"]
    fields = {
        "expression": answer["ScheduleExpression"],
        "target": {key: target[key] for key in ("Arn", "RoleArn", "Input", "RetryPolicy") if key in target},
        "window": answer["FlexibleTimeWindow"]["Mode"],
        "state": answer.get("State", "ENABLED"),
    }
    return Found(name, fields)


def look_at_log_group(calls: Calls, plan: FunctionBlueprint) -> Found | None:
    """Where its log goes."""
    groups = calls("logs", plan.region, "describe_log_groups", logGroupNamePrefix=plan.log_group).get("logGroups", ())
    one = next((group for group in groups if group["logGroupName"] == plan.log_group), None)
    if one is None:
        return None
    arn = log_group_arn(plan)
    tags = calls("logs", plan.region, "list_tags_for_resource", resourceArn=arn).get("tags", {})
    return Found(arn, {"days": one.get("retentionInDays"), "tag": tags.get(TAG)})


def log_group_arn(plan: FunctionBlueprint) -> str:
    """Without the star that describing adds: tags are kept by this one."""
    return plan.arn("logs", f"log-group:{plan.log_group}")


def look_at_topic(calls: Calls, plan: FunctionBlueprint) -> Found | None:
    """Where the alarm is told, and whom."""
    topic = {"TopicArn": plan.topic_arn}
    if calls.unless(ABSENT, "sns", plan.region, "get_topic_attributes", **topic) is None:
        return None
    told = calls.pages("sns", plan.region, "list_subscriptions_by_topic", "Subscriptions", **topic)
    known = [one["Endpoint"] for one in told if one["Protocol"] == "email" and one["SubscriptionArn"] != "Deleted"]
    tags = calls("sns", plan.region, "list_tags_for_resource", ResourceArn=plan.topic_arn).get("Tags", ())
    # Others may be told besides: those whom the user named before.
    return Found(plan.topic_arn, {"e-mail": plan.email if plan.email in known else ", ".join(known), "tag": _tag(tags)})


def look_at_alarm(calls: Calls, plan: FunctionBlueprint) -> Found | None:
    """The alarm, as far as it matters."""
    found = calls("cloudwatch", plan.region, "describe_alarms", AlarmNames=[plan.name]).get("MetricAlarms", ())
    if not found:
        return None
    arn = alarm_arn(plan)
    tags = calls("cloudwatch", plan.region, "list_tags_for_resource", ResourceARN=arn).get("Tags", ())
    return Found(arn, {**{key: found[0].get(key) for key in plan.alarm()}, "tag": _tag(tags)})


def alarm_arn(plan: FunctionBlueprint) -> str:
    """Of the alarm."""
    return plan.arn("cloudwatch", f"alarm:{plan.name}")


def _tag(tags: Any) -> str | None:
    return {one["Key"]: one["Value"] for one in tags}.get(TAG)
