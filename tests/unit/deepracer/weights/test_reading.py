"""TensorFlow's checkpoints read without it: what it says of them itself, and whatever else the files may hold."""

from __future__ import annotations

import math
import random
import struct
import time
from array import array
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.model.errors import FleetError, NotFoundError
from fleet.workloads.deepracer.weights.bundle import parse_index
from fleet.workloads.deepracer.weights.crc32c import CHUNK, crc32c
from fleet.workloads.deepracer.weights.errors import BrokenWeightsError, UnreadableWeightsError
from fleet.workloads.deepracer.weights.inspecting import inspect_files
from fleet.workloads.deepracer.weights.judging import told
from fleet.workloads.deepracer.weights.table import LARGEST, MOST_ENTRIES, entries
from tests.unit.deepracer.weights.bundling import (
    BUNDLES,
    DATA,
    block,
    closed,
    entry,
    expected,
    field,
    footer,
    framed,
    lay,
    packed,
    table,
    varint,
    write,
)

HEADER = (b"", field(1, 1) + field(3, field(1, 1)))
FLOAT = 1
PAIRS = list(entries((BUNDLES / "tf1.index").read_bytes()))


@pytest.mark.parametrize("name", ["tf1", "nan", "tf2", "types", "sliced"])
def test_every_tensor_is_read_as_tensorflow_reads_it(name: str) -> None:
    found = inspect_files(BUNDLES / name)
    wanted = expected(name)
    assert {one.name.removesuffix(" (slice)") for one in found.tensors} == set(wanted)
    for one in found.tensors:
        if one.name.endswith(" (slice)"):
            continue
        told = wanted[one.name]
        assert (one.dtype, list(one.shape)) == (told["dtype"], told["shape"]), one.name
        if "nan" in told:
            assert one.largest is not None
            assert one.norm is not None
            assert (one.nan, one.infinite) == (told["nan"], told["infinite"]), one.name
            assert math.isclose(one.largest, told["largest"]), one.name
            assert math.isclose(one.norm, told["norm"], rel_tol=1e-9), one.name


def test_a_variable_in_slices_is_read_whole() -> None:
    slices, wanted = inspect_files(BUNDLES / "sliced").tensors, expected("sliced")["embedding"]
    assert [one.shape for one in slices] == [(3, 3), (3, 3)]
    assert math.isclose(math.hypot(*(one.norm or 0.0 for one in slices)), wanted["norm"])
    assert sum(math.prod(one.shape) for one in slices) == math.prod(wanted["shape"])


def test_what_an_optimiser_remembers_is_told_from_what_was_learned() -> None:
    kinds = {one.name.rpartition("/")[2]: one.kind for one in inspect_files(BUNDLES / "tf1").tensors}
    assert kinds == {
        "kernel": "weight",
        "bias": "weight",
        "Adam": "optimiser",
        "Adam_1": "optimiser",
        "beta1_power": "optimiser",
        "beta2_power": "optimiser",
        "global_step": "other",
    }
    today = {one.name: one.kind for one in inspect_files(BUNDLES / "tf2").tensors}
    assert [kind for name, kind in today.items() if "/_trainable_variables/" in name] == ["weight"] * 4
    assert {kind for name, kind in today.items() if "/_variables/" in name} == {"optimiser"}


def test_without_a_close_look_only_what_is_no_number_is_counted() -> None:
    found = inspect_files(BUNDLES / "nan", closely=False)
    assert [(one.name.rpartition("network_0/")[2], one.nan, one.infinite) for one in found.not_finite] == [
        ("observation/Conv2d_0/bias/Adam_1", 1, 0),
        ("ppo_head_0/policy_mean/kernel", 2, 1),
    ]
    assert found.largest is None


def _float32(values: list[float], order: str = "<") -> tuple[int, list[int], bytes]:
    return FLOAT, [len(values)], struct.pack(f"{order}{len(values)}f", *values)


def test_a_file_of_the_other_order_of_bytes_says_the_same(tmp_path: Path) -> None:
    numbers = [1.5, -2.0, math.nan]
    half = (19, [3], struct.pack(">3e", *numbers))
    brain = (14, [3], b"".join(struct.pack(">f", one)[:2] for one in numbers))
    double = (2, [3], struct.pack(">3d", *numbers))
    big = {"single": _float32(numbers, ">"), "half": half, "brain": brain, "double": double}
    for one in inspect_files(write(tmp_path / "0_Step-0.ckpt", big, big_endian=True)).tensors:
        assert (one.nan, one.infinite, one.largest, one.norm) == (1, 0, 2.0, 2.5), one.name


