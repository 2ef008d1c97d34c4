from __future__ import annotations

import pytest

from fleet.providers.gcp import session
from tests.gce.standing import PROJECT, standing_google

ZONE = "us-central1-a"


def test_the_process_answers_googles_own_client_by_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from google.api_core.client_options import ClientOptions
    from google.cloud import compute_v1

    google = standing_google(monkeypatch)
    options = ClientOptions(api_endpoint=session.endpoint("compute"))
    disks = compute_v1.DisksClient(credentials=session.credentials(), client_options=options)
    operations = compute_v1.ZoneOperationsClient(credentials=session.credentials(), client_options=options)
    made = disks.insert_unary(project=PROJECT, zone=ZONE, disk_resource=compute_v1.Disk(name="kept", size_gb=500))
    assert operations.wait(project=PROJECT, zone=ZONE, operation=made.name).status == compute_v1.Operation.Status.DONE
    assert disks.get(project=PROJECT, zone=ZONE, disk="kept").status == "READY"
    assert google.faults() == []
    assert [call["method"] for call in google.calls()][-1] == "compute.disks.get"


def test_what_no_discovery_document_knows_is_a_fault_that_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    google = standing_google(monkeypatch)
    url = f"{google.url}/compute/v1/projects/{PROJECT}/zones/{ZONE}/disks"
    answer = session.authorized().post(url, json={"name": "Kept", "sizeGb": 500, "colour": "red"}, params={"colour": "red"})
    assert answer.status_code == 599
    assert len(google.faults()) == 1
    for part in ("does not fit", "sizeGb is no string", "no field 'colour'", "no parameter 'colour'"):
        assert part in google.faults()[0]


def test_plain_rest_is_signed_for_and_refused_without_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    import requests

    google = standing_google(monkeypatch)
    url = f"{google.url}/compute/v1/projects/{PROJECT}/zones/{ZONE}/disks"
    assert session.authorized().get(url).json()["kind"] == "compute#diskList"
    assert requests.get(url, timeout=5).status_code == 401
    assert len(google.calls()) == 1


def test_an_emptied_cloud_has_neither_what_was_made_nor_what_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    google = standing_google(monkeypatch)
    began = google.control("cloud", "now")
    google.control("cloud", "advance", seconds=86400)
    google.control("cloud", "pace", pace=5)
    google.control("compute", "quota", metric="GPUS_ALL_REGIONS", limit=0)
    google = standing_google(monkeypatch)
    assert google.control("cloud", "now") < began + 3600
    project = session.authorized().get(f"{google.url}/compute/v1/projects/{PROJECT}").json()
    assert {quota["metric"]: quota["limit"] for quota in project["quotas"]}["GPUS_ALL_REGIONS"] > 0
    with pytest.raises(LookupError, match="compute/nonsense"):
        google.control("compute", "nonsense")


def test_a_lost_answer_breaks_the_connection_of_a_client_of_the_process_too(monkeypatch: pytest.MonkeyPatch) -> None:
    import requests

    google = standing_google(monkeypatch)
    google.control("compute", "lose", method="compute.disks.insert")
    url = f"{google.url}/compute/v1/projects/{PROJECT}/zones/{ZONE}/disks"
    with pytest.raises(requests.ConnectionError):
        session.authorized().post(url, json={"name": "kept"})
    assert [disk["name"] for disk in session.authorized().get(url).json()["items"]] == ["kept"]


def test_whoever_waits_on_the_process_hinders_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    from concurrent.futures import ThreadPoolExecutor

    google = standing_google(monkeypatch)
    google.control("compute", "timing", disk=1e6)
    url = f"{google.url}/compute/v1/projects/{PROJECT}/zones/{ZONE}"
    made = session.authorized().post(f"{url}/disks", json={"name": "kept"}).json()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(session.authorized().post, f"{url}/operations/{made['name']}/wait")
        assert session.authorized().get(f"{url}/operations/{made['name']}").json()["status"] != "DONE"
        google.control("cloud", "advance", seconds=30_000)
        assert waiting.result(10).json()["status"] == "DONE"
