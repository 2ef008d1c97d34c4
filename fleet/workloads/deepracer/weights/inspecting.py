"""Looks at the weights of a set: which tensors it has, whether all are numbers, and how large they are.

The data are read once, a megabyte at a time, and held against their checksums. Of a model's 75 MB: some 0.6 s, and 1.4 s
if magnitudes are wanted too (benchmarks/deepracer_weights.py).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from fleet.model.errors import NotFoundError, StoreError
from fleet.workloads.deepracer.folder import Folder
from fleet.workloads.deepracer.prefix import Prefix
from fleet.workloads.deepracer.sets import MODEL, ModelSet
from fleet.workloads.deepracer.weights.bundle import Bundle, Entry, parse_index
from fleet.workloads.deepracer.weights.crc32c import CHUNK, crc32c, unmasked
from fleet.workloads.deepracer.weights.errors import BrokenWeightsError, UnreadableWeightsError
from fleet.workloads.deepracer.weights.numbers import FLOATS, Count
from fleet.workloads.deepracer.weights.table import LARGEST

Kind = Literal["weight", "optimiser", "other"]
"""What is learned; what the optimiser remembers of it; counters, statistics, texts."""
_SLOTS = {"adam", "momentum", "rmsprop", "adagrad", "adadelta", "ftrl", "beta1_power", "beta2_power"}
_STATISTICS = ("running", "gradients", "global_step", "count", "save_counter")


@dataclass(frozen=True, slots=True)
class Tensor:
    """What one tensor comes to."""

    name: str
    dtype: str
    """As TensorFlow calls it: ``float32``."""
    shape: tuple[int, ...]
    size: int
    """Bytes."""
    kind: Kind
    nan: int = 0
    """Numbers of it that are NaN."""
    infinite: int = 0
    largest: float | None = None
    """The largest magnitude of its finite numbers. None: it has no fractions, or was not looked at closely."""
    norm: float | None = None
    """The root of the sum of their squares; None as above."""

    @property
    def not_finite(self) -> int:
        """Numbers of it that are NaN or infinite."""
        return self.nan + self.infinite


@dataclass(frozen=True, slots=True)
class Weights:
    """What a set holds."""

    stem: str
    """``N_Step-Y.ckpt``."""
    tensors: tuple[Tensor, ...]
    """All of them, by name."""

    @property
    def not_finite(self) -> tuple[Tensor, ...]:
        """Those with NaN or infinities, whatever their kind: an optimiser's make weights of the next step such, too."""
        return tuple(one for one in self.tensors if one.not_finite)

    @property
    def learned(self) -> tuple[Tensor, ...]:
        """The weights proper."""
        return tuple(one for one in self.tensors if one.kind == "weight")

    @property
    def largest(self) -> Tensor | None:
        """The one of the weights proper with the largest magnitude; None: there is none, or nobody looked closely."""
        known = [one for one in self.learned if one.largest is not None]
        return max(known, key=lambda one: one.largest or 0.0, default=None)

    @property
    def size(self) -> int:
        """Bytes of all tensors."""
        return sum(one.size for one in self.tensors)


def inspect(prefix: Prefix, found: ModelSet, *, closely: bool = True, own: Path | None = None) -> Weights:
    """The weights of a set. ``closely``: magnitudes too; ``own``: a folder for what must be fetched first.

    Raises UnreadableWeightsError (BrokenWeightsError among them), NotFoundError if it goes meanwhile, StoreError.
    """
    with ExitStack() as stack:
        if isinstance(prefix, Folder):
            return inspect_files(prefix.path(f"{MODEL}{found.stem}"), closely=closely)
        if own is not None:
            own.mkdir(parents=True, exist_ok=True)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".tmp-weights-", dir=own)))
        for suffix in found.files:
            if suffix == ".index" or suffix.startswith(".data-"):
                prefix.fetch(f"{MODEL}{found.stem}{suffix}", folder / f"{found.stem}{suffix}")
        return inspect_files(folder / found.stem, closely=closely)


