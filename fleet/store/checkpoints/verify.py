"""Is a file what it claims to be? Told by its content, before it is committed and after it is fetched."""

from __future__ import annotations

import json
import lzma
import struct
import zipfile
import zlib
from pathlib import Path

ZIPPED = (".npz", ".zip", ".keras")
MAYBE_ZIPPED = (".pt", ".pth", ".ckpt")
"""PyTorch's files are zip archives today, and were not always."""


def problem_of(path: Path, name: str) -> str | None:
    """What is wrong with a file's content, in words; None if nothing is known to be."""
    suffix = Path(name).suffix.lower()
    try:
        if suffix in ZIPPED or (suffix in MAYBE_ZIPPED and _begins_with(path, b"PK")):
            return _zip_problem(path, name)
        if suffix == ".json":
            _check_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        return f"{name}: {error}"
    return None


def _check_json(text: str) -> None:
    """One value, or one in each line. Raises ValueError."""
    try:
        json.loads(text)
    except ValueError:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        for line in lines:
            json.loads(line)


def _zip_problem(path: Path, name: str) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except (zipfile.BadZipFile, EOFError, RuntimeError, OverflowError, struct.error, zlib.error, lzma.LZMAError) as error:
        return f"{name} is no whole archive: {error}"
    return f"{name}: {broken} does not match its checksum" if broken else None


def _begins_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic
