"""Where records lie, as whoever reads them sees it: folders, prefixes, single files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fleet.model.errors import NotFoundError, StoreError
from fleet.workloads.deepracer.folder import Folder
from fleet.workloads.deepracer.prefix import Prefix


@dataclass(frozen=True, slots=True)
class Entry:
    """What a listing says of a file."""

    size: int
    token: Hashable
    """Another one as soon as the file is another."""


class Readable(Protocol):
    """Files by name, with ``/`` between folders. Failures are StoreError."""

    @property
    def where(self) -> str:
        """For people."""
        ...

    def entries(self) -> Mapping[str, Entry]:
        """All that is there now."""
        ...

    def read(self, name: str, offset: int = 0) -> bytes:
        """From so many bytes after its beginning on. Raises NotFoundError."""
        ...


class Here:
    """A folder of this computer."""

    def __init__(self, root: Path) -> None:
        self._root, self._folder = root, Folder(root)

    @property
    def where(self) -> str:
        """The folder."""
        return str(self._root)

    def entries(self) -> Mapping[str, Entry]:
        """All below it."""
        return {name: Entry(stat.size, (stat.size, stat.modified)) for name, stat in self._folder.list().items()}

    def read(self, name: str, offset: int = 0) -> bytes:
        """Only what is asked for is read from disk. Raises NotFoundError."""
        return read_file(self._root / name, offset)


class Files:
    """Single files of this computer, by their paths as they were named."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = {path: Path(path).expanduser() for path in paths}

    @property
    def where(self) -> str:
        """Their paths."""
        return ", ".join(self._paths)

    def entries(self) -> Mapping[str, Entry]:
        """Those that are there."""
        found = {}
        for name, path in self._paths.items():
            with contextlib.suppress(OSError):
                stat = path.stat()
                found[name] = Entry(stat.st_size, (stat.st_size, stat.st_mtime, stat.st_ino))
        return found

    def read(self, name: str, offset: int = 0) -> bytes:
        """Raises NotFoundError."""
        return read_file(self._paths[name], offset)


class Far:
    """A prefix in a bucket, or whatever else is one."""

    def __init__(self, prefix: Prefix) -> None:
        self._prefix = prefix

    @property
    def where(self) -> str:
        """The prefix."""
        return self._prefix.where

    def entries(self) -> Mapping[str, Entry]:
        """All below it."""
        return {name: Entry(stat.size, (stat.size, stat.modified)) for name, stat in self._prefix.list().items()}

    def read(self, name: str, offset: int = 0) -> bytes:
        """Raises NotFoundError."""
        return self._prefix.read(name)[offset:]


def read_file(path: Path, offset: int = 0) -> bytes:
    """A file's bytes from there on. Raises NotFoundError; StoreError with the reason if it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(offset, os.SEEK_SET)
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"there is no {str(path)!r}") from None
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}", "May you read it?") from None
