"""Role and instance profile of a set-up, and EC2's own roles for spot."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.names import POLICY, TAG, tags_of
from fleet.providers.aws.policies import trust_policy
from fleet.providers.aws.setup import Blueprint
from fleet.providers.patience import LOOK_EVERY, LOOKS
from fleet.providers.wanted import Found

GONE = ("NoSuchEntity",)
THERE = ("EntityAlreadyExists",)
BLIND_WAIT = 15.0
"""For a new profile, where nobody may ask EC2 whether it knows it."""
IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
"""Any image will do: nothing is launched."""


def look_at_role(calls: Calls, region: str, name: str) -> Found | None:
    """The machines' role; None if there is none."""
    answer = calls.unless(GONE, "iam", region, "get_role", RoleName=name)
    if answer is None:
        return None
    role = answer["Role"]
    policy = calls.unless(GONE, "iam", region, "get_role_policy", RoleName=name, PolicyName=POLICY)
    fields = {
        "trust": role.get("AssumeRolePolicyDocument"),
        "policy": policy["PolicyDocument"] if policy else None,
        "tag": {one["Key"]: one["Value"] for one in role.get("Tags", ())}.get(TAG),
    }
    return Found(name, fields)


def look_at_profile(calls: Calls, region: str, name: str) -> Found | None:
    """What hands the role to machines; None if there is none."""
    answer = calls.unless(GONE, "iam", region, "get_instance_profile", InstanceProfileName=name)
    if answer is None:
        return None
    profile = answer["InstanceProfile"]
    roles = ", ".join(one["RoleName"] for one in profile.get("Roles", ()))
    return Found(name, {"role": roles, "tag": {one["Key"]: one["Value"] for one in profile.get("Tags", ())}.get(TAG)})


def look_at_service_role(calls: Calls, region: str, service: str) -> Found | None:
    """The role that one of AWS's services has in the account."""
    found = calls("iam", region, "list_roles", PathPrefix=f"/aws-service-role/{service}/")["Roles"]
    return Found(found[0]["RoleName"], {}) if found else None


def make_service_role(calls: Calls, region: str, service: str) -> None:
    """IAM says "InvalidInput" of one that is there already."""
    calls.unless((*THERE, "InvalidInput"), "iam", region, "create_service_linked_role", AWSServiceName=service)


def create_role(calls: Calls, region: str, plan: Blueprint) -> None:
    """Make it, where it is not there."""
    make_role(
        calls, region, plan.name, plan.fleet_id, trust_policy(), f"Machines of the fleet {plan.fleet_id}: fleet init aws"
    )


def make_role(calls: Calls, region: str, name: str, fleet_id: str, trust: Mapping[str, Any], told: str) -> None:
    """Make a role, where it is not there, with its tag; without any permission yet."""
    document = json.dumps(trust)
    calls.unless(
        THERE, "iam", region, "create_role", RoleName=name, AssumeRolePolicyDocument=document, Description=told,
        Tags=tags_of(fleet_id),
    )  # fmt: skip


def mend_role(calls: Calls, region: str, plan: Blueprint, fields: Collection[str], policy: Mapping[str, object]) -> None:
    """Set these fields."""
    set_role(calls, region, plan.name, plan.fleet_id, fields, trust_policy(), policy)


def set_role(
    calls: Calls, region: str, name: str, fleet_id: str, fields: Collection[str], trust: Mapping[str, Any],
    policy: Mapping[str, object],
) -> None:  # fmt: skip
    """Set these fields of a role: who may take it, what it may do, its tag."""
    role = {"RoleName": name}
    if "trust" in fields:
        calls("iam", region, "update_assume_role_policy", unseen=GONE, PolicyDocument=json.dumps(trust), **role)
    if "policy" in fields:
        document = json.dumps(policy)
        calls("iam", region, "put_role_policy", unseen=GONE, PolicyName=POLICY, PolicyDocument=document, **role)
    if "tag" in fields:
        calls("iam", region, "tag_role", unseen=GONE, Tags=tags_of(fleet_id), **role)


def create_profile(calls: Calls, region: str, plan: Blueprint) -> None:
    """Make it, where it is not there."""
    tags = tags_of(plan.fleet_id)
    calls.unless(THERE, "iam", region, "create_instance_profile", InstanceProfileName=plan.name, Tags=tags)


def mend_profile(calls: Calls, region: str, plan: Blueprint, fields: Collection[str]) -> None:
    """Set these fields. A profile holds one role."""
    profile = {"InstanceProfileName": plan.name}
    if "tag" in fields:
        calls("iam", region, "tag_instance_profile", unseen=GONE, Tags=tags_of(plan.fleet_id), **profile)
    if "role" in fields:
        there = calls("iam", region, "get_instance_profile", unseen=GONE, **profile)["InstanceProfile"].get("Roles", ())
        for other in (one["RoleName"] for one in there if one["RoleName"] != plan.name):
            calls("iam", region, "remove_role_from_instance_profile", RoleName=other, **profile)
        if all(one["RoleName"] != plan.name for one in there):
            calls.unless(
                ("LimitExceeded",), "iam", region, "add_role_to_instance_profile", unseen=GONE, RoleName=plan.name, **profile
            )


def wait_until_seen(calls: Calls, region: str, profile: str) -> bool:
    """Until EC2 knows the new profile: IAM tells it some seconds later, and a launch before that would be refused.

    Asked by launches that are not meant (``DryRun``). False: a minute was not enough.
    """
    found = calls.unless(("ParameterNotFound", "AccessDeniedException"), "ssm", region, "get_parameter", Name=IMAGE)
    image = found["Parameter"]["Value"] if found else None
    for _ in range(LOOKS):
        refusal = _refusal(calls, region, profile, image) if image else None
        if refusal is not None and refusal.code == "DryRunOperation":
            return True
        if refusal is None or "instance profile" not in refusal.message.lower():
            calls.sleep(BLIND_WAIT)  # refused for something else: it cannot be known
            return True
        calls.sleep(LOOK_EVERY)
    return False


def _refusal(calls: Calls, region: str, profile: str, image: str) -> ProviderError:
    try:
        calls(
            "ec2", region, "run_instances", DryRun=True, ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1,
            IamInstanceProfile={"Name": profile},
        )  # fmt: skip
    except ProviderError as error:
        return error
    return ProviderError(ErrorClass.UNKNOWN, "None", "a dry run was not refused")
