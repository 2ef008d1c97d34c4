"""A clone: what its texts say, whether it could be trained, and its folder, with a copy of the set that it goes on from."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from fleet.model.base import Seconds
from fleet.model.errors import FleetError, JobError
from fleet.model.jobfile import parse_job
from fleet.model.yamledit import edited
from fleet.store.workdir import JOB_FILE, workdir_names
from fleet.workloads.deepracer.checking import hyperparameters, metadata, tracks
from fleet.workloads.deepracer.checking.reading import Document, parse
from fleet.workloads.deepracer.checking.source import compare
from fleet.workloads.deepracer.chosen import Chosen
from fleet.workloads.deepracer.findings import Finding
from fleet.workloads.deepracer.images import stack_problems
from fleet.workloads.deepracer.spec import HYPERPARAMETERS, METADATA, REWARD, DeepRacer
from fleet.workloads.deepracer.versions.changes import Change, described, differences, texts_of
from fleet.workloads.deepracer.versions.lineage import Lineage, Parent, TakenSet, recorded
from fleet.workloads.deepracer.versions.names import Version
from fleet.workloads.deepracer.versions.set_copy import copy_set
from fleet.workloads.deepracer.versions.settings import Settings, with_hyperparameters
from fleet.workloads.kinds import options_of

PRETRAINED = "pretrained"
"""The folder of the copied set, beside the files that it is trained by."""
_PASSING = ".tmp-set"
"""What is on its way, in the folder that is being made: there is room for it, and after a death it goes with the rest."""
FILES = (REWARD, METADATA, HYPERPARAMETERS)


@dataclass(frozen=True)
class Material:
    """What a clone is made of, as its source has it."""

    version: Version
    where: str
    """For people: a run, a folder, a prefix."""
    job: str
    """The text of its fleet.yaml."""
    files: Mapping[str, Path | bytes]
    """What is trained by, and whatever lies beside it, by names below the workdir."""
    workdir: str = "."
    """Where they lie in the clone's folder."""
    run: str | None = None
    more: Mapping[tuple[str, ...], object] | None = None
    """Values of the job that another folder changes: its workdir, relative paths."""

    @property
    def texts(self) -> dict[str, str]:
        """Those that tell what it is trained with."""
        return texts_of({JOB_FILE: self.job.encode(), **{name: self.data(name) for name in FILES if name in self.files}})

    def data(self, name: str) -> bytes:
        """A file's bytes."""
        found = self.files[name]
        return found if isinstance(found, bytes) else found.read_bytes()


@dataclass(frozen=True)
class Draft:
    """A clone as it will be."""

    material: Material
    version: Version
    job: str
    """Its fleet.yaml."""
    hyperparameters: str
    spec: DeepRacer
    changes: tuple[Change, ...]
    """What the clone itself changes."""
    pretrained: str | None = None
    """The folder of its set, below the workdir."""


def draft(material: Material, version: Version, settings: Settings, *, goes_on: bool) -> Draft:
    """The clone's texts. Raises JobError for values that its job cannot have, FleetError for files that are missing."""
    missing = [name for name in FILES if name not in material.files]
    if missing:
        told = f"{material.where} holds no {' and no '.join(missing)}: a clone cannot be trained without"
        raise FleetError(told, "Put what is missing there. `fleet init deepracer NAME` writes examples.")
    here = {name.partition("/")[0] for name in material.files}
    pretrained = next(name for name in _names(PRETRAINED) if name not in here) if goes_on else None
    values: dict[tuple[str, ...], object] = {("name",): version.job, **(material.more or {})}
    values |= {("workload", *path): value for path, value in settings.workload.items()}
    old = parse_job(material.job, JOB_FILE)
    if pretrained is not None or (old.workload or {}).get("pretrained") is not None:
        values["workload", "pretrained"] = pretrained
    job = edited(_renamed(material.job, old.name, version.job), JOB_FILE, values)
    new = parse_job(job, JOB_FILE)
    if new.workload is None:
        raise FleetError(f"{material.where} is no DeepRacer training", "Its job says no `workload: {kind: deepracer}`.")
    spec = options_of(new.workload)
    if spec.evaluate is not None:
        told = f"{material.where} drives laps with a model, and trains none"
        raise FleetError(told, "Clone the model that it evaluates: `fleet deepracer evaluations` names it.")
    text = with_hyperparameters(material.texts[HYPERPARAMETERS], settings.hyperparameters)
    before = described(str(material.version), material.texts)
    after = described(str(version), {**material.texts, JOB_FILE: job, HYPERPARAMETERS: text})
    return Draft(material, version, job, text, spec, differences(before, after).changes, pretrained)


