"""What everything in the account is called and marked with."""

from __future__ import annotations

TAG = "fleet"
"""The tag whose value is the fleet's id: on everything that is ever made."""
OPENED = "fleet:"
"""How the description of an inbound rule begins that was opened for a while."""
POLICY = "fleet"
"""The role's inline policy."""


def own_name(fleet_id: str) -> str:
    """Of the role, the instance profile, the security groups, keys and launch templates."""
    return f"fleet-{fleet_id[:8]}"


def controller_name(fleet_id: str) -> str:
    """Of the controller in the account: the function, its role and its rules are called so, the rest after it."""
    return f"{own_name(fleet_id)}-controller"


def tags_of(fleet_id: str) -> list[dict[str, str]]:
    """As every service but S3 takes them."""
    return [{"Key": TAG, "Value": fleet_id}]


def bucket_name(account: str, region: str) -> str:
    """The bucket that is made if none is named: the same each time, so that a set-up that broke off finds it again."""
    return f"fleet-{account}-{region}"
