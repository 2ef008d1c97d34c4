"""Trust between the clouds, as documents: who may act as whom, and nothing more. Pure; set-up makes what stands here.

No key is made, handed over or kept anywhere. On AWS a role trusts one service account of Google's, by its number, for tokens
that are made out to that very role. On Google a workload identity pool takes the word of one AWS account for one role's
sessions, and they may act as one service account.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

GOOGLE = "accounts.google.com"
"""AWS knows it by itself: an identity provider made for it would break the trust."""
PROVIDER = "aws"
"""What a pool's one provider is called."""
USER = "roles/iam.workloadIdentityUser"
APIS = ("iam", "iamcredentials", "sts")
"""What must be enabled in the project for machines of EC2 to act as a service account."""
PERMISSIONS = (
    "iam.serviceAccounts.getIamPolicy",
    "iam.serviceAccounts.setIamPolicy",
    *(
        f"iam.{kind}.{verb}"
        for kind in ("workloadIdentityPools", "workloadIdentityPoolProviders")
        for verb in ("create", "delete", "get", "undelete", "update")
    ),
)
"""What whoever makes the pool, and lets its members be the service account, needs in the project. A pool that was deleted is
kept for 30 days and its name with it: it is undeleted."""


# --- machines of Compute Engine, a bucket on S3


def role_name(fleet_id: str) -> str:
    """The role of AWS that machines of Compute Engine take on."""
    return f"fleet-{fleet_id[:8]}-google"


def role_arn(fleet_id: str, account: str, partition: str = "aws") -> str:
    """Its ARN, which is also what identity tokens must be made out to."""
    return f"arn:{partition}:iam::{account}:role/{role_name(fleet_id)}"


def role_trust(arn: str, service_account_id: str) -> dict[str, Any]:
    """Who may take on the role: the service account with that number, by a token for this role.

    AWS calls ``azp`` what a token says of its holder ``aud``, and ``oaud`` what the token calls ``aud``: whom it is for.
    """
    claims = {f"{GOOGLE}:aud": service_account_id, f"{GOOGLE}:oaud": arn, f"{GOOGLE}:sub": service_account_id}
    trusting = {
        "Sid": "MachinesOfComputeEngine",
        "Effect": "Allow",
        "Principal": {"Federated": GOOGLE},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": claims},
    }
    return {"Version": "2012-10-17", "Statement": [trusting]}


# --- machines of EC2, a bucket on Cloud Storage


def pool_id(fleet_id: str) -> str:
    """4 to 32 small letters, digits and dashes."""
    return f"fleet-{fleet_id}"[:32]


def pool_name(number: str, fleet_id: str) -> str:
    """By the project's number, as Google's Security Token Service knows it."""
    return f"projects/{number}/locations/global/workloadIdentityPools/{pool_id(fleet_id)}"


def provider_name(number: str, fleet_id: str) -> str:
    """The pool's one provider: what ``AwsSetup.google_provider`` holds."""
    return f"{pool_name(number, fleet_id)}/providers/{PROVIDER}"


def pool_body(fleet_id: str) -> dict[str, Any]:
    """For ``projects.locations.workloadIdentityPools.create``."""
    return {"displayName": "fleet", "description": f"Machines of EC2 of the fleet {fleet_id}"}


def session_role(account: str, role: str, partition: str = "aws") -> str:
    """What a session's ARN is without its name: which role it is of."""
    return f"arn:{partition}:sts::{account}:assumed-role/{role}"


def provider_body(account: str, role: str, partition: str = "aws") -> dict[str, Any]:
    """For ``…providers.create``: sessions of one role of one account, and nobody else of it.

    The mapping is Google's own for AWS, spelled out: the member below is only right as long as it holds.
    """
    by_role = (
        "assertion.arn.contains('assumed-role') ? assertion.arn.extract('{account_arn}assumed-role/') + 'assumed-role/' + "
        "assertion.arn.extract('assumed-role/{role_name}/') : assertion.arn"
    )
    return {
        "displayName": "AWS",
        "aws": {"accountId": account},
        "attributeMapping": {"google.subject": "assertion.arn", "attribute.aws_role": by_role},
        "attributeCondition": f"assertion.arn.startsWith('{session_role(account, role, partition)}/')",
    }


def member(number: str, fleet_id: str, account: str, role: str, partition: str = "aws") -> str:
    """The role's sessions, as a policy of Google's names them."""
    whose = session_role(account, role, partition)
    return f"principalSet://iam.googleapis.com/{pool_name(number, fleet_id)}/attribute.aws_role/{whose}"


def users_of(policy: Mapping[str, Any]) -> set[str]:
    """Who may act as a service account without any condition, by its policy."""
    bindings = policy.get("bindings", ())
    return {name for one in bindings if one.get("role") == USER and not one.get("condition") for name in one["members"]}


def with_user(policy: Mapping[str, Any], who: str) -> dict[str, Any]:
    """A service account's policy in which ``who`` may act as it, all else as it was."""
    bindings: Sequence[Mapping[str, Any]] = policy.get("bindings", ())
    there = [dict(one) for one in bindings if one.get("role") != USER or one.get("condition")]
    return {**policy, "bindings": [*there, {"role": USER, "members": sorted({*users_of(policy), who})}]}


def without_user(policy: Mapping[str, Any], who: str) -> dict[str, Any]:
    """The same without ``who``; a binding of nobody goes."""
    kept = [
        {**one, "members": [name for name in one["members"] if one["role"] != USER or name != who]}
        for one in policy.get("bindings", ())
    ]
    return {**policy, "bindings": [one for one in kept if one["members"]]}
