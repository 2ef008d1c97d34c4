"""The role in AWS that machines of Compute Engine take on to reach a fleet's bucket on S3. No key is made anywhere."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from fleet.providers.aws.calling import Calls
from fleet.providers.aws.policies import instance_policy
from fleet.providers.aws.removing import remove_role
from fleet.providers.aws.setup_role import look_at_role, make_role, set_role
from fleet.providers.gcp.setup import AWS_ROLE, AwsTrust, Blueprint
from fleet.providers.gcp.trust import role_name, role_trust
from fleet.providers.wanted import Found

OF_EC2 = ("Secrets", "Decrypt")
"""What only machines of EC2 need: others read their own cloud's secrets."""


def look_at_trust(plan: Blueprint, unique_id: str, calls: Calls | None = None) -> Found | None:
    """The role; None if there is none. ``unique_id``: the service account's number."""
    trust = _trust(plan)
    role = look_at_role(calls or Calls(trust.profile), trust.region, role_name(plan.fleet_id))
    if role is None:
        return None
    should = {"trust": role_trust(plan.aws_role, unique_id), "policy": policy_of(trust), "tag": plan.fleet_id}
    return Found(role.id, {key: AWS_ROLE[key] if role.fields.get(key) == should[key] else "another" for key in should})


def make_trust(plan: Blueprint, unique_id: str, fields: Collection[str], calls: Calls | None = None) -> None:
    """Make the role, or set these fields of it."""
    trust, name = _trust(plan), role_name(plan.fleet_id)
    calls = calls or Calls(trust.profile)
    who = role_trust(plan.aws_role, unique_id)
    told = f"Machines of Google Cloud of the fleet {plan.fleet_id}: fleet init gcp"
    make_role(calls, trust.region, name, plan.fleet_id, who, told)
    set_role(calls, trust.region, name, plan.fleet_id, fields, who, policy_of(trust))


def remove_trust(plan: Blueprint, calls: Calls | None = None) -> None:
    """Remove the role."""
    trust = _trust(plan)
    remove_role(calls or Calls(trust.profile), trust.region, role_name(plan.fleet_id))


def policy_of(trust: AwsTrust) -> dict[str, Any]:
    """What machines may do in the bucket: the same as those of EC2."""
    whole = instance_policy(trust.bucket, account=trust.account, partition=trust.partition)
    return {**whole, "Statement": [one for one in whole["Statement"] if one["Sid"] not in OF_EC2]}


def _trust(plan: Blueprint) -> AwsTrust:
    assert plan.trust is not None
    return plan.trust
