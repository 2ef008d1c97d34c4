"""``fleet destroy gcp``: what ``fleet init gcp`` made, removed; shown and asked about first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet.cli.ask import unbroken
from fleet.cli.destroy_aws import LEFT_IN_THE_MIDDLE, ask_for_removal, tell_removal
from fleet.cli.init_aws import show_steps, step_object
from fleet.cli.output import emit, say
from fleet.control.home import open_home

if TYPE_CHECKING:
    from fleet.cli.objects import GcpDestroyedObject
    from fleet.control.gcp_teardown import Doomed

NO_FLEET = " Is the fleet in another bucket? Name it with --bucket; in another project? --project names one."


def remove(
    project: str | None, bucket: str | None, *, delete_volumes: bool, delete_bucket: bool, yes: bool, as_json: bool
) -> int:
    """Look, show, refuse while anything lives, ask, do."""
    from fleet.control.gcp_place import project_of
    from fleet.control.gcp_teardown import carry_out_removal, check_removal, prepare_removal
    from fleet.providers.gcp.calling import Calls

    home = open_home()
    calls = Calls(project_of(home, project))
    say("Looking at the project …")
    doomed = prepare_removal(home, calls, bucket, delete_volumes=delete_volumes, delete_bucket=delete_bucket)
    plan = doomed.blueprint
    where = ", ".join(plan.regions)
    say(f"Google Cloud project {plan.project}, {where}: the fleet {plan.fleet_id or '(none)'} in {plan.bucket}\n")
    if doomed.steps:
        show_steps(doomed.steps, ("REGION", "NAME"))
    check_removal(home, doomed, delete_bucket=delete_bucket)
    if doomed.idle:
        say("\nNothing to remove." + (_left(doomed) if doomed.steps else NO_FLEET))
    else:
        ask_for_removal(doomed.steps, plan.bucket_name, delete_bucket=delete_bucket, yes=yes)
    unbroken(lambda: carry_out_removal(home, doomed, tell_removal), LEFT_IN_THE_MIDDLE)
    if not doomed.idle:
        say("Removed." + _left(doomed))
    if as_json:
        emit(_object(doomed))
    return 0


def _left(doomed: Doomed) -> str:
    """What stays. Disks never do: `check_removal` refuses that."""
    stays = any(step.action == "leave" for step in doomed.steps) or not doomed.place.on_google
    bucket = f" {doomed.blueprint.bucket} stays, with everything in it." if stays else " Nothing is left."
    return f"{bucket} The interfaces that were enabled stay so: they cost nothing."


def _object(doomed: Doomed) -> GcpDestroyedObject:
    return {
        "project": doomed.blueprint.project,
        "fleet": doomed.blueprint.fleet_id,
        "bucket": doomed.blueprint.bucket,
        "steps": [step_object(step, done=step.action == "remove") for step in doomed.steps],
    }
