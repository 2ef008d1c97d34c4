"""An evaluation, checked before any money is spent: the tracks, the set that is to drive, and the file that goes with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fleet.model.errors import FleetError, NotFoundError
from fleet.store.workdir import JOB_FILE
from fleet.workloads.deepracer.checking import tracks
from fleet.workloads.deepracer.checking.source import PLACES
from fleet.workloads.deepracer.chosen import choose
from fleet.workloads.deepracer.findings import Finding
from fleet.workloads.deepracer.images import stack_problems
from fleet.workloads.deepracer.prefix import Prefix
from fleet.workloads.deepracer.spec import HYPERPARAMETERS, METADATA, DeepRacer


def check_evaluation(folder: Path, spec: DeepRacer, model: Prefix) -> list[Finding]:
    """What speaks against the laps that a job asks for. ``folder``: the job's; ``model``: what ``pretrained`` names."""
    if spec.evaluate is None:
        return []
    own = spec.images.simapp is not None or spec.images.simulator is not None
    found = [one for world in spec.evaluate.tracks for one in tracks.check_name(world, stack=spec.stack, own_image=own)]
    found += [replace(one, file=one.file or JOB_FILE) for one in stack_problems(spec)]
    try:
        choose(model, spec.evaluate.checkpoint)
    except FleetError as error:
        return [*found, Finding("source-set", error.message, error.hint or "Name another with `checkpoint`.", JOB_FILE)]
    wanted = (METADATA, HYPERPARAMETERS) if spec.stack == "2019" else (METADATA,)
    for name in wanted:
        if not _there(folder, model, name):
            told = f"neither {model.where} nor the job's folder has {name}, without which its network cannot be built"
            found.append(Finding("source-file", told, "Take the one that the model was trained with.", name))
    return found


def _there(folder: Path, model: Prefix, name: str) -> bool:
    for place in PLACES[name]:
        try:
            model.read(place)
        except NotFoundError:
            continue
        return True
    return (folder / name).is_file()
