"""What ``fleet controller deploy aws`` wants in an account, compared with what is there, field by field: a pure function.

As in ``setup.py``: every thing is a few named fields, and the outcome is a list of steps, each with a sentence. Done again,
there is nothing to do. ``function_making.py`` does them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fleet.model import layout
from fleet.model.setup import AwsFunction
from fleet.providers.aws.function_blueprint import MAX_AGE, RETENTION_DAYS, RETRIES, FunctionBlueprint
from fleet.providers.wanted import Found, Place, Step, Thing, step_of


def wanted(plan: FunctionBlueprint) -> list[Thing]:
    """Everything but the record, in the order of making."""
    tag, region, name = {"tag": plan.fleet_id}, plan.region, plan.name
    code = {"bytes": plan.code_size, "older": "none"}
    function = {"code": plan.code_digest, "architecture": plan.arch, **plan.function(), **tag}
    things = [
        Thing("agent", "", plan.version, "what machines install, so that the function can launch them", {}),
        Thing("code", region, plan.code_key, "what the function runs, in the bucket", code),
        *(
            Thing("role", "", one, why, {"trust": trust, "policy": policy, **tag})
            for one, (why, trust, policy) in plan.roles.items()
        ),
        Thing("log group", region, plan.log_group, f"kept for {RETENTION_DAYS} days", {"days": RETENTION_DAYS, **tag}),
        Thing("function", region, name, "one tick of the loop at each call", function),
        Thing("invocations", region, name, "a call that failed is not made again", {"retries": RETRIES, "age": MAX_AGE}),
    ]
    if plan.reserve:
        things.append(Thing("concurrency", region, name, "one call at a time", {"reserved": 1}))
    allowed = {
        "principal": "events.amazonaws.com",
        "action": "lambda:InvokeFunction",
        "source": plan.rule_arn(region),
    }
    things.append(Thing("permission", region, name, "lets the rule call the function", allowed))
    for one in plan.ruled:
        fields = {"pattern": plan.pattern(), "target": plan.event_target(one), **tag}
        things.append(Thing("rule", one, name, "EC2's warnings reach it within seconds", fields))
    # The other one's state goes with the runs, and is nothing to mend.
    hourly = {**plan.schedule("hour"), "state": "ENABLED"}
    things.append(Thing("schedule", region, plan.minute, "calls it each minute while a run lives", plan.schedule("minute")))
    things.append(Thing("schedule", region, plan.hour, "calls it each hour, for what is left over", hourly))
    if plan.alert:
        told = {"e-mail": plan.email} if plan.email else {}
        things.append(Thing("topic", region, name, "where the alarm is told", {**told, **tag}))
    things.append(Thing("alarm", region, name, "says when its calls fail", {**plan.alarm(), **tag}))
    return things


@dataclass(frozen=True, slots=True)
class FunctionSurvey:
    """What was found."""

    things: Mapping[Place, Found] = field(default_factory=dict)
    record: AwsFunction | None = None


def plan_function(blueprint: FunctionBlueprint, survey: FunctionSurvey) -> list[Step]:
    """Every thing with what is to be done about it, in the order of doing, the record last."""
    steps = [step_of(thing, survey.things.get((thing.kind, thing.region, thing.name))) for thing in wanted(blueprint)]
    return [*steps, _record(blueprint.record(), survey.record)]


def _record(should: Mapping[str, Any], record: AwsFunction | None) -> Step:
    name, why = layout.AWS_FUNCTION, "where all of this is, for every controller"
    if record is None:
        return Step("make", "record", "", name, why, tuple(should))
    now = record.model_dump(mode="json")
    differs = tuple(key for key, value in should.items() if now.get(key) != value)
    if "version" in differs:
        told = f"fleet {record.version} → {should['version']}"
    else:
        told = f"{', '.join(differs).replace('_', ' ')}: is another" if differs else why
    return Step("mend" if differs else "leave", "record", "", name, told, differs)
