"""Google's words for a refusal, and what each means for the plan (design.md, section 5).

They come in three forms: the reasons of Compute Engine's older answers (``quotaExceeded``), the codes within an operation
that failed (``QUOTA_EXCEEDED``), and the reasons or states of the newer interfaces (``SERVICE_DISABLED``,
``PERMISSION_DENIED``). What is written down means what stands here; some say by their form or by their message what they
mean; what is left is judged by its HTTP status, else unknown.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.gcp.session import LOGIN, missing_library

IMAGE_GONE = "imageNotFound"
"""Fleet's own code: Compute Engine says it only in the message."""
NOT_FOUND = frozenset({"notFound", "RESOURCE_NOT_FOUND", "NOT_FOUND"})
EXISTS = frozenset({"alreadyExists", "RESOURCE_ALREADY_EXISTS", "ALREADY_EXISTS"})

_WORDS: dict[ErrorClass, str] = {
    ErrorClass.CAPACITY: """
        ZONE_RESOURCE_POOL_EXHAUSTED ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS REGION_RESOURCE_POOL_EXHAUSTED
        REGION_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS RESOURCE_POOL_EXHAUSTED GPU_STOCKOUT STOCKOUT insufficientCapacity
        resourcesExhausted INSUFFICIENT_CAPACITY IP_SPACE_EXHAUSTED IP_SPACE_EXHAUSTED_WITH_DETAILS
        RESERVATION_CAPACITY_EXCEEDED PREEMPTED VM_MIN_COUNT_NOT_REACHED VM_MIN_COUNT_NOT_REACHED_WITH_ERROR
        tokenUsed
    """,  # the last is fleet's own: the try is over, the offer may do with another token
    ErrorClass.UNAVAILABLE: """
        UNSUPPORTED_OPERATION unsupportedOperation UNIMPLEMENTED notImplemented MACHINE_TYPE_NOT_FOUND
        INVALID_MACHINE_TYPE
    """,
    ErrorClass.PRICE: "bidTooLow",
    ErrorClass.QUOTA: """
        QUOTA_EXCEEDED quotaExceeded QUOTA LIMIT_EXCEEDED limitExceeded RESOURCE_QUOTA_EXCEEDED
        RESOURCE_EXHAUSTED CPUS_PER_VM_FAMILY_QUOTA_EXCEEDED
    """,
    ErrorClass.THROTTLED: """
        rateLimitExceeded userRateLimitExceeded RATE_LIMIT_EXCEEDED RESOURCE_OPERATION_RATE_EXCEEDED
        resourceOperationRateExceeded operationRateExceeded concurrentLimitExceeded dailyLimitExceeded
        CONCURRENT_OPERATIONS_QUOTA_EXCEEDED TOO_MANY_REQUESTS tooManyRequests
    """,
    ErrorClass.TRANSIENT: """
        backendError internalError INTERNAL_ERROR INTERNAL serviceUnavailable SERVICE_UNAVAILABLE UNAVAILABLE
        deadlineExceeded DEADLINE_EXCEEDED ABORTED backendNotConnected OPERATION_CANCELLED CANCELLED transportError
        operationRunning unreachable
    """,
    ErrorClass.NOT_YET: """
        RESOURCE_NOT_READY resourceNotReady RESOURCE_IN_USE_BY_ANOTHER_RESOURCE resourceInUseByAnotherResource
        RESOURCE_IN_USE resourceInUse OPERATION_IN_PROGRESS operationInProgress FAILED_PRECONDITION
        failedPrecondition RESERVATION_NOT_READY
    """,
    ErrorClass.CREDENTIALS: """
        authError UNAUTHENTICATED ACCESS_TOKEN_EXPIRED ACCESS_TOKEN_TYPE_UNSUPPORTED CREDENTIALS_MISSING expired
        authenticationRequired ACCOUNT_STATE_INVALID SESSION_COOKIE_EXPIRED
    """,
    ErrorClass.DENIED: """
        forbidden PERMISSION_DENIED PERMISSIONS_ERROR insufficientPermissions IAM_PERMISSION_DENIED accessDenied
        accessNotConfigured SERVICE_DISABLED API_DISABLED BILLING_DISABLED billingNotEnabled billingDisabled CONSUMER_INVALID
        CONSUMER_SUSPENDED USER_PROJECT_DENIED ACCESS_TOKEN_SCOPE_INSUFFICIENT SERVICE_ACCOUNT_ACCESS_DENIED
        SERVICE_ACCOUNT_NOT_FOUND accountDisabled userAccessDenied ORG_POLICY_VIOLATED SECURITY_POLICY_VIOLATED
        VM_EXTERNAL_IP_ACCESS_POLICY_CONSTRAINT LOCATION_POLICY_VIOLATED LOCATION_ORG_POLICY_VIOLATED
        variableTermLimitExceeded sslRequired
    """,
    ErrorClass.INVALID: """
        invalid badRequest INVALID_ARGUMENT INVALID_FIELD_VALUE INVALID_USAGE INVALID_PARAMETER invalidParameter
        invalidArgument required REQUIRED_FIELD_MISSING parseError notFound RESOURCE_NOT_FOUND NOT_FOUND alreadyExists
        RESOURCE_ALREADY_EXISTS ALREADY_EXISTS duplicate conditionNotMet CONDITION_NOT_MET wrongUrlForTheResource
        WRONG_URL_FOR_THE_RESOURCE OUT_OF_RANGE INVALID_STATE_FOR_DISK_SIZE resourceTypeMismatch RESOURCE_TYPE_MISMATCH
        RESERVATION_NOT_FOUND INVALID_RESERVATION methodNotAllowed unsupportedMediaProtocol requestTooLarge
        CANNOT_BE_SHRUNK tokenReused VPC_NOT_FOUND SUBNET_NOT_FOUND_FOR_VPC
    """
    + IMAGE_GONE,
}

