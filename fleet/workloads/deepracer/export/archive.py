"""The car's archive: the same model gives the same bytes, wherever and whenever it is made."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

from fleet.model.errors import StoreError
from fleet.workloads.deepracer.export.contents import GRAPH
from fleet.workloads.deepracer.spec import METADATA

FOLDER = GRAPH.partition("/")[0]
_PLAIN = 0o644


def make_archive(path: Path, graph: Path, metadata: bytes) -> None:
    """``agent/model.pb`` and ``model_metadata.json``, without times, owners or the names of this computer."""
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        folder = tarfile.TarInfo(FOLDER)
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
        with graph.open("rb") as file:
            tar.addfile(_info(GRAPH, graph.stat().st_size), file)
        tar.addfile(_info(METADATA, len(metadata)), io.BytesIO(metadata))


def check_archive(path: Path, graph: Path, metadata: bytes) -> None:
    """Read it as the car does. Raises StoreError if it does not hold these bytes under these names."""
    try:
        with tarfile.open(path, "r:gz") as tar:
            found = {info.name: _content(tar, info) for info in tar if info.isfile()}
    except (tarfile.TarError, OSError, EOFError) as error:
        raise StoreError(f"{path.name} cannot be read back: {error}", "Try it again.") from None
    if found != {GRAPH: graph.read_bytes(), METADATA: metadata}:
        raise StoreError(f"{path.name} does not hold what was put into it", "Try it again: is the disk in order?")


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, _PLAIN
    return info


def _content(tar: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(info)
    return file.read() if file is not None else b""
