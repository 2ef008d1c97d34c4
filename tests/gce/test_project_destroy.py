"""Tearing a project down: everything that was made goes, data stays unless it is said, nothing that lives is stranded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.control.gcp_teardown import carry_out_removal, check_removal
from fleet.model.errors import FleetError, ProviderError
from fleet.providers.gcp.names import described, labels
from fleet.providers.gcp.setup_bucket import look_at_bucket
from tests.gce.project import BUCKET, REGION, Google
from tests.gce.standing import PROJECT

ZONE = f"{REGION}-a"


@pytest.fixture
def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    found = Google(tmp_path, monkeypatch)
    found.init()
    yield found
    assert found.faults == []


def disk(google: Google, name: str = "fleet-racer-disk-1", **more: Any) -> None:
    tags = {"fleet": google.setup.fleet_id, "run": "racer-ab12"}
    body = {"name": name, "sizeGb": "500", "labels": labels(tags), "description": described(tags), **more}
    google.calls.make(f"/zones/{ZONE}/disks", {"type": f"zones/{ZONE}/diskTypes/pd-balanced", **body})


def machine(google: Google, name: str = "fleet-racer-1-abc") -> None:
    tags = {"fleet": google.setup.fleet_id, "run": "racer-ab12"}
    boot = {"sourceImage": "projects/debian-cloud/global/images/family/debian-12"}
    body = {
        "name": name,
        "machineType": f"zones/{ZONE}/machineTypes/e2-standard-4",
        "labels": labels(tags),
        "description": described(tags),
        "disks": [{"boot": True, "autoDelete": True, "initializeParams": boot}],
        "networkInterfaces": [{"subnetwork": f"regions/{REGION}/subnetworks/{google.setup.network}"}],
    }
    google.calls.make(f"/zones/{ZONE}/instances", body)


def left(google: Google) -> dict[str, int]:
    """How many of each are there."""
    world = google.router["compute"].world  # type: ignore[attr-defined]
    kinds = ("networks", "subnetworks", "firewalls", "routers", "disks", "instances")
    found = {kind: len(list(world.all(kind))) for kind in kinds}
    found["accounts"] = len(google.ground.accounts)
    found["rights"] = len([one for one in google.ground.policies.found.values() if one["bindings"]])
    return {kind: count for kind, count in found.items() if count}


def test_everything_goes_but_the_bucket_and_what_is_in_it(google: Google) -> None:
    google.init("europe-west4", public_ip=False, iap=True)
    doomed = google.destroy()
    assert left(google) == {}
    kinds = [step.kind for step in doomed.steps if step.action == "remove"]
    assert kinds == [
        "rule", "router", "router", "subnet", "subnet", "network", "secrets", "rights", "service account", "record"
    ]  # fmt: skip
    assert [(step.kind, step.action) for step in doomed.steps][-1] == ("bucket", "leave")
    google.open(google.home, BUCKET).get("fleet.json")
    assert google.home.gcp() is None
    assert google.doomed().steps == [doomed.steps[-1]]  # a second time only the bucket is left


def test_set_up_again_it_is_the_same_fleet(google: Google) -> None:
    before = google.setup.fleet_id
    google.destroy()
    assert google.init().blueprint.fleet_id == before


def test_the_bucket_goes_with_all_that_is_in_it_what_says_whose_it_is_last(google: Google) -> None:
    objects = google.open(google.home, BUCKET)
    for number in range(40):
        objects.put(f"runs/racer-ab12/checkpoints/1/{number:08d}/files/weights.bin", b"x" * 1000)
    doomed = google.doomed(delete_bucket=True)
    step = next(one for one in doomed.steps if one.kind == "bucket")
    assert "runs/ 40, 40 kB" in step.told
    google.router.cloud.calls.clear()
    google.destroy(delete_bucket=True)
    deleted = [one.params["object"] for one in google.router.cloud.calls if one.method == "storage.objects.delete"]
    assert deleted[-1] == "fleet.json"
    assert look_at_bucket(google.calls, BUCKET.removeprefix("gs://"), "") is None
    assert BUCKET not in google.home.known_buckets()


def test_a_teardown_that_is_killed_anywhere_is_completed_by_the_next(google: Google) -> None:
    class Killed(BaseException):
        pass

    def kill(_step: Any) -> None:
        raise Killed

    for _ in range(20):
        doomed = google.doomed(delete_bucket=True)
        if doomed.idle:
            break
        with pytest.raises(Killed):
            carry_out_removal(google.home, doomed, kill)
    assert left(google) == {}
    assert doomed.steps == []


def test_while_a_machine_lives_nothing_is_removed(google: Google) -> None:
    machine(google)
    doomed = google.doomed()
    with pytest.raises(FleetError, match=r"machines live: fleet-racer-1-abc\.us-central1-a") as raised:
        check_removal(google.home, doomed, delete_bucket=False)
    assert "`fleet down racer-ab12`" in raised.value.hint
    assert left(google)["instances"] == 1


def test_a_disk_is_never_left_where_nobody_looks_for_it(google: Google) -> None:
    disk(google)
    with pytest.raises(FleetError, match="volumes and snapshots would be left") as raised:
        google.destroy()
    assert r"$50.00 a month" in raised.value.message
    doomed = google.destroy(delete_volumes=True)
    told = next(step.told for step in doomed.steps if step.kind == "volume")
    assert told == "500 GB of run racer-ab12, $50.00 a month, and everything on it"
    assert left(google) == {}


def test_what_carries_no_label_of_this_fleet_is_not_looked_at(google: Google) -> None:
    disk(google, "database", labels={"team": "a"})
    google.destroy(delete_volumes=True)
    assert left(google) == {"disks": 1}


def test_a_bucket_with_somebody_elses_things_is_not_deleted(google: Google) -> None:
    google.control("storage", "put", bucket=BUCKET.removeprefix("gs://"), key="holiday/photo.jpg", text="x")
    with pytest.raises(FleetError, match="holds what fleet did not write: holiday"):
        google.destroy(delete_bucket=True)


def test_what_is_gone_already_is_success(google: Google) -> None:
    doomed = google.doomed(delete_bucket=True)
    google.destroy(delete_bucket=True)
    carry_out_removal(google.home, doomed, lambda _: None)
    assert left(google) == {}


def test_a_subnet_that_a_machine_holds_still_says_what_to_do(google: Google) -> None:
    machine(google)
    name = google.setup.network
    from fleet.providers.gcp.removing import remove
    from fleet.providers.remains import Removal

    with pytest.raises(ProviderError) as raised:
        remove(google.calls, Removal("remove", "subnet", REGION, name, ""), google.prepare().blueprint)
    assert "the same command removes the rest" in raised.value.hint


def test_in_a_project_without_a_fleet_there_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "new").mkdir()
    found = Google(tmp_path / "new", monkeypatch)
    assert found.doomed().steps == []
    assert found.changes() == []
    assert found.calls.project == PROJECT


def test_without_its_interface_nothing_in_compute_engine_can_be_left(google: Google) -> None:
    google.control("serviceusage", "disable", names=["compute", "iam", "cloudresourcemanager"])
    kinds = {step.kind for step in google.doomed().steps}
    assert kinds == {"rights", "record", "bucket"}
