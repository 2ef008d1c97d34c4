"""What a driver knows of the machine that it was started on: from its environment, and where things lie."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fleet.engine import ENGINE_NOTE
from fleet.model.base import Seconds
from fleet.model.errors import FleetError
from fleet.model.stackfile import project_name
from fleet.workloads.deepracer.place import SAGEMAKER
from fleet.workloads.deepracer.prefix import Prefix, S3Place, open_s3, prefixes
from fleet.workloads.stopping import stop_by

BUCKET = "bucket"
"""The look-alike's only one, by the name that everybody gives it."""


@dataclass(frozen=True)
class Ground:
    """An attempt's machine, as its training sees it."""

    run: str
    """The run's id."""
    attempt: int
    volume: Path
    checkpoints: Path
    note: Path
    """On the machine's own disk: which engine runs the containers, and under which project, for whoever ends the machine."""
    workdir: Path
    labels: Mapping[str, str]
    env: Mapping[str, str]

    @property
    def project(self) -> str:
        """The compose project: no other attempt's."""
        return project_name(self.run, self.attempt)

    @property
    def own(self) -> Path:
        """On the machine's own disk, for what is generated."""
        return self.note.parent

    @property
    def sagemaker(self) -> Path:
        """Where coach's launcher writes the compose file of the trainer that it starts."""
        return self.own / SAGEMAKER

    @property
    def is_own(self) -> bool:
        """The machine is the run's alone; under ``local`` it is the user's computer, with others' containers and images."""
        return self.env.get("FLEET_ROOT") == "/"

    def stop_by(self, asked: Seconds) -> Seconds:
        """When whoever was asked to stop at ``asked`` is killed."""
        return stop_by(self.own.parent, asked)


def ground_of(env: Mapping[str, str], workdir: Path) -> Ground:
    """From the variables that fleet gives every training. Raises FleetError outside of fleet."""
    missing = [name for name in ("FLEET_RUN_ID", "FLEET_ATTEMPT", "FLEET_VOLUME", "FLEET_CHECKPOINTS") if not env.get(name)]
    if missing:
        raise FleetError(f"{', '.join(missing)} not set: this is started by fleet on a machine", "Start it: fleet up")
    note = env.get("FLEET_ENGINE_NOTE") or str(Path(env["FLEET_VOLUME"]) / ".fleet" / ENGINE_NOTE)
    run, attempt = env["FLEET_RUN_ID"], int(env["FLEET_ATTEMPT"])
    labels = {"fleet.run": run, "fleet.attempt": str(attempt), "fleet.instance": env.get("FLEET_INSTANCE_ID", "")}
    return Ground(
        run=run,
        attempt=attempt,
        volume=Path(env["FLEET_VOLUME"]),
        checkpoints=Path(env["FLEET_CHECKPOINTS"]),
        note=Path(note),
        workdir=workdir,
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
    with contextlib.suppress(OSError):
        if text := path.read_text(encoding="utf-8"):  # a full disk leaves an empty one
            return text
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
