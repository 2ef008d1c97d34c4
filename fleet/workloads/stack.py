"""What fleet lays over a user's compose file, so that a stack trains on a machine as a command would.

An override file of compose, made from the resolved configuration: it holds names of variables, never their values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fleet.model.errors import FleetError

LOGGING = {"driver": "json-file", "options": {"max-size": "10m", "max-file": "2"}}
"""Docker keeps a container's output for ever unless told; fleet has it in the run's log."""
OVERRIDE = "override.yaml"
MARK = "FLEET_INSTANCE_ID"
"""``local`` knows a machine's processes by it; a container is found by its project."""


@dataclass(frozen=True, slots=True)
class StackSpec:
    """A stack of an attempt."""

    file: Path
    """The user's compose file, in the unpacked workdir."""
    folder: Path
    """The workdir: every command is started there, so that ``fleet exec`` lands in it."""
    project: str
    own: Path
    """A folder on the machine's own disk for what fleet writes about the stack."""
    labels: Mapping[str, str]
    """For people who look at containers: whose they are."""
    names: Sequence[str]
    """The variables that the training has in its environment, beside fleet's own."""
    mounts: Sequence[str]
    """Files and folders that the training finds at the same place inside its container."""


def environment(env: Mapping[str, str], own: Sequence[str], uid: int, gid: int) -> dict[str, str]:
    """What compose runs with: the training's environment (``own`` are the job's names), and who the agent is.

    Without compose's own variables, unless the job sets them: they come from a terminal that the next machine has not.
    """
    kept = {key: value for key, value in env.items() if key in own or not key.startswith("COMPOSE_")}
    return {**kept, "FLEET_UID": str(uid), "FLEET_GID": str(gid)}


STOP_GRACE = "45s"


def resolved(text: str) -> dict[str, Any]:
    """What ``compose config`` printed. Raises FleetError if it is no configuration."""
    try:
        config = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise FleetError(f"compose resolves the file to what cannot be read: {error}") from None
    if not isinstance(config, dict) or not isinstance(config.get("services"), dict):
        raise FleetError("compose finds no services in the file")
    return config


def override(spec: StackSpec, config: Mapping[str, Any], main: str, env: Mapping[str, str], base: Mapping[str, str]) -> str:
    """The text of the override file; ``base`` are keys that it shares with the user's file.

    Every service: labels, and a bound on the output that docker keeps. One that is built gets a name that a second attempt
    finds again. The training: fleet's variables, the volume, and no restarts but fleet's own. Raises FleetError if the
    training is not among the services.
    """
    if main not in config["services"]:
        raise FleetError(f"compose does not start the service {main}: {', '.join(config['services'])} it does")
    services: dict[str, dict[str, Any]] = {name: {"labels": dict(spec.labels)} for name in config["services"]}
    for name, service in config["services"].items():
        over = services[name]
        if "logging" not in service:
            over["logging"] = LOGGING
        if "build" in service and "image" not in service:
            over["image"] = f"{spec.labels['fleet.run']}-{name}".lower()
    fleets = [key for key in env if key.startswith("FLEET_") and key != MARK]
    services[main] |= {
        "environment": sorted({*fleets, "PYTHONUNBUFFERED", *spec.names} & env.keys()),
        "volumes": [f"{path}:{path}".replace("$", "$$") for path in spec.mounts],
        "restart": "no",
    }
    if "stop_grace_period" not in config["services"][main]:
        services[main]["stop_grace_period"] = STOP_GRACE  # whoever stops the engine, as a shutdown does: it saves first
    return json.dumps({**base, "services": services}, indent=2) + "\n"
