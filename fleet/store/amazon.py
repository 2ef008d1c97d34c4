"""``s3://``: where a bucket is, and what requests to it are signed with.

obstore by itself reads keys from the environment and asks a machine's own role; it knows neither profiles nor SSO nor
assumed roles. So on a user's computer it is given what boto3 would use. On a machine of fleet's (``FLEET_MACHINE``) its own
reading is right, and boto3 is not there.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleet.model.across import BUCKET_REGION
from fleet.model.errors import StoreError
from fleet.store.awsconfig import AwsConfig, Keys, config_files, read_config
from fleet.store.clock import BucketClock, answer_to_head
from fleet.store.region import amazon_domain

if TYPE_CHECKING:
    from obstore.store import S3Credential, S3Store

ASKED_EVERY = 10.0
"""Seconds for which an answer of boto3 stands: a process that hands out keys for minutes is not to run at every request.
botocore renews ten minutes before the end at the latest."""
FIRST_REGION = "us-east-1"
"""Of a bucket that nothing is known about."""


class AmazonCredentials:
    """What boto3 would sign with, for obstore: looked up at every call, renewed when it is due.

    Raises StoreError, whose hint is the login command, if there is nothing valid. Nothing is remembered but in memory.
    """

    def __init__(self, profile: str | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._profile, self._monotonic = profile, monotonic
        self._lock = threading.Lock()
        self._seen: object = None
        self._config: AwsConfig | None = None
        self._source: Any = None
        self._asked: tuple[float, Keys] | None = None

    def __call__(self) -> S3Credential:
        """Called by obstore, from threads of its own."""
        keys = self.keys()
        return {
            "access_key_id": keys.access_key_id,
            "secret_access_key": keys.secret_access_key,
            "token": keys.token,
            # Over at once: so obstore asks before every request, which costs it microseconds, and a login is seen at once.
            "expires_at": datetime.now(timezone.utc),
        }

    def keys(self) -> Keys:
        """What to sign with now."""
        with self._lock:
            config = self._read()
            return config.keys if config.keys is not None else self._ask(config)

    def _read(self) -> AwsConfig:
        """Both files, again only if one of them is another than before."""
        seen = tuple(_signature(str(path)) for path in config_files(os.environ))
        if self._config is None or seen != self._seen:
            self._config, self._seen = read_config(os.environ, self._profile), seen
            self._source = self._asked = None
        return self._config

    def _ask(self, config: AwsConfig) -> Keys:
        """boto3, which may start a process, or ask STS or SSO."""
        now = self._monotonic()
        if self._asked is not None and now - self._asked[0] < ASKED_EVERY:
            return self._asked[1]
        try:
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError:
            told = f"the AWS credentials{_of(config)} must be asked for, which needs boto3; it is not installed"
            raise StoreError(told, "pip install 'fleet[aws]'") from None
        try:
            if self._source is None:
                self._source = _session(self._profile).get_credentials()
            if self._source is None:
                raise StoreError(f"there are no AWS credentials{_of(config)}", config.login)
            found = self._source.get_frozen_credentials()
        except (BotoCoreError, ClientError, RuntimeError, OSError, ValueError, KeyError) as error:
            self._source = self._asked = None  # the next call begins anew: someone may have logged in
            told = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise StoreError(f"the AWS credentials{_of(config)} cannot be had: {told}", config.login) from None
        keys = Keys(found.access_key, found.secret_key, found.token)
        self._asked = (now, keys)
        return keys


def _session(profile: str | None) -> Any:
    """botocore's: what boto3 adds to it takes a tenth of a second, and is not needed here."""
    import botocore.session

    return botocore.session.Session(profile=profile)


def _of(config: AwsConfig) -> str:
    return f" of the profile {config.profile}" if config.known or config.profile != "default" else ""


