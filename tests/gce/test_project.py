"""Setting a project up, against the stand-in: from nothing, from every half-made state, again and again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.control import gcp_setup
from fleet.model.errors import FleetError, ProviderError
from fleet.providers.gcp import setup_rights as rights
from fleet.providers.gcp.policies import machine_bindings, secret_binding
from fleet.providers.wanted import nothing_to_do
from tests.gce.project import BUCKET, KEY, OTHER_KEY, REGION, Google, actions
from tests.gce.standing import PROJECT


@pytest.fixture
def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    for name in ("GOOGLE_CLOUD_PROJECT", "CLOUDSDK_COMPUTE_REGION"):
        monkeypatch.delenv(name, raising=False)
    found = Google(tmp_path, monkeypatch)
    yield found
    assert found.faults == []


# --- from nothing


def test_from_nothing_everything_is_made_as_it_is_wanted(google: Google) -> None:
    prepared = google.init()
    plan, name = prepared.blueprint, prepared.blueprint.name
    bucket = google.control("storage", "bucket", bucket=plan.bucket_name)
    assert bucket["iamConfiguration"] == {
        "uniformBucketLevelAccess": {"enabled": True}, "publicAccessPrevention": "enforced"
    }  # fmt: skip
    assert bucket["lifecycle"]["rule"] == [{"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 1}}]
    assert (bucket["softDeletePolicy"], bucket["location"]) == ({"retentionDurationSeconds": "0"}, REGION.upper())
    assert bucket["labels"] == {"fleet": plan.fleet_id}
    email = f"{name}@{PROJECT}.iam.gserviceaccount.com"
    assert list(google.ground.accounts) == [email]
    assert rights.bindings_of(google.ground.policies.get(f"bucket {plan.bucket_name}"), email) == machine_bindings(
        plan.bucket_name, email
    )
    assert rights.bindings_of(google.ground.policies.get("project"), email) == [secret_binding(plan.number, email)]
    network = google.calls.compute("GET", f"/global/networks/{name}")
    assert network["autoCreateSubnetworks"] is False
    assert google.calls.compute("GET", "/global/firewalls").get("items", []) == []
    subnet = google.calls.compute("GET", f"/regions/{REGION}/subnetworks/{name}")
    assert (subnet["ipCidrRange"], subnet["privateIpGoogleAccess"]) == ("10.0.0.0/20", True)
    assert google.router.cloud.disabled == {"iap", "iamcredentials", "sts"}


def test_the_record_names_what_was_made_and_the_computer_remembers_where(google: Google) -> None:
    plan = google.init().blueprint
    setup = google.setup
    assert (setup.fleet_id, setup.project, setup.number, setup.bucket) == (plan.fleet_id, PROJECT, "123456789012", BUCKET)
    assert (setup.network, setup.service_account) == (plan.name, plan.service_account)
    assert setup.service_account_id == google.ground.account(plan.service_account).unique_id
    assert setup.regions[REGION].subnetwork == plan.name
    assert setup.regions[REGION].zones == ("us-central1-a", "us-central1-b", "us-central1-c", "us-central1-f")
    assert (setup.ssh_key, setup.public_ip, setup.iap) == (KEY, True, False)
    known = google.home.gcp()
    assert known is not None
    assert (known.bucket, known.project, known.regions) == (BUCKET, PROJECT, (REGION,))
    assert BUCKET in google.home.known_buckets()
    google.open(google.home, BUCKET).get("fleet.json")


def test_a_second_time_nothing_is_changed(google: Google) -> None:
    google.init()
    google.router.cloud.calls.clear()
    google.slept.clear()
    assert nothing_to_do(google.init().steps)
    assert google.changes() == []
    assert google.slept == []


def test_from_another_computer_the_same_is_found(google: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    google.init()
    other = google.home.__class__(tmp_path / "elsewhere")
    other.path.mkdir()
    (google.ssh / "id_ed25519.pub").write_text(OTHER_KEY)
    google.home, first = other, google.home
    assert nothing_to_do(google.init().steps)  # another computer's key does not replace the one that is there
    assert other.gcp() == first.gcp()


def test_another_region_is_added_and_the_first_one_left(google: Google) -> None:
    google.init()
    done = {where for where, action in actions(google.init("europe-west4")).items() if action != "leave"}
    assert done == {"subnet europe-west4", "record"}
    assert set(google.setup.regions) == {REGION, "europe-west4"}
    subnet = google.calls.compute("GET", f"/regions/europe-west4/subnetworks/{google.setup.network}")
    assert subnet["ipCidrRange"] == "10.0.16.0/20"
    assert nothing_to_do(google.prepare().steps)


def test_without_public_addresses_machines_get_a_way_out_and_the_proxy_a_way_in(google: Google) -> None:
    google.init(public_ip=False, iap=True)
    name, fleet = google.setup.network, google.setup.fleet_id
    router = google.calls.compute("GET", f"/regions/{REGION}/routers/{name}")
    assert router["nats"][0]["sourceSubnetworkIpRangesToNat"] == "ALL_SUBNETWORKS_ALL_IP_RANGES"
    rule = google.calls.compute("GET", f"/global/firewalls/{name}-iap")
    assert (rule["sourceRanges"], rule["targetTags"]) == (["35.235.240.0/20"], [f"fleet-{fleet}"])
    assert rule["allowed"] == [{"IPProtocol": "tcp", "ports": ["22"]}]
    assert "iap" not in google.router.cloud.disabled
    assert (google.setup.public_ip, google.setup.iap) == (False, True)
    assert nothing_to_do(google.prepare().steps)  # what was said once holds


# --- broken off


class Killed(BaseException):
    """As a kill: nothing catches it."""


def test_a_set_up_that_is_killed_before_any_change_is_completed_by_the_next_one(google: Google) -> None:
    """One change more each time; each time the next run begins where the last one was killed."""
    real = google.calls.once
    left = [0]

    def once(api: str, method: str, path: str, *rest: Any, **more: Any) -> Any:
        if method != "GET" and not path.endswith(("getIamPolicy", "/wait")):
            left[0] -= 1
            if left[0] < 0:
                raise Killed
        return real(api, method, path, *rest, **more)

    google.calls.once = once  # type: ignore[method-assign]
    kills = 0
    while kills < 30:
        left[0] = 1
        try:
            google.init()
            break
        except Killed:
            kills += 1
    left[0] = 0
    assert 6 <= kills < 30  # at so many different places
    assert nothing_to_do(google.prepare().steps)
    assert len(google.ground.accounts) == 1
    assert len(google.calls.compute("GET", "/global/networks")["items"]) == 1
    bindings = google.ground.policies.get(f"bucket {BUCKET.removeprefix('gs://')}")["bindings"]
    assert len(bindings) == 3


def test_a_set_up_that_is_killed_between_any_two_steps_is_completed_by_the_next_one(google: Google) -> None:
    kinds = []
    for _ in range(20):
        prepared = google.prepare()
        if nothing_to_do(prepared.steps):
            break

        def killed(step: Any) -> None:
            kinds.append(step.kind)
            raise Killed

        with pytest.raises(Killed):
            gcp_setup.carry_out(google.home, prepared, killed)
    assert kinds == [step.kind for step in prepared.steps]  # each once, in order: what was made was never made again


@pytest.mark.parametrize("kind", ["lose", "fail"])
def test_answers_that_are_lost_or_fail_for_a_moment_do_not_end_it(google: Google, kind: str) -> None:
    """Every method's first call, one after the other: it is made again, and finds its own work."""
    for name in ("serviceusage", "cloudresourcemanager", "iam", "storage", "compute", "cloudbilling"):
        for method in google.router[name].methods:  # type: ignore[attr-defined]
            google.control(name, kind, method=f"{name}.{method}", times=1)
    google.init()
    assert google.slept
    assert nothing_to_do(google.prepare().steps)
    assert len(google.ground.accounts) == 1


