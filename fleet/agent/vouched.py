"""What a machine reaches its bucket with: its own cloud says who it is, and the bucket's cloud takes that word.

Nothing of it is written anywhere, and nothing secret was ever handed to the machine (fleet/model/across.py). A machine of
EC2 with its bucket on S3 needs nothing of this: obstore asks for its role by itself.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from fleet.agent.asking import ask
from fleet.agent.role import Role
from fleet.agent.sigv4 import signed
from fleet.model.across import AWS_ROLE, BUCKET_REGION, GOOGLE_ACCOUNT, GOOGLE_PROVIDER
from fleet.model.base import Seconds
from fleet.model.errors import StoreError
from fleet.store.clock import suspended_monotonic
from fleet.store.region import amazon_domain

GOOD_FOR: Seconds = 3600.0
"""What is asked for by the hour: the longest that AWS gives a role by default, and Google an account without more ado."""
EARLY: Seconds = 300.0
"""New ones are asked for so long before the old ones are over."""
AGAIN: Seconds = 10.0
"""A renewal that failed while the old ones were good is tried again so soon."""
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
AWS_REQUEST = "urn:ietf:params:aws:token-type:aws4_request"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  # the name of a kind
_FIELD = r"<{0}>([^<]+)</{0}>"

Credentials = dict[str, Any]
"""As obstore takes them."""


class Google(Protocol):
    """What the metadata server of Compute Engine tells of the machine's service account. Raises OSError."""

    def token(self) -> str | None:
        """The answer that holds an access token, JSON; None: the machine has no account."""
        ...

    def identity(self, audience: str) -> str | None:
        """A signed token that says to ``audience`` who this machine is."""
        ...


class Vouched:
    """Credentials for obstore, which calls this from threads of its own; renewed in time, and held in memory only.

    Raises StoreError if there are none. A renewal that fails is no harm as long as the old ones are good.
    """

    def __init__(
        self, fetch: Callable[[], tuple[Credentials, Seconds]], monotonic: Callable[[], Seconds] = suspended_monotonic
    ) -> None:
        """``fetch`` gives new ones, and how long they are good."""
        self._fetch, self._monotonic = fetch, monotonic
        self._lock = threading.Lock()
        self._held: Credentials | None = None
        self._until = self._next = float("-inf")

    def __call__(self) -> Credentials:
        """Those that are good now."""
        with self._lock:
            now = self._monotonic()
            if now >= self._next:
                self._renew(now)
            assert self._held is not None
            # Over at once: so obstore asks before every request, which costs it microseconds, and keeps nothing itself.
            return {**self._held, "expires_at": datetime.now(timezone.utc)}

    def _renew(self, now: Seconds) -> None:
        try:
            held, good_for = self._fetch()
        except (StoreError, OSError) as error:
            if self._held is None or now >= self._until:
                self._held = None
                raise error if isinstance(error, StoreError) else StoreError(str(error)) from None
            self._next = now + AGAIN
            return
        self._held, self._until = held, now + good_for
        self._next = now + max(good_for - EARLY, good_for / 2)


def vouched(
    root: str,
    env: Mapping[str, str],
    *,
    google: Google,
    role: Role,
    wall: Callable[[], Seconds] = time.time,
) -> Callable[[], Credentials] | None:
    """What a bucket is opened with on a machine that $FLEET_MACHINE names. None: obstore finds it by itself.

    ``google`` and ``role`` ask the machine's own metadata service. ``wall`` is what requests are dated by.
    """
    machine, scheme = env.get("FLEET_MACHINE"), root.partition("://")[0]
    if machine == "gce" and scheme == "gs":
        return Vouched(lambda: own_token(google))
    if machine == "gce" and scheme == "s3":
        return Vouched(lambda: keys_of_role(google, env))
    if machine == "ec2" and scheme == "gs":
        return Vouched(lambda: token_of_account(role, env, wall))
    return None


