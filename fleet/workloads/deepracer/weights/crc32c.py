"""CRC-32C (Castagnoli), as TensorFlow's files are protected by it: some 150 MB a second, in Python alone.

A checksum is linear over bits: of a chunk, thousands of equal rows are advanced together, each by its next byte, where the
four bytes of all rows' states are four long numbers. Looking a byte up in a table is ``bytes.translate`` then, for all rows
at once. The rows' checksums are joined by the table that advances a state by a row of zeros.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

POLYNOMIAL = 0x82F63B78
"""Reversed; RFC 3720, appendix B.4."""
ROWS, LENGTH = 4096, 256
"""The fastest of what was tried; a chunk is a megabyte."""
CHUNK = ROWS * LENGTH
LEAST = 32 * LENGTH
"""Bytes for which the tables cost no more than one byte after another."""
_MASK_DELTA = 0xA282EAD8
"""Added to a checksum that is stored beside its data (TensorFlow, core/lib/hash/crc32c.h)."""


def crc32c(data: bytes | memoryview, before: int = 0) -> int:
    """The checksum of ``data``; ``before``: the checksum of what precedes it."""
    state, at = before ^ 0xFFFFFFFF, 0
    view = memoryview(data).cast("B")
    while len(view) - at >= LEAST:
        rows = min(ROWS, (len(view) - at) // LENGTH)
        state = _chunk(bytes(view[at : at + rows * LENGTH]), rows, state)
        at += rows * LENGTH
    table = _table()
    for byte in view[at:]:
        state = table[(state ^ byte) & 255] ^ (state >> 8)
    return state ^ 0xFFFFFFFF


def unmasked(stored: int) -> int:
    """The checksum that a file stores in a masked form."""
    turned = (stored - _MASK_DELTA) & 0xFFFFFFFF
    return (turned >> 17 | turned << 15) & 0xFFFFFFFF


@functools.cache
def _table() -> tuple[int, ...]:
    found = []
    for state in range(256):
        for _ in range(8):
            state = state >> 1 ^ (POLYNOMIAL if state & 1 else 0)
        found.append(state)
    return tuple(found)


@functools.cache
def _planes() -> tuple[bytes, ...]:
    """The table's first bytes, its second bytes, and so on: what ``translate`` takes."""
    return tuple(bytes(entry >> shift & 255 for entry in _table()) for shift in (0, 8, 16, 24))


@functools.cache
def _zeros() -> tuple[Sequence[int], ...]:
    """What a row of zeros makes of a state: by each of its bytes, one table."""
    table = _table()
    bits = []
    for bit in range(32):
        state = 1 << bit
        for _ in range(LENGTH):
            state = table[state & 255] ^ state >> 8
        bits.append(state)
    return tuple([_of_bits(byte, bits[at : at + 8]) for byte in range(256)] for at in (0, 8, 16, 24))


def _of_bits(byte: int, columns: Sequence[int]) -> int:
    found = 0
    for bit, column in enumerate(columns):
        if byte >> bit & 1:
            found ^= column
    return found


def _chunk(data: bytes, rows: int, state: int) -> int:
    first, second, third, fourth = _planes()
    number = int.from_bytes
    s0 = s1 = s2 = s3 = 0
    for at in range(LENGTH):
        index = (number(data[at::LENGTH], "little") ^ s0).to_bytes(rows, "little")
        s0 = s1 ^ number(index.translate(first), "little")
        s1 = s2 ^ number(index.translate(second), "little")
        s2 = s3 ^ number(index.translate(third), "little")
        s3 = number(index.translate(fourth), "little")
    z0, z1, z2, z3 = _zeros()
    parts = (part.to_bytes(rows, "little") for part in (s0, s1, s2, s3))
    for b0, b1, b2, b3 in zip(*parts, strict=True):
        state = z0[state & 255] ^ z1[state >> 8 & 255] ^ z2[state >> 16 & 255] ^ z3[state >> 24]
        state ^= b0 | b1 << 8 | b2 << 16 | b3 << 24
    return state
