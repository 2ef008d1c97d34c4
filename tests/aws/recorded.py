"""Every call that is made through boto3, and what IAM would be asked about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3

from fleet.providers.aws.session import aws_session, forget_clients
from tests.aws.account import ACCOUNT
from tests.aws.evaluator import Request
from tests.aws.recorded_controller import controller_requests

KINDS = {
    "i": "instance", "vol": "volume", "snap": "snapshot", "sg": "security-group", "lt": "launch-template",
    "key": "key-pair", "vpc": "vpc", "subnet": "subnet", "sgr": "security-group-rule", "sir": "spot-instances-request",
}  # fmt: skip
"""By the beginning of an id."""
OWNED = {
    "AttachVolume": ("VolumeId", "InstanceId"),
    "AuthorizeSecurityGroupEgress": ("GroupId",),
    "AuthorizeSecurityGroupIngress": ("GroupId",),
    "CancelSpotInstanceRequests": ("SpotInstanceRequestIds",),
    "CreateLaunchTemplateVersion": ("LaunchTemplateId",),
    "DeleteLaunchTemplate": ("LaunchTemplateId",),
    "DeleteLaunchTemplateVersions": ("LaunchTemplateId",),
    "DeleteSecurityGroup": ("GroupId",),
    "DeleteSnapshot": ("SnapshotId",),
    "DeleteVolume": ("VolumeId",),
    "DetachVolume": ("VolumeId", "InstanceId"),
    "GetConsoleOutput": ("InstanceId",),
    "ModifyLaunchTemplate": ("LaunchTemplateId",),
    "ModifyVolume": ("VolumeId",),
    "RevokeSecurityGroupIngress": ("GroupId",),
    "TerminateInstances": ("InstanceIds",),
    "UpdateSecurityGroupRuleDescriptionsIngress": ("GroupId",),
}
"""EC2's operations on what is there, and their parameters that hold ids."""
MADE = {
    "CreateSecurityGroup": "security-group",
    "ImportKeyPair": "key-pair",
    "CreateLaunchTemplate": "launch-template",
    "CreateVolume": "volume",
    "CreateSnapshot": "snapshot",
}
S3_NAMES = {
    "HeadBucket": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
}
"""Where the permission is not called as the operation is."""
CONTROLLER_SERVICES = {"lambda", "scheduler", "events", "logs", "sns", "monitoring"}
S3_OBJECTS = {"GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload"}


@dataclass(frozen=True)
class Call:
    """One call; ``tags`` are those that things had when it was made."""

    service: str
    region: str
    operation: str
    parameters: Mapping[str, Any]
    tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def changes(self) -> bool:
        return not re.match(r"Describe|Get|List|Head", self.operation)


class Recorder:
    """Notes every call of the process's AWS session from now on. ``before`` may raise instead of the call."""

    def __init__(self, before: Callable[[Call], None] = lambda _call: None) -> None:
        self.calls: list[Call] = []
        self.before = before
        self._plain = boto3.Session()
        self._clients: dict[str, Any] = {}
        forget_clients()
        aws_session(None).events.register("provide-client-params.*.*", self._note)

    def _note(self, params: dict[str, Any], model: Any, context: Mapping[str, Any], **_: Any) -> None:
        service, region = model.service_model.signing_name, context["client_region"]
        call = Call(service, region, model.name, params)
        if service == "ec2" and (call.changes or call.operation in OWNED):
            call = Call(service, region, model.name, params, self._tags(region))
        self.calls.append(call)
        self.before(call)

    @property
    def changes(self) -> list[Call]:
        return [call for call in self.calls if call.changes]

    def _tags(self, region: str) -> dict[str, dict[str, str]]:
        """By resource, key pairs also by name, through a client that nobody records."""
        if region not in self._clients:
            self._clients[region] = self._plain.client("ec2", region_name=region)
        client, found = self._clients[region], dict[str, dict[str, str]]()
        for one in client.describe_tags()["Tags"]:
            found.setdefault(one["ResourceId"], {})[one["Key"]] = one["Value"]
        for key in client.describe_key_pairs()["KeyPairs"]:
            found[key["KeyName"]] = {one["Key"]: one["Value"] for one in key.get("Tags", ())}
        return found


def requests_of(call: Call) -> list[Request]:
    """What IAM is asked. Raises KeyError for a call that nobody thought of."""
    if call.service == "s3":
        return list(_s3(call))
    if call.service == "iam":
        return list(_iam(call))
    if (call.service == "ec2" and call.changes) or call.operation == "GetConsoleOutput":
        return list(_ec2(call))
    if call.service in CONTROLLER_SERVICES:
        return list(controller_requests(call, ACCOUNT))
    if call.service == "ssm":
        return [Request(f"ssm:{call.operation}", f"arn:aws:ssm:{call.region}::parameter{call.parameters['Name']}")]
    return [Request(f"{call.service}:{call.operation}")]


def _s3(call: Call) -> Iterator[Request]:
    bucket, words = f"arn:aws:s3:::{call.parameters['Bucket']}", call.parameters
    if call.operation == "DeleteObjects":
        for one in words["Delete"]["Objects"]:
            yield Request("s3:DeleteObject", f"{bucket}/{one['Key']}")
            if "VersionId" in one:
                yield Request("s3:DeleteObjectVersion", f"{bucket}/{one['Key']}")
    elif call.operation in S3_OBJECTS:
        yield Request(f"s3:{call.operation}", f"{bucket}/{words['Key']}")
    else:
        yield Request(f"s3:{S3_NAMES.get(call.operation, call.operation)}", bucket)


