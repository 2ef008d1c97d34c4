"""Records in an archive: what the console and DeepRacer on AWS let people download, whole or cut off."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from fleet.model.errors import FleetError, NotFoundError
from fleet.workloads.deepracer.analysis.layouts import is_told
from fleet.workloads.deepracer.analysis.readable import Entry
from fleet.workloads.deepracer.unzipping import GZIP, MOST, PIECE, unzipped

_HEAD = 64 << 10


class Archive:
    """A tar, tar.gz or zip file. Its records are held in memory; models in it are not."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stat: tuple[int, float] | None = None
        self._held: dict[str, bytes] = {}
        self.problems: list[str] = []

    @property
    def where(self) -> str:
        """The archive."""
        return str(self._path)

    def entries(self) -> Mapping[str, Entry]:
        """The records in it; read again if the archive is another one by now."""
        try:
            stat = self._path.stat()
        except OSError as error:
            raise NotFoundError(f"{self._path}: {error.strerror or error}") from None
        now = (stat.st_size, stat.st_mtime)
        if now != self._stat:
            self._stat, self._held, self.problems = now, {}, []
            self._unpack()
        return {name: Entry(len(data), (now, name)) for name, data in self._held.items()}

    def read(self, name: str, offset: int = 0) -> bytes:
        """Raises NotFoundError."""
        if name not in self._held:
            raise NotFoundError(f"{self._path} holds no {name!r}")
        return self._held[name][offset:]

    def _unpack(self) -> None:
        try:
            if zipfile.is_zipfile(self._path):
                self._of_zip()
            else:
                self._of_tar()
        except (EOFError, OSError, tarfile.TarError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
            if not self._held:
                raise FleetError(
                    f"{self._path} cannot be unpacked: {error}", "Was the download broken off? Download it once more."
                ) from None
            self.problems.append(f"{self._path} is cut off: what stands before the cut is read ({error}).")

    def _of_tar(self) -> None:
        with tarfile.open(self._path, "r|*") as tar:
            for member in tar:
                file = tar.extractfile(member) if member.isfile() and is_told(member.name) else None
                if file is not None and self._has_room(member.name, member.size):
                    self._hold(member.name, file)

    def _of_zip(self) -> None:
        with zipfile.ZipFile(self._path) as pack:
            for member in pack.infolist():
                if not member.is_dir() and is_told(member.filename) and self._has_room(member.filename, member.file_size):
                    with pack.open(member) as file:
                        self._hold(member.filename, file)

    def _has_room(self, name: str, size: int) -> bool:
        if sum(map(len, self._held.values())) + size <= MOST:
            return True
        self.problems.append(f"{self._path}: {name} is left out: its records are more than {MOST >> 30} GB.")
        return False

    def _hold(self, name: str, file: IO[bytes]) -> None:
        """Piece by piece, so that of a file that is cut the beginning is kept."""
        name = name.removeprefix("./")
        data = bytearray()
        try:
            while piece := file.read(PIECE):
                data += piece
                if len(data) > MOST:
                    break
        finally:
            self._held[name] = bytes(data)


def is_archive(path: Path) -> bool:
    """Whether it is one, by what it holds; a gzipped log is none."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith(b"PK\x03\x04"):
        return True
    if head.startswith(GZIP):
        head, _ = unzipped(head)
    return len(head) > 262 and head[257:262] == b"ustar"
