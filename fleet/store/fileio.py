"""Files read and written whole, piece by piece: through one small buffer, whatever their size."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

PIECE = 1 << 18
"""Small enough to stay in a processor's cache between reading and hashing, large enough to let go of the interpreter."""


def pieces_of(path: Path, size: int = PIECE) -> Iterator[memoryview]:
    """A file's bytes in order. Each piece holds only until the next one is asked for. Raises OSError."""
    buffer = bytearray(size)
    view = memoryview(buffer)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            yield view[:count]


def sha256_of(path: Path, pause: Callable[[], None] = lambda: None) -> str:
    """A file's SHA-256, in hexadecimal. ``pause`` is called before each piece; it may wait. Raises OSError."""
    digest = hashlib.sha256()
    for piece in pieces_of(path):
        pause()
        digest.update(piece)
    return digest.hexdigest()


def write_all(fd: int, data: Buffer) -> None:
    """Write all of it: a single write may take less. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync_file_system(folder: Path) -> bool:
    """Put everything that was written to a folder's file system on disk; False where that cannot be asked for."""
    import ctypes

    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        return False  # macOS has none
    fd = os.open(folder, os.O_RDONLY)
    try:
        return int(syncfs(fd)) == 0
    finally:
        os.close(fd)


def sync_folder(folder: Path) -> None:
    """Make names durable. Where folders cannot be synced, the file system does it or nobody can."""
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def sync_tree(folder: Path) -> None:
    """Put everything below a folder on disk: a machine may be taken the moment after. Raises OSError."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        else:
            sync_folder(path)
    sync_folder(folder)
