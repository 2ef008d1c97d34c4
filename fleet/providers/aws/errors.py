"""EC2's words for a refusal, and what each means for the plan (design.md, section 5).

Codes that are written down mean what stands here. Of the hundreds that are not, some say by their form what they mean
(``InvalidKeyPair.NotFound``, ``SomethingLimitExceeded``); what is left is judged by its HTTP status, else unknown.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.aws.login import how_to_log_in

_WORDS: dict[ErrorClass, str] = {
    ErrorClass.CAPACITY: """
        InsufficientInstanceCapacity InsufficientHostCapacity InsufficientReservedInstanceCapacity InsufficientCapacity
        InsufficientCapacityOnHost InsufficientAddressCapacity InsufficientVolumeCapacity UnfulfillableCapacity
        InsufficientFreeAddressesInSubnet ReservationCapacityExceeded IdempotentInstanceTerminated
    """,  # the last: the try is over, the offer may do with another token
    ErrorClass.UNAVAILABLE: """
        Unsupported UnsupportedOperation UnsupportedHostConfiguration UnsupportedTenancy InvalidInstanceType
        InvalidInstanceType.NotFound VolumeTypeNotAvailableInZone EncryptedVolumesNotSupported
    """,
    ErrorClass.PRICE: "SpotMaxPriceTooLow InvalidSpotPrice",
    ErrorClass.QUOTA: """
        MaxSpotInstanceCountExceeded VcpuLimitExceeded InstanceLimitExceeded VolumeLimitExceeded
        SpotInstanceCountLimitExceeded MaxSpotFleetRequestCountExceeded MaxFleetCountExceeded
        MaxScheduledInstanceCapacityExceeded MaxIOPSLimitExceeded AttachmentLimitExceeded MaxTemplateLimitExceeded
        MaxTemplateVersionLimitExceeded LimitExceeded LimitExceededException ServiceQuotaExceededException
        TooManyBuckets
    """,
    ErrorClass.THROTTLED: """
        RequestLimitExceeded Throttling ThrottlingException ThrottledException RequestThrottled
        RequestThrottledException EC2ThrottledException TooManyRequestsException SlowDown BandwidthLimitExceeded
        PriorRequestNotComplete ProvisionedThroughputExceededException SnapshotCreationPerVolumeRateExceeded
    """,
    ErrorClass.TRANSIENT: """
        InternalError InternalFailure InternalServerError InternalServiceError InternalServiceException Unavailable
        ServiceUnavailable ServiceUnavailableException RequestExpired RequestTimeout RequestTimeoutException
        RequestTimeTooSkewed ConcurrentTagAccess OperationAborted
    """,
    ErrorClass.NOT_YET: """
        IncorrectState IncorrectInstanceState IncorrectSpotRequestState IncorrectModificationState VolumeInUse
        VolumeModificationRateExceeded
        PendingVerification DependencyViolation PendingSnapshotLimitExceeded InvalidState DeleteConflict
        ResourceInUseException
    """,
    ErrorClass.CREDENTIALS: """
        ExpiredToken ExpiredTokenException TokenRefreshRequired AuthFailure InvalidClientTokenId InvalidAccessKeyId
        UnrecognizedClientException MissingAuthenticationToken MissingAuthenticationTokenException IncompleteSignature
        SignatureDoesNotMatch InvalidSignatureException InvalidToken InvalidIdentityToken IDPCommunicationError
        UnauthorizedException InvalidGrantException
    """,
    ErrorClass.DENIED: """
        UnauthorizedOperation AccessDenied AccessDeniedException AllAccessDisabled OptInRequired Blocked
        OperationNotPermitted AuthFailure.ServiceLinkedRoleCreationNotPermitted ForbiddenException AccountProblem
        NotSignedUp
    """,
    ErrorClass.INVALID: """
        IdempotentParameterMismatch InvalidUserData.Malformed MissingParameter InvalidParameterValue InvalidParameter
        InvalidParameterCombination InvalidParameterDependency InvalidRequest InvalidInput InvalidAction
        InvalidQueryParameter InvalidFormat InvalidZone InvalidFilter InvalidBlockDeviceMapping InvalidNetworkInterface
        InvalidDevice.InUse InvalidAttachment InvalidVolume.ZoneMismatch InvalidFleetConfig InvalidFleetConfiguration
        TagLimitExceeded TagPolicyViolation FilterLimitExceeded InvalidNextToken InvalidPaginationToken
        InvalidAMIID.Unavailable InvalidLaunchTemplateId.VersionNotFound MalformedQueryString MissingAction
        UnknownParameter UnsupportedProtocol ValidationError ValidationException SerializationException
        MalformedPolicyDocument NoSuchEntity NoSuchVersion NoSuchBucket NoSuchKey ParameterNotFound
        DefaultVpcDoesNotExist VPCIdNotSpecified VPCResourceNotSpecified InvalidKMSKey.InvalidState DryRunOperation
    """,
}

CODES: dict[str, ErrorClass] = {code: means for means, words in _WORDS.items() for code in words.split()}

_TOLD: tuple[tuple[str, str, ErrorClass], ...] = (
    ("AuthFailure", r"[Nn]ot authorized for (images|snapshot|volume)", ErrorClass.DENIED),
    (
        "SignatureDoesNotMatch|AuthFailure|InvalidSignatureException",
        r"[Ss]ignature (expired|not yet current)",
        ErrorClass.TRANSIENT,
    ),
    (
        "InvalidFleetConfig(uration)?|InvalidParameterValue|InvalidRequest",
        r"not supported in your requested",
        ErrorClass.UNAVAILABLE,
    ),
    ("InvalidFleetConfig(uration)?", r"[Ss]pot (max )?price|maximum price", ErrorClass.PRICE),
    ("InvalidParameterValue", r"(?i)iam ?instance ?profile", ErrorClass.NOT_YET),
    ("InvalidParameterValueException", r"role .* cannot be assumed by Lambda", ErrorClass.NOT_YET),
    ("ValidationException", r"must allow .* to assume the role|cannot be assumed by principal", ErrorClass.NOT_YET),
    ("ResourceConflictException", r"in progress|state: Pending|at this time", ErrorClass.NOT_YET),
    ("InvalidParameterValue", r"instance type '?[\w.-]+'? (is not valid|does not exist)", ErrorClass.UNAVAILABLE),
)
"""Codes that mean two things, told apart by their message. A profile or a role made a moment ago is unknown to
EC2, Lambda and the schedules for a while."""

_FORMS: tuple[tuple[str, ErrorClass], ...] = (
    (r"Insufficient\w*Capacity\w*", ErrorClass.CAPACITY),
    (r"\w*(Limit|Quota|Count)Exceeded(Exception)?", ErrorClass.QUOTA),
    (
        r"[\w.]*(\.NotFound|\.Malformed|\.Duplicate|\.InUse|\.Expired|NotFoundException|AlreadyExists|\.Conflict)",
        ErrorClass.INVALID,
    ),
    (r"\w*Thrott\w*", ErrorClass.THROTTLED),
)

_LOGIN = frozenset(
    {
        "NoCredentialsError",
        "PartialCredentialsError",
        "CredentialRetrievalError",
        "TokenRetrievalError",
        "NoAuthTokenError",
        "SSOError",
        "SSOTokenLoadError",
        "UnauthorizedSSOTokenError",
        "LoginError",
        "LoginRefreshRequired",
        "LoginTokenLoadError",
        "MetadataRetrievalError",
        "RefreshWithMFAUnsupportedError",
        "UnknownCredentialError",
        "UnknownTokenProviderError",
        "ProfileNotFound",
        "InvalidConfigError",
        "ConfigNotFound",
        "ConfigParseError",
    }
)
_NETWORK = frozenset({"ConnectionError", "HTTPClientError", "IncompleteReadError", "ChecksumError", "FlexibleChecksumError"})
_CALLER = frozenset(
    {
        "ParamValidationError",
        "ValidationError",
        "MissingParametersError",
        "UnknownServiceError",
        "BaseEndpointResolverError",
        "EndpointProviderError",
        "InvalidRegionError",
        "UnknownRegionError",
        "MissingDependencyException",
    }
)
_OLD = "If fleet itself wrote it: this boto3 may be older than what it was written for. pip install --upgrade boto3"


def class_of(code: str, message: str = "", status: int = 0) -> ErrorClass:
    """What a refusal means, by its code, what it says, and its HTTP status."""
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
    return ErrorClass.THROTTLED if status == 429 else ErrorClass.UNKNOWN


def refusal(code: str, message: str, status: int = 0) -> ProviderError:
    """The error for a code of EC2's."""
    means = class_of(code, message, status)
    return ProviderError(means, code, *_said(means, message))