def inspect_files(base: Path, *, closely: bool = True) -> Weights:
    """The same of files of this computer: ``base`` is their common path, without ``.index``. Raises as ``inspect``."""
    index = base.with_name(f"{base.name}.index")
    with _read_from(index) as file:
        if _length(file) > LARGEST:
            raise UnreadableWeightsError(f"{index.name} is larger than an index can be")
        bundle = parse_index(file.read())
    with ExitStack() as stack:
        names = [f"{base.name}.data-{shard:05d}-of-{bundle.shards:05d}" for shard in range(bundle.shards)]
        if bundle.shards > 1 and not all(base.with_name(name).exists() for name in names):
            raise BrokenWeightsError(f"the index speaks of {bundle.shards} data files, and not all are here")
        files = [stack.enter_context(_read_from(base.with_name(name))) for name in names]
        _hold_against(bundle, [_length(file) for file in files])
        found = [_look(one, files[one.shard], bundle, closely=closely) for one in bundle.entries]
    return Weights(base.name, tuple(sorted(found, key=lambda one: one.name)))


@contextmanager
def _read_from(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise NotFoundError(f"there is no {path.name}") from None
    except OSError as error:
        raise StoreError(f"{path.name}: {error.strerror or error}", "Is the disk in order?") from None


def _length(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _hold_against(bundle: Bundle, lengths: Sequence[int]) -> None:
    """No entry lies beyond its file, and together they are no longer than all files: else reading would not end."""
    for one in bundle.entries:
        if one.shard >= bundle.shards or one.offset + one.size > lengths[one.shard]:
            raise BrokenWeightsError(f"the data are cut off: {one.name} lies beyond their end")
    if sum(one.size for one in bundle.entries) > sum(lengths):
        raise BrokenWeightsError("the index is broken: its tensors overlap")


def _look(one: Entry, file: BinaryIO, bundle: Bundle, *, closely: bool) -> Tensor:
    if not one.item:  # texts, and what only TensorFlow's own code can take apart: no numbers
        return Tensor(one.name, one.dtype, one.shape, one.size, "other")
    count = Count(one.dtype, big_endian=bundle.big_endian, closely=closely) if one.dtype in FLOATS else None
    file.seek(one.offset)
    left, checksum = one.size, 0
    while left:
        data = file.read(min(CHUNK, left))
        if not data:
            raise BrokenWeightsError(f"the data were cut off while they were read, in {one.name}")
        checksum = crc32c(data, checksum)
        if count is not None:
            count.add(data)
        left -= len(data)
    if checksum != unmasked(one.checksum):
        raise BrokenWeightsError(f"the data are broken: {one.name} is not what its checksum says")
    kind = _kind(one)
    if count is None:
        return Tensor(one.name, one.dtype, one.shape, one.size, kind)
    largest, norm = (count.largest, count.norm) if closely else (None, None)
    return Tensor(one.name, one.dtype, one.shape, one.size, kind, count.nan, count.infinite, largest, norm)


def _kind(one: Entry) -> Kind:
    """By its name: what TensorFlow's optimisers remember of a weight is ``<weight>/Adam_1``, ``.OPTIMIZER_SLOT/…`` or
    ``optimizer/…``; below the last lie, of a Keras model, also the weights themselves.
    """
    parts = one.name.removesuffix("/.ATTRIBUTES/VARIABLE_VALUE").removesuffix(" (slice)").split("/")
    last = parts[-1].lower()
    words = {last.rstrip("0123456789").rstrip("_"), last}
    if words & _SLOTS or ".OPTIMIZER_SLOT" in parts or ("optimizer" in parts and "_trainable_variables" not in parts):
        return "optimiser"
    if one.dtype not in FLOATS or not one.shape or any(word in one.name.lower() for word in _STATISTICS):
        return "other"
    return "weight"
