"""Gzipped files, whole or cut off."""

from __future__ import annotations

import zlib

GZIP = b"\x1f\x8b"
MOST = 2 << 30
"""Bytes that the records of a file or an archive may come to, unpacked: memory is not for more."""
PIECE = 1 << 20


def unzipped(data: bytes) -> tuple[bytes, bool]:
    """What a gzip file holds, and whether it is whole; other bytes as they are. Of one that is cut, the beginning."""
    if not data.startswith(GZIP):
        return data, True
    found = bytearray()
    while data:
        inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            for begin in range(0, len(data), PIECE):
                found += inflate.decompress(data[begin : begin + PIECE], MOST - len(found) + 1)
                if len(found) > MOST or inflate.eof:
                    break
        except zlib.error:
            return bytes(found), False
        if not inflate.eof:
            return bytes(found), False
        # One gzip file may follow another; what else follows is padding.
        data = inflate.unused_data + data[begin + PIECE :]
        data = data if data.startswith(GZIP) else b""
    return bytes(found), True
