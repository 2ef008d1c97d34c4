"""``fleet controller deploy aws``, whole: what is wanted and what is there, looked at; then, once the user agreed, done.

And ``wake``: who makes a run live switches the controller in the account on, which switches itself off once nothing lives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from fleet import __version__
from fleet.boot.wheelhouse import ensure_wheels, has_wheels
from fleet.control.aws_place import Place, look_at_place, usual_region
from fleet.control.controller import Controller
from fleet.control.fleets import open_bucket
from fleet.control.home import Home
from fleet.control.setups import BrokenSetupError, aws_function
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.errors import FleetError
from fleet.model.setup import AwsFunction
from fleet.providers.aws.calling import DENIED_CONTROLLER, Calls
from fleet.providers.aws.function_blueprint import CODE_PREFIX, FunctionBlueprint
from fleet.providers.aws.function_looking import (
    can_reserve,
    look_at_concurrency,
    look_at_function,
    look_at_topic,
    survey_function,
)
from fleet.providers.aws.function_making import FunctionMaker
from fleet.providers.aws.function_plan import FunctionSurvey, plan_function
from fleet.providers.aws.schedules import Schedules
from fleet.providers.wanted import Step, nothing_to_do
from fleet.store.objects import Objects

ARCHES = {"arm64": "aarch64", "x86_64": "x86_64"}
"""Lambda's words, and everybody else's."""


def _packed(arch: str) -> bytes:
    """The function's code for an architecture: imported when it is wanted, for it brings packing along."""
    from fleet.boot.function_package import function_zip

    return function_zip(arch=arch)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where what is put into the account comes from. Tests give others."""

    code: Callable[[str], bytes] = _packed
    """The function's archive for an architecture."""
    wheels: Callable[[Objects, Callable[[str], None]], object] = lambda objects, tell: ensure_wheels(
        objects, __version__, tell=tell
    )
    """Put the agent's archives into the bucket."""
    has_wheels: Callable[[Objects], bool] = lambda objects: has_wheels(objects, __version__)


SOURCES = Sources()
"""This very code."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment that is ready to be shown and done."""

    calls: Calls
    blueprint: FunctionBlueprint
    survey: FunctionSurvey
    steps: list[Step]
    code: bytes = field(repr=False)
    sources: Sources

    @property
    def idle(self) -> bool:
        """Whether everything is as it should be."""
        return nothing_to_do(self.steps)

    @property
    def warnings(self) -> list[str]:
        """What will not work as well as it could."""
        told, plan = [], self.blueprint
        if not plan.reserve:
            told.append("the account cannot set a call aside for the function: two may run at once, which does no harm")
        if plan.deaf:
            told.append(
                f"events of {', '.join(plan.deaf)} do not travel to {plan.region} in this partition: an interruption there "
                "is seen at the next minute"
            )
        if not plan.alert:
            told.append("nobody is told when it fails: --email you@example.com says whom")
        return told


def prepare_deployment(
    home: Home, calls: Calls, bucket: str | None, email: str | None, sources: Sources | None = None
) -> Deployment:  # fmt: skip
    """Look at everything, and say what is to be done. Changes nothing. Raises FleetError."""
    if email is not None and ("@" not in email.strip("@") or email != email.strip()):
        raise FleetError(f"{email!r} is no e-mail address", "For example --email you@example.com")
    place = look_at_place(home, calls, usual_region(home, calls.profile), bucket)
    if place.google is not None:
        told = f"the controller in the account keeps to a bucket on S3, and this fleet's is {place.url}"
        raise FleetError(told, "`fleet controller run` and `fleet controller deploy host` look after any bucket.")
    if place.setup is None or place.fleet_id is None:
        told = f"no fleet was set up in {place.url}"
        raise FleetError(told, "Once: fleet init aws. Is it in another bucket? Name it with --bucket.")
    sources = sources or SOURCES
    objects = open_bucket(home, place.url)
    record = read_function(objects)
    blueprint = _blueprint(place, email or "")
    code = sources.code(ARCHES[blueprint.arch])
    alert = bool(email) or look_at_topic(calls, blueprint) is not None
    reserve = can_reserve(calls, place.region) or _reserved(calls, blueprint)
    blueprint = _blueprint(place, email or "", code=code, alert=alert, reserve=reserve)
    stored = {entry.key: entry.size for entry in objects.list(CODE_PREFIX)}
    found = survey_function(calls, blueprint, agent=sources.has_wheels(objects), stored=stored, record=record)
    return Deployment(calls, blueprint, found, plan_function(blueprint, found), code, sources)


