"""Committed sets of the trainer's, kept as fleet's checkpoints: ``<folder>/<N>/`` is a prefix of one whole set.

A folder appears under its name at once and whole, and never changes: what holds the newest sets is whole at every moment.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from fleet.model.base import Seconds
from fleet.model.errors import NotFoundError
from fleet.store.checkpoints.verify import problem_of
from fleet.store.fileio import sync_folder, sync_tree
from fleet.workloads.deepracer.course import COURSE, parse_course
from fleet.workloads.deepracer.folder import Folder
from fleet.workloads.deepracer.pointers import JSON, Pointers, committed, read_pointers
from fleet.workloads.deepracer.prefix import Prefix, Stat, open_folder
from fleet.workloads.deepracer.repair import LOCK, Format, eras_of, plan_repair
from fleet.workloads.deepracer.resume import Kept
from fleet.workloads.deepracer.sets import MODEL, SUFFIXES, ModelSet, frozen_graphs, sets_of, whole_sets

KEPT = 2
"""Checkpoints that lie in the folder; fleet's bucket has those before."""
FRESH: Seconds = 60.0
"""A lock is waited for so long: behind it the trainer still writes the set's frozen graph."""
GRAPH: Seconds = 5.0
"""So long it is waited for otherwise: 2019's trainer writes it when its lock is gone."""
SPARE = 64 << 20
"""Bytes of a disk that a set which is only looked at leaves free."""
TEMPORARY = ".tmp-"
"""Begins the names that neither fleet nor a resume looks at."""
BESIDE = ("model/model_metadata.json", "ip/hyperparameters.json")
"""Goes along with a set."""
Look = Callable[[Path], object]
"""Is shown a set's files on this computer, by what their names begin with: ``…/N_Step-Y.ckpt``."""


def to_keep(
    listing: Mapping[str, Stat], pointers: Pointers, newest: int, now: Seconds, *, hurry: bool = False
) -> ModelSet | None:
    """The committed set, if it is newer than the one kept and nothing that belongs to it is still being written.

    ``hurry``: it is whole, and may go without its frozen graph.
    """
    found = committed(listing, pointers)
    if found is None or found.n <= newest:
        return None
    lock = listing.get(LOCK)
    locked = lock is not None and 0 <= now - lock.modified < FRESH
    just_now = 0 <= now - found.modified < GRAPH
    done = found.n in frozen_graphs(listing) or not (locked or just_now)
    return found if hurry or done else None


def usable(listing: Mapping[str, Stat], pointers: Pointers) -> dict[int, ModelSet]:
    """The sets that a repair could go back to, by N; of two of one N the later."""
    found = {one.n: one for one in whole_sets(listing)}
    return {n: one for n, one in found.items() if plan_repair(limited(listing, n), pointers).committed == one.stem}


def limited(listing: Mapping[str, Stat], n: int) -> dict[str, Stat]:
    """A prefix as if its sets ended with ``n``."""
    beyond = {name for one in sets_of(listing) if one.n > n for name in one.names}
    return {name: stat for name, stat in listing.items() if name not in beyond}


def copy_repaired(
    source: Prefix, target: Prefix, n: int, own: Path, era: Format = "auto", look: Look | None = None
) -> ModelSet:
    """Lay set ``n`` of a prefix into an empty one, with its pointers repaired; the source stays as it is.

    ``own``: a folder for what is on its way, which has room for the set where it is looked at, else for its largest file.
    ``era``: whose loader will read it. ``look`` sees the set's files before any of them is there, and refuses them by
    raising. Raises NotFoundError.
    """
    listing = source.list()
    pointers = read_pointers(source, listing)
    found = usable(listing, pointers).get(n)
    if found is None:
        raise NotFoundError(f"{source.where} holds no whole set {n}")
    own.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=own) as passing:
        together = _look_before(source, found, Path(passing), look) if look is not None else {}
        for name in _wanted(listing, found):
            path = together.get(name, Path(passing, "beside"))
            if name not in together:
                source.fetch(name, path)
            target.send(name, path)
            path.unlink()
    for name, data in pointers_alone(listing, found, pointers, era).items():
        target.write(name, data)
    return found


def look_if_room(source: Prefix, n: int, own: Path, look: Look, tell: Callable[[str], None]) -> Look | None:
    """``look``, unless a set has to be fetched for it and the disk has no room: that must keep nobody from using it.

    Raises StoreError.
    """
    own.mkdir(parents=True, exist_ok=True)
    size = max((one.size for one in whole_sets(source.list()) if one.n == n), default=0)
    if isinstance(source, Folder) or shutil.disk_usage(own).free > size + SPARE:
        return look
    tell(f"the weights of set {n} are not looked at: {own} has no room for them")
    return None


