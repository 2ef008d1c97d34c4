from __future__ import annotations

from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, Conflict, GoogleAPICallError, NotFound
from google.cloud import compute_v1

from tests.gce.bench import PROJECT, ZONE, Bench, boot_disk, gpu, machine, new_volume, nic, reason

Spot = compute_v1.Scheduling


def test_an_instance_comes_to_run_and_has_what_was_asked_for(bench: Bench) -> None:
    operation = bench.insert(disks=[boot_disk(), new_volume("kept")], description="what it is")
    assert operation.status == compute_v1.Operation.Status.PENDING
    assert bench.status() == "PROVISIONING"
    bench.later(5)
    assert bench.status() == "STAGING"
    bench.later(10)
    found = bench.get()
    assert found.status == "RUNNING"
    assert found.network_interfaces[0].access_configs[0].nat_i_p
    assert found.description == "what it is"
    assert [(disk.device_name, disk.boot, disk.auto_delete) for disk in found.disks] == [
        ("persistent-disk-0", True, True),
        ("kept", False, False),
    ]
    assert bench.disks.get(project=PROJECT, zone=ZONE, disk="kept").users == [found.self_link]


def test_a_zone_refuses_a_second_instance_of_the_same_name(bench: Bench) -> None:
    bench.insert()
    with pytest.raises(Conflict, match="already exists") as refused:
        bench.insert()
    assert reason(refused.value) == "alreadyExists"
    bench.insert(zone="us-central1-b")


_N1: dict[str, Any] = {"machine_type": f"zones/{ZONE}/machineTypes/n1-standard-4", "guest_accelerators": [gpu()]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"machine_type": f"zones/{ZONE}/machineTypes/n9-standard-4"},
            "with name 'n9-standard-4' does not exist",
        ),
        ({"guest_accelerators": [gpu()]}, "cannot be attached to machine type e2-standard-4"),
        ({**_N1, "scheduling": Spot(provisioning_model="STANDARD", on_host_maintenance="MIGRATE")}, "live migration"),
        ({"scheduling": Spot(provisioning_model="SPOT", automatic_restart=True)}, "automaticRestart"),
        ({"scheduling": Spot(provisioning_model="STANDARD", instance_termination_action="DELETE")}, "limited run time"),
        (
            {
                "scheduling": Spot(
                    provisioning_model="SPOT",
                    instance_termination_action="DELETE",
                    max_run_duration=compute_v1.Duration(seconds=121 * 86400),
                )
            },
            "120 days",
        ),
        ({"labels": {"Fleet": "x"}}, "Label keys"),
        ({"labels": {"fleet": "A.b"}}, "Label values"),
        ({"disks": [boot_disk(disk_size_gb=5)]}, "smaller than the image size"),
        ({"disks": [boot_disk(disk_type=f"zones/{ZONE}/diskTypes/hyperdisk-balanced")]}, "not compatible"),
        ({"disks": [boot_disk(), new_volume("kept"), new_volume("kept")]}, "Device names must be unique"),
        ({"disks": [new_volume("kept")]}, "Boot disk must be the first disk"),
        ({"network_interfaces": [nic("us-east1")]}, "must be in the instance.s region"),
        ({"metadata": {"items": [{"key": "user-data", "value": "x" * 300_000}]}}, "too large"),
    ],
)
def test_what_cannot_be_is_refused_at_once_and_nothing_is_left(bench: Bench, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        bench.insert(**changes)
    assert bench.listed() == []
    assert list(bench.disks.list(project=PROJECT, zone=ZONE)) == []
    assert list(bench.operations.list(project=PROJECT, zone=ZONE)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"guest_accelerators": [gpu("nvidia-tesla-t9")]},
        {"disks": [boot_disk(source_image="projects/ubuntu-os-cloud/global/images/family/none")]},
        {"disks": [boot_disk(), compute_v1.AttachedDisk(source=f"zones/{ZONE}/disks/none")]},
        {"network_interfaces": [compute_v1.NetworkInterface(subnetwork="regions/us-central1/subnetworks/none")]},
    ],
)
def test_what_is_not_there_is_refused(bench: Bench, changes: dict[str, Any]) -> None:
    with pytest.raises(NotFound, match="was not found"):
        bench.insert(**{"machine_type": f"zones/{ZONE}/machineTypes/n1-standard-4", **changes})
    assert list(bench.disks.list(project=PROJECT, zone=ZONE)) == []