def objections(made: Draft, chosen: Chosen | None) -> list[Finding]:
    """What is wrong with a clone's numbers and names. Errors that its source has, too, are told as warnings: they are not
    the clone's doing, and `fleet up` refuses them.
    """
    texts = made.material.texts
    known = set()
    with contextlib.suppress(JobError):  # one that its clone mends
        spec = options_of(parse_job(made.material.job, JOB_FILE).workload or {})
        known = {(one.code, one.message) for one in _of_texts(texts, spec)}
    found = _of_texts({**texts, HYPERPARAMETERS: made.hyperparameters}, made.spec)
    found = [one.warned() if (one.code, one.message) in known else one for one in found]
    if chosen is not None:
        document = parse(texts[METADATA], METADATA, "metadata")
        here = metadata.check(document, made.spec.stack)[0] if isinstance(document, Document) else None
        found += compare(chosen.prefix, {}, here, made.spec.tracks).findings
    return found


def _of_texts(texts: Mapping[str, str], spec: DeepRacer) -> list[Finding]:
    found: list[Finding] = []
    document = parse(texts[METADATA], METADATA, "metadata")
    algorithm = "clipped_ppo"
    if isinstance(document, Document):
        read, more = metadata.check(document, spec.stack)
        algorithm = read.algorithm if read is not None else algorithm
        found += more
    else:
        found.append(document)
    numbers = parse(texts[HYPERPARAMETERS], HYPERPARAMETERS, "hyperparameters")
    found += hyperparameters.check(numbers, spec.workers, algorithm) if isinstance(numbers, Document) else [numbers]
    own = spec.images.simapp is not None or spec.images.simulator is not None
    for world in dict.fromkeys(spec.tracks):
        found += tracks.check_name(world, stack=spec.stack, own_image=own)
    found += [one for one in stack_problems(spec) if one.severity == "error"]
    return [replace(one, line=None) for one in found]


def fill(folder: Path, made: Draft, chosen: Chosen | None, tell: Callable[[str], None]) -> TakenSet | None:
    """Write a clone into an empty folder, and hold its set against the source and against NaN.

    ``tell`` hears what cannot be said of the weights. Raises FleetError if the set changed while it was copied, if its
    weights are no numbers, or if it would not be packed with the workdir.
    """
    workdir = folder / made.material.workdir
    files: dict[str, Path | bytes] = dict(made.material.files)
    if made.hyperparameters != made.material.texts[HYPERPARAMETERS]:
        files[HYPERPARAMETERS] = made.hyperparameters.encode()  # not over a copy: the source's may be write-protected
    for name, data in files.items():
        target = workdir / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(data, bytes):
            target.write_bytes(data)
        else:
            shutil.copy(data, target)
    (folder / JOB_FILE).write_bytes(made.job.encode())
    if chosen is None or made.pretrained is None:
        return None
    own = folder / _PASSING
    taken = copy_set(chosen, workdir / made.pretrained, made.material.data(METADATA), made.spec.stack, own, tell)
    own.rmdir()
    packed = workdir_names(workdir)
    kept_out = [name for name in taken.files if f"{made.pretrained}/{name}" not in packed]
    if kept_out:
        told = f"{made.pretrained}/{kept_out[0]} would not be sent to a machine: .gitignore or .fleetignore leaves it out"
        raise FleetError(told, f"Take the rule that does out of {made.material.where}, then clone again.")
    return taken


def lineage_of(made: Draft, taken: TakenSet | None, at: Seconds, note: str | None) -> Lineage:
    """What is written down with a clone. Raises FleetError for a note that is none."""
    material = made.material
    data = {JOB_FILE: material.job.encode(), **{name: material.data(name) for name in FILES}}
    parent = Parent(
        name=str(material.version),
        where=material.where,
        run=material.run,
        texts=material.texts,
        sha256={name: hashlib.sha256(one).hexdigest() for name, one in data.items()},
    )
    found = Lineage(
        version=str(made.version),
        job=made.version.job,
        at=round(at, 3),
        parent=parent,
        set=taken,
        changes=recorded(made.changes),
    )
    return found if note is None else found.noted(note, round(at, 3))


def _names(first: str) -> Iterable[str]:
    yield first
    for number in range(2, 1000):
        yield f"{first}-{number}"


def _renamed(text: str, old: str, new: str) -> str:
    """The job's name in commands that comments show: who copies `fleet stop OLD` from a clone would end another run."""
    command = re.compile(rf"(#.*?\bfleet(?: [a-z-]+)+ ){re.escape(old)}(?![\w./-])")
    lines = text.splitlines(keepends=True)
    return "".join(command.sub(lambda found: found[1] + new, line) for line in lines)
