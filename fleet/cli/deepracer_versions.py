"""The versions of models that lie in folders of this computer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from fleet.cli.deepracer_material import lineage_in
from fleet.model.errors import FleetError, JobError
from fleet.model.job import Job
from fleet.model.jobfile import parse_job
from fleet.store.workdir import JOB_FILE
from fleet.workloads.deepracer.checking.source import PLACES
from fleet.workloads.deepracer.params import PARAMS
from fleet.workloads.deepracer.sets import parse_stem
from fleet.workloads.deepracer.spec import HYPERPARAMETERS, METADATA, REWARD
from fleet.workloads.deepracer.versions.appearing import MAKING
from fleet.workloads.deepracer.versions.changes import texts_of
from fleet.workloads.deepracer.versions.lineage import LINEAGE, Found, named

DEPTH = 5
"""Folders below the one that was named are looked into."""
MOST_BYTES = 1 << 20
"""Of a text."""
_PASSED_OVER = {"model", "metrics", "ip", "training-simtrace", "node_modules", "__pycache__"}


def versions_below(root: Path, depth: int = DEPTH) -> list[Found]:
    """Every version in a folder and those below it. What cannot be read is told of it."""
    return [found for folder in sorted(_folders(root, depth)) if (found := version_in(folder, root)) is not None]


def version_in(folder: Path, root: Path) -> Found | None:
    """The version that lies in a folder; None if it holds no DeepRacer job and no model."""
    job, problem = _job(folder)
    has_job = (folder / JOB_FILE).is_file()
    if job is not None and (job.workload or {}).get("kind") != "deepracer":
        return None
    if not has_job and not (folder / LINEAGE).is_file() and not _holds_sets(folder):
        return None
    lineage = None
    try:
        lineage = lineage_in(folder)
    except (FleetError, OSError) as error:
        problem = problem or str(getattr(error, "message", error))
    if has_job and job is None and lineage is None and not _mentions_deepracer(folder):
        return None
    version = named(folder.resolve().name, job.name if job is not None else None, lineage)
    path = os.path.relpath(folder, root)
    return Found(path, version, job.name if job is not None else version.job, lineage, problem)


def folder_texts(folder: Path) -> dict[str, str]:
    """What a model in a folder is trained with, by the files' usual names, as it is today."""
    job, _ = _job(folder)
    workdir = folder / (job.workdir or ".") if job is not None else folder
    found: dict[str, bytes] = {}
    for name in (REWARD, METADATA, HYPERPARAMETERS):
        for place in (workdir / name, *(folder / one for one in PLACES[name])):
            if place.is_file() and place.stat().st_size <= MOST_BYTES:
                found[name] = place.read_bytes()
                break
    for name in (JOB_FILE, PARAMS):
        if (folder / name).is_file() and (folder / name).stat().st_size <= MOST_BYTES:
            found[name] = (folder / name).read_bytes()
    return texts_of(found)


def _folders(root: Path, depth: int) -> Iterator[Path]:
    yield root
    if depth == 0:
        return
    try:
        entries = list(os.scandir(root))
    except OSError:
        return  # not ours to look into
    for entry in entries:
        passed = entry.name in _PASSED_OVER or entry.name.startswith((".", MAKING, "pretrained"))
        if not passed and entry.is_dir(follow_symlinks=False):
            yield from _folders(Path(entry.path), depth - 1)


def _job(folder: Path) -> tuple[Job | None, str]:
    try:
        data = (folder / JOB_FILE).read_bytes()
        if len(data) > MOST_BYTES:
            return None, f"{JOB_FILE} is too large"
        return parse_job(data.decode("utf-8-sig"), JOB_FILE), ""
    except FileNotFoundError:
        return None, ""
    except UnicodeDecodeError:
        return None, f"{JOB_FILE} is not text"
    except OSError as error:
        return None, f"{JOB_FILE} cannot be read: {error.strerror or error}"
    except JobError as error:
        return None, error.message.splitlines()[0]


def _mentions_deepracer(folder: Path) -> bool:
    """A job file that cannot be read: of which kind it was meant to be."""
    try:
        return b"deepracer" in (folder / JOB_FILE).read_bytes()[:MOST_BYTES]
    except OSError:
        return True


def _holds_sets(folder: Path) -> bool:
    try:
        names = [path.name for path in (folder / "model").iterdir()]
    except OSError:
        return False
    return any(parse_stem(name.removesuffix(".index")) is not None for name in names if name.endswith(".index"))
