"""Bytes that depend on nothing but what is packed: no time, no user, no computer."""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Mapping

_HEADER = b"\x1f\x8b\x08" + bytes(5) + b"\x02\xff"
"""gzip, deflated; no name and no time; from an unknown system."""
_SOME_TIME = 1_577_836_800
"""The beginning of 2020: tar complains of files from 1970."""


def gzipped(data: bytes, level: int = 9) -> bytes:
    """As ``gzip -n`` packs, without what Python and zlib put into the header by version and system."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = packer.compress(data) + packer.flush()
    return _HEADER + body + zlib.crc32(data).to_bytes(4, "little") + (len(data) % 2**32).to_bytes(4, "little")


def archive(files: Mapping[str, bytes]) -> bytes:
    """A tar.gz of files by their paths: equal files, equal bytes, wherever and whenever it is packed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, data in sorted(files.items()):
            member = tarfile.TarInfo(path)
            member.size, member.mode, member.mtime = len(data), 0o644, _SOME_TIME
            tar.addfile(member, io.BytesIO(data))
    return gzipped(buffer.getvalue(), level=6)  # 9 takes three times as long for one percent