def own_token(google: Google) -> tuple[Credentials, Seconds]:
    """Of the machine's own service account."""
    text = google.token()
    if text is None:
        raise StoreError("this machine has no service account: it was launched without one")
    try:
        found = json.loads(text)
        return {"token": str(found["access_token"])}, float(found["expires_in"])
    except (ValueError, LookupError, TypeError):
        raise StoreError("the metadata server gives no access token") from None


def keys_of_role(google: Google, env: Mapping[str, str]) -> tuple[Credentials, Seconds]:
    """Of the role of AWS that trusts the machine's service account."""
    role = _told(env, AWS_ROLE, "S3", "fleet init gcp")
    identity = google.identity(role)
    if identity is None:
        raise StoreError("this machine has no service account, which the role of AWS would trust")
    words = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": role,
        "RoleSessionName": "fleet-machine",
        "WebIdentityToken": identity,
        "DurationSeconds": str(int(GOOD_FOR)),
    }
    region = env.get(BUCKET_REGION) or "us-east-1"
    url = env.get("AWS_ENDPOINT_URL_STS") or env.get("AWS_ENDPOINT_URL")
    url = url or f"https://sts.{region}.{amazon_domain(region)}/"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = ask(url, urlencode(words).encode(), form, f"AWS lets this machine not be {role}").decode()
    found = [re.search(_FIELD.format(name), answer) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]
    key, secret, session = (one[1] if one else "" for one in found)
    if not (key and secret and session):
        raise StoreError(f"{url} gives no keys of {role}")
    return {"access_key_id": key, "secret_access_key": secret, "token": session}, GOOD_FOR


def token_of_account(role: Role, env: Mapping[str, str], wall: Callable[[], Seconds]) -> tuple[Credentials, Seconds]:
    """Of the service account that trusts the machine's role."""
    provider = "//iam.googleapis.com/" + _told(env, GOOGLE_PROVIDER, "Cloud Storage", "fleet init aws")
    account = _told(env, GOOGLE_ACCOUNT, "Cloud Storage", "fleet init aws")
    try:
        keys = role.credentials()
    except OSError as error:
        raise StoreError(f"the keys of this machine's role cannot be had: {error}") from None
    region = env.get("AWS_REGION") or "us-east-1"
    url = f"https://sts.{region}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"
    target = {"x-goog-cloud-target-resource": provider}
    headers = signed("POST", url, target, b"", keys, region=region, service="sts", at=wall())
    question = {"url": url, "method": "POST", "headers": [{"key": one, "value": headers[one]} for one in sorted(headers)]}
    asked = {
        "grantType": EXCHANGE,
        "audience": provider,
        "scope": SCOPE,
        "requestedTokenType": ACCESS_TOKEN,
        "subjectTokenType": AWS_REQUEST,
        "subjectToken": quote(json.dumps(question, separators=(",", ":")), safe=""),
    }
    at = _endpoint(env, "sts")
    known = _json(f"{at}/v1/token", asked, {}, "Google does not know this machine's role", "access_token")
    at = f"{_endpoint(env, 'iamcredentials')}/v1/projects/-/serviceAccounts/{account}:generateAccessToken"
    wanted = {"scope": [SCOPE], "lifetime": f"{GOOD_FOR:.0f}s"}
    why = f"this machine's role may not act as {account}"
    return {"token": _json(at, wanted, {"Authorization": f"Bearer {known}"}, why, "accessToken")}, GOOD_FOR


def _json(url: str, asked: Mapping[str, object], headers: Mapping[str, str], why: str, field: str) -> str:
    answer = ask(url, json.dumps(asked).encode(), {"Content-Type": "application/json", **headers}, why)
    try:
        return str(json.loads(answer)[field])
    except (ValueError, LookupError, TypeError):
        raise StoreError(f"{url} gives no {field}") from None


def _endpoint(env: Mapping[str, str], api: str) -> str:
    named = env.get(f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api.upper()}")
    return (named or f"https://{api}.googleapis.com").rstrip("/")


def _told(env: Mapping[str, str], name: str, where: str, command: str) -> str:
    if not env.get(name):
        told = f"nothing says how this machine reaches a bucket on {where}: {name} is not set"
        raise StoreError(told, f"Once: {command}")
    return env[name]
