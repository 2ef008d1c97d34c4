from __future__ import annotations

from typing import Any

import pytest
from google.api_core.exceptions import Forbidden
from google.cloud import compute_v1

from tests.gce.bench import PROJECT, REGION, ZONE, Bench, gpu, reason

T4: dict[str, Any] = {"machine_type": f"zones/{ZONE}/machineTypes/n1-standard-4", "guest_accelerators": [gpu()]}


def _why(operation: compute_v1.Operation) -> tuple[str, str, int]:
    error = operation.error.errors[0]
    return error.code, error.message, operation.http_error_status_code


def test_a_zone_that_has_no_room_says_so_in_the_operation(bench: Bench) -> None:
    bench.say("capacity", zone=ZONE, what="nvidia-tesla-t4", left=0, elsewhere=["us-central1-b"])
    operation = bench.wait(bench.insert(**T4))
    code, message, status = _why(operation)
    assert (code, status) == ("ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", 503)
    assert f"projects/{PROJECT}/zones/{ZONE}" in message
    details = operation.error.errors[0].error_details
    assert details[0].error_info.metadatas["attachment"] == "nvidia-tesla-t4=1"
    assert "us-central1-b" in details[1].localized_message.message
    assert bench.listed() == []
    bench.made("cpu", machine_type=f"zones/{ZONE}/machineTypes/n1-standard-4")


def test_the_last_place_is_given_once_and_is_free_again_when_its_machine_ends(bench: Bench) -> None:
    bench.say("capacity", zone=ZONE, what="e2-standard-4", market="SPOT", left=1, details=False)
    bench.made("one")
    assert _why(bench.wait(bench.insert("two")))[0] == "ZONE_RESOURCE_POOL_EXHAUSTED"
    bench.made("standard", scheduling=compute_v1.Scheduling(provisioning_model="STANDARD"))
    bench.wait(bench.instances.delete_unary(project=PROJECT, zone=ZONE, instance="one"))
    bench.made("two")


def test_a_gpu_quota_of_the_region_and_one_of_all_regions_stop_a_machine(bench: Bench) -> None:
    bench.say("quota", region=REGION, metric="NVIDIA_T4_GPUS", limit=0)
    operation = bench.wait(bench.insert(**T4))
    code, message, status = _why(operation)
    assert (code, status) == ("QUOTA_EXCEEDED", 403)
    assert message == "Quota 'NVIDIA_T4_GPUS' exceeded.  Limit: 0.0 in region us-central1."
    assert operation.error.errors[0].error_details[0].quota_info.limit == 0
    bench.say("quota", region=REGION, metric="NVIDIA_T4_GPUS", limit=1)
    bench.say("quota", metric="GPUS_ALL_REGIONS", limit=0)
    assert _why(bench.wait(bench.insert(**T4)))[1] == "Quota 'GPUS_ALL_REGIONS' exceeded.  Limit: 0.0 globally."


def test_spot_machines_count_against_preemptible_quota_only_where_there_is_some(bench: Bench) -> None:
    bench.say("quota", region=REGION, metric="NVIDIA_T4_GPUS", limit=1)
    bench.made("one", **T4)
    assert "'NVIDIA_T4_GPUS'" in _why(bench.wait(bench.insert("two", **T4)))[1]
    bench.say("quota", region=REGION, metric="PREEMPTIBLE_NVIDIA_T4_GPUS", limit=2)
    bench.made("two", **T4)
    assert "'PREEMPTIBLE_NVIDIA_T4_GPUS'" in _why(bench.wait(bench.insert("three", **T4)))[1]


def test_quotas_are_refused_at_once_when_that_is_ordered(bench: Bench) -> None:
    bench.say("settings", quota_at_once=True)
    bench.say("quota", region=REGION, metric="CPUS", limit=2)
    with pytest.raises(Forbidden, match="Quota 'CPUS' exceeded") as refused:
        bench.insert()
    assert reason(refused.value) == "quotaExceeded"
    assert bench.listed() == []


def test_what_is_used_is_shown_beside_what_is_allowed(bench: Bench) -> None:
    bench.made(**T4)
    region = {each.metric: (each.usage, each.limit) for each in bench.regions.get(project=PROJECT, region=REGION).quotas}
    assert region["CPUS"] == (4, 128)
    assert region["NVIDIA_T4_GPUS"] == (1, 8)
    assert region["INSTANCES"] == (1, 100)
    whole = {each.metric: (each.usage, each.limit) for each in bench.projects.get(project=PROJECT).quotas}
    assert whole["GPUS_ALL_REGIONS"] == (1, 16)
    bench.say("power_off", zone=ZONE, instance="machine")
    bench.later(60)
    after = {each.metric: each.usage for each in bench.projects.get(project=PROJECT).quotas}
    assert after["GPUS_ALL_REGIONS"] == 0
