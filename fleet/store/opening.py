"""From a URL to a bucket."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from fleet.model.errors import UnsuitableStoreError
from fleet.store.clock import BucketClock, date_of
from fleet.store.files import FileObjects
from fleet.store.objects import Objects
from fleet.store.region import amazon_domain, bucket_region

SCHEMES = ("file", "s3", "gs", "memory")


def open_objects(url: str, *, clock: Callable[[], float] | None = None, pause: Callable[[], None] = lambda: None) -> Objects:
    """The bucket at a URL: ``file:///folder``, ``s3://bucket/prefix``, ``gs://bucket/prefix``, ``memory://``.

    ``clock`` replaces the bucket's clock, for tests. ``pause`` is called before each part of an upload; it may wait.
    Raises UnsuitableStoreError for anything else.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        return _open_folder(parts.netloc, unquote(parts.path), clock, pause)
    if parts.scheme in ("s3", "gs", "memory"):
        return _open_remote(parts.scheme, parts.netloc, parts.path.strip("/"), url, clock, pause)
    raise UnsuitableStoreError(
        f"{url!r} is no bucket that fleet knows", f"Write {', '.join(f'{s}://…' for s in SCHEMES[:3])}."
    )


def _open_folder(host: str, path: str, clock: Callable[[], float] | None, pause: Callable[[], None]) -> FileObjects:
    if host or not path.startswith("/"):
        raise UnsuitableStoreError(f"file://{host}{path} is no absolute folder", "Write file:///an/absolute/folder.")
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise UnsuitableStoreError(f"{folder} is a file", "Name a folder.")
    return FileObjects(folder, clock or time.time, pause=pause)


def _open_remote(
    scheme: str, bucket: str, prefix: str, url: str, clock: Callable[[], float] | None, pause: Callable[[], None]
) -> Objects:
    from obstore.store import GCSStore, MemoryStore, S3Store

    from fleet.store.remote import RemoteObjects, client_options, retry_config

    if scheme == "memory":
        return RemoteObjects(MemoryStore(), url, clock or time.time, pause=pause)
    if not bucket:
        raise UnsuitableStoreError(f"{url!r} names no bucket", f"Write {scheme}://bucket or {scheme}://bucket/prefix.")
    if scheme == "gs":
        google = BucketClock(lambda: date_of("https://storage.googleapis.com"))
        store = GCSStore(
            bucket, prefix=prefix or None, client_options=client_options(allow_http=False), retry_config=retry_config()
        )
        return RemoteObjects(store, url, clock or google.now, pause=pause)
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = bucket_region(bucket)
    amazon = BucketClock(lambda: date_of(endpoint or f"https://s3.{region}.{amazon_domain(region)}"))
    http = bool(endpoint and endpoint.startswith("http://"))
    s3 = S3Store(
        bucket,
        prefix=prefix or None,
        region=region,
        endpoint=endpoint,
        virtual_hosted_style_request=endpoint is None,
        client_options=client_options(allow_http=http),
        retry_config=retry_config(),
        metadata_endpoint=_metadata_endpoint(),
    )
    return RemoteObjects(s3, url, clock or amazon.now, pause=pause)


def _metadata_endpoint() -> str:
    """Where obstore asks for the credentials of a machine's role, which it does by itself."""
    own = os.environ.get("FLEET_METADATA_URL") if os.environ.get("FLEET_MACHINE") == "ec2" else None
    return own or os.environ.get("AWS_METADATA_ENDPOINT") or "http://169.254.169.254"
