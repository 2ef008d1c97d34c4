"""The provider against moto: what it calls, what EC2 is left with, and what only EC2 has (console, prices, many pages)."""

from __future__ import annotations

import base64
import time

import pytest

from fleet.model.cloud import ExistingVolume, InstanceState, Market, NewVolume, Offer
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.aws import calls
from fleet.providers.aws.provider import AwsProvider
from fleet.providers.aws.session import aws_client
from fleet.providers.base import Provider
from tests.aws.bench import USER_DATA, Rig
from tests.aws.ground import AMI, PROFILE, REGION, offer, shelf


def test_it_keeps_the_contract_and_says_how_ec2_is(rig: Rig) -> None:
    provider = rig.provider()
    assert isinstance(provider, Provider)
    assert (provider.name, list(provider.regions())) == ("aws", [REGION])
    able = provider.capabilities
    assert (able.notice_seconds, able.visible_within) == (120, 60)
    assert (able.billing.minimum_seconds, able.billing.free_if_interrupted_within) == (60, 3600)
    assert able.images
    assert able.console
    assert able.price_history
    assert rig.proxy.seen == [], "nothing was asked of EC2"


def test_a_launch_costs_three_calls_and_a_single_offer_two(rig: Rig) -> None:
    provider = rig.provider()
    provider.launch(rig.request())  # the image is asked about once
    rig.proxy.seen.clear()
    provider.launch(rig.request())
    assert rig.proxy.actions() == ["DescribeInstances", "CreateFleet", "DescribeInstances"]
    rig.proxy.seen.clear()
    provider.launch(rig.request(offer()))
    assert rig.proxy.actions() == ["DescribeInstances", "RunInstances"]


def test_a_listing_is_two_calls_however_much_there_is(rig: Rig) -> None:
    provider = rig.provider()
    for _ in range(4):
        provider.launch(rig.request(offer(), volume=NewVolume(size_gb=8)))
    rig.proxy.seen.clear()
    listing = provider.list(REGION)
    assert (len(listing.instances), len(listing.volumes)) == (4, 4)
    assert sorted(rig.proxy.actions()) == ["DescribeInstances", "DescribeVolumes"]  # at the same time
    assert abs(listing.at - time.time()) < 60


def test_what_does_not_fit_a_page_is_asked_for_until_all_is_there(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "PAGE", 5)
    provider = rig.provider()
    made = {provider.launch(rig.request(offer(), volume=NewVolume(size_gb=8))).instance_id for _ in range(7)}
    listing = provider.list(REGION)
    assert {one.instance_id for one in listing.instances} == made
    assert len({one.volume_id for one in listing.volumes}) == 7


