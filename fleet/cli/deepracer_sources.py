"""Where a DeepRacer run's own records lie for whoever asks: on the volume, if that is a folder of this computer, else in the
newest checkpoint of the bucket; beside the heartbeat. What cannot be seen from here is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fleet.control.controller import Controller
from fleet.control.home import open_home
from fleet.control.runs import RunView, view
from fleet.control.saved import SavedSet, list_saved
from fleet.core.state import AttemptState, RunState
from fleet.model import layout
from fleet.model.documents import FileEntry
from fleet.model.errors import FleetError, NotFoundError, StoreError
from fleet.providers.local.processes import training_of
from fleet.store.objects import Objects
from fleet.workloads.deepracer.course import COURSE, Course, parse_course
from fleet.workloads.deepracer.growth import Growth, growth, noted, written
from fleet.workloads.deepracer.history import HISTORY
from fleet.workloads.deepracer.lately import Lately, ends_of, lately
from fleet.workloads.deepracer.records import read_run
from fleet.workloads.deepracer.spec import DeepRacer
from fleet.workloads.deepracer.whole_run import WholeRun
from fleet.workloads.kinds import options_of

LAST_CHUNKS = 12
"""Of a log in the bucket: each holds what was printed in some seconds."""
_SERVICE = re.compile(r"(?:s3|coach|trainer|simulator)(?:-\d+)?")


@dataclass
class Known:
    """All that is known of a run."""

    seen: RunView
    spec: DeepRacer
    whole: WholeRun = field(default_factory=WholeRun)
    course: Course | None = None
    lately: Lately | None = None
    growth: Growth | None = None
    bytes_per_day: float | None = None
    """By the files' times, where nobody took notes."""
    kept: tuple[int, float] | None = None
    """N of the newest checkpoint, and when it was made."""
    volume: Path | None = None
    """If it is a folder of this computer."""
    unseen: list[str] = field(default_factory=list)
    """What cannot be told from here, in words."""


class Folder:
    """Files below a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self) -> Iterable[str]:
        """Of all that is no log: those may be large, and are read from their ends."""
        for path in sorted(self._root.rglob("*")):
            name = path.relative_to(self._root).as_posix()
            if "/logs/" not in name and path.is_file():
                yield name

    def read(self, name: str) -> bytes:
        """Raises NotFoundError."""
        try:
            return (self._root / name).read_bytes()
        except OSError as error:
            raise NotFoundError(f"{name}: {error.strerror or error}") from None


class InCheckpoint:
    """What a checkpoint in the bucket carries of the legs' history, below ``<N>/history/``."""

    def __init__(self, objects: Objects, saved: SavedSet) -> None:
        self._objects = objects
        self._keys: dict[str, str] = {}
        # Of the sets in it the newest one's files count: "10" comes before "9" in a listing.
        for entry in sorted(saved.manifest.files if saved.manifest is not None else (), key=_set_of):
            _, _, rest = entry.path.partition("/")
            self._keys[rest] = entry.key

    @property
    def keys(self) -> Mapping[str, str]:
        """Where each file of the history lies in the bucket; what changes lies elsewhere."""
        within = f"{HISTORY}/"
        return {name.removeprefix(within): key for name, key in self._keys.items() if name.startswith(within)}

    def names(self) -> Iterable[str]:
        """Relative to the history."""
        return self.keys

    def read(self, name: str) -> bytes:
        """Raises NotFoundError."""
        return self.beside(f"{HISTORY}/{name}")

    def beside(self, name: str) -> bytes:
        """A file that lies beside the set. Raises NotFoundError."""
        key = self._keys.get(name)
        if key is None:
            raise NotFoundError(f"the checkpoint holds no {name}")
        return self._objects.get(key)


def _set_of(entry: FileEntry) -> int:
    number = entry.path.partition("/")[0]
    return int(number) if number.isdecimal() else -1


def options(run: RunState) -> DeepRacer:
    """What the job says of its stack. Raises FleetError for a run of another kind."""
    workload = run.job.workload
    if workload is None or workload.get("kind") != "deepracer":
        raise FleetError(f"run {run.run_id} is no DeepRacer training", f"`fleet status {run.name}` shows it.")
    return options_of(workload)


