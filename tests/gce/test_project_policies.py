"""Who may do what: the calls that are made are within the roles that fleet prints, and machines can forge nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.providers.gcp import calls as provider_calls
from fleet.providers.gcp.checks import Look, look_at
from fleet.providers.gcp.policies import (
    CONTROLLER,
    CONTROLLER_BUCKET_ROLES,
    MOST_OPERATORS,
    SETUP,
    controller_role,
    machine_bindings,
    own_only,
    secret_binding,
    setup_role,
)
from tests.gce.project import Google
from tests.gce.project_permissions import needed
from tests.gce.project_rights import PERMISSIONS, extract, holds, may, operators

EMAIL = "fleet-01234567@p.iam.gserviceaccount.com"
MEMBER = f"serviceAccount:{EMAIL}"
POLICY: dict[str, Any] = {"bindings": machine_bindings("b", EMAIL)}
OBJECT = "projects/_/buckets/b/objects/"


@pytest.fixture
def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    found = Google(tmp_path, monkeypatch)
    yield found
    assert found.faults == []


# --- machines


@pytest.mark.parametrize(
    "key",
    [
        "heartbeats/racer-ab12.1.json",
        "models/racer/model.bin",
        "runs/racer-ab12/checkpoints/1/00000001/manifest.json",
        "runs/racer-ab12/checkpoints/1/00000001/files/weights.bin",
        "runs/racer-ab12/attempts/1/log/00000001.log",
        "runs/racer-ab12/attempts/12/began.json",
        "runs/racer-ab12/attempts/12/base.json",
        "runs/racer-ab12/attempts/12/host-key.json",
        "runs/racer-ab12/attempts/12/boot.log",
    ],
)
def test_machines_write_what_a_machine_writes_and_replace_it(key: str) -> None:
    for verb in ("create", "get"):
        assert may(POLICY, MEMBER, f"storage.objects.{verb}", OBJECT + key), verb
    assert may(POLICY, MEMBER, "storage.objects.delete", OBJECT + key)  # or nothing could be replaced


@pytest.mark.parametrize("key", ["jobs/0123.tar", "agent/1.0/index.json", "runs/racer-ab12/desired.json"])
def test_what_others_write_for_them_they_read_and_do_not_write(key: str) -> None:
    assert may(POLICY, MEMBER, "storage.objects.get", OBJECT + key)
    assert not may(POLICY, MEMBER, "storage.objects.create", OBJECT + key)
    assert not may(POLICY, MEMBER, "storage.objects.delete", OBJECT + key)


@pytest.mark.parametrize(
    "key",
    [
        "runs/racer-ab12/attempts/1/launch-1.json",
        "runs/racer-ab12/attempts/1/console.txt",
        "runs/racer-ab12/attempts/2",
        "runs/began.json",
        "runs/log/began.json",
    ],
)
def test_what_controllers_and_other_machines_obey_they_cannot_write(key: str) -> None:
    assert not may(POLICY, MEMBER, "storage.objects.create", OBJECT + key)
    assert not may(POLICY, MEMBER, "storage.objects.delete", OBJECT + key)


@pytest.mark.parametrize(
    "key",
    [
        "journal/000000000001.json",
        "snapshots/1/000000000100.json",
        "fleet.json",
        "local-home.json",
        "setup/gcp.json",
        "settings/notify.json",
        "notifications/x/00000001.json",
        "images/x.json",
        "controllers/x.json",
        "reports/x",
        "other/runs/x/checkpoints/1/y",
    ],
)
def test_state_they_can_neither_read_nor_write(key: str) -> None:
    for verb in ("get", "create", "delete", "update"):
        assert not may(POLICY, MEMBER, f"storage.objects.{verb}", OBJECT + key), verb


def test_they_list_the_bucket_so_that_what_is_absent_is_not_found_instead_of_denied() -> None:
    assert may(POLICY, MEMBER, "storage.objects.list", "projects/_/buckets/b")
    assert not may(POLICY, MEMBER, "storage.buckets.update", "projects/_/buckets/b")
    assert not may(POLICY, "serviceAccount:other@p.iam.gserviceaccount.com", "storage.objects.list", "projects/_/buckets/b")


def test_of_secrets_they_read_the_fleets_own() -> None:
    policy = {"bindings": [secret_binding("123", EMAIL)]}
    right = "secretmanager.versions.access"
    assert may(policy, MEMBER, right, "projects/123/secrets/fleet-API_TOKEN/versions/1")
    assert not may(policy, MEMBER, right, "projects/123/secrets/billing-key/versions/1")
    assert not may(policy, MEMBER, right, "projects/1234/secrets/fleet-API_TOKEN/versions/1")


def test_conditions_are_short_enough_for_iam() -> None:
    conditions = [one["condition"]["expression"] for one in POLICY["bindings"] if "condition" in one]
    assert len(conditions) == 2
    for one in (*conditions, own_only()):
        assert operators(one) <= MOST_OPERATORS


def test_what_a_machine_really_asks_of_the_bucket_is_judged_so(google: Google) -> None:
    """The stand-in's objects ask the bucket's policy, as it was set."""
    plan = google.init().blueprint
    from tests.gce.objects_api import buckets

    bucket, place = buckets(google.router.cloud)[plan.bucket_name], f"projects/_/buckets/{plan.bucket_name}/objects/"
    assert bucket.allowed(plan.service_account, "storage.objects.create", f"{place}heartbeats/x.1.json")
    assert not bucket.allowed(plan.service_account, "storage.objects.create", f"{place}journal/000000000001.json")
    assert bucket.allowed("someone@fleet-test.iam.gserviceaccount.com", "storage.objects.create", f"{place}fleet.json")


# --- the stand-in's own reading of conditions


def test_extract_takes_what_stands_between() -> None:
    """As Google's own examples say."""
    assert extract("projects/p/buckets/b/objects/o", "projects/{project}/") == "p"
    assert extract("/a/order_date=2019-11-03/b", "/order_date={date}/") == "2019-11-03"
    assert extract("/a/b", "/order_date={date}/") == ""
    assert extract("a/b", "a/{rest}") == "b"