CODES: dict[str, ErrorClass] = {code: means for means, words in _WORDS.items() for code in words.split()}

_WRONG = r"invalid|badRequest|notFound|INVALID_\w+|RESOURCE_NOT_FOUND|NOT_FOUND|conditionNotMet|CONDITION_NOT_MET"
_TOLD: tuple[tuple[str, str, ErrorClass], ...] = (
    (r"UNSUPPORTED_OPERATION|RESOURCE_NOT_FOUND|OPERATION_CANCEL\w+", r"(?i)preempt", ErrorClass.CAPACITY),
    (_WRONG, r"Constraint constraints/|organization policy|orgpolicy", ErrorClass.DENIED),
    (_WRONG, r"(?i)machine type with name|machineTypes/[\w-]+' was not found|acceleratorTypes?/", ErrorClass.UNAVAILABLE),
    (_WRONG, r"(?i)features are not compatible|not compatible with (the )?machine|diskTypes?/", ErrorClass.UNAVAILABLE),
    (_WRONG, r"(?i)(does not|doesn't|not) support(ed)? .*(machine|disk|accelerator|zone)", ErrorClass.UNAVAILABLE),
    (r"invalid|badRequest|INVALID_\w+", r"is already being used by|already attached|in use by", ErrorClass.NOT_YET),
    (r"invalid|badRequest|INVALID_\w+", r"[Ss]ervice account .* does not exist|not ready", ErrorClass.NOT_YET),
    (r"forbidden|PERMISSION_DENIED", r"(?i)rate ?limit|quota exceeded for quota metric", ErrorClass.THROTTLED),
    (r"RESOURCE_EXHAUSTED", r"(?i)per (minute|second|100 seconds)", ErrorClass.THROTTLED),
    (r"required", r"(?i)login required|credential", ErrorClass.CREDENTIALS),
)
"""Codes that mean two things, told apart by their message. A machine that is preempted while it is made fails with whatever
the half-made thing lacks; a service account made a moment ago is unknown to Compute Engine for a while."""

_FORMS: tuple[tuple[str, ErrorClass], ...] = (
    (r"\w*(POOL|SPACE|CAPACITY)_EXHAUSTED\w*|\w*STOCKOUT\w*", ErrorClass.CAPACITY),
    (r"\w*RATE_(LIMIT_)?EXCEEDED|\w*[rR]ateLimitExceeded", ErrorClass.THROTTLED),
    (r"\w*(QUOTA|LIMIT)_EXCEEDED|\w*([qQ]uota|[lL]imit)Exceeded", ErrorClass.QUOTA),
    (r"\w*(NOT_FOUND|ALREADY_EXISTS|INVALID)|(INVALID|UNKNOWN)_\w+|\w*NotFound|invalid\w+", ErrorClass.INVALID),
    (r"\w*(DENIED|FORBIDDEN|DISABLED|VIOLATED)", ErrorClass.DENIED),
    (r"\w*(IN_USE|NOT_READY|IN_PROGRESS)\w*", ErrorClass.NOT_YET),
)

_STATUS: dict[int, ErrorClass] = {
    400: ErrorClass.INVALID,
    401: ErrorClass.CREDENTIALS,
    403: ErrorClass.DENIED,
    404: ErrorClass.INVALID,
    408: ErrorClass.TRANSIENT,
    409: ErrorClass.INVALID,
    410: ErrorClass.INVALID,
    412: ErrorClass.INVALID,
    413: ErrorClass.INVALID,
    429: ErrorClass.THROTTLED,
}
_IMAGE = r"image resource cannot be found|/images/(family/)?[\w.-]+'? (was not found|is (deleted|obsolete))"
ENABLE = re.compile(r"(?:https?://\S*?/apis?/(?:api/|library/)?|\b)([a-z]+\.googleapis\.com)")
POLICY = "`fleet policy gcp` prints what the controller must be allowed to do."
_OLD = "If fleet itself wrote it: google-cloud-compute may be older than what it was written for. pip install --upgrade it"


def class_of(code: str, message: str = "", status: int = 0) -> ErrorClass:
    """What a refusal means, by its code, what it says, and its HTTP status."""
    if status == 401:
        return ErrorClass.CREDENTIALS  # whatever it is called
    for codes, told, means in _TOLD:
        if re.fullmatch(codes, code) and re.search(told, message):
            return means
    if code in CODES:
        return CODES[code]
    for form, means in _FORMS:
        if re.fullmatch(form, code):
            return means
    if status >= 500:
        return ErrorClass.TRANSIENT
    return _STATUS.get(status, ErrorClass.UNKNOWN)