def test_numbers_on_both_sides_of_a_megabyte_are_counted(tmp_path: Path) -> None:
    values = array("f", bytes(4 * (CHUNK // 4 + 10)))
    values[3] = values[CHUNK // 4] = math.nan
    values[-1] = -math.inf
    values[5] = -8.0
    base = write(tmp_path / "0_Step-0.ckpt", {"w": (FLOAT, [len(values)], values.tobytes())})
    (one,) = inspect_files(base).tensors
    assert (one.nan, one.infinite, one.largest) == (2, 1, 8.0)


def test_the_checksum_is_castagnolis() -> None:
    """The values of RFC 3720, appendix B.4, and of a megabyte by the plain way."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    data = random.Random(1).randbytes(CHUNK + 70_001)
    pieces = 0
    for start in range(0, len(data), 1000):  # pieces too short for the fast way
        pieces = crc32c(data[start : start + 1000], pieces)
    assert crc32c(data) == crc32c(data[100_000:], crc32c(data[:100_000])) == pieces


def _broken(base: Path, change: Callable[[bytes], bytes], suffix: str = ".index") -> Path:
    path = base.with_name(base.name + suffix)
    path.write_bytes(change(path.read_bytes()))
    return base


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


def _index(base: Path, data: bytes) -> Path:
    return _broken(lay("tf1", base), lambda _: data)


@pytest.mark.parametrize(
    ("change", "suffix", "kind", "words"),
    [
        (lambda data: b"index of set 3", ".index", UnreadableWeightsError, "no table of TensorFlow's"),
        (lambda data: data[:-1], ".index", UnreadableWeightsError, "no table of TensorFlow's"),
        (lambda data: b"", ".index", UnreadableWeightsError, "no table of TensorFlow's"),
        (lambda data: data[100:], ".index", BrokenWeightsError, "beyond its end|not what its checksum says"),
        (
            lambda data: data[:30] + bytes([data[30] ^ 4]) + data[31:],
            ".index",
            BrokenWeightsError,
            "not what its checksum says",
        ),
        (lambda data: data[:-1], DATA, BrokenWeightsError, "cut off"),
        (lambda data: _flipped(data, 50), DATA, BrokenWeightsError, "not what its checksum says"),
    ],
)
def test_files_that_are_cut_off_or_changed_are_told_of(
    tmp_path: Path, change: Callable[[bytes], bytes], suffix: str, kind: type[FleetError], words: str
) -> None:
    base = _broken(lay("tf1", tmp_path / "3_Step-0.ckpt"), change, suffix)
    with pytest.raises(kind, match=words) as raised:
        inspect_files(base)
    assert raised.type is kind


def test_a_file_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    base = lay("tf1", tmp_path / "3_Step-0.ckpt")
    base.with_name(base.name + DATA).unlink()
    with pytest.raises(NotFoundError, match="data-00000"):
        inspect_files(base)


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (table([HEADER], kind=1), "compressed \\(snappy\\)"),
        (table([(b"no header", b"")]), "no checkpoint's"),
        (table([(b"", field(1, 1 << 40))]), "speaks of 1099511627776 data files"),
        (table([(b"", field(1, 2))]), "speaks of 2 data files, and not all are here"),
        (table([HEADER, (b"w", entry(FLOAT, [2], 0, b"", size=7))]), "cannot be of 7 bytes"),
        (table([HEADER, (b"w", entry(FLOAT, [1 << 62, 1 << 62], 0, b"", size=8))]), "cannot be of 8 bytes"),
        (table([HEADER, (b"w", entry(FLOAT, [(1 << 64) - 1], 0, b"", size=8))]), "shape is none"),
        (table([HEADER, (b"w", entry(FLOAT, [2], 1 << 60, b"", size=8))]), "beyond their end"),
        (table([HEADER, (b"w", entry(FLOAT, [2], 0, b"", size=8, shard=7))]), "beyond their end"),
        (table([HEADER, *((b"w%03d" % n, entry(FLOAT, [184], 0, b"", size=736)) for n in range(200))]), "overlap"),
        (table([HEADER, (b"b", b""), (b"a", b"")]), "not in order"),
        (table([HEADER, (b"w", b"\xff" * 12)]), "has no end"),
        (table([HEADER, (b"w", b"\x0b")]), "cannot be understood"),
        (table([HEADER, (b"w", b"\x12\x50")]), "cut off"),
        (bytes(9) + footer(1 << 60, 1 << 60), "beyond its end"),
    ],
)
def test_an_index_that_says_what_cannot_be_is_refused(tmp_path: Path, index: bytes, words: str) -> None:
    with pytest.raises(UnreadableWeightsError, match=words):
        inspect_files(_index(tmp_path / "3_Step-0.ckpt", index))


def test_an_index_of_several_blocks_is_read_whole(tmp_path: Path) -> None:
    first, second = block(PAIRS[:5]), block(PAIRS[5:])
    handles = [varint(0) + varint(len(first) - 5), varint(len(first)) + varint(len(second) - 5)]
    where = block([(b"a", handles[0]), (b"z", handles[1])])
    index = first + second + where + footer(len(first) + len(second), len(where) - 5)
    assert inspect_files(_index(tmp_path / "tf1", index)) == inspect_files(BUNDLES / "tf1")


def test_an_index_that_unfolds_without_end_is_refused_soon(tmp_path: Path) -> None:
    """A long key that a million others share; and a block that the index names again and again."""
    long = b"k" * (1 << 20)
    body = b"\0" + varint(len(long)) + b"\0" + long + (varint(len(long)) + b"\0\0") * 200_000 + struct.pack("<II", 0, 1)
    first = block([HEADER])
    pairs = closed(body)
    where = block([(b"a", varint(0) + varint(len(first) - 5)), (b"z", varint(len(first)) + varint(len(body)))])
    index = first + pairs + where + footer(len(first) + len(pairs), len(where) - 5)
    began = time.process_time()
    with pytest.raises(BrokenWeightsError, match="longer than an index may be"):
        inspect_files(_index(tmp_path / "3_Step-0.ckpt", index))
    many = packed([HEADER])[:-8] + bytes(3 * (MOST_ENTRIES + 1)) + struct.pack("<II", 0, 1)
    with pytest.raises(UnreadableWeightsError, match="more than 100,000 entries"):
        inspect_files(_index(tmp_path / "5_Step-0.ckpt", framed(many)))
    where = block([(b"%05d" % n, varint(0) + varint(len(first) - 5)) for n in range(20_000)])
    with pytest.raises(BrokenWeightsError, match="overlap"):
        inspect_files(_index(tmp_path / "4_Step-0.ckpt", first + where + footer(len(first), len(where) - 5)))
    with (tmp_path / "5_Step-0.ckpt.index").open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(UnreadableWeightsError, match="larger than an index"):
        inspect_files(tmp_path / "5_Step-0.ckpt")
    assert time.process_time() - began < 5


BODY = packed(PAIRS)
CHANGES = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 2), st.binary(max_size=3)), min_size=1, max_size=4)


def _changed(data: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for at, gone, come in changes:
        at %= len(data)
        data = data[:at] + come + data[at + gone :]
    return data


@given(CHANGES, st.sampled_from(["file", "block", "value"]), st.integers(1, len(PAIRS) - 1))
@settings(max_examples=200, deadline=None)
def test_whatever_becomes_of_an_index_reading_ends_with_weights_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int, bytes]], where: str, which: int
) -> None:
    """In the file its checksums find it; of a block and of an entry they are made right again, so that they hide nothing."""
    base = lay("tf1", tmp_path_factory.mktemp("fuzz") / "3_Step-0.ckpt")
    path = base.with_name(f"{base.name}.index")
    if where == "file":
        index = _changed(path.read_bytes(), changes)
    elif where == "block":
        index = framed(_changed(BODY, changes))
    else:
        key, value = PAIRS[which]
        index = table([*PAIRS[:which], (key, _changed(value, changes)), *PAIRS[which + 1 :]])
    path.write_bytes(index)
    try:
        said = told(inspect_files(base))
    except UnreadableWeightsError as error:
        said = error.message
    assert said


@given(st.binary(max_size=400))
@settings(max_examples=100, deadline=None)
def test_any_bytes_in_a_table_are_read_or_refused(body: bytes) -> None:
    for pairs in ([(b"", body)], [HEADER, (b"w", body)], [HEADER, (b"\0" + body, body)]):
        with suppress(UnreadableWeightsError):
            assert parse_index(table(pairs)).shards
