"""What a controller makes of a fleet that was set up in Google Cloud, alone or beside AWS."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from fleet.control.clouds import cloud_providers, crossing, refuse_without_setup
from fleet.control.controller import Controller
from fleet.control.function import asked_here
from fleet.control.home import Home
from fleet.control.measuring import StorageMeter
from fleet.control.presence import troubles_that_matter
from fleet.core.storage import FIRST_AFTER
from fleet.model import events as ev
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.cloud import InstanceState, LaunchRequest, NewVolume
from fleet.model.errors import FleetError, ProviderError, StoreError
from fleet.model.job import Job
from fleet.model.setup import AwsSetup
from fleet.providers.base import Provider
from fleet.providers.gcp.provider import GcpProvider
from fleet.store.journal import Journal
from fleet.store.objects import Objects
from fleet.store.opening import open_objects
from tests.gce import ground
from tests.gce.standing import Standing, standing_google
from tests.unit.core.ledger.stories import created, folded

FLEET = "fleet-1"
BOTH = {"any_of": [{"infra": "aws"}, {"infra": "gcp"}]}


def job(**resources: object) -> Job:
    return Job.model_validate({"name": "racer", "run": "true", "resources": resources, "volume": {"size": "100GB"}})


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Objects:
    made = open_objects("memory://")
    monkeypatch.setattr(type(made), "url", "gs://fleet-test")
    return made


@pytest.fixture
def google() -> Iterator[Standing]:
    with pytest.MonkeyPatch.context() as patch:
        found = standing_google(patch)
        yield found
        assert found.faults() == []


def set_up(bucket: Objects, *clouds: str, fleet: str = FLEET) -> None:
    if "gcp" in clouds:
        setup = ground.make_setup(fleet).model_copy(update={"bucket_region": "us-central1"})
        bucket.put(layout.GCP_SETUP, document_bytes(setup))
    if "aws" in clouds:
        amazon = AwsSetup(
            fleet_id=fleet, account="1", bucket="b", bucket_region="us-east-1", instance_profile="p", made_at=0
        )
        bucket.put(layout.AWS_SETUP, document_bytes(amazon))


@pytest.mark.parametrize("clouds", [(), ("aws",), ("gcp",), ("aws", "gcp")])
def test_each_cloud_that_a_fleet_was_set_up_in_has_its_provider(
    bucket: Objects, tmp_path: Path, clouds: tuple[str, ...]
) -> None:
    set_up(bucket, *clouds)
    found = cloud_providers(Home(tmp_path), FLEET, bucket)
    assert sorted(found) == list(clouds)
    for name, provider in found.items():
        assert provider.name == name


def test_a_set_up_of_another_fleet_is_refused(bucket: Objects, tmp_path: Path) -> None:
    set_up(bucket, "gcp", fleet="fleet-2")
    with pytest.raises(StoreError, match=r"another fleet \(fleet-2\)\n.*fleet init gcp"):
        cloud_providers(Home(tmp_path), FLEET, bucket)


def test_a_job_is_refused_only_if_no_cloud_can_serve_it(bucket: Objects, tmp_path: Path) -> None:
    set_up(bucket, "gcp")
    there = cloud_providers(Home(tmp_path), FLEET, bucket)
    refuse_without_setup(job(**BOTH), there)
    with pytest.raises(FleetError, match="was not set up for aws"):
        refuse_without_setup(job(infra="aws"), there)


def test_what_crosses_between_the_clouds_is_told_with_its_price() -> None:
    (told,) = crossing("s3://fleet", job(**BOTH))
    assert told.startswith("what machines on Compute Engine save goes to s3://fleet over the internet, at about $0.")
    assert [one.partition(" save")[0] for one in crossing("gs://fleet", job(**BOTH))] == ["what machines on EC2"]
    assert crossing("gs://fleet", job(infra="gcp")) == ()
    assert crossing("file:///fleet", job(infra="local")) == ()


def test_a_function_on_aws_sees_nothing_of_google_cloud_and_says_so_only_if_a_run_is_to_be_there(
    bucket: Objects, tmp_path: Path
) -> None:
    set_up(bucket, "aws", "gcp")
    seen = asked_here(cloud_providers(Home(tmp_path), FLEET, bucket))
    with pytest.raises(ProviderError, match="machines of gcp are looked after by controllers that are logged in there"):
        seen["gcp"].list("us-central1")
    assert isinstance(seen["aws"].regions(), (list, tuple))
    controller = Controller(bucket, Journal(bucket, FLEET, by="c", version="0"), FLEET, seen)
    controller.observer.troubles = {"gcp/us-central1": "why", "gcp offers": "why", "aws/us-east-1": "why"}
    assert list(troubles_that_matter(controller)) == ["aws/us-east-1"]
    controller.record([ev.RunCreated(at=1.0, run_id="r-1", name="racer", job=job(**BOTH), mounts={})])
    assert len(troubles_that_matter(controller)) == 3


def test_a_bucket_on_cloud_storage_is_counted_where_it_is(bucket: Objects) -> None:
    set_up(bucket, "gcp")
    bucket.put("runs/1", b"12345678")
    found = StorageMeter(bucket).look(folded([created()]), FIRST_AFTER)
    assert found is not None
    assert (found.provider, found.region, found.objects) == ("gcp", "us-central1", 2)


def test_a_machine_that_powered_itself_off_is_over_and_is_deleted_with_its_own_disk_alone(
    google: Standing, bucket: Objects, tmp_path: Path
) -> None:
    setup = ground.make_setup(FLEET)
    provider = GcpProvider(FLEET, setup, tmp_path / "gcp", shop=ground.shelf, sleep=lambda _: None)
    tags = {"fleet": FLEET, "run": "r-1", "attempt": "1", "try": "1", "token": "token-1"}
    request = LaunchRequest(
        token="token-1", fleet_id=FLEET, run_id="r-1", run_name="racer", attempt=1, try_no=1,
        offers=(ground.offer(),), volume=NewVolume(size_gb=100), image_id=ground.IMAGE, setup=setup.model_dump_json(),
        tags=tags,
    )  # fmt: skip
    made = provider.launch(request)
    controller = Controller(bucket, Journal(bucket, FLEET, by="c", version="0"), FLEET, {"gcp": cast("Provider", provider)})
    who = {"at": time.time(), "run_id": "r-1"}
    controller.record(
        [
            ev.RunCreated(**who, name="racer", job=job(infra="gcp"), mounts={}),
            ev.LaunchIntended(
                **who, attempt=1, try_no=1, token="token-1", offers=request.offers, volume=NewVolume(size_gb=100),
                predecessor=None, besides=(), lease_until=time.time() + 36_000, share=None, why="",
            ),
            ev.LaunchSucceeded(**who, attempt=1, try_no=1, instance=made),
            ev.RunEnded(**who, outcome="stopped", reason=""),
        ]
    )  # fmt: skip
    google.control("compute", "power_off", zone="us-central1-a", instance=made.instance_id.partition(".")[0])
    google.control("cloud", "advance", seconds=120)
    assert [one.state for one in provider.list(ground.REGION).instances] == [InstanceState.STOPPED]
    controller.tick()
    attempt = controller.state.runs["r-1"].attempts[1]
    assert (attempt.phase, attempt.ended_by) == ("gone", "itself")
    google.control("cloud", "advance", seconds=120)
    left = provider.list(ground.REGION)
    assert left.instances == ()
    assert [one.volume_id for one in left.volumes] == list(made.volume_ids)
    assert controller.state.orphans == {}
