"""``fleet deepracer clone``."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.cli.deepracer_material import Gathered, gather, moved_mounts
from fleet.cli.deepracer_models import open_model
from fleet.cli.deepracer_version_words import change_objects
from fleet.cli.deepracer_versions import versions_below
from fleet.cli.output import emit, say
from fleet.cli.plain import plain
from fleet.control.home import open_home
from fleet.model.errors import FleetError
from fleet.model.jobfile import parse_job
from fleet.store.glance import glance
from fleet.store.workdir import JOB_FILE
from fleet.workloads.deepracer.chosen import Chosen, NoSetError, Wanted, parse_wanted
from fleet.workloads.deepracer.findings import Finding
from fleet.workloads.deepracer.folder import Folder
from fleet.workloads.deepracer.versions.appearing import appearing
from fleet.workloads.deepracer.versions.cloning import Draft, draft, fill, lineage_of, objections
from fleet.workloads.deepracer.versions.lineage import LINEAGE, Lineage, lineage_bytes
from fleet.workloads.deepracer.versions.names import Version, next_version, parse_version
from fleet.workloads.deepracer.versions.settings import Settings, parse_settings

if TYPE_CHECKING:
    from fleet.cli.deepracer_version_objects import DeepRacerCloneObject

NOTHING = "nothing"
"""Of ``--from``: the clone begins anew."""
LARGE = 10_000_000
"""Bytes of a set whose copying is worth a word."""


def clone(
    text: str,
    name: str | None,
    *,
    begin: str,
    sets: Sequence[str],
    tracks: Sequence[str],
    note: str | None,
    into: Path | None,
    bucket: str | None,
    as_json: bool,
) -> int:
    """Make a new version of a model, in a folder of its own; the source is only read."""
    settings = parse_settings(sets, tracks)
    wanted = None if begin == NOTHING else parse_wanted(begin)
    warnings: list[str] = []

    def warn(told: str) -> None:
        warnings.append(told.removeprefix("Note: "))
        say(plain(f"Note: {told.removeprefix('Note: ')}"))

    with tempfile.TemporaryDirectory(prefix="fleet-clone-") as passing:
        own = Path(passing)
        source = gather(open_model(text, bucket), text, own, warn)
        chosen = _chosen(source, wanted) if wanted is not None else None
        target, version = _target(name, into, source, warn)
        _must_lie_outside(target, source)
        made = _drafted(source, version, settings, target, goes_on=chosen is not None)
        _weigh(version, objections(made, chosen), warn)
        shared = parse_job(made.job, JOB_FILE).volume.name
        if shared is not None:
            warn(f"{version} and {made.material.version} share the volume {shared}: the one waits for the other's end.")
        lineage = _make(target, made, chosen, note, warn)
    _tell(made, lineage, target)
    if as_json:
        emit(_object(made, lineage, target, warnings))
    return 0


def _chosen(source: Gathered, wanted: Wanted) -> Chosen:
    """Raises FleetError; of a model that never trained it says how its files are had without a set."""
    try:
        return source.choose(wanted)
    except NoSetError as error:
        hint = f"{error.hint} With `--from nothing` the clone begins anew, with these files."
        raise FleetError(error.message, hint) from None


def _make(target: Path, made: Draft, chosen: Chosen | None, note: str | None, warn: Callable[[str], None]) -> Lineage:
    """The clone's folder, whole, or none."""
    at = time.time()
    lineage_of(made, None, at, note)  # a note that is none is told before anything is copied
    if chosen is not None and chosen.set.size > LARGE:
        say(f"Copying set {chosen.set.n} ({chosen.set.size / 1e6:.0f} MB) from {chosen.prefix.where} …")
    with appearing(target) as folder:
        taken = fill(folder, made, chosen, warn)
        lineage = lineage_of(made, taken, at, note)
        (folder / LINEAGE).write_bytes(lineage_bytes(lineage))
    return lineage


