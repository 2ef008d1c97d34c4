from __future__ import annotations

from typing import Any

import pytest

from tests.gce.clock import Clock, rfc3339, seconds_of
from tests.gce.discovery import document
from tests.gce.jsonapi import Call, Cloud, JsonApi
from tests.gce.router import Router
from tests.gce.wire import Asked, Json, Refused

_P = {"project": "p"}
_OBJECT = {"bucket": "fleet", "object": "a%2Fb"}


@pytest.mark.parametrize(
    ("api", "version", "verb", "path", "method", "params"),
    [
        (
            "compute",
            "v1",
            "GET",
            "/compute/v1/projects/p/aggregated/disks",
            "compute.disks.aggregatedList",
            {"project": "p"},
        ),
        (
            "storage",
            "v1",
            "GET",
            "/storage/v1/b/fleet/o/a%2Fb",
            "storage.objects.get",
            {"bucket": "fleet", "object": "a%2Fb"},
        ),
        (
            "secretmanager",
            "v1",
            "GET",
            "/v1/projects/p/secrets/s/versions/1:access",
            "secretmanager.projects.secrets.versions.access",
            {"name": "projects/p/secrets/s/versions/1"},
        ),
        (
            "iam",
            "v1",
            "POST",
            "/v1/projects/p/serviceAccounts/a@b:setIamPolicy",
            "iam.projects.serviceAccounts.setIamPolicy",
            {"resource": "projects/p/serviceAccounts/a@b"},
        ),
    ],
)
def test_a_path_leads_to_its_method(api: str, version: str, verb: str, path: str, method: str, params: Json) -> None:
    found = document(api, version).find(verb, path)
    assert found
    assert (found[0].id, found[1]) == (method, params)


def test_a_path_that_is_none_leads_nowhere() -> None:
    assert document("compute", "v1").find("GET", "/compute/v1/projects/p/zones/z/machines") is None
    assert document("compute", "v1").find("PUT", "/compute/v1/projects/p/zones/z/instances") is None


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"name": "x", "machineType": "t"}, ""),
        ({"machineType": "t"}, "lacks the field 'name'"),
        ({"name": "x", "machineType": "t", "colour": "red"}, "has no field 'colour'"),
        ({"name": "X_", "machineType": "t"}, "does not fit"),
        ({"name": "x", "machineType": "t", "disks": [{"boot": "true"}]}, "disks[0].boot is no boolean"),
        ({"name": "x", "machineType": "t", "disks": [{"diskSizeGb": 10}]}, "diskSizeGb is no string"),
        ({"name": "x", "machineType": "t", "disks": [{"diskSizeGb": "ten"}]}, "is no int64"),
        ({"name": "x", "machineType": "t", "disks": {}}, "disks is no array"),
        ({"name": "x", "machineType": "t", "scheduling": {"provisioningModel": "CHEAP"}}, "may not be 'CHEAP'"),
        ({"name": "x", "machineType": "t", "labels": {"fleet": 1}}, "labels.fleet is no string"),
        ({"name": "x", "machineType": "t", "guestAccelerators": [{"acceleratorCount": True}]}, "is no integer"),
        ({"name": "x", "machineType": "t", "guestAccelerators": [{"acceleratorCount": 2**31}]}, "is no int32"),
        (None, "lacks its body"),
    ],
)
def test_a_body_is_held_against_the_schema(body: Any, fault: str) -> None:
    compute = document("compute", "v1")
    faults = compute.body_faults(compute.methods["compute.instances.insert"], body)
    assert (fault in "; ".join(faults)) if fault else not faults


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ({"requestId": ["x"], "alt": ["json"]}, ""),
        ({"request_id": ["x"]}, "no parameter 'request_id'"),
        ({"requestId": ["x", "y"]}, "stands 2 times"),
        ({"prettyPrint": ["maybe"]}, "is no boolean"),
        ({"project": ["p"]}, "no parameter 'project'"),
    ],
)
def test_parameters_are_held_against_the_method(query: dict[str, list[str]], fault: str) -> None:
    compute = document("compute", "v1")
    faults = compute.query_faults(compute.methods["compute.instances.insert"], query)
    assert (fault in "; ".join(faults)) if fault else not faults


def test_repeated_parameters_may_stand_more_than_once_and_required_ones_must_stand() -> None:
    usage = document("serviceusage", "v1")
    assert usage.query_faults(usage.methods["serviceusage.services.batchGet"], {"names": ["a", "b"]}) == []
    compute = document("compute", "v1")
    faults = compute.query_faults(compute.methods["compute.instances.detachDisk"], {})
    assert faults == ["compute.instances.detachDisk lacks its parameter 'deviceName'"]


class _Wrong(JsonApi):
    name = "secretmanager"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.methods["projects.secrets.get"] = self._secret
        self.methods["projects.secrets.delete"] = self._refuse

    def _secret(self, call: Call) -> Json:
        return {"name": call.params["name"], "colour": "red"}

    def _refuse(self, call: Call) -> Json:
        raise Refused(403, "", "no", "PERMISSION_DENIED", [{"@type": "type.googleapis.com/google.rpc.ErrorInfo"}])


def test_an_answer_that_breaks_the_schema_is_the_stand_ins_own_fault() -> None:
    cloud = Cloud()
    answered = _Wrong(cloud).handle(Asked("GET", "/v1/projects/p/secrets/s"))
    assert answered
    assert answered.status == 599
    assert "the stand-in's own answer" in cloud.faults[0]


def test_a_refusal_has_googles_form_and_what_nobody_has_taught_is_left_to_others() -> None:
    api = _Wrong(Cloud())
    answered = api.handle(Asked("DELETE", "/v1/projects/p/secrets/s"))
    assert answered
    error = answered.json()["error"]
    assert (error["code"], error["status"], error["message"], len(error["details"])) == (403, "PERMISSION_DENIED", "no", 1)
    assert api.handle(Asked("GET", "/v1/projects/p/secrets")) is None


def test_times_are_written_as_google_does_and_read_back() -> None:
    assert rfc3339(1_800_000_000.25) == "2027-01-15T01:00:00.250-07:00"
    assert seconds_of(rfc3339(1_800_000_000.25)) == 1_800_000_000.25
    clock = Clock(lambda: 5.0)
    clock.advance(2)
    assert clock() == 7
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1)


def test_a_mistake_of_the_stand_in_is_told_and_breaks_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    router = Router()
    login = router.handlers["token"][0]
    monkeypatch.setattr(login, "handle", lambda asked: 1 / 0)
    assert router.ask(Asked("POST", "/token"), lambda seconds: None).status == 599
    assert "ZeroDivisionError" in router.cloud.faults[0]


def test_what_nobody_answers_is_a_fault() -> None:
    router = Router()
    token = router.control("token", "issue", {"principal": "me"})
    asked = Asked("GET", "/nowhere/v1/x", headers={"authorization": f"Bearer {token}"})
    assert router.ask(asked, lambda seconds: None).status == 599
    assert router.cloud.faults == ["nobody answers GET /nowhere/v1/x"]
