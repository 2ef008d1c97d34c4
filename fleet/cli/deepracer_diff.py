"""``fleet deepracer diff`` and ``note``."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.cli.deepracer_material import lineage_in
from fleet.cli.deepracer_models import Model, open_model
from fleet.cli.deepracer_version_words import change_objects
from fleet.cli.deepracer_versions import folder_texts
from fleet.cli.output import emit, say
from fleet.cli.plain import plain
from fleet.model.errors import FleetError
from fleet.store.workdir import JOB_FILE
from fleet.workloads.deepracer.params import PARAMS
from fleet.workloads.deepracer.prefix import open_folder
from fleet.workloads.deepracer.versions.changes import Described, Differences, described, differences, of_spec, texts_of
from fleet.workloads.deepracer.versions.lineage import LINEAGE, Lineage, lineage_bytes, named
from fleet.workloads.kinds import options_of

if TYPE_CHECKING:
    from fleet.cli.deepracer_version_objects import DeepRacerDiffObject, DeepRacerNoteObject

_TITLES = {
    "hyperparameter": "hyperparameters",
    "track": "tracks",
    "race": "race",
    "actions": "actions",
    "sensors": "model_metadata.json",
    "image": "images",
    "job": "job",
}


def diff(first: str, second: str | None, bucket: str | None, *, as_json: bool) -> int:
    """What two models differ in; with one, what it changed since it was cloned."""
    one = open_model(first, bucket)
    if second is None:
        after = _described(one, first)
        before = _parent(_folder(one, first), first)
    else:
        before, after = _described(one, first), _described(open_model(second, bucket), second)
    if before.name == after.name:
        before, after = replace(before, name=first), replace(after, name=second or first)
    found = differences(before, after)
    if as_json:
        told: DeepRacerDiffObject = {
            "a": before.name,
            "b": after.name,
            "same": found.same,
            "reward_function": found.reward_diff,
            "changes": change_objects(found.changes),
            "unknown": list(found.unknown),
        }
        emit(told)
    else:
        for line in lines(before.name, after.name, found):
            print(plain(line))
    return 0


def lines(before: str, after: str, found: Differences) -> list[str]:
    """For people: values by where they stand, then the reward function's lines."""
    told = (
        [f"From {before} to {after}:"]
        if not found.same
        else [f"{before} and {after} do not differ in what can be compared."]
    )
    for kind, title in _TITLES.items():
        changes = [change.told() for change in found.changes if change.kind == kind]
        if changes:
            told += [title, *(f"  {one}" for one in changes)]
    if found.reward_diff:
        told += ["reward function", *(f"  {line}" for line in found.reward_diff.splitlines())]
    return told + [f"unknown: {one}" for one in found.unknown]


def note(text: str, words: str, bucket: str | None, *, as_json: bool) -> int:
    """Keep a note with a version, in its folder."""
    model = open_model(text, bucket)
    folder = _folder(model, text)
    if folder is None:
        run = model.run.name if model.run is not None else None
        hint = f'`fleet note {run} "…"` keeps it with the run.' if run is not None else "Name a folder of this computer."
        raise FleetError(f"{text} has no folder here that a note could lie in", hint)
    at = round(time.time(), 3)
    job = model.job.name if model.job is not None else None
    version = named(folder.resolve().name, job, None)
    lineage = lineage_in(folder) or Lineage(version=str(version), job=job or version.job, at=at)
    lineage = lineage.noted(words, at)
    open_folder(folder).write(LINEAGE, lineage_bytes(lineage))
    say(f"Noted with {lineage.version}, in {folder / LINEAGE}.")
    if as_json:
        told: DeepRacerNoteObject = {
            "version": lineage.version,
            "folder": str(folder),
            "at": at,
            "note": lineage.notes[-1].text,
        }
        emit(told)
    return 0


def _described(model: Model, text: str) -> Described:
    """A run by what it was started with, unless its folder was named by a path: that is told as it is today."""
    if model.folder is not None:
        return described(_name(model, text), folder_texts(model.folder))
    texts = texts_of(model.files)
    if PARAMS in (listing := model.prefix.list()) and JOB_FILE not in texts and listing[PARAMS].size < 1 << 20:
        texts |= texts_of({PARAMS: model.prefix.read(PARAMS)})
    found = described(_name(model, text), texts)
    if model.run is not None and model.run.job.workload is not None:
        found = replace(found, job=of_spec(options_of(model.run.job.workload)))
    return found


def _name(model: Model, text: str) -> str:
    folder = _folder(model, text)
    lineage = lineage_in(folder) if folder is not None else None
    return lineage.version if lineage is not None else model.name


def _folder(model: Model, text: str) -> Path | None:
    """A model's folder on this computer: a run's too, if it was named as its job's folder here is."""
    if model.folder is not None or "://" in text:
        return model.folder
    path = Path(text)
    return path if (path / JOB_FILE).is_file() else None


def _parent(folder: Path | None, text: str) -> Described:
    """What a version was cloned from, as it was. Raises FleetError if nobody wrote that down."""
    lineage = lineage_in(folder) if folder is not None else None
    if lineage is None or lineage.parent is None:
        raise FleetError(f"nobody wrote down what {text} was cloned from", "Name two models: fleet deepracer diff A B")
    return described(lineage.parent.name, lineage.parent.texts)
