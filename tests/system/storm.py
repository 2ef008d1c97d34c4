"""Thirty runs on one home while machines are taken and controllers are killed: what the storm does, and what it left."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from fleet.control.home import Home
from fleet.providers.local import folder as files
from fleet.providers.local.processes import kill_machine

KILL_EVERY = 10.0
"""A controller dies so often."""
CUT_EVERY = 4.0
"""On average: a machine loses its power, its hypervisor and all."""
FATES = 1000
"""Of so many machines: more than will be launched."""
LONGEST, LEAD = 45.0, (1.5, 4.0)


def fates(chance: random.Random) -> list[dict[str, Any]]:
    """What the market has in store for each machine; a third are left alone, unless their power is cut."""
    found = []
    for _ in range(FATES):
        signals = chance.choice([["notice"], ["notice"], ["rebalance", "notice"], []])
        fate = {
            "after": chance.uniform(1.0, LONGEST) if chance.random() < 0.65 else 86_400.0,
            "from": chance.choice(["launch", "training"]),
            "signals": signals,
            "lead": chance.uniform(*LEAD) if signals else 0.0,
            "rebalance_lead": 1.0 if "rebalance" in signals else 0.0,
            "zone_out": 3.0 if chance.random() < 0.1 else 0.0,
        }
        found.append(fate)
    return found


@dataclass
class Storm:
    """Two controllers that are killed in turn, and machines that lose their power."""

    home: Home
    env: dict[str, str]
    chance: random.Random
    logs: Path
    controllers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    killed: int = 0
    cut: int = 0
    ports: set[int] = field(default_factory=set)
    """Where machines were seen to listen."""

    def begin(self) -> None:
        """Start both controllers."""
        self.controllers = [self._controller(), self._controller()]

    def _controller(self) -> subprocess.Popen[bytes]:
        with self.logs.open("ab") as log:
            command = [sys.executable, "-m", "fleet.cli", "controller", "run"]
            return subprocess.Popen(command, env=self.env, stdout=log, stderr=log, start_new_session=True)

    def blow(self, seconds: float) -> None:
        """Three minutes, say, of bad luck."""
        begun = time.monotonic()
        kill_at, cut_at = KILL_EVERY, self.chance.expovariate(1 / CUT_EVERY)
        while (now := time.monotonic() - begun) < seconds:
            if now >= kill_at:
                kill_at += KILL_EVERY
                self._kill_controller()
                self.ports |= listening(self.home)
            if now >= cut_at:
                cut_at += self.chance.expovariate(1 / CUT_EVERY)
                self._cut_power()
            time.sleep(0.05)

    def _kill_controller(self) -> None:
        index = self.chance.randrange(len(self.controllers))
        assert self.controllers[index].poll() is None, "a controller ended by itself"
        self.controllers[index].kill()
        self.controllers[index].wait()
        self.killed += 1
        self.controllers[index] = self._controller()

    def _cut_power(self) -> None:
        """Every process of a machine dies, the supervisor that stands for its hypervisor first: nobody sees its end."""
        paths = sorted((self.home.local / "instances").glob(f"*/{files.INSTANCE}"))
        records = [(path.parent, files.read_json(path) or {}) for path in paths]
        living = [folder for folder, record in records if record.get("state") in ("pending", "running")]
        if not living:
            return
        machine = self.chance.choice(living)
        for process in processes(self.home):
            with contextlib.suppress(psutil.Error):
                if str(machine) in process.cmdline():
                    process.kill()
        kill_machine(machine.name, None)
        self.cut += 1

    def end(self) -> None:
        """Ctrl-C in both controllers: they end as such programs do."""
        for controller in self.controllers:
            os.killpg(controller.pid, signal.SIGINT)
            assert controller.wait(timeout=60) == 130

    def abandon(self) -> None:
        """Whatever happened: no controller may go on launching machines."""
        for controller in self.controllers:
            controller.kill()
            controller.wait()


def processes(home: Home) -> list[psutil.Process]:
    """Everything that lives for a home: its controllers, machines, agents and trainings."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                continue
            if any(str(home.path) in word for word in (*process.environ().values(), *process.cmdline())):
                found.append(process)
    return found


def listening(home: Home) -> set[int]:
    """The ports on which any of them listens."""
    mine = {process.pid for process in processes(home)}
    with contextlib.suppress(psutil.Error):
        found = psutil.net_connections(kind="inet")
        return {c.laddr.port for c in found if c.laddr and c.status == psutil.CONN_LISTEN and c.pid in mine}
    return set()
