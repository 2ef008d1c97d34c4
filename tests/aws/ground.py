"""What set-up leaves in an account, made in moto in a few calls; and what can be bought there."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any

from fleet.model.cloud import Market, Offer
from fleet.model.setup import AwsRegion, AwsSetup
from fleet.providers.aws.session import aws_client

REGION = "us-east-1"
PROFILE = "fleet-test"
AMI = "ami-0123456789abcdef0"
"""One that tests/aws/amis.json knows."""
TYPES = {"c5.2xlarge": (120_000, 340_000, ()), "g4dn.xlarge": (158_000, 526_000, ("T4",))}
"""Spot price, on-demand price, accelerators."""


def make_setup(fleet_id: str, regions: Sequence[str] = (REGION,)) -> AwsSetup:
    """Role, profile, security group and launch template, by the shape that ``fleet init aws`` gives them."""
    _make_profile()
    return AwsSetup(
        fleet_id=fleet_id,
        account="123456789012",
        bucket="fleet-test",
        bucket_region=regions[0],
        instance_profile=PROFILE,
        regions={region: _make_region(fleet_id, region) for region in regions},
        made_at=1_700_000_000,
    )


def setup_once(fleet_id: str) -> AwsSetup:
    """The same, for any number who ask: what a bucket holds is one."""
    ec2 = aws_client("ec2", REGION)
    with _ONCE:
        made = ec2.describe_launch_templates(Filters=[{"Name": "launch-template-name", "Values": [f"fleet-{fleet_id}"]}])
        key = (fleet_id, *(one["LaunchTemplateId"] for one in made["LaunchTemplates"]))
        if key not in _MADE:
            setup = make_setup(fleet_id)
            _MADE[(fleet_id, setup.regions[REGION].launch_template)] = setup
            return setup
        return _MADE[key]


_ONCE = threading.Lock()
_MADE: dict[tuple[str, ...], AwsSetup] = {}


def _make_profile() -> None:
    iam = aws_client("iam", REGION)
    if any(one["InstanceProfileName"] == PROFILE for one in iam.list_instance_profiles()["InstanceProfiles"]):
        return
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(RoleName=PROFILE, AssumeRolePolicyDocument=document)
    iam.create_instance_profile(InstanceProfileName=PROFILE)
    iam.add_role_to_instance_profile(InstanceProfileName=PROFILE, RoleName=PROFILE)


def _make_region(fleet_id: str, region: str) -> AwsRegion:
    ec2 = aws_client("ec2", region)
    subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    group = ec2.create_security_group(GroupName=f"fleet-{fleet_id}", Description="fleet", VpcId=subnets[0]["VpcId"])[
        "GroupId"
    ]
    data: dict[str, Any] = {
        "IamInstanceProfile": {"Name": PROFILE},
        "InstanceInitiatedShutdownBehavior": "terminate",
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"},
        "NetworkInterfaces": [{"DeviceIndex": 0, "AssociatePublicIpAddress": True, "Groups": [group]}],
    }
    template = ec2.create_launch_template(LaunchTemplateName=f"fleet-{fleet_id}", LaunchTemplateData=data)["LaunchTemplate"]
    return AwsRegion(
        region=region,
        security_group=group,
        subnets={one["AvailabilityZone"]: one["SubnetId"] for one in subnets},
        launch_template=template["LaunchTemplateId"],
        template_version=str(template["LatestVersionNumber"]),
    )


def shelf(region: str = REGION) -> list[Offer]:
    """Two types in three zones, on spot and on demand."""
    return [offer(kind, market, zone, region=region) for kind in TYPES for market in Market for zone in ("a", "b", "c")]


def offer(kind: str = "g4dn.xlarge", market: Market = Market.SPOT, zone: str = "a", *, region: str = REGION) -> Offer:
    """One of them."""
    spot, on_demand, accelerators = TYPES[kind]
    return Offer(
        provider="aws",
        region=region,
        zone=f"{region}{zone}",
        instance_type=kind,
        market=market,
        price=spot + ord(zone) - ord("a") if market is Market.SPOT else on_demand,
        on_demand_price=on_demand,
        accelerators=accelerators,
    )
