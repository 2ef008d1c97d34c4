"""``fleet forward``: ports of this computer that lead to a run's machine, and to the next one after it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from fleet.boot.forward import HERE, Forwarder, Ports, parse_ports
from fleet.boot.reach import Patience
from fleet.cli.output import say
from fleet.cli.plain import plain
from fleet.cli.reaching import reaching_of
from fleet.control.opened import opened_run
from fleet.control.reaching import Machine, Reaching, passes, provider_of
from fleet.model.errors import FleetError


def forward(
    name: str, wanted: Sequence[str], bucket: str | None, *, identity: Path | None = None, come_from: str | None = None
) -> int:
    """Carry connections until the run is over or Ctrl-C. Raises FleetError."""
    ports = tuple(parse_ports(text) for text in wanted)
    controller, run = opened_run(bucket, name)
    if provider_of(run) == "local":
        for one in ports:
            say(f"run {run.run_id} runs on this computer, where nothing needs forwarding: http://{HERE}:{one.remote}")
        return 0
    return carry_on(reaching_of(controller, run, come_from), ports, identity)


def carry_on(reaching: Reaching, ports: Sequence[Ports], identity: Path | None) -> int:
    """Follow the run from machine to machine."""
    with Forwarder(tuple(ports)) as forwarder:
        while True:
            machine = reaching.next_machine()
            if machine is None:
                say(plain(f"run {reaching.run_id} {reaching.run.outcome}: nothing is left to forward to"))
                return 0
            try:
                _carry(reaching, machine, forwarder, identity)
            except FleetError as error:
                if not passes(error):
                    raise
                reaching.tell(error.message)
            finally:
                forwarder.lead_to(None)
            time.sleep(reaching.pause)


def _carry(reaching: Reaching, machine: Machine, forwarder: Forwarder, identity: Path | None) -> None:
    """As long as the machine is the run's. Raises FleetError once it cannot be reached."""
    from fleet.boot.ssh import connect, lost

    patience = Patience(refused=0)  # whoever follows a run tries again anyway, and looks where it is in between
    with reaching.reach(machine) as reach, connect(reach, identity=identity, patience=patience) as connection:
        forwarder.lead_to(connection.transport)
        for one in forwarder.ports:
            say(f"http://{HERE}:{one.local} is port {one.remote} of {reach.name}")
        reaching.begin_anew()
        while connection.transport.is_active():
            if reaching.moved(machine):
                return
            time.sleep(reaching.pause)
        raise lost(reach)
