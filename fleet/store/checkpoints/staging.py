"""Finding a finished checkpoint, and holding on to it while training writes the next one.

A set is staged by hard links into a folder of the same file system: a training that replaces files by rename cannot change
what is being uploaded. Only a set whose listing is the same before and after linking is whole.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol

from fleet.model.errors import CheckpointError
from fleet.store.checkpoints.verify import problem_of, sha256_of

TEMPORARY = ("*.tmp", "*.tmp.*", "*.partial", "*~", ".tmp*", ".fleet*", ".*.swp", ".nfs*")
"""Hidden files are files like others: PyTorch's distributed checkpoints keep their index in ``.metadata``."""
MARKERS = ("DONE", ".ready")
_Listing = dict[str, tuple[int, int, int]]
"""Path → inode, size, time of change in nanoseconds."""


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


@dataclass(frozen=True, slots=True)
class StagedFile:
    """One file of a staged set."""

    path: str
    source: Path
    size: int
    sha256: str
    changed: int
    """Time of the last change before it was hashed, in nanoseconds."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A whole, verified set. As a context manager it removes its folder at the end."""

    folder: Path
    files: tuple[StagedFile, ...]
    signature: str
    modified: float
    """The newest file's time of change, seconds since 1970."""

    def __enter__(self) -> Staged:  # noqa: PYI034 - the class is final in all but name
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.discard()

    def check_unchanged(self) -> None:
        """A training that writes into a file in place changes what was hashed before. Raises CheckpointError."""
        for file in self.files:
            stat = file.source.stat()
            if (stat.st_size, stat.st_mtime_ns) != (file.size, file.changed):
                raise CheckpointError(
                    f"{file.path} changed while it was read", "Write checkpoints under another name, then rename them."
                )

    def discard(self) -> None:
        """Let go of the set."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Scanner:
    """Looks into a checkpoint folder for a finished set that it has not handed out yet."""

    def __init__(
        self,
        folder: Path,
        staging: Path,
        format: Literal["rename", "marker", "quiet"],  # noqa: A002 - the job file's word
        *,
        quiet_seconds: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._staging = staging
        self._format = format
        self._quiet_seconds = quiet_seconds
        self._monotonic = monotonic
        self._seen: _Listing = {}
        self._seen_at = float("-inf")
        self._done: _Listing | None = None
        self._signature = ""
        self.problem = ""
        """Why the last set looked at was not finished or not whole, if so."""

    def mark_committed(self, signature: str) -> None:
        """A set with this signature need not be handed out again."""
        self._signature = signature

    def finished(self, *, settled: bool = False) -> Staged | None:
        """A whole set that differs from the last one committed, or None. OSError is a problem, not an exception.

        ``settled``: its writer is gone, so that nothing needs to be quiet for a while first.
        """
        try:
            return self._finished(settled=settled)
        except OSError as error:
            self.problem = f"{error.filename or self._folder}: {error.strerror or error}"
            return None

    def _finished(self, *, settled: bool) -> Staged | None:
        before = self._listing()
        if before == self._done:
            return None  # looked at already: whole and committed, or broken, and ``problem`` still says why
        self.problem = ""
        if not before or not (settled or self._settled(before)):
            return None
        target = self._staging / secrets.token_hex(8)
        try:
            for name in before:
                self._take(self._folder / name, target / name)
            if self._listing() != before:
                shutil.rmtree(target, ignore_errors=True)
                return None  # it changed while we looked: soon it will be finished again
            staged = self._described(target, before)
        except OSError:
            shutil.rmtree(target, ignore_errors=True)
            raise
        if staged is None or staged.signature == self._signature:
            self._done = before
            shutil.rmtree(target, ignore_errors=True)
            return None
        self.problem = ""
        return staged

    def _described(self, target: Path, listing: _Listing) -> Staged | None:
        """The staged set with its hashes; None, and a problem, if a file's content is broken."""
        found = []
        for name in sorted(listing):
            stat = (target / name).stat()
            problem = problem_of(target / name, name)
            if problem is not None:
                self.problem = problem
                return None
            found.append(StagedFile(name, target / name, stat.st_size, sha256_of(target / name), stat.st_mtime_ns))
        modified = max(changed for _, _, changed in listing.values()) / 1e9
        return Staged(target, tuple(found), signature_of(found), modified)

    def _take(self, source: Path, target: Path) -> None:
        """Hold on to a file as it is now: by link where files are replaced whole, by copy where they may be changed."""
        target.parent.mkdir(parents=True, exist_ok=True)
        if self._format != "quiet":
            with contextlib.suppress(OSError):
                os.link(source, target)
                return
        shutil.copy2(source, target)

    def _settled(self, listing: _Listing) -> bool:
        """``quiet``: nothing changed for a while. The other formats are finished once they are visible."""
        if self._format != "quiet":
            return True
        if listing != self._seen:
            self._seen, self._seen_at = listing, self._monotonic()
            return False
        return self._monotonic() - self._seen_at >= self._quiet_seconds

    def _listing(self) -> _Listing:
        names = list(self._names(self._folder, ""))
        if self._format == "marker":
            names = [name for name in names if self._marked(name)]
        found: _Listing = {}
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                stat = (self._folder / name).stat()
                found[name] = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        return found

    def _marked(self, name: str) -> bool:
        """A marker stands in the checkpoint folder itself, or in the file's own subfolder."""
        top = name.split("/")[0] if "/" in name else ""
        places = (self._folder, self._folder / top)
        return any((place / marker).exists() for place in places for marker in MARKERS)

    def _names(self, folder: Path, prefix: str) -> Iterator[str]:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except FileNotFoundError:
            return
        for entry in entries:
            temporary = any(fnmatch.fnmatchcase(entry.name, pattern) for pattern in TEMPORARY)
            if temporary:
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._names(Path(entry.path), f"{prefix}{entry.name}/")
            elif entry.is_file():
                yield f"{prefix}{entry.name}"
