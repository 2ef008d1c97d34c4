"""EC2's words for a refusal, and what each means for the plan (design.md, section 5)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from fleet.model.errors import ErrorClass, ProviderError

CODES: dict[str, ErrorClass] = {
    **dict.fromkeys(
        (
            "InsufficientInstanceCapacity",
            "InsufficientHostCapacity",
            "InsufficientReservedInstanceCapacity",
            "InsufficientCapacity",
            "UnfulfillableCapacity",
            "InsufficientFreeAddressesInSubnet",
        ),
        ErrorClass.CAPACITY,
    ),
    **dict.fromkeys(("Unsupported", "UnsupportedOperation", "InvalidInstanceType"), ErrorClass.UNAVAILABLE),
    **dict.fromkeys(("SpotMaxPriceTooLow",), ErrorClass.PRICE),
    **dict.fromkeys(
        (
            "MaxSpotInstanceCountExceeded",
            "VcpuLimitExceeded",
            "InstanceLimitExceeded",
            "VolumeLimitExceeded",
            "MaxSpotFleetRequestCountExceeded",
            "SpotInstanceCountLimitExceeded",
        ),
        ErrorClass.QUOTA,
    ),
    **dict.fromkeys(
        ("RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException", "SlowDown"),
        ErrorClass.THROTTLED,
    ),
    **dict.fromkeys(
        ("InternalError", "InternalFailure", "Unavailable", "ServiceUnavailable", "RequestExpired", "RequestTimeout"),
        ErrorClass.TRANSIENT,
    ),
    **dict.fromkeys(("IncorrectState", "IncorrectInstanceState", "VolumeInUse", "PendingVerification"), ErrorClass.NOT_YET),
    **dict.fromkeys(
        ("ExpiredToken", "ExpiredTokenException", "AuthFailure", "InvalidClientTokenId", "UnrecognizedClientException"),
        ErrorClass.CREDENTIALS,
    ),
    **dict.fromkeys(("UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "OptInRequired"), ErrorClass.DENIED),
    **dict.fromkeys(
        ("IdempotentParameterMismatch", "InvalidUserData.Malformed", "MissingParameter", "InvalidParameterValue"),
        ErrorClass.INVALID,
    ),
}


def class_of(code: str) -> ErrorClass:
    """What a code means; ``unknown`` for one that nobody wrote down."""
    return CODES.get(code, ErrorClass.UNKNOWN)


@contextlib.contextmanager
def translated(call: str) -> Iterator[None]:
    """botocore's exceptions as ``ProviderError``: ``with translated("DescribeVolumes"): …``."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except ClientError as error:
        found = error.response.get("Error", {})
        code = str(found.get("Code", "Unknown"))
        raise ProviderError(class_of(code), code, f"{call}: {found.get('Message', error)}") from error
    except BotoCoreError as error:
        raise ProviderError(ErrorClass.TRANSIENT, type(error).__name__, f"{call}: {error}") from error
    except ResponseParserError as error:
        # A page of a load balancer's, say, instead of an answer. botocore counts it among no family of its errors.
        raise ProviderError(
            ErrorClass.TRANSIENT, type(error).__name__, f"{call}: the answer is none of the service's"
        ) from error
