"""A model in a bucket, through obstore: Amazon's, or a look-alike with endpoint and keys of its own."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleet.model.errors import AlreadyExistsError, NotFoundError
from fleet.store.amazon import BucketPlace, credentials_for, open_s3
from fleet.store.awsconfig import read_config
from fleet.store.remote import RemoteObjects, client_options, retry_config, translated
from fleet.workloads.deepracer.folder import whole_file
from fleet.workloads.deepracer.prefix import S3Place, Stat

if TYPE_CHECKING:
    from obstore.store import S3Credential, S3Store


class Bucket:
    """Below one prefix of a bucket."""

    def __init__(self, store: S3Store, objects: RemoteObjects) -> None:
        """Both know the prefix: keys are relative to it."""
        self._store, self._objects = store, objects

    @property
    def where(self) -> str:
        """``s3://bucket/prefix``."""
        return self._objects.url

    def now(self) -> float:
        """The bucket's clock."""
        return self._objects.now()

    def list(self) -> dict[str, Stat]:
        """Everything below it, sorted by name."""
        return {info.key: Stat(info.size, info.modified) for info in self._objects.list("")}

    def read(self, name: str) -> bytes:
        """Raises NotFoundError."""
        return self._objects.get(name)

    def write(self, name: str, data: bytes) -> None:
        """Replace or make."""
        self._objects.put(name, data)

    def move(self, name: str, to: str) -> None:
        """Copied within the bucket, then removed: a bucket cannot rename. Replaces nothing."""
        import obstore

        if self._has(to):
            if not self._has(name):
                raise NotFoundError(f"there is no {name!r}")
            if self._objects.get(name) != self._objects.get(to):
                raise AlreadyExistsError(f"{to!r} exists already, and is another file than {name!r}")
        else:
            with translated(name):
                obstore.copy(self._store, name, to)
        self._objects.delete([name])

    def _has(self, name: str) -> bool:
        import obstore

        try:
            with translated(name):
                obstore.head(self._store, name)
        except NotFoundError:
            return False
        return True

    def remove(self, name: str) -> None:
        """Absent is fine."""
        self._objects.delete([name])

    def fetch(self, name: str, path: Path) -> None:
        """Copy it to a file: the whole of it, or nothing."""
        with whole_file(path) as temporary:
            self._objects.download(name, temporary)

    def send(self, name: str, path: Path) -> None:
        """Copy a file there, whole or not at all."""
        self._objects.upload(name, path)


def open_place(place: S3Place, prefix: str) -> Bucket:
    """A prefix where a place says."""
    prefix = prefix.strip("/")
    store = _store(place, prefix)
    clock = BucketPlace(_endpoint(place), place.bucket, place.region).clock
    return Bucket(store, RemoteObjects(store, f"s3://{place.bucket}/{prefix}", clock.now))


def open_configured(bucket: str, prefix: str) -> Bucket:
    """A prefix in a bucket that AWS's usual configuration leads to."""
    prefix = prefix.strip("/")
    store, now, login = open_s3(bucket, prefix)
    return Bucket(store, RemoteObjects(store, f"s3://{bucket}/{prefix}", now, login=login))


def folders_of(place: S3Place) -> list[str]:
    """The names that the bucket's keys begin with, up to the first ``/``."""
    import obstore

    with translated(place.bucket):
        return sorted(obstore.list_with_delimiter(_store(place, ""))["common_prefixes"])


def _endpoint(place: S3Place) -> str | None:
    """The environment may say that "Amazon" is elsewhere, as everywhere in fleet."""
    return place.endpoint or read_config(os.environ).endpoint


def _store(place: S3Place, prefix: str) -> S3Store:
    from obstore.store import S3Store

    own: dict[str, Any] = {}
    endpoint = _endpoint(place)
    if endpoint is not None:
        own["endpoint"] = endpoint  # None is refused since obstore 0.12
    if place.key is not None and place.secret is not None:
        # As keys, obstore would take a token of the environment with them, which belongs to others.
        own["credential_provider"] = partial(_keys, place.key, place.secret)
    else:
        own["credential_provider"] = credentials_for(None, read_config(os.environ))
    return S3Store(
        place.bucket,
        prefix=prefix or None,
        region=place.region,
        # A certificate for *.s3.amazonaws.com does not hold for a name with dots; look-alikes know one host only.
        virtual_hosted_style_request=endpoint is None and "." not in place.bucket,
        client_options=client_options(allow_http=bool(endpoint and endpoint.startswith("http://"))),
        retry_config=retry_config(),
        **own,
    )


def _keys(key: str, secret: str) -> S3Credential:
    return {"access_key_id": key, "secret_access_key": secret, "token": None, "expires_at": None}
