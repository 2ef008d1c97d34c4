"""The job of an evaluation: a folder with one set of a model, and a job file that lets it drive on a cheap machine."""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fleet.cli.deepracer_models import Model
from fleet.cli.follow import to_stderr
from fleet.control.home import Home
from fleet.model.errors import FleetError, JobError
from fleet.model.job import Job
from fleet.model.units import parse_duration
from fleet.store.workdir import JOB_FILE
from fleet.workloads.deepracer.checking.tracks import check_name
from fleet.workloads.deepracer.chosen import Chosen, Wanted
from fleet.workloads.deepracer.evaluating.driver import OUTPUTS
from fleet.workloads.deepracer.mirror import copy_repaired
from fleet.workloads.deepracer.prefix import open_folder
from fleet.workloads.deepracer.spec import HYPERPARAMETERS, METADATA, DeepRacer
from fleet.workloads.deepracer.weights.judging import files_must_be_finite
from fleet.workloads.kinds import options_of, read_job

SOURCE = "source"
"""The folder with the set, below the job's."""
MOST_NAME = 40
"""Characters of a run's name (model/job.py: NAME_PATTERN)."""
CPU_TYPES = {
    "aws": (
        *("c5.2xlarge", "c5a.2xlarge", "c6i.2xlarge", "c6a.2xlarge", "c7i.2xlarge", "c7a.2xlarge"),
        *("m5.2xlarge", "m6i.2xlarge", "m6a.2xlarge"),
    ),
    "gcp": ("e2-standard-8", "n2d-standard-8", "n2-standard-8", "c2d-standard-8"),
}
"""Eight vCPUs and 16 GiB or more, x86-64: what deepracer-for-cloud asks for a simulator on a CPU (4 vCPUs and 8 GB, docs/
installation.md), with its model and Gazebo's rendering beside each other. The cheapest that is to be had is taken."""
DISK = "40GB"
"""The simulator's image takes about 12 GB of it, a set 75 MB."""
KEEP = "1h"
"""What is on the volume is in the bucket, too."""
START, LAP = 15 * 60.0, 5 * 60.0
"""Seconds for a track's start, and for a lap on a machine that is slow; both are doubled, since spot machines are taken."""
HOURLY = 0.5
"""Dollars: on demand the types above cost $0.31 to $0.46, the volume and the address $0.01 (2026)."""


@dataclass(frozen=True)
class Wish:
    """What a user asks for; None: what the model's own job says, else what is usual."""

    tracks: tuple[str, ...] = ()
    laps: int = 5
    wanted: Wanted = "last"
    race: str | None = None
    resets: int = 0
    infra: str | None = None
    instance_types: tuple[str, ...] = ()
    name: str | None = None
    budget: str | None = None
    max_duration: str | None = None
    bucket: str | None = None


@contextmanager
def job_folder(model: Model, wish: Wish, home: Home) -> Iterator[tuple[Path, Chosen]]:
    """A folder for the time of the body, with the job file and the set that is to drive. Raises FleetError."""
    chosen = model.choose(wish.wanted)
    document = job_document(model, chosen, wish, home)
    with tempfile.TemporaryDirectory(prefix="fleet-evaluate-") as temporary:
        folder, passing = Path(temporary) / "job", Path(temporary) / "passing"
        source = folder / SOURCE
        source.mkdir(parents=True)
        (folder / JOB_FILE).write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8")
        with without_place(folder):
            job, _ = read_job(folder)
        _must_be_tracks(options_of(job.workload or {}))
        stack = document["workload"]["stack"]
        copy_repaired(chosen.prefix, open_folder(source), chosen.set.n, passing, stack, _must_be_finite)
        for name in (METADATA, HYPERPARAMETERS):
            data = model.files.get(name)
            if data is not None:
                (source / name).write_bytes(data)
        yield folder, chosen


@contextmanager
def without_place(folder: Path) -> Iterator[None]:
    """The user wrote options, no job file: an error's ``file:line:column`` would lead nowhere."""
    try:
        yield
    except JobError as error:
        bare = re.sub(rf"(?:{re.escape(str(folder))}/)?{re.escape(JOB_FILE)}(?::\d+:\d+)?: ", "", error.message)
        raise JobError(bare, error.hint) from None


