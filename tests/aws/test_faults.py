"""What goes wrong between fleet and EC2: every refusal has its class, and nothing is ever launched twice."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable

import pytest
from botocore.exceptions import ParamValidationError

from fleet.model.cloud import InstanceState, LaunchRequest, NewVolume, VolumeState
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.aws import session
from fleet.providers.aws.provider import AwsProvider
from fleet.providers.aws.session import aws_client
from fleet.providers.base import Provider
from fleet.providers.wrap.retry import AGAIN
from tests.aws.bench import Rig
from tests.aws.ground import AMI, REGION, offer, shelf
from tests.aws.test_launch import empty

CODES = {
    "InsufficientInstanceCapacity": ErrorClass.CAPACITY,
    "UnfulfillableCapacity": ErrorClass.CAPACITY,
    "InsufficientFreeAddressesInSubnet": ErrorClass.CAPACITY,
    "IdempotentInstanceTerminated": ErrorClass.CAPACITY,
    "Unsupported": ErrorClass.UNAVAILABLE,
    "SpotMaxPriceTooLow": ErrorClass.PRICE,
    "MaxSpotInstanceCountExceeded": ErrorClass.QUOTA,
    "VcpuLimitExceeded": ErrorClass.QUOTA,
    "VolumeLimitExceeded": ErrorClass.QUOTA,
    "RequestLimitExceeded": ErrorClass.THROTTLED,
    "InternalError": ErrorClass.TRANSIENT,
    "Unavailable": ErrorClass.TRANSIENT,
    "RequestExpired": ErrorClass.TRANSIENT,
    "PendingVerification": ErrorClass.NOT_YET,
    "ExpiredToken": ErrorClass.CREDENTIALS,
    "AuthFailure": ErrorClass.CREDENTIALS,
    "UnauthorizedOperation": ErrorClass.DENIED,
    "OptInRequired": ErrorClass.DENIED,
    "InvalidUserData.Malformed": ErrorClass.INVALID,
    "IdempotentParameterMismatch": ErrorClass.INVALID,
    "MissingParameter": ErrorClass.INVALID,
    "NeverHeardOf": ErrorClass.UNKNOWN,
}
EMPTY = b"<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>"
"""A listing that lags: what was just made is not in it."""


def refused(call: Callable[[], object]) -> ProviderError:
    with pytest.raises(ProviderError) as told:
        call()
    return told.value


ALONE = pytest.mark.parametrize("alone", [True, False], ids=["RunInstances", "CreateFleet"])


@ALONE
def test_every_refusal_of_a_launch_has_its_class_and_leaves_nothing(rig: Rig, *, alone: bool) -> None:
    provider = rig.wrapped()
    for code, means in CODES.items():
        rig.proxy.forget()
        rig.proxy.error("RunInstances|CreateFleet", code, times=100)
        told = refused(lambda: provider.launch(rig.request(*([offer()] if alone else []))))
        assert (told.code, told.error_class) == (code, means)
        tried = [one for one in rig.proxy.actions() if one in ("RunInstances", "CreateFleet")]
        without_fleets = code == "UnauthorizedOperation" and not alone  # what lacks is then a permission for both
        assert len(tried) == (4 if means in AGAIN else 2 if without_fleets else 1), code
    assert rig.machines() == []


def test_every_refusal_of_a_single_offer_within_a_fleet_is_told_with_the_offer(rig: Rig) -> None:
    provider = rig.wrapped()
    for code, means in CODES.items():
        rig.proxy.answer("CreateFleet", fleet_without(code))
        told = refused(lambda: provider.launch(rig.request()))
        ended = means in (ErrorClass.TRANSIENT, ErrorClass.THROTTLED, ErrorClass.NOT_YET)
        assert (told.code, told.error_class) == (code, ErrorClass.CAPACITY if ended else means)
        assert "g4dn.xlarge in us-east-1a" in told.message


def test_a_refusal_by_quota_says_in_the_message_what_to_ask_for(rig: Rig) -> None:
    rig.proxy.error("RunInstances", "MaxSpotInstanceCountExceeded")
    told = refused(lambda: rig.wrapped().launch(rig.request(offer())))
    assert "L-3819A6DF" in told.message
    assert "--region us-east-1" in told.message


def fleet_without(*codes: str) -> bytes:
    items = "".join(
        f"<item><errorCode>{one['ErrorCode']}</errorCode><errorMessage>no</errorMessage><launchTemplateAndOverrides><overrides>"
        "<instanceType>g4dn.xlarge</instanceType><availabilityZone>us-east-1a</availabilityZone>"
        "</overrides></launchTemplateAndOverrides></item>"
        for one in empty(*codes)["Errors"]
    )
    return f"<Response><fleetId>fleet-1</fleetId><errorSet>{items}</errorSet><fleetInstanceSet/></Response>".encode()


READS: dict[str, Callable[[Provider, str, str], object]] = {
    "DescribeInstances": lambda provider, machine, _disk: provider.get(REGION, machine),
    "DescribeVolumes": lambda provider, _machine, _disk: provider.list(REGION),
    "GetConsoleOutput": lambda provider, machine, _disk: provider.console(REGION, machine),
    "DescribeSpotPriceHistory": lambda provider, _machine, _disk: provider.price_history(offer(), 0.0, 1.0),
    "TerminateInstances": lambda provider, machine, _disk: provider.terminate(REGION, machine),
    "DetachVolume": lambda provider, machine, disk: provider.detach(REGION, disk, machine),
}


def test_every_call_tells_its_refusals_in_classes(rig: Rig) -> None:
    provider = rig.wrapped()
    made = provider.launch(rig.request(offer(), volume=NewVolume(size_gb=8)))
    disk = provider.list(REGION).volumes[0].volume_id
    codes = ("RequestLimitExceeded", "InternalError", "ExpiredToken", "UnauthorizedOperation", "NeverHeardOf")
    for (action, call), code in itertools.product(READS.items(), codes):
        rig.proxy.troubles.clear()
        rig.proxy.error(action, code, times=100)
        told = refused(lambda call=call: call(provider, made.instance_id, disk))  # type: ignore[misc]  # bound now
        assert (told.code, told.error_class) == (code, CODES[code]), action


def test_what_speaks_no_xml_is_transient_and_asked_again(rig: Rig) -> None:
    for status in (500, 502, 503, 504):
        rig.proxy.error("CreateFleet", "", status=status, times=3)
        rig.wrapped().launch(rig.request())
        rig.proxy.error("DescribeInstances", "", status=status, times=4)
        assert refused(lambda: rig.wrapped().list(REGION)).error_class is ErrorClass.TRANSIENT
    assert len(rig.machines()) == 4


def test_throttling_is_waited_out(rig: Rig) -> None:
    rig.proxy.error("CreateFleet", "RequestLimitExceeded", status=503, times=3)
    rig.wrapped().launch(rig.request())
    assert len(rig.machines()) == 1


def test_without_anybody_listening_it_is_transient(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert refused(lambda: rig.wrapped().list(REGION)).error_class is ErrorClass.TRANSIENT


def test_without_credentials_the_user_is_told_the_command(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    session.forget_clients()
    told = refused(lambda: rig.wrapped().list(REGION))
    session.forget_clients()
    assert told.error_class is ErrorClass.CREDENTIALS
    assert "aws configure" in told.hint


def same_machine_twice(rig: Rig, request: LaunchRequest) -> str:
    """Launch, and launch again by another controller: one machine, and it is told both times."""
    made = rig.wrapped().launch(request)
    assert rig.wrapped().launch(request).instance_id == made.instance_id
    assert [one["InstanceId"] for one in rig.machines()] == [made.instance_id]
    return made.instance_id


@ALONE
@pytest.mark.parametrize("times", [1, 3])
def test_a_lost_answer_launches_nothing_twice(rig: Rig, times: int, *, alone: bool) -> None:
    rig.proxy.lost("RunInstances|CreateFleet", times)
    same_machine_twice(rig, rig.request(*([offer()] if alone else [])))


@ALONE
def test_a_lost_answer_launches_nothing_twice_although_listings_lag(rig: Rig, *, alone: bool) -> None:
    request = rig.request(*([offer()] if alone else []), volume=NewVolume(size_gb=8))
    rig.proxy.lost("RunInstances|CreateFleet", 2)
    rig.proxy.answer("DescribeInstances", EMPTY, times=3)
    made = rig.wrapped().launch(request)
    assert [one["InstanceId"] for one in rig.machines()] == [made.instance_id]
    sent = [one for one in rig.proxy.seen if one.action in ("RunInstances", "CreateFleet")]
    assert len(sent) == 3
    assert len({tuple(sorted(one.parameters.items())) for one in sent}) == 1, "the very same bytes"


@ALONE
def test_a_slow_answer_launches_nothing_twice(rig: Rig, monkeypatch: pytest.MonkeyPatch, *, alone: bool) -> None:
    monkeypatch.setattr(session, "READ_SECONDS", 1)
    session.forget_clients()
    rig.proxy.slow("RunInstances|CreateFleet", 2.0)
    same_machine_twice(rig, rig.request(*([offer()] if alone else [])))
    session.forget_clients()


@ALONE
def test_a_controller_that_dies_after_the_call_is_followed_by_one_that_finds_the_machine(rig: Rig, *, alone: bool) -> None:
    request = rig.request(*([offer()] if alone else []))
    rig.proxy.lost("RunInstances|CreateFleet")
    told = refused(lambda: rig.provider().launch(request))
    assert told.error_class is ErrorClass.TRANSIENT
    same_machine_twice(rig, request)


def test_a_lost_answer_about_a_later_offer_is_asked_again_before_the_first_is(rig: Rig) -> None:
    rig.proxy.error("CreateFleet", "UnauthorizedOperation", times=100)
    rig.proxy.error("RunInstances", "InsufficientInstanceCapacity")
    rig.proxy.lost("RunInstances")
    rig.proxy.answer("DescribeInstances", EMPTY, times=2)
    made = rig.wrapped().launch(rig.request())
    assert made.offer.zone == "us-east-1b"
    assert len(rig.machines()) == 1


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "MaxFleetCountExceeded", "UnsupportedOperation"])
def test_an_account_without_fleets_is_served_offer_by_offer(rig: Rig, code: str) -> None:
    rig.proxy.error("CreateFleet", code)
    rig.proxy.error("RunInstances", "InsufficientInstanceCapacity")
    made = rig.wrapped().launch(rig.request())
    assert made.offer.key == offer(zone="b").key
    tried = [one.parameters["NetworkInterface.1.SubnetId"] for one in rig.proxy.seen if one.action == "RunInstances"]
    subnets = rig.setup.regions[REGION].subnets
    assert tried == [subnets["us-east-1a"], subnets["us-east-1b"]]


def test_a_boto3_that_is_older_than_the_user_data_of_fleets_serves_offer_by_offer(rig: Rig) -> None:
    def old(**_: object) -> None:
        raise ParamValidationError(report='Unknown parameter in input: "LaunchTemplateSpecificationUserData"')

    events, name = aws_client("ec2", REGION).meta.events, "provide-client-params.ec2.CreateFleet"
    events.register(name, old)
    try:
        made = rig.wrapped().launch(rig.request())
    finally:
        events.unregister(name, old)
    assert made.offer.key == offer().key
    assert "CreateFleet" not in rig.proxy.actions()


def test_offer_by_offer_the_most_hopeful_refusal_is_told(rig: Rig) -> None:
    rig.proxy.error("CreateFleet", "UnauthorizedOperation")
    rig.proxy.error("RunInstances", "Unsupported")
    rig.proxy.error("RunInstances", "SpotMaxPriceTooLow")
    told = refused(lambda: rig.wrapped().launch(rig.request()))
    assert (told.code, told.error_class) == ("SpotMaxPriceTooLow", ErrorClass.PRICE)


def test_a_set_up_that_is_mended_meanwhile_changes_no_request_that_is_frozen(rig: Rig) -> None:
    target = rig.provider().boot_target([offer()], AMI)
    assert target is not None
    frozen = rig.request(setup=target.setup)
    here = rig.setup.regions[REGION].model_copy(update={"template_version": "99"})
    mended = AwsProvider("f1", rig.setup.model_copy(update={"regions": {REGION: here}}), rig.cache, shop=shelf)
    assert mended.launch(frozen).state in (InstanceState.PENDING, InstanceState.RUNNING)
    refused(lambda: mended.launch(rig.request()))
    told = refused(lambda: mended.launch(rig.request(setup="{}")))
    assert told.error_class is ErrorClass.INVALID


def test_a_token_whose_machine_ended_gives_that_machine(rig: Rig) -> None:
    request = rig.request(offer())
    made = rig.provider().launch(request)
    rig.provider().terminate(REGION, made.instance_id)
    rig.proxy.answer("DescribeInstances", EMPTY)
    rig.proxy.error("RunInstances", "IdempotentInstanceTerminated")
    again = rig.wrapped().launch(request)
    assert (again.instance_id, again.state) == (made.instance_id, InstanceState.TERMINATED)


def test_a_token_whose_machine_is_forgotten_is_the_end_of_its_try(rig: Rig) -> None:
    rig.proxy.error("RunInstances", "IdempotentInstanceTerminated", times=2)
    told = refused(lambda: rig.wrapped().launch(rig.request(offer())))
    assert (told.error_class, told.code) == (ErrorClass.CAPACITY, "IdempotentInstanceTerminated")


NOT_FOUND = "InvalidInstanceID.NotFound"


def test_a_machine_that_is_not_yet_to_be_seen_is_told_from_the_fleets_answer(rig: Rig) -> None:
    request = rig.request()
    rig.proxy.answer("DescribeInstances", EMPTY)
    rig.proxy.error("DescribeInstances", NOT_FOUND)
    rig.proxy.answer("DescribeFleets", b"<Response><fleetSet/></Response>")
    made = rig.wrapped().launch(request)
    assert (made.state, made.offer, made.tags) == (InstanceState.PENDING, request.offers[0], request.tags)
    assert [one["InstanceId"] for one in rig.machines()] == [made.instance_id]


def test_a_fleet_of_long_ago_whose_machine_nobody_knows_has_had_its_day(rig: Rig) -> None:
    rig.proxy.answer("DescribeInstances", EMPTY)
    rig.proxy.error("DescribeInstances", NOT_FOUND)
    old = b"<Response><fleetSet><item><createTime>2020-01-01T00:00:00.000Z</createTime></item></fleetSet></Response>"
    rig.proxy.answer("DescribeFleets", old)
    rig.proxy.answer("DescribeInstances", EMPTY)
    told = refused(lambda: rig.wrapped().launch(rig.request()))
    assert (told.error_class, told.code) == (ErrorClass.CAPACITY, "IdempotentInstanceTerminated")


def test_the_same_token_for_something_else_is_found_out_by_ec2_as_well(rig: Rig) -> None:
    request = rig.request(offer())
    rig.wrapped().launch(request)
    rig.proxy.answer("DescribeInstances", EMPTY)
    told = refused(lambda: rig.wrapped().launch(request.model_copy(update={"disk_size_gb": 50})))
    assert (told.code, told.error_class) == ("IdempotentParameterMismatch", ErrorClass.INVALID)


@pytest.mark.parametrize("lag", [False, True], ids=["listed", "not listed yet"])
def test_a_lost_answer_makes_no_volume_twice(rig: Rig, *, lag: bool) -> None:
    rig.proxy.lost("CreateVolume", 2)
    if lag:
        rig.proxy.answer("DescribeVolumes", b"<Response><volumeSet/></Response>", times=3)
    tags = {"fleet": "f1", "run": "car-1"}
    made = rig.wrapped().create_volume(REGION, "us-east-1a", NewVolume(size_gb=8), "disk-1", tags)
    assert [one["VolumeId"] for one in rig.disks()] == [made.volume_id]
    assert made.tags == tags


def test_a_lost_answer_ends_attaches_and_detaches_all_the_same(rig: Rig) -> None:
    provider = rig.wrapped()
    machine = provider.launch(rig.request(offer()))
    disk = provider.create_volume(REGION, "us-east-1a", NewVolume(size_gb=8), "disk-1", {"fleet": "f1", "run": "car-1"})
    for action in ("AttachVolume", "DetachVolume", "DeleteVolume", "TerminateInstances"):
        rig.proxy.lost(action)
    provider.attach(REGION, disk.volume_id, machine.instance_id)
    (seen,) = provider.list(REGION).volumes
    assert (seen.state, seen.attached_to) == (VolumeState.IN_USE, machine.instance_id)
    provider.detach(REGION, disk.volume_id, machine.instance_id)
    provider.delete_volume(REGION, disk.volume_id)
    provider.terminate(REGION, machine.instance_id)
    (gone,) = provider.list(REGION).instances
    assert gone.state is InstanceState.TERMINATED
    assert provider.list(REGION).volumes == ()


@pytest.mark.parametrize(
    ("action", "code", "error_class"),
    [
        ("AttachVolume", "VolumeInUse", ErrorClass.NOT_YET),
        ("AttachVolume", "IncorrectState", ErrorClass.NOT_YET),
        ("AttachVolume", "InvalidVolume.ZoneMismatch", ErrorClass.INVALID),
        ("DeleteVolume", "VolumeInUse", ErrorClass.NOT_YET),
    ],
)
def test_what_changed_between_the_look_and_the_call_is_ec2s_to_say(
    rig: Rig, action: str, code: str, error_class: ErrorClass
) -> None:
    provider = rig.wrapped()
    machine = provider.launch(rig.request(offer()))
    disk = provider.create_volume(REGION, "us-east-1a", NewVolume(size_gb=8), "disk-1", {"fleet": "f1", "run": "car-1"})
    rig.proxy.error(action, code)
    if action == "AttachVolume":
        told = refused(lambda: provider.attach(REGION, disk.volume_id, machine.instance_id))
    else:
        told = refused(lambda: provider.delete_volume(REGION, disk.volume_id))
    assert (told.code, told.error_class) == (code, error_class)


def test_what_vanished_between_the_look_and_the_call_is_gone_as_wished(rig: Rig) -> None:
    provider = rig.wrapped()
    machine = provider.launch(rig.request(offer(), volume=NewVolume(size_gb=8)))
    (disk,) = provider.list(REGION).volumes
    rig.proxy.error("TerminateInstances", NOT_FOUND)
    provider.terminate(REGION, machine.instance_id)
    rig.proxy.error("DetachVolume", "IncorrectState")
    assert refused(lambda: provider.detach(REGION, disk.volume_id, machine.instance_id)).error_class is ErrorClass.NOT_YET
    provider.detach(REGION, disk.volume_id, machine.instance_id)
    rig.proxy.error("DeleteVolume", "InvalidVolume.NotFound")
    provider.delete_volume(REGION, disk.volume_id)


def test_every_trouble_of_a_night_together_launches_one_machine(rig: Rig) -> None:
    request = rig.request(volume=NewVolume(size_gb=8))
    rig.proxy.error("DescribeInstances", "RequestLimitExceeded", status=503)
    rig.proxy.error("CreateFleet", "", status=503)
    rig.proxy.lost("CreateFleet")
    rig.proxy.cut("DescribeInstances")
    rig.proxy.lost("CreateVolume")
    rig.proxy.cut("AttachVolume")
    provider = rig.wrapped()
    for _ in range(4):
        with contextlib.suppress(ProviderError):
            made = provider.launch(request)
    assert [one["InstanceId"] for one in rig.machines()] == [made.instance_id]
    assert made.volume_ids
    assert len(provider.list(REGION).volumes) == 1
