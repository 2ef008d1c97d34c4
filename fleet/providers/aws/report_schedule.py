"""The nightly report as a schedule of the controller in the account: what it is made of, made, looked at and removed.

It calls the function that is there, with an event that asks for the report. The function may then write to whom was named,
and to nobody else: that is a policy of its own on the function's role, which goes with the schedule.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fleet.model.errors import FleetError
from fleet.model.setup import AwsFunction
from fleet.providers.aws.calling import ABSENT, Calls
from fleet.providers.aws.policies import policy_of, statement
from fleet.providers.aws.setup_role import GONE

POLICY = "report"
"""The role's inline policy, beside its own."""
SOURCE = "fleet.report"
"""Of the event."""
PATIENCE = 3600
"""Seconds that AWS tries to call the function."""


@dataclass(frozen=True, slots=True)
class Mailing:
    """Whom SES may be asked to write to."""

    sender: str
    to: tuple[str, ...]
    region: str


@dataclass(frozen=True, slots=True)
class ReportSchedule:
    """What is wanted."""

    function: AwsFunction
    bucket: str
    """Its name."""
    hour: int
    minute: int
    zone: str
    quiet_nights: Literal["silent", "line"]
    to: tuple[str, ...]
    """``ses:`` and ``sns:`` alone: others hold secrets, which stay on the user's computer."""
    mails: tuple[Mailing, ...]
    topics: tuple[str, ...]

    @property
    def name(self) -> str:
        """The schedule's."""
        return report_name(self.function)

    def policy(self) -> dict[str, Any]:
        """What the function may do beside: keep reports, and tell those who were named."""
        one, objects = self.function, f"arn:{self.function.partition}:s3:::{self.bucket}/reports/*"
        reports = statement("Reports", "Allow", ["s3:GetObject", "s3:PutObject"], objects)
        return policy_of(reports, *may_tell(one, self.mails, self.topics))

    def event(self) -> dict[str, Any]:
        """What the function is told."""
        detail = {"to": list(self.to), "zone": self.zone, "quiet_nights": self.quiet_nights}
        return {"source": SOURCE, "detail-type": "night", "detail": detail}

    def schedule(self) -> dict[str, Any]:
        """All of it, as AWS takes it."""
        one = self.function
        root = f"arn:{one.partition}"
        return {
            "Name": self.name,
            "ScheduleExpression": f"cron({self.minute} {self.hour} * * ? *)",
            "ScheduleExpressionTimezone": self.zone,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "State": "ENABLED",
            "Description": f"The nightly report of the fleet {one.fleet_id}",
            "Target": {
                "Arn": f"{root}:lambda:{one.region}:{one.account}:function:{one.function}",
                "RoleArn": f"{root}:iam::{one.account}:role/{one.function}-schedule",
                "Input": json.dumps(self.event()),
                "RetryPolicy": {"MaximumEventAgeInSeconds": PATIENCE, "MaximumRetryAttempts": 3},
            },
        }


def may_tell(function: AwsFunction, mails: Sequence[Mailing], topics: Sequence[str]) -> list[dict[str, Any]]:
    """What lets the function write to some, and to nobody else."""
    statements = []
    for number, mail in enumerate(mails):
        root = f"arn:{function.partition}:ses:{mail.region}:{function.account}"
        terms = {
            "StringEquals": {"ses:FromAddress": mail.sender},
            "ForAllValues:StringEquals": {"ses:Recipients": list(mail.to)},
        }
        where = [f"{root}:identity/*", f"{root}:configuration-set/*"]
        actions = ["ses:SendEmail", "ses:SendRawEmail"]
        statements.append(statement(f"Mail{number}", "Allow", actions, where, terms))
    if topics:
        statements.append(statement("Topics", "Allow", ["sns:Publish"], list(topics)))
    return statements


def report_name(function: AwsFunction) -> str:
    """Of the schedule: it begins as all of the controller's do."""
    return f"{function.function}-report"


@dataclass(frozen=True, slots=True)
class Scheduled:
    """What is there."""

    schedule: dict[str, Any] | None
    policy: dict[str, Any] | None

    def like(self, wanted: ReportSchedule) -> tuple[bool, bool]:
        """Whether the schedule and the policy are as they should be."""
        should = wanted.schedule()
        same = self.schedule is not None and all(self.schedule.get(key) == value for key, value in should.items())
        return same, self.policy == wanted.policy()


def look_at_report(calls: Calls, function: AwsFunction) -> Scheduled:
    """What there is of it. Raises ProviderError."""
    region, name = function.region, report_name(function)
    found = calls.unless(ABSENT, "scheduler", region, "get_schedule", Name=name)
    policy = calls.unless(GONE, "iam", region, "get_role_policy", RoleName=function.function, PolicyName=POLICY)
    return Scheduled(found, policy["PolicyDocument"] if policy else None)


def make_policy(calls: Calls, wanted: ReportSchedule) -> None:
    """Let the function tell those who were named. Raises ProviderError, FleetError if its role is gone."""
    document, role = json.dumps(wanted.policy()), wanted.function.function
    put = calls.unless(
        GONE, "iam", wanted.function.region, "put_role_policy", RoleName=role, PolicyName=POLICY, PolicyDocument=document
    )
    if put is None:
        raise FleetError(f"the role {role} is gone", "`fleet controller deploy aws` makes it again; then the same command.")


def make_schedule(calls: Calls, wanted: ReportSchedule, *, new: bool) -> None:
    """Make the schedule, or set it anew. Raises ProviderError."""
    operation = "create_schedule" if new else "update_schedule"
    calls.patiently("scheduler", wanted.function.region, operation, **wanted.schedule())


def remove_schedule(calls: Calls, function: AwsFunction) -> None:
    """What is gone already is success."""
    calls.unless(ABSENT, "scheduler", function.region, "delete_schedule", Name=report_name(function))


def remove_policy(calls: Calls, function: AwsFunction) -> None:
    """The same."""
    calls.unless(GONE, "iam", function.region, "delete_role_policy", RoleName=function.function, PolicyName=POLICY)


def told_in(found: Scheduled) -> Sequence[str]:
    """Whom the schedule that is there tells."""
    try:
        detail = json.loads((found.schedule or {})["Target"]["Input"])["detail"]
        return [str(one) for one in detail["to"]]
    except (KeyError, TypeError, ValueError):
        return []
