"""``fleet ssh``: a shell on a run's machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from fleet.boot.reach import Reach, SshError, known_hosts, openssh
from fleet.cli.exec import run_here
from fleet.cli.reaching import EXIT_UNREACHED, reaching_of, tell, unreached
from fleet.control.opened import opened_run
from fleet.control.reaching import Machine, Reaching, machine_of


def log_in(name: str, bucket: str | None, *, identity: Path | None = None, come_from: str | None = None) -> int:
    """A shell; its exit code, or 255 if the machine was not reached, or went away meanwhile."""
    controller, run = opened_run(bucket, name)
    machine = machine_of(run)
    if machine.provider == "local":
        return run_here(machine, [os.environ.get("SHELL") or "/bin/sh"])
    return log_in_remotely(reaching_of(controller, run, come_from), machine, identity)


def log_in_remotely(reaching: Reaching, machine: Machine, identity: Path | None) -> int:
    """With the OpenSSH client if there is one: users know its ways with terminals, agents and configuration."""
    try:
        with reaching.reach(machine) as reach:
            tell(f"{reach.user} on {reach.name}; `fleet exec {reaching.run.name} -- bash` is where its training runs")
            if shutil.which("ssh") is None:
                return _without_client(reach, identity)
            code = _with_client(reach, identity)
            if code == EXIT_UNREACHED:
                _explain(reaching, machine, reach, identity)
            return code
    except SshError as error:
        return unreached(reaching, machine, error)


def _with_client(reach: Reach, identity: Path | None) -> int:
    """OpenSSH, told to know this one machine."""
    with tempfile.TemporaryDirectory(prefix="fleet-ssh-") as folder:
        known = Path(folder) / "known_hosts"
        known.write_text(known_hosts(reach), encoding="utf-8")
        code = subprocess.run(openssh(reach, known, identity), check=False).returncode
        return code if code >= 0 else 128 - code


def _without_client(reach: Reach, identity: Path | None) -> int:
    from fleet.boot.session import shell
    from fleet.boot.ssh import connect

    with connect(reach, identity=identity) as connection:
        return shell(connection, reach)


def _explain(reaching: Reaching, machine: Machine, reach: Reach, identity: Path | None) -> None:
    """What OpenSSH's own words on an unknown host, or a connection that ended, mean here."""
    from fleet.boot.ssh import trouble

    found = trouble(reach, identity=identity)
    if found is not None:
        tell(str(found))
    tell(reaching.whereabouts(machine))
