"""A fleet in a bucket, a real controller, and containers for machines: what the boot's system tests drive."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest

from fleet import __version__
from fleet.control.controller import Controller
from fleet.control.runs import find_run, start_run
from fleet.core.state import AttemptState, RunState
from fleet.model import layout
from fleet.model.documents import Heartbeat, HostKeys
from fleet.model.errors import NotFoundError
from fleet.providers.aws.policies import instance_policy
from fleet.store.fleetfile import ensure_fleet
from fleet.store.journal import Journal
from fleet.store.objects import Objects
from fleet.store.opening import open_objects
from fleet.store.workdir import read_job
from tests.aws.moto import CREDENTIALS, STRANGE, Moto, moto_server
from tests.ec2.cloud import REGION, ContainerCloud, PowerOn
from tests.ec2.container import Machine, Network, network
from tests.ec2.gateway import Gateway, gateway
from tests.ec2.root import machine_image
from tests.ec2.told import ACCOUNT
from tests.ec2.wheels import put_wheels
from tests.system.engine import compose_program

PREFIX = "train"
T = TypeVar("T")


@dataclass
class Place:
    """What all tests share: the network of the machines, and Amazon's services as they see them."""

    network: Network
    moto: Moto
    gateway: Gateway


@contextlib.contextmanager
def place() -> Iterator[Place]:
    """Set everything up, the environment of this process too, and leave nothing behind."""
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(network(machine_image()))
        made.mounts[compose_program()] = "/usr/local/lib/docker/cli-plugins/docker-compose"
        moto = stack.enter_context(moto_server())
        services = stack.enter_context(gateway(moto.url, made.service))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name in STRANGE:
            patch.delenv(name, raising=False)
        for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": services.url}.items():
            patch.setenv(name, value)
        yield Place(made, moto, services)


class Bench:
    """One fleet."""

    def __init__(self, where: Any, folder: Path, power_on: PowerOn = Machine) -> None:
        self.place, self.folder = where, folder
        disks = folder / "disks"
        disks.mkdir()
        self.objects, self.cloud = self.set_up(f"fleet-{secrets.token_hex(4)}", disks, power_on)
        self.fleet_id = ensure_fleet(self.objects).fleet_id
        self.wheels = put_wheels(self.objects)
        journal = Journal(self.objects, self.fleet_id, by="test", version=__version__)
        self.controller = Controller(self.objects, journal, self.fleet_id, {self.cloud.name: self.cloud})
        self.controller.load()

    def set_up(self, name: str, disks: Path, power_on: PowerOn) -> tuple[Objects, ContainerCloud]:
        """The bucket, and the cloud whose machines use it."""
        self.gateway = self.place.gateway
        self.gateway.forget()
        boto3.client("s3", region_name=REGION).create_bucket(Bucket=name)
        cloud = ContainerCloud(self.place.network, disks, {"AWS_ENDPOINT_URL": self.gateway.url}, power_on)
        cloud.policy = instance_policy(name, PREFIX, account=ACCOUNT)
        return open_objects(f"s3://{name}/{PREFIX}"), cloud

    def refused(self) -> list[Any]:
        """Requests of machines that were not who they said they were, or not allowed what they asked."""
        return list(self.gateway.refused())

    def start(self, text: str) -> RunState:
        """A run of a job; its file says which files lie beside it by being written before."""
        path = self.folder / "fleet.yaml"
        path.write_text(text)
        job, folder = read_job(path)
        return start_run(self.controller, job, folder)

    def until(self, check: Callable[[], T], what: str, seconds: float = 90) -> T:
        """Let the controller work until something is the case."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.controller.tick()
            found = check()
            if found:
                return found
            time.sleep(0.2)
        raise AssertionError(f"{what}: it never came to pass\n{self.story()}")

    def run(self, name: str) -> RunState:
        """As the journal has it."""
        return find_run(self.controller.state, name)

    def attempt(self, name: str) -> AttemptState:
        """The newest of a run."""
        found = self.run(name).newest
        assert found is not None
        return found

    def beat(self, name: str, attempt: int | None = None) -> Heartbeat | None:
        """What an attempt's agent said last."""
        run = self.run(name)
        if attempt is None and run.newest is None:
            return None
        number = attempt or self.attempt(name).number
        return self.document(layout.heartbeat(run.run_id, number), Heartbeat.model_validate_json)

    def host_keys(self, name: str) -> HostKeys | None:
        """How the newest machine proves itself."""
        key = layout.host_key(self.run(name).run_id, self.attempt(name).number)
        return self.document(key, HostKeys.model_validate_json)

    def document(self, key: str, read: Callable[[bytes], T]) -> T | None:
        """What lies in the bucket; None: nothing yet."""
        try:
            return read(self.objects.get(key))
        except NotFoundError:
            return None

    def machine(self) -> Machine:
        """The container launched last."""
        found = self.cloud.newest()
        assert isinstance(found, Machine)
        return found

    def story(self) -> str:
        """What a failed test is understood by."""
        lines = [f"{attempt}" for run in self.controller.state.runs.values() for attempt in run.attempts.values()]
        for made in self.cloud.made.values():
            machine = made.machine
            lines.append(f"--- {machine.told.instance_id}: {'runs' if machine.runs else 'ended'}")
            lines.append(machine.read("/var/log/cloud-init-output.log")[-6000:])
            if isinstance(machine, Machine) and machine.runs:
                lines.append(machine.tried("journalctl", "--no-pager", "-n", "40", "-u", "fleet-agent").stdout)
        return "\n".join(lines)

    def close(self) -> None:
        """Leave nothing behind."""
        self.cloud.close()
