"""`fleet doctor gcp`, check by check: what is good is told in a line, what is not with what to do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.model.errors import ErrorClass, ProviderError
from fleet.model.job import Job
from fleet.providers.gcp import session
from fleet.providers.gcp.allowances import allowances, of_project, of_region
from fleet.providers.gcp.checks import Look, clock, judge_permissions, look_at
from fleet.providers.gcp.checks_bucket import judge_place
from fleet.providers.gcp.quotas import Quota
from fleet.providers.looked import Checked
from tests.gce.project import BUCKET, REGION, Google
from tests.gce.standing import PROJECT


@pytest.fixture
def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    found = Google(tmp_path, monkeypatch)
    found.init()
    yield found
    assert found.faults == []


def looked(google: Google, job: Any = None, **more: Any) -> list[Checked]:
    return list(look_at(Look(google.calls, more.pop("setup", google.setup), job, **more), seconds=60))


def of(found: list[Checked], what: str) -> list[tuple[str, str]]:
    return [(one.state, one.told) for one in found if one.what == what]


def job(infra: str, *types: str, **more: Any) -> Job:
    return Job.model_validate({"name": "x", "run": "a", "resources": {"infra": infra, "instance_type": types, **more}})


def quota(google: Google, metric: str, limit: float, region: str = "global") -> None:
    google.control("compute", "quota", region=region, metric=metric, limit=limit)


def test_in_a_project_that_is_right_everything_is_good(google: Google) -> None:
    quota(google, "GPUS_ALL_REGIONS", 1)
    for gpu in ("T4", "L4", "A100"):
        quota(google, f"PREEMPTIBLE_NVIDIA_{gpu}_GPUS", 1, REGION)
    quota(google, "SSD_TOTAL_GB", 1000, REGION)
    found = looked(google)
    assert [one for one in found if one.state != "good"] == []
    assert {one.what for one in found} == {
        "login", "gpus", "set-up", "billing", "interfaces", "permission", "quota", "inbound", "subnet", "egress", "account",
        "secrets", "settings", "place", "rights", "clock",
    }  # fmt: skip


def test_whether_it_may_have_a_gpu_is_said_first_and_what_a_free_trial_means(google: Google) -> None:
    quota(google, "GPUS_ALL_REGIONS", 0)
    found = looked(google)
    first = next(one for one in found if one.what not in ("login", "clock"))
    assert (first.what, first.state) == ("gpus", "bad")
    assert "free trial never gets one: upgrade it" in first.told
    assert f"https://console.cloud.google.com/iam-admin/quotas?project={PROJECT}" in first.remedy


def test_a_job_without_a_gpu_needs_none(google: Google) -> None:
    quota(google, "GPUS_ALL_REGIONS", 0)
    found = looked(google, job("gcp", "e2-standard-4"))
    assert [state for state, _ in of(found, "gpus")] == ["note"]
    assert not any("T4" in told for _, told in of(found, "quota"))
    assert any("1 L4" in told or "8 L4" in told for _, told in of(looked(google, job("gcp", "g2-standard-4")), "quota"))


def test_of_a_jobs_types_it_says_where_each_is_sold(google: Google) -> None:
    found = looked(google, job("gcp/us-central1", "e2-standard-4", "n9-mega-1", accelerators="T4:1"))
    told = of(found, "offered")
    assert ("good", "us-central1: e2-standard-4 in us-central1-a, us-central1-b, us-central1-c, us-central1-f") in told
    assert ("note", "us-central1: n9-mega-1 is sold in no zone") in told
    assert any(state == "good" and "T4 in us-central1-a" in text for state, text in told)
    alone = of(looked(google, job("gcp", "n9-mega-1")), "offered")
    assert alone == [("bad", "us-central1: n9-mega-1 is sold in no zone")]


def test_a_region_that_was_not_set_up_is_told_with_the_command(google: Google) -> None:
    found = looked(google, job("gcp/europe-west4", "e2-standard-4"))
    (one,) = [each for each in found if each.what == "set-up"]
    assert (one.state, one.remedy) == ("bad", "fleet init gcp --region europe-west4")


def test_without_a_login_nothing_else_is_asked(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> None:
        raise ProviderError(ErrorClass.CREDENTIALS, "DefaultCredentialsError", "no Google credentials", "Log in: gcloud …")

    monkeypatch.setattr(session, "found", nobody)
    found = looked(google)
    assert [(one.what, one.state) for one in found] == [("login", "bad"), ("others", "note")]
    assert found[0].remedy == "Log in: gcloud …"


def test_without_a_set_up_the_command_is_told_and_the_project_looked_at_all_the_same(google: Google) -> None:
    found = looked(google, setup=None)
    assert of(found, "set-up") == [("bad", "there is none in a bucket that is known here")]
    assert of(found, "billing")[0][0] == "good"
    told = looked(google, setup=None, unread="gs://x cannot be read")
    assert of(told, "set-up") == [("note", "cannot be told: gs://x cannot be read")]


@pytest.mark.parametrize(
    ("break_it", "what", "told"),
    [
        (lambda g: g.control("cloudbilling", "unpaid"), "billing", "no billing account: nothing can run in it"),
        (
            lambda g: g.control("serviceusage", "disable", names=["secretmanager"]),
            "interfaces",
            "not enabled: secretmanager",
        ),
        (
            lambda g: g.control("cloudresourcemanager", "deny", permissions=["compute.subnetworks.use"]),
            "permission",
            "compute.subnetworks.use is denied",
        ),
        (
            lambda g: g.control("cloudresourcemanager", "deny", permissions=["iam.serviceAccounts.actAs"]),
            "permission",
            "iam.serviceAccounts.actAs is denied on fleet-",
        ),
        (lambda g: g.calls.remove(f"/regions/{REGION}/subnetworks/{g.setup.network}"), "subnet", "its subnet is gone"),
        (lambda g: setattr(g.ground.account(g.setup.service_account), "disabled", True), "account", "is disabled"),
        (lambda g: g.ground.accounts.clear(), "account", "is gone: launches fail"),
        (lambda g: g.ground.policies.found.pop(f"bucket {BUCKET[5:]}"), "rights", "is not what `fleet init gcp` gave"),
        (lambda g: g.router["storage"].shown.clear(), "settings", "there is no bucket"),
        (lambda g: quota(g, "CPUS", 2, REGION), "quota", "2 processors: too few for a machine with 4"),
        (
            lambda g: quota(g, "SSD_TOTAL_GB", 500, REGION),
            "quota",
            "500 GB of balanced disk: too few for a volume",
        ),
    ],
)
def test_what_is_wrong_is_bad_and_says_what_to_do(google: Google, break_it: Any, what: str, told: str) -> None:
    break_it(google)
    bad = [one for one in looked(google) if one.what == what and one.state == "bad"]
    assert any(told in one.told for one in bad), [one.told for one in bad]
    assert all(one.remedy for one in bad)


def test_a_port_that_somebody_opened_is_bad(google: Google) -> None:
    rule = {"name": "x", "network": f"global/networks/{google.setup.network}", "allowed": [{"IPProtocol": "all"}]}
    google.calls.make("/global/firewalls", rule)
    ((state, told),) = of(looked(google), "inbound")
    assert (state, told) == ("bad", f"{google.setup.network} is open: x: all all from 0.0.0.0/0")


def test_a_machine_without_an_address_needs_a_nat(google: Google) -> None:
    google.init(public_ip=False)
    assert of(looked(google), "egress") == [("good", f"{REGION}: machines reach the world through a NAT")]
    google.calls.remove(f"/regions/{REGION}/routers/{google.setup.network}")
    assert [state for state, _ in of(looked(google), "egress")] == ["bad"]


# --- judging


def test_rights_that_hold_only_for_what_is_called_fleets_are_not_called_denied() -> None:
    wanted = ["compute.instances.create", "compute.instances.list", "compute.images.get"]
    found = judge_permissions(wanted, {"compute.images.get"})
    assert [(one.state, one.told.split(" ")[0]) for one in found] == [
        ("good", "1"), ("bad", "compute.instances.list"), ("note", "cannot")
    ]  # fmt: skip
    assert "compute.instances.create" in found[-1].told


def test_a_bucket_elsewhere_is_told_with_what_that_costs() -> None:
    assert judge_place("b", "us-central1", ["us-central1"]).state == "good"
    assert judge_place("b", "us", ["us-central1"]).state == "good"
    far = judge_place("b", "europe-west4", ["us-central1", "europe-west4"])
    assert far.state == "note"
    assert "machines in us-central1 send to it across regions" in far.told


def test_the_clock_is_compared_with_googles() -> None:
    now = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() - 900))
    assert [one.state for one in clock({"date": now})] == ["bad"]
    assert clock({}) == []


def told_quotas(**limits: tuple[float, float]) -> dict[str, Quota]:
    return {metric: Quota(metric, REGION, *both) for metric, both in limits.items()}


def test_spot_takes_its_own_quota_once_there_is_one() -> None:
    known = told_quotas(NVIDIA_T4_GPUS=(4.0, 4.0), PREEMPTIBLE_NVIDIA_T4_GPUS=(0.0, 0.0))
    assert not of_region("p", REGION, known)[0].enough  # all on-demand ones are in use, and spot has none of its own
    known |= told_quotas(PREEMPTIBLE_NVIDIA_T4_GPUS=(1.0, 0.0))
    t4 = of_region("p", REGION, known)[0]
    assert t4.enough
    assert t4.told == "1 T4 on spot, 4 on demand"


def test_all_gpus_in_use_is_something_else_than_none() -> None:
    assert of_project("p", told_quotas(GPUS_ALL_REGIONS=(2.0, 2.0))).told == "all 2 GPUs are in use: ask for more"
    assert of_project("p", {}).limit == 0


def test_quotas_that_cannot_be_looked_at_are_told_and_stop_nothing(google: Google) -> None:
    google.control("compute", "fail", method="compute.*.get", times=99, status=403, reason="forbidden", message="no")
    found = allowances(google.calls, [REGION])
    google.control("compute", "peace")
    assert [one.limit for one in found] == [None, None]
    assert all("cannot be looked at (forbidden)" in one.told for one in found)
