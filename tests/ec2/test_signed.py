"""The tests' own check of signatures, held against those of Amazon's library: it takes what is right, and nothing else."""

from __future__ import annotations

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.ec2.signed import access_key, flaw

SECRET = "secret"
TARGETS = ("/bucket/runs/a%20b%2Bc/%C3%A9~x", "/bucket?list-type=2&prefix=runs%2Fa%20b&delimiter=%2F&x=", "/")


def signed(target: str, service: str, body: bytes = b"some bytes", method: str = "PUT") -> dict[str, str]:
    request = AWSRequest(method, f"http://169.254.169.254:8000{target}", data=body)
    request.headers["Host"] = "169.254.169.254:8000"
    auth = (S3SigV4Auth if service == "s3" else SigV4Auth)(Credentials("key", SECRET, "token"), service, "us-east-1")
    auth.add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


@pytest.mark.parametrize("service", ["s3", "ssm"])
@pytest.mark.parametrize("target", TARGETS)
def test_what_amazons_library_signs_is_right(target: str, service: str) -> None:
    headers = signed(target, service)
    assert access_key(headers) == "key"
    assert flaw(SECRET, "PUT", target, headers, b"some bytes") == ""


def test_anything_changed_since_is_wrong() -> None:
    target = TARGETS[0]
    headers = signed(target, "s3")
    assert flaw("another", "PUT", target, headers, b"some bytes") == "its signature is not that of this request"
    assert flaw(SECRET, "DELETE", target, headers, b"some bytes") == "its signature is not that of this request"
    assert flaw(SECRET, "PUT", f"{target}y", headers, b"some bytes") == "its signature is not that of this request"
    assert flaw(SECRET, "PUT", target, {**headers, "x-amz-security-token": "t"}, b"some bytes") != ""
    headers["x-amz-content-sha256"] = "0" * 64
    assert flaw(SECRET, "PUT", target, headers, b"some bytes") == "its body is another than was signed"


def test_what_is_not_signed_or_was_long_ago_is_wrong() -> None:
    assert access_key({}) is None
    assert flaw(SECRET, "GET", "/", {}, b"") == "it is not signed"
    old = {**signed("/", "s3"), "x-amz-date": "20200101T000000Z"}
    assert flaw(SECRET, "PUT", "/", old, b"some bytes") == "it was signed at 20200101T000000Z"