def refusal(code: str, message: str, status: int = 0) -> ProviderError:
    """The error for a code of Google's."""
    if re.search(_IMAGE, message):
        code = IMAGE_GONE
    means = class_of(code, message, status)
    return ProviderError(means, code, message, _hint(means, code, message))


def _hint(means: ErrorClass, code: str, message: str) -> str:
    """What to do about it, where fleet knows."""
    if means is ErrorClass.CREDENTIALS:
        return f"Log in: {LOGIN}"
    if means is not ErrorClass.DENIED:
        return ""
    if code in ("BILLING_DISABLED", "billingNotEnabled", "billingDisabled"):
        return "Connect the project with a billing account: https://console.cloud.google.com/billing/projects"
    api = ENABLE.search(message)
    if code in ("SERVICE_DISABLED", "API_DISABLED", "accessNotConfigured"):
        return f"Enable it: gcloud services enable {api[1] if api else 'compute.googleapis.com'}"
    if "onstraint" in message or code.endswith("VIOLATED"):
        return "A policy of the organization forbids it: whoever administers it can make an exception for the project."
    return POLICY


def answer_refusal(call: str, status: int, text: str) -> ProviderError:
    """The error for an HTTP answer that is none of success: of Compute Engine, or of any other of Google's interfaces."""
    try:
        found = json.loads(text)["error"]
    except (ValueError, LookupError, TypeError):
        found = None
    if isinstance(found, str):  # the login's own form (RFC 6749)
        return refusal(found, f"{call}: {json.loads(text).get('error_description', found)}", status)
    if not isinstance(found, Mapping):
        # A page of a load balancer's, say.
        return refusal(f"HTTP{status}", f"{call}: HTTP status {status}", status)
    return refusal(_code_in(found, status), f"{call}: {found.get('message') or 'no reason given'}", status)


def _code_in(error: Mapping[str, Any], status: int) -> str:
    """The most exact word in an answer: the newer interfaces' reason, the older ones', else the state."""
    reasons = [one.get("reason") for one in error.get("details") or () if isinstance(one, Mapping)]
    reasons += [one.get("reason") for one in error.get("errors") or () if isinstance(one, Mapping)]
    known = [str(one) for one in reasons if one in CODES]
    told = [str(one) for one in (*known, *reasons, error.get("status")) if one]
    return told[0] if told else f"HTTP{status}"


def operation_refusal(call: str, operation: Mapping[str, Any]) -> ProviderError | None:
    """Why an operation failed; None: it did not (yet). Of several reasons the first that says something exact."""
    errors = (operation.get("error") or {}).get("errors") or []
    status = int(operation.get("httpErrorStatusCode") or 0)
    if not errors:
        return refusal(f"HTTP{status}", f"{call}: {operation.get('httpErrorMessage')}", status) if status >= 400 else None
    found = [refusal(str(one.get("code") or "UNKNOWN"), f"{call}: {one.get('message') or one}") for one in errors]
    exact = [one for one in found if one.error_class is not ErrorClass.UNKNOWN]
    return exact[0] if exact else refusal(found[0].code, found[0].message, status)


@contextlib.contextmanager
def translated(call: str) -> Iterator[None]:
    """What Google's libraries raise as ``ProviderError``: ``with translated("instances.insert"): …``."""
    try:
        from google.api_core.exceptions import GoogleAPICallError, GoogleAPIError
        from google.auth.exceptions import GoogleAuthError, TransportError
        from google.protobuf.json_format import ParseError
        from requests import RequestException
    except ImportError:
        raise missing_library() from None

    try:
        yield
    except GoogleAPICallError as error:
        status = int(error.code or 0)
        text = getattr(error.response, "text", None)
        if text is None:
            raise refusal(f"HTTP{status}", f"{call}: {error.message}", status) from error
        raise answer_refusal(call, status, str(text)) from error
    except (RequestException, TransportError, TimeoutError) as error:
        raise ProviderError(ErrorClass.TRANSIENT, type(error).__name__, f"{call}: {error}") from error
    except GoogleAuthError as error:
        raise _not_logged_in(call, error) from error
    except ParseError as error:
        told = f"{call}: the answer is none of the service's"
        raise ProviderError(ErrorClass.TRANSIENT, type(error).__name__, told, _OLD) from error
    except GoogleAPIError as error:
        raise ProviderError(ErrorClass.UNKNOWN, type(error).__name__, f"{call}: {error}") from error


def _not_logged_in(call: str, error: Exception) -> ProviderError:
    """The login is over, or nobody answered who could renew it."""
    if getattr(error, "retryable", False):
        return ProviderError(ErrorClass.TRANSIENT, type(error).__name__, f"{call}: {error}")
    told = str(error.args[0] if error.args else error).strip() or "the login is over"
    return ProviderError(ErrorClass.CREDENTIALS, type(error).__name__, f"{call}: {told}", f"Log in: {LOGIN}")
