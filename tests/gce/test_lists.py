from __future__ import annotations

import pytest
from google.api_core.exceptions import BadRequest
from google.cloud import compute_v1

from tests.gce.bench import PROJECT, ZONE, Bench
from tests.gce.compute_filter import fits, terms
from tests.gce.wire import Refused


def test_one_aggregated_list_shows_all_zones_by_label(bench: Bench) -> None:
    bench.made("one")
    bench.made("two", zone="us-east1-b")
    bench.made("foreign", labels={"fleet": "other"})
    assert sorted(each.name for each in bench.listed("labels.fleet=abc")) == ["one", "two"]


def test_scopes_without_anything_are_warned_of(bench: Bench) -> None:
    bench.made("one")
    request = compute_v1.AggregatedListInstancesRequest(project=PROJECT)
    scopes = {scope: scoped.warning.code for scope, scoped in bench.instances.aggregated_list(request=request)}
    assert scopes["zones/us-east1-b"] == "NO_RESULTS_ON_PAGE"
    assert not scopes[f"zones/{ZONE}"]


def test_long_lists_come_in_pages_and_none_is_lost_between(bench: Bench) -> None:
    for number in range(7):
        bench.insert(f"machine-{number}", zone=f"us-central1-{'abcf'[number % 4]}")
    bench.say("settings", page=3)
    assert sorted(each.name for each in bench.listed()) == [f"machine-{number}" for number in range(7)]
    assert len([call for call in bench.router.cloud.calls if call.method.endswith("aggregatedList")]) == 3


def test_lists_lag_behind_and_what_is_asked_for_by_name_does_not(bench: Bench) -> None:
    bench.say("settings", list_lag=20)
    bench.made()
    assert bench.get().status == "RUNNING"
    assert bench.listed() == []
    bench.later(20)
    assert [each.status for each in bench.listed()] == ["RUNNING"]
    bench.wait(bench.instances.delete_unary(project=PROJECT, zone=ZONE, instance="machine"))
    assert [each.status for each in bench.listed()] == ["RUNNING"]
    bench.later(10)
    assert [each.status for each in bench.listed()] == ["STOPPING"]
    bench.later(20)
    assert bench.listed() == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("labels.fleet=abc", True),
        ('labels.fleet = "abc"', True),
        ("labels.fleet!=abc", False),
        ("labels.none=abc", False),
        ("labels.fleet:*", True),
        ("labels.none:*", False),
        ("(labels.fleet=abc) AND (status=RUNNING)", True),
        ("labels.fleet=abc status=STOPPING", False),
        ("name=fleet-*", True),
        ("name eq fleet-.*-1", True),
        ("name ne fleet-.*-1", False),
        ("targetId=4000", True),
        ("size>10", True),
        ("size<=10", False),
        ('insertTime>"2026-01-01T00:00:00.000-07:00"', True),
    ],
)
def test_filters_hold_or_not(text: str, expected: bool) -> None:
    data = {
        "name": "fleet-run-1",
        "labels": {"fleet": "abc"},
        "status": "RUNNING",
        "targetId": "4000",
        "size": 12,
        "insertTime": "2026-06-01T00:00:00.000-07:00",
    }
    assert fits(terms(text), data) is expected


@pytest.mark.parametrize("text", ["labels.fleet=a OR labels.fleet=b", "NOT name=x", "name", "(name=x", "name=x AND =y"])
def test_filters_that_are_not_understood_are_refused_and_never_let_everything_through(text: str) -> None:
    with pytest.raises(Refused, match="filter"):
        terms(text)


def test_a_bad_filter_is_a_bad_request(bench: Bench) -> None:
    with pytest.raises(BadRequest, match="Invalid list filter"):
        bench.listed("labels.fleet")
