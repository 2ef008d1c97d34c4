"""A stack's containers on the engine: the shared network, the trainer that coach started, where the look-alike listens."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

from fleet.engine import FOLDER_LABEL, PROJECT_LABEL, REMOVE, Engine, last_line
from fleet.model.errors import FleetError
from fleet.model.stackfile import project_name
from fleet.workloads.compose import Compose
from fleet.workloads.deepracer.place import NETWORK, S3_PORT, Place

SERVICE_LABEL = "com.docker.compose.service"
TRAINER_MARK = "-algo-"
"""In the name of every container that the SageMaker SDK starts."""
DEVICES_SINCE = (1, 28, 0)
"""Compose knows device requests since then."""


@dataclass(frozen=True, slots=True)
class Container:
    """One of a stack's."""

    id: str
    service: str
    """``s3``, ``coach``, ``trainer``, ``simulator``, ``simulator-2``, …; coach's trainer is ``trainer`` too."""
    status: str
    """docker's word: ``running``, ``exited``, …"""
    code: int
    """The exit code, once it has ended."""
    out_of_memory: bool


def gpu_by(compose: Compose) -> Literal["devices", "runtime"]:
    """How this compose asks for GPUs."""
    return "devices" if compose.version >= DEVICES_SINCE else "runtime"


def ensure_network(engine: Engine) -> None:
    """Make the network that all stacks of a machine share, unless it is there. It stays: another run may be in it."""
    if engine.ask("network", "inspect", "--format", "{{.Id}}", NETWORK).returncode == 0:
        return
    answer = engine.ask("network", "create", NETWORK)
    if answer.returncode != 0 and engine.ask("network", "inspect", NETWORK).returncode != 0:  # another run was faster
        raise FleetError(f"docker's network {NETWORK} cannot be made: {last_line(answer.stderr)}")


def s3_address(engine: Engine, place: Place) -> str | None:
    """Where the look-alike listens on this machine (``http://127.0.0.1:49153``); None if it does not run."""
    for container in containers(engine, place):
        if container.service == "s3":
            answer = engine.ask("port", container.id, f"{S3_PORT}/tcp")
            port = answer.stdout.strip().rpartition(":")[2]
            return f"http://127.0.0.1:{port}" if answer.returncode == 0 and port.isdigit() else None
    return None


def containers(engine: Engine, place: Place) -> list[Container]:
    """Every container of the stack, those that ended and coach's trainer among them."""
    mine = _ids(engine, f"label={PROJECT_LABEL}={place.project}")
    found = [_container(one) for one in _inspected(engine, mine)]
    return [*found, *(_container(one, "trainer") for one in _spawned(engine, place))]


def projects_of(engine: Engine, run: str) -> set[str]:
    """The projects of all attempts of a run that left something here; also where coach's trainer alone is left.

    Raises FleetError if the engine does not say: what is left would be taken for the new stack's own.
    """
    words = ("ps", "--all", "--filter", f"label=fleet.run={run}", "--format", f'{{{{.Label "{PROJECT_LABEL}"}}}}')
    answer = engine.ask(*words)
    if answer.returncode != 0:
        raise FleetError(f"the docker engine does not answer: {last_line(answer.stderr)}")
    found = set(answer.stdout.split())
    ours = re.compile(re.escape(f"RUN_ID={project_name(run, 0)[:-1]}") + r"\d+")
    for one in _inspected(engine, _ids(engine, f"name={TRAINER_MARK}")):
        variables = one.get("Config", {}).get("Env") or []
        found |= {name.removeprefix("RUN_ID=") for name in variables if ours.fullmatch(name)}
    return found


def spawned_projects(engine: Engine, place: Place) -> list[str]:
    """The compose projects by which coach started the trainer."""
    return sorted({_labels(one).get(PROJECT_LABEL, "") for one in _spawned(engine, place)} - {""})


def remove_trainer(engine: Engine, place: Place) -> None:
    """Remove what coach started, whatever it does, with the network or volumes that its compose made."""
    spawned = _spawned(engine, place)
    ids = [str(one["Id"]) for one in spawned]
    if ids:
        answer = engine.ask("rm", "--force", "--volumes", *ids, timeout=REMOVE)
        if answer.returncode != 0 and _spawned(engine, place):
            raise FleetError(f"the trainer cannot be removed from the docker engine: {last_line(answer.stderr)}")
    for project in sorted({_labels(one).get(PROJECT_LABEL, "") for one in spawned} - {""}):
        engine.remove(project, settle=0)


def remove_stack(engine: Engine, place: Place) -> None:
    """Remove everything of the attempt. Coach goes first: it would start another trainer."""
    coach = [container.id for container in containers(engine, place) if container.service == "coach"]
    if coach:
        engine.ask("rm", "--force", "--volumes", *coach, timeout=REMOVE)
    remove_trainer(engine, place)
    engine.remove(place.project)
    remove_trainer(engine, place)


def _spawned(engine: Engine, place: Place) -> list[dict[str, Any]]:
    """What the SageMaker SDK started for this attempt, and for no other of this machine.

    It is known by the folder of the compose file that started it, which lies below ``Place.sagemaker``; or by the project's
    name, which coach passes on as RUN_ID, where the compose in coach's image is too old to say the folder.
    """
    found = _inspected(engine, _ids(engine, f"name={TRAINER_MARK}"))
    return [one for one in found if _is_ours(one, place)]


def _is_ours(one: dict[str, Any], place: Place) -> bool:
    labels = _labels(one)
    if labels.get(PROJECT_LABEL) == place.project:
        return False  # a service of the stack itself
    if labels.get(FOLDER_LABEL, "").startswith(f"{place.sagemaker}/"):
        return True
    mounts = [str(mount.get("Source", "")) for mount in one.get("Mounts") or []]
    variables = one.get("Config", {}).get("Env") or []
    return f"RUN_ID={place.project}" in variables or any(path.startswith(f"{place.sagemaker}/") for path in mounts)


def _ids(engine: Engine, wanted: str) -> list[str]:
    answer = engine.ask("ps", "--all", "--quiet", "--no-trunc", "--filter", wanted)
    if answer.returncode != 0:
        raise FleetError(f"the docker engine does not answer: {last_line(answer.stderr)}")
    return answer.stdout.split()


def _inspected(engine: Engine, ids: list[str]) -> list[dict[str, Any]]:
    """Those that are still there."""
    if not ids:
        return []
    answer = engine.ask("inspect", "--type", "container", *ids)  # of those that went meanwhile it says so, and fails
    try:
        return [one for one in json.loads(answer.stdout or "[]") if isinstance(one, dict)]
    except ValueError:
        raise FleetError(f"docker inspect says what cannot be read: {last_line(answer.stderr)}") from None


def _labels(one: dict[str, Any]) -> dict[str, str]:
    return dict(one.get("Config", {}).get("Labels") or {})


def _container(one: dict[str, Any], service: str | None = None) -> Container:
    state = one.get("State", {})
    name = service or _labels(one).get(SERVICE_LABEL, "")
    status, code = str(state.get("Status", "")), int(state.get("ExitCode") or 0)
    return Container(str(one["Id"]), name, status, code, out_of_memory=bool(state.get("OOMKilled")))
