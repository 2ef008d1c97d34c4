"""What a set-up has in each region: the network, the security group, the key, the launch template."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from fleet import __version__
from fleet.model.base import canonical_json
from fleet.model.errors import FleetError
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.names import OPENED, TAG, tags_of
from fleet.providers.aws.network import EVERYWHERE, Network, choose
from fleet.providers.aws.setup import Blueprint
from fleet.providers.keys import PublicKey
from fleet.providers.wanted import Found

Answer = Mapping[str, Any]
INTERFACE = ("DeviceIndex", "AssociatePublicIpAddress", "DeleteOnTermination", "Groups")
METADATA = ("HttpEndpoint", "HttpTokens", "HttpPutResponseHopLimit")
UNSEEN = ("InvalidGroup.NotFound", "InvalidLaunchTemplateName.NotFoundException")
BY = f"fleet {__version__}"


def look_at_network(calls: Calls, region: str, vpcs: Collection[str], *, public_ip: bool) -> Network:
    """The one of ``vpcs`` that is in this region, else the default one. Raises FleetError if there is none."""
    found = [vpc for one in vpcs if (vpc := _vpc(calls, region, one))]
    if not found:
        default = [{"Name": "is-default", "Values": ["true"]}]
        found = calls("ec2", region, "describe_vpcs", Filters=default)["Vpcs"]
    if not found:
        raise FleetError(
            f"{region} has no default network",
            f"Name one with --vpc, or make one: aws ec2 create-default-vpc --region {region}",
        )
    vpc = found[0]
    within = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    subnets = calls.pages("ec2", region, "describe_subnets", "Subnets", Filters=within)
    tables = calls.pages("ec2", region, "describe_route_tables", "RouteTables", Filters=within)
    return choose(region, vpc, subnets, tables, public_ip=public_ip)


def _vpc(calls: Calls, region: str, vpc: str) -> dict[str, Any] | None:
    answer = calls.unless(("InvalidVpcID.NotFound", "InvalidVpcId.NotFound"), "ec2", region, "describe_vpcs", VpcIds=[vpc])
    return answer["Vpcs"][0] if answer and answer["Vpcs"] else None


def _tag(answer: Answer) -> str | None:
    return {one["Key"]: one["Value"] for one in answer.get("Tags", ())}.get(TAG)


def find_group(calls: Calls, region: str, name: str, vpc: str) -> dict[str, Any] | None:
    """The security group as EC2 tells it."""
    filters = [{"Name": "group-name", "Values": [name]}, {"Name": "vpc-id", "Values": [vpc]}]
    found = calls("ec2", region, "describe_security_groups", Filters=filters)["SecurityGroups"]
    return found[0] if found else None


def look_at_group(calls: Calls, region: str, name: str, vpc: str) -> Found | None:
    """The group: rules that fleet opened for a while are as they should be, all other inbound ones are not."""
    group = find_group(calls, region, name, vpc)
    if group is None:
        return None
    strange = ", ".join(sorted({told for told, _ in _strange(group)}))
    outbound = "open" if group.get("IpPermissionsEgress") else "closed"
    return Found(group["GroupId"], {"inbound": strange or "none", "outbound": outbound, "tag": _tag(group)})


def _strange(group: Answer) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every inbound rule that nobody of fleet's opened: in words, and as EC2 takes it back."""
    kinds = {"IpRanges": "CidrIp", "Ipv6Ranges": "CidrIpv6", "PrefixListIds": "PrefixListId", "UserIdGroupPairs": "GroupId"}
    for rule in group.get("IpPermissions", ()):
        ports = {key: rule[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in rule}
        what = "everything" if rule["IpProtocol"] == "-1" else f"{rule['IpProtocol']} {_ports(rule)}"
        for kind, key in kinds.items():
            for one in rule.get(kind, ()):
                if not str(one.get("Description", "")).startswith(OPENED):
                    yield f"{what} from {one.get(key, '?')}", {**ports, kind: [{key: one[key]}]}


def _ports(rule: Answer) -> str:
    first, last = rule.get("FromPort", 0), rule.get("ToPort", 0)
    return str(first) if first == last else f"{first}-{last}"


def create_group(calls: Calls, region: str, plan: Blueprint) -> str:
    """Make it, where it is not there; its id."""
    vpc = plan.networks[region].vpc
    answer = calls.unless(
        ("InvalidGroup.Duplicate",), "ec2", region, "create_security_group", GroupName=plan.name, VpcId=vpc,
        Description=f"Machines of the fleet {plan.fleet_id}, no inbound port",
        TagSpecifications=[{"ResourceType": "security-group", "Tags": tags_of(plan.fleet_id)}],
    )  # fmt: skip
    group = answer or find_group(calls, region, plan.name, vpc)
    assert group is not None
    return str(group["GroupId"])


def mend_group(calls: Calls, region: str, plan: Blueprint, group: str, fields: Collection[str]) -> None:
    """Set these fields."""
    if "inbound" in fields or "outbound" in fields:
        answer = calls("ec2", region, "describe_security_groups", unseen=UNSEEN, GroupIds=[group])["SecurityGroups"][0]
        strange = [rule for _, rule in _strange(answer)]
        if strange:
            calls("ec2", region, "revoke_security_group_ingress", GroupId=group, IpPermissions=strange)
        if not answer.get("IpPermissionsEgress"):
            everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": EVERYWHERE}]}]
            duplicate = ("InvalidPermission.Duplicate",)
            calls.unless(
                duplicate, "ec2", region, "authorize_security_group_egress", GroupId=group, IpPermissions=everything
            )
    if "tag" in fields:
        calls("ec2", region, "create_tags", unseen=UNSEEN, Resources=[group], Tags=tags_of(plan.fleet_id))


def look_at_key(calls: Calls, region: str, name: str) -> Found | None:
    """The imported key; None if there is none."""
    filters = [{"Name": "key-name", "Values": [name]}]
    found = calls("ec2", region, "describe_key_pairs", Filters=filters, IncludePublicKey=True)["KeyPairs"]
    if not found:
        return None
    text = " ".join(str(found[0].get("PublicKey", "")).split()[:2])
    return Found(found[0]["KeyPairId"], {"key": text, "tag": _tag(found[0])})


def import_key(calls: Calls, region: str, plan: Blueprint, key: PublicKey, *, replace: bool) -> None:
    """Put the key where a template finds it by name. Machines that run keep the one that they have."""
    if replace:
        calls("ec2", region, "delete_key_pair", KeyName=plan.name)
    tags = [{"ResourceType": "key-pair", "Tags": tags_of(plan.fleet_id)}]
    material, there = key.text.encode(), ("InvalidKeyPair.Duplicate",)
    calls.unless(
        there, "ec2", region, "import_key_pair", KeyName=plan.name, PublicKeyMaterial=material, TagSpecifications=tags
    )


def look_at_template(calls: Calls, region: str, name: str) -> Found | None:
    """The template, and what its default version holds; None if there is none."""
    filters = [{"Name": "launch-template-name", "Values": [name]}]
    found = calls("ec2", region, "describe_launch_templates", Filters=filters)["LaunchTemplates"]
    if not found:
        return None
    one = found[0]
    data = _version(calls, region, one["LaunchTemplateId"], "$Default")
    fields = {"data": data, "tag": _tag(one), "version": str(one["DefaultVersionNumber"])}
    return Found(one["LaunchTemplateId"], fields)


def _version(calls: Calls, region: str, template: str, version: str) -> dict[str, Any] | None:
    answer = calls(
        "ec2", region, "describe_launch_template_versions", LaunchTemplateId=template, Versions=[version]
    )["LaunchTemplateVersions"]  # fmt: skip
    return plain(answer[0].get("LaunchTemplateData", {})) if answer else None


def plain(data: Answer) -> dict[str, Any]:
    """A template's data without what EC2 adds: states, and defaults that nobody asked for."""
    found = {key: value for key, value in data.items() if value not in (None, [], {}, "")}
    if "MetadataOptions" in found:
        found["MetadataOptions"] = {key: found["MetadataOptions"].get(key) for key in METADATA}
    if "NetworkInterfaces" in found:
        found["NetworkInterfaces"] = [{k: v for k, v in one.items() if k in INTERFACE} for one in found["NetworkInterfaces"]]
    if "TagSpecifications" in found:  # some clouds tell the template's own tags here as well
        tags = [one for one in found["TagSpecifications"] if one["ResourceType"] != "launch-template"]
        found["TagSpecifications"] = sorted(tags, key=lambda one: str(one["ResourceType"]))
    return found


def ensure_template(calls: Calls, region: str, plan: Blueprint, data: dict[str, Any]) -> tuple[str, str]:
    """The template's id and its default version, which holds ``data``. Old versions stay, for ``fleet gc``."""
    tags = [{"ResourceType": "launch-template", "Tags": tags_of(plan.fleet_id)}]
    made = calls.unless(
        ("InvalidLaunchTemplateName.AlreadyExistsException",), "ec2", region, "create_launch_template",
        LaunchTemplateName=plan.name, LaunchTemplateData=data, TagSpecifications=tags, VersionDescription=BY,
    )  # fmt: skip
    if made is not None:
        return str(made["LaunchTemplate"]["LaunchTemplateId"]), str(made["LaunchTemplate"]["DefaultVersionNumber"])
    found = calls("ec2", region, "describe_launch_templates", unseen=UNSEEN, LaunchTemplateNames=[plan.name])
    one = found["LaunchTemplates"][0]
    template, default, latest = one["LaunchTemplateId"], one["DefaultVersionNumber"], one["LatestVersionNumber"]
    if _tag(one) != plan.fleet_id:
        calls("ec2", region, "create_tags", Resources=[template], Tags=tags_of(plan.fleet_id))
    if _version(calls, region, template, str(default)) == data:
        return template, str(default)
    if _version(calls, region, template, str(latest)) != data:
        # A set-up may break off before the new version is the default: the next one finds it, and makes no other.
        token = hashlib.sha256(canonical_json([template, latest, data])).hexdigest()
        latest = calls(
            "ec2", region, "create_launch_template_version", LaunchTemplateId=template, LaunchTemplateData=data,
            ClientToken=token, VersionDescription=BY,
        )["LaunchTemplateVersion"]["VersionNumber"]  # fmt: skip
    calls("ec2", region, "modify_launch_template", LaunchTemplateId=template, DefaultVersion=str(latest))
    return template, str(latest)
