"""EC2's calls as the provider needs them: one page after the other, and refusals in fleet's words."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

from fleet.model.base import Seconds
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.aws.errors import translated
from fleet.providers.aws.session import aws_client, renew_clients

PAGE = 500
EXPIRED = frozenset({"RequestExpired", "ExpiredToken", "ExpiredTokenException"})
"""EC2 says so of a session that is over, too: a new login is seen only by new clients."""
NOWHERE = frozenset(
    {
        "InvalidInstanceID.NotFound",
        "InvalidInstanceID.Malformed",
        "InvalidVolume.NotFound",
        "InvalidVolumeID.Malformed",
        "InvalidVolumeID.NotFound",
    }
)
"""Codes that say: there is no such thing."""


def ec2(region: str, operation: str, **asked: Any) -> dict[str, Any]:
    """Make one call: ``ec2("us-east-1", "TerminateInstances", InstanceIds=[…])``."""
    try:
        with translated(operation):  # a client too may want credentials that cannot be had
            method: Callable[..., dict[str, Any]] = getattr(aws_client("ec2", region), _METHODS[operation])
            return method(**asked)
    except ProviderError as error:
        if error.error_class is ErrorClass.CREDENTIALS or error.code in EXPIRED:
            renew_clients()
        raise


_METHODS = {
    "AttachVolume": "attach_volume",
    "CreateFleet": "create_fleet",
    "CreateVolume": "create_volume",
    "DeleteVolume": "delete_volume",
    "DescribeFleets": "describe_fleets",
    "DescribeInstances": "describe_instances",
    "DescribeSecurityGroupRules": "describe_security_group_rules",
    "DescribeSpotPriceHistory": "describe_spot_price_history",
    "DescribeVolumes": "describe_volumes",
    "DetachVolume": "detach_volume",
    "GetConsoleOutput": "get_console_output",
    "ModifyVolume": "modify_volume",
    "RevokeSecurityGroupIngress": "revoke_security_group_ingress",
    "RunInstances": "run_instances",
    "TerminateInstances": "terminate_instances",
}
"""Every call to EC2 that the provider makes, but for images: the controller's policy must allow them."""


def every(region: str, operation: str, what: str, **asked: Any) -> tuple[list[dict[str, Any]], Seconds]:
    """All pages of a listing, and the cloud's time."""
    found: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        answer = ec2(region, operation, MaxResults=PAGE, **asked, **token)
        found.extend(answer.get(what, []))
        if not answer.get("NextToken"):
            return found, said_at(answer)
        token = {"NextToken": answer["NextToken"]}


def instances(region: str, **asked: Any) -> tuple[list[dict[str, Any]], Seconds]:
    """Descriptions of machines, and the cloud's time."""
    found, at = every(region, "DescribeInstances", "Reservations", **asked)
    return [one for reservation in found for one in reservation["Instances"]], at


def instance(region: str, instance_id: str) -> dict[str, Any] | None:
    """One machine's description; None: EC2 knows none such, any more or yet."""
    try:
        answer = ec2(region, "DescribeInstances", InstanceIds=[instance_id])
    except ProviderError as error:
        if error.code in NOWHERE:
            return None
        raise
    return next((one for reservation in answer["Reservations"] for one in reservation["Instances"]), None)


def volume(region: str, volume_id: str) -> dict[str, Any] | None:
    """One volume's description; None: EC2 knows none such."""
    try:
        answer = ec2(region, "DescribeVolumes", VolumeIds=[volume_id])
    except ProviderError as error:
        if error.code in NOWHERE or (error.error_class is ErrorClass.INVALID and volume_id in error.message):
            return None
        raise
    return next(iter(answer["Volumes"]), None)


def tagged(**tags: str) -> list[dict[str, Any]]:
    """Filters for what has all of these tags."""
    return [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]


def said_at(answer: dict[str, Any]) -> Seconds:
    """The cloud's time, by the Date of its answer; ours, where it has none."""
    told = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return parsedate_to_datetime(told).timestamp()
    except (TypeError, ValueError):
        return time.time()