def _said(means: ErrorClass, message: str) -> tuple[str, str]:
    """The message without what only a decoder reads, and what to do."""
    plain, _, encoded = message.partition("Encoded authorization failure message:")
    if encoded:
        return plain.strip(), "`fleet policy aws` prints what the controller must be allowed to do."
    if means is ErrorClass.CREDENTIALS:
        return message, how_to_log_in()
    if means is ErrorClass.DENIED:
        return message, "`fleet policy aws` prints what the controller must be allowed to do."
    return message, ""


@contextlib.contextmanager
def translated(call: str) -> Iterator[None]:
    """botocore's exceptions as ``ProviderError``: ``with translated("DescribeVolumes"): …``."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except ClientError as error:
        found = error.response.get("Error", {})
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)
        raise refusal(str(found.get("Code", "Unknown")), f"{call}: {found.get('Message', error)}", status) from error
    except BotoCoreError as error:
        raise _unsent(call, error) from error
    except RuntimeError as error:
        if "credentials" not in str(error):
            raise
        # botocore's own word for keys that were renewed and are over all the same (a credential_process that lags).
        raise ProviderError(ErrorClass.CREDENTIALS, "ExpiredCredentials", f"{call}: {error}", how_to_log_in()) from error
    except ResponseParserError as error:
        # A page of a load balancer's, say, instead of an answer. botocore counts it among no family of its errors.
        told = f"{call}: the answer is none of the service's"
        raise ProviderError(ErrorClass.TRANSIENT, type(error).__name__, told) from error


def _unsent(call: str, error: Exception) -> ProviderError:
    """What botocore says by itself: nobody is logged in, nobody answered, or the request is none."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    code, message = type(error).__name__, f"{call}: {error}"
    if kinds & _LOGIN:
        return ProviderError(ErrorClass.CREDENTIALS, code, message, how_to_log_in(code))
    if kinds & _NETWORK:
        return ProviderError(ErrorClass.TRANSIENT, code, message)
    if kinds & _CALLER:
        return ProviderError(ErrorClass.INVALID, code, message, _OLD if "ParamValidationError" in kinds else "")
    return ProviderError(ErrorClass.UNKNOWN, code, message)