def test_a_single_offer_becomes_a_machine_with_everything_that_was_said(rig: Rig) -> None:
    made = rig.provider().launch(rig.request(offer(zone="b"), volume=NewVolume(size_gb=500), disk_size_gb=60))
    (machine,) = rig.machines()
    assert machine["InstanceId"] == made.instance_id
    assert machine["InstanceLifecycle"] == "spot"
    assert machine["Placement"]["AvailabilityZone"] == "us-east-1b"
    assert machine["IamInstanceProfile"]["Arn"].endswith(PROFILE)
    assert machine["MetadataOptions"]["HttpTokens"] == "required"
    assert machine["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    groups = [group["GroupId"] for group in machine["NetworkInterfaces"][0]["Groups"]]
    assert groups == [rig.setup.regions[REGION].security_group]
    ec2 = aws_client("ec2", REGION)
    told = ec2.describe_instance_attribute(InstanceId=made.instance_id, Attribute="userData")["UserData"]["Value"]
    assert told == USER_DATA
    told = ec2.describe_instance_attribute(InstanceId=made.instance_id, Attribute="instanceInitiatedShutdownBehavior")
    assert told["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"
    disks = {one["Attachments"][0]["Device"]: one for one in rig.disks()}
    assert {name: (one["Size"], one["VolumeType"], one["Encrypted"]) for name, one in disks.items()} == {
        "/dev/sda1": (60, "gp3", True),
        "/dev/sdf": (500, "gp3", True),
    }
    assert made.volume_ids == (disks["/dev/sdf"]["VolumeId"],)
    tags = {tag["Key"]: tag["Value"] for tag in disks["/dev/sdf"]["Tags"]}
    assert tags == {"fleet": "f1", "run": "car-1"}


def test_a_fleet_gives_the_machine_its_user_data_and_its_disk(rig: Rig) -> None:
    made = rig.provider().launch(rig.request(volume=NewVolume(size_gb=8)))
    told = aws_client("ec2", REGION).describe_instance_attribute(InstanceId=made.instance_id, Attribute="userData")
    assert told["UserData"]["Value"] == USER_DATA
    (disk,) = [one for one in rig.disks() if one.get("Tags")]
    assert made.volume_ids == (disk["VolumeId"],)
    assert disk["Attachments"][0]["Device"] == "/dev/sdf"
    assert rig.provider().launch(rig.request(token="token-1", volume=NewVolume(size_gb=8))) == made
    assert len(rig.provider().list(REGION).volumes) == 1


def test_a_machine_costs_what_its_offer_costs_wherever_it_is_seen(rig: Rig) -> None:
    provider = rig.provider()
    for market in Market:
        made = provider.launch(rig.request(offer(market=market)))
        assert made.offer == offer(market=market)
        seen = provider.get(REGION, made.instance_id)
        assert seen is not None
        assert seen.offer == made.offer


def test_machines_are_listed_also_where_nobody_can_say_what_they_cost(rig: Rig) -> None:
    def nobody(region: str) -> list[object]:
        raise ProviderError(ErrorClass.TRANSIENT, "InternalError", "the price list is away")

    made = rig.provider().launch(rig.request(offer()))
    blind = AwsProvider("f1", rig.setup, rig.cache, shop=nobody)  # type: ignore[arg-type]  # it raises
    (seen,) = blind.list(REGION).instances
    assert (seen.instance_id, seen.offer.price) == (made.instance_id, 0)


def test_an_image_for_another_processor_is_refused_without_a_launch(rig: Rig) -> None:
    with pytest.raises(ProviderError, match="aarch64") as told:
        rig.provider().launch(rig.request(image_id="ami-6e6f626c100000001"))
    assert told.value.error_class is ErrorClass.UNAVAILABLE
    assert rig.machines() == []


def test_an_image_that_does_not_exist_is_invalid(rig: Rig) -> None:
    with pytest.raises(ProviderError) as told:
        rig.provider().launch(rig.request(image_id="ami-00000000000000000"))
    assert (told.value.error_class, told.value.code) == (ErrorClass.INVALID, "InvalidAMIID.NotFound")


def test_a_machine_for_a_volume_is_launched_in_its_zone(rig: Rig) -> None:
    made = rig.provider().launch(rig.request(volume=ExistingVolume(volume_id="vol-1", zone="us-east-1b")))
    assert made.offer.zone == "us-east-1b"
    assert "CreateFleet" not in rig.proxy.actions(), "one offer was left"


def test_a_machine_that_stopped_is_gone_and_says_when(rig: Rig) -> None:
    provider = rig.provider()
    made = provider.launch(rig.request(offer()))
    aws_client("ec2", REGION).stop_instances(InstanceIds=[made.instance_id])
    seen = provider.get(REGION, made.instance_id)
    assert seen is not None
    assert seen.state is InstanceState.STOPPED
    assert seen.ended_at is not None


def test_an_end_is_asked_for_once_and_not_of_what_has_ended(rig: Rig) -> None:
    provider = rig.provider()
    made = provider.launch(rig.request(offer()))
    rig.proxy.seen.clear()
    provider.terminate(REGION, made.instance_id)
    provider.terminate(REGION, made.instance_id)
    assert rig.proxy.actions() == ["DescribeInstances", "TerminateInstances", "DescribeInstances"]


def test_the_console_is_told_its_last_64_kb_and_nothing_of_what_is_unknown(rig: Rig) -> None:
    provider = rig.provider()
    made = provider.launch(rig.request(offer()))
    assert "Linux version" in provider.console(REGION, made.instance_id)
    assert provider.console(REGION, "i-00000000000000000") == ""
    long = base64.b64encode(b"first" + b"x" * 70_000 + b"last").decode()
    body = f"<GetConsoleOutputResponse><output>{long}</output></GetConsoleOutputResponse>".encode()
    rig.proxy.answer("GetConsoleOutput", body)
    told = provider.console(REGION, made.instance_id)
    assert (len(told), told.startswith("x"), told.endswith("last")) == (65_536, True, True)


def test_a_machine_on_xen_is_asked_for_its_older_console(rig: Rig) -> None:
    provider = rig.provider()
    made = provider.launch(rig.request(offer()))
    rig.proxy.error("GetConsoleOutput", "UnsupportedOperation", message="only on Nitro")
    rig.proxy.seen.clear()
    assert "Linux version" in provider.console(REGION, made.instance_id)
    assert [one.parameters.get("Latest") for one in rig.proxy.seen] == ["true", None]


def test_a_price_history_is_asked_of_the_offers_own_market(rig: Rig) -> None:
    rows = "".join(
        f"<item><availabilityZone>us-east-1a</availabilityZone><instanceType>g4dn.xlarge</instanceType>"
        f"<spotPrice>{price}</spotPrice><timestamp>2026-11-25T{hour}:00:00.000Z</timestamp></item>"
        for hour, price in (("11", "0.170000"), ("09", "0.157800"))
    )
    body = f"<Response><spotPriceHistorySet>{rows}</spotPriceHistorySet></Response>"
    rig.proxy.answer("DescribeSpotPriceHistory", body.encode())
    ten = 1_795_600_800.0  # 2026-11-25 10:00 UTC
    told = rig.provider().price_history(offer(), ten, ten + 7200)
    assert [(step.at, step.price) for step in told] == [(ten, 157_800), (ten + 3600, 170_000)]
    (asked,) = rig.proxy.seen
    assert asked.parameters["InstanceType.1"] == "g4dn.xlarge"
    assert asked.parameters["AvailabilityZone"] == "us-east-1a"
    assert asked.parameters["ProductDescription.1"] == "Linux/UNIX"
    assert asked.parameters["StartTime"] == "2026-11-25T10:00:00Z"


def test_on_demand_the_price_is_what_it_was_and_nobody_is_asked(rig: Rig) -> None:
    told = rig.provider().price_history(offer(market=Market.ON_DEMAND), 10.0, 20.0)
    assert [(step.at, step.price) for step in told] == [(10.0, 526_000)]
    assert rig.proxy.seen == []


def test_offers_are_those_of_the_regions_that_were_set_up(rig: Rig) -> None:
    assert list(rig.provider().offers()) == shelf(REGION)
    assert list(rig.provider().offers(REGION)) == shelf(REGION)


def test_a_region_that_tells_no_prices_is_passed_over_while_another_tells_some(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    here = rig.setup.regions[REGION]
    setup = rig.setup.model_copy(update={"regions": {"ap-south-1": here, REGION: here}})

    def shop(region: str) -> list[Offer]:
        if region != REGION or not answers:
            raise ProviderError(ErrorClass.TRANSIENT, "ReadTimeout", f"{region} does not answer")
        return shelf(region)

    provider, answers = AwsProvider(setup.fleet_id, setup, rig.cache, shop=shop), True
    assert list(provider.offers()) == shelf(REGION)
    assert "ap-south-1 tells no prices" in caplog.text
    with pytest.raises(ProviderError, match="ap-south-1 does not answer"):
        provider.offers("ap-south-1")
    answers = False
    with pytest.raises(ProviderError, match="ap-south-1 does not answer"):
        provider.offers()


def test_a_recorder_tells_service_action_and_resource_for_a_policy(rig: Rig) -> None:
    provider = rig.provider()
    made = provider.launch(rig.request(offer()))
    provider.terminate(REGION, made.instance_id)
    told = rig.proxy.calls()
    assert ("ec2", "DescribeImages", AMI) in told
    assert ("ec2", "TerminateInstances", made.instance_id) in told
    assert {service for service, _, _ in told} == {"ec2"}
