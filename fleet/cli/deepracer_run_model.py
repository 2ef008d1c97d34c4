"""A run's model as one prefix: what its volume, its checkpoints in fleet's bucket and its exported model hold together.

Only sets on the line of descent are in it (fleet/workloads/deepracer/resume.py): what training went back behind is no part
of the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fleet.cli.deepracer_sources import volume_of
from fleet.control.controller import Controller
from fleet.control.saved import list_saved
from fleet.core.state import RunState
from fleet.model import layout
from fleet.model.errors import NotFoundError
from fleet.store.files import FileObjects
from fleet.store.objects import Objects
from fleet.workloads.deepracer.chosen import Best, by_evaluation
from fleet.workloads.deepracer.course import COURSE, Course, parse_course
from fleet.workloads.deepracer.history import HISTORY
from fleet.workloads.deepracer.pointers import JSON
from fleet.workloads.deepracer.prefix import Stat
from fleet.workloads.deepracer.records import read_run
from fleet.workloads.deepracer.resume import Kept, candidates, merged
from fleet.workloads.deepracer.sets import SUFFIXES, ModelSet, frozen_graphs, whole_sets
from fleet.workloads.deepracer.shown import Piece, Shown
from fleet.workloads.deepracer.whole_run import WholeRun

HANDED_OVER = "model/"
"""What a job's ``outputs`` name: a prefix of the run's last set."""
_OF_SET = re.compile(r"model/(?:[0-9]+_Step-|model_[0-9]+\.pb$)")


@dataclass
class Layer:
    """One folder that holds a whole set, and what lies beside it."""

    pieces: dict[str, Piece] = field(default_factory=dict)
    course: Course | None = None

    @property
    def listing(self) -> dict[str, Stat]:
        """Its files."""
        return {name: piece.stat for name, piece in self.pieces.items()}

    @property
    def set(self) -> ModelSet | None:
        """Its set; of several the newest."""
        found = whole_sets(self.listing)
        return found[-1] if found else None

    def of(self, one: ModelSet) -> dict[str, Piece]:
        """The files of a set, its frozen graph among them."""
        graph = frozen_graphs(self.listing).get(one.n)
        names = [f"model/{one.stem}{suffix}" for suffix in SUFFIXES] + ([graph] if graph else [])
        return {name: self.pieces[name] for name in names}


class RunPrefix(Shown):
    """A run's sets, with the texts that lie beside its newest one, and the metrics of the machine that made it."""

    def __init__(self, where: str, pieces: Mapping[str, Piece], told: Mapping[str, Piece], course: Course | None) -> None:
        """``told``: what all its legs told, by its name below the history."""
        super().__init__(where, pieces)
        self._told, self._course = told, course
        self._whole: WholeRun | None = None

    @property
    def course(self) -> Course | None:
        """Of all its machines, as far as it was noted."""
        return self._course

    @property
    def whole(self) -> WholeRun:
        """All its machines as one run, as far as metrics are kept. Read once."""
        if self._whole is None:
            self._whole = read_run(_Told(self._told), self._course)[0]
        return self._whole

    def best(self) -> Best | None:
        """By the evaluations of all its machines."""
        found = self.whole.best
        return Best(found.n, by_evaluation(found)) if found is not None else None


class _Told:
    def __init__(self, pieces: Mapping[str, Piece]) -> None:
        self._pieces = pieces

    def names(self) -> Iterable[str]:
        return self._pieces

    def read(self, name: str) -> bytes:
        piece = self._pieces[name]
        return piece.objects.get(piece.key)


def run_prefix(controller: Controller, run: RunState) -> RunPrefix:
    """Everything of a run's model that can be had from here. Raises StoreError if the bucket cannot be read."""
    volume = volume_of(run)
    layers = [*(_on_volume(volume, run) if volume is not None else ()), *_in_checkpoints(controller.objects, run)]
    noted, told = _noted(volume, run, layers)
    kept = [Kept(str(index), one.n, layer.course) for index, layer in enumerate(layers) if (one := layer.set) is not None]
    course = merged(noted, kept, (), run.run_id)
    lines = candidates(course, {}, kept)
    pieces: dict[str, Piece] = {}
    if lines:
        newest = layers[int(lines[0].place)]
        pieces |= {name: one for name, one in newest.pieces.items() if not _OF_SET.match(name) and _shown(name)}
    for one in reversed(lines):
        layer = layers[int(one.place)]
        if layer.set is not None:
            pieces |= layer.of(layer.set)
    _add_exported(pieces, controller, run)
    pieces |= _metrics(course, told)
    return RunPrefix(f"run {run.run_id}", pieces, told, course if course.legs else None)


