"""The agent's process: makes everything that the logic needs, and calls it until the machine is told to end."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from fleet import __version__
from fleet.agent import workload, workplace
from fleet.agent.aws_secrets import AwsSecrets
from fleet.agent.ec2_machine import ec2_machine
from fleet.agent.gce_machine import GceMachine, gce_machine
from fleet.agent.google_metadata import GoogleMetadata
from fleet.agent.google_secrets import GoogleSecrets
from fleet.agent.host_keys import Publishing, guest_attributes
from fleet.agent.lanes import LOW_PRIORITY, ThreadLane
from fleet.agent.local_machine import local_machine
from fleet.agent.logfile import LogFile
from fleet.agent.logic import Agent, Lanes
from fleet.agent.machine import Machine
from fleet.agent.metadata import Metadata
from fleet.agent.prepared import PreparedMachine, metadata_url
from fleet.agent.process import ShellProcess
from fleet.agent.role import Role
from fleet.agent.stack import ComposeProcess
from fleet.agent.starts import MOST, started_too_often
from fleet.agent.vouched import vouched
from fleet.agent.workload import WorkloadProcess
from fleet.model.base import Seconds
from fleet.model.documents import BootDocument
from fleet.store.amazon import regions_of
from fleet.store.opening import open_objects
from fleet.store.throttle import Throttle

ENGINE_WAIT = 60.0
"""An engine of docker that is just starting is waited for so long on a machine of its own."""
METADATA_WAIT = 10.0
"""A machine's metadata service may come up a little after the agent."""
IDENTITY_WAIT = 5.0
"""A metadata service may have to ask elsewhere for a token; nothing but the bucket waits for it."""
LAST_WORD = 2.0
"""So long the order to power off has, which a thread gives, before a service that was told to end does."""
MACHINES: dict[str, Callable[[], Machine]] = {"local": local_machine, "ec2": ec2_machine, "gce": gce_machine}
"""What $FLEET_MACHINE may name."""


def main() -> None:
    """Run the agent of the machine that the environment describes."""
    machine = _machine()
    try:
        boot = BootDocument.model_validate_json(machine.user_data())
    except OSError as error:
        sys.exit(f"fleet-agent: there is no boot document: {error}")
    except ValidationError as error:
        sys.exit(f"fleet-agent: the user-data is no boot document of version {__version__}: {error}")
    if isinstance(machine, PreparedMachine) and started_too_often(machine.scratch, machine.boot_id, time.time()):
        sys.stderr.write(f"fleet-agent: started more than {MOST} times within an hour: this machine is given up\n")
        machine.power_off()
        threading.Event().wait()
    told = threading.Event()
    if isinstance(machine, PreparedMachine):  # on `local` nobody shuts a machine down but its supervisor, which kills
        signal.signal(signal.SIGTERM, lambda *_: told.set())
    stopped = live(machine, boot, told)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if stopped:
        threading.Event().wait(LAST_WORD)
    if told.is_set():
        return
    threading.Event().wait()  # the machine ends us; an exit here would look like a crash


def live(machine: Machine, boot: BootDocument, told_to_end: threading.Event) -> bool:
    """Round after round, until the machine is told to end. What ends the agent itself is told in the training's log.

    ``told_to_end``: the system is shut down around us, or somebody stops this service. True if that came first: our own
    order to power off brings it about as well.
    """
    stopped = False
    wake = threading.Event()
    agent = make_agent(machine, boot, wake.set)
    try:
        while not agent.over:
            stopped = told_to_end.is_set()
            if stopped and not agent.end_soon(agent.now()):
                return False
            wait = agent.tick()
            wake.wait(wait)
            wake.clear()
    except Exception:
        agent.log.write(f"fleet: the agent died, and is started again:\n{traceback.format_exc()}".encode())
        raise
    return stopped


