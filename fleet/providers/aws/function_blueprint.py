"""The controller that runs as a function in the account: what it is made of, and what all of it is called. Pure."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from fleet.providers.aws.function_policies import events_policy, function_policy, schedule_policy, service_trust
from fleet.providers.aws.names import controller_name

CODE_PREFIX = "agent/function-"
"""Where its code lies in the bucket, so that Lambda can take it from there."""
RUNTIME, HANDLER = "python3.12", "fleet.control.function.handler"
MEMORY_MB = 256
TIMEOUT = 55
"""Seconds: less than a minute, so that a call that hangs is over before the next one."""
RETRIES, MAX_AGE = 0, 120
"""Of a call that failed: the next minute's is as good. An event older than that is news to nobody."""
RETENTION_DAYS = 7
DROPPED, WITHIN = 3, 300
"""The alarm: so many calls lost within so many seconds."""
HOME = "/tmp/fleet"  # noqa: S108 - the one folder that a function may write to
STATES = ("stopping", "stopped", "shutting-down", "terminated")
"""Of a machine: what is worth a look. One that starts says so itself."""
WARNINGS = ("EC2 Spot Instance Interruption Warning", "EC2 Instance Rebalance Recommendation")
CHANGES = "EC2 Instance State-change Notification"


@dataclass(frozen=True, slots=True)
class FunctionBlueprint:
    """What follows from the account, the set-up and the code."""

    account: str
    partition: str
    fleet_id: str
    bucket: str
    region: str
    """Of the bucket, and so of the function: Lambda takes code only from a bucket beside it."""
    regions: tuple[str, ...]
    """Where the fleet launches machines."""
    code_sha256: str
    """In hexadecimal."""
    code_size: int
    version: str
    email: str = ""
    """Whom the alarm tells; empty: nobody more than are told already."""
    alert: bool = False
    """There is a topic, or is to be one."""
    reserve: bool = True
    """One call at a time. An account whose whole limit is small cannot set one aside."""

    @property
    def name(self) -> str:
        """Of the function, its role, its rules and its alarm."""
        return controller_name(self.fleet_id)

    @property
    def url(self) -> str:
        """The bucket's."""
        return f"s3://{self.bucket}"

    @property
    def arch(self) -> str:
        """Lambda's word. Graviton costs a fifth less, where it is offered."""
        return "arm64" if self.partition == "aws" else "x86_64"

    @property
    def code_key(self) -> str:
        """Where the code lies in the bucket."""
        return f"{CODE_PREFIX}{self.code_sha256[:12]}.zip"

    @property
    def code_digest(self) -> str:
        """As Lambda tells it."""
        return base64.b64encode(bytes.fromhex(self.code_sha256)).decode()

    @property
    def minute(self) -> str:
        """The schedule's name."""
        return f"{self.name}-minute"

    @property
    def hour(self) -> str:
        """The schedule's name."""
        return f"{self.name}-hour"

    @property
    def log_group(self) -> str:
        """Where Lambda writes what the function says."""
        return f"/aws/lambda/{self.name}"

    @property
    def ruled(self) -> tuple[str, ...]:
        """The regions whose events are heard. Only in Amazon's own partition they travel from one region to another."""
        others = [one for one in self.regions if one != self.region] if self.partition == "aws" else []
        return (self.region, *sorted(others))

    @property
    def deaf(self) -> tuple[str, ...]:
        """The regions whose events are not heard: there an interruption is seen at the next minute."""
        return tuple(sorted(set(self.regions) - set(self.ruled)))

    def arn(self, service: str, what: str, region: str | None = None) -> str:
        """Of something in the account."""
        where = self.region if region is None else region
        return f"arn:{self.partition}:{service}:{where}:{self.account}:{what}"

    @property
    def function_arn(self) -> str:
        """What schedules and rules call."""
        return self.arn("lambda", f"function:{self.name}")

    @property
    def topic_arn(self) -> str:
        """Where the alarm is told."""
        return self.arn("sns", self.name)

    def role_arn(self, name: str) -> str:
        """Of one of its roles."""
        return self.arn("iam", f"role/{name}", "")

    def rule_arn(self, region: str) -> str:
        """Of the rule in a region."""
        return self.arn("events", f"rule/{self.name}", region)

    @property
    def roles(self) -> dict[str, tuple[str, dict[str, Any], dict[str, Any]]]:
        """By name: what it is for, who may take it, and what it may do."""
        policy = function_policy(self.account, self.partition, self.bucket, self.fleet_id, self.region)
        calling = service_trust("scheduler", self.account)
        roles = {
            self.name: ("what the function may do: a tick of the loop", service_trust("lambda"), policy),
            f"{self.name}-schedule": ("lets the schedules call it", calling, schedule_policy(self.function_arn)),
        }
        if len(self.ruled) > 1:
            bus = events_policy(self.arn("events", "event-bus/default"))
            roles[f"{self.name}-events"] = ("hands on events of other regions", service_trust("events"), bus)
        return roles

    def pattern(self) -> dict[str, Any]:
        """What of EC2's events is heard."""
        changes = {"detail-type": [CHANGES], "detail": {"state": list(STATES)}}
        return {"source": ["aws.ec2"], "account": [self.account], "$or": [{"detail-type": list(WARNINGS)}, changes]}

    def event_target(self, region: str) -> dict[str, Any]:
        """Whom a rule tells: the function, or the bus in the function's region, where the same rule hears it."""
        retry = {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": MAX_AGE}
        if region == self.region:
            return {"Id": "controller", "Arn": self.function_arn, "RetryPolicy": retry}
        bus, role = self.arn("events", "event-bus/default"), self.role_arn(f"{self.name}-events")
        return {"Id": "controller", "Arn": bus, "RoleArn": role, "RetryPolicy": retry}

    def schedule(self, every: str) -> dict[str, Any]:
        """A schedule but for its name and state."""
        told = json.dumps({"source": "fleet.schedule", "detail-type": every})
        retry = {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0}
        role = self.role_arn(f"{self.name}-schedule")
        return {
            "expression": f"rate(1 {every})",
            "target": {"Arn": self.function_arn, "RoleArn": role, "Input": told, "RetryPolicy": retry},
            "window": "OFF",
        }

    def alarm(self) -> dict[str, Any]:
        """Every call that failed, took too long or was starved is one event dropped, since none is tried again."""
        return {
            "Namespace": "AWS/Lambda",
            "MetricName": "AsyncEventsDropped",
            "Dimensions": [{"Name": "FunctionName", "Value": self.name}],
            "Statistic": "Sum",
            "Period": WITHIN,
            "EvaluationPeriods": 1,
            "Threshold": float(DROPPED),
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": "notBreaching",
            "AlarmActions": [self.topic_arn] if self.alert else [],
        }

    def function(self) -> dict[str, Any]:
        """The function but for its code."""
        return {
            "role": self.role_arn(self.name),
            "runtime": RUNTIME,
            "handler": HANDLER,
            "memory": MEMORY_MB,
            "timeout": TIMEOUT,
            "environment": {"FLEET_BUCKET": self.url, "FLEET_HOME": HOME},
        }

    def record(self) -> dict[str, Any]:
        """The document, but for when it was made."""
        return {
            "fleet_id": self.fleet_id,
            "account": self.account,
            "partition": self.partition,
            "region": self.region,
            "function": self.name,
            "minute": self.minute,
            "hour": self.hour,
            "rules": dict.fromkeys(self.ruled, self.name),
            "topic": self.topic_arn if self.alert else "",
            "code_sha256": self.code_sha256,
            "version": self.version,
        }