def _shown(name: str) -> bool:
    """Fleet's own records are no part of a model; and each checkpoint's JSON calls the one set in it the best."""
    return name not in (JSON, COURSE) and not name.startswith(f"{HISTORY}/")


def _on_volume(volume: Path, run: RunState) -> Iterator[Layer]:
    """Checkpoints on a volume that is a folder of this computer, newest first."""
    folder = volume / run.job.checkpoint.path
    objects = FileObjects(folder)
    names = [path.name for path in folder.iterdir() if path.name.isdecimal()] if folder.is_dir() else []
    for number in sorted(names, key=int, reverse=True):
        layer = Layer(_pieces(objects, f"{number}/"))
        if layer.set is not None:
            layer.course = _course(layer.pieces, run)
            yield layer


def _in_checkpoints(objects: Objects, run: RunState) -> Iterator[Layer]:
    """Checkpoints in fleet's bucket, newest first; what two of them share is one."""
    seen: set[str] = set()
    for saved in list_saved(objects, run.run_id):
        if saved.manifest is None or saved.status == "late":
            continue
        found: dict[str, Layer] = {}
        for entry in saved.manifest.files:
            number, _, rest = entry.path.partition("/")
            layer = found.setdefault(number, Layer())
            layer.pieces[rest] = Piece(objects, entry.key, Stat(entry.size, saved.manifest.at))
        for layer in (found[number] for number in sorted(found, key=_order, reverse=True)):
            one = layer.set
            if one is None or (key := layer.pieces[f"model/{one.stem}.index"].key) in seen:
                continue
            seen.add(key)
            layer.course = _course(layer.pieces, run)
            yield layer


def _order(name: str) -> int:
    return int(name) if name.isdecimal() else -1


def _course(pieces: Mapping[str, Piece], run: RunState) -> Course | None:
    piece = pieces.get(COURSE)
    try:
        return parse_course(piece.objects.get(piece.key), run.run_id) if piece is not None else None
    except NotFoundError:
        return None


def _noted(volume: Path | None, run: RunState, layers: list[Layer]) -> tuple[Course | None, dict[str, Piece]]:
    """The course that the volume tells, and what all legs told: there, else in the newest checkpoint."""
    if volume is not None and (volume / HISTORY).is_dir():
        objects = FileObjects(volume / HISTORY)
        found = {name: piece for name, piece in _pieces(objects, "").items() if "/logs/" not in name}
        return _course(found, run), found
    newest = layers[0].pieces if layers else {}
    within = f"{HISTORY}/"
    return None, {name[len(within) :]: piece for name, piece in newest.items() if name.startswith(within)}


def _metrics(course: Course, told: Mapping[str, Piece]) -> dict[str, Piece]:
    """Of the last leg that has any."""
    for leg in reversed(course.legs):
        base = f"{leg.prefix}/"
        found = {name[len(base) :]: one for name, one in told.items() if name.startswith(f"{base}metrics/")}
        if found:
            return found
    return {}


def _add_exported(pieces: dict[str, Piece], controller: Controller, run: RunState) -> None:
    """The model that the run handed over at its end, if its checkpoints are gone; ``models/NAME/`` has the newest run's."""
    if controller.state.names.get(run.name) != run.run_id or run.ended_at is None:
        return
    base = f"{layout.models(run.name)}{HANDED_OVER}"
    objects = controller.objects
    layer = Layer(
        {info.key[len(base) :]: Piece(objects, info.key, Stat(info.size, info.modified)) for info in objects.list(base)}
    )
    there = {one.n for one in whole_sets({name: piece.stat for name, piece in pieces.items()})}
    one = layer.set
    if one is None or one.n in there:
        return
    for name, piece in layer.pieces.items():
        if not _OF_SET.match(name) and _shown(name):
            pieces.setdefault(name, piece)
    pieces |= layer.of(one)


def _pieces(objects: Objects, base: str) -> dict[str, Piece]:
    """What lies below a folder of a bucket, or of this computer."""
    return {info.key[len(base) :]: Piece(objects, info.key, Stat(info.size, info.modified)) for info in objects.list(base)}
