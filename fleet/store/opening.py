"""From a URL to a bucket."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from fleet.model.errors import UnsuitableStoreError
from fleet.store.clock import BucketClock, date_of
from fleet.store.files import FileObjects
from fleet.store.objects import Objects

SCHEMES = ("file", "s3", "gs", "memory")


def open_objects(
    url: str,
    *,
    clock: Callable[[], float] | None = None,
    pause: Callable[[], None] = lambda: None,
    profile: str | None = None,
    region: str | None = None,
) -> Objects:
    """The bucket at a URL: ``file:///folder``, ``s3://bucket/prefix``, ``gs://bucket/prefix``, ``memory://``.

    ``clock`` replaces the bucket's clock, for tests. ``pause`` is called before each part of an upload; it may wait.
    ``profile`` is the AWS profile that an ``s3://`` bucket is reached by, if not what the environment chooses; ``region`` is
    that bucket's, if it is known.
    Raises UnsuitableStoreError for anything else.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        return _open_folder(parts.netloc, unquote(parts.path), clock, pause)
    if parts.scheme == "s3" and parts.netloc:
        return _open_amazon(parts.netloc, parts.path.strip("/"), url, clock, pause, profile, region)
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
    from obstore.store import GCSStore, MemoryStore

    from fleet.store.remote import RemoteObjects, client_options, retry_config

    if scheme == "memory":
        return RemoteObjects(MemoryStore(), url, clock or time.time, pause=pause)
    if not bucket:
        raise UnsuitableStoreError(f"{url!r} names no bucket", f"Write {scheme}://bucket or {scheme}://bucket/prefix.")
    google = BucketClock(lambda: date_of("https://storage.googleapis.com"))
    store = GCSStore(
        bucket, prefix=prefix or None, client_options=client_options(allow_http=False), retry_config=retry_config()
    )
    return RemoteObjects(store, url, clock or google.now, pause=pause)


def _open_amazon(
    bucket: str,
    prefix: str,
    url: str,
    clock: Callable[[], float] | None,
    pause: Callable[[], None],
    profile: str | None,
    region: str | None,
) -> Objects:
    from fleet.store.amazon import open_s3
    from fleet.store.remote import RemoteObjects

    store, now, login = open_s3(bucket, prefix, profile=profile, region=region)
    return RemoteObjects(store, url, clock or now, pause=pause, login=login)