def _look_before(source: Prefix, found: ModelSet, passing: Path, look: Look) -> dict[str, Path]:
    """Show a set where it lies, if that is on this computer; else what was fetched of it, by its names."""
    if isinstance(source, Folder):
        look(source.path(f"{MODEL}{found.stem}"))
        return {}
    together = {name: passing / name.rpartition("/")[2] for name in _names(found)}
    for name, path in together.items():
        source.fetch(name, path)
    look(passing / found.stem)
    return together


def keep(
    prefix: Prefix,
    found: ModelSet,
    folder: Path,
    beside: Mapping[str, bytes],
    lay_history: Callable[[Path], None],
    look: Look | None = None,
) -> bool:
    """Keep a set as ``<folder>/<N>/``, with the texts beside it and what is told of all legs. False: it changed meanwhile.

    ``look`` sees the copy's files first, and refuses them by raising. Raises OSError on a full disk; what was kept before
    stays.
    """

    def fill(making: Path) -> bool:
        if not _fill(prefix, found, making):
            return False
        if look is not None:
            look(making / MODEL / found.stem)
        for name, data in beside.items():
            _write(making / name, data)
        lay_history(making)
        return True

    return commit(folder, found.n, fill)


def commit(folder: Path, n: int, fill: Callable[[Path], bool]) -> bool:
    """Let ``<folder>/<n>/`` appear, whole, once ``fill`` has filled it and said that it is so; the older ones go.

    Raises OSError on a full disk; what was kept before stays.
    """
    clear_away(folder)
    making = folder / f"{TEMPORARY}{n}-{secrets.token_hex(4)}"
    try:
        if not fill(making):
            return False
        _drop_broken(making)
        sync_tree(making)
        _into_place(making, folder, n)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return True


def kept_in(folder: Path, run: str) -> list[Kept]:
    """The checkpoints in fleet's folder that hold a whole set."""
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.isdigit() and path.is_dir():
            prefix = open_folder(path)
            listing = prefix.list()
            numbers = usable(listing, read_pointers(prefix, listing))
            if numbers:
                found.append(Kept(path.name, max(numbers), parse_course(_read(path / COURSE), run)))
    return found


def clear_away(folder: Path) -> None:
    """What a death left half made."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob(f"{TEMPORARY}*"):
        shutil.rmtree(path, ignore_errors=True)


def _fill(prefix: Prefix, found: ModelSet, making: Path) -> bool:
    listing = prefix.list()
    pointers = read_pointers(prefix, listing)
    try:
        for name in _wanted(listing, found):
            target = making / name
            target.parent.mkdir(parents=True, exist_ok=True)
            prefix.fetch(name, target)
            if name in _names(found) and target.stat().st_size != listing[name].size:
                return False
    except (NotFoundError, KeyError):
        return False
    for name, data in pointers_alone(listing, found, pointers).items():
        _write(making / name, data)
    after = prefix.list()
    return all(after.get(name) == listing.get(name) for name in _names(found))


def _drop_broken(making: Path) -> None:
    """Fleet commits nothing with a file in it that is not what its name says: metrics that a power cut made empty must
    not keep every set to come from the bucket. No resume needs those; the pointers are whole, since they were just made.
    """
    for path in making.rglob("*.json"):
        if problem_of(path, path.name) is not None:
            path.unlink()


def _into_place(making: Path, folder: Path, n: int) -> None:
    """The new folder first, then the old ones go: later ones of the same run, too, since training went back."""
    target = folder / str(n)
    _put_away([target] if target.exists() else [], folder)
    making.rename(target)
    sync_folder(folder)
    numbers = sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())
    before = [one for one in numbers if one < n]
    _put_away([folder / str(one) for one in numbers if one > n or one in before[: 1 - KEPT]], folder)


def _put_away(paths: Iterable[Path], folder: Path) -> None:
    """Out of sight at once, then gone."""
    for path in paths:
        aside = folder / f"{TEMPORARY}old-{secrets.token_hex(4)}"
        path.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


def _wanted(listing: Mapping[str, Stat], found: ModelSet) -> list[str]:
    graph = frozen_graphs(listing).get(found.n)
    return [*_names(found), *([graph] if graph else []), *(name for name in BESIDE if name in listing)]


def _names(found: ModelSet) -> list[str]:
    """Of the three files, and nothing that lies beside them."""
    return [f"{MODEL}{found.stem}{suffix}" for suffix in SUFFIXES]


def pointers_alone(
    listing: Mapping[str, Stat], found: ModelSet, pointers: Pointers, era: Format = "auto"
) -> dict[str, bytes]:
    """What names the set in a prefix that holds no other: as repair writes it, and what it finds right as it is.

    Today's loader looks into the JSON, which the trainer writes with the first evaluation: it is made if there is none yet.
    """
    of_sets = {name for one in sets_of(listing) for name in one.names}.difference(_names(found))
    alone = {name: stat for name, stat in listing.items() if name not in of_sets}
    if "today" in eras_of(listing, era):
        pointers = replace(pointers, raw={JSON: b"", **pointers.raw})
    repair = plan_repair(alone, replace(pointers, note=None), format=era)
    return {**pointers.raw, **repair.written}


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
