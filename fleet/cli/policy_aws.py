"""``fleet policy aws``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from fleet.cli.output import emit
from fleet.control.home import open_home
from fleet.model.errors import FleetError

if TYPE_CHECKING:
    from fleet.cli.objects import PolicyObject


def show(bucket: str | None, *, role: bool, setup: bool, images: bool, as_json: bool) -> int:
    """Print a policy to standard output, and to standard error what to do with it."""
    chosen = [word for word, wanted in (("--role", role), ("--setup", setup), ("--images", images)) if wanted]
    if len(chosen) > 1:
        count = {2: "two", 3: "three"}[len(chosen)]
        raise FleetError(f"{' and '.join(chosen)} are {count} policies", "Print one after the other.")
    name, policy = _policy(bucket, role=role, setup=setup, images=images)
    command = f"aws iam create-policy --policy-name {name} --policy-document file://{name}.json"
    if as_json:
        told: PolicyObject = {"name": name, "policy": policy, "command": command}
        emit(told)
        return 0
    print(json.dumps(policy, indent=2))
    words = "".join(f"{word} " for word in chosen)
    told_role = "`fleet init aws` gave it to the machines' role already. " if role else ""
    sys.stderr.write(f"\n{told_role}As a managed policy: fleet policy aws {words}> {name}.json && {command}\n")
    return 0


def _policy(bucket: str | None, *, role: bool, setup: bool, images: bool) -> tuple[str, dict[str, Any]]:
    from fleet.control.aws_place import look_at_place, name_of_bucket, profile_of, usual_region, whoami
    from fleet.providers.aws.calling import Calls
    from fleet.providers.aws.image_policy import images_policy
    from fleet.providers.aws.names import own_name
    from fleet.providers.aws.policies import controller_policy, instance_policy
    from fleet.providers.aws.setup_policy import setup_policy

    home = open_home()
    calls = Calls(profile_of(home))
    region = usual_region(home, calls.profile)
    if setup:  # asked for by those who may do nothing yet
        account, partition = whoami(calls, region)
        return "fleet-setup", setup_policy(account, partition, name_of_bucket(home, account, region, bucket))
    if images:  # an account's, whichever fleet's machines boot from them
        return "fleet-images", images_policy(*whoami(calls, region))
    place = look_at_place(home, calls, region, bucket)
    if place.fleet_id is None:
        raise FleetError(
            f"there is no fleet in {place.url}: the policy names its id",
            "`fleet init aws` makes one; `fleet policy aws --setup` prints what that needs.",
        )
    name = own_name(place.fleet_id)
    if role:
        bucket = place.bucket if place.google is None else None
        return f"{name}-machines", instance_policy(bucket, account=place.account, partition=place.partition)
    return f"{name}-controller", controller_policy(place.account, place.partition, place.bucket, place.fleet_id)
