"""fleet's home on this computer: where the embedded default keeps its bucket, its machines and its caches."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fleet.model.errors import FleetError


@dataclass(frozen=True, slots=True)
class AwsHome:
    """Where the fleet in an AWS account is, as this computer remembers it. Everything else lies in the bucket."""

    bucket: str
    """Its URL."""
    profile: str | None
    """The AWS profile that it was set up with; None: the default one."""
    regions: tuple[str, ...]
    profiles: Mapping[str, str | None]
    """The profile of every bucket that was set up from here, by its URL."""


@dataclass(frozen=True, slots=True)
class GcpHome:
    """Where the fleet in a Google Cloud project is, as this computer remembers it. Everything else lies in the bucket."""

    bucket: str
    """Its URL: ``gs://…``, or ``s3://…`` of a fleet that has machines in both clouds."""
    project: str
    """The project's id."""
    regions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Home:
    """``$FLEET_HOME``, else ``~/.fleet``."""

    path: Path

    @property
    def bucket(self) -> str:
        """The default bucket's URL: a folder."""
        return (self.path / "bucket").absolute().as_uri()

    @property
    def local(self) -> Path:
        """Where the provider ``local`` keeps its instances and volumes."""
        return self.path / "local"

    @property
    def cache(self) -> Path:
        """Immutable journal entries of remote buckets, for a quick start."""
        return self.path / "cache"

    def identity(self) -> str:
        """A random name for this home, made at first use."""
        path = self.path / "home-id"
        if not path.exists():
            self._check_writable()
            temporary = self.path / f".home-id-{secrets.token_hex(4)}"
            temporary.write_text(secrets.token_hex(8), encoding="utf-8")
            with contextlib.suppress(FileExistsError):
                os.link(temporary, path)  # whole, and only once
            temporary.unlink()
        return path.read_text(encoding="utf-8")

    def _check_writable(self) -> None:
        """Raises FleetError if nothing can be kept here."""
        probe = self.path / f".probe-{secrets.token_hex(4)}"
        try:
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise FleetError(
                f"fleet's home {self.path} cannot be written: {error.strerror or error}",
                "Set FLEET_HOME to a folder that you may write to.",
            ) from None

    def known_buckets(self) -> list[str]:
        """Every bucket that runs were made in from here, the default one first."""
        try:
            found = json.loads((self.path / "buckets.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = []
        others = [url for url in found if isinstance(url, str) and url != self.bucket]
        return [self.bucket, *others]

    def aws_profile(self, url: str) -> str | None:
        """The AWS profile that a bucket was set up with (``fleet init aws``), for when the environment chooses none.

        None: the standard AWS configuration holds as it stands.
        """
        if any(os.environ.get(name) for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID")):
            return None
        known = self.aws()
        return known.profiles.get(url) or None if known is not None else None

    def remember_bucket(self, url: str) -> None:
        """So that ``fleet ps`` looks there too."""
        known = self.known_buckets()
        if url in known:
            return
        self._check_writable()
        self._replace("buckets.json", [*known, url])

    def aws(self) -> AwsHome | None:
        """What ``fleet init aws`` set up from here; None: nothing."""
        try:
            found = json.loads((self.path / "aws.json").read_text(encoding="utf-8"))
            profile, regions = found.get("profile"), found.get("regions", ())
            profiles = {**found.get("profiles", {}), str(found["bucket"]): profile}
            return AwsHome(
                bucket=str(found["bucket"]),
                profile=None if profile is None else str(profile),
                regions=tuple(map(str, regions)),
                profiles={str(url): None if one is None else str(one) for url, one in profiles.items()},
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def remember_aws(self, bucket: str, profile: str | None, regions: Iterable[str]) -> None:
        """So that every command finds the set-up again, also one that broke off."""
        self._check_writable()
        known = self.aws()
        others = dict(known.profiles) if known is not None else {}
        told = {"bucket": bucket, "profile": profile, "regions": list(regions), "profiles": {**others, bucket: profile}}
        self._replace("aws.json", told)

    def forget_aws(self) -> None:
        """It is gone."""
        (self.path / "aws.json").unlink(missing_ok=True)

    def gcp(self) -> GcpHome | None:
        """What ``fleet init gcp`` set up from here; None: nothing."""
        try:
            found = json.loads((self.path / "gcp.json").read_text(encoding="utf-8"))
            regions = tuple(map(str, found.get("regions", ())))
            return GcpHome(str(found["bucket"]), str(found["project"]), regions)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def remember_gcp(self, bucket: str, project: str, regions: Iterable[str]) -> None:
        """So that every command finds the set-up again, also one that broke off."""
        self._check_writable()
        self._replace("gcp.json", {"bucket": bucket, "project": project, "regions": list(regions)})

    def forget_gcp(self) -> None:
        """It is gone."""
        (self.path / "gcp.json").unlink(missing_ok=True)

    def forget_bucket(self, url: str) -> None:
        """It is gone: nobody is to look there any more."""
        if url in self.known_buckets():
            self._replace("buckets.json", [one for one in self.known_buckets() if one != url])

    def _replace(self, name: str, value: object) -> None:
        temporary = self.path / f".{name}-{os.getpid()}.tmp"
        temporary.write_text(json.dumps(value), encoding="utf-8")
        temporary.replace(self.path / name)


def open_home(path: Path | None = None) -> Home:
    """The home folder, made if need be. Raises FleetError if that cannot be."""
    given = path or (Path(os.environ["FLEET_HOME"]) if os.environ.get("FLEET_HOME") else None)
    try:
        home = given or Path.home() / ".fleet"
        home.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:
        raise FleetError(
            f"fleet's home cannot be made: {error}", "Set FLEET_HOME to a folder that you may write to."
        ) from None
    return Home(home.absolute())


def user_folder() -> Path:
    """Where the user's services are kept. Raises FleetError if nobody's home folder is known."""
    try:
        return Path(os.environ.get("HOME") or Path.home())
    except RuntimeError:
        raise FleetError(
            "nobody's home folder is known here, and services are kept in it", "Set HOME; or run `fleet controller run`."
        ) from None
