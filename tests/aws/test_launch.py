"""What a launch says to EC2, word for word, and held against botocore's own model of the API."""

from __future__ import annotations

import base64
import gzip
from typing import Any

import pytest

from fleet.model.cloud import ExistingVolume, LaunchRequest, Market, NewVolume, Offer
from fleet.model.errors import ErrorClass, ProviderError
from fleet.model.setup import AwsRegion, AwsSetup
from fleet.providers.asked import digest
from fleet.providers.aws.images import Image
from fleet.providers.aws.launch import (
    check_request,
    dollars,
    fleet_refusal,
    fleet_request,
    instance_request,
    wanted,
)
from fleet.providers.aws.vcpus import quota_of, what_to_ask_for
from tests.aws.ground import offer

USER_DATA = base64.b64encode(gzip.compress(b"#cloud-config\n{}\n", mtime=0)).decode()
TAGS = {"fleet": "f1", "run": "car-1", "attempt": "2", "try": "1", "token": "t-1", "volume": "data"}
IMAGE = Image("ami-0123456789abcdef0", "x86_64", "/dev/sda1", 8)
PLACE = AwsRegion(
    region="us-east-1",
    security_group="sg-1",
    subnets={"us-east-1a": "subnet-a"},
    launch_template="lt-1",
    template_version="3",
    key_name="fleet-key",
)
SETUP = AwsSetup(
    fleet_id="f1",
    account="1",
    bucket="b",
    bucket_region="us-east-1",
    instance_profile="fleet-profile",
    regions={"us-east-1": PLACE},
    made_at=0,
)


def request(*offers: Offer, **changes: Any) -> LaunchRequest:
    said: dict[str, Any] = {
        "token": "t-1",
        "fleet_id": "f1",
        "run_id": "car-1",
        "run_name": "car",
        "attempt": 2,
        "try_no": 1,
        "offers": offers or (offer(zone="a"), offer(zone="b")),
        "image_id": IMAGE.image_id,
        "user_data": USER_DATA,
        "tags": TAGS,
        **changes,
    }
    return LaunchRequest(**said)


def valid(operation: str, said: dict[str, Any]) -> dict[str, Any]:
    """The request, once botocore's model of the API has nothing against it (boto3 makes bytes text before that)."""
    import botocore.session
    from botocore.validate import ParamValidator

    shape = botocore.session.get_session().get_service_model("ec2").operation_model(operation).input_shape
    sent = {key: base64.b64encode(value).decode() if isinstance(value, bytes) else value for key, value in said.items()}
    report = ParamValidator().validate(sent, shape)
    assert not report.has_errors(), report.generate_report()
    return said


def as_tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


