"""A set-up that somebody changed by hand is mended, field by field, and nothing else is touched."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.model.errors import FleetError
from fleet.providers.gcp.setup import free_range
from fleet.providers.keys import read_key
from fleet.providers.wanted import Step, nothing_to_do
from tests.gce.project import OTHER_KEY, REGION, Google

Changes = Callable[[Google], Any]


@pytest.fixture
def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    found = Google(tmp_path, monkeypatch)
    found.init()
    yield found
    assert found.faults == []


def bucket(google: Google, **changes: Any) -> None:
    found = google.router["storage"].shown[google.setup.bucket.removeprefix("gs://")]  # type: ignore[attr-defined]
    found.update(changes)


def open_port(google: Google) -> None:
    rule = {
        "name": "debug",
        "network": f"global/networks/{google.setup.network}",
        "allowed": [{"IPProtocol": "tcp", "ports": ["22", "8080"]}],
        "sourceRanges": ["0.0.0.0/0"],
    }
    google.calls.make("/global/firewalls", rule)


def more_rights(google: Google) -> None:
    member = f"serviceAccount:{google.setup.service_account}"
    google.ground.policies.found["project"]["bindings"].append(
        {"role": "roles/editor", "members": [member, "user:me@x.org"]}
    )


def rights_in_bucket(google: Google) -> None:
    policy = google.ground.policies.found[f"bucket {google.setup.bucket.removeprefix('gs://')}"]
    policy["bindings"] = policy["bindings"][:1]


def private(google: Google) -> None:
    path = f"/regions/{REGION}/subnetworks/{google.setup.network}/setPrivateIpGoogleAccess"
    google.calls.change(path, {"privateIpGoogleAccess": False}, "POST")


def disable(google: Google) -> None:
    google.ground.account(google.setup.service_account).disabled = True


def broken_record(google: Google) -> None:
    google.open(google.home, google.setup.bucket).put("setup/gcp.json", b"{")


CHANGED: dict[str, tuple[Changes, str, str]] = {
    "versions of deleted objects": (
        lambda g: bucket(g, softDeletePolicy={"retentionDurationSeconds": "604800"}),
        "bucket",
        "deleted objects: kept 7 days → not kept",
    ),
    "no lifecycle": (lambda g: bucket(g, lifecycle={}), "bucket", "unfinished uploads: kept → aborted after 1 day"),
    "public": (
        lambda g: bucket(
            g, iamConfiguration={"uniformBucketLevelAccess": {"enabled": True}, "publicAccessPrevention": "inherited"}
        ),
        "bucket",
        "public access: not prevented → prevented",
    ),
    "no label": (lambda g: bucket(g, labels={}), "bucket", "label: is missing"),
    "a port that is open": (open_port, "network", "inbound: debug: tcp 22,8080 from 0.0.0.0/0 → none"),
    "no private access": (private, "subnet", "google: only by a public address → reached without a public address"),
    "an account that is off": (disable, "service account", "state: off → on"),
    "more rights in the project": (more_rights, "secrets", "machines: is another"),
    "fewer rights in the bucket": (rights_in_bucket, "rights", "machines: is another"),
    "an interface that is off": (
        lambda g: g.control("serviceusage", "disable", names=["secretmanager"]),
        "apis",
        "secretmanager: off → on",
    ),
    "a record that is broken": (broken_record, "record", "all of this, for every controller"),
}


@pytest.mark.parametrize("what", CHANGED)
def test_what_was_changed_by_hand_is_mended_and_told(google: Google, what: str) -> None:
    change, kind, told = CHANGED[what]
    change(google)
    done: list[Step] = [step for step in google.init().steps if step.action != "leave"]
    assert [(step.kind, step.told) for step in done] == [(kind, told)]
    assert nothing_to_do(google.prepare().steps)


def test_what_others_have_in_the_same_policy_stays(google: Google) -> None:
    more_rights(google)
    google.init()
    bindings = google.ground.policies.get("project")["bindings"]
    assert {"role": "roles/editor", "members": ["user:me@x.org"]} in bindings


def test_other_rules_and_labels_of_the_bucket_stay(google: Google) -> None:
    other = {"action": {"type": "Delete"}, "condition": {"age": 400}}
    bucket(google, lifecycle={"rule": [other]}, labels={"team": "a"})
    google.init()
    found = google.control("storage", "bucket", bucket=google.setup.bucket.removeprefix("gs://"))
    assert found["lifecycle"]["rule"][0] == other
    assert len(found["lifecycle"]["rule"]) == 2
    assert found["labels"]["team"] == "a"


def test_a_rule_that_fleet_opened_for_a_while_is_no_strange_one(google: Google) -> None:
    rule = {
        "name": "fleet-ssh-1",
        "description": f"fleet:{google.setup.fleet_id} until 1900000000",
        "network": f"global/networks/{google.setup.network}",
        "allowed": [{"IPProtocol": "tcp", "ports": ["22"]}],
        "sourceRanges": ["198.51.100.7/32"],
    }
    google.calls.make("/global/firewalls", rule)
    assert nothing_to_do(google.prepare().steps)


def test_a_service_account_that_was_deleted_is_made_anew_with_its_rights_and_recorded(google: Google) -> None:
    before = google.setup.service_account_id
    google.calls("iam", "DELETE", f"/v1/projects/fleet-test/serviceAccounts/{google.setup.service_account}")
    done = {step.kind: step.action for step in google.init().steps if step.action != "leave"}
    assert done == {"service account": "make", "rights": "make", "secrets": "make", "record": "mend"}
    assert google.setup.service_account_id != before
    assert nothing_to_do(google.prepare().steps)
    members = [one["members"] for one in google.ground.policies.get("project")["bindings"]]
    assert members == [[f"serviceAccount:{google.setup.service_account}"]]  # nothing of the dead one is left


def test_another_key_and_another_way_out_are_recorded(google: Google) -> None:
    (google.ssh / "other.pub").write_text(OTHER_KEY)
    google.init(key=google.ssh / "other.pub", public_ip=False)
    assert (google.setup.ssh_key, google.setup.public_ip) == (OTHER_KEY, False)
    google.init(public_ip=True)
    assert google.setup.public_ip
    assert google.setup.ssh_key == OTHER_KEY


def test_without_a_key_nobody_logs_in_and_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nobody").mkdir()
    found = Google(tmp_path / "nobody", monkeypatch)
    (found.ssh / "id_ed25519.pub").unlink()
    assert any("nobody can log in" in one for one in found.prepare().warnings)
    found.init()
    assert found.setup.ssh_key is None


def test_keys_that_only_ec2_does_not_take_are_taken(tmp_path: Path) -> None:
    key = base64.b64encode(b"\0\0\0\x13ecdsa-sha2-nistp256\0\0\0\x08nistp256").decode()
    (tmp_path / "k.pub").write_text(f"ecdsa-sha2-nistp256 {key} me@here")
    assert read_key(tmp_path / "k.pub", any_kind=True).text == f"ecdsa-sha2-nistp256 {key}"
    with pytest.raises(FleetError, match="which EC2 does not take"):
        read_key(tmp_path / "k.pub")


def test_subnets_never_share_an_address() -> None:
    assert free_range([]) == "10.0.0.0/20"
    assert free_range(["10.0.0.0/20", "10.0.32.0/20"]) == "10.0.16.0/20"
    assert free_range(["10.0.0.0/16"]) == "10.1.0.0/20"
