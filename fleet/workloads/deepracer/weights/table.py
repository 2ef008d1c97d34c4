"""The index file of a TensorFlow checkpoint: a sorted table of keys and values, in the format of LevelDB.

(https://github.com/google/leveldb/blob/main/doc/table_format.md; TensorFlow's copy: core/lib/io/format.cc, block.cc.)
Whatever the bytes are, reading ends: nothing is read twice, and all lengths are held against what there is.
"""

from __future__ import annotations

from collections.abc import Iterator

from fleet.workloads.deepracer.weights.crc32c import crc32c, unmasked
from fleet.workloads.deepracer.weights.errors import BrokenWeightsError, UnreadableWeightsError

MAGIC = bytes.fromhex("57fb808b247547db")
"""Ends every table."""
FOOTER = 48
"""Bytes: two handles, padded, and the magic."""
TRAILER = 5
"""Bytes after a block: its compression, and the checksum of both."""
LARGEST = 16 << 20
"""Bytes of an index, and of all its keys: a DeepRacer model's is of some kilobytes."""
MOST_ENTRIES = 100_000
"""A DeepRacer model has some hundred; of entries of no length millions would fit into an index."""
_COMPRESSION = {1: "snappy"}


def entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Its keys and values, in order. Raises UnreadableWeightsError, BrokenWeightsError."""
    if len(table) < FOOTER or table[-len(MAGIC) :] != MAGIC:
        raise UnreadableWeightsError("the index is no table of TensorFlow's: its last bytes are others")
    footer = table[-FOOTER:]
    _, _, at = _handle(footer, 0)  # of blocks about blocks, which TensorFlow has none of
    offset, size, _ = _handle(footer, at)
    reached, produced, count, last = 0, 0, 0, b""
    for _, handle in _block(table, offset, size):
        offset, size, _ = _handle(handle, 0)
        if offset < reached:
            raise BrokenWeightsError("the index is broken: its blocks overlap")
        reached = offset + size
        for key, value in _block(table, offset, size):
            produced, count = produced + len(key), count + 1
            if count > MOST_ENTRIES:
                raise UnreadableWeightsError(f"the index has more than {MOST_ENTRIES:,} entries")
            if produced > LARGEST:
                raise BrokenWeightsError("the index is broken: its keys are longer than an index may be")
            if key < last:
                raise BrokenWeightsError("the index is broken: its keys are not in order")
            last = key
            yield key, value


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of up to 64 bits, and where it ends. Raises BrokenWeightsError."""
    value = 0
    for count, byte in enumerate(data[at : at + 10]):
        value |= (byte & 127) << 7 * count
        if byte < 128:
            return value & 0xFFFFFFFFFFFFFFFF, at + count + 1
    raise BrokenWeightsError("the index is broken: a number in it has no end")


def _handle(data: bytes, at: int) -> tuple[int, int, int]:
    offset, at = varint(data, at)
    size, at = varint(data, at)
    return offset, size, at


def _block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    end = offset + size
    if end + TRAILER > len(table) - FOOTER:
        raise BrokenWeightsError("the index is broken: a block of it lies beyond its end")
    if crc32c(table[offset : end + 1]) != unmasked(int.from_bytes(table[end + 1 : end + TRAILER], "little")):
        raise BrokenWeightsError("the index is broken: a block of it is not what its checksum says")
    kind = table[end]
    if kind:
        name = _COMPRESSION.get(kind, f"method {kind}")
        raise UnreadableWeightsError(
            f"the index is compressed ({name})",
            "TensorFlow writes it uncompressed: load the model with the program that wrote it, and save it with TensorFlow.",
        )
    yield from _pairs(table[offset:end])


def _pairs(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each key says how much of the one before begins it. Behind the last come offsets for searching, and their number."""
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (restarts + 1)
    if len(block) < 4 or end < 0:
        raise BrokenWeightsError("the index is broken: a block of it is too short")
    at, key = 0, b""
    while at < end:
        shared, at = varint(block, at)
        fresh, at = varint(block, at)
        length, at = varint(block, at)
        if shared > len(key) or at + fresh + length > end:
            raise BrokenWeightsError("the index is broken: an entry of it is longer than its block")
        key = key[:shared] + block[at : at + fresh]
        at += fresh
        yield key, block[at : at + length]
        at += length
