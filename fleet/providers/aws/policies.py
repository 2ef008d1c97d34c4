"""Who may do what (design.md, section 10), as IAM policies. Pure functions: the same words give the same document.

- ``instance_policy``: the role of the machines. Training has its credentials only where it shares the host's network, and
  may even then neither forge state nor destroy what others trained.
- ``controller_policy``: whoever runs ``fleet up`` and the loop. Changes only what carries this fleet's tag.
- ``setup_policy``: what ``fleet init aws`` and ``fleet destroy aws`` need. Once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fleet.model import layout
from fleet.providers.aws.names import TAG, controller_name, own_name

MANAGED_LIMIT = 6_144
"""Characters, white space not counted, that a managed policy may have."""
INLINE_LIMIT = 10_240

REQUEST_TAG = f"aws:RequestTag/{TAG}"
RESOURCE_TAG = f"aws:ResourceTag/{TAG}"

READS = ("jobs/", "agent/", "runs/", "heartbeats/", "models/")
"""What machines read and list."""
WRITES = (
    "heartbeats/*",
    "models/*",
    "runs/*/checkpoints/*",
    "runs/*/attempts/*/log/*",
    "runs/*/attempts/*/began.json",
    "runs/*/attempts/*/base.json",
    "runs/*/attempts/*/host-key.json",
    "runs/*/attempts/*/boot.log",
)
"""What they write. Neither ``desired.json`` nor ``launch-<try>.json``: other machines and controllers obey those."""
REMOVES = ("heartbeats/*", "runs/*/checkpoints/*")
"""What retention may remove."""
FORBIDDEN = ("journal/*", "snapshots/*", "setup/*", "settings/*", "notifications/*", layout.FLEET, layout.LOCAL_HOME)

LOOKS = (
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeFleets",
    "ec2:DescribeFleetInstances",
    "ec2:DescribeImages",
    "ec2:DescribeInstanceAttribute",
    "ec2:DescribeInstances",
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeKeyPairs",
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:DescribeRegions",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroupRules",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSnapshots",
    "ec2:DescribeSpotInstanceRequests",
    "ec2:DescribeSpotPriceHistory",
    "ec2:DescribeSubnets",
    "ec2:DescribeTags",
    "ec2:DescribeVolumes",
    "ec2:DescribeVolumesModifications",
    "ec2:DescribeVpcs",
    "ec2:GetSpotPlacementScores",
    "iam:ListRoles",
    "iam:SimulatePrincipalPolicy",
    "pricing:GetProducts",
    "servicequotas:GetAWSDefaultServiceQuota",
    "servicequotas:GetServiceQuota",
    "sts:DecodeAuthorizationMessage",
    "sts:GetCallerIdentity",
)
"""Reading, which knows no tags."""


def statement(
    sid: str, effect: str, actions: Sequence[str], resources: Sequence[str] | str, condition: dict[str, Any] | None = None
) -> dict[str, Any]:
    """One, as IAM takes it."""
    made: dict[str, Any] = {"Sid": sid, "Effect": effect, "Action": list(actions)}
    made["Resource"] = resources if isinstance(resources, str) else list(resources)
    if condition:
        made["Condition"] = condition
    return made


def policy_of(*statements: dict[str, Any]) -> dict[str, Any]:
    """The document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trust_policy() -> dict[str, Any]:
    """Who may take the machines' role: EC2, for its instances."""
    return policy_of({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})