def volume_of(run: RunState) -> Path | None:
    """Its volume's folder on this computer; None if it is elsewhere, or gone."""
    record = run.volumes.get(run.volume_id) if run.volume_id is not None else None
    if record is None or record.provider != "local":
        return None
    folder = open_home().local / "volumes" / record.volume_id / "data"
    return folder if folder.is_dir() else None


def look(controller: Controller, run: RunState) -> Known:
    """Everything that can be seen from here."""
    spec = options(run)
    controller.observer.read_beats(controller.state)
    known = Known(view(controller, run), spec, volume=volume_of(run))
    beat = known.seen.beat
    if beat is not None and beat.checkpoint_step is not None and beat.checkpoint_at is not None:
        known.kept = (beat.checkpoint_step, beat.checkpoint_at)
    if known.volume is None:
        _from_bucket(known, controller.objects, run.run_id)
    else:
        _from_volume(known, known.volume, run)
    return known


def _from_volume(known: Known, volume: Path, run: RunState) -> None:
    history = volume / HISTORY
    known.course = _course(history / COURSE, run.run_id)
    known.whole, problems = read_run(Folder(history), known.course)
    known.unseen += problems
    if known.course is not None and known.course.legs:
        known.lately = lately(ends_of(history / known.course.leg.prefix / "logs"), known.spec)
    kept = [path for path in (volume / run.job.checkpoint.path).glob("*") if path.name.isdecimal() and path.is_dir()]
    newest = max(kept, key=lambda path: int(path.name), default=None)
    if newest is not None and (known.kept is None or int(newest.name) > known.kept[0]):
        known.kept = (int(newest.name), newest.stat().st_mtime)
    known.growth = growth(noted(volume))
    if known.growth is None:
        files = ((stat.st_size, stat.st_mtime) for path in volume.rglob("*") if path.is_file() and (stat := path.stat()))
        known.bytes_per_day = written(files, known.seen.at)


def _course(path: Path, run: str) -> Course | None:
    try:
        return parse_course(path.read_bytes(), run)
    except OSError:
        return None


def _from_bucket(known: Known, objects: Objects, run_id: str) -> None:
    """The newest checkpoint tells of all legs up to itself; what came after it only the heartbeat tells."""
    known.lately = lately(by_service(log_end(objects, run_id, known.seen.run.newest)), known.spec)
    known.unseen.append("the disk: it is on the machine (`fleet deepracer doctor` looks there)")
    try:
        saved = next((one for one in list_saved(objects, run_id) if one.status in ("newest", "trusted")), None)
    except StoreError as error:
        known.unseen.append(f"the checkpoints: {error.message}")
        return
    if saved is None or saved.manifest is None:
        known.unseen.append("metrics: they come with the first checkpoint")
        return
    if saved.manifest.step is not None and (known.kept is None or saved.manifest.at > known.kept[1]):
        known.kept = (saved.manifest.step, saved.manifest.at)
    shelf = InCheckpoint(objects, saved)
    try:
        known.course = parse_course(shelf.beside(COURSE), run_id)
    except StoreError as error:
        known.unseen.append(f"the run's course: {error.message}")
    known.whole, problems = read_run(shelf, known.course)
    known.unseen += problems
    known.unseen.append(f"episodes since checkpoint {saved.ref}: they come with the next one")


def log_end(objects: Objects, run_id: str, attempt: AttemptState | None, chunks: int = LAST_CHUNKS) -> list[str]:
    """The last lines of an attempt's log in the bucket; none if it cannot be read."""
    if attempt is None:
        return []
    try:
        keys = [info.key for info in objects.list(layout.logs(run_id, attempt.number))][-chunks:]
        return b"".join(objects.get(key) for key in keys).decode("utf-8", "replace").splitlines()
    except StoreError:
        return []


def by_service(lines: Iterable[str]) -> dict[str, list[str]]:
    """The containers' own lines: the driver prints them as ``service | line``."""
    found: dict[str, list[str]] = {}
    for line in lines:
        service, bar, text = line.partition(" | ")
        if bar and _SERVICE.fullmatch(service):
            found.setdefault(service, []).append(text)
    return found


def training_here(run: RunState) -> tuple[str, Mapping[str, str]] | None:
    """Folder and environment of the run's training, if it runs on this computer."""
    attempt = run.newest
    if attempt is None or attempt.instance_id is None or not attempt.serving:
        return None
    return training_of(attempt.instance_id)