def _signature(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - at every call of obstore's: this is ten times quicker
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def credentials_for(profile: str | None, config: AwsConfig) -> AmazonCredentials | None:
    """What obstore is to be given. None: what it finds by itself is right."""
    if os.environ.get("FLEET_MACHINE"):
        return None
    if config.keys_from == "environment":
        return None
    said = config.known and config.keys_from != ""
    if not said and importlib.util.find_spec("botocore") is None:
        return None
    return _shared(profile, config.profile, config_files(os.environ))


@functools.lru_cache(maxsize=64)
def _shared(profile: str | None, _name: str, _files: tuple[Path, Path]) -> AmazonCredentials:
    """One for a process: a command opens a bucket several times, and asking takes time."""
    return AmazonCredentials(profile)


class BucketPlace:
    """A bucket's region and clock, from the answer to one unsigned question; a refusal tells both as well."""

    def __init__(self, endpoint: str | None, bucket: str, hint: str | None) -> None:
        host = f"https://s3.{hint or FIRST_REGION}.{amazon_domain(hint or FIRST_REGION)}"
        self._url = f"{endpoint or host}/{bucket}"
        self.region: str | None = None
        """None until the clock was read, and where a store does not tell."""
        self.clock = BucketClock(self._fetch)

    def _fetch(self) -> float:
        date, headers = answer_to_head(self._url)
        self.region = headers.get("x-amz-bucket-region") or self.region
        return date


@functools.lru_cache(maxsize=64)
def _place(endpoint: str | None, bucket: str, hint: str | None) -> BucketPlace:
    """One for a process: a command opens a bucket several times."""
    return BucketPlace(endpoint, bucket, hint)


def regions_of(bucket: str) -> tuple[str, ...]:
    """Where we are, then where the bucket is, if that is another region and known since the bucket was opened."""
    config = read_config(os.environ)
    there = os.environ.get(BUCKET_REGION) or _place(config.endpoint, bucket, config.region).region
    here = config.region or there or FIRST_REGION
    return (here,) if there in (None, here) else (here, there)


def forget_buckets() -> None:
    """For tests, where one name stands for many buckets."""
    _place.cache_clear()
    _shared.cache_clear()


def _metadata_endpoint() -> str:
    """Where obstore asks for the credentials of a machine's role, which it does by itself."""
    own = os.environ.get("FLEET_METADATA_URL") if os.environ.get("FLEET_MACHINE") == "ec2" else None
    return own or os.environ.get("AWS_METADATA_ENDPOINT") or "http://169.254.169.254"


def open_s3(
    bucket: str,
    prefix: str,
    *,
    profile: str | None = None,
    region: str | None = None,
    credentials: Callable[[], S3Credential] | None = None,
) -> tuple[S3Store, Callable[[], float], Callable[[], str]]:
    """A store, its clock, and what to type when its credentials are refused.

    A bucket's region is ``region`` if that is given, else what S3 itself says: a laptop's region, and a machine's, need not
    be the bucket's. The configured one serves where a store does not tell, or cannot be reached. ``credentials`` go before
    everything that would be found.
    """
    from obstore.store import S3Store

    from fleet.store.remote import client_options, retry_config

    config = read_config(os.environ, profile)
    region = region or os.environ.get(BUCKET_REGION) or None
    place = _place(config.endpoint, bucket, region or config.region)
    if region is None:
        if place.region is None:
            place.clock.now()
        region = place.region or config.region or FIRST_REGION
    endpoint = config.endpoint
    if endpoint is None and region.startswith("cn-"):
        endpoint = f"https://s3.{region}.{amazon_domain(region)}"
    own: dict[str, Any] = {"endpoint": endpoint} if endpoint is not None else {}  # None is refused since obstore 0.12
    store = S3Store(
        bucket,
        prefix=prefix or None,
        region=region,
        **own,
        # A certificate for *.s3.amazonaws.com does not hold for a name with dots; look-alikes know one host only.
        virtual_hosted_style_request=endpoint is None and "." not in bucket,
        client_options=client_options(allow_http=bool(endpoint and endpoint.startswith("http://"))),
        retry_config=retry_config(),
        credential_provider=credentials or credentials_for(profile, config),
        metadata_endpoint=_metadata_endpoint(),
    )
    return store, place.clock.now, lambda: read_config(os.environ, profile).login
