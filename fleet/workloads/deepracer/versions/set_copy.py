"""A set copied out of a model into a folder of its own, and held against its source and against NaN."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from fleet.model.errors import FleetError
from fleet.store.fileio import sha256_of
from fleet.workloads.deepracer.chosen import Chosen
from fleet.workloads.deepracer.mirror import copy_repaired
from fleet.workloads.deepracer.prefix import Prefix, Stat, open_folder
from fleet.workloads.deepracer.sets import MODEL, SUFFIXES
from fleet.workloads.deepracer.shown import Shown
from fleet.workloads.deepracer.spec import METADATA
from fleet.workloads.deepracer.versions.lineage import FileDigest, TakenSet
from fleet.workloads.deepracer.weights.errors import UnsoundWeightsError
from fleet.workloads.deepracer.weights.judging import must_be_finite


class _Hashing(Shown):
    """A prefix that is only read, with the digests of what was fetched from it."""

    def __init__(self, prefix: Prefix) -> None:
        super().__init__(prefix.where, {})
        self._prefix = prefix
        self.fetched: dict[str, str] = {}

    def list(self) -> dict[str, Stat]:
        return self._prefix.list()

    def read(self, name: str) -> bytes:
        return self._prefix.read(name)

    def fetch(self, name: str, path: Path) -> None:
        self._prefix.fetch(name, path)
        self.fetched[name] = sha256_of(path)


def copy_set(
    chosen: Chosen, into: Path, metadata: bytes, stack: Literal["today", "2019"], own: Path, tell: Callable[[str], None]
) -> TakenSet:
    """The set, with the pointers that a stack's loader reads; ``metadata`` where the source has none beside it.

    ``own``: a folder for what is on its way; ``tell`` hears what cannot be said of the weights. Raises FleetError if the
    source changed meanwhile, if the copy is not what was read, byte for byte, or if weights are no numbers.
    """
    source = _Hashing(chosen.prefix)
    found = copy_repaired(source, open_folder(into), chosen.set.n, own, stack)
    names = [f"{MODEL}{found.stem}{suffix}" for suffix in SUFFIXES]
    after = chosen.prefix.list()
    if found.stem != chosen.set.stem or any(after.get(name) != chosen.listing.get(name) for name in names):
        told = f"set {chosen.set.stem} of {source.where} changed while it was copied"
        raise FleetError(told, "Nothing was made. A trainer writes there: choose again once it is done.")
    digests = {name: FileDigest(size=(into / name).stat().st_size, sha256=sha256_of(into / name)) for name in source.fetched}
    other = [name for name, digest in source.fetched.items() if digests[name].sha256 != digest]
    other += [name for name in names if digests[name].size != chosen.listing[name].size]
    if other:
        raise FleetError(
            f"the copy of {other[0]} is not what {source.where} holds", "Nothing was made. Is the disk in order?"
        )
    try:
        must_be_finite(open_folder(into), found, tell, where=source.where)
    except UnsoundWeightsError as error:
        raise type(error)(error.message, "Take a set before it: --from N.") from None
    if f"{MODEL}{METADATA}" not in digests:  # a resume holds its number of actions against it
        (into / MODEL / METADATA).write_bytes(metadata)
    return TakenSet(stem=found.stem, n=found.n, why=chosen.words, files=digests)
