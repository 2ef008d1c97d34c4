"""Docker compose, version 1 (``docker-compose``) and 2 (``docker compose``): which there is, and how it is called.

All that sets the versions apart stands here.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleet.engine import LOOK, Engine, asked, find_engine
from fleet.model.errors import FleetError

INSTALL = "Install the compose plugin: https://docs.docker.com/compose/install"
_VERSION = re.compile(r"\bv?(\d+)\.(\d+)\.(\d+)")
_FILES_VERSION = re.compile(r"^version:\s*['\"]?([\d.]+)", re.MULTILINE)
_OBSOLETE = re.compile(r"the attribute `version` is obsolete")


@dataclass(frozen=True, slots=True)
class Compose:
    """A compose that can be called, and the engine behind it."""

    engine: Engine
    engine_version: str
    command: tuple[str, ...]
    """``docker compose`` or ``docker-compose``."""
    version: tuple[int, int, int]

    @property
    def is_v1(self) -> bool:
        """The Python one, which ended with 1.29."""
        return self.version[0] < 2

    @property
    def told(self) -> str:
        """For people."""
        name = f"{Path(self.command[0]).name} {' '.join(self.command[1:])}".strip()
        return f"docker engine {self.engine_version}, {name} {'.'.join(map(str, self.version))}"

    def words(self, project: str, files: Sequence[Path], *rest: str) -> list[str]:
        """The command line of a subcommand for a project, without colours and cursor movements."""
        plain = ("--no-ansi",) if self.version < (1, 28, 0) else ("--ansi", "never")
        named = [word for file in files for word in ("--file", str(file))]
        return [*self.command, *plain, "--project-name", project, *named, *rest]

    def files_version(self, text: str) -> dict[str, str]:
        """The ``version`` that a file laid over another must have: v1 wants the same as there, v2 none."""
        found = _FILES_VERSION.search(text) if self.is_v1 else None
        return {"version": found[1]} if found else {}

    def worth_telling(self, line: str) -> bool:
        """Whether the user should read what compose says: v2 remarks at every call on the key that v1 wanted."""
        return not _OBSOLETE.search(line)


def find_compose(env: Mapping[str, str], folder: Path | None = None) -> Compose:
    """The compose of this computer, v2 before v1. Raises FleetError that says what is missing and how to get it."""
    engine = find_engine(env, folder)
    version = engine.version()
    v2 = (engine.docker, "compose")
    found = _version_of(v2, env)
    if found is not None:
        return Compose(engine, version, v2, found)
    alone = shutil.which("docker-compose", path=env.get("PATH"))
    found = _version_of((alone,), env) if alone is not None else None
    if alone is None or found is None:
        raise FleetError("there is no docker compose on this computer", INSTALL)
    return Compose(engine, version, (alone,), found)


def _version_of(command: tuple[str, ...], env: Mapping[str, str]) -> tuple[int, int, int] | None:
    answer = asked([*command, "version", "--short"], env, LOOK)
    match = _VERSION.search(answer.stdout) if answer.returncode == 0 else None
    return (int(match[1]), int(match[2]), int(match[3])) if match else None
