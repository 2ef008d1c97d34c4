"""AWS's signature, version 4, with nothing but the standard library: the few calls that the agent makes need no SDK."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from urllib.parse import quote, urlsplit


@dataclass(frozen=True, slots=True)
class Credentials:
    """What calls are signed with."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)
    """Of a role's temporary credentials."""
    until: float = float("inf")
    """When they expire, seconds since 1970."""


def signed(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    credentials: Credentials,
    *,
    region: str,
    service: str,
    at: float,
) -> dict[str, str]:
    """The headers that a request is to be sent with: those given, the date, the session's token and the signature.

    The URL is encoded already, its query's names in order. As every service but S3 wants it.
    """
    parts = urlsplit(url)
    stamp = datetime.fromtimestamp(at, timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    extra = {"X-Amz-Date": stamp, **({"X-Amz-Security-Token": credentials.token} if credentials.token else {})}
    sent = {**headers, "Host": parts.netloc, **extra}
    canonical = {name.lower(): " ".join(value.split()) for name, value in sent.items()}
    names = ";".join(sorted(canonical))
    digest = hashlib.sha256(body).hexdigest()
    path = quote(parts.path or "/", safe="/~-._")  # encoded twice, that is
    fields = "".join(f"{name}:{canonical[name]}\n" for name in sorted(canonical))
    request = "\n".join((method, path, parts.query, fields, names, digest))
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    to_sign = "\n".join(("AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return {**sent, "Authorization": authorization}
