"""What EC2 does and moto 5.2 does not: why the recorder remembers tokens, and why fleet looks before it asks.

Each is an expected, strict failure: the day moto learns one, its line fails, and what stands in for it can go.
"""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from fleet.model.cloud import Market, NewVolume
from fleet.providers.aws.images import Image
from fleet.providers.aws.launch import fleet_request, instance_request
from fleet.providers.aws.session import aws_client
from tests.aws.bench import Rig
from tests.aws.ground import AMI, REGION, offer

IMAGE = Image(AMI, "x86_64", "/dev/sda1", 8)


@pytest.fixture
def ec2(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Any:
    """moto itself, nothing in between."""
    from tests.aws.standing import standing_moto

    monkeypatch.setenv("AWS_ENDPOINT_URL", standing_moto().url)
    return aws_client("ec2", REGION)


def lacks(reason: str, *how: type[BaseException]) -> pytest.MarkDecorator:
    """An expected failure, in this way and no other: a broken test must not pass for a lack of moto's."""
    return pytest.mark.xfail(strict=True, reason=f"moto: {reason}", raises=how or (AssertionError, pytest.fail.Exception))


def run(rig: Rig, ec2: Any, zone: str = "a", **changes: Any) -> dict[str, Any]:
    said = instance_request(rig.request(offer(zone=zone)), offer(zone=zone), rig.setup, IMAGE)
    machine: dict[str, Any] = ec2.run_instances(**{**said, **changes})["Instances"][0]
    return machine


def fleet(rig: Rig, ec2: Any, market: Market = Market.SPOT) -> tuple[dict[str, Any], str]:
    offers = (offer(market=market, zone="b"), offer("c5.2xlarge", market, "b"))
    asked = rig.request(*offers, volume=NewVolume(size_gb=8))
    answer = ec2.create_fleet(**fleet_request(asked, offers, rig.setup.regions[REGION], IMAGE))
    return answer, answer["Instances"][0]["InstanceIds"][0]


def disk(ec2: Any, zone: str = "us-east-1a", **changes: Any) -> str:
    return str(ec2.create_volume(AvailabilityZone=zone, Size=8, **changes)["VolumeId"])


@lacks("the same ClientToken makes two machines")
def test_a_token_is_one_machine(rig: Rig, ec2: Any) -> None:
    made = {run(rig, ec2, ClientToken="t")["InstanceId"] for _ in range(2)}
    assert len(made) == 1


@lacks("the same ClientToken with another request makes two machines")
def test_a_token_is_for_one_request(rig: Rig, ec2: Any) -> None:
    run(rig, ec2, ClientToken="t")
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        run(rig, ec2, ClientToken="t", InstanceType="c5.2xlarge")


@lacks("the same ClientToken makes two fleets")
def test_a_token_is_one_fleet(rig: Rig, ec2: Any) -> None:
    said = fleet_request(rig.request(), (offer(), offer(zone="b")), rig.setup.regions[REGION], IMAGE)
    assert len({ec2.create_fleet(**said)["FleetId"] for _ in range(2)}) == 1


@lacks("the same ClientToken makes two volumes")
def test_a_token_is_one_volume(ec2: Any) -> None:
    assert len({disk(ec2, ClientToken="t") for _ in range(2)}) == 1


@lacks("a bid far below the price launches")
def test_a_bid_below_the_price_launches_nothing(rig: Rig, ec2: Any) -> None:
    options = {"MarketType": "spot", "SpotOptions": {"MaxPrice": "0.000001"}}
    with pytest.raises(ClientError, match=r"SpotMaxPriceTooLow|InvalidParameterValue"):
        run(rig, ec2, InstanceMarketOptions=options)


@lacks("a machine is running before its launch is answered")
def test_a_machine_is_pending_at_first(rig: Rig, ec2: Any) -> None:
    made = run(rig, ec2)
    seen = ec2.describe_instances(InstanceIds=[made["InstanceId"]])["Reservations"][0]["Instances"][0]
    assert seen["State"]["Name"] == "pending"


@lacks("no spot request stands behind a spot machine of RunInstances", ValueError)
def test_a_spot_machine_has_a_tagged_spot_request(rig: Rig, ec2: Any) -> None:
    run(rig, ec2)
    (asked,) = ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
    assert {tag["Key"] for tag in asked["Tags"]} >= {"fleet", "token"}


@lacks("CreateFleet drops the disks of an override")
def test_a_fleets_machine_has_its_new_disk(rig: Rig, ec2: Any) -> None:
    _, machine = fleet(rig, ec2)
    seen = ec2.describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"][0]
    assert "/dev/sdf" in {one["DeviceName"] for one in seen["BlockDeviceMappings"]}


@lacks("CreateFleet drops the tags of volumes")
def test_a_fleets_disks_are_tagged(rig: Rig, ec2: Any) -> None:
    fleet(rig, ec2)
    assert all(one.get("Tags") for one in ec2.describe_volumes()["Volumes"])


@lacks("CreateFleet drops the template's behaviour on shutdown")
def test_a_fleets_machine_ends_when_it_shuts_down(rig: Rig, ec2: Any) -> None:
    _, machine = fleet(rig, ec2)
    told = ec2.describe_instance_attribute(InstanceId=machine, Attribute="instanceInitiatedShutdownBehavior")
    assert told["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"


@lacks("CreateFleet drops the template's metadata options")
def test_a_fleets_machine_demands_imdsv2(rig: Rig, ec2: Any) -> None:
    _, machine = fleet(rig, ec2)
    seen = ec2.describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"][0]
    assert seen["MetadataOptions"]["HttpTokens"] == "required"


@lacks("CreateFleet drops the template's instance profile")
def test_a_fleets_machine_has_its_profile(rig: Rig, ec2: Any) -> None:
    _, machine = fleet(rig, ec2)
    seen = ec2.describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"][0]
    assert "IamInstanceProfile" in seen


@lacks("an instant fleet does not say where its machine is", KeyError)
def test_a_fleet_says_where_its_machine_is(rig: Rig, ec2: Any) -> None:
    answer, _ = fleet(rig, ec2)
    assert answer["Instances"][0]["AvailabilityZone"] == "us-east-1b"


@lacks("a volume can be attached in another zone")
def test_a_volume_stays_in_its_zone(rig: Rig, ec2: Any) -> None:
    made = run(rig, ec2)
    with pytest.raises(ClientError, match=r"InvalidVolume\.ZoneMismatch"):
        ec2.attach_volume(VolumeId=disk(ec2, "us-east-1b"), InstanceId=made["InstanceId"], Device="/dev/sdf")


@lacks("a volume can be attached twice")
def test_a_volume_is_attached_once(rig: Rig, ec2: Any) -> None:
    volume, machines = disk(ec2), [run(rig, ec2)["InstanceId"] for _ in range(2)]
    ec2.attach_volume(VolumeId=volume, InstanceId=machines[0], Device="/dev/sdf")
    with pytest.raises(ClientError, match="VolumeInUse"):
        ec2.attach_volume(VolumeId=volume, InstanceId=machines[1], Device="/dev/sdf")


@lacks("a volume can be attached to what has ended")
def test_nothing_is_attached_to_what_has_ended(rig: Rig, ec2: Any) -> None:
    made = run(rig, ec2)["InstanceId"]
    ec2.terminate_instances(InstanceIds=[made])
    with pytest.raises(ClientError, match=r"IncorrectState|IncorrectInstanceState"):
        ec2.attach_volume(VolumeId=disk(ec2), InstanceId=made, Device="/dev/sdf")


@lacks("an attachment does not say whether the volume ends with the machine")
def test_an_attachment_says_whether_its_volume_ends_with_the_machine(rig: Rig, ec2: Any) -> None:
    run(rig, ec2)
    assert all("DeleteOnTermination" in one["Attachments"][0] for one in ec2.describe_volumes()["Volumes"])


@lacks("a root disk comes from no snapshot")
def test_a_root_disk_comes_from_the_images_snapshot(rig: Rig, ec2: Any) -> None:
    run(rig, ec2)
    assert all(one.get("SnapshotId") for one in ec2.describe_volumes()["Volumes"])


@lacks("an image that does not exist is launched")
def test_an_unknown_image_is_refused(rig: Rig, ec2: Any) -> None:
    with pytest.raises(ClientError, match=r"InvalidAMIID\.NotFound"):
        run(rig, ec2, ImageId="ami-00000000000000000")


@lacks("spot prices are all the same")
def test_spot_prices_differ(rig: Rig, ec2: Any) -> None:
    told = ec2.describe_spot_price_history(InstanceTypes=["g4dn.xlarge", "c5.2xlarge"], ProductDescriptions=["Linux/UNIX"])
    assert len({one["SpotPrice"] for one in told["SpotPriceHistory"]}) > 1


@lacks("the publishers' parameters are missing", ClientError)
def test_the_publishers_parameters_are_there(rig: Rig, ec2: Any) -> None:
    name = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
    assert aws_client("ssm", REGION).get_parameter(Name=name)["Parameter"]["Value"].startswith("ami-")
