"""What ``fleet init aws``, ``fleet destroy aws`` and ``fleet controller deploy aws`` may do: make, mend and remove what is
called ``fleet-…``."""

from __future__ import annotations

from typing import Any

from fleet.providers.aws.names import TAG

EC2_LOOKS = (
    "AvailabilityZones",
    "Images",
    "Instances",
    "KeyPairs",
    "LaunchTemplates",
    "LaunchTemplateVersions",
    "Regions",
    "RouteTables",
    "SecurityGroups",
    "Snapshots",
    "Subnets",
    "Volumes",
    "Vpcs",
)
S3_SETTINGS = ("BucketTagging", "BucketPublicAccessBlock", "EncryptionConfiguration", "LifecycleConfiguration")
LOOKS = (
    "servicequotas:Get*ServiceQuota",
    "sts:GetCallerIdentity",
    "iam:ListRoles",
    "lambda:GetAccountSettings",
    "logs:DescribeLogGroups",
    "cloudwatch:DescribeAlarms",
)
ROLE = (
    "AddRoleToInstanceProfile",
    "CreateInstanceProfile",
    "CreateRole",
    "DeleteInstanceProfile",
    "DeleteRole",
    "DeleteRolePolicy",
    "DetachRolePolicy",
    "GetInstanceProfile",
    "GetRole",
    "GetRolePolicy",
    "ListAttachedRolePolicies",
    "ListRolePolicies",
    "PutRolePolicy",
    "RemoveRoleFromInstanceProfile",
    "TagInstanceProfile",
    "TagRole",
    "UpdateAssumeRolePolicy",
)
MADE = {"security-group": "CreateSecurityGroup", "key-pair": "ImportKeyPair", "launch-template": "CreateLaunchTemplate"}
CHANGED = (
    "AuthorizeSecurityGroupEgress",
    "CreateLaunchTemplateVersion",
    "DeleteKeyPair",
    "DeleteLaunchTemplate",
    "DeleteSecurityGroup",
    "DeleteSnapshot",
    "DeleteVolume",
    "ModifyLaunchTemplate",
    "RevokeSecurityGroupIngress",
)
TAGS = ("ListTagsForResource", "TagResource")
"""As logs, rules, topics and alarms call it alike."""
CONTROLLER: dict[str, tuple[str, tuple[str, ...]]] = {
    "lambda": (
        "function:fleet-*",
        (
            "AddPermission", "CreateFunction", "DeleteFunction", "GetFunction", "GetFunctionConcurrency",
            "GetFunctionEventInvokeConfig", "GetPolicy", "PutFunctionConcurrency", "PutFunctionEventInvokeConfig",
            "RemovePermission", "TagResource", "UpdateFunctionCode", "UpdateFunctionConfiguration",
        ),
    ),
    "scheduler": ("schedule/default/fleet-*", ("CreateSchedule", "DeleteSchedule", "GetSchedule", "UpdateSchedule")),
    "events": (
        "rule/fleet-*",
        (*TAGS, "DeleteRule", "DescribeRule", "ListTargetsByRule", "PutRule", "PutTargets", "RemoveTargets"),
    ),
    "logs": ("log-group:/aws/lambda/fleet-*", (*TAGS, "CreateLogGroup", "DeleteLogGroup", "PutRetentionPolicy")),
    "sns": (
        "fleet-*",
        (*TAGS, "CreateTopic", "DeleteTopic", "GetTopicAttributes", "ListSubscriptionsByTopic", "Subscribe"),
    ),
    "cloudwatch": ("alarm:fleet-*", (*TAGS, "DeleteAlarms", "PutMetricAlarm")),
}  # fmt: skip
"""For the controller in the account: by service, on what, and which operations."""


def setup_policy(account: str, partition: str, bucket: str) -> dict[str, Any]:
    """For one account and one bucket, before there is a fleet: its id is not known yet, so every fleet's tag will do."""
    ec2, iam = f"arn:{partition}:ec2:*:{account}:", f"arn:{partition}:iam::{account}:"
    root = f"arn:{partition}:s3:::{bucket}"
    asked = {"Null": {f"aws:RequestTag/{TAG}": "false"}}
    owned = {"Null": {f"aws:ResourceTag/{TAG}": "false"}}
    making = {**asked, "StringEquals": {"ec2:CreateAction": list(MADE.values())}}
    takers = [f"{one}.amazonaws.com" for one in ("ec2", "lambda", "scheduler", "events")]
    passing = {"StringEquals": {"iam:PassedToService": takers}}
    linked = [f"{iam}role/aws-service-role/{one}.amazonaws.com/*" for one in ("spot", "ec2fleet")]
    statements: list[tuple[str, list[str], list[str], dict[str, Any]]] = [
        ("Look", [f"ec2:Describe{one}" for one in EC2_LOOKS], ["*"], {}),
        ("LookAround", list(LOOKS), ["*"], {}),
        ("ImagesByName", ["ssm:GetParameter"], [f"arn:{partition}:ssm:*::parameter/aws/service/*"], {}),
        ("Role", [f"iam:{one}" for one in ROLE], [f"{iam}role/fleet-*", f"{iam}instance-profile/fleet-*"], {}),
        ("PassTheRole", ["iam:PassRole"], [f"{iam}role/fleet-*"], passing),
        ("SpotsOwnRoles", ["iam:CreateServiceLinkedRole"], linked, {}),
        ("MakeTagged", [f"ec2:{one}" for one in MADE.values()], [f"{ec2}{kind}/*" for kind in MADE], asked),
        ("MakeInANetwork", ["ec2:CreateSecurityGroup"], [f"{ec2}vpc/*"], {}),
        ("TagWhatIsMade", ["ec2:CreateTags"], [f"{ec2}{kind}/*" for kind in MADE], making),
        ("ChangeOwn", [f"ec2:{one}" for one in CHANGED], [f"{ec2}*/*", f"arn:{partition}:ec2:*::snapshot/*"], owned),
        ("RulesOfOwnGroups", ["ec2:RevokeSecurityGroupIngress"], [f"{ec2}security-group-rule/*"], {}),
        ("Bucket", _bucket_actions(), [root], {}),
        (
            "Objects",
            ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload"],
            [f"{root}/*"],
            {},
        ),
        *(
            (
                f"Controller{number}",
                [f"{service}:{one}" for one in operations],
                [f"arn:{partition}:{service}:*:{account}:{what}"],
                {},
            )
            for number, (service, (what, operations)) in enumerate(CONTROLLER.items())
        ),
    ]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources, **({"Condition": c} if c else {})}
            for sid, actions, resources, c in statements
        ],
    }


def _bucket_actions() -> list[str]:
    return [
        *(f"s3:{verb}{one}" for verb in ("Get", "Put") for one in S3_SETTINGS),
        "s3:CreateBucket",
        "s3:DeleteBucket",
        "s3:GetBucketLocation",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
        "s3:ListBucketVersions",
    ]
