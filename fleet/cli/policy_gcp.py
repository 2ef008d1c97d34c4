"""``fleet policy gcp``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from fleet.cli.output import emit
from fleet.control.home import open_home
from fleet.model.errors import FleetError

if TYPE_CHECKING:
    from fleet.cli.objects import PolicyObject
    from fleet.control.gcp_place import Place

WHO = "user:YOU@example.com"
"""As gcloud names somebody."""


def show(project: str | None, bucket: str | None, *, role: bool, setup: bool, as_json: bool) -> int:
    """Print a custom role (machines': bindings) to standard output, and to standard error what to do with it."""
    if role and setup:
        raise FleetError("--role and --setup are two policies", "Print one after the other.")
    name, policy, commands = _policy(project, bucket, role=role, setup=setup)
    if as_json:
        told: PolicyObject = {"name": name, "policy": policy, "command": " && ".join(commands)}
        emit(told)
        return 0
    print(json.dumps(policy, indent=2))
    if role:
        sys.stderr.write("\n`fleet init gcp` gave this to the machines' service account already.\n")
        return 0
    words = "--setup " if setup else ""
    sys.stderr.write(f"\nTo give it to somebody:\n  fleet policy gcp {words}> {name}.json\n")
    sys.stderr.write("".join(f"  {command}\n" for command in commands))
    return 0


def _policy(project: str | None, bucket: str | None, *, role: bool, setup: bool) -> tuple[str, dict[str, Any], list[str]]:
    from fleet.control.gcp_place import look_at_place, project_of, usual_region
    from fleet.providers.gcp.calling import Calls
    from fleet.providers.gcp.policies import setup_role

    home = open_home()
    named = project_of(home, project)
    if setup:  # asked for by those who may do nothing yet
        name = "fleetSetup"
        return name, setup_role(), [made(name, named), given(named, f"projects/{named}/roles/{name}", None)]
    place = look_at_place(home, Calls(named), usual_region(home), bucket)
    if place.fleet_id is None:
        raise FleetError(
            f"there is no fleet in {place.bucket}: the policy names its service account",
            "`fleet init gcp` makes one; `fleet policy gcp --setup` prints what that needs.",
        )
    return _of_machines(place) if role else _of_controller(place)


def _of_machines(place: Place) -> tuple[str, dict[str, Any], list[str]]:
    """What the service account was given, by what it was given for."""
    from fleet.control.gcp_setup import Wish, blueprint_of
    from fleet.providers.gcp.policies import secret_binding

    plan = blueprint_of(place, Wish(), place.region)
    policy: dict[str, Any] = {
        f"projects/{place.project}": {"bindings": [secret_binding(place.number, plan.service_account)]}
    }
    if plan.bucket_name:
        policy[plan.bucket] = {"bindings": plan.bindings()}
    return f"{plan.name}-machines", policy, []


def _of_controller(place: Place) -> tuple[str, dict[str, Any], list[str]]:
    """The role, and what to type: to make it, to give it, to let its holder launch machines and use the bucket."""
    from fleet.control.gcp_setup import Wish, blueprint_of
    from fleet.providers.gcp.policies import ACTS_AS_ROLE, CONTROLLER_BUCKET_ROLES, controller_role, own_only

    plan, name, who = blueprint_of(place, Wish(), place.region), "fleetController", f"--member={WHO}"
    acting = f"gcloud iam service-accounts add-iam-policy-binding {plan.service_account} --project={place.project}"
    commands = [
        made(name, place.project),
        given(place.project, f"projects/{place.project}/roles/{name}", own_only()),
        f"{acting} {who} --role={ACTS_AS_ROLE}",
    ]
    if plan.bucket_name:
        add = f"gcloud storage buckets add-iam-policy-binding {plan.bucket} {who}"
        commands += [f"{add} --role={one}" for one in CONTROLLER_BUCKET_ROLES]
    return name, controller_role(), commands


def made(name: str, project: str) -> str:
    """The command that makes a custom role."""
    return f"gcloud iam roles create {name} --project={project} --file={name}.json"


def given(project: str, role: str, condition: str | None) -> str:
    """The command that gives a role to somebody."""
    told = f"'^:^title=fleet only:expression={condition}'" if condition else "None"
    return f"gcloud projects add-iam-policy-binding {project} --member={WHO} --role={role} --condition={told}"
