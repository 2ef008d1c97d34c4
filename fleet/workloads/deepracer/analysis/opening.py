"""What people name to have it read: log files, archives, folders, prefixes in a bucket; several of them as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from fleet.model.errors import FleetError
from fleet.workloads.deepracer.analysis.archives import Archive, is_archive
from fleet.workloads.deepracer.analysis.layouts import Place, by_root, place_of
from fleet.workloads.deepracer.analysis.loading import are_of_evaluation, is_metrics
from fleet.workloads.deepracer.analysis.placing import placed
from fleet.workloads.deepracer.analysis.readable import Entry, Far, Files, Here, Readable
from fleet.workloads.deepracer.analysis.reading import Reader
from fleet.workloads.deepracer.analysis.recording import Recording
from fleet.workloads.deepracer.course import COURSE, Course, parse_course
from fleet.workloads.deepracer.history import HISTORY
from fleet.workloads.deepracer.prefix import open_prefix

WHAT = (
    "Name a run, log files, downloaded archives (.tar.gz), a model's folder or prefix with metrics/ or training-simtrace/, "
    "or s3://bucket/prefix."
)


@dataclass
class Opened:
    """Places that are read as one, in the order in which they were named."""

    readers: Sequence[Reader]
    where: str
    finish: Callable[[Recording], Recording] | None = None
    """What somebody who knows more adds."""
    _told: tuple[Recording, ...] = ()
    _last: Recording | None = None

    def look(self) -> tuple[Recording, tuple[str, ...]]:
        """All that is there now (the same object, if nothing changed), and the names of the parts that changed."""
        looked = [reader.look() for reader in self.readers]
        told = tuple(recording for recording, _ in looked)
        changed = tuple(name for _, names in looked for name in names)
        same = len(told) == len(self._told) and all(one is other for one, other in zip(told, self._told, strict=True))
        if self._last is None or not same:
            self._told = told
            found = told[0] if len(told) == 1 else _together(self.where, told)
            self._last = self.finish(found) if self.finish is not None else found
        return self._last, changed

    def read(self) -> Recording:
        """All that is there now. Raises FleetError if that is nothing; metrics without an episode yet are some."""
        found, _ = self.look()
        if not found.parts and not found.awaited:
            why = f" ({'; '.join(found.problems[:3])})" if found.problems else ""
            raise FleetError(f"there is no record of a training in {self.where}{why}", WHAT)
        return found


def open_paths(texts: Sequence[str], *, grows: bool = False) -> Opened:
    """Files, folders, archives, ``file:///…`` and ``s3://…``. Raises FleetError for what is not there.

    Log files and single files of metrics that are named side by side are taken to be of one training.
    """
    files = [text for text in texts if "://" not in text and _is_plain_file(Path(text).expanduser())]
    readers = [_of_files(files, grows=grows)] if files else []
    readers += [_reader(text, grows=grows) for text in texts if text not in files]
    return Opened(readers, ", ".join(texts))


def read_paths(texts: Sequence[str]) -> Recording:
    """What ``open_paths`` opens, read once. Raises FleetError."""
    return open_paths(texts).read()


def reader_of(place: Readable, name: str, *, grows: bool = False) -> Reader:
    """A folder or prefix: a model's, or the history that fleet keeps of a run, which tells the course that it took."""
    held = place.entries()
    base = next((one for one in (COURSE, f"{HISTORY}/{COURSE}") if one in held), None)
    if base is None:
        return Reader(place, name, grows=grows)
    return Reader(place, name, course=lambda: _course(place, base), of_run=True, grows=grows, sort=_below_history)


def _reader(text: str, *, grows: bool) -> Reader:
    if "://" in text:
        prefix = open_prefix(text)
        return reader_of(Far(prefix), PurePosixPath(text.partition("://")[2]).name or text, grows=grows)
    path = Path(text).expanduser()
    if path.is_dir():
        return reader_of(Here(path), path.resolve().name, grows=grows)
    if path.is_file():
        archive = Archive(path)
        return Reader(archive, path.name, grows=grows, unseen=lambda: archive.problems)
    raise FleetError(f"there is no {text}", WHAT)


