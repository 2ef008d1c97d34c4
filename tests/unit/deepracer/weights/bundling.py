"""Sets of TensorFlow's for tests: what it wrote itself (scripts/tensorflow_bundles.py), and tables and bundles made by hand,
of sizes and with faults that it would not write.
"""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fleet.workloads.deepracer.weights.crc32c import crc32c
from fleet.workloads.deepracer.weights.table import MAGIC
from tests.unit.deepracer.trainer import Memory

BUNDLES = Path(__file__).parent / "bundles"
DATA = ".data-00000-of-00001"


def expected(name: str) -> dict[str, dict[str, Any]]:
    """What TensorFlow reads from one of its bundles."""
    found: dict[str, dict[str, Any]] = json.loads((BUNDLES / "expected.json").read_text())[name]
    return found


def lay(name: str, base: Path, *, meta: bytes = b"graph") -> Path:
    """A bundle of TensorFlow's under another name, as a whole set."""
    base.parent.mkdir(parents=True, exist_ok=True)
    for suffix in (".index", DATA):
        shutil.copy(BUNDLES / f"{name}{suffix}", base.with_name(base.name + suffix))
    base.with_name(f"{base.name}.meta").write_bytes(meta)
    return base


def varint(value: int) -> bytes:
    """As protocol buffers have it."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def masked(data: bytes) -> int:
    """The checksum of data, as it is stored."""
    value = crc32c(data)
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def field(tag: int, value: int | bytes) -> bytes:
    """A number, or bytes."""
    if isinstance(value, bytes):
        return varint(tag << 3 | 2) + varint(len(value)) + value
    return varint(tag << 3) + varint(value)


def entry(
    dtype: int,
    shape: Sequence[int],
    offset: int,
    data: bytes,
    *,
    size: int | None = None,
    shard: int = 0,
    crc: int | None = None,
) -> bytes:
    """What an index says of a tensor."""
    dimensions = b"".join(field(2, field(1, one)) for one in shape)
    told = field(1, dtype) + field(2, dimensions) + field(3, shard) + field(4, offset)
    told += field(5, len(data) if size is None else size)
    return told + varint(6 << 3 | 5) + struct.pack("<I", masked(data))


def packed(pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A block's content, without shared beginnings."""
    body = b"".join(b"\0" + varint(len(key)) + varint(len(value)) + key + value for key, value in pairs)
    return body + struct.pack("<II", 0, 1)


def closed(body: bytes, kind: int = 0) -> bytes:
    """A block's content with how it is compressed, and its checksum."""
    return body + bytes([kind]) + struct.pack("<I", masked(body + bytes([kind])))


def block(pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The whole of one."""
    return closed(packed(pairs))


def framed(body: bytes, kind: int = 0) -> bytes:
    """A table of one block of entries, and of the block that says where it is."""
    first = closed(body, kind)
    where = block([(b"\xff", varint(0) + varint(len(body)))])
    return first + where + footer(len(first), len(where) - 5)


def table(pairs: Sequence[tuple[bytes, bytes]], kind: int = 0) -> bytes:
    """A table of these entries."""
    return framed(packed(pairs), kind)


def footer(offset: int, size: int) -> bytes:
    """The last 48 bytes, of which the first handle is of no use."""
    return (varint(0) + varint(0) + varint(offset) + varint(size)).ljust(40, b"\0") + MAGIC


def write(base: Path, tensors: Mapping[str, tuple[int, Sequence[int], bytes]], *, big_endian: bool = False) -> Path:
    """A bundle of (type, shape, bytes) by name, as a whole set."""
    base.parent.mkdir(parents=True, exist_ok=True)
    header = field(1, 1) + (field(2, 1) if big_endian else b"") + field(3, field(1, 1))
    pairs, data = [(b"", header)], b""
    for name in sorted(tensors):
        dtype, shape, one = tensors[name]
        pairs.append((name.encode(), entry(dtype, shape, len(data), one)))
        data += one
    base.with_name(f"{base.name}.index").write_bytes(table(pairs))
    base.with_name(f"{base.name}{DATA}").write_bytes(data)
    base.with_name(f"{base.name}.meta").write_bytes(b"graph")
    return base


def parts(name: str) -> dict[str, bytes]:
    """The files of a set, by suffix: one of TensorFlow's bundles; ``broken``: one whose data a disk changed."""
    source = "tf1" if name == "broken" else name
    found = {suffix: (BUNDLES / f"{source}{suffix}").read_bytes() for suffix in (".index", DATA)}
    if name == "broken":
        found[DATA] = bytes([found[DATA][0] ^ 1]) + found[DATA][1:]
    return {**found, ".meta": b"graph"}


def become(prefix: Memory, n: int, name: str) -> None:
    """The set N of a prefix gets other files under its names."""
    stems = {path.partition(".ckpt")[0] for path in prefix.files if path.startswith(f"model/{n}_Step-")}
    for stem in stems:
        for suffix, data in parts(name).items():
            prefix.write(f"{stem}.ckpt{suffix}", data)
