"""What ``fleet ami`` may do, beside the controller's policy: build images with Packer, share and remove them.

Packer's documentation of its Amazon builder lists what it calls (without an instance profile and Windows' passwords).
Where the builder's tag is certain to be there, it is asked for: nothing but a builder is stopped, changed or ended.
"""

from __future__ import annotations

from typing import Any

from fleet.providers.aws.image_calls import BUILDER

LOOKS = (
    "ec2:DescribeImageAttribute",
    "ec2:DescribeImages",
    "ec2:DescribeInstances",
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeRegions",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSnapshots",
    "ec2:DescribeSubnets",
    "ec2:DescribeTags",
    "ec2:DescribeVolumes",
    "ec2:DescribeVpcs",
)
BUILDS = (
    "ec2:AttachVolume",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:CreateImage",
    "ec2:CreateKeyPair",
    "ec2:CreateSecurityGroup",
    "ec2:CreateSnapshot",
    "ec2:CreateTags",
    "ec2:CreateVolume",
    "ec2:DeleteKeyPair",
    "ec2:DeleteSecurityGroup",
    "ec2:DeleteSnapshot",
    "ec2:DeleteVolume",
    "ec2:DeregisterImage",
    "ec2:DetachVolume",
    "ec2:ModifyImageAttribute",
    "ec2:ModifySnapshotAttribute",
    "ec2:RegisterImage",
    "ec2:RunInstances",
)
"""Things that Packer makes, and tags only afterwards: by a tag they could not be told from others."""
BUILDERS = ("ec2:ModifyInstanceAttribute", "ec2:StopInstances", "ec2:TerminateInstances")


def images_policy(account: str, partition: str) -> dict[str, Any]:
    """For one account: its images are no single fleet's."""
    owned = {"Null": {f"aws:ResourceTag/{BUILDER}": "false"}}
    statements: list[tuple[str, tuple[str, ...], str, dict[str, Any]]] = [
        ("Look", LOOKS, "*", {}),
        ("Build", BUILDS, "*", {}),
        ("EndBuilders", BUILDERS, f"arn:{partition}:ec2:*:{account}:instance/*", owned),
    ]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": of, **({"Condition": c} if c else {})}
            for sid, actions, of, c in statements
        ],
    }
