"""Google's words for a refusal, and its libraries' own, as classes; and what the user is told to do."""

from __future__ import annotations

import json
import sys

import google.auth.exceptions as auth
import pytest
import requests
from google.api_core import exceptions as core
from google.protobuf.json_format import ParseError

from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.gcp import errors, rest
from fleet.providers.gcp.errors import CODES, IMAGE_GONE, answer_refusal, class_of, operation_refusal, refusal, translated

DESIGN = {
    ErrorClass.CAPACITY: "ZONE_RESOURCE_POOL_EXHAUSTED ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS insufficientCapacity",
    ErrorClass.UNAVAILABLE: "UNSUPPORTED_OPERATION",
    ErrorClass.PRICE: "bidTooLow",
    ErrorClass.QUOTA: "QUOTA_EXCEEDED quotaExceeded",
    ErrorClass.THROTTLED: "rateLimitExceeded RATE_LIMIT_EXCEEDED RESOURCE_OPERATION_RATE_EXCEEDED",
    ErrorClass.TRANSIENT: "backendError INTERNAL_ERROR SERVICE_UNAVAILABLE",
    ErrorClass.NOT_YET: "resourceNotReady RESOURCE_NOT_READY resourceInUseByAnotherResource",
    ErrorClass.CREDENTIALS: "authError UNAUTHENTICATED ACCESS_TOKEN_EXPIRED",
    ErrorClass.DENIED: "forbidden PERMISSION_DENIED accessNotConfigured SERVICE_DISABLED BILLING_DISABLED",
    ErrorClass.INVALID: "invalid badRequest notFound alreadyExists RESOURCE_ALREADY_EXISTS conditionNotMet",
}

SAID = [
    # Machine types, accelerators and disks that a zone or a machine does not have.
    (
        "invalid",
        "Invalid value for field 'resource.machineType': 'x'. Machine type with name 'x' does not exist in zone 'y'.",
        ErrorClass.UNAVAILABLE,
    ),
    (
        "RESOURCE_NOT_FOUND",
        "The resource 'projects/p/zones/us-central1-f/acceleratorTypes/nvidia-tesla-t4' was not found",
        ErrorClass.UNAVAILABLE,
    ),
    (
        "badRequest",
        "[c4-standard-2, pd-balanced] features are not compatible for creating instance.",
        ErrorClass.UNAVAILABLE,
    ),
    ("invalid", "Invalid value for field 'zone': 'nowhere'. Unknown zone.", ErrorClass.INVALID),
    ("notFound", "The resource 'projects/p/regions/us-central1/subnetworks/fleet' was not found", ErrorClass.INVALID),
    # Policies of an organization.
    (
        "CONDITION_NOT_MET",
        "Instance 'm' creation failed: Constraint constraints/compute.vmExternalIpAccess violated for project 1.",
        ErrorClass.DENIED,
    ),
    ("conditionNotMet", "Labels fingerprint either invalid or resource labels have changed", ErrorClass.INVALID),
    # Taken back before it ran.
    ("UNSUPPORTED_OPERATION", "The instance 'm' was preempted while it was being created.", ErrorClass.CAPACITY),
    # What is just being made.
    ("invalid", "Service account 'fleet@p.iam.gserviceaccount.com' does not exist.", ErrorClass.NOT_YET),
    ("RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute'", ErrorClass.THROTTLED),
    ("RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'GPUs (all regions)'", ErrorClass.QUOTA),
    ("required", "Login Required.", ErrorClass.CREDENTIALS),
    ("required", "Required field 'resource.name' not specified", ErrorClass.INVALID),
]


@pytest.mark.parametrize("means", sorted(DESIGN))
def test_every_class_of_the_design_has_its_codes(means: ErrorClass) -> None:
    assert {class_of(code) for code in DESIGN[means].split()} == {means}


def test_no_code_stands_in_two_classes() -> None:
    words = [code for means in errors._WORDS.values() for code in means.split()]
    assert len(words) == len(set(words)) == len(CODES)


@pytest.mark.parametrize(("code", "message", "means"), SAID)
def test_a_code_of_two_meanings_is_told_apart_by_its_message(code: str, message: str, means: ErrorClass) -> None:
    assert class_of(code, message) is means


@pytest.mark.parametrize(
    ("code", "status", "means"),
    [
        ("REGION_SPACE_EXHAUSTED", 0, ErrorClass.CAPACITY),
        ("GPUS_QUOTA_EXCEEDED", 0, ErrorClass.QUOTA),
        ("diskLimitExceeded", 0, ErrorClass.QUOTA),
        ("API_RATE_LIMIT_EXCEEDED", 0, ErrorClass.THROTTLED),
        ("invalidSomething", 0, ErrorClass.INVALID),
        ("FOLDER_DISABLED", 0, ErrorClass.DENIED),
        ("neverHeardOf", 0, ErrorClass.UNKNOWN),
        ("neverHeardOf", 502, ErrorClass.TRANSIENT),
        ("neverHeardOf", 429, ErrorClass.THROTTLED),
        ("neverHeardOf", 403, ErrorClass.DENIED),
        ("required", 401, ErrorClass.CREDENTIALS),
    ],
)
def test_what_is_not_written_down_is_judged_by_form_then_status(code: str, status: int, means: ErrorClass) -> None:
    assert class_of(code, "", status) is means


