"""The agent's process: makes everything that the logic needs, and calls it until the machine is told to end."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from fleet import __version__
from fleet.agent import workplace
from fleet.agent.lanes import LOW_PRIORITY, ThreadLane
from fleet.agent.local_machine import local_machine
from fleet.agent.logfile import LogFile
from fleet.agent.logic import Agent, Lanes
from fleet.agent.machine import Machine
from fleet.agent.process import ShellProcess
from fleet.agent.stack import ComposeProcess
from fleet.model.documents import BootDocument
from fleet.store.opening import open_objects
from fleet.store.throttle import Throttle

METADATA_WAIT = 10.0
"""A machine's metadata service may come up a little after the agent."""


def main() -> None:
    """Run the agent of the machine that the environment describes."""
    machine = _machine()
    try:
        boot = BootDocument.model_validate_json(machine.user_data())
    except ValidationError as error:
        sys.exit(f"fleet-agent: the user-data is no boot document of version {__version__}: {error}")
    wake = threading.Event()
    agent = make_agent(machine, boot, wake.set)
    while not agent.over:
        wait = agent.tick()
        wake.wait(wait)
        wake.clear()
    threading.Event().wait()  # the machine ends us; an exit here would look like a crash


def _machine() -> Machine:
    until = time.monotonic() + METADATA_WAIT
    while True:
        try:
            return local_machine()
        except KeyError as error:
            sys.exit(f"fleet-agent runs on an instance: {error} is not set")
        except OSError as error:
            if time.monotonic() >= until:
                sys.exit(f"fleet-agent: the metadata service does not answer: {error}")
            time.sleep(0.02)


def make_agent(machine: Machine, boot: BootDocument, wake: Callable[[], None]) -> Agent:
    """An agent with real lanes, children and bucket."""
    throttle = Throttle(boot.job.checkpoint.cpu)
    objects = open_objects(boot.root, pause=throttle.pause)
    values = [os.environ[name] for name in boot.job.secrets if name in os.environ]
    log = LogFile(machine.scratch / "log" / "training.log", hide=values)
    work = ThreadLane("work", wake, nice=LOW_PRIORITY)  # the first that uses the bucket: its library's threads follow suit
    lanes = Lanes(ThreadLane("beats", wake), ThreadLane("wishes", wake), work, ThreadLane("logs", wake))

    def start(commands: str, folder: Path, env: dict[str, str]) -> ShellProcess:
        return ShellProcess(commands, folder, env, log, wake, time.time)

    def start_stack(_file: str, folder: Path, env: dict[str, str]) -> ComposeProcess:
        spec, own = workplace.stack(boot, machine.instance_id, machine.scratch, folder, env)
        return ComposeProcess(spec, own, log, wake, time.time, machine.training_begins)

    return Agent(
        machine, objects, boot, lanes, start, log, start_stack=start_stack, throttle=throttle, version=__version__
    )  # fmt: skip