def _is_plain_file(path: Path) -> bool:
    try:
        return path.is_file() and not is_archive(path)
    except OSError as error:
        raise FleetError(f"{path} cannot be read: {error.strerror or error}", "May you read it?") from None


def _of_files(paths: Sequence[str], *, grows: bool) -> Reader:
    """Files that were named one by one: what a name does not tell, the bytes do."""
    roots = _roots({path: _place_of_file(path) for path in paths})

    def sort(entries: Mapping[str, Entry]) -> Mapping[str, Mapping[str, Place]]:
        there = {root: {path: place for path, place in own.items() if path in entries} for root, own in roots.items()}
        return {root: own for root, own in there.items() if own}

    name = PurePosixPath(paths[0]).name if len(paths) == 1 else "the files"
    return Reader(Files(paths), name, grows=grows, sort=sort, shown=lambda path: PurePosixPath(path).name)


def _roots(known: Mapping[str, Place]) -> dict[str, dict[str, Place]]:
    """All of one training, and folders do not count, unless two of them hold what a training has once: then they are
    several, in the order in which they were named, and what lies in neither of them belongs to the last.
    """
    seen: dict[tuple[object, ...], str] = {}
    apart: dict[str, None] = {}
    for place in known.values():
        if place.kind in ("metrics", "training"):
            other = seen.setdefault((place.kind, place.worker or 0, place.number), place.root)
            if other != place.root:
                apart |= {other: None, place.root: None}
    if not apart:
        return {"": {path: replace(place, root="") for path, place in known.items()}}
    found: dict[str, dict[str, Place]] = {
        root: {} for root in dict.fromkeys(one.root for one in known.values()) if root in apart
    }
    for path, place in known.items():
        root = place.root if place.root in apart else list(found)[-1]
        found[root][path] = replace(place, root=root)
    return found


def _place_of_file(path: str) -> Place:
    """With the folder of its training, as far as its path tells."""
    name, folder = PurePosixPath(path).name, str(PurePosixPath(path).parent)
    found = place_of(path) or place_of(name)
    if found is not None and found.kind != "log":
        return found
    if found is None and name.endswith((".json", ".json.gz")):
        data = Files([path]).read(path)
        if is_metrics(data):
            kind = "evaluation-metrics" if are_of_evaluation(data) else "metrics"
            return Place(kind, folder, 0, stream=name.partition(".")[0])  # type: ignore[arg-type]
        raise FleetError(f"{path} holds no metrics of a training", WHAT)
    if found is None and name.endswith((".csv", ".csv.gz")):
        return Place("training", folder, 0)
    return found if found is not None else Place("log", folder, None, stream=path)


def _below_history(entries: Mapping[str, Entry]) -> Mapping[str, Mapping[str, Place]]:
    """A run's prefixes are called as its course calls them."""
    inner = f"{HISTORY}/"
    within = f"{inner}{COURSE}" in entries
    roots = by_root(name for name in entries if not within or name.startswith(inner))
    return {root.removeprefix(inner): own for root, own in roots.items()}


def _course(place: Readable, name: str) -> Course | None:
    import json

    data = place.read(name)
    try:
        run = json.loads(data).get("run", "")
    except (ValueError, AttributeError):
        return None
    return parse_course(data, run) if isinstance(run, str) else None


def _together(where: str, told: Sequence[Recording]) -> Recording:
    """One after the other."""
    parts = [part for recording in told for part in recording.parts]
    problems = [problem for recording in told for problem in recording.problems]
    names: dict[str, int] = {}
    apart = []
    for part in parts:
        names[part.name] = names.get(part.name, 0) + 1
        apart.append(replace(part, name=f"{part.name} ({names[part.name]})") if names[part.name] > 1 else part)
    awaited = any(recording.awaited for recording in told)
    return replace(placed(where, apart, None, problems, of_run=False), awaited=awaited)
