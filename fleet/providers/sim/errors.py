"""EC2's error codes, which ``sim`` speaks, as classes (design.md, section 5)."""

from __future__ import annotations

from fleet.model.errors import ErrorClass, ProviderError

CLASSES = {
    "InsufficientInstanceCapacity": ErrorClass.CAPACITY,
    "UnfulfillableCapacity": ErrorClass.CAPACITY,
    "InsufficientFreeAddressesInSubnet": ErrorClass.CAPACITY,
    "IdempotentInstanceTerminated": ErrorClass.CAPACITY,  # the try is over, the offer may do with another token
    "Unsupported": ErrorClass.UNAVAILABLE,
    "SpotMaxPriceTooLow": ErrorClass.PRICE,
    "MaxSpotInstanceCountExceeded": ErrorClass.QUOTA,
    "VcpuLimitExceeded": ErrorClass.QUOTA,
    "VolumeLimitExceeded": ErrorClass.QUOTA,
    "RequestLimitExceeded": ErrorClass.THROTTLED,
    "InternalError": ErrorClass.TRANSIENT,
    "RequestExpired": ErrorClass.TRANSIENT,  # the caller's clock, or a request that slept on its way
    "RequestTimeout": ErrorClass.TRANSIENT,
    "Unavailable": ErrorClass.TRANSIENT,
    "IncorrectState": ErrorClass.NOT_YET,
    "PendingVerification": ErrorClass.NOT_YET,
    "VolumeInUse": ErrorClass.NOT_YET,
    "ExpiredToken": ErrorClass.CREDENTIALS,
    "UnauthorizedOperation": ErrorClass.DENIED,
    "IncorrectInstanceState": ErrorClass.INVALID,
    "IdempotentParameterMismatch": ErrorClass.INVALID,
    "InvalidParameterValue": ErrorClass.INVALID,
    "InvalidUserData.Malformed": ErrorClass.INVALID,
    "InvalidVolume.NotFound": ErrorClass.INVALID,
    "InvalidVolume.ZoneMismatch": ErrorClass.INVALID,
    "MissingParameter": ErrorClass.INVALID,
}


def refusal(code: str, message: str) -> ProviderError:
    """The error for a code; one that the table does not know is ``unknown``."""
    return ProviderError(CLASSES.get(code, ErrorClass.UNKNOWN), code, message)
