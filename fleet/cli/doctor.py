"""``fleet doctor``: what fleet needs, checked before it is needed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fleet.cli.output import emit
from fleet.control.fleets import open_bucket
from fleet.control.home import Home, open_home
from fleet.engine import find_engine
from fleet.model.errors import FleetError

if TYPE_CHECKING:
    from fleet.cli.objects import FindingObject

LITTLE_DISK = 2_000_000_000
SKEW = 60.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: Literal["good", "note", "bad"]
    told: str
    remedy: str = ""


def check(bucket: str | None, what: str | None = None, job: Path | None = None, *, as_json: bool) -> int:
    """Look at everything, or at one cloud; 1 if something is bad."""
    if what is None:
        return show(list(findings(bucket)), as_json=as_json)
    if what == "gcp":
        from fleet.cli.doctor_gcp import findings_in_gcp

        return show(list(findings_in_gcp(job, bucket)), as_json=as_json)
    from fleet.cli.doctor_aws import findings_in_aws

    return show(list(findings_in_aws(job, bucket)), as_json=as_json)


def show(found: list[Finding], *, as_json: bool) -> int:
    """Print what was found; 1 if something is bad."""
    if as_json:
        objects: list[FindingObject] = [
            {"what": f.what, "state": f.state, "told": f.told, "remedy": f.remedy} for f in found
        ]
        emit(objects)
    else:
        for finding in found:
            print(f"{finding.state:<5} {finding.what:<10} {finding.told}")
            if finding.remedy:
                print(f"{'':<17}{finding.remedy}")
    return 1 if any(finding.state == "bad" for finding in found) else 0


def findings(bucket: str | None) -> Iterator[Finding]:
    """Everything, one after the other; what raises is a finding too."""
    home: list[Home] = []

    def at_home() -> Finding:
        home.append(open_home())
        probe = home[0].path / f".doctor-{os.getpid()}"
        probe.write_text("x", encoding="utf-8")
        probe.unlink()
        free = shutil.disk_usage(home[0].path).free
        told = f"{home[0].path}, {free / 1e9:.0f} GB free"
        if free < LITTLE_DISK:
            return Finding("home", "note", told, "Volumes of local machines lie there: make room, or set FLEET_HOME.")
        return Finding("home", "good", told)

    looks: list[tuple[str, Callable[[], Finding]]] = [
        ("python", _python),
        ("home", at_home),
        ("bucket", lambda: _bucket(home[0] if home else None, bucket)),
        ("processes", _processes),
        ("docker", _docker),
        ("compose", _compose),
        ("numpy", lambda: _module("numpy", "the demo trains with it", "demo")),
    ]
    for what, look in looks:
        try:
            yield look()
        except FleetError as error:
            yield Finding(what, "bad", error.message, error.hint)
        except OSError as error:
            yield Finding(
                what, "bad", f"{error.filename or what}: {error.strerror or error}", "Set FLEET_HOME to another folder."
            )


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", "good", f"{version} on {sys.platform}, {Path(sys.executable)}")


def _bucket(home: Home | None, named: str | None) -> Finding:
    """Reached, writable, exclusive creation honoured, its clock not far from ours."""
    from fleet.store.probe import check_exclusive_creation

    if home is None:
        return Finding("bucket", "bad", "without a home there is no default bucket")
    url = named or home.bucket
    objects = open_bucket(home, url)
    check_exclusive_creation(objects)
    skew = objects.now() - time.time()
    if abs(skew) > SKEW:
        return Finding(
            "bucket",
            "note",
            f"{url} honours exclusive creation; this computer's clock is off by {skew:.0f} s",
            "Set the clock.",
        )
    return Finding("bucket", "good", f"{url} can be written and honours exclusive creation")


def _processes() -> Finding:
    """Machines of ``local`` are found by a mark in their environment."""
    import psutil

    try:
        psutil.Process().environ()
    except psutil.Error as error:
        return Finding(
            "processes", "bad", f"processes cannot be looked at: {error}", "Machines of `local` cannot be ended safely here."
        )
    return Finding("processes", "good", f"{len(psutil.pids())} run; machines of `local` can be found and ended")


def _docker() -> Finding:
    """Only jobs with a ``stack`` need it."""
    try:
        return Finding("docker", "good", f"its engine answers, version {find_engine(os.environ).version()}")
    except FleetError as error:
        return Finding("docker", "note", f"{error.message}; only jobs with a stack need it", error.hint)


def _compose() -> Finding:
    from fleet.workloads.compose import find_compose

    try:
        return Finding("compose", "good", find_compose(os.environ).told)
    except FleetError as error:
        return Finding("compose", "note", f"{error.message}; only jobs with a stack need it", error.hint)


def _module(name: str, why: str, extra: str) -> Finding:
    if importlib.util.find_spec(name) is None:
        return Finding(name, "note", f"not installed; {why}", f"pip install 'fleet[{extra}]'")
    return Finding(name, "good", "installed")
