"""The objects of Cloud Storage: what lies in buckets, generation by generation, and uploads in parts that are not done.

Everything happens at once and is seen at once, as Google promises; of several writers who want to be the first, one is.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.gce.wire import Refused

LEAST_PART = 5 << 20
"""Bytes of every part but the last."""
MOST_PARTS = 10_000


class NoError(Refused):
    """What the XML interface refuses with."""

    def __init__(self, status: int, code: str, message: str, details: str = "") -> None:
        super().__init__(status, code, message)
        self.told = details


@dataclass(frozen=True)
class Stored:
    """One generation of an object."""

    data: bytes
    generation: int
    at: float
    """When it was written, seconds since 1970."""
    etag: str
    content_type: str = "application/octet-stream"

    @property
    def md5(self) -> str:
        """As ``x-goog-hash`` tells it."""
        return base64.b64encode(hashlib.md5(self.data, usedforsecurity=False).digest()).decode()


@dataclass
class Upload:
    """One in parts, begun."""

    key: str
    upload_id: str
    at: float
    content_type: str
    parts: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    """By number: ETag and bytes."""


@dataclass
class Bucket:
    """One bucket. ``allowed`` says whether a principal has a permission on a resource's name; everything, unless set."""

    name: str
    objects: dict[str, Stored] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    allowed: Callable[[str, str, str], bool] = lambda _principal, _permission, _resource: True
    last: int = 0
    """The newest generation."""

    def write(self, key: str, data: bytes, at: float, content_type: str, etag: str = "") -> Stored:
        """A new generation: its number is a time in microseconds, and grows."""
        self.last = max(self.last + 1, int(at * 1_000_000))
        tag = etag or f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
        self.objects[key] = Stored(data, self.last, at, tag, content_type)
        return self.objects[key]

    def begin(self, key: str, at: float, content_type: str) -> Upload:
        """An upload in parts."""
        self.last += 1
        name = hashlib.sha256(f"{self.name}/{key}/{self.last}/{at}".encode()).hexdigest()[:40]
        self.uploads[name] = Upload(key, name, at, content_type)
        return self.uploads[name]

    def part(self, upload: Upload, number: int, data: bytes) -> str:
        """One part's ETag; the same number again replaces it."""
        if not 1 <= number <= MOST_PARTS:
            raise NoError(400, "InvalidArgument", f"Part number {number} is not between 1 and {MOST_PARTS}.")
        etag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
        upload.parts[number] = (etag, data)
        return etag

    def complete(self, upload: Upload, wanted: list[tuple[int, str]], at: float) -> Stored:
        """The parts as one object, under whatever was there. Raises NoError."""
        if not wanted or wanted != sorted(set(wanted)):
            raise NoError(400, "InvalidPartOrder", "The list of parts was not in ascending order.")
        for number, etag in wanted:
            if upload.parts.get(number, ("", b""))[0].strip('"') != etag.strip('"'):
                raise NoError(400, "InvalidPart", "One or more of the specified parts could not be found.")
        whole = [upload.parts[number][1] for number, _ in wanted]
        if any(len(one) < LEAST_PART for one in whole[:-1]):
            raise NoError(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum object size allowed.")
        data = b"".join(whole)
        tag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}-{len(whole)}"'
        del self.uploads[upload.upload_id]
        return self.write(upload.key, data, at, upload.content_type, tag)

    def listed(self, prefix: str, after: str) -> Iterator[tuple[str, Stored]]:
        """In the order of their keys' bytes."""
        for key in sorted(self.objects, key=str.encode):
            if key.startswith(prefix) and key.encode() > after.encode():
                yield key, self.objects[key]
