"""Where a job's run is kept, of a home that knows one cloud, both, or none."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from fleet.control import clouds
from fleet.control.clouds import bucket_for, prepare
from fleet.control.home import Home
from fleet.model.errors import FleetError
from fleet.model.job import Job
from fleet.store.opening import open_objects

EC2, GCE = {"infra": "aws"}, {"infra": "gcp/us-central1"}
BOTH = {"any_of": [EC2, GCE]}


def _job(resources: Mapping[str, object], **more: object) -> Job:
    return Job.model_validate({"name": "racer", "run": "true", "resources": resources, **more})


def test_what_the_job_says_goes_before_all(home: Home) -> None:
    home.remember_gcp("gs://mine", "p", ["us-central1"])
    assert bucket_for(home, _job(GCE, bucket="gs://other/there")) == "gs://other/there"
    assert bucket_for(home, _job({"infra": "local"})) == home.bucket


@pytest.mark.parametrize("url", ["gs://mine", "s3://mine"])
@pytest.mark.parametrize("resources", [GCE, BOTH])
def test_machines_of_google_keep_their_runs_where_they_were_set_up_for(
    home: Home, url: str, resources: Mapping[str, object]
) -> None:
    home.remember_gcp(url, "p", ["us-central1"])
    assert bucket_for(home, _job(resources)) == url


@pytest.mark.parametrize("url", ["gs://mine", "s3://mine"])
def test_one_fleet_in_both_clouds_has_one_bucket_on_either(home: Home, url: str) -> None:
    home.remember_gcp(url, "p", ["us-central1"])
    home.remember_aws(url, None, ["us-east-1"])
    assert {bucket_for(home, _job(one)) for one in (EC2, GCE, BOTH)} == {url}


def test_two_fleets_are_not_chosen_between_but_each_has_its_own_clouds_jobs(home: Home) -> None:
    home.remember_gcp("gs://one", "p", ["us-central1"])
    home.remember_aws("s3://two", None, ["us-east-1"])
    assert bucket_for(home, _job(GCE)) == "gs://one"
    assert bucket_for(home, _job(EC2)) == "s3://two"
    with pytest.raises(FleetError, match="each was set up as a fleet of its own") as refused:
        bucket_for(home, _job(BOTH))
    assert "fleet init gcp --bucket s3://two" in refused.value.hint


@pytest.mark.parametrize(
    ("resources", "said", "command"),
    [(GCE, "runs on Compute Engine", "fleet init gcp"), (EC2, "runs on EC2", "fleet init aws"),
     (BOTH, "runs on EC2 or Compute Engine", "fleet init aws")],
)  # fmt: skip
def test_a_cloud_that_was_not_set_up_is_named_with_its_command(
    home: Home, resources: Mapping[str, object], said: str, command: str
) -> None:
    with pytest.raises(FleetError, match=said) as refused:
        bucket_for(home, _job(resources))
    assert command in refused.value.hint


@pytest.mark.parametrize(
    ("resources", "read"), [(EC2, ["aws"]), (GCE, ["gcp"]), (BOTH, ["aws", "gcp"]), ({"infra": "local"}, [])]
)
def test_only_the_set_ups_of_a_jobs_own_clouds_are_read_before_a_launch(
    home: Home, monkeypatch: pytest.MonkeyPatch, resources: Mapping[str, object], read: list[str]
) -> None:
    asked: list[str] = []
    for name in ("aws", "gcp"):
        monkeypatch.setattr(clouds, f"{name}_setup", lambda _objects, name=name: asked.append(name))
    prepare(home, open_objects("memory://"), _job(resources), lambda _told: None)
    assert asked == read
