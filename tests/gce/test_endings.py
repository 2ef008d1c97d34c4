from __future__ import annotations

import pytest
from google.api_core.exceptions import BadRequest, NotFound
from google.cloud import compute_v1

from tests.gce.bench import PROJECT, ZONE, Bench, boot_disk, new_volume, reason

Spot = compute_v1.Scheduling


def test_deleting_takes_the_boot_disk_and_leaves_the_volume(bench: Bench) -> None:
    bench.made(disks=[boot_disk(), new_volume("kept")])
    operation = bench.instances.delete_unary(project=PROJECT, zone=ZONE, instance="machine")
    assert bench.status() == "STOPPING"
    assert bench.wait(operation).status == compute_v1.Operation.Status.DONE
    with pytest.raises(NotFound) as refused:
        bench.get()
    assert reason(refused.value) == "notFound"
    kept = [disk.name for disk in bench.disks.list(project=PROJECT, zone=ZONE)]
    assert kept == ["kept"]
    assert not bench.disks.get(project=PROJECT, zone=ZONE, disk="kept").users
    with pytest.raises(NotFound):
        bench.instances.delete_unary(project=PROJECT, zone=ZONE, instance="machine")


def test_what_is_deleted_twice_ends_once_and_both_operations_are_done(bench: Bench) -> None:
    bench.made()
    first = bench.instances.delete_unary(project=PROJECT, zone=ZONE, instance="machine")
    bench.later(10)
    second = bench.instances.delete_unary(project=PROJECT, zone=ZONE, instance="machine")
    bench.wait(first)
    assert bench.now() < 10.4 + 10 + 6
    assert bench.operations.get(project=PROJECT, zone=ZONE, operation=second.name).progress == 100


def test_a_preempted_spot_machine_is_gone_after_thirty_seconds_and_an_operation_says_so(bench: Bench) -> None:
    instance = bench.made()
    bench.say("preempt", zone=ZONE, instance="machine")
    bench.later(29)
    assert bench.status() == "STOPPING"
    bench.later(2)
    assert bench.status() == ""
    found = list(bench.operations.list(request={"project": PROJECT, "zone": ZONE, "filter": f"targetId={instance.id}"}))
    assert [each.operation_type for each in found if each.user == "system"] == ["compute.instances.preempted"]
    assert {each.target_link for each in found} == {instance.self_link}


def test_a_spot_machine_without_a_termination_action_is_only_stopped(bench: Bench) -> None:
    bench.made(scheduling=Spot(provisioning_model="SPOT"))
    bench.say("preempt", zone=ZONE, instance="machine")
    bench.later(31)
    assert bench.status() == "TERMINATED"


def test_a_machine_preempted_while_it_is_made_fails_its_insert(bench: Bench) -> None:
    operation = bench.insert()
    bench.later(5)
    bench.say("preempt", zone=ZONE, instance="machine")
    assert bench.wait(operation).error.errors[0].code == "UNSUPPORTED_OPERATION"
    bench.later(60)
    assert bench.status() == ""


def test_a_guest_that_powers_off_leaves_a_stopped_machine_that_keeps_its_disks(bench: Bench) -> None:
    bench.made()
    bench.say("power_off", zone=ZONE, instance="machine")
    bench.later(30)
    found = bench.get()
    assert found.status == "TERMINATED"
    assert not found.network_interfaces[0].access_configs[0].nat_i_p
    assert len(list(bench.disks.list(project=PROJECT, zone=ZONE))) == 1
    bench.wait(bench.instances.start_unary(project=PROJECT, zone=ZONE, instance="machine"))
    assert bench.status() == "RUNNING"


@pytest.mark.parametrize("ends_stopped", [False, True])
def test_a_time_limit_deletes_what_runs_and_what_is_stopped_only_if_google_does(bench: Bench, ends_stopped: bool) -> None:
    bench.say("settings", limit_ends_stopped=ends_stopped)
    hour = Spot(
        provisioning_model="SPOT",
        instance_termination_action="DELETE",
        max_run_duration=compute_v1.Duration(seconds=3600),
    )
    running = bench.made("running", scheduling=hour)
    assert running.resource_status.scheduling.termination_timestamp
    bench.made("stopped", scheduling=hour)
    bench.say("power_off", zone=ZONE, instance="stopped")
    bench.later(3580)
    assert bench.status("running") == "RUNNING"
    bench.later(60)
    assert bench.status("running") == ""
    assert bench.status("stopped") == ("" if ends_stopped else "TERMINATED")
    kinds = [each.operation_type for each in bench.operations.list(project=PROJECT, zone=ZONE)]
    assert kinds.count("compute.instances.deferredDelete") == (2 if ends_stopped else 1)


def test_a_termination_time_counts_from_no_start(bench: Bench) -> None:
    until = "2027-01-15T09:00:00Z"  # An hour after the bench began.
    bench.made(scheduling=Spot(provisioning_model="SPOT", instance_termination_action="DELETE", termination_time=until))
    bench.later(3600 - bench.now() - 1)
    assert bench.status() == "RUNNING"
    bench.later(30)
    assert bench.status() == ""


def test_what_vanishes_leaves_no_operation(bench: Bench) -> None:
    bench.made()
    bench.say("vanish", zone=ZONE, instance="machine")
    assert bench.status() == ""
    assert [each.operation_type for each in bench.operations.list(project=PROJECT, zone=ZONE)] == ["insert"]


def test_a_machine_that_is_protected_is_not_deleted(bench: Bench) -> None:
    bench.made(deletion_protection=True)
    with pytest.raises(BadRequest, match="protected"):
        bench.instances.delete_unary(project=PROJECT, zone=ZONE, instance="machine")


def test_what_lived_when_is_kept_as_an_invoice_would_say_it(bench: Bench) -> None:
    bench.made(disks=[boot_disk(), new_volume("kept")])
    bench.later(3600)
    bench.say("preempt", zone=ZONE, instance="machine")
    bench.later(100)
    bench.say("capacity", zone=ZONE, what="*", left=0)
    bench.insert("never")
    bench.later(100)
    instances = [each for each in bench.say("lived") if each["kind"] == "instance"]
    assert len(instances) == 1
    assert round(instances[0]["until"] - instances[0]["since"]) == 3630
    assert (instances[0]["machine_type"], instances[0]["spot"]) == ("e2-standard-4", True)
    assert instances[0]["by"] == "compute.instances.preempted"
    disks = {each["name"]: each for each in bench.say("lived") if each["kind"] == "disk"}
    assert disks["kept"]["until"] is None
    assert disks["machine"]["until"]
