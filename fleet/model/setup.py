"""What ``fleet init aws`` made in an account, kept in the bucket: every controller launches by it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fleet.model.base import Frozen, Seconds


class AwsRegion(Frozen):
    """What machines of one region are launched with."""

    region: str
    security_group: str
    """Its id. No inbound rule but those that are opened for a while."""
    subnets: dict[str, str] = Field(default_factory=dict)
    """By zone. Empty where the account's default network serves."""
    launch_template: str
    """Its id; holds the properties that every machine of the fleet shares, and no user-data."""
    template_version: str
    key_name: str | None = None
    """The user's imported public key; None: nobody logs in."""


class AwsSetup(Frozen):
    """One fleet in one account. Holds no secret."""

    v: Literal[1] = 1
    fleet_id: str
    account: str
    partition: str = "aws"
    bucket: str
    """Its name."""
    bucket_region: str
    instance_profile: str
    """Its name; machines get the role of the same name."""
    regions: dict[str, AwsRegion] = Field(default_factory=dict)
    public_ip: bool = True
    """Machines get a public IPv4 address ($0.005 an hour): one without egress cannot boot."""
    made_at: Seconds
    by: str = ""
    """fleet's version."""
