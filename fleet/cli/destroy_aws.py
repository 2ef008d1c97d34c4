"""``fleet destroy aws``: what ``fleet init aws`` made, removed; shown and asked about first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fleet.cli.ask import confirm, confirm_name, unbroken
from fleet.cli.init_aws import show_steps, step_object
from fleet.cli.output import emit, say
from fleet.control.home import open_home

if TYPE_CHECKING:
    from fleet.cli.objects import AwsDestroyedObject
    from fleet.control.aws_teardown import Doomed
    from fleet.providers.remains import Removal

LEFT_IN_THE_MIDDLE = "\nfleet: left in the middle. The same command removes the rest."
NO_FLEET = " Is the fleet in another bucket? Name it with --bucket; in another account? AWS_PROFILE chooses one."


def remove(bucket: str | None, *, delete_volumes: bool, delete_bucket: bool, yes: bool, as_json: bool) -> int:
    """Look, show, refuse while anything lives, ask, do."""
    from fleet.control.aws_place import profile_of
    from fleet.control.aws_teardown import carry_out_removal, check_removal, prepare_removal
    from fleet.providers.aws.calling import Calls

    home = open_home()
    calls = Calls(profile_of(home))
    say("Looking at the account …")
    doomed = prepare_removal(home, calls, bucket, delete_volumes=delete_volumes, delete_bucket=delete_bucket)
    place, where = doomed.place, ", ".join(doomed.regions)
    say(f"AWS account {place.account}, {where}: the fleet {doomed.fleet_id or '(none)'} in {place.url}\n")
    if doomed.steps:
        show_steps(doomed.steps, ("REGION", "NAME"))
    check_removal(home, doomed, delete_bucket=delete_bucket)
    if doomed.idle:
        say("\nNothing to remove." + (_left(doomed) if doomed.steps else NO_FLEET))
    else:
        ask_for_removal(doomed.steps, doomed.place.bucket, delete_bucket=delete_bucket, yes=yes)
    unbroken(lambda: carry_out_removal(home, doomed, tell_removal), LEFT_IN_THE_MIDDLE)
    if not doomed.idle:
        say("Removed." + _left(doomed))
    if as_json:
        emit(_object(doomed))
    return 0


def ask_for_removal(steps: Sequence[Removal], bucket: str, *, delete_bucket: bool, yes: bool) -> None:
    """Whether it is meant; a bucket goes only if its name is typed."""
    lost = [step for step in steps if step.action == "remove" and step.kind in ("volume", "snapshot")]
    if lost:
        say(f"\n{len(lost)} volumes and snapshots go, and everything on them: nobody can bring that back.")
    otherwise = "nothing was removed"
    if delete_bucket:
        told = next((step.told for step in steps if step.kind == "bucket"), "")
        say(f"\nThe bucket goes {told}: checkpoints, models and the journal of every run. Nobody can bring that back.")
        confirm_name("To go on, type the bucket's name:", bucket, yes=yes, otherwise=otherwise)
    else:
        say("")
        confirm("Remove this?", yes=yes, otherwise=otherwise)


def tell_removal(step: Removal) -> None:
    """Progress, as each is done."""
    say(f"  removed {step.kind} {step.name}{f' in {step.region}' if step.region else ''}")


def _left(doomed: Doomed) -> str:
    """What stays. Disks never do: `check_removal` refuses that."""
    left = {step.kind for step in doomed.steps if step.action == "leave"}
    if not left:
        return " Nothing is left. EC2's own roles for spot are the account's, and stay."
    bucket = f" {doomed.place.url} stays, with everything in it." if "bucket" in left else ""
    return bucket + (" Prepared images stay: `fleet ami list`." if "image" in left else "")


def _object(doomed: Doomed) -> AwsDestroyedObject:
    return {
        "account": doomed.place.account,
        "fleet": doomed.fleet_id,
        "bucket": doomed.place.url,
        "steps": [step_object(step, done=step.action == "remove") for step in doomed.steps],
    }
