"""``fleet init``: job files to begin with. Each is a job as it stands."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.cli.init_stack import FILES
from fleet.cli.output import emit, say
from fleet.control.names import nearest
from fleet.model.errors import FleetError
from fleet.store.workdir import JOB_FILE

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
KINDS = ("command", "racer", "stack")
_NAMES = {"stack": tuple(FILES)}


def write(kind: str, into: Path, *, force: bool, as_json: bool = False) -> int:
    """Write a job file (and what belongs to it); never over one that is there, unless forced to."""
    if kind not in KINDS:
        known = (*KINDS, "aws")
        raise FleetError(f"there is no kind of job {kind!r}; {nearest(kind, known)}", f"Name one of {', '.join(known)}.")
    target = into / JOB_FILE
    for there in (into / name for name in _NAMES.get(kind, (JOB_FILE,))):
        if there.exists() and not force:
            raise FleetError(f"{there} is there already", "Name another folder with --into, or replace it with --force.")
    into.mkdir(parents=True, exist_ok=True)
    if kind == "racer":
        from fleet.cli.demo import example_folder

        shutil.copytree(example_folder(), into, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    elif kind == "stack":
        for name, text in FILES.items():
            (into / name).write_text(text, encoding="utf-8")
    else:
        target.write_text(COMMAND, encoding="utf-8")
    say(f"Wrote {target}. Look at what it would cost: fleet plan {target}")
    if as_json:
        told: InitObject = {"kind": kind, "file": str(target)}
        emit(told)
    return 0
