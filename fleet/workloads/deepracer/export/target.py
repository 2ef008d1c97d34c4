"""Where an export goes, as the one who sends it sees it; and a folder of this computer as such."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from fleet.model.errors import NotFoundError, StoreError
from fleet.store.fileio import sha256_of
from fleet.workloads.deepracer.export.staging import Staged
from fleet.workloads.deepracer.prefix import Prefix, open_folder

Tell = Callable[[int], None]
"""Called with bytes that got through."""


class Target(Protocol):
    """Failures are StoreError, after everything that can be tried again was."""

    @property
    def where(self) -> str:
        """For people."""
        ...

    def sizes(self) -> dict[str, int]:
        """Everything below it, by its name relative to it."""
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

    def sizes(self) -> dict[str, int]:
        """Everything below it."""
        return {name: stat.size for name, stat in self._prefix.list().items()}

    def holds(self, one: Staged) -> bool:
        """Compared byte by byte."""
        return self.digest(one.name) == one.sha256

    def send(self, one: Staged, tell: Tell) -> None:
        """Copied beside, then renamed; on disk before this returns."""
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
