"""EC2's descriptions in fleet's words."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from fleet.model.cloud import InstanceState, Market, PriceSince, VolumeState
from fleet.providers.aws import mapping
from tests.aws.ground import offer

AT = datetime(2026, 11, 25, 10, 0, tzinfo=timezone.utc)
BOOK = {one.key: one for one in (offer(), offer(zone="b"), offer(market=Market.ON_DEMAND))}


def machine(state: str = "running", code: str = "", reason: str = "", **changes: Any) -> dict[str, Any]:
    return {
        "InstanceId": "i-1",
        "InstanceType": "g4dn.xlarge",
        "InstanceLifecycle": "spot",
        "Placement": {"AvailabilityZone": "us-east-1a"},
        "State": {"Name": state},
        "LaunchTime": AT,
        "RootDeviceName": "/dev/sda1",
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/sda1", "Ebs": {"VolumeId": "vol-root", "DeleteOnTermination": True}},
            {"DeviceName": "/dev/sdf", "Ebs": {"VolumeId": "vol-data", "DeleteOnTermination": False}},
        ],
        "Tags": [
            {"Key": "fleet", "Value": "f1"},
            {"Key": "request", "Value": "0123"},
            {"Key": "aws:ec2:fleet-id", "Value": "fleet-1"},
        ],
        "StateReason": {"Code": code},
        "StateTransitionReason": reason,
        **changes,
    }


def test_a_running_machine_is_its_offer_its_tags_and_its_volume() -> None:
    seen = mapping.instance(machine(), "us-east-1", BOOK)
    assert (seen.instance_id, seen.state, seen.launched_at) == ("i-1", InstanceState.RUNNING, AT.timestamp())
    assert seen.offer == offer()
    assert seen.tags == {"fleet": "f1"}
    assert seen.volume_ids == ("vol-data",)
    assert (seen.ended_at, seen.ended_by) == (None, None)


@pytest.mark.parametrize("state", [state.value for state in InstanceState])
def test_every_state_has_its_word(state: str) -> None:
    assert mapping.instance(machine(state), "us-east-1", {}).state.value == state


@pytest.mark.parametrize(
    ("code", "by"),
    [
        ("Server.SpotInstanceTermination", "cloud"),
        ("Server.SpotInstanceShutdown", "cloud"),
        ("Server.InternalError", "cloud"),
        ("Server.InsufficientInstanceCapacity", "cloud"),
        ("Client.InstanceInitiatedShutdown", "itself"),
        ("Client.UserInitiatedShutdown", "fleet"),
        ("Client.InternalError", "unknown"),
        ("Client.VolumeLimitExceeded", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_reason_says_who_ended_a_machine(code: str, by: str) -> None:
    seen = mapping.instance(machine("terminated", code, "said (2026-11-25 10:30:05 GMT)"), "us-east-1", {})
    assert (seen.ended_by, seen.ended_at) == (by, AT.timestamp() + 1805)


@pytest.mark.parametrize(
    ("reason", "after"),
    [
        ("User initiated (2026-11-25 10:30:05 GMT)", 1805),
        ("User initiated (2026-11-25 10:30:05 UTC)", 1805),
        ("Server.SpotInstanceTermination: Spot instance termination (2026-11-25 10:00:59 GMT)", 59),
        ("User initiated (2026-11-25 09:59:59 GMT)", 0),
        ("User initiated", None),
        ("", None),
    ],
)
def test_the_end_is_when_the_reason_says_and_never_before_the_launch(reason: str, after: float | None) -> None:
    seen = mapping.instance(machine("terminated", "Client.UserInitiatedShutdown", reason), "us-east-1", {})
    assert seen.ended_at == (None if after is None else AT.timestamp() + after)


def test_a_machine_that_shuts_down_has_not_ended() -> None:
    going = machine("shutting-down", "Client.UserInitiatedShutdown", "User initiated (2026-11-25 10:30:05 GMT)")
    assert mapping.ended(going) == (None, None)


def test_a_machine_without_a_market_is_on_demand() -> None:
    described = machine()
    del described["InstanceLifecycle"]
    assert mapping.offer_of(described, "us-east-1", BOOK) == offer(market=Market.ON_DEMAND)


def test_an_offer_that_is_no_longer_sold_is_priced_as_in_another_zone_and_else_not_at_all() -> None:
    elsewhere = machine(Placement={"AvailabilityZone": "us-east-1f"})
    found = mapping.offer_of(elsewhere, "us-east-1", BOOK)
    assert (found.zone, found.price, found.accelerators) == ("us-east-1f", offer(zone="b").price, ("T4",))
    assert mapping.offer_of(machine(InstanceType="p2.xlarge"), "us-east-1", BOOK).price == 0


def disk(state: str = "in-use", attachment: str | None = "attached", **changes: Any) -> dict[str, Any]:
    held = [] if attachment is None else [{"InstanceId": "i-1", "State": attachment, "Device": "/dev/sdf"}]
    return {
        "VolumeId": "vol-1",
        "AvailabilityZone": "us-east-1a",
        "Size": 500,
        "State": state,
        "CreateTime": AT,
        "SnapshotId": "",
        "Attachments": held,
        "Tags": [{"Key": "fleet", "Value": "f1"}, {"Key": "token", "Value": "t"}],
        **changes,
    }


@pytest.mark.parametrize(
    ("state", "attachment", "seen"),
    [
        ("creating", None, (VolumeState.CREATING, None)),
        ("available", None, (VolumeState.AVAILABLE, None)),
        ("available", "detached", (VolumeState.AVAILABLE, None)),
        ("in-use", "attaching", (VolumeState.ATTACHING, "i-1")),
        ("in-use", "attached", (VolumeState.IN_USE, "i-1")),
        ("in-use", "detaching", (VolumeState.DETACHING, "i-1")),
        ("in-use", "busy", (VolumeState.DETACHING, "i-1")),
        ("deleting", None, (VolumeState.DELETING, None)),
        ("error", None, (VolumeState.DELETING, None)),
    ],
)
def test_a_volumes_state_is_its_own_and_its_attachments(
    state: str, attachment: str | None, seen: tuple[VolumeState, str | None]
) -> None:
    found = mapping.volume(disk(state, attachment), "us-east-1")
    assert found is not None
    assert (found.state, found.attached_to) == seen
    assert (found.size_gb, found.zone, found.tags, found.created_at) == (500, "us-east-1a", {"fleet": "f1"}, AT.timestamp())


def test_a_deleted_volume_is_none() -> None:
    assert mapping.volume(disk("deleted", None), "us-east-1") is None


def test_a_machines_own_disk_is_no_volume_of_a_run() -> None:
    assert mapping.own_disks([machine()]) == {"vol-root"}
    assert mapping.is_own_disk(disk(VolumeId="vol-root"), frozenset({"vol-root"}))
    assert mapping.is_own_disk(disk(Attachments=[{"InstanceId": "i-1", "State": "attached", "DeleteOnTermination": True}]))
    assert mapping.is_own_disk(disk(Attachments=[{"InstanceId": "i-1", "State": "attached", "Device": "/dev/xvda"}]))
    assert mapping.is_own_disk(disk("deleting", None, SnapshotId="snap-1"))
    assert not mapping.is_own_disk(disk(), frozenset({"vol-root"}))
    assert not mapping.is_own_disk(disk("available", None))


def said(minutes: float, price: str) -> dict[str, Any]:
    return {"Timestamp": datetime.fromtimestamp(AT.timestamp() + 60 * minutes, timezone.utc), "SpotPrice": price}


def test_a_price_history_begins_with_the_price_in_force_and_goes_on_with_its_changes() -> None:
    at = AT.timestamp()
    told = [said(90, "0.200000"), said(-600, "0.100000"), said(-30, "0.157800"), said(30, "0.157800"), said(60, "0.16")]
    assert mapping.price_steps(told, at, at + 3700) == (
        PriceSince(at=at, price=157_800),
        PriceSince(at=at + 3600, price=160_000),
    )
    assert mapping.price_steps(told[:1], at, at + 7200) == (PriceSince(at=at + 5400, price=200_000),)
    assert mapping.price_steps([], at, at + 1) == ()


def test_a_price_finer_than_a_micro_dollar_is_rounded() -> None:
    assert [mapping.micros(price) for price in ("0.00001", "0.0000005", "12.345678")] == [10, 1, 12_345_678]