def _iam(call: Call) -> Iterator[Request]:
    words, root = call.parameters, f"arn:aws:iam::{ACCOUNT}:"
    if call.operation == "CreateServiceLinkedRole":
        service = words["AWSServiceName"]
        yield Request("iam:CreateServiceLinkedRole", f"{root}role/aws-service-role/{service}/AWSServiceRoleFor{service}")
    elif "InstanceProfileName" in words:
        yield Request(f"iam:{call.operation}", f"{root}instance-profile/{words['InstanceProfileName']}")
        if call.operation == "AddRoleToInstanceProfile":
            passed = {"iam:PassedToService": "ec2.amazonaws.com"}
            yield Request("iam:PassRole", f"{root}role/{words['RoleName']}", passed)
    else:
        resource = f"{root}role/{words['RoleName']}" if "RoleName" in words else "*"
        yield Request(f"iam:{call.operation}", resource)


def _ec2(call: Call) -> Iterator[Request]:
    words, operation = call.parameters, f"ec2:{call.operation}"
    if call.operation in OWNED:
        for name in OWNED[call.operation]:
            for one in [words[name]] if isinstance(words[name], str) else words[name]:
                yield Request(operation, arn(call, one), _resource_tags(call, one))
        if call.operation.endswith("SecurityGroupIngress"):
            yield Request(operation, f"{_root(call)}security-group-rule/*")
            yield from _tagging(call)
    elif call.operation == "DeleteKeyPair":
        yield Request(operation, f"{_root(call)}key-pair/{words['KeyName']}", _resource_tags(call, words["KeyName"]))
    elif call.operation == "CreateTags":
        for one in words["Resources"]:
            yield Request(operation, arn(call, one), {**_resource_tags(call, one), **_asked(words["Tags"])})
    elif call.operation in ("RunInstances", "CreateFleet"):
        yield from _launch(call)
    else:
        kind = MADE[call.operation]
        tags = {k: v for one in words["TagSpecifications"] for k, v in _asked(one["Tags"]).items()}
        root = _root(call) if kind != "snapshot" else f"arn:aws:ec2:{call.region}::"
        yield Request(operation, f"{root}{kind}/new", tags)
        yield from _tagging(call)
        if call.operation == "CreateSecurityGroup":
            yield Request(operation, arn(call, words["VpcId"]))
        if call.operation == "CreateSnapshot":
            yield Request(operation, arn(call, words["VolumeId"]), _resource_tags(call, words["VolumeId"]))


def _launch(call: Call) -> Iterator[Request]:
    """All that a launch is asked about. What its template says is taken from the things that there are."""
    words, operation, root = call.parameters, f"ec2:{call.operation}", _root(call)
    asked = {one["ResourceType"]: _asked(one["Tags"]) for one in words.get("TagSpecifications", ())}
    configs = words.get("LaunchTemplateConfigs", ())
    template = configs[0]["LaunchTemplateSpecification"] if configs else words.get("LaunchTemplate")
    groups = list(words.get("SecurityGroupIds", ())) + [g for n in words.get("NetworkInterfaces", ()) for g in n["Groups"]]
    if template is not None:
        identity = template["LaunchTemplateId"]
        yield Request(operation, arn(call, identity), _resource_tags(call, identity))
        groups = groups or [name for name in call.tags if name.startswith("sg-")]
    for group in groups:
        yield Request(operation, arn(call, group), _resource_tags(call, group))
    if "IamInstanceProfile" in words:
        role = f"arn:aws:iam::{ACCOUNT}:role/{words['IamInstanceProfile']['Name']}"
        yield Request("iam:PassRole", role, {"iam:PassedToService": "ec2.amazonaws.com"})
    if "KeyName" in words:
        yield Request(operation, f"{root}key-pair/{words['KeyName']}")
    yield Request(operation, f"{root}instance/new", asked.get("instance", {}))
    yield Request(operation, f"{root}volume/new", asked.get("volume", {}))
    for kind in ("network-interface", "subnet", "spot-instances-request", *(("fleet",) if configs else ())):
        yield Request(operation, f"{root}{kind}/any", asked.get(kind, {}))
    yield Request(operation, f"arn:aws:ec2:{call.region}::image/ami-1")
    yield from _tagging(call)


def _tagging(call: Call) -> Iterator[Request]:
    for one in call.parameters.get("TagSpecifications", ()):
        context = {**_asked(one["Tags"]), "ec2:CreateAction": call.operation}
        yield Request("ec2:CreateTags", f"{_root(call)}{one['ResourceType']}/new", context)


def _asked(tags: list[dict[str, str]]) -> dict[str, str]:
    return {f"aws:RequestTag/{one['Key']}": one["Value"] for one in tags}


def _resource_tags(call: Call, name: str) -> dict[str, str]:
    return {f"aws:ResourceTag/{key}": value for key, value in call.tags.get(name, {}).items()}


def _root(call: Call) -> str:
    return f"arn:aws:ec2:{call.region}:{ACCOUNT}:"


def arn(call: Call, name: str) -> str:
    """Of something by its id."""
    kind = KINDS[name.partition("-")[0]]
    return f"arn:aws:ec2:{call.region}::snapshot/{name}" if kind == "snapshot" else f"{_root(call)}{kind}/{name}"
