"""A small host of the user's: a real sshd whose sessions have a home and programs of their own, and nothing else of this
computer's; systemd and cron are stand-ins that write down what they were told.
"""

from __future__ import annotations

import getpass
import gzip
import importlib.metadata
import shutil
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tests.boot.shims import Shims
from tests.ssh.sshd import Sshd, public

NEEDED = (
    "sh", "id", "uname", "cat", "ls", "grep", "sed", "mkdir", "rm", "rmdir", "mv", "ln", "tar", "gzip", "chmod", "sync",
    "env", "dirname", "readlink", "sleep", "test", "wc",
    "mktemp",
)  # fmt: skip
"""All that a host must have beside Python, and has."""
SYSTEMCTL = """case "$*" in
    *is-active*) test -e "{state}/active" ;;
    *"enable --now"*|*restart*) : >"{state}/active" ;;
    *"disable --now"*) rm -f "{state}/active" ;;
esac"""
CRONTAB = """case "$1" in
    -l) test -e "{state}/crontab" || {{ echo "no crontab for me" >&2; exit 1; }}; cat "{state}/crontab" ;;
    -r) rm "{state}/crontab" ;;
    *) cat "$1" >"{state}/crontab" ;;
esac"""
SERVICES = ("s3", "sts", "ec2")
"""botocore's data is most of the packages; a round needs so much of it."""


class SmallHost:
    """One, and what became of it."""

    def __init__(self, folder: Path, authorized: Path) -> None:
        self.home, self.state = folder / "host home", folder / "state"
        self.home.mkdir(parents=True)
        self.state.mkdir()
        self.shims = Shims(folder / "programs")
        for name in NEEDED:
            found = shutil.which(name, path="/usr/bin:/bin")
            assert found is not None, name
            (folder / "programs" / name).symlink_to(found)
        python = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]
        (folder / "programs" / "python3").write_text(f'#!/bin/sh\nexec {python} "$@"\n')
        (folder / "programs" / "python3").chmod(0o755)
        self.shims.add("systemctl", SYSTEMCTL.format(state=self.state))
        self.shims.add("loginctl")
        self.shims.add("crontab", CRONTAB.format(state=self.state))
        env = {"HOME": f'"{self.home}"', "PATH": str(folder / "programs")}
        self.sshd = Sshd(folder / "sshd", authorized, env=env)

    @property
    def base(self) -> Path:
        """Where the controller lies."""
        return self.home / ".local/share/fleet/controller"

    @property
    def unit(self) -> Path:
        return self.home / ".config/systemd/user/fleet-controller.service"

    @property
    def target(self) -> str:
        """What is typed."""
        return f"{getpass.getuser()}@127.0.0.1:{self.sshd.port}"

    @property
    def crontab(self) -> bytes | None:
        path = self.state / "crontab"
        return path.read_bytes() if path.exists() else None

    @property
    def commands(self) -> list[str]:
        """What systemd was told, but for being asked."""
        log = self.shims.log.read_text().splitlines() if self.shims.log.exists() else []
        return [line for line in log if "is-active" not in line and not line.startswith("crontab")]

    @property
    def current(self) -> str:
        """The version in use."""
        return str((self.base / "current").readlink())

    def versions(self) -> list[str]:
        return sorted(path.name for path in self.base.glob("[0-9]*"))

    def known_to(self, home: Path) -> None:
        """Somebody compared its key once."""
        with (home / ".ssh" / "known_hosts").open("a") as file:
            file.write(f"[127.0.0.1]:{self.sshd.port} {public(self.sshd.host_key)}\n")

    def reaches(self, endpoint: str) -> None:
        """This cloud, with nobody's keys."""
        folder = self.home / ".aws"
        folder.mkdir(exist_ok=True)
        (folder / "config").write_text(f"[default]\nregion = us-east-1\nendpoint_url = {endpoint}\n")

    def has_credentials(self, endpoint: str) -> None:
        """By itself: fleet brings none."""
        self.reaches(endpoint)
        keys = "[default]\naws_access_key_id = the-hosts\naws_secret_access_key = own\n"
        (self.home / ".aws" / "credentials").write_text(keys)


def installed(requirements: Sequence[str], python: str, arch: str, folder: Path) -> None:
    """In the place of pip's download: what is installed here, for this very Python."""
    for requirement in requirements:
        name, _, version = requirement.partition("==")
        found = importlib.metadata.distribution(name)
        assert found.version == version
        with zipfile.ZipFile(folder / f"{name}.whl", "w") as wheel:
            for file in found.files or ():
                if _is_wanted(file.parts):
                    wheel.write(str(found.locate_file(file)), str(file))


def quickly(data: bytes, level: int = 9) -> bytes:
    """In the place of packing tightly, which takes longer than everything else together."""
    return gzip.compress(data, min(level, 1))


def _is_wanted(parts: tuple[str, ...]) -> bool:
    """Neither programs nor caches, nor what is large and not needed here."""
    spare = parts[:2] == ("botocore", "data") and len(parts) > 3 and parts[2] not in SERVICES
    return parts[0] not in ("..", "pygments") and "__pycache__" not in parts and not spare
