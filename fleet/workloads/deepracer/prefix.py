"""Where a DeepRacer model lies: a folder, or a prefix in a bucket (Amazon's, or a look-alike on the machine).

Names are relative to the prefix (``model/3_Step-10.ckpt.index``, ``ip/done``). A prefix ends where its folder ends:
``model-1`` sees nothing of ``model-10``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from fleet.model.errors import UnsuitableStoreError


@dataclass(frozen=True, slots=True)
class Stat:
    """What a listing says of a file."""

    size: int
    modified: float
    """Seconds since 1970, by the clock of whoever keeps the file."""


class Prefix(Protocol):
    """Everything below one prefix. Failures are ``StoreError``; ``NotFoundError`` and ``AlreadyExistsError`` where said."""

    @property
    def where(self) -> str:
        """For people: a folder, or ``s3://bucket/prefix``."""
        ...

    def now(self) -> float:
        """The time by the clock that ``Stat.modified`` is told by."""
        ...

    def list(self) -> dict[str, Stat]:
        """Everything below it, sorted by name, and nothing of a prefix that merely begins with the same letters."""
        ...

    def read(self, name: str) -> bytes:
        """Raises NotFoundError."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Replace or make; readers see the old bytes or the new, never a part."""
        ...

    def move(self, name: str, to: str) -> None:
        """Whole or not at all; a crash may leave both, never none. Replaces nothing: AlreadyExistsError if there is
        something else at ``to``; the same bytes there, left by a crash, are taken for the move's own. NotFoundError."""
        ...

    def remove(self, name: str) -> None:
        """Absent is fine."""
        ...

    def fetch(self, name: str, path: Path) -> None:
        """Copy it to a file of this computer: the whole of it, or nothing is at ``path``. Raises NotFoundError."""
        ...

    def send(self, name: str, path: Path) -> None:
        """Copy a file of this computer there, whole or not at all."""
        ...


@dataclass(frozen=True)
class S3Place:
    """A bucket, and the way to it."""

    bucket: str
    endpoint: str | None = None
    """A look-alike's, such as ``http://127.0.0.1:9000``; None: Amazon."""
    key: str | None = None
    """None: as the environment says, or the machine's own role."""
    secret: str | None = field(default=None, repr=False)
    region: str = "us-east-1"


def open_folder(path: Path) -> Prefix:
    """A folder on this computer; it need not be there yet. Raises UnsuitableStoreError if it is a file."""
    from fleet.workloads.deepracer.folder import Folder

    if path.exists() and not path.is_dir():
        raise UnsuitableStoreError(f"{path} is a file", "Name the model's folder.")
    return Folder(path.absolute())


def open_s3(place: S3Place, prefix: str) -> Prefix:
    """A prefix in a bucket."""
    from fleet.workloads.deepracer.bucket import open_place

    return open_place(place, prefix)


def prefixes(place: S3Place) -> list[str]:
    """The top-level "folders" of a bucket: what models it holds."""
    from fleet.workloads.deepracer.bucket import folders_of

    return folders_of(place)


def open_prefix(text: str) -> Prefix:
    """What a user types: a folder, ``file:///folder`` or ``s3://bucket/prefix``.

    For buckets AWS's usual configuration holds, ``AWS_ENDPOINT_URL`` among it. Raises UnsuitableStoreError.
    """
    parts = urlsplit(text) if "://" in text else None
    if parts is None:
        return open_folder(Path(text).expanduser())
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        return open_folder(Path(unquote(parts.path)))
    bucket, _, prefix = text.partition("://")[2].partition("/")
    if parts.scheme == "s3" and bucket:
        from fleet.workloads.deepracer.bucket import open_configured

        return open_configured(bucket, prefix)
    raise UnsuitableStoreError(
        f"{text!r} is no place of a model", "Name a folder, file:///an/absolute/folder or s3://bucket/prefix."
    )
