"""Deploying the controller into a moto account in this process, as the commands do, without waiting and with a tiny code."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fleet.control.aws_dismissal import Dismissal, carry_out_dismissal, prepare_dismissal
from fleet.control.aws_function import Deployment, Sources, carry_out_deployment, prepare_deployment
from fleet.model.errors import NotFoundError
from fleet.model.setup import AwsFunction
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.session import aws_client
from fleet.store.objects import Objects
from tests.aws.account import ACCOUNT, BUCKET, HOME, Account

AGENT = "agent/here.json"


def tiny_zip(text: str = "1") -> bytes:
    """An archive that Lambda would take."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(zipfile.ZipInfo("fleet/control/function.py"), f"handler = {text}\n")
    return made.getvalue()


def has_agent(objects: Objects) -> bool:
    try:
        objects.get(AGENT)
    except NotFoundError:
        return False
    return True


def sources(text: str = "1") -> Sources:
    """A code, and an agent of one object."""
    return Sources(lambda _arch: tiny_zip(text), lambda objects, _tell: objects.put(AGENT, b"{}"), has_agent)


@dataclass
class Yard:
    """An account in which a fleet was set up, and the controller may be deployed."""

    account: Account
    sources: Sources = field(default_factory=sources)

    @property
    def calls(self) -> Calls:
        return self.account.calls

    def prepare(self, email: str | None = None, calls: Calls | None = None) -> Deployment:
        return prepare_deployment(self.account.home, calls or self.calls, None, email, self.sources)

    def deploy(self, email: str | None = None, calls: Calls | None = None) -> Deployment:
        made = self.prepare(email, calls)
        carry_out_deployment(self.account.home, made, lambda _: None)
        return made

    def dismiss(self) -> Dismissal:
        made = prepare_dismissal(self.account.home, self.calls, None)
        carry_out_dismissal(made, lambda _: None)
        return made

    @property
    def record(self) -> AwsFunction:
        body = aws_client("s3", HOME).get_object(Bucket=BUCKET, Key="setup/aws-controller.json")["Body"].read()
        return AwsFunction.model_validate_json(body)


def state(name: str) -> str:
    """Of a schedule."""
    return str(aws_client("scheduler", HOME).get_schedule(Name=name)["State"])


def rule_state(name: str, region: str = HOME) -> str:
    return str(aws_client("events", region).describe_rule(Name=name)["State"])


def everything_of_it(*regions: str) -> list[str]:
    """What there is of any controller in the account."""
    scheduler, logs, iam = aws_client("scheduler", HOME), aws_client("logs", HOME), aws_client("iam", HOME)
    found = [one["Name"] for one in scheduler.list_schedules()["Schedules"]]
    for region in regions or (HOME,):
        found += [f"{region} {one['Name']}" for one in aws_client("events", region).list_rules()["Rules"]]
    found += [one["AlarmName"] for one in aws_client("cloudwatch", HOME).describe_alarms()["MetricAlarms"]]
    found += [one["TopicArn"] for one in aws_client("sns", HOME).list_topics()["Topics"]]
    found += [one["FunctionName"] for one in aws_client("lambda", HOME).list_functions()["Functions"]]
    found += [one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]]
    found += [one["RoleName"] for one in iam.list_roles()["Roles"] if "-controller" in one["RoleName"]]
    listed: dict[str, Any] = aws_client("s3", HOME).list_objects_v2(Bucket=BUCKET)
    keys = [one["Key"] for one in listed.get("Contents", ())]
    return found + [key for key in keys if key.startswith(("agent/function-", "setup/aws-controller"))]


Damage = Callable[[str], object]


