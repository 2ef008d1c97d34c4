"""What may be wrong with a machine that trains, or is to: the table of checks, and the probe that they go by."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from fleet.model.errors import FleetError
from fleet.workloads.deepracer import machine_checks as machine
from fleet.workloads.deepracer import probe
from fleet.workloads.deepracer import stack_checks as stack
from fleet.workloads.deepracer.probed import NETWORK, Line, Probed, Wish, probed

PATIENCE = 150.0
"""Seconds: the probe's own timeouts are shorter."""

CHECKS: tuple[Callable[[Probed, Wish], Line], ...] = (
    machine.docker,
    machine.compose,
    machine.driver,
    machine.capability,
    machine.gpu_in_docker,
    machine.runtime,
    machine.network,
    stack.bucket,
    stack.custom_files,
    stack.containers,
    stack.gpu_use,
    stack.sync_files,
    stack.progress,
    stack.pace,
    machine.disk,
    stack.actions,
)
"""In the order of the facts: what fails first explains what fails after."""


def examine(seen: Probed, wish: Wish) -> list[Line]:
    """Every check's line."""
    return [check(seen, wish) for check in CHECKS]


def command(python: str = "python3") -> list[str]:
    """The probe, as a command for any machine that has Python."""
    source = Path(probe.__file__).read_text(encoding="utf-8")
    return [python, "-I", "-c", source, json.dumps({"network": NETWORK})]


def look_here(folder: str | None = None, env: Mapping[str, str] | None = None) -> Probed:
    """Probe this computer, in a training's folder and environment if there is one. Raises FleetError."""
    try:
        done = subprocess.run(
            command(sys.executable),
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FleetError(
            "this computer does not answer its own questions in time", "Is it overloaded, or docker stuck?"
        ) from None
    except OSError as error:
        raise FleetError(f"{error.filename or sys.executable}: {error.strerror or error}") from None
    return understood(done.stdout, done.stderr)


def understood(out: bytes, err: bytes = b"") -> Probed:
    """The probe's answer. Raises FleetError if it is none."""
    try:
        return probed(json.loads(out))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        told = (err or out).decode("utf-8", "replace").strip().splitlines()
        raise FleetError(f"the machine could not be looked at: {told[-1] if told else 'it says nothing'}") from None