def test_a_gpu_machine_of_the_right_kind_is_made(bench: Bench) -> None:
    found = bench.made(**_N1)
    assert found.guest_accelerators[0].accelerator_type.endswith("/nvidia-tesla-t4")
    assert found.scheduling.on_host_maintenance == "TERMINATE"
    built_in = bench.made("l4", machine_type=f"zones/{ZONE}/machineTypes/g2-standard-4")
    assert built_in.guest_accelerators[0].accelerator_type.endswith("/nvidia-l4")


def test_another_project_is_not_found(bench: Bench) -> None:
    with pytest.raises(NotFound, match="'projects/other-project' was not found"):
        bench.instances.insert_unary(project="other-project", zone=ZONE, instance_resource=machine("machine"))


def test_labels_change_only_under_their_fingerprint(bench: Bench) -> None:
    found = bench.made()
    wanted = compute_v1.InstancesSetLabelsRequest(labels={"fleet": "new"}, label_fingerprint=found.label_fingerprint)
    where = {"project": PROJECT, "zone": ZONE, "instance": "machine"}
    bench.wait(bench.instances.set_labels_unary(**where, instances_set_labels_request_resource=wanted))
    assert dict(bench.get().labels) == {"fleet": "new"}
    with pytest.raises(GoogleAPICallError, match="fingerprint") as refused:
        bench.instances.set_labels_unary(**where, instances_set_labels_request_resource=wanted)
    assert refused.value.code == 412


def test_tags_and_metadata_change_too(bench: Bench) -> None:
    found = bench.made()
    where = {"project": PROJECT, "zone": ZONE, "instance": "machine"}
    tags = compute_v1.Tags(items=["fleet-abc"], fingerprint=found.tags.fingerprint)
    bench.wait(bench.instances.set_tags_unary(**where, tags_resource=tags))
    items = [compute_v1.Items(key="ssh-keys", value="fleet:ssh-ed25519 AAAA")]
    metadata = compute_v1.Metadata(items=items, fingerprint=found.metadata.fingerprint)
    bench.wait(bench.instances.set_metadata_unary(**where, metadata_resource=metadata))
    changed = bench.get()
    assert list(changed.tags.items) == ["fleet-abc"]
    assert changed.metadata.items[0].key == "ssh-keys"


def test_the_console_is_read_from_where_one_left_off(bench: Bench) -> None:
    bench.made()
    bench.say("console", zone=ZONE, instance="machine", text="one\n")
    where = {"project": PROJECT, "zone": ZONE, "instance": "machine"}
    first = bench.instances.get_serial_port_output(**where)
    assert (first.contents, first.next_) == ("one\n", 4)
    bench.say("console", zone=ZONE, instance="machine", text="two\n")
    request = compute_v1.GetSerialPortOutputInstanceRequest(**where, start=first.next_)
    assert bench.instances.get_serial_port_output(request=request).contents == "two\n"


def test_guest_attributes_are_read_by_their_path_if_the_machine_may_write_them(bench: Bench) -> None:
    items = [compute_v1.Items(key="enable-guest-attributes", value="TRUE")]
    bench.made(metadata=compute_v1.Metadata(items=items))
    bench.made("other")
    where = {"project": PROJECT, "zone": ZONE, "instance": "machine"}
    request = compute_v1.GetGuestAttributesInstanceRequest(**where, query_path="hostkeys/")
    with pytest.raises(NotFound):
        bench.instances.get_guest_attributes(request=request)
    bench.say("guest_attributes", zone=ZONE, instance="machine", namespace="hostkeys", items={"ssh-ed25519": "AAAA"})
    found = bench.instances.get_guest_attributes(request=request).query_value.items
    assert [(each.namespace, each.key, each.value) for each in found] == [("hostkeys", "ssh-ed25519", "AAAA")]
    with pytest.raises(GoogleAPICallError, match="disabled"):
        bench.instances.get_guest_attributes(project=PROJECT, zone=ZONE, instance="other")
