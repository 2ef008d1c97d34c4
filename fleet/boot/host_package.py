"""This very fleet as one folder, for a host that has Python and nothing else: its packages, itself, and what starts it."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import fleet
from fleet.boot.dependencies import Download, controller_pins, downloaded, pinned
from fleet.boot.packing import archive
from fleet.model.base import canonical_json
from fleet.model.errors import FleetError

FORMAT = 1
"""Changes with what is done to the packages here."""
STARTER, ROUND, PROGRAM, SITE = "fleet", "round", "start.py", "site"
BESIDE = {
    "_userdata": "userdata",
    "_examples/racer": "examples/racer",
    "_examples/deepracer": "examples/deepracer",
}
"""What a wheel carries inside the package lies beside it in a checkout."""
PATH = "/usr/local/bin:/usr/bin:/bin"
"""For what fleet starts there; cron's own is shorter."""
START = """\
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "site"))
from fleet.cli.main import main

main()
"""
"""Where it really lies: ``current`` may lead elsewhere while this process lives and still imports."""


@dataclass(frozen=True, slots=True)
class Target:
    """What the host runs it with."""

    python: str
    """The interpreter's path."""
    tag: str
    """``cp312``."""
    arch: str
    home: str
    """FLEET_HOME there."""
    clouds: tuple[str, ...] = ("aws",)
    """Those that it looks after."""


def package_files() -> dict[str, bytes]:
    """Everything of the package by its path, as an installed wheel has it: of a checkout and of a wheel alike."""
    root = Path(fleet.__file__).parent
    found = _below(root, "fleet")
    for inside, beside in BESIDE.items():
        if not (root / inside).is_dir():
            found |= _below(root.parent / beside, f"fleet/{inside}")
    return found


def _below(folder: Path, name: str) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {f"{name}/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in sorted(files)}


def scripts(target: Target) -> dict[str, bytes]:
    """What starts it: ``fleet`` with nothing else of the host's Python on its path, and a round for cron."""
    home, python = shlex.quote(target.home), shlex.quote(target.python)
    here = 'here=$(cd "$(dirname "$0")" && pwd -P) || exit 1\n'
    starter = (
        "#!/bin/sh\n# fleet as `fleet controller deploy ssh` put it here: with its own packages and no others.\n"
        f'{here}test -n "$FLEET_HOME" || FLEET_HOME={home}\nexport FLEET_HOME\nexec {python} -I -S "$here/{PROGRAM}" "$@"\n'
    )
    return {
        STARTER: starter.encode(),
        ROUND: round_script('"$here/fleet"', target.home, here).encode(),
        PROGRAM: START.encode(),
    }


def round_script(program: str, home: str, here: str = "", path: str = PATH) -> str:
    """What cron runs each minute. ``program`` is fleet, in a shell's words; ``home`` is FLEET_HOME."""
    return (
        "#!/bin/sh\n# One round of fleet's loop, for cron; what it says goes into the log, which is kept small.\n"
        f"{here}cd / || exit 1\nexport FLEET_CONTROLLER=cron FLEET_HOME={shlex.quote(home)} PATH={shlex.quote(path)}\n"
        f"exec {program} controller run --once --log {shlex.quote(f'{home}/controller.log')}\n"
    )


def version_of(target: Target) -> str:
    """Names all of it: equal files, an equal name, known before anything is downloaded."""
    own = {**package_files(), **scripts(target)}
    hashes = {path: hashlib.sha256(data).hexdigest() for path, data in own.items()}
    told = [FORMAT, hashes, controller_pins(target.clouds), target.tag, target.arch]
    return f"{fleet.__version__}-{hashlib.sha256(canonical_json(told)).hexdigest()[:12]}"


def host_archive(target: Target, download: Download | None = None) -> bytes:
    """A tar.gz of the folder. Raises FleetError if a package cannot be had."""
    packages = downloaded(controller_pins(target.clouds), target.tag, target.arch, download)
    _check_versions(packages, target)
    inside = {f"{SITE}/{path}": data for path, data in {**packages, **package_files()}.items()}
    return archive({**inside, **scripts(target)})


def _check_versions(files: Mapping[str, bytes], target: Target) -> None:
    """With other versions the host would look in the bucket for another agent than the one that lies there."""
    got = [found for path in files if (found := re.fullmatch(r"([^/]+)-([^/-]+)\.dist-info/METADATA", path))]
    versions = {found[1].lower().replace("_", "-"): found[2] for found in got}
    for name, version in pinned().items():
        if versions.get(name) != version:
            raise FleetError(
                f"{name} {version}, which is installed here, is not to be had for {target.tag} on {target.arch}",
                f"Install another version here, one that is: pip install -U {name}. Or give the host another Python.",
            )
