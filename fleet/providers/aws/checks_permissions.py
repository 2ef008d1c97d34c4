"""What the caller may do: asked of EC2 itself where a dry run tells it, else of IAM's simulation of policies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.aws.checks import Look
from fleet.providers.looked import Check, Checked, briefly

Verdict = Literal["allowed", "denied", "untold"]
POLICY = "`fleet policy aws` prints what the controller must be allowed to do."
INSTANCE, VOLUME = "i-0123456789abcdef0", "vol-0123456789abcdef0"
"""Nobody's: whether a call for them would be allowed can be asked without there being any."""
ANY_IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
"""A public image that every region has."""

NO_MORE_NEEDED: dict[str, dict[str, Any]] = {
    "DescribeInstances": {},
    "DescribeVolumes": {},
    "DescribeSpotPriceHistory": {"InstanceTypes": ["c5.large"], "MaxResults": 5},
    "DescribeInstanceTypes": {"InstanceTypes": ["c5.large"]},
    "DescribeInstanceTypeOfferings": {"Filters": [{"Name": "instance-type", "Values": ["c5.large"]}]},
    "DescribeImages": {"Owners": ["self"]},
    "GetConsoleOutput": {"InstanceId": INSTANCE},
    "TerminateInstances": {"InstanceIds": [INSTANCE]},
    "AttachVolume": {"VolumeId": VOLUME, "InstanceId": INSTANCE, "Device": "/dev/sdf"},
    "DetachVolume": {"VolumeId": VOLUME},
    "DeleteVolume": {"VolumeId": VOLUME},
}
"""Calls that can be asked about whatever the account holds."""

NOBODYS = tuple(
    f"ec2:{action}" for action, words in NO_MORE_NEEDED.items() if {"InstanceId", "InstanceIds", "VolumeId"} & set(words)
)
"""Of what does not exist EC2 knows no tags: whoever may change only what carries the fleet's tag is denied these."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Permissions that hang on the same resources and conditions."""

    actions: tuple[str, ...]
    resources: tuple[str, ...] = ("*",)
    context: dict[str, str] = field(default_factory=dict)
    needed: bool = True
    """Else fleet works without, and something less well."""


def of(look: Look, region: str) -> list[tuple[str, Check]]:
    """One check for a region: the answers of both ways are laid together."""
    return [("permission", lambda: permissions(look, region))]


def permissions(look: Look, region: str) -> list[Checked]:
    """Those that are there in one line, each that is not in one of its own."""
    if look.caller.endswith(":root"):
        told = "you are the account's root, who may do everything: a leak of its keys would cost the account"
        return [Checked("permission", "note", told, "Make a user or role for fleet: " + POLICY)]
    wanted = wishes(look, region)
    dry = _dry_runs(look, region)
    simulated, why = _simulated(look, wanted)
    needed = {action: one.needed for one in wanted for action in one.actions}
    needed |= dict.fromkeys(dry, True)
    dry |= {action: "untold" for action in NOBODYS if dry.get(action) == "denied"}
    verdicts = {action: decide(dry.get(action, "untold"), simulated.get(action, "untold")) for action in needed}
    return judge_permissions(region, verdicts, needed, why)


def decide(dry: Verdict, simulated: Verdict) -> Verdict:
    """What EC2 itself says counts: the simulation knows nothing of an organisation's limits."""
    return dry if dry != "untold" else simulated


def judge_permissions(region: str, verdicts: dict[str, Verdict], needed: dict[str, bool], why: str) -> list[Checked]:
    """``why``: what kept the simulation from telling; empty: it told."""
    there = [action for action, one in verdicts.items() if one == "allowed"]
    found = [Checked("permission", "good", f"{region}: {', '.join(there)}")] if there else []
    for action, verdict in verdicts.items():
        if verdict == "denied":
            state: Literal["bad", "note"] = "bad" if needed[action] else "note"
            found.append(Checked("permission", state, f"{region}: {action} is denied", POLICY))
    untold = [action for action, one in verdicts.items() if one == "untold"]
    if untold:
        because = f" ({why})" if why else ""
        found.append(Checked("permission", "note", f"{region}: cannot be told of {', '.join(untold)}{because}", POLICY))
    return found


def wishes(look: Look, region: str) -> list[Asked]:
    """Everything that the controller calls, by what it calls it for."""
    fleet_id = look.setup.fleet_id if look.setup is not None else ""
    ec2 = f"arn:{look.partition}:ec2:{region}:{look.account}"
    own = {"aws:ResourceTag/fleet": fleet_id}
    pair = (f"{ec2}:instance/{INSTANCE}", f"{ec2}:volume/{VOLUME}")
    found = [
        Asked(tuple(f"ec2:{action}" for action in NO_MORE_NEEDED if action.startswith("Describe"))),
        Asked(("ec2:TerminateInstances", "ec2:GetConsoleOutput"), pair[:1], own),
        Asked(("ec2:AttachVolume", "ec2:DetachVolume"), pair, own),
        Asked(("ec2:DeleteVolume",), pair[1:], own),
        Asked(("ec2:ModifyVolume",), pair[1:], own, needed=False),
        Asked(("servicequotas:GetServiceQuota", "pricing:GetProducts"), needed=False),
        Asked(("ssm:GetParameter",), (f"arn:{look.partition}:ssm:{region}::parameter{ANY_IMAGE}",), needed=False),
    ]
    if look.setup is not None and region in look.setup.regions:
        group = look.setup.regions[region].security_group
        door = tuple(
            f"ec2:{action}"
            for action in (
                "AuthorizeSecurityGroupIngress",
                "RevokeSecurityGroupIngress",
                "UpdateSecurityGroupRuleDescriptionsIngress",
            )
        )
        found.append(Asked(door, (f"{ec2}:security-group/{group}",), own, needed=False))
        role = f"arn:{look.partition}:iam::{look.account}:role/{look.setup.instance_profile}"
        found.append(Asked(("iam:PassRole",), (role,), {"iam:PassedToService": "ec2.amazonaws.com"}))
    return found


