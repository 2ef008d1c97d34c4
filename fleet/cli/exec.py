"""``fleet exec``: a command on a run's machine, where its training runs and with its environment."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from fleet.control.opened import opened_run
from fleet.core.facts import place_of
from fleet.model.errors import FleetError
from fleet.providers.local.processes import training_of


def run_there(name: str, command: Sequence[str], bucket: str | None) -> int:
    """Run a command; its exit code. Raises FleetError while no training runs."""
    _, run = opened_run(bucket, name)
    attempt = run.newest
    if not command:
        raise FleetError("there is no command", f"fleet exec {run.name} -- ls -l")
    if attempt is None or not attempt.serving or attempt.instance_id is None:
        raise FleetError(f"run {run.run_id} has no machine now", f"`fleet status {run.name}` says why.")
    if place_of(attempt)[0] != "local":
        raise FleetError(f"`exec` does not reach machines of {place_of(attempt)[0]} in this version of fleet (not yet)")
    found = training_of(attempt.instance_id)
    if found is None:
        raise FleetError(f"nothing runs on {attempt.instance_id} yet", "Try again once it trains.")
    folder, env = found
    try:
        return subprocess.run(list(command), cwd=folder, env=env, check=False).returncode
    except OSError as error:
        raise FleetError(f"{command[0]} cannot be started there: {error.strerror or error}") from None
