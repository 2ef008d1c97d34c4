"""Access to a bucket: what fleet asks of object storage, the same for folders, memory and clouds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One entry of a listing."""

    key: str
    size: int
    version: str
    """Changes whenever the bytes do (an ETag, or size and time of change)."""
    modified: float
    """Seconds since 1970, by the bucket's clock."""


@runtime_checkable
class Objects(Protocol):
    """A bucket (or a folder in one). Keys use ``/``; every method is safe to call from several threads.

    Failures are ``StoreError``; ``NotFoundError`` and ``AlreadyExistsError`` where said. Retries are short: a call
    gives up within about ten seconds, since a notice is not much longer than that.
    """

    @property
    def url(self) -> str:
        """The root, as ``open_objects`` takes it."""
        ...

    def now(self) -> float:
        """The time by the bucket's clock, seconds since 1970. Cheap: asked of the bucket only now and then."""
        ...

    def get(self, key: str) -> bytes:
        """The bytes under a key. Raises NotFoundError."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Write, replacing what was there. Durable on return; readers see the old bytes or the new, never a part."""
        ...

    def create(self, key: str, data: bytes) -> None:
        """Write only if the key is absent, atomically. Raises AlreadyExistsError (perhaps on account of this very call:
        stores retry by themselves, so ask the key what it holds)."""
        ...

    def upload(self, key: str, path: Path) -> str | None:
        """``put`` from a file, in parts if it is large.

        The SHA-256 of the very bytes that were sent, in hexadecimal; None from a bucket that did not look at them.
        """
        ...

    def download(self, key: str, path: Path) -> str | None:
        """``get`` into a file (created or truncated; the caller renames it when it is whole). Raises NotFoundError.

        The SHA-256 of the very bytes that came, in hexadecimal; None from a bucket that did not look at them.
        """
        ...

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        """Every object whose key begins with ``prefix`` (a whole folder if it ends in ``/``), sorted by key."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Remove keys; absent ones are success."""
        ...
