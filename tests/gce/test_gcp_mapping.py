"""Compute Engine's descriptions as fleet reads them: of today, and of the years that old answers were recorded in."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.model.cloud import InstanceState, Market, VolumeState
from fleet.providers.gcp import mapping, names, operations, shapes
from tests.gce.ground import offer

API = "https://www.googleapis.com/compute/v1/projects/p"
ZONE = f"{API}/zones/us-central1-a"
TAGS = {"fleet": "f1", "run": "car-1", "attempt": "2", "try": "1", "token": "t-1"}


def machine(**more: Any) -> dict[str, Any]:
    return {
        "kind": "compute#instance",
        "id": "4006034190819017667",
        "name": "fleet-car-2-0123456789ab",
        "zone": ZONE,
        "machineType": f"{ZONE}/machineTypes/n1-standard-4",
        "status": "RUNNING",
        "creationTimestamp": "2026-03-01T10:45:23.351-08:00",
        "labels": names.labels(TAGS),
        "description": names.described(TAGS),
        "scheduling": {"provisioningModel": "SPOT", "preemptible": True},
        "disks": [
            {"boot": True, "autoDelete": True, "source": f"{ZONE}/disks/fleet-car-2-0123456789ab", "type": "PERSISTENT"},
            {"boot": False, "source": f"{ZONE}/disks/fleet-car-disk-1", "deviceName": "fleet-car-disk-1"},
            {"type": "SCRATCH", "deviceName": "local-ssd-0", "autoDelete": True},
        ],
        **more,
    }


def disk(**more: Any) -> dict[str, Any]:
    return {
        "name": "fleet-car-disk-1",
        "zone": ZONE,
        "sizeGb": "500",
        "status": "READY",
        "creationTimestamp": "2026-03-01T10:45:23Z",
        "labels": names.labels(TAGS),
        "description": names.described({"fleet": "f1", "run": "car-1"}),
        **more,
    }


def operation(kind: str, begins: str, ends: str = "", **more: Any) -> dict[str, Any]:
    return {
        "operationType": kind,
        "status": "DONE" if ends else "RUNNING",
        "insertTime": f"2026-03-01T{begins}.000-08:00",
        **({"endTime": f"2026-03-01T{ends}.000-08:00"} if ends else {}),
        **more,
    }


def test_a_machine_has_its_tags_exactly_and_the_disks_that_outlive_it() -> None:
    seen = mapping.instance(machine(), {})
    assert seen.instance_id == "fleet-car-2-0123456789ab.us-central1-a"
    assert (seen.tags, seen.volume_ids) == (TAGS, ("fleet-car-disk-1.us-central1-a",))
    assert (seen.state, seen.launched_at) == (InstanceState.RUNNING, 1772390723.351)
    assert (seen.offer.region, seen.offer.zone, seen.offer.market) == ("us-central1", "us-central1-a", Market.SPOT)


def test_an_answer_of_2013_is_read_too() -> None:
    """Without labels, scheduling model, or anything of fleet's: somebody's machine in the same project."""
    old = {
        "name": "web-000",
        "zone": f"{API}/zones/europe-west1-b",
        "machineType": f"{API}/zones/europe-west1-b/machineTypes/n1-standard-1",
        "status": "TERMINATED",
        "creationTimestamp": "2013-12-13T10:45:23.351-08:00",
        "scheduling": {"automaticRestart": True, "onHostMaintenance": "MIGRATE"},
        "disks": [{"boot": True, "source": f"{API}/zones/europe-west1-b/disks/web", "deviceName": "persistent-disk-0"}],
        "networkInterfaces": [{"accessConfigs": [{"natIP": "203.0.113.9", "type": "ONE_TO_ONE_NAT"}]}],
    }
    seen = mapping.instance(old, {})
    assert (seen.state, seen.ended_at, seen.ended_by) == (InstanceState.STOPPED, None, "unknown")
    assert (seen.offer.market, seen.offer.instance_type, seen.tags) == (Market.ON_DEMAND, "n1-standard-1", {})
    assert not mapping.is_mine(old, "f1")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("PROVISIONING", InstanceState.PENDING),
        ("STAGING", InstanceState.PENDING),
        ("RUNNING", InstanceState.RUNNING),
        ("REPAIRING", InstanceState.RUNNING),
        ("PENDING_STOP", InstanceState.STOPPING),
        ("STOPPING", InstanceState.STOPPING),
        ("SUSPENDING", InstanceState.STOPPING),
        ("SUSPENDED", InstanceState.STOPPED),
        ("TERMINATED", InstanceState.STOPPED),
    ],
)
def test_every_status_is_a_state(status: str, state: InstanceState) -> None:
    assert mapping.instance(machine(status=status), {}).state is state


def test_what_is_told_to_stop_and_is_being_deleted_shuts_down() -> None:
    assert mapping.instance(machine(status="STOPPING"), {}, deleting=True).state is InstanceState.SHUTTING_DOWN


def test_a_stopped_machine_ended_when_it_was_stopped() -> None:
    seen = mapping.instance(
        machine(status="TERMINATED", lastStopTimestamp="2026-03-01T11:00:00.000-08:00"), {}, ended_by="itself"
    )
    assert (seen.state, seen.ended_at, seen.ended_by) == (InstanceState.STOPPED, 1772391600.0, "itself")


def test_an_n1_is_named_with_its_accelerators_and_priced_by_the_book() -> None:
    put_in = [{"acceleratorType": f"{ZONE}/acceleratorTypes/nvidia-tesla-t4", "acceleratorCount": 1}]
    book = {one.key: one for one in [offer(instance_type="n1-standard-4+1xT4")]}
    seen = mapping.instance(machine(guestAccelerators=put_in), book)
    assert (seen.offer.instance_type, seen.offer.price) == ("n1-standard-4+1xT4", 147_990)
    elsewhere = machine(guestAccelerators=put_in, zone=f"{API}/zones/us-central1-f")
    assert mapping.instance(elsewhere, book).offer == offer("us-central1-f", "n1-standard-4+1xT4")
    built_in = [{"acceleratorType": f"{ZONE}/acceleratorTypes/nvidia-l4", "acceleratorCount": 1}]
    l4 = machine(machineType=f"{ZONE}/machineTypes/g2-standard-4", guestAccelerators=built_in)
    assert mapping.instance(l4, {}).offer.instance_type == "g2-standard-4"


def test_somebody_elses_things_are_not_mine_whatever_their_labels_say() -> None:
    assert mapping.is_mine(machine(), "f1")
    assert not mapping.is_mine(machine(), "f2")
    assert not mapping.is_mine(machine(description="a notebook with the fleet's label, for the bill's sake"), "f1")
    assert not mapping.is_mine(machine(description=names.described({**TAGS, "fleet": "F1"})), "f1")


@pytest.mark.parametrize(
    ("more", "state", "held_by"),
    [
        ({"status": "CREATING"}, VolumeState.CREATING, None),
        ({}, VolumeState.AVAILABLE, None),
        ({"users": [f"{ZONE}/instances/m"]}, VolumeState.IN_USE, "m.us-central1-a"),
        ({"status": "DELETING"}, VolumeState.DELETING, None),
        ({"status": "FAILED"}, VolumeState.DELETING, None),
    ],
)
def test_a_disk_is_a_volume(more: dict[str, Any], state: VolumeState, held_by: str | None) -> None:
    seen = mapping.volume(disk(**more), lambda region: 100_000 if region == "us-central1" else 0)
    assert (seen.volume_id, seen.size_gb, seen.price) == ("fleet-car-disk-1.us-central1-a", 500, 100_000)
    assert (seen.state, seen.attached_to, seen.tags) == (state, held_by, {"fleet": "f1", "run": "car-1"})


def test_a_disk_made_of_an_image_is_a_machines_own() -> None:
    assert mapping.is_boot_disk(disk(sourceImage=f"{API}/global/images/ubuntu"))
    assert not mapping.is_boot_disk(disk())


@pytest.mark.parametrize(
    "text",
    ["2026-03-01T10:45:23-08:00", "2026-03-01T18:45:23Z", "2026-03-01T10:45:23.0-08:00", "2026-03-01T18:45:23.000000000Z"],
)
def test_every_way_of_writing_a_time_is_read(text: str) -> None:
    assert mapping.moment(text) == 1772390723.0
    assert mapping.when(1772390723.9) == "2026-03-01T18:45:23Z"


ENDS = [
    ("deleted by fleet", [operation("delete", "11:00:00", "11:00:30")], "fleet", "11:00:30"),
    ("taken by the cloud", [operation("compute.instances.preempted", "11:00:00", "11:00:30")], "cloud", "11:00:30"),
    (
        "taken, and then deleted from here",
        [operation("compute.instances.preempted", "11:00:00", "11:00:30"), operation("delete", "11:00:10", "11:00:40")],
        "cloud",
        "11:00:30",
    ),
    (
        "powered itself off, and was deleted later",
        [operation("compute.instances.guestTerminate", "11:00:00", "11:00:05"), operation("delete", "12:00:00", "12:00:30")],
        "itself",
        "11:00:05",
    ),
    ("its host broke", [operation("compute.instances.hostError", "11:00:00", "11:00:00")], "cloud", "11:00:00"),
    ("its time was over", [operation("compute.instances.deferredDelete", "11:00:00", "11:00:20")], "itself", "11:00:20"),
    ("it is being ended", [operation("delete", "11:00:00")], "fleet", "11:00:00"),
]


@pytest.mark.parametrize(("_what", "told", "by", "at"), ENDS, ids=[one[0] for one in ENDS])
def test_operations_tell_who_ended_a_machine_and_when(_what: str, told: list[dict[str, Any]], by: str, at: str) -> None:
    made = operation("insert", "10:45:23", "10:45:40")
    assert operations.ended([made, *told]) == (mapping.moment(f"2026-03-01T{at}-08:00"), by)


def test_a_machine_that_could_not_be_had_after_all_was_ended_by_the_cloud() -> None:
    exhausted = {"errors": [{"code": "ZONE_RESOURCE_POOL_EXHAUSTED"}]}
    made = operation("insert", "10:45:23", "10:45:40", error=exhausted)
    assert operations.ended([made]) == (mapping.moment("2026-03-01T10:45:40-08:00"), "cloud")
    assert operations.making([made]) is None


def test_what_ended_before_it_was_started_again_did_not_end_it() -> None:
    told = [operation("insert", "10:00:00", "10:00:10"), operation("stop", "11:00:00", "11:00:30")]
    assert operations.ended(told) is not None
    assert operations.ended([*told, operation("start", "12:00:00", "12:00:10")]) is None
    failed = operation("delete", "11:00:00", "11:00:01", httpErrorStatusCode=404)
    assert operations.ended([told[0], failed]) is None


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("n1-standard-4+1xT4", ("n1-standard-4", "nvidia-tesla-t4", 1)),
        ("n1-highmem-8+2xV100", ("n1-highmem-8", "nvidia-tesla-v100", 2)),
        ("g2-standard-4", ("g2-standard-4", None, 0)),
    ],
)
def test_a_name_of_fleets_is_taken_apart(name: str, parts: tuple[str, str | None, int]) -> None:
    assert shapes.parts(name) == parts
    accelerators = [{"acceleratorType": parts[1], "acceleratorCount": parts[2]}] if parts[1] else []
    assert shapes.named(f"{ZONE}/machineTypes/{parts[0]}", accelerators) == name


def test_a_name_that_is_none_is_refused() -> None:
    for name in ("n1-standard-4+1xH100", "m5.large", ""):
        with pytest.raises(ValueError, match="no machine type"):
            shapes.parts(name)


@pytest.mark.parametrize(
    ("name", "makes", "pd", "hyper"),
    [
        ("n1-standard-4+1xT4", "pd-balanced", True, False),
        ("g2-standard-4", "pd-balanced", True, False),
        ("n4-standard-4", "hyperdisk-balanced", False, True),
        ("c4a-standard-4", "hyperdisk-balanced", False, True),
        ("c3-standard-4", "pd-balanced", True, True),
    ],
)
def test_a_machine_takes_the_disks_of_its_family(name: str, makes: str, pd: bool, hyper: bool) -> None:
    assert shapes.disk_type(name) == makes
    assert (shapes.takes(name, "pd-ssd"), shapes.takes(name, "hyperdisk-balanced")) == (pd, hyper)
