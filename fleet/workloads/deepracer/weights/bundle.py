"""What a TensorFlow checkpoint's index says: which tensors there are, and where in the data files each lies.

Its values are protocol buffers of few fields (TensorFlow, core/protobuf/tensor_bundle.proto), read by hand.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from fleet.workloads.deepracer.weights.errors import BrokenWeightsError, UnreadableWeightsError
from fleet.workloads.deepracer.weights.table import entries, varint

TYPES = {
    1: ("float32", 4),
    2: ("float64", 8),
    3: ("int32", 4),
    4: ("uint8", 1),
    5: ("int16", 2),
    6: ("int8", 1),
    7: ("string", 0),
    8: ("complex64", 8),
    9: ("int64", 8),
    10: ("bool", 1),
    11: ("qint8", 1),
    12: ("quint8", 1),
    13: ("qint32", 4),
    14: ("bfloat16", 2),
    15: ("qint16", 2),
    16: ("quint16", 2),
    17: ("uint16", 2),
    18: ("complex128", 16),
    19: ("float16", 2),
    21: ("variant", 0),
    22: ("uint32", 4),
    23: ("uint64", 8),
}
"""By TensorFlow's number (core/framework/types.proto): the name, and bytes of one value; 0: they differ in length."""
MOST_SHARDS = 1000
MOST_DIMENSIONS = 254
"""As TensorFlow allows."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one tensor, or one slice of a tensor, lies."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    """Of a slice its own, not the whole tensor's."""
    item: int
    """Bytes of one value; 0: they differ in length."""
    shard: int
    offset: int
    size: int
    """Bytes."""
    checksum: int
    """CRC-32C, masked."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A checkpoint's index."""

    shards: int
    """Data files."""
    big_endian: bool
    entries: tuple[Entry, ...]


def parse_index(table: bytes) -> Bundle:
    """From the index file's bytes. Raises UnreadableWeightsError, BrokenWeightsError."""
    found = entries(table)
    key, header = next(found, (None, b""))
    if key != b"":
        raise UnreadableWeightsError("the index is a table, but no checkpoint's: it does not begin with a header")
    values = _numbers(header)
    shards = values.get(1, 0)
    if not 0 < shards <= MOST_SHARDS:
        raise BrokenWeightsError(f"the index is broken: it speaks of {shards} data files")
    tensors = tuple(one for key, value in found if (one := _entry(key, value)) is not None)
    return Bundle(shards, values.get(2, 0) == 1, tensors)


def _entry(key: bytes, value: bytes) -> Entry | None:
    """None for a tensor that lies in slices: they have entries of their own."""
    name, is_slice = _name(key)
    values: dict[int, int] = {}
    checksum = 0
    shape: tuple[int, ...] = ()
    for tag, kind, found in _fields(value):
        if isinstance(found, bytes):
            if tag == 7 and not is_slice:
                return None
            shape = _shape(found) if tag == 2 else shape
        elif (tag, kind) == (6, 5):
            checksum = found
        else:
            values[tag] = found
    number, shard, offset, size = (values.get(tag, 0) for tag in (1, 3, 4, 5))
    dtype, item = TYPES.get(number, (f"type {number}", 0))
    if item and math.prod(shape) * item != size:
        raise BrokenWeightsError(f"the index is broken: {name} of shape {list(shape)} cannot be of {size} bytes")
    return Entry(name, dtype, shape, item, shard, offset, size, checksum)


def _shape(data: bytes) -> tuple[int, ...]:
    found: list[int] = []
    for tag, _, dimension in _fields(data):
        if tag == 2 and isinstance(dimension, bytes):
            size = _numbers(dimension).get(1, 0)
            if size >> 63 or len(found) == MOST_DIMENSIONS:
                raise BrokenWeightsError("the index is broken: a tensor's shape is none")
            found.append(size)
    return tuple(found)


def _numbers(data: bytes) -> dict[int, int]:
    return {tag: found for tag, _, found in _fields(data) if isinstance(found, int)}


def _fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Tag, wire type and value of each field. Raises BrokenWeightsError."""
    at = 0
    while at < len(data):
        head, at = varint(data, at)
        tag, kind = head >> 3, head & 7
        if kind == 0:
            value, at = varint(data, at)
            yield tag, kind, value
            continue
        if kind == 2:
            length, at = varint(data, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise BrokenWeightsError("the index is broken: an entry of it cannot be understood")
        if at + length > len(data):
            raise BrokenWeightsError("the index is broken: an entry of it is cut off")
        part = data[at : at + length]
        at += length
        yield tag, kind, part if kind == 2 else int.from_bytes(part, "little")


def _name(key: bytes) -> tuple[str, bool]:
    """A tensor's name, and whether the key is a slice's: that begins with a zero, and has the name in an escaped form
    (TensorFlow, core/util/saved_tensor_slice_util.cc, core/lib/strings/ordered_code.cc)."""
    if not key.startswith(b"\0"):
        return key.decode("utf-8", "replace"), False
    name = key[1:].partition(b"\0\1")[0]
    plain = name.replace(b"\0\xff", b"\0").replace(b"\xff\0", b"\xff").decode("utf-8", "replace")
    return f"{plain} (slice)", True
