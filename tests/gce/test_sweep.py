"""What lies about in a project and nobody owns: found in every region, priced, and removed on a word."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.control.inventory import collect, unowned
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.cloud import LaunchRequest, NewVolume
from fleet.model.setup import GcpSetup
from fleet.providers.gcp import calls
from fleet.providers.gcp.provider import GcpProvider
from fleet.providers.gcp.rules import rule
from fleet.providers.gcp.sweep import Found, strays
from fleet.providers.gcp.uploads import Unfinished
from fleet.providers.strays import Owned
from tests.gce import ground
from tests.gce.standing import PROJECT, Standing, standing_google
from tests.ssh.fleet import BOOK, Fleet
from tests.unit.core.world import RUN

NOW = 1_764_000_000.0
OLD, NEW = "2025-11-24T04:00:00.000-08:00", "2025-11-24T07:50:00.000-08:00"


def tags(run: str, token: str) -> dict[str, str]:
    return {"fleet": BOOK, "run": run, "attempt": "1", "try": "1", "token": token}


def request(setup: GcpSetup, run: str, token: str) -> LaunchRequest:
    return LaunchRequest(
        token=token, fleet_id=BOOK, run_id=run, run_name="racer", attempt=1, try_no=1, offers=(ground.offer(),),
        volume=NewVolume(size_gb=100), image_id=ground.IMAGE, setup=setup.model_dump_json(), tags=tags(run, token),
    )  # fmt: skip


@pytest.fixture
def google() -> Iterator[Standing]:
    with pytest.MonkeyPatch.context() as patch:
        found = standing_google(patch)
        yield found
        assert found.faults() == []


@pytest.fixture
def fleet(tmp_path: Path, google: Standing, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    made = Fleet(tmp_path / "bucket")
    monkeypatch.setattr(made.objects, "url", "gs://fleet-test")
    setup = ground.make_setup(BOOK).model_copy(update={"bucket": "s3://bucket"})  # no uploads are looked for there
    made.objects.put(layout.GCP_SETUP, document_bytes(setup))
    return made


def test_only_what_nobody_owns_is_found_and_exactly_that_is_removed(
    google: Standing, fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = ground.make_setup(BOOK)
    provider = GcpProvider(BOOK, setup, tmp_path / "gcp", shop=ground.shelf, sleep=lambda _: None)
    monkeypatch.setattr("fleet.providers.gcp.sweeping.offers", lambda _, region, cache: ground.shelf(region))
    fleet.record({"launch-intended": {"token": "token-1"}})
    mine = provider.launch(request(setup, RUN, "token-1"))
    stranger = provider.launch(request(setup, "gone-1", "token-9"))
    until = int(time.time()) - 100
    calls.compute("firewalls.insert", project=PROJECT, body=rule(setup, "198.51.100.7/32", until))
    controller = fleet.controller()
    controller.observer.providers = {"gcp": provider}
    fleet.objects._clock = lambda: time.time() + 60
    young = unowned(controller)
    assert [one.kind for one in young] == ["ingress-rule"]
    fleet.objects._clock = lambda: time.time() + 7200
    found = {one.kind: one for one in unowned(controller)}
    assert {kind: one.id for kind, one in found.items() if kind != "ingress-rule"} == {
        "machine": stranger.instance_id,
        "volume": stranger.volume_ids[0],
    }
    assert "no attempt of this fleet owns it (e2-standard-4, running)" in found["machine"].why
    assert found["machine"].monthly > 40_200 * 730
    assert "run gone-1 is not this fleet's; attached to" in found["volume"].why
    assert found["ingress-rule"].why == "port 22 was open for 198.51.100.7/32, and that is over"
    for kind in ("machine", "ingress-rule"):
        collect(controller, found[kind])
    google.control("cloud", "advance", seconds=300)
    collect(controller, found["volume"])
    google.control("cloud", "advance", seconds=300)
    assert unowned(controller) == []
    left = provider.list(ground.REGION)
    assert [one.instance_id for one in left.instances] == [mine.instance_id]
    assert [one.volume_id for one in left.volumes] == list(mine.volume_ids)
    assert provider.access_rules(ground.REGION) == []


def machine(name: str, created: str = OLD, **more: Any) -> dict[str, Any]:
    return {
        "name": name, "zone": "zones/us-east1-b", "status": "RUNNING", "creationTimestamp": created,
        "machineType": "zones/us-east1-b/machineTypes/e2-standard-4", "labels": {"fleet": "f1"},
        "description": '{"fleet":{"fleet":"f1"}}', "disks": [{"boot": True, "autoDelete": True, "diskSizeGb": "30"}], **more,
    }  # fmt: skip


def disk(name: str, created: str = OLD, **more: Any) -> dict[str, Any]:
    return {
        "name": name, "zone": "zones/us-east1-b", "status": "READY", "creationTimestamp": created, "sizeGb": "500",
        "labels": {"fleet": "f1"}, **more,
    }  # fmt: skip


def found_of(found: Found, owned: Owned | None = None) -> list[tuple[str, str, int]]:
    setup = ground.make_setup("f1")
    return [
        (one.kind, one.id, one.monthly) for one in strays(found, setup, owned or Owned(), NOW, lambda _: 100_000, 20_000)
    ]


def test_a_machine_that_is_stopped_costs_its_own_disk_and_a_young_or_another_fleets_is_left_alone() -> None:
    stopped = machine("still", status="TERMINATED")
    other = machine("other", labels={"fleet": "f2"})
    for_sale = Found(machines=[stopped, other, machine("young", created=NEW), machine("ends", status="STOPPING")])
    assert found_of(for_sale) == [("machine", "still.us-east1-b", 3_000_000), ("machine", "ends.us-east1-b", 3_000_000)]


def test_a_machine_that_is_an_attempts_is_its_own() -> None:
    said = '{"fleet":{"fleet":"f1","run":"r-1","token":"t-1"}}'
    one = Found(machines=[machine("known", description=said)])
    assert found_of(one, Owned(frozenset({"r-1"}), frozenset({"known.us-east1-b"}))) == []
    assert found_of(one, Owned(frozenset({"r-1"}), tokens=frozenset({"t-1"}))) == []
    assert len(found_of(one, Owned(frozenset({"r-1"})))) == 1


def test_a_machines_own_disk_is_found_once_its_machine_is_gone() -> None:
    left = disk("fleet-root", sourceImage="projects/x/global/images/y")
    held = disk("fleet-used", sourceImage="projects/x/global/images/y", users=["zones/us-east1-b/instances/m"])
    found = found_of(Found(disks=[left, held, disk("fleet-young", created=NEW)]))
    assert found == [("volume", "fleet-root.us-east1-b", 50_000_000)]


def test_what_somebody_gave_the_fleets_label_for_the_bills_sake_is_left_alone() -> None:
    theirs = disk("scratch", sourceImage="projects/x/global/images/y")
    assert found_of(Found(machines=[machine("notebook", description="my notebook")], disks=[theirs])) == []


def test_an_upload_is_given_a_day() -> None:
    uploads = [Unfinished("runs/a", "u-1", NOW - 90_000, 5 * 10**9), Unfinished("runs/b", "u-2", NOW - 80_000, 10**9)]
    assert found_of(Found(uploads=uploads)) == [("upload", "u-1", 100_000)]
