from __future__ import annotations

import pytest
from google.api_core.exceptions import BadRequest, Conflict, Forbidden, NotFound
from google.cloud import compute_v1

from tests.gce.bench import PROJECT, ZONE, Bench, boot_disk, machine, reason


def _resize(bench: Bench, size_gb: int) -> object:
    wanted = compute_v1.DisksResizeRequest(size_gb=size_gb)
    return bench.disks.resize_unary(project=PROJECT, zone=ZONE, disk="kept", disks_resize_request_resource=wanted)


def test_a_disk_is_made_found_by_its_label_and_deleted(bench: Bench) -> None:
    made = bench.disk("kept", labels={"fleet": "abc"}, description="exact")
    assert (made.status, made.size_gb, made.description) == ("READY", 500, "exact")
    request = compute_v1.AggregatedListDisksRequest(project=PROJECT, filter="labels.fleet=abc")
    found = [disk.name for _, scoped in bench.disks.aggregated_list(request=request) for disk in scoped.disks]
    assert found == ["kept"]
    with pytest.raises(Conflict):
        bench.disk("kept")
    bench.wait(bench.disks.delete_unary(project=PROJECT, zone=ZONE, disk="kept"))
    with pytest.raises(NotFound):
        bench.disks.delete_unary(project=PROJECT, zone=ZONE, disk="kept")


def test_a_disk_is_handed_from_machine_to_machine_and_held_by_one_at_a_time(bench: Bench) -> None:
    bench.disk("kept")
    bench.made("one")
    bench.made("two")
    bench.wait(bench.attach("kept", "one"))
    with pytest.raises(
        BadRequest, match="is already being used by 'projects/fleet-test/zones/us-central1-a/instances/one'"
    ) as no:
        bench.attach("kept", "two")
    assert reason(no.value) == "resourceInUseByAnotherResource"
    with pytest.raises(BadRequest, match="is already being used"):
        bench.disks.delete_unary(project=PROJECT, zone=ZONE, disk="kept")
    detached = bench.instances.detach_disk_unary(project=PROJECT, zone=ZONE, instance="one", device_name="kept")
    bench.wait(detached)
    bench.wait(bench.attach("kept", "two"))
    assert [disk.device_name for disk in bench.get("two").disks] == ["persistent-disk-0", "kept"]
    assert bench.disks.get(project=PROJECT, zone=ZONE, disk="kept").users == [bench.get("two").self_link]


def test_a_machine_takes_a_disk_along_from_its_first_hour_and_gives_it_free_at_its_end(bench: Bench) -> None:
    bench.disk("kept")
    disks = [boot_disk(), compute_v1.AttachedDisk(source=f"zones/{ZONE}/disks/kept", device_name="kept", auto_delete=False)]
    bench.made(disks=disks)
    with pytest.raises(BadRequest, match="already being used"):
        bench.insert("other", disks=disks)
    assert [each.name for each in bench.listed()] == ["machine"]
    bench.say("preempt", zone=ZONE, instance="machine")
    bench.later(31)
    bench.made("other", disks=disks)


def test_a_disk_of_another_zone_is_attached_nowhere(bench: Bench) -> None:
    bench.disk("kept", zone="us-central1-b")
    bench.made()
    with pytest.raises(BadRequest, match="zone 'us-central1-b'"):
        bench.attach("kept", zone="us-central1-b")
    with pytest.raises(NotFound):
        bench.attach("none")


def test_auto_delete_is_changed_on_a_machine_that_runs(bench: Bench) -> None:
    bench.disk("kept")
    bench.made()
    bench.wait(bench.attach("kept"))
    where = {"project": PROJECT, "zone": ZONE, "instance": "machine"}
    bench.wait(bench.instances.set_disk_auto_delete_unary(**where, auto_delete=True, device_name="kept"))
    bench.wait(bench.instances.delete_unary(**where))
    assert list(bench.disks.list(project=PROJECT, zone=ZONE)) == []


def test_a_disk_grows_and_never_shrinks(bench: Bench) -> None:
    bench.disk("kept")
    bench.wait(_resize(bench, 600))
    assert bench.disks.get(project=PROJECT, zone=ZONE, disk="kept").size_gb == 600
    for size in (600, 100):
        with pytest.raises(BadRequest, match="must be larger"):
            _resize(bench, size)


def test_a_disk_has_a_least_and_a_greatest_size_and_a_type_that_is(bench: Bench) -> None:
    for size in (5, 70_000):
        with pytest.raises(BadRequest, match="between 10 and 65536"):
            bench.disk("kept", size)
    wanted = compute_v1.Disk(name="kept", type_=f"zones/{ZONE}/diskTypes/pd-fast")
    with pytest.raises(BadRequest, match="disk type does not exist"):
        bench.disks.insert_unary(project=PROJECT, zone=ZONE, disk_resource=wanted)


def test_more_disk_than_the_quota_is_refused_at_once(bench: Bench) -> None:
    bench.say("quota", region="us-central1", metric="SSD_TOTAL_GB", limit=900)
    bench.disk("kept")
    with pytest.raises(Forbidden, match="Quota 'SSD_TOTAL_GB' exceeded") as refused:
        bench.disk("more")
    assert reason(refused.value) == "quotaExceeded"


def test_hyperdisks_go_to_the_machines_that_take_them(bench: Bench) -> None:
    kind = f"zones/{ZONE}/diskTypes/hyperdisk-balanced"
    bench.made("new", machine_type=f"zones/{ZONE}/machineTypes/n4-standard-4", disks=[boot_disk(disk_type=kind)])
    with pytest.raises(BadRequest, match="not compatible"):
        bench.insert("old", machine_type=f"zones/{ZONE}/machineTypes/n4-standard-4")
    assert machine("x").disks[0].boot
