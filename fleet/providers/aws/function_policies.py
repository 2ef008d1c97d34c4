"""Who may do what about the controller that runs as a function in the account, as IAM policies. Pure functions.

- ``function_policy``: the function itself. What a tick calls, and no more: neither SSH nor IAM, no stranger's machine, and
  it cannot write the code that machines and it itself run.
- ``schedule_policy``: the schedules call the function, and nothing else.
- ``events_policy``: rules of other regions hand events to the bus of the function's region.
"""

from __future__ import annotations

from typing import Any

from fleet.providers.aws.names import controller_name
from fleet.providers.aws.policies import RESOURCE_TAG, launching, policy_of, statement, waking

LOOKS = (
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeFleetInstances",
    "ec2:DescribeFleets",
    "ec2:DescribeImages",
    "ec2:DescribeInstances",
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:DescribeSecurityGroupRules",
    "ec2:DescribeSpotPriceHistory",
    "ec2:DescribeSubnets",
    "ec2:DescribeVolumes",
)
CHANGES = (
    "ec2:AttachVolume",
    "ec2:DeleteVolume",
    "ec2:DetachVolume",
    "ec2:GetConsoleOutput",
    "ec2:ModifyVolume",
    "ec2:RevokeSecurityGroupIngress",
    "ec2:TerminateInstances",
)
"""Only to what carries the fleet's tag. Of inbound rules it closes those that were forgotten, and opens none."""
READS = (
    "fleet.json", "local-home.json", "journal/*", "snapshots/*", "heartbeats/*", "runs/*", "agent/*", "setup/*",
    "controllers/*", "images/*", "settings/*", "notifications/*",
)  # fmt: skip
WRITES = ("journal/*", "snapshots/*", "runs/*", "controllers/*", "notifications/*")
REMOVES = ("snapshots/*", "heartbeats/*", "controllers/*", "notifications/*")


def service_trust(service: str, account: str = "") -> dict[str, Any]:
    """Who may take a role: a service of AWS's; with ``account`` only on behalf of that account's own things."""
    who: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return policy_of({**who, "Condition": {"StringEquals": {"aws:SourceAccount": account}}} if account else who)


def function_policy(account: str, partition: str, bucket: str, fleet_id: str, region: str) -> dict[str, Any]:
    """What the function may do: what a tick of the loop does. ``region``: where the function is, and its log."""
    ec2, root = f"arn:{partition}:ec2:*:{account}:", f"arn:{partition}:s3:::{bucket}"
    log = f"arn:{partition}:logs:{region}:{account}:log-group:/aws/lambda/{controller_name(fleet_id)}:*"
    owned = {"StringEquals": {RESOURCE_TAG: fleet_id}}
    return policy_of(
        statement("Look", "Allow", LOOKS, "*"),
        *launching(account, partition, fleet_id),
        statement("RulesOfOwnGroups", "Allow", ["ec2:RevokeSecurityGroupIngress"], f"{ec2}security-group-rule/*"),
        statement("ChangeOwn", "Allow", CHANGES, f"{ec2}*/*", owned),
        *waking(account, partition, fleet_id),
        # Whether an absent key is "not found" or "denied" depends on this permission.
        statement("List", "Allow", ["s3:ListBucket"], root),
        statement("Read", "Allow", ["s3:GetObject"], [f"{root}/{key}" for key in READS]),
        statement("Write", "Allow", ["s3:PutObject", "s3:AbortMultipartUpload"], [f"{root}/{key}" for key in WRITES]),
        statement("Remove", "Allow", ["s3:DeleteObject"], [f"{root}/{key}" for key in REMOVES]),
        statement("Log", "Allow", ["logs:CreateLogStream", "logs:PutLogEvents"], log),
    )


def schedule_policy(function_arn: str) -> dict[str, Any]:
    """What the schedules may do: call the function."""
    return policy_of(statement("Call", "Allow", ["lambda:InvokeFunction"], function_arn))


def events_policy(bus_arn: str) -> dict[str, Any]:
    """What rules in other regions may do: hand events on to the bus of the function's region."""
    return policy_of(statement("HandOn", "Allow", ["events:PutEvents"], bus_arn))
