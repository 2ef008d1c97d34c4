"""Bytes that depend on nothing but what is packed: no time, no user, no computer."""

from __future__ import annotations

import zlib

_HEADER = b"\x1f\x8b\x08" + bytes(5) + b"\x02\xff"
"""gzip, deflated; no name and no time; packed as small as can be, by an unknown system."""


def gzipped(data: bytes) -> bytes:
    """As ``gzip -9n`` packs, without what Python and zlib put into the header by version and system."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = packer.compress(data) + packer.flush()
    return _HEADER + body + zlib.crc32(data).to_bytes(4, "little") + (len(data) % 2**32).to_bytes(4, "little")
