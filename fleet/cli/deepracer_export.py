"""``fleet deepracer export``: a set of a model to the console, to DeepRacer on AWS, to the car, or into a folder."""

from __future__ import annotations

import re
import tempfile
import uuid
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from fleet.cli.deepracer_models import Model, open_model
from fleet.cli.deepracer_sound import look_at
from fleet.cli.meter import Meter
from fleet.cli.output import emit, say
from fleet.cli.plain import plain
from fleet.model.errors import FleetError
from fleet.workloads.deepracer.chosen import Wanted
from fleet.workloads.deepracer.export.contents import CARFILE, Form, Source, Taker, contents_of, import_name
from fleet.workloads.deepracer.export.delivering import deliver
from fleet.workloads.deepracer.export.params import Bound
from fleet.workloads.deepracer.export.staging import stage, stage_car
from fleet.workloads.deepracer.export.target import FolderTarget, Target
from fleet.workloads.deepracer.prefix import open_folder
from fleet.workloads.deepracer.sets import sets_of
from fleet.workloads.kinds import options_of

if TYPE_CHECKING:
    from fleet.cli.deepracer_export_objects import DeepRacerExportObject

ARCHIVES = (".tar.gz", ".tgz")
_MISTYPED = re.compile(r"(?:s3|gs|file|https?):(?!//)")
"""A folder could be called so; none is meant to."""
UPLOADS = "uploads/models"
"""Where DeepRacer on AWS has its page upload to, below a name of each upload's own."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says."""

    model: str | None
    """None: this folder."""
    dest: str
    wanted: Wanted
    taker: Taker
    form: Form
    bucket: str | None
    """The fleet that runs are looked for in."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where it goes."""

    target: Target
    bound: Bound | None
    """If that is a bucket."""
    below: str = ""
    """What is added to DEST; ends with a slash."""
    archive: str = CARFILE
    """The car's file."""


def export(asked: Asked, *, as_json: bool) -> int:
    """Choose, look, send, read back, and say what to do next."""
    model = _opened(asked)
    source = _source(model, asked.wanted)
    place = _place(asked, source)
    contents = contents_of(source, asked.taker, asked.form, place.bound)
    for note in (source.chosen.words, *model.file_notes, *contents.notes):
        say(plain(note))
    car, meter = asked.taker == "car", Meter()
    with tempfile.TemporaryDirectory(prefix="fleet-export-") as temporary, closing(meter):
        folder, check = Path(temporary), partial(_must_be_sound, source)
        lay = partial(stage_car, name=place.archive) if car else stage
        staged = lay(source, contents, folder, check=check)
        sent = deliver(staged, place.target, source.stem, meter.show, alone=not car)
    size = sum(one.size for one in staged)
    say(plain(_done(place, len(staged), size, sent)))
    for line in _next(asked, source, place):
        say(plain(line))
    if as_json:
        told: DeepRacerExportObject = {
            "checkpoint": source.stem,
            "files": sorted(place.below + one.name for one in staged),
        }
        emit(told)
    return 0


def _opened(asked: Asked) -> Model:
    try:
        return open_model(asked.model or ".", asked.bucket)
    except FleetError as error:
        if asked.model is not None:
            raise
        told = f"{asked.dest} was taken for DEST, since it is the only word, and this folder for the model: {error.message}"
        raise FleetError(told, "Name the model, then DEST.") from None


def _source(model: Model, wanted: Wanted) -> Source:
    spec = options_of(model.job.workload) if model.job is not None and model.job.workload is not None else None
    return Source(model.name, model.choose(wanted), model.files, spec)