def test_a_condition_that_is_not_understood_is_an_error_of_the_test() -> None:
    with pytest.raises(ValueError, match="unknown in a condition"):
        holds('resource.name.matches("x")', "x")


# --- controllers


def test_what_changes_machines_holds_only_for_what_is_called_fleets() -> None:
    condition = own_only()
    for kind, plural in (("Instance", "instances"), ("Disk", "disks")):
        place = f"projects/p/zones/us-central1-a/{plural}/"
        assert holds(condition, f"{place}fleet-racer-1-abc", f"compute.googleapis.com/{kind}")
        assert not holds(condition, f"{place}database", f"compute.googleapis.com/{kind}")
    assert not holds(condition, "projects/p/global/firewalls/ssh", "compute.googleapis.com/Firewall")
    assert holds(condition, "projects/p", "cloudresourcemanager.googleapis.com/Project")  # listings


def test_everything_that_the_provider_calls_is_in_the_controllers_role() -> None:
    wanted = set().union(*(needed(f"compute.{method}") for method in provider_calls._METHODS))
    wanted |= needed("compute.instances.insert", {"networkInterfaces": [{"accessConfigs": [{}]}]})
    assert wanted <= set(CONTROLLER)


def test_the_controllers_role_can_make_itself_nothing() -> None:
    for one in CONTROLLER:
        looks = one.endswith((".get", ".list", "getIamPolicy"))
        assert looks or not one.startswith(("iam.", "resourcemanager.", "storage."))
    has = set().union(*(PERMISSIONS[role] for role in CONTROLLER_BUCKET_ROLES))
    assert {"storage.objects.create", "storage.objects.get", "storage.objects.list", "storage.objects.delete"} <= has
    assert not any(one.endswith("setIamPolicy") for one in has)


def test_roles_are_as_gcloud_takes_them() -> None:
    for role in (controller_role(), setup_role()):
        assert set(role) == {"title", "description", "stage", "includedPermissions"}
        assert role["includedPermissions"] == sorted(set(role["includedPermissions"]))
        assert len(role["description"]) <= 300
        assert len(role["title"]) <= 100


# --- set-up


def test_everything_that_set_up_and_teardown_call_is_in_the_role_for_it(google: Google) -> None:
    google.init(public_ip=False, iap=True)
    first = list(google.router.cloud.calls)
    name, bucket = google.setup.network, google.setup.bucket.removeprefix("gs://")
    rule = {"name": "ssh", "network": f"global/networks/{name}", "allowed": [{"IPProtocol": "tcp", "ports": ["22"]}]}
    google.ground.account(google.setup.service_account).disabled = True
    google.calls.make("/global/firewalls", rule)
    google.calls.change(f"/regions/us-central1/routers/{name}", {"nats": []})
    private = f"/regions/us-central1/subnetworks/{name}/setPrivateIpGoogleAccess"
    google.calls.change(private, {"privateIpGoogleAccess": False}, "POST")
    google.router["storage"].shown[bucket]["lifecycle"] = {}  # type: ignore[attr-defined]
    google.router.cloud.calls.clear()
    google.init("europe-west4")
    google.destroy(delete_bucket=True)
    asked = set().union(*(needed(one.method, one.body) for one in [*first, *google.router.cloud.calls]))
    assert asked <= set(SETUP)
    changes = {one for one in SETUP if not one.endswith((".get", ".list", "getIamPolicy"))}
    elsewhere = {one for one in changes if one.startswith(("storage.objects", "storage.multipart", "compute.disks"))}
    unused = changes - asked - elsewhere - {"serviceusage.services.use"}
    assert unused == set()  # nothing is asked for that is not used


def test_everything_that_doctor_calls_is_in_the_controllers_role(google: Google) -> None:
    google.init(public_ip=False, iap=True)
    google.router.cloud.calls.clear()
    list(look_at(Look(google.calls, google.setup)))
    asked = set().union(*(needed(one.method, one.body) for one in google.router.cloud.calls))
    assert asked
    assert asked <= set(CONTROLLER) | set().union(*(PERMISSIONS[role] for role in CONTROLLER_BUCKET_ROLES))
