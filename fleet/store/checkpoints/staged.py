"""A set held on to: what it holds, and hashes that are known when somebody needs them."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from fleet.model.errors import CheckpointError
from fleet.store.fileio import sha256_of
from fleet.store.parallel import each

HASHERS = 4
SAMPLES = 16
SAMPLE = 4096


class Hashed(Protocol):
    """A file of a set, staged or in a manifest."""

    @property
    def path(self) -> str:
        """Relative to the checkpoint folder."""
        ...

    @property
    def sha256(self) -> str:
        """Of its content."""
        ...


def signature_of(files: Iterable[Hashed]) -> str:
    """Hash over paths and contents: equal sets, equal signatures."""
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda f: f.path):
        digest.update(f"{file.path}\0{file.sha256}\n".encode())
    return digest.hexdigest()


@dataclass(slots=True)
class StagedFile:
    """One file of a staged set."""

    path: str
    source: Path
    size: int
    changed: int
    """Time of the last change before it was looked at, in nanoseconds."""
    pause: Callable[[], None] = lambda: None
    hashed: str | None = None
    """Its SHA-256 once it is known; until then the file is one that certainly was not in the set before."""

    @property
    def sha256(self) -> str:
        """Of its content; read now if it is not known yet. Raises OSError."""
        if self.hashed is None:
            self.hashed = sha256_of(self.source, self.pause)
        return self.hashed


@dataclass(frozen=True, slots=True)
class Staged:
    """A whole, verified set. As a context manager it removes its folder at the end."""

    folder: Path
    files: tuple[StagedFile, ...]
    modified: float
    """The newest file's time of change, seconds since 1970."""

    def __enter__(self) -> Staged:  # noqa: PYI034 - the class is final in all but name
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.discard()

    @property
    def signature(self) -> str:
        """Over paths and contents; what nobody has hashed yet is hashed now, unless the set was let go of."""
        missing = [file for file in self.files if file.hashed is None]
        if missing:
            each(lambda file: file.sha256, missing, HASHERS)
        return signature_of(self.files)

    def check_unchanged(self) -> None:
        """A training that writes into a file in place changes what was hashed before. Raises CheckpointError."""
        for file in self.files:
            stat = file.source.stat()
            if (stat.st_size, stat.st_mtime_ns) != (file.size, file.changed):
                raise changed_while_read(file.path)

    def discard(self) -> None:
        """Let go of the set."""
        shutil.rmtree(self.folder, ignore_errors=True)


def changed_while_read(path: str) -> CheckpointError:
    """A file was written in place."""
    return CheckpointError(f"{path} changed while it was read", "Write checkpoints under another name, then rename them.")


def sample_of(path: Path, size: int) -> bytes:
    """A few blocks of a large file: where they differ the files do; where they do not, only a hash can tell."""
    digest = hashlib.sha256(size.to_bytes(8, "big"))
    fd = os.open(path, os.O_RDONLY)
    try:
        for number in range(SAMPLES):
            digest.update(os.pread(fd, SAMPLE, (size - SAMPLE) * number // (SAMPLES - 1)))
    finally:
        os.close(fd)
    return digest.digest()
