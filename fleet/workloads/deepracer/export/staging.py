"""What is to be sent, laid out whole on this computer first: it is looked at once more, and read again as often as a bad
network wants it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fleet.model.errors import FleetError, NotFoundError, StoreError
from fleet.store.fileio import sha256_of
from fleet.workloads.deepracer.export.archive import check_archive, make_archive
from fleet.workloads.deepracer.export.contents import CARFILE, GRAPH, POINTERS, Contents, Source
from fleet.workloads.deepracer.spec import METADATA


@dataclass(frozen=True, slots=True)
class Staged:
    """One file of an export."""

    name: str
    """Relative to the target."""
    path: Path
    """Where its bytes are on this computer."""
    size: int
    sha256: str


Check = Callable[[Path], None]
"""Looks at a folder that holds the chosen set below ``model/``, and raises if it must not be handed on."""


def stage(source: Source, contents: Contents, folder: Path, check: Check) -> list[Staged]:
    """Fetch and write all of it into an empty folder, in the order in which it is sent.

    Raises FleetError if the model changed meanwhile, StoreError.
    """
    with _on_disk(folder):
        for name, place in contents.copies.items():
            _fetch(source, place, folder / name)
        for name, data in contents.texts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        _unchanged(source, contents)
        check(folder)
        return sorted((_staged(folder, name) for name in contents.names), key=_order)


def stage_car(source: Source, contents: Contents, folder: Path, check: Check, name: str = CARFILE) -> list[Staged]:
    """The same for the car, as one archive. The set goes through the check too, though the car drives with its graph."""
    inner, outer = folder / "inner", folder / "outer"
    with _on_disk(folder):
        for one in source.weights:
            _fetch(source, one, inner / one)
        _fetch(source, contents.copies[GRAPH], inner / GRAPH)
        _unchanged(source, contents)
        check(inner)
        outer.mkdir()
        make_archive(outer / CARFILE, inner / GRAPH, contents.texts[METADATA])
        check_archive(outer / CARFILE, inner / GRAPH, contents.texts[METADATA])
        return [_staged(outer, CARFILE, name)]


@contextlib.contextmanager
def _on_disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        told = f"the model cannot be laid out in {folder}: {error.strerror or error}"
        raise StoreError(told, "Set TMPDIR to a folder with room for it.") from None


def _fetch(source: Source, name: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.chosen.prefix.fetch(name, path)
    except NotFoundError:
        raise _changed(source, name) from None


def _unchanged(source: Source, contents: Contents) -> None:
    """A trainer that lives deletes old sets, and a new one in the same prefix may write the same names: the set that was
    copied must be the one that was chosen. Metrics are written anew after every episode, and may be newer."""
    now = source.chosen.prefix.list()
    for name in {*source.weights, *contents.copies.values()}:
        if not name.startswith("metrics/") and now.get(name) != source.chosen.listing[name]:
            raise _changed(source, name)


def _changed(source: Source, name: str) -> FleetError:
    return FleetError(
        f"{source.chosen.prefix.where}: {name} went, or was written anew, while it was copied",
        "Try it again: a trainer that is alive keeps its newest sets only.",
    )


def _staged(folder: Path, name: str, as_name: str | None = None) -> Staged:
    path = folder / name
    return Staged(as_name or name, path, path.stat().st_size, sha256_of(path))


def _order(one: Staged) -> tuple[bool, int, str]:
    """The largest first, which are most of the work; pointers last."""
    return one.name in POINTERS, -one.size, one.name
