from __future__ import annotations

import pytest
from google.api_core.exceptions import BadRequest, NotFound, ServiceUnavailable
from google.cloud import compute_v1
from requests.exceptions import ConnectionError as NoAnswer

from tests.gce import inprocess
from tests.gce.bench import PROJECT, ZONE, Bench, boot_disk, new_volume

REQUEST = "6a1e1f0e-5b7e-5d7e-8d4e-0123456789ab"
Status = compute_v1.Operation.Status


def test_an_operation_goes_from_pending_over_running_to_done(bench: Bench) -> None:
    name = bench.insert().name
    seen = []
    for seconds in (0, 1, 20):
        bench.later(seconds)
        seen.append(bench.operations.get(project=PROJECT, zone=ZONE, operation=name).status)
    assert seen == [Status.PENDING, Status.RUNNING, Status.DONE]


def test_the_same_request_id_is_the_same_operation_and_no_second_machine(bench: Bench) -> None:
    first = bench.insert(request_id=REQUEST)
    assert bench.insert(request_id=REQUEST).name == first.name
    bench.wait(first)
    again = bench.insert(request_id=REQUEST)
    assert (again.name, again.status) == (first.name, Status.DONE)
    assert len(bench.listed()) == 1
    assert again.client_operation_id == REQUEST


def test_the_same_request_id_is_the_same_failure_even_when_there_is_room_again(bench: Bench) -> None:
    bench.say("capacity", zone=ZONE, what="e2-standard-4", left=0)
    failed = bench.wait(bench.insert(request_id=REQUEST))
    assert failed.error.errors[0].code == "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS"
    bench.say("capacity", zone=ZONE, what="e2-standard-4", left=None)
    assert bench.insert(request_id=REQUEST).error.errors[0].code == failed.error.errors[0].code
    assert bench.listed() == []


def test_a_request_id_that_was_used_for_something_else_is_refused(bench: Bench) -> None:
    bench.insert(request_id=REQUEST)
    with pytest.raises(BadRequest, match="requestId"):
        bench.insert("other", request_id=REQUEST)
    with pytest.raises(BadRequest, match="zero UUID"):
        bench.insert("other", request_id="00000000-0000-0000-0000-000000000000")


def test_a_refusal_at_once_uses_no_request_id_up(bench: Bench) -> None:
    with pytest.raises(BadRequest):
        bench.insert(request_id=REQUEST, labels={"No": "x"})
    bench.insert(request_id=REQUEST)
    assert len(bench.listed()) == 1


def test_waiting_ends_when_the_operation_does_and_after_two_minutes_at_the_latest(bench: Bench) -> None:
    operation = bench.insert()
    assert bench.wait(operation).status == Status.DONE
    assert bench.now() == pytest.approx(10.4, abs=0.1)
    bench.say("timing", provision=600)
    operation, began = bench.insert("slow"), bench.now()
    assert bench.wait(operation).status == Status.RUNNING
    assert bench.now() - began == pytest.approx(120, abs=1)


def test_operations_are_forgotten_after_a_while_and_on_order(bench: Bench) -> None:
    operation = bench.insert()
    bench.wait(operation)
    bench.say("forget_operations")
    with pytest.raises(NotFound):
        bench.operations.get(project=PROJECT, zone=ZONE, operation=operation.name)
    later = bench.insert("later")
    bench.later(15 * 86400)
    with pytest.raises(NotFound):
        bench.operations.get(project=PROJECT, zone=ZONE, operation=later.name)


def test_what_was_asked_is_known_by_its_request_id_until_that_is_forgotten_too(bench: Bench) -> None:
    first = bench.insert(request_id=REQUEST)
    bench.wait(first)
    bench.say("forget_operations")
    assert bench.insert(request_id=REQUEST).name == first.name
    bench.wait(bench.instances.delete_unary(project=PROJECT, zone=ZONE, instance="machine"))
    bench.later(15 * 86400)
    assert bench.insert(request_id=REQUEST).name != first.name


def test_operations_of_all_zones_are_listed_at_once(bench: Bench) -> None:
    bench.insert()
    bench.insert(zone="us-east1-b")
    client = inprocess.client(compute_v1.GlobalOperationsClient, bench.router)
    scopes = {
        scope: len(scoped.operations) for scope, scoped in client.aggregated_list(project=PROJECT) if scoped.operations
    }
    assert scopes == {f"zones/{ZONE}": 1, "zones/us-east1-b": 1}


def test_a_failed_insert_leaves_its_disks_only_if_that_is_ordered(bench: Bench) -> None:
    bench.say("capacity", zone=ZONE, what="*", left=0)
    bench.wait(bench.insert(disks=[boot_disk(), new_volume("kept")]))
    assert list(bench.disks.list(project=PROJECT, zone=ZONE)) == []
    bench.say("settings", keeps_disks_of_failed=True)
    bench.wait(bench.insert(disks=[boot_disk(), new_volume("kept")]))
    assert [each.name for each in bench.disks.list(project=PROJECT, zone=ZONE)] == ["kept", "machine"]


def test_a_call_fails_as_often_as_ordered(bench: Bench) -> None:
    bench.say("fail", method="compute.instances.insert", times=2, status=503)
    for _ in range(2):
        with pytest.raises(ServiceUnavailable):
            bench.insert()
    bench.insert()
    assert len(bench.listed()) == 1


def test_a_lost_answer_leaves_a_machine_behind_and_a_dropped_call_none(bench: Bench) -> None:
    bench.say("drop", method="compute.instances.insert")
    with pytest.raises(NoAnswer):
        bench.insert()
    assert bench.listed() == []
    bench.say("lose", method="compute.instances.insert")
    with pytest.raises(NoAnswer):
        bench.insert()
    assert len(bench.listed()) == 1


def test_what_is_asked_is_noted_once_whatever_it_waited(bench: Bench) -> None:
    bench.wait(bench.insert())
    assert [call.method for call in bench.router.cloud.calls] == ["compute.instances.insert", "compute.zoneOperations.wait"]
    assert bench.router.cloud.calls[0].principal.endswith(".iam.gserviceaccount.com")
