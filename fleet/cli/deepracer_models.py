"""What a MODEL on the command line is: a run, a folder that holds ``model/``, a job folder, ``s3://bucket/prefix``, ``file:///…``."""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from fleet.cli.deepracer_beside import LARGEST, LIE, elsewhere, in_prefix
from fleet.cli.deepracer_run_model import RunPrefix, run_prefix
from fleet.cli.deepracer_sources import options
from fleet.control.controller import Controller
from fleet.control.names import nearest
from fleet.control.opened import opened
from fleet.core.state import RunState
from fleet.model.errors import FleetError, NotFoundError
from fleet.model.job import Job
from fleet.store.workdir import JOB_FILE
from fleet.workloads.deepracer.chosen import Chosen, Wanted, choose
from fleet.workloads.deepracer.named import must_be_a_model
from fleet.workloads.deepracer.prefix import Prefix, open_folder, open_prefix
from fleet.workloads.kinds import read_job


@dataclass(frozen=True)
class Model:
    """A model, however it was named. It is only read."""

    name: str
    """The run's, or the folder's."""
    prefix: Prefix
    """Its sets and what lies around them; of a run ``RunPrefix``."""
    folder: Path | None = None
    """On this computer: the one that holds ``model/``, or the job folder."""
    run: RunState | None = None
    controller: Controller | None = None
    """The fleet that the run is in."""
    job: Job | None = None
    """Of a run as it was started, else of the job folder."""

    def choose(self, wanted: Wanted) -> Chosen:
        """One of its sets. Raises FleetError."""
        return choose(self.prefix, wanted)

    @property
    def files(self) -> Mapping[str, bytes]:
        """``reward_function.py``, ``model_metadata.json``, ``hyperparameters.json`` and ``fleet.yaml``, as far as there are.

        Of a run as they were when it was started, even if its job folder says something else by now.
        """
        return self._found[0]

    @property
    def file_notes(self) -> tuple[str, ...]:
        """For people: which of them may be others than the model was trained by."""
        return self._found[1]

    @cached_property
    def _found(self) -> tuple[Mapping[str, bytes], tuple[str, ...]]:
        found = in_prefix(self.prefix)
        if self.run is not None and self.controller is not None:
            found |= _packed(self.controller, self.run)
        if self.folder is not None and self.job is not None:
            for name in set(LIE).difference(found):
                path = _workdir(self.folder, self.job) / name
                path = self.folder / name if name == JOB_FILE else path
                if path.is_file():
                    found[name] = path.read_bytes()
        notes: list[str] = []
        if self.run is None:
            more, notes = elsewhere(self.prefix, set(LIE).difference(found))
            found |= more
        return {name: found[name] for name in LIE if name in found}, tuple(notes)


def open_model(text: str, bucket: str | None = None) -> Model:
    """The model that a user names; ``bucket``: the fleet that runs are looked for in. Raises FleetError if there is none.

    A run goes before a folder of the same name; ``./NAME`` is the folder.
    """
    if "://" in text:
        return _of_prefix(open_prefix(text), _last_part(text))
    path = Path(text).expanduser()
    path = path.parent if path.name == JOB_FILE and path.is_file() else path
    known: list[str] = []
    if _is_name(text):
        found = _find_run(bucket, _names(text), known, lenient=path.is_dir())
        if found is not None:
            return _of_run(*found)
    if path.is_dir():
        return (
            _of_job_folder(path, bucket)
            if (path / JOB_FILE).is_file()
            else _of_prefix(open_folder(path), path.resolve().name, path)
        )
    if path.exists():
        raise FleetError(f"{text} is a file", "Name the model's folder: the one that holds model/.")
    told = f", and no run of that name; {nearest(text, known)}" if _is_name(text) else ""
    raise FleetError(
        f"there is no folder {text}{told}", "Name a run, a folder that holds model/, a job's folder, or s3://bucket/prefix."
    )


def _of_run(controller: Controller, run: RunState, folder: Path | None = None) -> Model:
    options(run)
    return Model(run.name, run_prefix(controller, run), folder, run, controller, run.job)


def _of_job_folder(folder: Path, bucket: str | None) -> Model:
    """The run of its name; else what lies in the folder itself."""
    job, _ = read_job(folder)
    if job.workload is None or job.workload.get("kind") != "deepracer":
        raise FleetError(
            f"{folder / JOB_FILE} is no DeepRacer training", "Name the folder of one: `workload: {kind: deepracer}`."
        )
    found = _find_run(bucket, (job.name,), [], lenient=False)
    if found is not None:
        return _of_run(*found, folder)
    return Model(job.name, open_folder(folder), folder, job=job)


def _of_prefix(prefix: Prefix, name: str, folder: Path | None = None) -> Model:
    must_be_a_model(prefix.where, prefix.list())
    return Model(name, prefix, folder)


def _find_run(
    bucket: str | None, names: Iterable[str], known: list[str], *, lenient: bool
) -> tuple[Controller, RunState] | None:
    """By name (the newest of it) or id. ``known`` is filled with what there is; ``lenient``: no fleet is fine, too."""
    names = tuple(names)
    try:
        for controller in opened(bucket):
            state = controller.state
            known += [*state.names, *state.runs]
            for name in names:
                run = state.runs.get(state.names.get(name, name))
                if run is not None:
                    return controller, run
    except FleetError:
        if not lenient:
            raise
    return None


def _is_name(text: str) -> bool:
    return os.sep not in text and text not in ("", ".", "..", "~")


def _names(text: str) -> tuple[str, ...]:
    """A version ``shanghai-1.3`` was trained by the job ``shanghai-1-3``: a job's name has no dots."""
    return (text, text.replace(".", "-")) if "." in text else (text,)


def _last_part(url: str) -> str:
    return PurePosixPath(url.partition("://")[2]).name


def _workdir(folder: Path, job: Job) -> Path:
    return folder / job.workdir if job.workdir is not None else folder


def _packed(controller: Controller, run: RunState) -> dict[str, bytes]:
    """Of the workdir as it was packed when the run was started; nothing if that is gone."""
    if run.workdir_key is None:
        return {}
    found: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory(prefix="fleet-model-") as folder:
        path = Path(folder) / "packed.tar"
        try:
            controller.objects.download(run.workdir_key, path)
            with tarfile.open(path) as tar:
                for info in tar:
                    if info.name in LIE and info.isfile() and info.size <= LARGEST:
                        source = tar.extractfile(info)
                        found[info.name] = source.read() if source is not None else b""
        except (NotFoundError, tarfile.TarError):
            return found
    return found


__all__ = ["Model", "RunPrefix", "open_model"]
