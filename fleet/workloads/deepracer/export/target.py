"""Where an export goes, as the one who sends it sees it; and a folder of this computer as such."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

from fleet.model.errors import NotFoundError, StoreError
from fleet.store.fileio import sha256_of
from fleet.workloads.deepracer.export.staging import Staged
from fleet.workloads.deepracer.folder import TEMPORARY
from fleet.workloads.deepracer.prefix import Prefix, open_folder

Tell = Callable[[int], None]
"""Called with bytes that got through."""
MOST_STRANGE = 10_000
"""Files that a place is asked for at most: with so many there is something else for certain."""


class Target(Protocol):
    """Failures are StoreError, after everything that can be tried again was."""

    @property
    def where(self) -> str:
        """For people."""
        ...

    def sizes(self, only: Sequence[str] | None = None) -> dict[str, int]:
        """Of everything below it, by its name relative to it; or of some names, as far as they are there."""
        ...

    def holds(self, one: Staged) -> bool:
        """Whether the very bytes lie there under its name, which is there."""
        ...

    def send(self, one: Staged, tell: Tell) -> None:
        """Whole or not at all. ``tell`` hears of bytes that lay there already as well as of those that are sent."""
        ...

    def digest(self, name: str) -> str:
        """Read it back: the SHA-256 of what comes, in hexadecimal. Raises NotFoundError."""
        ...

    def read(self, name: str) -> bytes:
        """A small file. Raises NotFoundError."""
        ...


class FolderTarget:
    """A folder of this computer; it need not be there yet."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._prefix: Prefix = open_folder(path)

    @property
    def where(self) -> str:
        """The folder."""
        return str(self._path)

    def sizes(self, only: Sequence[str] | None = None) -> dict[str, int]:
        """Of everything below it, or of some names."""
        if only is None:
            return dict(islice(self._walk(), MOST_STRANGE))
        paths = {name: self._path / name for name in only}
        return {name: path.stat().st_size for name, path in paths.items() if path.is_file()}

    def _walk(self) -> Iterator[tuple[str, int]]:
        for folder, _, names in os.walk(self._path, followlinks=False):
            for name in names:
                path = Path(folder) / name
                if not name.startswith(TEMPORARY):
                    yield path.relative_to(self._path).as_posix(), path.lstat().st_size

    def holds(self, one: Staged) -> bool:
        """Compared byte by byte."""
        return self.digest(one.name) == one.sha256

    def send(self, one: Staged, tell: Tell) -> None:
        """Copied beside, then renamed; on disk before this returns."""
        try:
            (self._path / one.name).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            told = f"no folder can be made at {self._path}: {error.strerror or error}"
            raise StoreError(told, "Name another place.") from None
        self._prefix.send(one.name, one.path)
        tell(one.size)

    def digest(self, name: str) -> str:
        """Of what lies there."""
        try:
            return sha256_of(self._path / name)
        except FileNotFoundError:
            raise NotFoundError(f"{self.where} holds no {name!r}") from None
        except OSError as error:
            raise StoreError(f"{self._path / name}: {error.strerror or error}", "Is the disk in order?") from None

    def read(self, name: str) -> bytes:
        """Raises NotFoundError."""
        return self._prefix.read(name)
