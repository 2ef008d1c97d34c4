"""Which quotas a machine counts against, by Compute Engine's own words for them."""

from __future__ import annotations

import pytest

from fleet.model.cloud import Market
from fleet.providers.gcp.machines import DEVICES
from fleet.providers.gcp.quotas import (
    ALL_GPUS,
    Need,
    Quota,
    advice,
    device_metric,
    needs,
    of_message,
    of_project,
    of_region,
    short,
    what_to_ask_for,
)
from tests.gce.discovery import document
from tests.gce.standing import PROJECT, standing_google

REGION = "us-central1"


def test_the_words_are_those_of_the_discovery_document() -> None:
    known = set(document("compute", "v1").schemas["Quota"]["properties"]["metric"]["enum"])
    told = {device_metric(gpu, market) for gpu in DEVICES for market in Market} - {None}
    series = {need.metric for name in ("n1", "n2", "c2", "e2", "a2", "t2d", "c4") for market in Market
              for need in needs(f"{name}-standard-4", (), 4, market)}  # fmt: skip
    assert told | series | {ALL_GPUS} <= known
    assert device_metric("T4", Market.SPOT) == "PREEMPTIBLE_NVIDIA_T4_GPUS"
    assert device_metric("H100", Market.ON_DEMAND) is None


@pytest.mark.parametrize(
    ("kind", "devices", "market", "wanted"),
    [
        ("n1-standard-4+1xT4", ("T4",), Market.SPOT,
         [Need("PREEMPTIBLE_NVIDIA_T4_GPUS", 1), Need(ALL_GPUS, 1, everywhere=True), Need("PREEMPTIBLE_CPUS", 4)]),
        ("a2-highgpu-2g", ("A100", "A100"), Market.ON_DEMAND,
         [Need("NVIDIA_A100_GPUS", 2), Need(ALL_GPUS, 2, everywhere=True), Need("A2_CPUS", 4)]),
        ("g2-standard-4", ("L4",), Market.ON_DEMAND, [Need("NVIDIA_L4_GPUS", 1), Need(ALL_GPUS, 1, everywhere=True)]),
        ("e2-standard-4", (), Market.ON_DEMAND, [Need("E2_CPUS", 4)]),
        ("n1-standard-4", (), Market.ON_DEMAND, [Need("CPUS", 4)]),
    ],
)  # fmt: skip
def test_a_machine_counts_against(kind: str, devices: tuple[str, ...], market: Market, wanted: list[Need]) -> None:
    assert needs(kind, devices, 4, market) == wanted


def test_what_is_in_use_is_not_left_and_spot_vcpus_count_as_others_where_they_were_never_given() -> None:
    known = [
        Quota("PREEMPTIBLE_NVIDIA_T4_GPUS", REGION, 1, 1),
        Quota(ALL_GPUS, "", 4, 1),
        Quota("PREEMPTIBLE_CPUS", REGION, 0),
        Quota("CPUS", REGION, 24, 8),
    ]
    wanted = needs("n1-standard-4+1xT4", ("T4",), 4, Market.SPOT)
    assert [quota.metric for _, quota in short(wanted, known)] == ["PREEMPTIBLE_NVIDIA_T4_GPUS"]
    assert [quota.metric for _, quota in short(needs("n1-standard-32", (), 32, Market.SPOT), known)] == ["CPUS"]
    assert short(wanted, []) == []


def test_a_refusal_names_its_quota() -> None:
    told = "insert: Quota 'NVIDIA_T4_GPUS' exceeded.  Limit: 0.0 in region us-central1."
    assert of_message(told) == ("NVIDIA_T4_GPUS", 0.0)
    assert of_message("Quota 'GPUS_ALL_REGIONS' exceeded.  Limit: 0.0 globally.") == (ALL_GPUS, 0.0)
    assert of_message("there is no such thing") is None
    hint = advice("p", REGION, "n1-standard-4+1xT4", ("T4",), Market.ON_DEMAND, told)
    assert hint == what_to_ask_for("p", REGION, "NVIDIA_T4_GPUS")
    assert "in us-central1" in hint
    assert "in us-central1" not in what_to_ask_for("p", REGION, ALL_GPUS)
    without = advice("p", REGION, "n1-standard-4+1xT4", ("T4",), Market.SPOT, "quota")
    assert "PREEMPTIBLE_NVIDIA_T4_GPUS" in without
    assert ALL_GPUS in without


def test_quotas_are_looked_at_in_the_region_and_in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    google = standing_google(monkeypatch)
    google.control("compute", "quota", region=REGION, metric="NVIDIA_T4_GPUS", limit=3)
    google.control("compute", "quota", metric=ALL_GPUS, limit=2)
    found = {one.metric: one for one in of_region(PROJECT, REGION)}
    assert (found["NVIDIA_T4_GPUS"].limit, found["NVIDIA_T4_GPUS"].left) == (3.0, 3.0)
    assert {one.metric: one.limit for one in of_project(PROJECT)}[ALL_GPUS] == 2.0
    assert google.faults() == []