def test_an_account_that_is_not_known_everywhere_yet_is_waited_for(google: Google) -> None:
    google.control("iam", "slow", times=3)
    google.init()
    assert google.slept.count(3.0) == 3
    assert nothing_to_do(google.prepare().steps)


def test_a_policy_that_somebody_else_writes_meanwhile_is_read_again_and_theirs_kept(google: Google) -> None:
    google.init()
    email, theirs = google.setup.service_account, {"role": "roles/viewer", "members": ["user:you@example.com"]}
    policy = rights.project_policy(google.calls)
    assert policy is not None
    google.ground.policies.found["project"]["bindings"].append(theirs)
    with pytest.raises(ProviderError):  # as whoever writes what was read before
        google.calls(
            "cloudresourcemanager", "POST", f"/v3/projects/{PROJECT}:setIamPolicy", {"policy": {**policy, "bindings": []}}
        )
    rights.set_in_project(google.calls, email, [])
    assert google.ground.policies.get("project")["bindings"] == [theirs]
    google.init()
    assert theirs in google.ground.policies.get("project")["bindings"]


# --- what cannot be


def test_a_bucket_that_somebody_else_has_is_told(google: Google) -> None:
    google.control("storage", "stranger", bucket=BUCKET.removeprefix("gs://"))
    with pytest.raises(FleetError, match="another project's"):
        google.prepare()


def test_without_a_billing_account_nothing_is_begun(google: Google) -> None:
    google.control("cloudbilling", "unpaid")
    google.router.cloud.disabled.discard("cloudbilling")
    with pytest.raises(FleetError, match="no billing account: nothing can run"):
        google.prepare()


def test_where_billing_cannot_be_looked_at_yet_enabling_says_it(google: Google) -> None:
    google.control("cloudbilling", "unpaid")
    assert any("cannot be told" in one for one in google.prepare().warnings)
    with pytest.raises(ProviderError, match="Billing account for project"):
        google.init()


@pytest.mark.parametrize(
    ("region", "told"), [("us-central1-a", "is no region's name"), ("Frankfurt", "is no region's name")]
)
def test_what_is_no_region_is_refused_before_anything_is_made(google: Google, region: str, told: str) -> None:
    with pytest.raises(FleetError, match=told):
        google.prepare(region)
    assert google.changes() == []


def test_a_region_that_is_not_there_is_told_with_the_nearest(google: Google) -> None:
    google.init()
    with pytest.raises(FleetError, match="did you mean 'us-central1'"):
        google.prepare("us-central2")


def test_another_project_is_told_as_not_yours(google: Google) -> None:
    google.calls.project = "somebody-elses"
    with pytest.raises(ProviderError, match="Permission denied on resource project somebody-elses") as raised:
        google.prepare()
    assert "fleet policy gcp --setup" in raised.value.hint
