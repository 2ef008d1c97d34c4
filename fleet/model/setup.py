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
    """Its name; or the URL of a bucket on Cloud Storage, ``gs://…``."""
    bucket_region: str
    """With a bucket on Cloud Storage: where the account is asked for what is in no region."""
    instance_profile: str
    """Its name; machines get the role of the same name."""
    google_provider: str = ""
    """What Google trusts the machines' role by, to reach a bucket on Cloud Storage:
    ``projects/<number>/locations/global/workloadIdentityPools/<pool>/providers/<provider>``. Empty: the bucket is on S3."""
    google_account: str = ""
    """The address of the service account that they act as there."""
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
    """The schedule that calls it each hour, always: for disks past their time, strays, and a wake-up that was lost."""
    rules: dict[str, str] = Field(default_factory=dict)
    """By region: the rule that hands EC2's events on."""
    topic: str = ""
    """Where its alarm is told; empty: nowhere."""
    code_sha256: str
    """Of the archive that it runs, in hexadecimal."""
    version: str
    """fleet's, as it was deployed."""
    made_at: Seconds


class GcpRegion(Frozen):
    """What machines of one region are launched with."""

    region: str
    subnetwork: str
    """Its name, in the fleet's own network."""
    zones: tuple[str, ...] = ()
    """Those that were up when it was set up."""


class GcpSetup(Frozen):
    """One fleet in one Google Cloud project. Holds no secret."""

    v: Literal[1] = 1
    fleet_id: str
    project: str
    """Its id."""
    number: str
    """Its number, which trust between clouds is told by."""
    bucket: str
    """The fleet's bucket, as a URL: ``gs://…``, or ``s3://…`` of the same fleet."""
    bucket_region: str = ""
    """Where a bucket on Cloud Storage is, which is what lying there costs by: ``us-central1``, ``us``. Empty: not known."""
    network: str
    """The fleet's own network: nothing is let in but what is opened for a while."""
    service_account: str
    """The address that machines act as."""
    service_account_id: str = ""
    """Its unique number: AWS trusts it by that."""
    aws_role: str = ""
    """The ARN of the role that machines take on to reach a bucket on S3; empty: the bucket is on Cloud Storage."""
    aws_region: str = ""
    """The region of that bucket."""
    regions: dict[str, GcpRegion] = Field(default_factory=dict)
    ssh_user: str = "fleet"
    ssh_key: str | None = None
    """The user's public key, as a line of authorized_keys; None: nobody logs in."""
    public_ip: bool = True
    """Machines get a public IPv4 address: one without egress cannot boot."""
    iap: bool = False
    """Machines are reached through Identity-Aware Proxy only."""
    made_at: Seconds
    by: str = ""
    """fleet's version."""
