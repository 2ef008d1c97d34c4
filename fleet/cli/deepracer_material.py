"""What a clone is made of: the files of a run as they were packed, of a job's folder, or of a prefix of the stack's."""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from fleet.cli.deepracer_models import Model
from fleet.cli.demo import example_folder
from fleet.model.errors import FleetError, NotFoundError
from fleet.model.job import Job
from fleet.model.jobfile import parse_job
from fleet.model.yamledit import edited
from fleet.store.workdir import JOB_FILE, workdir_names
from fleet.workloads.deepracer.chosen import Chosen, Wanted, choose
from fleet.workloads.deepracer.params import PARAMS
from fleet.workloads.deepracer.prefix import Prefix, open_folder, open_prefix
from fleet.workloads.deepracer.repair import eras_of
from fleet.workloads.deepracer.sets import whole_sets
from fleet.workloads.deepracer.versions.changes import described, texts_of
from fleet.workloads.deepracer.versions.cloning import FILES, Material
from fleet.workloads.deepracer.versions.lineage import LINEAGE, Lineage, named, parse_lineage

_OF_MODEL = re.compile(
    r"(?:model|ip|metrics|set-aside|(?:[^/]+/)?training-simtrace|evaluation-\d+)/|training_params(?:_\d+)?\.yaml$"
)
"""What the stack writes, or a download of it holds: no part of what is trained by."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Gathered:
    """A source: what it is trained by, and where its sets are."""

    material: Material
    folder: Path | None
    """Of the source, on this computer."""
    model: Model
    job: Job | None
    workdir: Path | None
    """Where the source's files lie: a relative ``pretrained`` is below it."""

    def choose(self, wanted: Wanted) -> Chosen:
        """One of its sets; of a model that has none of its own, of the one that it is to begin from. Raises FleetError."""
        pretrained = (self.job.workload or {}).get("pretrained") if self.job is not None else None
        if isinstance(pretrained, str) and not whole_sets(self.model.prefix.list()):
            prefix = self._pretrained(pretrained)
            if prefix is not None:
                found = choose(prefix, wanted)
                told = f"{self.material.version} has no set of its own yet; this is what it begins from: {found.words}"
                return replace(found, words=told)
        return self.model.choose(wanted)

    def _pretrained(self, text: str) -> Prefix | None:
        if "://" in text:
            return open_prefix(text)
        return open_folder(self.workdir / text) if self.workdir is not None else None


def gather(model: Model, text: str, own: Path, say: Say) -> Gathered:
    """Look into a source without touching it; ``own``: a folder for what has to be unpacked. Raises FleetError."""
    folder = _folder(model, text)
    lineage = _lineage(folder, say)
    if model.run is not None and model.controller is not None:
        workdir = _unpacked(model, own)
        if workdir is not None:
            return _of_run(model, workdir, folder, lineage, say)
    if model.run is None and folder is not None and model.job is not None:
        return _of_folder(model, model.job, folder, lineage)
    version = named(model.name, model.run.name if model.run is not None else None, lineage)
    files = {name: data for name, data in model.files.items() if name != JOB_FILE}
    job = model.files.get(JOB_FILE)
    read = job.decode("utf-8-sig", "replace") if job is not None else _made_up(model, version.job, say)
    run = model.run.run_id if model.run is not None else None
    return Gathered(Material(version, _where(model), read, files, run=run), folder, model, model.job, None)


def lineage_in(folder: Path) -> Lineage | None:
    """What is written down beside a job; None: nothing. Raises FleetError if it cannot be read."""
    try:
        return parse_lineage((folder / LINEAGE).read_bytes(), str(folder / LINEAGE))
    except FileNotFoundError:
        return None


def _of_run(model: Model, workdir: Path, folder: Path | None, lineage: Lineage | None, say: Say) -> Gathered:
    """As it was packed when it was started."""
    assert model.run is not None
    lineage = _lineage(workdir, say) or lineage
    version = named(folder.resolve().name if folder is not None else model.run.name, model.run.name, lineage)
    job = _job_text(workdir / JOB_FILE, model.run.name)
    where = model.run.job.workdir or "."
    if job is None and folder is not None:
        job = _job_text(folder / JOB_FILE, model.run.name)
    material = Material(
        version,
        _where(model),
        job if job is not None else _made_up(model, version.job, say),
        _files(workdir, workdir_names(workdir), model.run.job),
        workdir=where if _is_below(where) and job is not None else ".",
        run=model.run.run_id,
        more=None if job is None or _is_below(where) else {("workdir",): "."},
    )
    _tell_edits(material, folder, model.run.job, say)
    return Gathered(material, folder, model, model.run.job, workdir)


def _of_folder(model: Model, job: Job, folder: Path, lineage: Lineage | None) -> Gathered:
    where = job.workdir or "."
    workdir = folder / where
    own = set(workdir_names(workdir))
    material = Material(
        named(folder.resolve().name, job.name, lineage),
        str(folder),
        (folder / JOB_FILE).read_text(encoding="utf-8-sig"),
        _files(workdir, own, job),
        workdir=where if _is_below(where) else ".",
        more=None if _is_below(where) else {("workdir",): "."},
    )
    return Gathered(material, folder, model, job, workdir)


