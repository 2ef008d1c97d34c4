"""The docker engine of this computer: whether it answers, and what a compose project left on it.

Beneath providers and workloads: both need it, and neither imports the other. The docker command line is used rather than
the engine's socket, since it knows contexts, remote engines and Docker Desktop.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleet.model.errors import FleetError

ENGINE_NOTE = "stack/engine.json"
"""Relative to the machine's own disk: which engine runs its containers, and under which project. Written before the first
is made, so that whoever ends the machine can take them along."""
LOOK = 20.0
"""An engine that answers does so within this, also on a busy computer."""
REMOVE = 60.0
PROJECT_LABEL = "com.docker.compose.project"
"""Compose v1 and v2 put it on every container, network and volume that they make."""
FOLDER_LABEL = "com.docker.compose.project.working_dir"
"""Where the compose file lies; an old compose does not say it."""
ROUNDS = 20
SETTLE = 0.3
"""A request that its client did not live to see answered may still make a container for so long."""
INSTALL = "Install Docker: https://docs.docker.com/engine/install"
_PASSED_ON = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
_KINDS: Sequence[tuple[Sequence[str], Sequence[str]]] = (
    (("ps", "--all"), ("rm", "--force", "--volumes")),
    (("network", "ls"), ("network", "rm")),
    (("volume", "ls"), ("volume", "rm", "--force")),
)
"""How each kind of thing is listed and removed; containers first, since they hold the others."""


class EngineAwayError(FleetError):
    """The engine is not to be heard: it may be starting."""


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine, as the docker command line reaches it."""

    docker: str
    """The program."""
    env: Mapping[str, str]
    """Its environment."""
    folder: Path | None = None
    """Where it is started, if that matters."""

    def ask(self, *words: str, timeout: float | None = LOOK) -> subprocess.CompletedProcess[str]:
        """Run a docker command. Raises FleetError if it cannot be run or hangs; its exit code is the caller's to judge."""
        return asked([self.docker, *words], self.env, timeout, self.folder)

    def version(self) -> str:
        """The engine's version. Raises FleetError that says why it cannot be used, and what to do."""
        answer = self.ask("version", "--format", "{{.Server.Version}}")
        if answer.returncode == 0 and answer.stdout.strip():
            return answer.stdout.strip()
        told = last_line(answer.stderr) or "it says nothing"
        if "permission denied" in told.casefold():
            raise FleetError(
                f"the docker engine may not be used by this user: {told}",
                "Join its group and log in again: sudo usermod -aG docker $USER",
            )
        raise EngineAwayError(
            f"the docker engine does not answer: {told}", "Start it: sudo systemctl start docker, or Docker Desktop."
        )

    def way(self) -> dict[str, str]:
        """What another process needs to reach the same engine; no secret."""
        return {name: self.env[name] for name in _PASSED_ON if name in self.env}

    def remove(self, project: str, *, settle: float = SETTLE) -> None:
        """Remove a project's containers at once, whatever they do, then its networks and volumes; nothing of others.

        Looks again after ``settle`` seconds. Raises FleetError naming what is left.
        """
        deadline, told, clean = time.monotonic() + REMOVE, "", 0
        for _ in range(ROUNDS):
            left = [(*remove, name) for look, remove in _KINDS for name in self._named(look, project)]
            clean = clean + 1 if not left else 0
            if not left and (clean > 1 or settle == 0):
                return
            if time.monotonic() > deadline:
                break
            told = self._remove(left) or told
            time.sleep(settle if not left else 0)
        hint = f"{self.docker} ps --all --filter label={PROJECT_LABEL}={project}"
        raise FleetError(f"the project {project} could not be removed from the docker engine: {told}", f"Look: {hint}")

    def projects_below(self, folder: str) -> list[str]:
        """The compose projects whose files lie below a folder, and which have a container. Raises FleetError."""
        answer = self.ask("ps", "--all", "--format", f'{{{{.Label "{PROJECT_LABEL}"}}}} {{{{.Label "{FOLDER_LABEL}"}}}}')
        if answer.returncode != 0:
            raise FleetError(f"the docker engine does not answer: {last_line(answer.stderr)}")
        found = (line.partition(" ") for line in answer.stdout.splitlines())
        return sorted({project for project, _, where in found if project and where.startswith(f"{folder}/")})

    def _named(self, look: Sequence[str], project: str) -> list[str]:
        answer = self.ask(*look, "--quiet", "--filter", f"label={PROJECT_LABEL}={project}")
        if answer.returncode != 0:
            raise FleetError(f"the docker engine does not answer: {last_line(answer.stderr)}")
        return answer.stdout.split()

    def _remove(self, left: Sequence[Sequence[str]]) -> str:
        """Remove each kind's things with one command; what was said of the last that failed."""
        told = ""
        for _, remove in _KINDS:
            names = [words[-1] for words in left if tuple(words[:-1]) == tuple(remove)]
            if names:
                answer = self.ask(*remove, *names, timeout=REMOVE)
                told = last_line(answer.stderr) if answer.returncode != 0 else told
        return told


def find_engine(env: Mapping[str, str], folder: Path | None = None) -> Engine:
    """The engine that the environment leads to. Raises FleetError without the docker command."""
    docker = shutil.which("docker", path=env.get("PATH"))
    if docker is None:
        raise FleetError("there is no docker command on this computer", INSTALL)
    return Engine(docker, env, folder)


def remove_noted(note: Mapping[str, Any], env: Mapping[str, str]) -> None:
    """Remove what a machine's note tells of: its project, then those ``beside`` it, which its containers started, and
    those whose files lie ``below`` a folder of its own: what they started just before their driver died is in no list.

    Raises FleetError naming what is left; LookupError, TypeError, ValueError for what is no note.
    """
    engine = Engine(str(note["docker"]), {**env, **note["env"]})
    engine.remove(str(note["project"]))
    for project in note.get("beside", ()):
        engine.remove(str(project))
    if note.get("below"):
        for project in engine.projects_below(str(note["below"])):
            engine.remove(project)


def asked(
    words: Sequence[str], env: Mapping[str, str], timeout: float | None, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """A program's answer. Raises FleetError if it cannot be started, EngineAwayError if it does not end within ``timeout``.

    An engine that starts by its socket hears its callers at once, and answers when it has read all that lies on its disk.
    """
    try:
        return subprocess.run(
            list(words),
            cwd=folder,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        told = f"{' '.join(words[:3])} does not answer within {timeout or 0:.0f} s"
        raise EngineAwayError(told, "Is the docker engine starting, or stuck? Try: docker info") from None
    except OSError as error:
        raise FleetError(f"{words[0]} cannot be started: {error.strerror or error}", INSTALL) from None


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
