"""``fleet init``: job files to begin with. Each is a job as it stands."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.cli.init_stack import FILES
from fleet.cli.output import emit, say
from fleet.control.names import nearest
from fleet.model.errors import FleetError
from fleet.model.job import NAME_PATTERN
from fleet.store.workdir import JOB_FILE
from fleet.workloads.deepracer.spec import HYPERPARAMETERS, METADATA, REWARD

if TYPE_CHECKING:
    from fleet.cli.objects import InitObject

COMMAND = """\
# A job for fleet. Start it: fleet up fleet.yaml      Look: fleet ps      End it: fleet stop my-job
name: my-job                   # a name means its newest run

workdir: .                     # packed and unpacked on every machine; obeys .gitignore and .fleetignore
resources:
  infra: local                 # machines are processes on this computer
  market: spot-first           # spot | spot-first | on-demand
  # max_price: $0.50           # per hour, never exceeded

volume:
  size: 20GB                   # follows the run from machine to machine; $FLEET_VOLUME
  # keep: 7d                   # for so long after the run's end

checkpoint:
  path: checkpoints            # on the volume; $FLEET_CHECKPOINTS
  format: rename               # rename | marker | quiet: how a finished checkpoint is known

outputs: []                    # files to export to models/my-job/ at the end, for example [output/*.bin]
# setup: pip install -r requirements.txt
run: |
  echo "train here: save to $FLEET_CHECKPOINTS, and resume from what lies there"
# max_duration: 12h            # of all machines together
# budget: {run: $5}            # the run is stopped before this is passed, disks included
"""
KINDS = ("command", "racer", "stack", "deepracer")
_NAMES = {"stack": tuple(FILES), "deepracer": (JOB_FILE, REWARD, METADATA, HYPERPARAMETERS)}


def write(kind: str, into: Path, name: str | None = None, *, force: bool, as_json: bool = False) -> int:
    """Write a job file (and what belongs to it); never over one that is there, unless forced to."""
    if name is not None:
        into = into / _checked(kind, name)
    if kind not in KINDS:
        known = (*KINDS, "aws", "gcp")
        raise FleetError(f"there is no kind of job {kind!r}; {nearest(kind, known)}", f"Name one of {', '.join(known)}.")
    target = into / JOB_FILE
    for there in (into / one for one in _NAMES.get(kind, (JOB_FILE,))):
        if there.exists() and not force:
            raise FleetError(f"{there} is there already", "Name another folder with --into, or replace it with --force.")
    into.mkdir(parents=True, exist_ok=True)
    if kind == "racer":
        from fleet.cli.demo import example_folder

        shutil.copytree(example_folder(), into, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    elif kind == "stack":
        for one, text in FILES.items():
            (into / one).write_text(text, encoding="utf-8")
    elif kind == "deepracer":
        _deepracer(into, name or "deepracer")
    else:
        target.write_text(COMMAND, encoding="utf-8")
    if kind == "deepracer":
        say(f"Wrote {target} and the model beside it. Look at them before they cost anything: fleet deepracer check {into}")
    else:
        say(f"Wrote {target}. Look at what it would cost: fleet plan {target}")
    if as_json:
        told: InitObject = {"kind": kind, "file": str(target)}
        emit(told)
    return 0


def _checked(kind: str, name: str) -> str:
    if kind != "deepracer":
        raise FleetError(
            f"a job of kind {kind} takes no name here", "The name stands in its job file; --into names a folder."
        )
    if not re.fullmatch(NAME_PATTERN, name):
        told = f"{name!r} cannot be a run's name: small letters, digits and hyphens, at most 40"
        raise FleetError(told, "For example: fleet init deepracer shanghai-1")
    return name


def _deepracer(into: Path, name: str) -> None:
    """The example, under the run's own name."""
    from fleet.cli.demo import example_folder

    for one in _NAMES["deepracer"]:
        text = (example_folder("deepracer") / one).read_text(encoding="utf-8")
        if one == JOB_FILE:
            text = text.replace("name: deepracer    ", f"name: {name:<13}", 1).replace(
                "fleet stop deepracer", f"fleet stop {name}"
            )
        (into / one).write_text(text, encoding="utf-8")