def _machine() -> Machine:
    kind = os.environ.get("FLEET_MACHINE", "local")
    if kind not in MACHINES:
        sys.exit(f"fleet-agent: FLEET_MACHINE is {kind!r}, and may be {' or '.join(sorted(MACHINES))}")
    until = time.monotonic() + METADATA_WAIT
    while True:
        try:
            return MACHINES[kind]()
        except KeyError as error:
            sys.exit(f"fleet-agent runs on an instance: {error} is not set; in a cloud FLEET_MACHINE says which")
        except OSError as error:
            if time.monotonic() >= until:
                what = error.filename or "the metadata service"
                sys.exit(f"fleet-agent: {what} does not answer: {error.strerror or error}")
            time.sleep(0.02)


def make_agent(machine: Machine, boot: BootDocument, wake: Callable[[], None]) -> Agent:
    """An agent with real lanes, children and bucket."""
    prepared = isinstance(machine, PreparedMachine)
    throttle = Throttle(boot.job.checkpoint.cpu)
    credentials = bucket_credentials(boot.root, lambda: objects.now())
    objects = open_objects(boot.root, pause=throttle.pause, credentials=credentials)
    if isinstance(machine, GceMachine):
        machine.now = objects.now
    values = [os.environ[name] for name in boot.job.secrets if name in os.environ]
    log = LogFile(machine.scratch / "log" / "training.log", hide=values)
    work = ThreadLane("work", wake, nice=LOW_PRIORITY)  # the first that uses the bucket: its library's threads follow suit
    lanes = Lanes(ThreadLane("beats", wake), ThreadLane("wishes", wake), work, ThreadLane("logs", wake))

    def start(commands: str, folder: Path, env: dict[str, str]) -> ShellProcess:
        return ShellProcess(commands, folder, env, log, wake, time.time)

    def start_containers(_what: str, folder: Path, env: dict[str, str]) -> ComposeProcess | WorkloadProcess:
        if boot.job.workload is not None:
            words, env = workload.command(boot, machine.scratch, env)
            return WorkloadProcess(words, folder, env, log, wake, time.time)
        spec, own = workplace.stack(boot, machine.instance_id, machine.scratch, folder, env)
        wait = ENGINE_WAIT if prepared else 0.0
        return ComposeProcess(spec, own, log, wake, time.time, machine.training_begins, engine_wait=wait)

    beside = []
    if prepared:
        lane = ThreadLane("host-keys", wake)
        told = guest_attributes(machine.metadata) if isinstance(machine, GceMachine) else None
        beside.append(Publishing(objects, boot, machine.instance_id, lane, machine.root, os.environ, told).look)
    return Agent(
        machine,
        objects,
        boot,
        lanes,
        start,
        log,
        start_containers=start_containers,
        find_secrets=secrets_of(machine, boot, objects.now) if prepared and boot.job.secrets else None,
        beside=beside,
        throttle=throttle,
        version=__version__,
    )


def bucket_credentials(root: str, now: Callable[[], Seconds]) -> Callable[[], dict[str, object]] | None:
    """What the bucket is opened with, where obstore does not find it by itself. ``now``: the time by the bucket's clock."""
    google = GoogleMetadata(metadata_url(), IDENTITY_WAIT)
    return vouched(root, os.environ, google=google, role=Role(Metadata(metadata_url()), now), wall=now)


def secrets_of(machine: Machine, boot: BootDocument, now: Callable[[], Seconds]) -> Callable[[], dict[str, str]]:
    """How the values of the job's secrets are found: in the cloud that the machine is in.

    On EC2 in the machine's region, else in the bucket's. Calls there are dated by the bucket's clock, since the machine's
    may be wrong.
    """
    if isinstance(machine, GceMachine):
        google = GoogleSecrets(machine.metadata, os.environ)
        return lambda: google.find(boot.job.secrets)
    regions = regions_of(urlsplit(boot.root).netloc)
    found = AwsSecrets(Role(Metadata(metadata_url()), now), regions, os.environ, wall=now)
    return lambda: found.find(boot.job.secrets)
