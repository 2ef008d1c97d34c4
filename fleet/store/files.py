"""``file://``: a folder as a bucket, with a writer that survives a power cut (obstore never fsyncs).

Temporary file, fsync, rename or link into place, fsync of the folder: readers see old bytes, new bytes or nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from fleet.model.errors import AlreadyExistsError, NotFoundError, StoreError
from fleet.store.fileio import pieces_of, sync_folder, write_all
from fleet.store.objects import ObjectInfo

_TEMPORARY = ".tmp-"
ABANDONED = 86_400.0
"""Nothing was written to a temporary file for so long: its writer is dead, and a folder has nobody else to clear it away."""
STILL = 60.0
"""A temporary file that was not written to for so long has no writer any more."""
WALKS = 8
"""A listing during which folders came or went is made again, so often at most: while the older of two checkpoints is
removed and a third one made, one that walks slowly would find none at all."""


class FileObjects:
    """A bucket that is a folder on this computer."""

    def __init__(
        self, root: Path, clock: Callable[[], float] = time.time, *, pause: Callable[[], None] = lambda: None
    ) -> None:
        """``pause`` is called before each piece of an upload; it may wait (fleet/store/throttle.py)."""
        self._root = root.absolute()
        self._clock = clock
        self._pause = pause

    @property
    def url(self) -> str:
        """``file:///…``."""
        return self._root.as_uri()

    def now(self) -> float:
        """This computer's clock: the folder has no other."""
        return self._clock()

    def get(self, key: str) -> bytes:
        """The bytes under a key. Raises NotFoundError."""
        path = self._path(key)
        with _translated(key), io.FileIO(path) as file:
            return file.readall()

    def put(self, key: str, data: bytes) -> None:
        """Write durably, replacing what was there."""
        path = self._path(key)
        with _translated(key), self._prepared(path, lambda fd: write_all(fd, data)) as temporary:
            temporary.replace(path)

    def create(self, key: str, data: bytes) -> None:
        """Write only if the key is absent: a hard link fails where one stands, whoever else tries."""
        path = self._path(key)
        with _translated(key), self._prepared(path, lambda fd: write_all(fd, data)) as temporary:
            os.link(temporary, path)

    def upload(self, key: str, path: Path) -> str | None:
        """``put`` from a file, copied in pieces."""
        target = self._path(key)
        digest = hashlib.sha256()

        def copy(fd: int) -> None:
            for piece in self._pieces(path):
                digest.update(piece)
                write_all(fd, piece)

        with _translated(key), self._prepared(target, copy) as temporary:
            temporary.replace(target)
        return digest.hexdigest()

    def download(self, key: str, path: Path) -> str | None:
        """``get`` into a file."""
        digest = hashlib.sha256()
        with _translated(key), path.open("wb", buffering=0) as sink:
            for piece in pieces_of(self._path(key)):
                digest.update(piece)
                write_all(sink.fileno(), piece)
        return digest.hexdigest()

    def _pieces(self, path: Path) -> Iterator[memoryview]:
        for piece in pieces_of(path):
            self._pause()
            yield piece

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        """Every object whose key begins with ``prefix``, sorted."""
        folder = self._path(prefix.rpartition("/")[0]) if "/" in prefix else self._root
        with _translated(prefix):
            for _ in range(WALKS):
                found, folders = self._walk(folder, prefix)
                if all(_folders_in(_entries(path)) == names for path, names in folders.items()):
                    break
        return sorted(found, key=lambda info: info.key)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove keys; absent ones are success. Folders that become empty go with them."""
        for key in keys:
            path = self._path(key)
            with _translated(key), contextlib.suppress(FileNotFoundError):
                path.unlink()
            self._remove_empty(path.parent)

    def _remove_empty(self, folder: Path) -> None:
        """Remove folders that hold nothing, or only what killed writers left: nobody lists that, or would miss it."""
        while folder != self._root:
            try:
                folder.rmdir()
            except OSError:
                if not _remove_abandoned(folder):
                    return
                continue
            folder = folder.parent

    def _path(self, key: str) -> Path:
        parts = key.split("/") if key else []
        if key.startswith("/") or any(part in ("", ".", "..") for part in parts[:-1]) or parts[-1:] in (["."], [".."]):
            raise StoreError(f"{key!r} is no key: it would leave the bucket")
        return self._root.joinpath(*parts)

    def _walk(self, folder: Path, prefix: str) -> tuple[Sequence[ObjectInfo], dict[str, set[str]]]:
        """What lies below a folder and begins with the prefix; and which folders were seen in which.

        A folder may hold tens of thousands: no paths are made.
        """
        inside = folder.relative_to(self._root).as_posix()
        pending = [(str(folder), "" if inside == "." else f"{inside}/")]
        found: list[ObjectInfo] = []
        folders: dict[str, set[str]] = {}
        while pending:
            path, within = pending.pop()
            entries = _entries(path)
            if below := _folders_in(entries):
                folders[path] = below
                pending.extend((f"{path}/{name}", f"{within}{name}/") for name in below)
            for entry in entries:
                key = within + entry.name
                if entry.name.startswith(_TEMPORARY):
                    self._clear_away(entry)
                elif key.startswith(prefix) and entry.name not in below:
                    with contextlib.suppress(FileNotFoundError):
                        found.append(_info(key, entry.stat()))
        return found, folders

    def _clear_away(self, temporary: os.DirEntry[str]) -> None:
        """Remove what a writer that was killed left, as a bucket's rule ends uploads that nobody goes on with."""
        with contextlib.suppress(OSError):
            if self._clock() - temporary.stat().st_mtime > ABANDONED:
                Path(temporary.path).unlink()
                self._remove_empty(Path(temporary.path).parent)

    @contextlib.contextmanager
    def _prepared(self, target: Path, fill: Callable[[int], None]) -> Iterator[Path]:
        """A temporary file beside ``target``, its bytes on disk; so is the folder once the body is done."""
        temporary, fd = self._open_temporary(target)
        try:
            try:
                fill(fd)
                os.fsync(fd)
            finally:
                os.close(fd)
            yield temporary
            sync_folder(target.parent)
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()

    def _open_temporary(self, target: Path) -> tuple[Path, int]:
        """Another writer's delete may remove the folder, empty for a moment, between its making and its use."""
        for last in (False, False, True):
            self._make_folder(target.parent)
            temporary = target.parent / f"{_TEMPORARY}{secrets.token_hex(8)}"
            try:
                return temporary, os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            except FileNotFoundError:
                if last:
                    raise
        raise AssertionError("the loop returns or raises")

    def _make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        if folder != folder.parent:
            self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def _remove_abandoned(folder: Path) -> bool:
    """Remove temporary files that nobody writes any more, if there is nothing else; whether there were any.

    A writer whose file is removed all the same is told that its write failed, and writes again.
    """
    try:
        left = _entries(str(folder))
        for entry in left:
            if not entry.name.startswith(_TEMPORARY) or time.time() - entry.stat().st_mtime < STILL:
                return False
        for entry in left:
            Path(entry.path).unlink()
    except OSError:
        return False
    return bool(left)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        return list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _folders_in(entries: Iterable[os.DirEntry[str]]) -> set[str]:
    return {entry.name for entry in entries if entry.is_dir(follow_symlinks=False)}


def _info(key: str, stat: os.stat_result) -> ObjectInfo:
    version = f"{stat.st_mtime_ns}-{stat.st_size}-{stat.st_ino}"
    return ObjectInfo(key=key, size=stat.st_size, version=version, modified=stat.st_mtime)


@contextlib.contextmanager
def _translated(key: str) -> Iterator[None]:
    """The operating system's errors as ours."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise NotFoundError(f"there is no {key!r}") from None
    except FileExistsError:
        raise AlreadyExistsError(f"{key!r} exists already") from None
    except OSError as error:
        raise StoreError(f"{key!r}: {error.strerror or error}", "Is the disk full, or the folder read-only?") from None