def moved_mounts(job: Job | None, folder: Path | None, new: Path, packed: Iterable[str]) -> Mapping[tuple[str, ...], object]:
    """``file_mounts`` whose sources are named from the job's own folder: from the clone's they are elsewhere."""
    if job is None or folder is None:
        return {}
    inside = set(packed)
    found: dict[tuple[str, ...], object] = {}
    for target, source in job.file_mounts.items():
        relative = not source.startswith(("~", os.sep)) and "://" not in source
        plain = os.path.normpath(source)
        if relative and not any(name == plain or name.startswith(f"{plain}/") for name in inside):
            found["file_mounts", target] = os.path.relpath(folder.resolve() / source, new.absolute())
    return found


def _folder(model: Model, text: str) -> Path | None:
    """The job's folder on this computer: also of a run, if it is named as its folder, or if this is the one."""
    if model.folder is not None or model.run is None:
        return model.folder
    return next((path for path in (Path(text), Path()) if _job_text(path / JOB_FILE, model.run.name)), None)


def _lineage(folder: Path | None, say: Say) -> Lineage | None:
    try:
        return lineage_in(folder) if folder is not None else None
    except FleetError as error:
        say(f"Note: {error.message}. Its name alone tells which version it is.")
        return None


def _job_text(path: Path, name: str) -> str | None:
    """A job file, if it is the one of a run of that name."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        return text if parse_job(text, str(path)).name == name else None
    except (OSError, UnicodeDecodeError, FleetError):
        return None


def _unpacked(model: Model, own: Path) -> Path | None:
    """A run's workdir as it was packed; None if that is gone."""
    assert model.run is not None
    assert model.controller is not None
    if model.run.workdir_key is None:
        return None
    packed, folder = own / "packed.tar", own / "workdir"
    folder.mkdir(parents=True)
    try:
        model.controller.objects.download(model.run.workdir_key, packed)
        with tarfile.open(packed) as tar:
            for info in tar:
                if info.isfile() and _is_below(info.name):
                    _extract(tar, info, folder / info.name)
    except (NotFoundError, tarfile.TarError):
        return None
    packed.unlink()
    return folder


def _extract(tar: tarfile.TarFile, info: tarfile.TarInfo, target: Path) -> None:
    source = tar.extractfile(info)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        while source is not None and (piece := source.read(1 << 20)):
            file.write(piece)
    target.chmod(0o755 if info.mode & 0o100 else 0o644)


def _files(workdir: Path, names: Iterable[str], job: Job) -> dict[str, Path | bytes]:
    """What a clone takes over: everything that is packed but the model itself, and what is told of the source."""
    names = sorted(names)
    pretrained = (job.workload or {}).get("pretrained")
    gone = f"{os.path.normpath(pretrained)}/" if isinstance(pretrained, str) and "://" not in pretrained else None
    own = {JOB_FILE, LINEAGE} if os.path.normpath(job.workdir or ".") == "." else {LINEAGE}
    return {
        name: workdir / name
        for name in names
        if name not in own and not _OF_MODEL.match(name) and not (gone is not None and name.startswith(gone))
    }


def _tell_edits(material: Material, folder: Path | None, job: Job, say: Say) -> None:
    """A folder that was edited since its run was started is not what its sets were trained by."""
    if folder is None:
        return
    workdir = folder / (job.workdir or ".")
    other = [name for name in FILES if name in material.files and (workdir / name).is_file()]
    other = [name for name in other if (workdir / name).read_bytes() != material.data(name)]
    if other:
        say(f"Note: {', '.join(other)} in {folder} changed since the run was started; the clone has what the run has.")


def _made_up(model: Model, name: str, say: Say) -> str:
    """The example's job, with what is known of the source's tracks, race and workers."""
    listing = model.prefix.list()
    texts = texts_of({PARAMS: model.prefix.read(PARAMS)}) if PARAMS in listing else {}
    known: Mapping[str, object] = described(name, texts).job or {}
    if model.job is not None and model.job.workload is not None:
        known = model.job.workload
    elif eras_of(listing) == ("2019",):
        known = {**known, "stack": "2019"}
    text = (example_folder("deepracer") / JOB_FILE).read_text(encoding="utf-8")
    told = f" with its {', '.join(sorted(set(known) - {'kind'}))}" if set(known) - {"kind"} else ""
    say(f"Note: {_where(model)} has no {JOB_FILE}: the clone has the example's{told}. Look at it before `fleet up`.")
    values: dict[tuple[str, ...], object] = {("name",): name}
    return edited(text, JOB_FILE, values | {("workload", key): value for key, value in known.items()})


def _is_below(name: str) -> bool:
    path = PurePosixPath(os.path.normpath(name))
    return not path.is_absolute() and ".." not in path.parts


def _where(model: Model) -> str:
    if model.run is not None:
        return f"run {model.run.run_id}"
    return str(model.folder) if model.folder is not None else model.prefix.where