def _target(name: str | None, into: Path | None, source: Gathered, warn: Callable[[str], None]) -> tuple[Path, Version]:
    """Where the clone is to lie, and which version it is. Raises FleetError for a name that is taken."""
    given = Path(name).expanduser() if name is not None else None
    parent = into if into is not None else _beside(source.folder)
    if given is not None and (len(given.parts) > 1 or given.is_absolute()):
        parent = (into or Path()) / given.parent
    found = versions_below(parent, depth=1) if parent.is_dir() else []
    runs = _known_runs()
    if given is None:
        taken = {*(one.job for one in found), *(str(one.version) for one in found), *runs}
        here = {entry.name for entry in os.scandir(parent)} if parent.is_dir() else set()
        version = next_version(source.material.version, taken | here)
        return parent / str(version), version
    version = parse_version(given.name)
    twin = next((one for one in found if one.job == version.job and one.path != str(version)), None)
    if twin is not None:
        told = f"{version} would have the runs of {twin.path}: both jobs are called {version.job}"
        raise FleetError(told, "Take another name; a run's name has no dots.")
    if version.job in runs:
        warn(f"there is a run {version.job} already: once this one is started, the name means it.")
    return parent / str(version), version


def _must_lie_outside(target: Path, source: Gathered) -> None:
    """What lies in a source's own folder would be packed with it, and copied into its next clone. Raises FleetError."""
    prefix = source.model.prefix
    own = (source.folder, source.workdir, prefix.path("") if isinstance(prefix, Folder) else None)
    if any(one is not None and target.resolve().is_relative_to(one.resolve()) for one in own):
        told = f"{target} would lie in its source, {source.material.where}, which a clone leaves as it is"
        raise FleetError(told, "Have it made beside the source: without --into, and with a name alone.")


def _beside(folder: Path | None) -> Path:
    """The folder that a source lies in, as short as it can be typed."""
    parent = folder.resolve().parent if folder is not None else Path.cwd()
    return parent.relative_to(Path.cwd()) if parent.is_relative_to(Path.cwd()) else parent


def _known_runs() -> set[str]:
    """Names of runs that this computer knows of, at a glance."""
    home = open_home()
    return set(glance(home.known_buckets(), home.cache).runs)


def _drafted(source: Gathered, version: Version, settings: Settings, target: Path, *, goes_on: bool) -> Draft:
    material = source.material
    mounts = moved_mounts(source.job, source.folder, target, material.files)
    material = replace(material, more={**(material.more or {}), **mounts})
    return draft(material, version, settings, goes_on=goes_on)


def _weigh(version: Version, findings: Sequence[Finding], warn: Callable[[str], None]) -> None:
    """Say what should be known; raise FleetError if the clone could not be trained for what it changes."""
    errors = [one for one in findings if one.severity == "error"]
    for one in findings:
        if one.severity != "error":
            where = f"{one.place}: " if one.place else ""
            warn(f"{where}{one.message}{'' if one.message.endswith('?') else '.'} {one.remedy}")
    if errors:
        more = "".join(f"\n  {one.place}: {one.message}" for one in errors[1:])
        raise FleetError(f"{version} is not made: {errors[0].place}: {errors[0].message}{more}", errors[0].remedy)


def _tell(made: Draft, lineage: Lineage, target: Path) -> None:
    parent = made.material.version
    begun = f"goes on from set {lineage.set.n} of {parent}" if lineage.set is not None else f"is {parent}, begun anew"
    say(f"Made {target}: {made.version} {begun}.")
    if lineage.set is not None:
        say(f"  {lineage.set.why}")
    for change in made.changes:
        say(plain(f"  {change.told()}"))
    say(f"Before it costs anything: fleet deepracer check {target}      Start it: fleet up {target}")


def _object(made: Draft, lineage: Lineage, target: Path, warnings: list[str]) -> DeepRacerCloneObject:
    return {
        "version": str(made.version),
        "job": made.version.job,
        "folder": str(target),
        "parent": str(made.material.version),
        "source": made.material.where,
        "checkpoint": lineage.set.stem if lineage.set is not None else None,
        "why": lineage.set.why if lineage.set is not None else "",
        "changes": change_objects(made.changes),
        "warnings": warnings,
    }