def _must_be_tracks(spec: DeepRacer) -> None:
    """Before anything is fetched. Raises JobError."""
    own = spec.images.simapp is not None or spec.images.simulator is not None
    for world in spec.evaluate.tracks if spec.evaluate is not None else ():
        for one in check_name(world, stack=spec.stack, own_image=own):
            if one.severity == "error":
                raise JobError(one.message, "Case counts, and some worlds end in _cw or _ccw.")


def _must_be_finite(base: Path) -> None:
    """Nobody pays for laps with weights that are no numbers. Raises FleetError."""
    try:
        files_must_be_finite(base, lambda text: to_stderr(f"fleet: {text}\n"))
    except FleetError as error:
        raise FleetError(error.message, "Take a set before it: --from N.") from None


def job_document(model: Model, chosen: Chosen, wish: Wish, home: Home) -> dict[str, Any]:
    """The job file, before it is written. Raises FleetError if nobody says a track."""
    own = _spec(model.job)
    tracks = wish.tracks or (own.tracks if own is not None else ())
    if not tracks:
        raise FleetError("on which track? The model does not say", "Name one or several: --track reinvent_base")
    infra = wish.infra or usual_infra(model.job, home)
    cloud = infra.partition("/")[0]
    hours = hours_of(len(tracks), wish.laps)
    document: dict[str, Any] = {
        "name": wish.name or job_name(model.name),
        "workdir": ".",
        "workload": _workload(own, chosen, wish, tracks, model.name, cpu=cloud != "local"),
        "resources": {"infra": infra, "market": "spot-first", **_types(wish.instance_types, cloud)},
        "volume": {"size": DISK, "keep": KEEP},
        "retries": {"training": 3},
        "outputs": [OUTPUTS],
        "max_duration": wish.max_duration or f"{hours}h",
    }
    bucket = wish.bucket or (model.job.bucket if model.job is not None and cloud in _clouds(model.job) else None)
    if bucket is not None:
        document["bucket"] = bucket
    if wish.budget is not None or cloud != "local":
        most = hours if wish.max_duration is None else _hours(wish.max_duration)
        document["budget"] = {"run": wish.budget or f"${max(1.0, HOURLY * most):.2f}"}
    return document


def _hours(text: str) -> int:
    """Of a duration as it was typed, begun ones too. Raises JobError."""
    try:
        return math.ceil(parse_duration(text) / 3600)
    except (ValueError, OverflowError) as error:
        raise JobError(f"max_duration: {error}") from None


def _workload(
    own: DeepRacer | None, chosen: Chosen, wish: Wish, tracks: Sequence[str], model: str, *, cpu: bool
) -> dict[str, Any]:
    said: dict[str, Any] = {
        "kind": "deepracer",
        "pretrained": SOURCE,
        "stack": own.stack if own is not None else "today",
        "race": wish.race or (own.race if own is not None else "TIME_TRIAL"),
        "device": "cpu" if cpu or own is None else own.device,
        "evaluate": {
            "tracks": list(dict.fromkeys(tracks)),
            "laps": wish.laps,
            "checkpoint": chosen.set.n,
            "resets": wish.resets,
            "model": model,
        },
    }
    images = own.images.model_dump(exclude_none=True) if own is not None else {}
    return {**said, **({"images": images} if images else {}), **({"env": own.env} if own is not None and own.env else {})}


def _spec(job: Job | None) -> DeepRacer | None:
    return options_of(job.workload) if job is not None and job.workload is not None else None


def usual_infra(job: Job | None, home: Home) -> str:
    """Where the model's own job goes; of a model without one the cloud that was set up here, else this computer."""
    if job is not None:
        return min(_clouds(job))
    if home.aws() is not None:
        return "aws"
    return "gcp" if home.gcp() is not None else "local"


def _clouds(job: Job) -> set[str]:
    from fleet.core.allowed import providers_of

    return set(providers_of(job.resources))


def _types(named: Sequence[str], cloud: str) -> dict[str, Any]:
    types = tuple(named) or CPU_TYPES.get(cloud, ())
    return {"instance_type": list(types)} if types else {}


def job_name(model: str) -> str:
    """``shanghai-1`` is evaluated by the run ``shanghai-1-eval``."""
    bare = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-") or "model"
    return f"{bare[: MOST_NAME - len('-eval')].rstrip('-')}-eval"


def hours_of(tracks: int, laps: int) -> int:
    """How long it may take, with interruptions, in whole hours."""
    return math.ceil(2 * (START + tracks * (START + laps * LAP)) / 3600)