def _dry_runs(look: Look, region: str) -> dict[str, Verdict]:
    """What EC2 tells by itself: the launching calls as they would be made, and a disk."""
    from botocore import xform_name

    here = look.setup.regions.get(region) if look.setup is not None else None
    fleet_id = look.setup.fleet_id if look.setup is not None else "none"
    tags = [{"Key": "fleet", "Value": fleet_id}, {"Key": "run", "Value": "doctor"}]
    found: dict[str, Verdict] = {}

    def tagged(*kinds: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": tags} for kind in kinds]

    def dry(action: str, operation: str, **words: Any) -> None:
        found[action] = _dry(look, region, operation, words)

    words = {"AvailabilityZone": _zone(look, region), "Size": 1, "VolumeType": "gp3", "Encrypted": True}
    dry("ec2:CreateVolume", "create_volume", **words, TagSpecifications=tagged("volume"))
    for action, more in NO_MORE_NEEDED.items():
        dry(f"ec2:{action}", xform_name(action), **more)
    if here is not None:
        template = {"LaunchTemplateId": here.launch_template, "Version": here.template_version}
        image = _image(look, region)
        override: dict[str, Any] = {"InstanceType": "c5.large", "ImageId": image}
        if here.subnets:
            override["SubnetId"] = sorted(here.subnets.items())[0][1]
        dry(
            "ec2:CreateFleet",
            "create_fleet",
            Type="instant",
            LaunchTemplateConfigs=[{"LaunchTemplateSpecification": template, "Overrides": [override]}],
            TargetCapacitySpecification={"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "spot"},
            TagSpecifications=tagged("instance", "volume"),
        )
        dry(
            "ec2:RunInstances",
            "run_instances",
            MinCount=1,
            MaxCount=1,
            LaunchTemplate=template,
            InstanceMarketOptions={"MarketType": "spot"},
            TagSpecifications=tagged("instance", "volume"),
            **override,
        )
    return found


def _zone(look: Look, region: str) -> str:
    try:
        return str(look.call("ec2", region, "describe_availability_zones")["AvailabilityZones"][0]["ZoneName"])
    except (ProviderError, IndexError):
        return f"{region}a"


def _image(look: Look, region: str) -> str:
    """Any that there is: a dry run wants one, and starts nothing of it."""
    try:
        return str(look.call("ssm", region, "get_parameter", Name=ANY_IMAGE)["Parameter"]["Value"])
    except ProviderError:
        return "ami-0123456789abcdef0"


def _dry(look: Look, region: str, operation: str, words: dict[str, Any]) -> Verdict:
    try:
        look.call("ec2", region, operation, DryRun=True, **words)
    except ProviderError as error:
        return verdict_of(error)
    return "allowed"  # answered in earnest: a look-alike that knows no dry runs of calls that only look


def verdict_of(error: ProviderError) -> Verdict:
    """``DryRunOperation`` is a yes. Another refusal than for permission came before permission was looked at."""
    if error.code == "DryRunOperation":
        return "allowed"
    return "denied" if error.code in ("UnauthorizedOperation", "AccessDenied") else "untold"


def _simulated(look: Look, wanted: Sequence[Asked]) -> tuple[dict[str, Verdict], str]:
    """IAM's word for each action, and why there is none, if so."""
    found: dict[str, Verdict] = {}
    try:
        source = _principal(look)
        for one in wanted:
            context = [
                {"ContextKeyName": name, "ContextKeyValues": [value], "ContextKeyType": "string"}
                for name, value in one.context.items()
            ]
            answer = look.call(
                "iam",
                look.region,
                "simulate_principal_policy",
                PolicySourceArn=source,
                ActionNames=list(one.actions),
                ResourceArns=list(one.resources),
                ContextEntries=context,
            )
            for result in answer["EvaluationResults"]:
                said: Verdict = "allowed" if result["EvalDecision"] == "allowed" else "denied"
                action = result["EvalActionName"]
                found[action] = said if found.get(action) != "denied" else "denied"
    except ProviderError as error:
        if error.error_class is ErrorClass.DENIED:
            return found, "iam:SimulatePrincipalPolicy is not allowed"
        return found, briefly(error.message)
    return found, ""


def _principal(look: Look) -> str:
    """Whose policies hold: those of a user, or of the role that was assumed, whose path only IAM knows."""
    _, _, name = look.caller.rpartition(":")
    if not name.startswith("assumed-role/"):
        return look.caller
    role = name.split("/")[1]
    try:
        return str(look.call("iam", look.region, "get_role", RoleName=role)["Role"]["Arn"])
    except ProviderError:
        return f"arn:{look.partition}:iam::{look.account}:role/{role}"