def instance_policy(bucket: str | None, prefix: str = "", *, account: str, partition: str = "aws") -> dict[str, Any]:
    """What a machine may do: read its job and its run, write what a machine writes, read the fleet's secrets.

    ``bucket`` None: it is on another cloud, which says what machines may do there.
    """
    secrets = [
        f"arn:{partition}:ssm:*:{account}:parameter/fleet/*",
        f"arn:{partition}:secretsmanager:*:{account}:secret:fleet/*",
    ]
    of_fleet = {"kms:EncryptionContext:PARAMETER_ARN": secrets[0]}
    reading = [
        statement("Secrets", "Allow", ["ssm:GetParameter", "ssm:GetParameters", "secretsmanager:GetSecretValue"], secrets),
        statement("Decrypt", "Allow", ["kms:Decrypt"], f"arn:{partition}:kms:*:{account}:key/*", {"StringLike": of_fleet}),
    ]
    if bucket is None:
        return policy_of(*reading)
    root = f"arn:{partition}:s3:::{bucket}"
    within = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def keys(*patterns: str) -> list[str]:
        return [f"{root}/{within}{pattern}" for pattern in patterns]

    # Whether an absent key is "not found" or "denied" depends on this permission, and then no prefix is asked for at all.
    listing = {"StringLikeIfExists": {"s3:prefix": [f"{within}{one}*" for one in READS]}}
    return policy_of(
        statement("List", "Allow", ["s3:ListBucket"], root, listing),
        statement("Read", "Allow", ["s3:GetObject"], keys(*(f"{one}*" for one in READS))),
        statement(
            "Write", "Allow", ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"], keys(*WRITES)
        ),
        statement("Retain", "Allow", ["s3:DeleteObject"], keys(*REMOVES)),
        *reading,
        statement("NeverForge", "Deny", ["s3:*"], keys(*FORBIDDEN)),
        {
            "Sid": "NeverDelete",
            "Effect": "Deny",
            "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"],
            "NotResource": keys(*REMOVES),
        },
        statement(
            "NeverChangeTheBucket",
            "Deny",
            ["s3:DeleteBucket*", "s3:PutBucket*", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration"],
            root,
        ),
    )


def controller_policy(account: str, partition: str, bucket: str, fleet_id: str) -> dict[str, Any]:
    """What a controller may do: look, launch what carries the fleet's tag, change what carries it, and use the bucket.

    ``bucket``: its name, or the URL of one that is on another cloud, which says who may use it.
    """
    ec2 = f"arn:{partition}:ec2:*:{account}:"
    role = f"arn:{partition}:iam::{account}:role/{own_name(fleet_id)}"
    profile = f"arn:{partition}:iam::{account}:instance-profile/{own_name(fleet_id)}"
    asked = {"StringEquals": {REQUEST_TAG: fleet_id}}
    owned = {"StringEquals": {RESOURCE_TAG: fleet_id}}
    # What is ours may get further tags, never the tag of another fleet.
    further = {"StringEquals": {RESOURCE_TAG: fleet_id}, "StringEqualsIfExists": {REQUEST_TAG: fleet_id}}
    return policy_of(
        statement("Look", "Allow", LOOKS, "*"),
        statement("LookAtTheRole", "Allow", ["iam:GetRole", "iam:GetRolePolicy", "iam:GetInstanceProfile"], [role, profile]),
        *launching(account, partition, fleet_id, ["CreateSnapshot", "AuthorizeSecurityGroupIngress"]),
        statement("TagOwn", "Allow", ["ec2:CreateTags"], f"{ec2}*/*", further),
        statement("MakeSnapshots", "Allow", ["ec2:CreateSnapshot"], f"arn:{partition}:ec2:*::snapshot/*", asked),
        statement(
            "RulesOfOwnGroups",
            "Allow",
            ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"],
            f"{ec2}security-group-rule/*",
        ),
        statement("ChangeOwn", "Allow", OWN_CHANGES, [f"{ec2}*/*", f"arn:{partition}:ec2:*::snapshot/*"], owned),
        *waking(account, partition, fleet_id),
        *([] if "://" in bucket else _bucket_statements(f"arn:{partition}:s3:::{bucket}")),
    )


