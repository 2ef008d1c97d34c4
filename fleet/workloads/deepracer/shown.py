"""A prefix that is put together of files that lie in several places. It is only read."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from fleet.model.errors import NotFoundError, StoreError
from fleet.store.objects import Objects
from fleet.workloads.deepracer.folder import whole_file
from fleet.workloads.deepracer.prefix import Stat


@dataclass(frozen=True, slots=True)
class Piece:
    """Where one file's bytes are."""

    objects: Objects
    key: str
    stat: Stat


class Shown:
    """Files by the names that they are shown under."""

    def __init__(self, where: str, pieces: Mapping[str, Piece]) -> None:
        self._where, self._pieces = where, dict(sorted(pieces.items()))

    @property
    def where(self) -> str:
        """For people."""
        return self._where

    def now(self) -> float:
        """This computer's clock."""
        return time.time()

    def list(self) -> dict[str, Stat]:
        """All of them, sorted by name."""
        return {name: piece.stat for name, piece in self._pieces.items()}

    def read(self, name: str) -> bytes:
        """Raises NotFoundError."""
        piece = self._piece(name)
        return piece.objects.get(piece.key)

    def fetch(self, name: str, path: Path) -> None:
        """Copy it to a file: the whole of it, or nothing."""
        piece = self._piece(name)
        with whole_file(path) as temporary:
            piece.objects.download(piece.key, temporary)

    def write(self, name: str, data: bytes) -> None:
        """Raises StoreError."""
        self._refuse()

    def move(self, name: str, to: str) -> None:
        """Raises StoreError."""
        self._refuse()

    def remove(self, name: str) -> None:
        """Raises StoreError."""
        self._refuse()

    def send(self, name: str, path: Path) -> None:
        """Raises StoreError."""
        self._refuse()

    def _piece(self, name: str) -> Piece:
        try:
            return self._pieces[name]
        except KeyError:
            raise NotFoundError(f"{self._where} holds no {name!r}") from None

    def _refuse(self) -> NoReturn:
        raise StoreError(f"{self._where} is only read", "Export the model into a folder, and change it there.")