def test_an_image_that_is_gone_has_its_own_code() -> None:
    told = refusal("notFound", "The resource 'projects/ubuntu-os-cloud/global/images/ubuntu-x-v1' was not found", 404)
    assert (told.code, told.error_class) == (IMAGE_GONE, ErrorClass.INVALID)
    field = "Invalid value for field 'resource.disks[0].initializeParams.sourceImage': 'x'."
    told = refusal("invalid", f"{field} The referenced image resource cannot be found.", 400)
    assert told.code == IMAGE_GONE


def test_an_answer_of_the_old_form_is_read() -> None:
    error = {
        "code": 403,
        "message": "Quota 'CPUS' exceeded.",
        "errors": [{"domain": "usageLimits", "reason": "quotaExceeded"}],
    }
    told = answer_refusal("instances.insert", 403, json.dumps({"error": error}))
    assert (told.error_class, told.code, told.message) == (
        ErrorClass.QUOTA,
        "quotaExceeded",
        "instances.insert: Quota 'CPUS' exceeded.",
    )


def test_an_answer_of_the_new_form_says_what_to_enable() -> None:
    error = {
        "code": 403,
        "message": "Compute Engine API has not been used in project 1 before or it is disabled. Enable it by visiting "
        "https://console.developers.google.com/apis/api/compute.googleapis.com/overview?project=1 then retry.",
        "status": "PERMISSION_DENIED",
        "errors": [{"reason": "accessNotConfigured"}],
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED"}],
    }
    told = answer_refusal("zones.list", 403, json.dumps({"error": error}))
    assert (told.error_class, told.code) == (ErrorClass.DENIED, "SERVICE_DISABLED")
    assert told.hint == "Enable it: gcloud services enable compute.googleapis.com"


@pytest.mark.parametrize(
    ("code", "message", "hint"),
    [
        ("authError", "Invalid Credentials", "gcloud auth application-default login"),
        ("forbidden", "Required 'compute.instances.create' permission", "fleet policy gcp"),
        ("BILLING_DISABLED", "This API method requires billing", "billing account"),
        ("CONDITION_NOT_MET", "Constraint constraints/compute.vmExternalIpAccess violated", "organization"),
    ],
)
def test_the_user_is_told_what_to_do(code: str, message: str, hint: str) -> None:
    assert hint in refusal(code, message).hint


def test_a_page_that_is_none_of_the_services_is_transient() -> None:
    assert answer_refusal("disks.get", 502, "<html>Bad Gateway</html>").error_class is ErrorClass.TRANSIENT


def test_an_operation_that_failed_is_refused_by_the_first_error_that_says_something() -> None:
    failed = {
        "status": "DONE",
        "error": {
            "errors": [
                {"code": "SOMETHING_NEW", "message": "it did not work"},
                {"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": "The zone does not have enough resources"},
            ]
        },
        "httpErrorStatusCode": 503,
    }
    told = operation_refusal("instances.insert", failed)
    assert told is not None
    assert (told.error_class, told.code) == (ErrorClass.CAPACITY, "ZONE_RESOURCE_POOL_EXHAUSTED")
    assert operation_refusal("instances.insert", {"status": "DONE"}) is None
    bare = operation_refusal("disks.insert", {"status": "DONE", "httpErrorStatusCode": 409, "httpErrorMessage": "CONFLICT"})
    assert bare is not None
    assert bare.error_class is ErrorClass.INVALID


@pytest.mark.parametrize(
    ("raised", "means"),
    [
        (requests.ConnectionError("refused"), ErrorClass.TRANSIENT),
        (requests.ReadTimeout("slow"), ErrorClass.TRANSIENT),
        (auth.TransportError("no route"), ErrorClass.TRANSIENT),
        (auth.RefreshError("invalid_grant: Token has been expired or revoked."), ErrorClass.CREDENTIALS),
        (auth.RefreshError("busy", retryable=True), ErrorClass.TRANSIENT),
        (auth.DefaultCredentialsError("none"), ErrorClass.CREDENTIALS),
        (ParseError("no JSON"), ErrorClass.TRANSIENT),
        (core.ServiceUnavailable("away"), ErrorClass.TRANSIENT),
        (core.TooManyRequests("slower"), ErrorClass.THROTTLED),
        (core.RetryError("over", None), ErrorClass.UNKNOWN),
    ],
)
def test_no_exception_of_googles_libraries_gets_out(raised: Exception, means: ErrorClass) -> None:
    with pytest.raises(ProviderError) as told, translated("instances.get"):
        raise raised
    assert told.value.error_class is means
    assert told.value.message.startswith("instances.get: ")


def test_without_googles_libraries_the_user_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("google.api_core.exceptions", "google.auth.exceptions"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not there
    with pytest.raises(ProviderError) as told:
        rest.get("compute", "/compute/v1/projects/p", "projects.get")
    assert (told.value.code, told.value.hint) == ("MissingLibrary", "pip install 'fleet[gcp]'")