ROOT = {
    "DeviceName": "/dev/sda1",
    "Ebs": {"VolumeSize": 100, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True},
}
DATA = {
    "DeviceName": "/dev/sdf",
    "Ebs": {"VolumeSize": 500, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": False},
}


def test_several_spot_offers_are_one_instant_fleet_that_chooses_by_price_and_capacity() -> None:
    asked = request(volume=NewVolume(size_gb=500))
    said = valid("CreateFleet", fleet_request(asked, asked.offers, PLACE, IMAGE))
    assert said == {
        "Type": "instant",
        "ClientToken": "t-1",
        "TargetCapacitySpecification": {"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "spot"},
        "SpotOptions": {"AllocationStrategy": "price-capacity-optimized", "InstanceInterruptionBehavior": "terminate"},
        "LaunchTemplateConfigs": [
            {
                "LaunchTemplateSpecification": {
                    "LaunchTemplateId": "lt-1",
                    "Version": "3",
                    "LaunchTemplateSpecificationUserData": USER_DATA,
                },
                "Overrides": [
                    {
                        "InstanceType": "g4dn.xlarge",
                        "SubnetId": "subnet-a",
                        "MaxPrice": "0.526000",
                        "ImageId": "ami-0123456789abcdef0",
                        "BlockDeviceMappings": [ROOT, DATA],
                    },
                    {
                        "InstanceType": "g4dn.xlarge",
                        "AvailabilityZone": "us-east-1b",
                        "MaxPrice": "0.526000",
                        "ImageId": "ami-0123456789abcdef0",
                        "BlockDeviceMappings": [ROOT, DATA],
                    },
                ],
            }
        ],
        "TagSpecifications": [
            {"ResourceType": "fleet", "Tags": as_tags({"fleet": "f1"})},
            {"ResourceType": "instance", "Tags": as_tags({**TAGS, "request": digest(asked)})},
            {"ResourceType": "volume", "Tags": as_tags({"fleet": "f1", "run": "car-1", "volume": "data"})},
        ],
    }


def test_on_demand_offers_are_taken_in_the_plans_order() -> None:
    asked = request(offer(market=Market.ON_DEMAND), offer("c5.2xlarge", Market.ON_DEMAND))
    said = valid("CreateFleet", fleet_request(asked, asked.offers, PLACE, IMAGE))
    assert said["OnDemandOptions"] == {"AllocationStrategy": "prioritized"}
    assert "SpotOptions" not in said
    assert said["TargetCapacitySpecification"]["DefaultTargetCapacityType"] == "on-demand"
    overrides = said["LaunchTemplateConfigs"][0]["Overrides"]
    assert [(one["InstanceType"], one["Priority"]) for one in overrides] == [("g4dn.xlarge", 0.0), ("c5.2xlarge", 1.0)]
    assert not any("MaxPrice" in one for one in overrides)


def test_a_single_offer_says_everything_itself() -> None:
    asked = request(offer(zone="a"), volume=NewVolume(size_gb=500), max_price=300_000)
    said = valid("RunInstances", instance_request(asked, asked.offers[0], SETUP, IMAGE))
    tags = as_tags({**TAGS, "request": digest(asked)})
    assert said == {
        "ClientToken": "t-1",
        "MinCount": 1,
        "MaxCount": 1,
        "ImageId": "ami-0123456789abcdef0",
        "InstanceType": "g4dn.xlarge",
        "UserData": base64.b64decode(USER_DATA),
        "BlockDeviceMappings": [ROOT, DATA],
        "IamInstanceProfile": {"Name": "fleet-profile"},
        "InstanceInitiatedShutdownBehavior": "terminate",
        "MetadataOptions": {"HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "InstanceMarketOptions": {
            "MarketType": "spot",
            "SpotOptions": {
                "SpotInstanceType": "one-time",
                "InstanceInterruptionBehavior": "terminate",
                "MaxPrice": "0.300000",
            },
        },
        "KeyName": "fleet-key",
        "NetworkInterfaces": [
            {
                "DeviceIndex": 0,
                "SubnetId": "subnet-a",
                "AssociatePublicIpAddress": True,
                "Groups": ["sg-1"],
                "DeleteOnTermination": True,
            }
        ],
        "TagSpecifications": [
            {"ResourceType": "instance", "Tags": tags},
            {"ResourceType": "volume", "Tags": as_tags({"fleet": "f1", "run": "car-1", "volume": "data"})},
            {"ResourceType": "spot-instances-request", "Tags": tags},
        ],
    }


def test_a_single_on_demand_offer_asks_for_no_spot_machine() -> None:
    asked = request(offer(market=Market.ON_DEMAND, zone="b"))
    said = valid("RunInstances", instance_request(asked, asked.offers[0], SETUP, IMAGE))
    assert "InstanceMarketOptions" not in said
    assert [one["ResourceType"] for one in said["TagSpecifications"]] == ["instance", "volume"]
    assert said["Placement"] == {"AvailabilityZone": "us-east-1b"}, "no subnet is known there: the default network's"
    assert said["SecurityGroupIds"] == ["sg-1"]


def test_each_of_several_offers_has_a_token_of_its_own_that_does_not_change() -> None:
    asked = request()
    first, second = (instance_request(asked, one, SETUP, IMAGE, alone=False)["ClientToken"] for one in asked.offers)
    assert len({first, second, asked.token}) == 3
    assert len(first) <= 64
    assert first == instance_request(asked, asked.offers[0], SETUP, IMAGE, alone=False)["ClientToken"]


@pytest.mark.parametrize(("asked", "least", "size"), [(None, 8, 100), (30, 8, 30), (30, 75, 75), (None, 120, 120)])
def test_the_root_disk_is_of_the_asked_size_but_never_smaller_than_the_image(
    asked: int | None, least: int, size: int
) -> None:
    image = Image("ami-0123456789abcdef0", "x86_64", "/dev/xvda", least)
    said = instance_request(request(disk_size_gb=asked), offer(), SETUP, image)["BlockDeviceMappings"]
    assert [(one["DeviceName"], one["Ebs"]["VolumeSize"]) for one in said] == [("/dev/xvda", size)]


def test_without_a_bid_each_offer_may_cost_what_it_costs_on_demand() -> None:
    asked = request(offer(), offer("c5.2xlarge"))
    overrides = fleet_request(asked, asked.offers, PLACE, IMAGE)["LaunchTemplateConfigs"][0]["Overrides"]
    assert [one["MaxPrice"] for one in overrides] == ["0.526000", "0.340000"]


def test_prices_are_written_without_rounding() -> None:
    assert [dollars(price) for price in (1, 526_000, 12_345_678)] == ["0.000001", "0.526000", "12.345678"]


def test_what_is_frozen_gives_the_same_bytes_and_what_differs_another_digest() -> None:
    asked = request()
    assert fleet_request(asked, asked.offers, PLACE, IMAGE) == fleet_request(request(), asked.offers, PLACE, IMAGE)
    others = [
        request(user_data=base64.b64encode(b"#!/bin/sh").decode()),
        request(offer(zone="a")),
        request(max_price=1),
        request(volume=NewVolume(size_gb=1)),
        request(image_id="ami-0"),
        request(disk_size_gb=1),
    ]
    assert len({digest(one) for one in [asked, *others]}) == len(others) + 1
    assert digest(asked) == digest(request(offer(zone="a").model_copy(update={"price": 1}), offer(zone="b"))), "prices move"


def test_offers_above_the_bid_and_outside_the_volumes_zone_are_not_asked_for() -> None:
    dear, cheap = offer(zone="a"), offer("c5.2xlarge", zone="b")
    assert wanted(request(dear, cheap, max_price=130_000)) == (cheap,)
    disk = ExistingVolume(volume_id="vol-1", zone="us-east-1a")
    assert wanted(request(dear, cheap, volume=disk)) == (dear,)


def refused_beforehand(asked: LaunchRequest) -> None:
    check_request(asked, SETUP)
    wanted(asked)


@pytest.mark.parametrize(
    ("changes", "error_class"),
    [
        ({"offers": ()}, ErrorClass.INVALID),
        ({"offers": (offer(), offer(market=Market.ON_DEMAND))}, ErrorClass.INVALID),
        ({"offers": (offer(), offer(region="eu-west-1"))}, ErrorClass.INVALID),
        ({"offers": (offer(region="eu-west-1"),)}, ErrorClass.INVALID),
        ({"offers": (offer().model_copy(update={"provider": "sim"}),)}, ErrorClass.INVALID),
        ({"token": "x" * 65, "tags": {**TAGS, "token": "x" * 65}}, ErrorClass.INVALID),
        ({"token": "ä", "tags": {**TAGS, "token": "ä"}}, ErrorClass.INVALID),
        ({"user_data": base64.b64encode(b"x" * 16_385).decode()}, ErrorClass.INVALID),
        ({"tags": {**TAGS, "fleet": "another"}}, ErrorClass.INVALID),
        ({"tags": {key: value for key, value in TAGS.items() if key != "attempt"}}, ErrorClass.INVALID),
        ({"max_price": 1}, ErrorClass.PRICE),
        ({"volume": ExistingVolume(volume_id="vol-1", zone="us-east-1f")}, ErrorClass.INVALID),
    ],
)
def test_what_cannot_be_launched_is_refused_without_a_call(changes: dict[str, Any], error_class: ErrorClass) -> None:
    asked = request().model_copy(update=changes)
    with pytest.raises(ProviderError) as told:
        refused_beforehand(asked)
    assert told.value.error_class is error_class


def test_user_data_of_exactly_the_limit_is_taken() -> None:
    assert check_request(request(user_data=base64.b64encode(b"x" * 16_384).decode()), SETUP) is PLACE


def empty(*codes: str) -> dict[str, Any]:
    override = {"InstanceType": "g4dn.xlarge", "AvailabilityZone": "us-east-1a"}
    where = {"LaunchTemplateAndOverrides": {"Overrides": override}, "ErrorMessage": "no"}
    return {"Instances": [], "Errors": [{"ErrorCode": code, **where} for code in codes]}


@pytest.mark.parametrize(
    ("codes", "code", "error_class"),
    [
        (("Unsupported", "InsufficientInstanceCapacity"), "InsufficientInstanceCapacity", ErrorClass.CAPACITY),
        (("MaxSpotInstanceCountExceeded", "SpotMaxPriceTooLow"), "SpotMaxPriceTooLow", ErrorClass.PRICE),
        (("Unsupported", "MaxSpotInstanceCountExceeded"), "MaxSpotInstanceCountExceeded", ErrorClass.QUOTA),
        (("UnauthorizedOperation", "Unsupported"), "Unsupported", ErrorClass.UNAVAILABLE),
        (("UnauthorizedOperation",), "UnauthorizedOperation", ErrorClass.DENIED),
        (("InvalidParameterValue",), "InvalidParameterValue", ErrorClass.INVALID),
        (("NeverHeardOf",), "NeverHeardOf", ErrorClass.UNKNOWN),
        (("InternalError",), "InternalError", ErrorClass.CAPACITY),
        (("RequestLimitExceeded",), "RequestLimitExceeded", ErrorClass.CAPACITY),
        ((), "UnfulfillableCapacity", ErrorClass.CAPACITY),
    ],
)
def test_an_empty_fleet_is_the_most_hopeful_of_its_refusals(
    codes: tuple[str, ...], code: str, error_class: ErrorClass
) -> None:
    told = fleet_refusal(empty(*codes))
    assert (told.code, told.error_class) == (code, error_class)
    if codes:
        assert "g4dn.xlarge in us-east-1a" in told.message


def test_a_refusal_by_quota_names_the_quota() -> None:
    kinds = {"g4dn.xlarge": "L-3819A6DF", "g3s.xlarge": "L-3819A6DF", "p2.xlarge": "L-7212CCBC", "c5.2xlarge": "L-34B43A08"}
    for kind, code in kinds.items():
        quota = quota_of(kind, Market.SPOT)
        assert quota is not None
        assert quota.code == code
        assert f"--quota-code {code} --region us-east-1" in what_to_ask_for("us-east-1", kind, Market.SPOT)
    assert quota_of("trn1.2xlarge", Market.SPOT) is None
    assert "trn1" in what_to_ask_for("us-east-1", "trn1.2xlarge", Market.SPOT)
