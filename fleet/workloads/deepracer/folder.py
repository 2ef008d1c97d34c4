"""A model in a folder of this computer."""

from __future__ import annotations

import contextlib
import filecmp
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from fleet.model.errors import AlreadyExistsError, NotFoundError, StoreError
from fleet.store.fileio import sync_folder
from fleet.store.files import FileObjects
from fleet.workloads.deepracer.prefix import Stat

TEMPORARY = ".tmp-"
"""How the names begin that files have while they are written (fleet/store/files.py)."""


class Folder:
    """Below one folder. Links to folders are followed: a model's folder may lie on another disk."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._objects = FileObjects(root)

    @property
    def where(self) -> str:
        """The folder."""
        return str(self._root)

    def path(self, name: str) -> Path:
        """Where a file of it lies: what only reads need not copy it first."""
        return self._root / name

    def now(self) -> float:
        """This computer's clock."""
        return time.time()

    def list(self) -> dict[str, Stat]:
        """Everything below it, sorted by name."""
        with _translated(str(self._root)):
            return dict(sorted(self._walk(self._root, "", ())))

    def _walk(self, folder: Path, within: str, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, Stat]]:
        try:
            here = folder.stat()
            entries = list(os.scandir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return
        if (here.st_dev, here.st_ino) in above:
            return  # a link to a folder that it lies in
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                if entry.is_dir():
                    yield from self._walk(
                        folder / entry.name, f"{within}{entry.name}/", (*above, (here.st_dev, here.st_ino))
                    )
                elif not entry.name.startswith(TEMPORARY):
                    stat = entry.stat()
                    yield within + entry.name, Stat(stat.st_size, stat.st_mtime)

    def read(self, name: str) -> bytes:
        """Raises NotFoundError."""
        return self._objects.get(name)

    def write(self, name: str, data: bytes) -> None:
        """Replace or make, durably."""
        self._objects.put(name, data)

    def move(self, name: str, to: str) -> None:
        """A rename, on disk before this returns. Replaces nothing."""
        source, target = self._root / name, self._root / to
        with _translated(name):
            if target.exists():
                if not source.exists():
                    raise NotFoundError(f"there is no {name!r}")
                if not filecmp.cmp(source, target, shallow=False):
                    raise AlreadyExistsError(f"{to!r} exists already, and is another file than {name!r}")
                source.unlink()
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                source.rename(target)
                sync_folder(target.parent)
            sync_folder(source.parent)

    def remove(self, name: str) -> None:
        """Absent is fine."""
        with _translated(name), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            (self._root / name).unlink()
            sync_folder((self._root / name).parent)

    def fetch(self, name: str, path: Path) -> None:
        """Copy it to a file: the whole of it, or nothing."""
        with whole_file(path) as temporary:
            self._objects.download(name, temporary)

    def send(self, name: str, path: Path) -> None:
        """Copy a file there, whole or not at all."""
        self._objects.upload(name, path)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary file beside ``path``, which takes its place if the body does not raise."""
    with _translated(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")
    try:
        yield temporary
        with _translated(str(path)):
            temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextlib.contextmanager
def _translated(what: str) -> Iterator[None]:
    """The operating system's errors as ours."""
    try:
        yield
    except FileNotFoundError:
        raise NotFoundError(f"there is no {what!r}") from None
    except OSError as error:
        raise StoreError(f"{what!r}: {error.strerror or error}", "Is the disk full, or the folder read-only?") from None
