"""``fleet exec``: a command on a run's machine, where its training runs and with its environment."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from fleet.control.opened import opened_run
from fleet.control.reaching import Machine, Reaching, machine_of
from fleet.model.errors import FleetError
from fleet.providers.local.processes import training_of


def run_there(
    name: str, command: Sequence[str], bucket: str | None, *, identity: Path | None = None, come_from: str | None = None
) -> int:
    """Run a command; its exit code. Raises FleetError while no training runs."""
    controller, run = opened_run(bucket, name)
    if not command:
        raise FleetError("there is no command", f"fleet exec {run.name} -- ls -l")
    machine = machine_of(run)
    if machine.provider == "local":
        return run_here(machine, command)
    from fleet.cli.reaching import reaching_of

    return run_remotely(reaching_of(controller, run, come_from), machine, command, identity)


def run_here(machine: Machine, command: Sequence[str]) -> int:
    """On this computer: its exit code, as a shell tells it."""
    found = training_of(machine.instance_id)
    if found is None:
        raise FleetError(f"nothing runs on {machine.instance_id} yet", "Try again once it trains.")
    folder, env = found
    try:
        code = subprocess.run(list(command), cwd=folder, env=env, check=False).returncode
    except OSError as error:
        raise FleetError(f"{command[0]} cannot be started there: {error.strerror or error}") from None
    return code if code >= 0 else 128 - code


def run_remotely(reaching: Reaching, machine: Machine, command: Sequence[str], identity: Path | None) -> int:
    """Over SSH: its exit code; 255 if the machine was not reached, or went away meanwhile."""
    from fleet.boot import session
    from fleet.boot.reach import SshError
    from fleet.boot.ssh import connect
    from fleet.cli.reaching import unreached

    try:
        with reaching.reach(machine) as reach, connect(reach, identity=identity) as connection:
            return session.run(connection, reach, command)
    except SshError as error:
        return unreached(reaching, machine, error)
