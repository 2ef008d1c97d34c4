"""The stand-in's objects without sockets: obstore speaks to nothing else, and set-up is tested on a clock of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleet.model.errors import AlreadyExistsError, NotFoundError, StoreError
from fleet.store.objects import ObjectInfo
from tests.gce.buckets import Bucket
from tests.gce.jsonapi import Cloud
from tests.gce.objects_api import buckets


@dataclass
class Within:
    """One bucket's, as ``open_objects`` gives them. Whoever asks has the project."""

    cloud: Cloud
    name: str

    @property
    def url(self) -> str:
        return f"gs://{self.name}"

    def now(self) -> float:
        return self.cloud.clock()

    def _bucket(self) -> Bucket:
        found = buckets(self.cloud).get(self.name)
        if found is None:
            raise StoreError(f"{self.url}: The specified bucket does not exist.")
        return found

    def get(self, key: str) -> bytes:
        stored = self._bucket().objects.get(key)
        if stored is None:
            raise NotFoundError(f"{self.url} has no {key}")
        return stored.data

    def put(self, key: str, data: bytes) -> None:
        with self.cloud.lock:
            self._bucket().write(key, data, self.cloud.clock(), "application/octet-stream")

    def create(self, key: str, data: bytes) -> None:
        with self.cloud.lock:
            if key in self._bucket().objects:
                raise AlreadyExistsError(f"{self.url}/{key} is there already")
            self.put(key, data)

    def upload(self, key: str, path: Path) -> str | None:
        self.put(key, path.read_bytes())
        return None

    def download(self, key: str, path: Path) -> str | None:
        path.write_bytes(self.get(key))
        return None

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        return [ObjectInfo(key, len(one.data), one.etag, one.at) for key, one in self._bucket().listed(prefix, "")]

    def delete(self, keys: Iterable[str]) -> None:
        found = buckets(self.cloud).get(self.name)
        for key in keys:
            if found is not None:  # a bucket that is gone has no such key
                found.objects.pop(key, None)
