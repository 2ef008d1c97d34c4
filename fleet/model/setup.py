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


class AwsFunction(Frozen):
    """The controller that runs as a function in the account (``fleet controller deploy aws``). Holds no secret."""

    v: Literal[1] = 1
    fleet_id: str
    account: str
    partition: str = "aws"
    region: str
    """Where the function is: the bucket's region."""
    function: str
    """Its name; its role, its log group, its schedules and its rules are called after it."""
    minute: str
    """The schedule that calls it each minute while something lives."""
    hour: str
    """The schedule that calls it each hour, always: disks past their time, machines that nobody owns, a lost wake-up."""
    rules: dict[str, str] = Field(default_factory=dict)
    """By region: the rule that hands EC2's events on."""
    topic: str = ""
    """Where its alarm is told; empty: nowhere."""
    code_sha256: str
    """Of the archive that it runs, in hexadecimal."""
    version: str
    """fleet's, as it was deployed."""
    made_at: Seconds
