"""From a URL to a bucket."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from fleet.model.errors import UnsuitableStoreError
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
    credentials: Callable[[], Any] | None = None,
) -> Objects:
    """The bucket at a URL: ``file:///folder``, ``s3://bucket/prefix``, ``gs://bucket/prefix``, ``memory://``.

    ``clock`` replaces the bucket's clock, for tests. ``pause`` is called before each part of an upload; it may wait.
    ``profile`` is the AWS profile that an ``s3://`` bucket is reached by, if not what the environment chooses; ``region`` is
    that bucket's, if it is known. ``credentials`` gives what requests to the bucket's cloud are made with, as obstore takes
    it; None: what is found as each cloud's own tools find it.
    Raises UnsuitableStoreError for anything else.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        return _open_folder(parts.netloc, unquote(parts.path), clock, pause)
    if parts.scheme == "memory":
        return _open_memory(url, clock, pause)
    if parts.scheme in ("s3", "gs"):
        if not parts.netloc:
            told = f"Write {parts.scheme}://bucket or {parts.scheme}://bucket/prefix."
            raise UnsuitableStoreError(f"{url!r} names no bucket", told)
        from fleet.store.remote import RemoteObjects

        bucket, prefix = parts.netloc, parts.path.strip("/")
        if parts.scheme == "s3":
            from fleet.store.amazon import open_s3

            store, now, login = open_s3(bucket, prefix, profile=profile, region=region, credentials=credentials)
            return RemoteObjects(store, url, clock or now, pause=pause, login=login)
        from fleet.store.google import open_gs

        google, now, login = open_gs(bucket, prefix, credentials)
        return RemoteObjects(google, url, clock or now, pause=pause, login=login)
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


def _open_memory(url: str, clock: Callable[[], float] | None, pause: Callable[[], None]) -> Objects:
    from obstore.store import MemoryStore

    from fleet.store.remote import RemoteObjects

    return RemoteObjects(MemoryStore(), url, clock or time.time, pause=pause)
