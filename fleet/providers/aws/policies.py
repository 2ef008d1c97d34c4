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
from fleet.providers.aws.names import TAG, own_name

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
FORBIDDEN = ("journal/*", "snapshots/*", "setup/*", layout.FLEET, layout.LOCAL_HOME)

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


def _statement(
    sid: str, effect: str, actions: Sequence[str], resources: Sequence[str] | str, condition: dict[str, Any] | None = None
) -> dict[str, Any]:
    made: dict[str, Any] = {"Sid": sid, "Effect": effect, "Action": list(actions)}
    made["Resource"] = resources if isinstance(resources, str) else list(resources)
    if condition:
        made["Condition"] = condition
    return made


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trust_policy() -> dict[str, Any]:
    """Who may take the machines' role: EC2, for its instances."""
    return _policy({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})


def instance_policy(bucket: str, prefix: str = "", *, account: str, partition: str = "aws") -> dict[str, Any]:
    """What a machine may do: read its job and its run, write what a machine writes, read the fleet's secrets."""
    root = f"arn:{partition}:s3:::{bucket}"
    within = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def keys(*patterns: str) -> list[str]:
        return [f"{root}/{within}{pattern}" for pattern in patterns]

    secrets = [
        f"arn:{partition}:ssm:*:{account}:parameter/fleet/*",
        f"arn:{partition}:secretsmanager:*:{account}:secret:fleet/*",
    ]
    # Whether an absent key is "not found" or "denied" depends on this permission, and then no prefix is asked for at all.
    listing = {"StringLikeIfExists": {"s3:prefix": [f"{within}{one}*" for one in READS]}}
    of_fleet = {"kms:EncryptionContext:PARAMETER_ARN": secrets[0]}
    return _policy(
        _statement("List", "Allow", ["s3:ListBucket"], root, listing),
        _statement("Read", "Allow", ["s3:GetObject"], keys(*(f"{one}*" for one in READS))),
        _statement(
            "Write", "Allow", ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"], keys(*WRITES)
        ),
        _statement("Retain", "Allow", ["s3:DeleteObject"], keys(*REMOVES)),
        _statement("Secrets", "Allow", ["ssm:GetParameter", "ssm:GetParameters", "secretsmanager:GetSecretValue"], secrets),
        _statement("Decrypt", "Allow", ["kms:Decrypt"], f"arn:{partition}:kms:*:{account}:key/*", {"StringLike": of_fleet}),
        _statement("NeverForge", "Deny", ["s3:*"], keys(*FORBIDDEN)),
        {
            "Sid": "NeverDelete",
            "Effect": "Deny",
            "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"],
            "NotResource": keys(*REMOVES),
        },
        _statement(
            "NeverChangeTheBucket",
            "Deny",
            ["s3:DeleteBucket*", "s3:PutBucket*", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration"],
            root,
        ),
    )


def controller_policy(account: str, partition: str, bucket: str, fleet_id: str) -> dict[str, Any]:
    """What a controller may do: look, launch what carries the fleet's tag, change what carries it, and use the bucket."""
    ec2 = f"arn:{partition}:ec2:*:{account}:"
    role = f"arn:{partition}:iam::{account}:role/{own_name(fleet_id)}"
    profile = f"arn:{partition}:iam::{account}:instance-profile/{own_name(fleet_id)}"
    launch = ["ec2:RunInstances", "ec2:CreateFleet"]
    asked = {"StringEquals": {REQUEST_TAG: fleet_id}}
    owned = {"StringEquals": {RESOURCE_TAG: fleet_id}}
    making = ["RunInstances", "CreateFleet", "CreateVolume", "CreateSnapshot", "AuthorizeSecurityGroupIngress"]
    tagging = {"StringEquals": {REQUEST_TAG: fleet_id, "ec2:CreateAction": making}}
    # What is ours may get further tags, never the tag of another fleet.
    further = {"StringEquals": {RESOURCE_TAG: fleet_id}, "StringEqualsIfExists": {REQUEST_TAG: fleet_id}}
    return _policy(
        _statement("Look", "Allow", LOOKS, "*"),
        _statement(
            "LookAtTheRole", "Allow", ["iam:GetRole", "iam:GetRolePolicy", "iam:GetInstanceProfile"], [role, profile]
        ),
        _statement(
            "ImagesByName",
            "Allow",
            ["ssm:GetParameter", "ssm:GetParameters"],
            f"arn:{partition}:ssm:*::parameter/aws/service/*",
        ),
        _statement("LaunchTagged", "Allow", launch, [f"{ec2}instance/*", f"{ec2}volume/*"], asked),
        _statement("LaunchByOwn", "Allow", launch, [f"{ec2}launch-template/*", f"{ec2}security-group/*"], owned),
        _statement(
            "LaunchWith",
            "Allow",
            launch,
            [
                f"arn:{partition}:ec2:*:*:image/*",
                f"arn:{partition}:ec2:*:*:snapshot/*",
                *(f"{ec2}{kind}/*" for kind in ("fleet", "network-interface", "spot-instances-request", "subnet")),
                f"{ec2}key-pair/{own_name(fleet_id)}",
            ],
        ),
        _statement(
            "PassTheRole", "Allow", ["iam:PassRole"], role, {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
        ),
        _statement("TagWhatIsMade", "Allow", ["ec2:CreateTags"], f"{ec2}*/*", tagging),
        _statement("TagOwn", "Allow", ["ec2:CreateTags"], f"{ec2}*/*", further),
        # Each by itself: the tag in the request says nothing of the disk that a snapshot is taken of.
        _statement("MakeDisks", "Allow", ["ec2:CreateVolume"], f"{ec2}volume/*", asked),
        _statement("MakeSnapshots", "Allow", ["ec2:CreateSnapshot"], f"arn:{partition}:ec2:*::snapshot/*", asked),
        _statement(
            "RulesOfOwnGroups",
            "Allow",
            ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"],
            f"{ec2}security-group-rule/*",
        ),
        _statement("ChangeOwn", "Allow", OWN_CHANGES, [f"{ec2}*/*", f"arn:{partition}:ec2:*::snapshot/*"], owned),
        *_bucket_statements(f"arn:{partition}:s3:::{bucket}"),
    )


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
        _statement(
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
        _statement(
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
