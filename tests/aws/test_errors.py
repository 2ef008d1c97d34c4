"""EC2's words for a refusal, and botocore's own, as classes; and what the user is told to type."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import botocore.exceptions as own
import pytest

from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.aws.errors import CODES, class_of, refusal, translated
from fleet.providers.aws.login import how_to_log_in, login_command
from fleet.providers.aws.session import forget_clients
from fleet.providers.sim.errors import CLASSES

DESIGN = {
    ErrorClass.CAPACITY: "InsufficientInstanceCapacity UnfulfillableCapacity InsufficientFreeAddressesInSubnet",
    ErrorClass.UNAVAILABLE: "Unsupported",
    ErrorClass.PRICE: "SpotMaxPriceTooLow",
    ErrorClass.QUOTA: "MaxSpotInstanceCountExceeded VcpuLimitExceeded VolumeLimitExceeded",
    ErrorClass.THROTTLED: "RequestLimitExceeded",
    ErrorClass.TRANSIENT: "InternalError Unavailable RequestExpired ServiceUnavailable",
    ErrorClass.NOT_YET: "IncorrectState VolumeInUse PendingVerification",
    ErrorClass.CREDENTIALS: "ExpiredToken AuthFailure InvalidClientTokenId",
    ErrorClass.DENIED: "UnauthorizedOperation OptInRequired",
    ErrorClass.INVALID: "InvalidUserData.Malformed IdempotentParameterMismatch InvalidParameterValue MissingParameter",
}


@pytest.mark.parametrize("means", sorted(DESIGN))
def test_every_class_of_the_design_has_its_codes(means: ErrorClass) -> None:
    assert {class_of(code) for code in DESIGN[means].split()} == {means}


def test_the_simulated_cloud_and_ec2_mean_the_same_by_the_same_codes() -> None:
    apart = {code: (means, class_of(code)) for code, means in CLASSES.items() if class_of(code) is not means}
    assert apart == {"IncorrectInstanceState": (ErrorClass.INVALID, ErrorClass.NOT_YET)}, (
        "EC2 says it of a machine that boots"
    )


def test_no_code_stands_in_two_classes() -> None:
    from fleet.providers.aws import errors

    words = [code for means in errors._WORDS.values() for code in means.split()]
    assert len(words) == len(set(words)) == len(CODES)


@pytest.mark.parametrize(
    ("code", "means"),
    [
        ("InvalidKeyPair.NotFound", ErrorClass.INVALID),
        ("InvalidAMIID.Malformed", ErrorClass.INVALID),
        ("InvalidGroup.Duplicate", ErrorClass.INVALID),
        ("ResourceNotFoundException", ErrorClass.INVALID),
        ("NetworkInterfaceLimitExceeded", ErrorClass.QUOTA),
        ("InsufficientFutureCapacity", ErrorClass.CAPACITY),
        ("SomeThrottlingException", ErrorClass.THROTTLED),
        ("NeverHeardOf", ErrorClass.UNKNOWN),
    ],
)
def test_a_code_that_is_not_written_down_is_judged_by_its_form(code: str, means: ErrorClass) -> None:
    assert class_of(code) is means


def test_what_has_no_code_is_judged_by_its_status() -> None:
    assert class_of("NeverHeardOf", status=503) is ErrorClass.TRANSIENT
    assert class_of("NeverHeardOf", status=429) is ErrorClass.THROTTLED
    assert class_of("NeverHeardOf", status=400) is ErrorClass.UNKNOWN


@pytest.mark.parametrize(
    ("code", "message", "means"),
    [
        ("AuthFailure", "AWS was not able to validate the provided access credentials", ErrorClass.CREDENTIALS),
        ("AuthFailure", "Not authorized for images: [ami-0123]", ErrorClass.DENIED),
        ("SignatureDoesNotMatch", "Signature expired: 20261125T010203Z is now earlier than …", ErrorClass.TRANSIENT),
        ("SignatureDoesNotMatch", "The request signature we calculated does not match", ErrorClass.CREDENTIALS),
        (
            "InvalidFleetConfiguration",
            "Your requested instance type (p2.xlarge) is not supported in your requested Availability Zone (us-east-1f).",
            ErrorClass.UNAVAILABLE,
        ),
        ("InvalidFleetConfiguration", "The fleet configuration contains duplicate instance pools", ErrorClass.INVALID),
        ("InvalidParameterValue", "Value (x) for parameter iamInstanceProfile.name is invalid.", ErrorClass.NOT_YET),
        ("InvalidParameterValue", "Value (x) for parameter subnetId is invalid.", ErrorClass.INVALID),
    ],
)
def test_a_code_that_means_two_things_is_told_apart_by_its_message(code: str, message: str, means: ErrorClass) -> None:
    assert class_of(code, message) is means


@pytest.mark.parametrize(
    ("raised", "means"),
    [
        (own.NoCredentialsError(), ErrorClass.CREDENTIALS),
        (own.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), ErrorClass.CREDENTIALS),
        (own.CredentialRetrievalError(provider="process", error_msg="exit 1"), ErrorClass.CREDENTIALS),
        (own.TokenRetrievalError(provider="sso", error_msg="Token has expired"), ErrorClass.CREDENTIALS),
        (own.SSOTokenLoadError(error_msg="no token"), ErrorClass.CREDENTIALS),
        (own.UnauthorizedSSOTokenError(), ErrorClass.CREDENTIALS),
        (own.ProfileNotFound(profile="x"), ErrorClass.CREDENTIALS),
        (own.EndpointConnectionError(endpoint_url="https://ec2"), ErrorClass.TRANSIENT),
        (own.ConnectTimeoutError(endpoint_url="https://ec2"), ErrorClass.TRANSIENT),
        (own.ReadTimeoutError(endpoint_url="https://ec2"), ErrorClass.TRANSIENT),
        (own.ConnectionClosedError(endpoint_url="https://ec2"), ErrorClass.TRANSIENT),
        (own.SSLError(endpoint_url="https://ec2", error="bad"), ErrorClass.TRANSIENT),
        (own.ProxyConnectionError(proxy_url="http://proxy"), ErrorClass.TRANSIENT),
        (own.IncompleteReadError(actual_bytes=1, expected_bytes=2), ErrorClass.TRANSIENT),
        (own.ParamValidationError(report="Unknown parameter in input"), ErrorClass.INVALID),
        (own.NoRegionError(), ErrorClass.INVALID),
        (own.UnknownServiceError(service_name="ec3", known_service_names=""), ErrorClass.INVALID),
        (own.UnknownClientMethodError(method_name="x"), ErrorClass.UNKNOWN),
    ],
)
def test_what_botocore_says_by_itself_has_a_class_too(raised: Exception, means: ErrorClass) -> None:
    with pytest.raises(ProviderError) as told, translated("DescribeVolumes"):
        raise raised
    assert (told.value.error_class, told.value.code) == (means, type(raised).__name__)
    assert told.value.message.startswith("DescribeVolumes: ")
    assert bool(told.value.hint) is (means is ErrorClass.CREDENTIALS or isinstance(raised, own.ParamValidationError))


def test_a_denial_is_told_without_what_only_a_decoder_reads() -> None:
    told = refusal(
        "UnauthorizedOperation", "RunInstances: You are not authorized. Encoded authorization failure message: Zm9v"
    )
    assert told.message == "RunInstances: You are not authorized."
    assert "fleet policy aws" in told.hint


PROFILES = {
    "work": {"sso_session": "corp"},
    "old": {"sso_start_url": "https://corp"},
    "role": {"role_arn": "arn:aws:iam::1:role/x", "source_profile": "work"},
    "tool": {"credential_process": "/opt/creds"},
    "keys": {},
    "signed": {"login_session": "x"},
}


@pytest.mark.parametrize(
    ("profile", "kind", "told"),
    [
        ("work", "", "aws sso login --profile work"),
        ("old", "UnauthorizedSSOTokenError", "aws sso login --profile old"),
        ("role", "", "aws sso login --profile work"),
        ("tool", "CredentialRetrievalError", "/opt/creds"),
        ("keys", "", "aws configure --profile keys"),
        ("signed", "", "aws login --profile signed"),
        ("gone", "", "aws configure list-profiles"),
        (None, "NoCredentialsError", "export AWS_PROFILE=old && aws sso login"),
    ],
)
def test_the_login_command_is_the_profiles_own(profile: str | None, kind: str, told: str) -> None:
    assert told in login_command(profile, PROFILES, kind)


def test_without_any_configuration_the_user_is_told_how_to_begin() -> None:
    assert "aws configure" in login_command(None, {})


@pytest.fixture
def anew() -> Iterator[None]:
    """What is configured is read again, before and after."""
    forget_clients()
    yield
    forget_clients()


@pytest.mark.usefixtures("anew")
def test_the_command_is_found_in_the_users_own_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[profile work]\nsso_session = corp\n[sso-session corp]\nsso_region = us-east-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert how_to_log_in("UnauthorizedSSOTokenError") == "Log in again: aws sso login --profile work"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "torn"))
    (tmp_path / "torn").write_text("not a configuration")
    forget_clients()
    assert "aws" in how_to_log_in()


@pytest.mark.usefixtures("anew")
def test_a_profile_that_is_gone_is_told_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[profile work]\nregion = us-east-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_PROFILE", "home")
    assert how_to_log_in() == "There is no profile home: `aws configure list-profiles` shows which there are."
