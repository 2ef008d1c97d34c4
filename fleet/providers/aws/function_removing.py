"""What remains of the controller in the account, found by its names whatever record there is, and removed thing by thing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleet.providers.aws.calling import ABSENT, Calls
from fleet.providers.aws.function_blueprint import CODE_PREFIX
from fleet.providers.aws.names import controller_name
from fleet.providers.aws.setup_role import GONE
from fleet.providers.remains import Remnant, Removal

OF_FUNCTION = ("schedule", "rule", "alarm", "topic", "function", "log group")
"""What ``remove_of_function`` removes; roles, code and record go as others do."""


def remains_of_function(
    calls: Calls, fleet_id: str, regions: Iterable[str], home: str, *, account: str, partition: str, bucket: str | None
) -> Iterator[Remnant]:
    """Everything of it. ``home``: the function's region; ``regions``: where rules may be; ``bucket``: where code lies."""
    name = controller_name(fleet_id)
    schedules = {"minute": "called it each minute", "hour": "called it each hour", "report": "sent the nightly report"}
    for schedule, told in ((f"{name}-{kind}", told) for kind, told in schedules.items()):
        if calls.unless(ABSENT, "scheduler", home, "get_schedule", Name=schedule):
            yield Remnant("schedule", home, schedule, told)
    for region in dict.fromkeys([home, *regions]):
        if calls.unless(ABSENT, "events", region, "describe_rule", Name=name):
            yield Remnant("rule", region, name, "handed EC2's warnings to it")
    if calls("cloudwatch", home, "describe_alarms", AlarmNames=[name]).get("MetricAlarms"):
        yield Remnant("alarm", home, name, "said when its calls failed")
    topic = f"arn:{partition}:sns:{home}:{account}:{name}"
    if calls.unless(ABSENT, "sns", home, "get_topic_attributes", TopicArn=topic):
        yield Remnant("topic", home, topic, "where the alarm was told, and to whom")
    if calls.unless(ABSENT, "lambda", home, "get_function", FunctionName=name):
        yield Remnant("function", home, name, "a tick of the loop at each call")
    group = f"/aws/lambda/{name}"
    groups = calls("logs", home, "describe_log_groups", logGroupNamePrefix=group).get("logGroups", ())
    if any(one["logGroupName"] == group for one in groups):
        yield Remnant("log group", home, group, "what it said")
    for role in (name, f"{name}-schedule", f"{name}-events"):
        if calls.unless(GONE, "iam", home, "get_role", RoleName=role):
            yield Remnant("role", "", role, "the controller's")
    if bucket is not None:
        found = calls("s3", home, "list_objects_v2", Bucket=bucket, Prefix=CODE_PREFIX).get("Contents", ())
        yield from (Remnant("code", home, one["Key"], "what it ran") for one in found)


def remove_of_function(calls: Calls, one: Removal) -> None:
    """Remove one thing; what is gone already is success. Raises ProviderError."""
    region, name = one.region, one.name
    match one.kind:
        case "schedule":
            calls.unless(ABSENT, "scheduler", region, "delete_schedule", Name=name)
        case "rule":
            targets = calls.unless(ABSENT, "events", region, "list_targets_by_rule", Rule=name)
            ids = [target["Id"] for target in (targets or {}).get("Targets", ())]
            if ids:
                calls.unless(ABSENT, "events", region, "remove_targets", Rule=name, Ids=ids)
            calls.unless(ABSENT, "events", region, "delete_rule", Name=name)
        case "alarm":
            calls.unless(ABSENT, "cloudwatch", region, "delete_alarms", AlarmNames=[name])
        case "topic":
            calls.unless(ABSENT, "sns", region, "delete_topic", TopicArn=name)
        case "function":
            calls.unless(ABSENT, "lambda", region, "delete_function", FunctionName=name)
        case _:
            calls.unless(ABSENT, "logs", region, "delete_log_group", logGroupName=name)
