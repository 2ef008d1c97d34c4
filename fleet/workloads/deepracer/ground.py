"""What a driver knows of the machine that it was started on: from its environment, and where things lie."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fleet.engine import ENGINE_NOTE
from fleet.model.base import Seconds
from fleet.model.errors import FleetError
from fleet.model.stackfile import project_name
from fleet.workloads.deepracer.prefix import Prefix, S3Place, open_s3, prefixes

BUCKET = "bucket"
"""The look-alike's only one, by the name that everybody gives it."""
STOP_BY = "stop-by"
"""Beside the save request: when fleet kills whoever was asked to stop (seconds since 1970, by this machine's clock)."""
STOP_WITHIN: Seconds = 60.0
"""Where nobody says it."""


@dataclass(frozen=True)
class Ground:
    """An attempt's machine, as its training sees it."""

    run: str
    """The run's id."""
    attempt: int
    volume: Path
    checkpoints: Path
    own: Path
    """On the machine's own disk: what is generated, and the note by which others end the containers."""
    workdir: Path
    wish: Path | None
    """The file by which fleet asks for a checkpoint."""
    labels: Mapping[str, str]
    env: Mapping[str, str]

    @property
    def project(self) -> str:
        """The compose project: no other attempt's."""
        return project_name(self.run, self.attempt)

    @property
    def note(self) -> Path:
        """Which engine runs the containers, and under which project."""
        return self.own / Path(ENGINE_NOTE).name

    def stop_by(self, asked: Seconds) -> Seconds:
        """When whoever was asked to stop at ``asked`` is killed."""
        try:
            said = float((self.own.parent / STOP_BY).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return asked + STOP_WITHIN
        return said if said > asked else asked + STOP_WITHIN


def ground_of(env: Mapping[str, str], workdir: Path) -> Ground:
    """From the variables that fleet gives every training. Raises FleetError outside of fleet."""
    missing = [name for name in ("FLEET_RUN_ID", "FLEET_ATTEMPT", "FLEET_VOLUME", "FLEET_CHECKPOINTS") if not env.get(name)]
    if missing:
        raise FleetError(f"{', '.join(missing)} not set: this is started by fleet on a machine", "Start it: fleet up")
    wish = Path(env["FLEET_SAVE_REQUEST"]) if env.get("FLEET_SAVE_REQUEST") else None
    scratch = wish.parent if wish is not None else Path(env["FLEET_VOLUME"]) / ".fleet"
    run, attempt = env["FLEET_RUN_ID"], int(env["FLEET_ATTEMPT"])
    labels = {"fleet.run": run, "fleet.attempt": str(attempt), "fleet.instance": env.get("FLEET_INSTANCE_ID", "")}
    return Ground(
        run=run,
        attempt=attempt,
        volume=Path(env["FLEET_VOLUME"]),
        checkpoints=Path(env["FLEET_CHECKPOINTS"]),
        own=(scratch / ENGINE_NOTE).parent,
        workdir=workdir,
        wish=wish,
        labels=labels,
        env=env,
    )


@dataclass(frozen=True)
class Storage:
    """Where the stack keeps what it writes, as seen from the machine."""

    place: S3Place
    base: str = ""
    """Below which all prefixes of the run lie; empty, or ends with a slash."""

    def open(self, prefix: str) -> Prefix:
        """One of the run's prefixes."""
        return open_s3(self.place, self.base + prefix)

    def names(self) -> list[str]:
        """The names of the prefixes that there are."""
        if not self.base:
            return prefixes(self.place)
        found = open_s3(self.place, self.base.rstrip("/")).list()
        return sorted({name.partition("/")[0] for name in found if "/" in name})


def look_alike(endpoint: str, secret: str) -> S3Place:
    """The bucket on the instance."""
    return S3Place(BUCKET, endpoint, "fleet", secret)


def made_secret(own: Path) -> str:
    """The look-alike's key, made anew for each attempt; only this user reads it."""
    path = own / "s3-key"
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        text = secrets.token_hex(20)
    own.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
    return text


def runs_bucket(env: Mapping[str, str], run: str) -> Storage:
    """The run's own bucket, for ``storage: bucket``. Raises FleetError where it is none that containers could reach."""
    scheme, _, rest = env.get("FLEET_BUCKET", "").partition("://")
    bucket, _, root = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise FleetError("storage: bucket needs a bucket of Amazon's for the run", "Say storage: instance")
    base = f"{root.strip('/')}/runs/{run}/deepracer/".lstrip("/")
    return Storage(S3Place(bucket, region=env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "us-east-1"), base)
