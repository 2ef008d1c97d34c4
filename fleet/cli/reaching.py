"""What ``exec``, ``ssh`` and ``forward`` share: a run's machine, and words on standard error."""

from __future__ import annotations

import sys

from fleet.boot.reach import SshError
from fleet.cli.leaving import leave_properly
from fleet.cli.plain import plain
from fleet.control.controller import Controller
from fleet.control.reaching import Machine, Reaching, provider_of
from fleet.control.ways import way_to
from fleet.core.state import RunState

EXIT_UNREACHED = 255
"""As the OpenSSH client has it: the machine could not be reached, or no longer."""


def tell(text: str) -> None:
    """A line for people: standard output belongs to what runs on the machine."""
    sys.stderr.write(plain(f"fleet: {text}") + "\n")
    sys.stderr.flush()


def reaching_of(controller: Controller, run: RunState, come_from: str | None) -> Reaching:
    """The way to a run's machines. Raises FleetError."""
    leave_properly()
    return Reaching(controller, run.run_id, way_to(controller, provider_of(run), come_from), tell)


def unreached(reaching: Reaching, machine: Machine, error: SshError) -> int:
    """Say why, and where the run is; the exit code."""
    tell(str(error))
    tell(reaching.whereabouts(machine))
    return EXIT_UNREACHED
