"""What IAM would be asked about calls of the services that the controller in the account is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.aws.evaluator import Request

if TYPE_CHECKING:
    from tests.aws.recorded import Call

LOOKING = {"GetAccountSettings", "DescribeLogGroups", "DescribeAlarms"}
"""Asked about nothing in particular."""
PREFIXES = {"monitoring": "cloudwatch"}
"""Where IAM's word is not the one that requests are signed with."""


def controller_requests(call: Call, account: str) -> Iterator[Request]:
    """Everything that is asked about one call."""
    service, words = PREFIXES.get(call.service, call.service), call.parameters
    resource = "*" if call.operation in LOOKING else _resource(call, account)
    yield Request(f"{service}:{call.operation}", resource)
    if call.operation.startswith(("Create", "Put")) and (words.get("Tags") or words.get("tags")):
        yield Request(f"{service}:TagResource", resource)
    for role in _roles(call):
        yield Request("iam:PassRole", role, {"iam:PassedToService": f"{service}.amazonaws.com"})
    code = words.get("Code", words)
    if "S3Key" in code:
        yield Request("s3:GetObject", f"arn:aws:s3:::{code['S3Bucket']}/{code['S3Key']}")


def _roles(call: Call) -> list[str]:
    words: Any = call.parameters
    if call.service == "lambda":
        return [words["Role"]] if "Role" in words else []
    if call.service == "scheduler":
        return [words["Target"]["RoleArn"]] if "Target" in words else []
    return [one["RoleArn"] for one in words.get("Targets", ()) if "RoleArn" in one]


def _resource(call: Call, account: str) -> str:
    words = call.parameters
    told = next(
        (words[key] for key in ("ResourceARN", "resourceArn", "ResourceArn", "Resource", "TopicArn") if key in words), ""
    )
    if told:
        return str(told)
    root = f"arn:aws:{PREFIXES.get(call.service, call.service)}:{call.region}:{account}:"
    match call.service:
        case "lambda":
            return f"{root}function:{words['FunctionName']}"
        case "scheduler":
            return f"{root}schedule/default/{words['Name']}"
        case "events":
            return f"{root}rule/{words.get('Rule') or words['Name']}"
        case "logs":
            return f"{root}log-group:{words['logGroupName']}"
        case "sns":
            return f"{root}{words['Name']}"
    (name,) = words.get("AlarmNames") or [words["AlarmName"]]
    return f"{root}alarm:{name}"