def launching(account: str, partition: str, fleet_id: str, tagged_by: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Launching machines and making disks that carry the fleet's tag, by its own template, in its own group, with its role.

    ``tagged_by``: further operations that tag what they make.
    """
    ec2, name = f"arn:{partition}:ec2:*:{account}:", own_name(fleet_id)
    launch = ["ec2:RunInstances", "ec2:CreateFleet"]
    asked = {"StringEquals": {REQUEST_TAG: fleet_id}}
    owned = {"StringEquals": {RESOURCE_TAG: fleet_id}}
    making = ["RunInstances", "CreateFleet", "CreateVolume", *tagged_by]
    tagging = {"StringEquals": {REQUEST_TAG: fleet_id, "ec2:CreateAction": making}}
    to_ec2 = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    return [
        statement(
            "ImagesByName",
            "Allow",
            ["ssm:GetParameter", "ssm:GetParameters"],
            f"arn:{partition}:ssm:*::parameter/aws/service/*",
        ),
        statement("LaunchTagged", "Allow", launch, [f"{ec2}instance/*", f"{ec2}volume/*"], asked),
        statement("LaunchByOwn", "Allow", launch, [f"{ec2}launch-template/*", f"{ec2}security-group/*"], owned),
        statement(
            "LaunchWith",
            "Allow",
            launch,
            [
                f"arn:{partition}:ec2:*:*:image/*",
                f"arn:{partition}:ec2:*:*:snapshot/*",
                *(f"{ec2}{kind}/*" for kind in ("fleet", "network-interface", "spot-instances-request", "subnet")),
                f"{ec2}key-pair/{name}",
            ],
        ),
        statement("PassTheRole", "Allow", ["iam:PassRole"], f"arn:{partition}:iam::{account}:role/{name}", to_ec2),
        statement("TagWhatIsMade", "Allow", ["ec2:CreateTags"], f"{ec2}*/*", tagging),
        # By itself: the tag in the request says nothing of the disk that a snapshot is taken of.
        statement("MakeDisks", "Allow", ["ec2:CreateVolume"], f"{ec2}volume/*", asked),
    ]


def waking(account: str, partition: str, fleet_id: str) -> list[dict[str, Any]]:
    """Switching the controller in the account on and off: its minute schedule, and the rules that hand events to it."""
    name = controller_name(fleet_id)
    schedule = f"arn:{partition}:scheduler:*:{account}:schedule/default/{name}-minute"
    to_scheduler = {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
    rule = f"arn:{partition}:events:*:{account}:rule/{name}"
    return [
        statement("Schedule", "Allow", ["scheduler:GetSchedule", "scheduler:UpdateSchedule"], schedule),
        # Whoever changes a schedule hands it its role again.
        statement(
            "PassTheSchedulesRole",
            "Allow",
            ["iam:PassRole"],
            f"arn:{partition}:iam::{account}:role/{name}-schedule",
            to_scheduler,
        ),
        statement("Rules", "Allow", ["events:DescribeRule", "events:EnableRule", "events:DisableRule"], rule),
    ]


OWN_CHANGES = (
    "ec2:AttachVolume",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:CancelSpotInstanceRequests",
    "ec2:CreateSnapshot",
    "ec2:CreateVolume",
    "ec2:DeleteLaunchTemplate",
    "ec2:DeleteLaunchTemplateVersions",
    "ec2:DeleteSnapshot",
    "ec2:DeleteVolume",
    "ec2:DetachVolume",
    "ec2:GetConsoleOutput",
    "ec2:ModifyLaunchTemplate",
    "ec2:ModifyVolume",
    "ec2:RevokeSecurityGroupIngress",
    "ec2:TerminateInstances",
    "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
)
"""Only to what carries the fleet's tag."""


def _bucket_statements(root: str) -> list[dict[str, Any]]:
    looks = ["Encryption", "Lifecycle"]
    return [
        statement(
            "Bucket",
            "Allow",
            [
                "s3:ListBucket",
                "s3:ListBucketMultipartUploads",
                "s3:GetBucketLocation",
                "s3:GetBucketPublicAccessBlock",
                "s3:GetBucketTagging",
                *(f"s3:Get{one}Configuration" for one in looks),
            ],
            root,
        ),
        statement(
            "Objects",
            "Allow",
            [
                "s3:GetObject",
                "s3:PutObject",
                "s3:DeleteObject",
                "s3:AbortMultipartUpload",
                "s3:ListMultipartUploadParts",
            ],
            f"{root}/*",
        ),
    ]