def _must_be_sound(source: Source, folder: Path) -> None:
    """Weights that are no numbers, or broken, are handed on to nobody: FleetError. Exploding ones are told of."""
    prefix = open_folder(folder)
    laid = next(one for one in sets_of(prefix.list()) if one.stem == source.stem)
    looked = look_at(prefix, laid)
    wrong = next((one for one in looked.findings if one.severity == "error"), None)
    if wrong is not None:
        raise FleetError(f"{source.chosen.prefix.where}: {wrong.message}", "Take a set before it: --checkpoint N.")
    if not looked.sound or looked.findings:
        for sentence in looked.words:
            say(plain(sentence))


def _place(asked: Asked, source: Source) -> Place:
    """Raises FleetError for one that this taker cannot have."""
    scheme, mark, rest = asked.dest.partition("://")
    if mark and scheme == "s3" and rest.partition("/")[0]:
        return _in_bucket(asked, source, *rest.partition("/")[::2])
    if asked.taker == "console":
        raise FleetError(
            f"the console imports from a bucket, and {asked.dest} is none",
            "Name s3://bucket/prefix; `--to droa` and `--to folder` take a folder.",
        )
    if (mark and scheme != "file") or _MISTYPED.match(asked.dest):
        raise FleetError(f"{asked.dest!r} is no place for a model", "Name a folder, or s3://bucket/prefix.")
    path = Path(unquote(urlsplit(asked.dest).path)) if mark else Path(asked.dest).expanduser()
    if asked.taker == "car" and path.name.endswith(ARCHIVES) and not path.is_dir():
        return Place(FolderTarget(path.parent), None, archive=path.name)
    return Place(FolderTarget(path), None)


def _in_bucket(asked: Asked, source: Source, bucket: str, prefix: str) -> Place:
    from fleet.workloads.deepracer.export.s3_target import open_target

    prefix, below, archive = prefix.strip("/"), "", CARFILE
    if asked.taker == "car" and prefix.endswith(ARCHIVES):
        prefix, _, archive = prefix.rpartition("/")
    elif not prefix and asked.taker == "droa":
        prefix, below = (found := f"{UPLOADS}/{_same_each_time(source)}"), f"{found}/"
    elif not prefix:
        raise FleetError(f"{asked.dest} is a whole bucket", f"Name a prefix in it: s3://{bucket}/{import_name(source.name)}")
    return Place(open_target(bucket, prefix), Bound(bucket, prefix), below, archive)


def _same_each_time(source: Source) -> uuid.UUID:
    """The same for the same set of the same model, so that an upload that broke off is found again."""
    chosen = source.chosen
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{chosen.prefix.where}\n{source.stem}\n{chosen.set.modified}")


def _done(place: Place, files: int, size: int, sent: int) -> str:
    told = f"{files} {'file' if files == 1 else 'files'}, {size / 1e6:.1f} MB, all of it read back"
    there = f"; {(size - sent) / 1e6:.1f} MB lay there already" if sent < size else ""
    return f"Exported to {place.target.where}: {told}{there}."


def _next(asked: Asked, source: Source, place: Place) -> list[str]:
    """What the user types, or clicks, to have it taken."""
    name, where, bound = import_name(source.name), place.target.where, place.bound
    if asked.taker == "console":
        command = f"aws deepracer import-model --name {name} --type REINFORCEMENT_LEARNING --model-artifacts-s3-path {where}"
        return [
            "Have the console import it, with a role that may read the bucket:",
            f"  {command} --role-arn arn:aws:iam::ACCOUNT:role/ROLE",
            "Where your account has no DeepRacer console any more: `--to droa` is for its successor, DeepRacer on AWS.",
        ]
    if asked.taker == "droa" and bound is None:
        return [f"In DeepRacer on AWS: Models, Import model, choose the folder {where}, name it {name}."]
    if asked.taker == "droa" and bound is not None:
        wish = f"s3Bucket {bound.bucket}, s3Path {bound.prefix}, modelName {name}"
        return [f"DeepRacer on AWS imports it by its API's ImportModel: {wish}."]
    if asked.taker == "car":
        return [f"On the car's own page: Models, Upload, {place.archive}; or on a USB stick, in its folder models/."]
    return []
