"""Checks signatures of version 4 as Amazon does, by its description: whose a request is, and that it is unchanged."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qsl, quote, unquote

_FORM = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})")
SKEW = timedelta(minutes=15)
UNREAD = ("UNSIGNED-PAYLOAD", "STREAMING-")


def access_key(headers: Mapping[str, str]) -> str | None:
    """Whose request it says it is; None: it is not signed. Names of headers are in lower case."""
    found = _FORM.fullmatch(headers.get("authorization", ""))
    return found.group(1) if found else None


def flaw(secret: str, method: str, target: str, headers: Mapping[str, str], body: bytes) -> str:
    """What is wrong with a request's signature; empty: nothing."""
    found = _FORM.fullmatch(headers.get("authorization", ""))
    if found is None:
        return "it is not signed"
    _, scope, names, signature = found.groups()
    day, region, service, _ = scope.split("/")
    at = headers.get("x-amz-date", "")
    instant = datetime.strptime(at, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    if abs(datetime.now(timezone.utc) - instant) > SKEW:
        return f"it was signed at {at}"
    told = headers.get("x-amz-content-sha256")
    read = hashlib.sha256(body).hexdigest()
    if told is not None and not told.startswith(UNREAD) and told != read:
        return "its body is another than was signed"
    path, _, query = target.partition("?")
    plain = [f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in names.split(";")]
    canonical = "\n".join([method, _path(path, service), _query(query), "".join(plain), names, told or read])
    text = "\n".join(["AWS4-HMAC-SHA256", at, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return "" if hmac.compare_digest(key.hex(), signature) else "its signature is not that of this request"


def _path(path: str, service: str) -> str:
    """As sent, for S3; once more encoded, for every other service."""
    return quote(unquote(path), safe="/-_.~") if service == "s3" else quote(path, safe="/-_.~")


def _query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    encoded = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)