def damages(plan_name: str) -> dict[str, Damage]:
    """What somebody may do to each thing by hand, by the field that is another then; each takes the function's name."""
    function, scheduler, events = aws_client("lambda", HOME), aws_client("scheduler", HOME), aws_client("events", HOME)
    iam, logs, alarms, sns = (aws_client(one, HOME) for one in ("iam", "logs", "cloudwatch", "sns"))
    root = f"{HOME}:{ACCOUNT}"
    hour: dict[str, Any] = scheduler.get_schedule(Name=f"{plan_name}-hour")
    minute: dict[str, Any] = scheduler.get_schedule(Name=f"{plan_name}-minute")
    retry = {"MaximumRetryAttempts": 9, "MaximumEventAgeInSeconds": 600}
    other = {"Id": "another", "Arn": f"arn:aws:sqs:{root}:mine"}
    alarm = alarms.describe_alarms(AlarmNames=[plan_name])["MetricAlarms"][0]
    kept = {
        key: alarm[key]
        for key in (
            "Namespace",
            "MetricName",
            "Dimensions",
            "Statistic",
            "Period",
            "EvaluationPeriods",
            "ComparisonOperator",
        )
    }
    return {
        "role policy": lambda name: iam.delete_role_policy(RoleName=f"{name}-schedule", PolicyName="fleet"),
        "role tag": lambda name: iam.untag_role(RoleName=name, TagKeys=["fleet"]),
        "log group days": lambda name: logs.put_retention_policy(logGroupName=f"/aws/lambda/{name}", retentionInDays=365),
        "log group tag": lambda name: logs.untag_resource(
            resourceArn=f"arn:aws:logs:{root}:log-group:/aws/lambda/{name}", tagKeys=["fleet"]
        ),
        "function code": lambda name: function.update_function_code(FunctionName=name, ZipFile=tiny_zip("other")),
        "function architecture": lambda name: function.update_function_code(
            FunctionName=name, ZipFile=tiny_zip("other"), Architectures=["x86_64"]
        ),
        "function memory": lambda name: function.update_function_configuration(FunctionName=name, MemorySize=1024),
        "function environment": lambda name: function.update_function_configuration(
            FunctionName=name, Environment={"Variables": {"FLEET_BUCKET": "s3://another"}}
        ),
        "function tag": lambda name: function.untag_resource(
            Resource=f"arn:aws:lambda:{root}:function:{name}", TagKeys=["fleet"]
        ),
        "invocations retries": lambda name: function.put_function_event_invoke_config(
            FunctionName=name, MaximumRetryAttempts=2, MaximumEventAgeInSeconds=120
        ),
        "concurrency reserved": lambda name: function.put_function_concurrency(
            FunctionName=name, ReservedConcurrentExecutions=50
        ),
        "permission source": lambda name: (
            function.remove_permission(FunctionName=name, StatementId=name),
            function.add_permission(
                FunctionName=name, StatementId=name, Action="lambda:InvokeFunction", Principal="events.amazonaws.com"
            ),
        ),
        "rule pattern": lambda name: events.put_rule(Name=name, EventPattern='{"source": ["aws.ec2"]}', State="DISABLED"),
        "rule target": lambda name: events.put_targets(Rule=name, Targets=[other]),
        "rule tag": lambda name: events.untag_resource(ResourceARN=f"arn:aws:events:{root}:rule/{name}", TagKeys=["fleet"]),
        "schedule expression": lambda name: scheduler.update_schedule(
            Name=f"{name}-minute", ScheduleExpression="rate(5 minutes)", FlexibleTimeWindow={"Mode": "OFF"},
            Target=minute["Target"], State="DISABLED",
        ),
        "schedule target": lambda name: scheduler.update_schedule(
            Name=f"{name}-hour", ScheduleExpression="rate(1 hour)", FlexibleTimeWindow={"Mode": "OFF"},
            Target={**hour["Target"], "RetryPolicy": retry}, State="DISABLED",
        ),
        "topic tag": lambda name: sns.untag_resource(ResourceArn=f"arn:aws:sns:{root}:{name}", TagKeys=["fleet"]),
        "alarm Threshold": lambda name: alarms.put_metric_alarm(AlarmName=name, Threshold=99.0, **kept),
        "alarm tag": lambda name: alarms.untag_resource(
            ResourceARN=f"arn:aws:cloudwatch:{root}:alarm:{name}", TagKeys=["fleet"]
        ),
    }  # fmt: skip
