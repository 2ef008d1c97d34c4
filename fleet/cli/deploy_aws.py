"""``fleet controller deploy aws`` and ``remove aws``: a controller in the account, shown with its price, and asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet.cli.app import EXIT_INTERRUPTED
from fleet.cli.ask import confirm
from fleet.cli.init_aws import show_steps, step_object
from fleet.cli.output import emit, say
from fleet.cli.views import dollars
from fleet.control.home import open_home
from fleet.model.units import format_money
from fleet.providers.aws.function_prices import IDLE, ONE_RUN, monthly_cost

if TYPE_CHECKING:
    from fleet.cli.objects import AwsControllerObject, AwsDestroyedObject
    from fleet.control.aws_dismissal import Dismissal
    from fleet.control.aws_function import Deployment
    from fleet.providers.remains import Removal
    from fleet.providers.wanted import Step

COSTS = """\
What it costs, free tiers left out:
  idle      {idle} a month: one call an hour, while nothing lives
  one run   {run} a month, for as long as it lives: one call a minute
  alarm     nothing if it is among the account's first ten, else $0.10 a month"""
VERSIONS = """\
It runs fleet {version}, as this computer does. Both may run at once, and their versions may differ: what a newer one writes
makes an older one read-only, which says so. After an upgrade here, the same command updates it."""
MAIL = "AWS sends a mail to {email}: nothing is told there until the link in it was followed."
NEXT = """\

It is called each minute while a run lives: `fleet up` and `fleet resume` switch it on, it switches itself off.
`fleet controller remove aws` removes it all again."""
BROKEN_OFF = """\

fleet: left in the middle. `fleet controller deploy aws` completes it, `fleet controller remove aws` removes it."""
NO_FLEET = " Is the fleet in another bucket? Name it with --bucket; in another account? AWS_PROFILE chooses one."


def deploy(email: str | None, bucket: str | None, *, yes: bool, as_json: bool) -> int:
    """Look, show, ask, do."""
    from fleet.control.aws_function import carry_out_deployment, prepare_deployment
    from fleet.control.aws_place import profile_of
    from fleet.providers.aws.calling import Calls

    home = open_home()
    say("Packing the function, and looking at the account …")
    deployment = prepare_deployment(home, Calls(profile_of(home)), bucket, email)
    _show(deployment)
    if not deployment.idle:
        confirm("Make this?", yes=yes, otherwise="nothing was made", default=True)
    try:
        warned = carry_out_deployment(home, deployment, _tell, lambda text: say(f"         {text}"))
    except KeyboardInterrupt:
        import typer

        say(BROKEN_OFF)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if warned:
        say(f"Mind: {warned}.")
    if any(step.kind == "topic" and "e-mail" in step.differs for step in deployment.steps):
        say(MAIL.format(email=email))
    say(NEXT)
    if as_json:
        emit(_object(deployment, warned))
    return 0


def _show(deployment: Deployment) -> None:
    plan = deployment.blueprint
    say(f"AWS account {plan.account}, {plan.region}: a controller of the fleet {plan.fleet_id} in {plan.url}\n")
    if deployment.idle:
        say("Nothing to do: everything is there, and as it should be.")
    else:
        show_steps(deployment.steps, ("NAME", "REGION"))
    idle, run = format_money(monthly_cost(IDLE)), format_money(monthly_cost(ONE_RUN))
    say("\n" + COSTS.format(idle=idle, run=run) + "\n\n" + VERSIONS.format(version=plan.version))
    for warning in deployment.warnings:
        say(f"Mind: {warning}.")


def _tell(step: Step) -> None:
    done = {"make": "made", "mend": "mended"}[step.action]
    say(f"  {done:<6} {step.kind} {step.name}{f' in {step.region}' if step.region else ''}")


def _object(deployment: Deployment, warned: str) -> AwsControllerObject:
    plan = deployment.blueprint
    return {
        "account": plan.account,
        "fleet": plan.fleet_id,
        "bucket": plan.url,
        "region": plan.region,
        "function": plan.name,
        "version": plan.version,
        "usd_per_month_idle": dollars(monthly_cost(IDLE)),
        "usd_per_month_run": dollars(monthly_cost(ONE_RUN)),
        "steps": [step_object(step, done=step.action != "leave") for step in deployment.steps],
        "warnings": [*deployment.warnings, *([warned] if warned else [])],
    }


def remove(bucket: str | None, *, yes: bool, as_json: bool) -> int:
    """Look, show, ask, do."""
    from fleet.control.aws_dismissal import carry_out_dismissal, prepare_dismissal
    from fleet.control.aws_place import profile_of
    from fleet.providers.aws.calling import Calls

    home = open_home()
    say("Looking at the account …")
    dismissal = prepare_dismissal(home, Calls(profile_of(home)), bucket)
    place = dismissal.place
    say(f"AWS account {place.account}, {place.region}: the fleet {dismissal.fleet_id or '(none)'} in {place.url}\n")
    if dismissal.steps:
        show_steps(dismissal.steps, ("REGION", "NAME"))
        say("\nRuns go on without it: their machines train and save, but somebody else must relaunch what is interrupted.")
        confirm("Remove this?", yes=yes, otherwise="nothing was removed")
    else:
        say("Nothing to remove: no controller was deployed." + ("" if dismissal.fleet_id else NO_FLEET))
    try:
        carry_out_dismissal(dismissal, _told)
    except KeyboardInterrupt:
        import typer

        say("\nfleet: left in the middle. The same command removes the rest.")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if dismissal.steps:
        say("Removed. Nothing of it is left.")
    if as_json:
        emit(_removed(dismissal))
    return 0


def _told(step: Removal) -> None:
    say(f"  removed {step.kind} {step.name}{f' in {step.region}' if step.region else ''}")


def _removed(dismissal: Dismissal) -> AwsDestroyedObject:
    return {
        "account": dismissal.place.account,
        "fleet": dismissal.fleet_id,
        "bucket": dismissal.place.url,
        "steps": [step_object(step, done=True) for step in dismissal.steps],
    }
