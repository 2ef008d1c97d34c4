"""The effects of deploying the controller: one step after the other, each done again harmlessly.

What is to be done is decided in ``function_plan.py``. What lies in the bucket (code, agent, record) is the caller's.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from fleet.model.errors import ErrorClass, FleetError, ProviderError
from fleet.providers.aws.calling import ABSENT, Calls
from fleet.providers.aws.function_blueprint import MAX_AGE, RETENTION_DAYS, RETRIES, FunctionBlueprint
from fleet.providers.aws.function_looking import alarm_arn, log_group_arn
from fleet.providers.aws.function_plan import FunctionSurvey
from fleet.providers.aws.names import TAG, tags_of
from fleet.providers.aws.setup_role import make_role, set_role
from fleet.providers.patience import LOOK_EVERY, LOOKS
from fleet.providers.wanted import Step

THERE = ("ResourceConflictException", "ConflictException", "ResourceAlreadyExistsException")
"""It is there already: an answer was lost, or somebody else was as quick."""
SMALL = "InvalidParameterValueException"
"""Lambda's word for a reservation that would leave too few calls to the rest of the account."""


@dataclass
class FunctionMaker:
    """Does the steps of a plan that are about the account."""

    calls: Calls
    plan: FunctionBlueprint
    survey: FunctionSurvey
    warned: str = ""
    """What could not be made, and does no harm."""

    def do(self, step: Step) -> None:
        """Make or mend one thing. Raises ProviderError, FleetError."""
        new = step.action == "make"
        match step.kind:
            case "role":
                self._role(step.name, step.differs, new=new)
            case "log group":
                self._log_group(step.differs, new=new)
            case "function":
                self._make_function() if new else self._mend_function(step.differs)
            case "invocations":
                self._lambda(
                    "put_function_event_invoke_config", MaximumRetryAttempts=RETRIES, MaximumEventAgeInSeconds=MAX_AGE
                )
            case "concurrency":
                self._reserve()
            case "permission":
                self._permission(new=new)
            case "rule":
                self._rule(step, new=new)
            case "schedule":
                self._schedule(step, new=new)
            case "topic":
                self._topic(step.differs, new=new)
            case _:
                self._alarm(step.differs, new=new)

    def wait_until_active(self) -> None:
        """Until Lambda runs what was put there. Raises FleetError if it cannot, or a minute was not enough."""
        for _ in range(LOOKS):
            one = self._lambda("get_function")["Configuration"]
            state, update = one.get("State", "Active"), one.get("LastUpdateStatus", "Successful")
            if state == "Failed" or update == "Failed":
                why = one.get("StateReason") or one.get("LastUpdateStatusReason") or "it says no more"
                raise FleetError(f"Lambda cannot run the function: {why}", "`fleet controller deploy aws` tries it again.")
            if state == "Active" and update == "Successful":
                return
            self.calls.sleep(LOOK_EVERY)
        raise FleetError(f"the function {self.plan.name} is not ready after a minute", "Run the same command again.")

    def _lambda(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return self.calls.patiently("lambda", self.plan.region, operation, FunctionName=self.plan.name, **parameters)

    def _role(self, name: str, fields: Collection[str], *, new: bool) -> None:
        plan = self.plan
        _, trust, policy = plan.roles[name]
        if new:
            told = f"The controller of the fleet {plan.fleet_id}: fleet controller deploy aws"
            make_role(self.calls, plan.region, name, plan.fleet_id, trust, told)
        rest = ("policy",) if new else fields
        set_role(self.calls, plan.region, name, plan.fleet_id, rest, trust, policy)

    def _log_group(self, fields: Collection[str], *, new: bool) -> None:
        calls, plan, name = self.calls, self.plan, {"logGroupName": self.plan.log_group}
        if new:
            calls.unless(THERE, "logs", plan.region, "create_log_group", tags={TAG: plan.fleet_id}, **name)
        if "days" in fields:
            calls("logs", plan.region, "put_retention_policy", retentionInDays=RETENTION_DAYS, **name)
        if "tag" in fields and not new:
            calls("logs", plan.region, "tag_resource", resourceArn=log_group_arn(plan), tags={TAG: plan.fleet_id})

    def _code(self) -> dict[str, str]:
        return {"S3Bucket": self.plan.bucket, "S3Key": self.plan.code_key}

    def _configuration(self) -> dict[str, Any]:
        wanted = self.plan.function()
        return {
            "Role": wanted["role"],
            "Runtime": wanted["runtime"],
            "Handler": wanted["handler"],
            "MemorySize": wanted["memory"],
            "Timeout": wanted["timeout"],
            "Environment": {"Variables": wanted["environment"]},
        }

    def _make_function(self) -> None:
        try:
            self._lambda(
                "create_function",
                Code=self._code(),
                Architectures=[self.plan.arch],
                Description=f"The controller of the fleet {self.plan.fleet_id}",
                Tags={TAG: self.plan.fleet_id},
                **self._configuration(),
            )
        except ProviderError as error:
            if error.code not in THERE:
                raise

    def _mend_function(self, fields: Collection[str]) -> None:
        if {"code", "architecture"} & set(fields):
            self._lambda("update_function_code", Architectures=[self.plan.arch], **self._code())
        if set(fields) - {"code", "architecture", "tag"}:
            self._lambda("update_function_configuration", **self._configuration())
        if "tag" in fields:
            arn, tags = self.plan.function_arn, {TAG: self.plan.fleet_id}
            self.calls("lambda", self.plan.region, "tag_resource", Resource=arn, Tags=tags)

    def _reserve(self) -> None:
        """An account whose limit is small refuses it. The loop is safe with any number of controllers."""
        try:
            self._lambda("put_function_concurrency", ReservedConcurrentExecutions=1)
        except ProviderError as error:
            if error.code != SMALL:
                raise
            self.warned = "the account cannot set a call aside for the function: two may run at once, which does no harm"

    def _permission(self, *, new: bool) -> None:
        plan = self.plan
        if not new:
            self.calls.unless(
                ABSENT, "lambda", plan.region, "remove_permission", FunctionName=plan.name, StatementId=plan.name
            )
        try:
            self._lambda(
                "add_permission",
                StatementId=plan.name,
                Action="lambda:InvokeFunction",
                Principal="events.amazonaws.com",
                SourceArn=plan.rule_arn(plan.region),
            )
        except ProviderError as error:
            if error.code not in THERE:
                raise

    def _state(self, step: Step) -> str:
        """As it was found: what is mended is not switched on or off. New: as the minute's schedule is, so that they agree;
        with none, on, and the function itself switches it off."""
        things = self.survey.things
        found = things.get((step.kind, step.region, step.name))
        found = found or things.get(("schedule", self.plan.region, self.plan.minute))
        return str(found.fields["state"]) if found is not None else "ENABLED"

    def _rule(self, step: Step, *, new: bool) -> None:
        calls, plan, region = self.calls, self.plan, step.region
        if new or "pattern" in step.differs:
            told = {
                "Description": f"EC2's warnings for the fleet {plan.fleet_id}",
                "EventPattern": json.dumps(plan.pattern()),
            }
            tags: dict[str, Any] = {"Tags": tags_of(plan.fleet_id)} if new else {}
            calls("events", region, "put_rule", Name=step.name, State=self._state(step), **told, **tags)
        if "tag" in step.differs and not new:
            arn = plan.rule_arn(region)
            calls("events", region, "tag_resource", ResourceARN=arn, Tags=tags_of(plan.fleet_id))
        if "target" in step.differs:
            target = plan.event_target(region)
            there = calls.pages("events", region, "list_targets_by_rule", "Targets", Rule=step.name)
            strange = [one["Id"] for one in there if one["Id"] != target["Id"]]
            if strange:
                calls("events", region, "remove_targets", Rule=step.name, Ids=strange)
            answer = calls.patiently("events", region, "put_targets", Rule=step.name, Targets=[target])
            for refused in answer.get("FailedEntries", ()):
                code, why = refused.get("ErrorCode", "FailedEntry"), refused.get("ErrorMessage", "it says no more")
                raise ProviderError(ErrorClass.UNKNOWN, code, f"PutTargets: {why}")

    def _schedule(self, step: Step, *, new: bool) -> None:
        plan = self.plan
        wanted = plan.schedule("minute" if step.name == plan.minute else "hour")
        told = {
            "Name": step.name,
            "ScheduleExpression": wanted["expression"],
            "FlexibleTimeWindow": {"Mode": wanted["window"]},
            "Target": wanted["target"],
            "State": self._state(step) if step.name == plan.minute else "ENABLED",
            "Description": f"The controller of the fleet {plan.fleet_id}",
        }
        try:
            self.calls.patiently("scheduler", plan.region, "create_schedule" if new else "update_schedule", **told)
        except ProviderError as error:
            if not new or error.code not in THERE:
                raise

    def _topic(self, fields: Collection[str], *, new: bool) -> None:
        calls, plan = self.calls, self.plan
        if new:
            calls("sns", plan.region, "create_topic", Name=plan.name, Tags=tags_of(plan.fleet_id))
        elif "tag" in fields:
            calls("sns", plan.region, "tag_resource", ResourceArn=plan.topic_arn, Tags=tags_of(plan.fleet_id))
        if "e-mail" in fields:
            calls("sns", plan.region, "subscribe", TopicArn=plan.topic_arn, Protocol="email", Endpoint=plan.email)

    def _alarm(self, fields: Collection[str], *, new: bool) -> None:
        calls, plan = self.calls, self.plan
        if new or set(fields) - {"tag"}:
            told = f"Calls of the controller of the fleet {plan.fleet_id} fail: `fleet controller status` says more"
            tags: dict[str, Any] = {"Tags": tags_of(plan.fleet_id)} if new else {}
            calls(
                "cloudwatch",
                plan.region,
                "put_metric_alarm",
                AlarmName=plan.name,
                AlarmDescription=told,
                **plan.alarm(),
                **tags,
            )
        if "tag" in fields and not new:
            arn = alarm_arn(plan)
            calls("cloudwatch", plan.region, "tag_resource", ResourceARN=arn, Tags=tags_of(plan.fleet_id))
