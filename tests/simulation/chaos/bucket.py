"""A bucket in memory, and each client's own view of it, through which faults come."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from fleet.model.errors import AlreadyExistsError, NotFoundError, StoreError
from fleet.providers.wrap.around import Call
from fleet.store.objects import ObjectInfo


class DictObjects:
    """A bucket as a dictionary. ``on_change`` is told of each key that was created, replaced or removed."""

    url = "memory://"

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.data: dict[str, tuple[bytes, int, float]] = {}
        self._keys: list[str] = []
        self._versions = 0
        self.on_change: Callable[[str, bytes | None], None] = lambda _key, _data: None
        self.on_put: Callable[[str], None] = lambda _key: None
        """Told of each key that was written without asking for exclusive creation."""

    def now(self) -> float:
        return self.clock()

    def get(self, key: str) -> bytes:
        if key not in self.data:
            raise NotFoundError(f"there is no {key!r}")
        return self.data[key][0]

    def put(self, key: str, data: bytes) -> None:
        self.on_put(key)
        self._write(key, data)

    def _write(self, key: str, data: bytes) -> None:
        if key not in self.data:
            bisect.insort(self._keys, key)
        self._versions += 1
        self.data[key] = (data, self._versions, self.clock())
        self.on_change(key, data)

    def create(self, key: str, data: bytes) -> None:
        if key in self.data:
            raise AlreadyExistsError(f"{key!r} exists already")
        self._write(key, data)

    def upload(self, key: str, path: Path) -> None:
        self.put(key, path.read_bytes())

    def download(self, key: str, path: Path) -> None:
        path.write_bytes(self.get(key))

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        found = []
        for index in range(bisect.bisect_left(self._keys, prefix), len(self._keys)):
            key = self._keys[index]
            if not key.startswith(prefix):
                break
            data, version, modified = self.data[key]
            found.append(ObjectInfo(key, len(data), str(version), modified))
        return found

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            if self.data.pop(key, None) is not None:
                del self._keys[bisect.bisect_left(self._keys, key)]
                self.on_change(key, None)


KINDS = (
    ("journal/", "journal"),
    ("snapshots/", "snapshot"),
    ("heartbeats/", "heartbeat"),
    ("jobs/", "job"),
    ("models/", "model"),
)
ENDS = (
    ("desired.json", "desired"),
    ("began.json", "began"),
    ("base.json", "base"),
    ("manifest.json", "manifest"),
    (".log", "log"),
)


def kind_of(key: str) -> str:
    """What a key holds, for the matrix of what was reached."""
    for prefix, kind in KINDS:
        if key.startswith(prefix):
            return kind
    for end, kind in ENDS:
        if key.endswith(end):
            return kind
    return "launch" if "/launch-" in key else "checkpoint" if "/checkpoints/" in key else "other"


class Effects(Protocol):
    """Through which every effect of every client goes (world.py)."""

    def effect(self, client: Any, what: str, do: Callable[[], object], *, changes: bool, call: Call | None = None) -> object:
        """Do it, or not, or more than once."""
        ...


class ClientObjects:
    """One client's view of the bucket: each call is an effect that may go wrong."""

    url = "memory://"

    def __init__(self, inner: DictObjects, effects: Effects, client: object) -> None:
        self._inner, self._effects, self._client = inner, effects, client

    def _do(self, verb: str, key: str, do: Callable[[], object], *, changes: bool) -> object:
        return self._effects.effect(self._client, f"{verb} {kind_of(key)}", do, changes=changes)

    def now(self) -> float:
        return self._inner.clock()

    def get(self, key: str) -> bytes:
        return self._do("get", key, lambda: self._inner.get(key), changes=False)  # type: ignore[return-value]

    def put(self, key: str, data: bytes) -> None:
        self._do("put", key, lambda: self._inner.put(key, data), changes=True)

    def create(self, key: str, data: bytes) -> None:
        self._do("create", key, lambda: self._inner.create(key, data), changes=True)

    def upload(self, key: str, path: Path) -> None:
        self._do("put", key, lambda: self._inner.upload(key, path), changes=True)

    def download(self, key: str, path: Path) -> None:
        self._do("get", key, lambda: self._inner.download(key, path), changes=False)

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        return self._do("list", prefix, lambda: self._inner.list(prefix), changes=False)  # type: ignore[return-value]

    def delete(self, keys: Iterable[str]) -> None:
        for key in list(keys):
            self._do("delete", key, lambda k=key: self._inner.delete([k]), changes=True)  # type: ignore[misc]


def out_of_reach() -> StoreError:
    """What a client hears when the bucket cannot be reached, or its answer was lost."""
    return StoreError("the bucket does not answer")