def _blueprint(
    place: Place, email: str, *, code: bytes = b"", alert: bool = False, reserve: bool = True
) -> FunctionBlueprint:  # fmt: skip
    assert place.setup is not None
    return FunctionBlueprint(
        account=place.account,
        partition=place.partition,
        fleet_id=place.setup.fleet_id,
        bucket=place.bucket,
        region=place.region,
        regions=tuple(sorted(place.setup.regions)),
        code_sha256=hashlib.sha256(code).hexdigest(),
        code_size=len(code),
        version=__version__,
        email=email,
        alert=alert,
        reserve=reserve,
    )


def _reserved(calls: Calls, blueprint: FunctionBlueprint) -> bool:
    """A call that is set aside already needs no room for another."""
    if look_at_function(calls, blueprint.region, blueprint.name) is None:
        return False
    return look_at_concurrency(calls, blueprint.region, blueprint.name) is not None


def read_function(objects: Objects) -> AwsFunction | None:
    """The record of a deployment; None if there is none, or a broken one: then it is written anew.

    Raises NewerVersionError for one of a newer fleet's.
    """
    try:
        return aws_function(objects)
    except BrokenSetupError:
        return None


def carry_out_deployment(
    home: Home, deployment: Deployment, done: Callable[[Step], None], tell: Callable[[str], None] = lambda _: None
) -> str:
    """Do it, step by step; ``done`` is told of each, ``tell`` of what takes its time. What could not be made, if anything.

    May break off anywhere: the next run completes it. Raises FleetError.
    """
    blueprint = deployment.blueprint
    objects = open_bucket(home, blueprint.url)
    maker = FunctionMaker(deployment.calls, blueprint, deployment.survey)
    changed = [step for step in deployment.steps if step.action != "leave"]
    for step in changed:
        if step.kind == "agent":
            deployment.sources.wheels(objects, tell)
        elif step.kind == "code":
            _store(objects, blueprint.code_key, deployment.code)
        elif step.kind == "record":
            if any(one.kind == "function" for one in changed):
                maker.wait_until_active()
            made = AwsFunction.model_validate({**blueprint.record(), "made_at": objects.now()})
            objects.put(layout.AWS_FUNCTION, document_bytes(made))
        else:
            maker.do(step)
        done(step)
    return maker.warned


def _store(objects: Objects, key: str, code: bytes) -> None:
    """Put the archive there, and remove older ones: Lambda keeps a copy of what it runs."""
    objects.put(key, code)
    objects.delete([entry.key for entry in objects.list(CODE_PREFIX) if entry.key != key])


def wake(home: Home, controller: Controller) -> str:
    """Switch the controller in the account on, if there is one, for something lives now.

    What could not be done and what to do, in a sentence; else empty. Never raises: whatever is lost here, the function's
    hourly call finds.
    """
    objects = controller.objects
    try:
        record = aws_function(objects)
        if record is None:
            return ""
        schedules = Schedules(record, Calls(home.aws_profile(objects.url), denied=DENIED_CONTROLLER))
        if schedules.minute() is None:
            return (
                f"the controller in the account ({record.function}) was removed by hand: "
                "`fleet controller deploy aws` makes it again, `fleet controller remove aws` removes the rest."
            )
        schedules.turn(on=True)
    except (FleetError, OSError, ValueError) as error:
        told = " ".join(str(error).split())
        return f"the controller in the account was not woken, and looks by itself within the hour: {told}"
    if record.version != __version__:
        return (
            f"the controller in the account is fleet {record.version}, this is {__version__}: "
            "`fleet controller deploy aws` puts this one there."
        )
    return ""
