"""A bucket in memory by a virtual clock. What its machines would have said by now, it asks them once somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from fleet.model.base import Seconds
from fleet.model.errors import AlreadyExistsError, NotFoundError
from fleet.store.objects import ObjectInfo

Word = Callable[[], tuple[str, bytes]]
"""A document as it is now, with its version."""


class Bucket:
    """A dictionary for each folder at the root."""

    url = "memory://"

    def __init__(self, clock: Callable[[], Seconds]) -> None:
        self._clock = clock
        self._folders: dict[str, dict[str, tuple[bytes, int, Seconds]]] = {}
        self._versions = 0
        self.spoken: dict[str, Word] = {}
        """Heartbeats of machines that live: written when they are read, as fresh as they would be."""
        self.on_change: Callable[[str, bytes], None] = lambda _key, _data: None

    def now(self) -> Seconds:
        """By the virtual clock."""
        return self._clock()

    def _folder(self, key: str) -> dict[str, tuple[bytes, int, Seconds]]:
        return self._folders.setdefault(key.partition("/")[0], {})

    def get(self, key: str) -> bytes:
        """The bytes; see the contract."""
        word = self.spoken.get(key)
        if word is not None:
            return word()[1]
        found = self._folder(key).get(key)
        if found is None:
            raise NotFoundError(f"there is no {key!r}")
        return found[0]

    def put(self, key: str, data: bytes) -> None:
        """Write; see the contract."""
        self._versions += 1
        self._folder(key)[key] = (data, self._versions, self._clock())
        self.on_change(key, data)

    def create(self, key: str, data: bytes) -> None:
        """Write once; see the contract."""
        if key in self._folder(key):
            raise AlreadyExistsError(f"{key!r} exists already")
        self.put(key, data)

    def upload(self, key: str, path: Path) -> None:
        """Write from a file; see the contract."""
        self.put(key, path.read_bytes())

    def download(self, key: str, path: Path) -> None:
        """Read into a file; see the contract."""
        path.write_bytes(self.get(key))

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        """A listing; see the contract."""
        now, found = self._clock(), []
        for key, word in self.spoken.items():
            if key.startswith(prefix):
                version, data = word()
                found.append(ObjectInfo(key, len(data), version, now))
        for key, (data, number, modified) in self._folder(prefix).items():
            if key.startswith(prefix) and key not in self.spoken:
                found.append(ObjectInfo(key, len(data), str(number), modified))
        return sorted(found, key=lambda info: info.key)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove; see the contract."""
        for key in keys:
            self._folder(key).pop(key, None)
