"""A fleet in moto's account, and the function beside it: its archive unpacked, in its own process, called as Lambda does."""

from __future__ import annotations

import atexit
import contextlib
import functools
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from fleet import __version__
from fleet.boot.function_package import function_zip
from fleet.boot.wheelhouse import ensure_wheels
from fleet.control.controller import Controller
from fleet.control.runs import start_run
from fleet.core.state import AttemptState, RunState
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.documents import Heartbeat
from fleet.model.events import AttemptGone, RunEnded
from fleet.model.job import Job
from fleet.providers.aws.provider import AwsProvider
from fleet.providers.aws.session import forget_clients
from fleet.store.amazon import forget_buckets
from fleet.store.fleetfile import FleetInfo
from fleet.store.journal import Journal
from fleet.store.objects import Objects
from fleet.store.opening import open_objects
from tests.aws.ground import AMI, REGION, make_setup
from tests.aws.lambda_runtime import ANSWER
from tests.aws.moto import CREDENTIALS, Moto, moto_server
from tests.aws.proxy import Proxy, proxy_before

RUNTIME = Path(__file__).parent / "lambda_runtime.py"
HANDLER = "fleet.control.function.handler"
BUCKET = "fleet-test"
MINUTE = {"source": "fleet.schedule", "detail-type": "each minute"}
FULL_MS = 55_000
LAUNCHES = ("CreateFleet", "RunInstances")


@functools.cache
def unpacked_here() -> Path:
    """The archive for this machine's own Python and processor, unpacked once for all."""
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    packed = function_zip(arch=os.uname().machine.replace("arm64", "aarch64"), python=python)
    folder = Path(tempfile.mkdtemp(prefix="fleet-function-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        archive.extractall(folder)
    return folder


class FunctionProcess:
    """One execution environment."""

    def __init__(self, env: dict[str, str], folder: Path) -> None:
        """``env`` is all of its environment: none of the caller's is passed on."""
        words = [sys.executable, "-I", "-S", "-B", str(RUNTIME), str(folder), HANDLER]
        self.process = subprocess.Popen(words, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.log: list[str] = []
        self.ready = self.answer()

    def send(self, event: object, milliseconds: int = FULL_MS) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"event": event, "milliseconds": milliseconds}) + "\n")
        self.process.stdin.flush()

    def call(self, event: object = MINUTE, milliseconds: int = FULL_MS) -> dict[str, Any]:
        """Call it; ``answer`` or ``error``, ``seconds``, ``cpu``."""
        self.send(event, milliseconds)
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """Wait for it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(ANSWER):
                return dict(json.loads(line.removeprefix(ANSWER)))
            self.log.append(line.rstrip("\n"))
        raise AssertionError(f"the process ended: {self.log}")

    def kill(self) -> None:
        """At its time limit."""
        self.process.kill()
        self.process.wait(timeout=30)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


@dataclass
class FunctionRig:
    """One fleet that was set up, a user who starts runs in it, and any number of processes of its function."""

    moto: Moto
    proxy: Proxy
    folder: Path
    processes: list[FunctionProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET)
        self.objects: Objects = open_objects(f"s3://{BUCKET}")
        self.fleet_id = "f1f2f3f4f5f6f7f8"
        self.objects.create(layout.FLEET, document_bytes(FleetInfo(fleet_id=self.fleet_id, layout=layout.LAYOUT_VERSION)))
        setup = make_setup(self.fleet_id)
        self.objects.create(layout.AWS_SETUP, document_bytes(setup))
        # What lies in the archives of the agent is for the machines, of which moto has none.
        ensure_wheels(self.objects, __version__, arches=("x86_64",), build=lambda arch: [(f"cp312-{arch}", b"packages")])
        journal = Journal(self.objects, self.fleet_id, by="laptop", version=__version__)
        providers = {"aws": AwsProvider(self.fleet_id, setup, self.folder / "laptop")}
        self.laptop = Controller(self.objects, journal, self.fleet_id, providers)
        self.proxy.forget()

    @property
    def env(self) -> dict[str, str]:
        """What Lambda sets, and what the deployment does."""
        return {
            **CREDENTIALS,
            "AWS_SESSION_TOKEN": "token",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_LAMBDA_FUNCTION_NAME": "fleet-f1f2f3f4-controller",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
            "AWS_ENDPOINT_URL": self.proxy.url,
            "LAMBDA_TASK_ROOT": "/var/task",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "FLEET_BUCKET": f"s3://{BUCKET}",
            "FLEET_HOME": str(self.folder / "tmp" / "fleet"),
        }

    def process(self, *, cold: bool = True) -> FunctionProcess:
        """A new execution environment: nothing is on its disk."""
        if cold:
            shutil.rmtree(self.folder / "tmp", ignore_errors=True)
        made = FunctionProcess(self.env, unpacked_here())
        self.processes.append(made)
        return made

    def start(self, name: str = "racer", **job: Any) -> RunState:
        """What ``fleet up`` records."""
        resources = {"infra": f"aws/{REGION}", "instance_type": ["g4dn.xlarge", "c5.2xlarge"], "image_id": AMI}
        fields = {"name": name, "run": "train", "volume": {"size": "20GB"}, "resources": resources, **job}
        self.laptop.catch_up()
        return start_run(self.laptop, Job.model_validate(fields), self.folder)

    def run(self, name: str = "racer") -> RunState:
        """As the journal has it."""
        self.laptop.catch_up()
        return self.laptop.state.runs[self.laptop.state.names[name]]

    def end(self, name: str) -> None:
        """A run that is over at once, its machines too, as the journal has it."""
        run, now = self.run(name), self.objects.now()
        gone = [
            AttemptGone(at=now, run_id=run.run_id, attempt=one.number, ended_at=now, ended_by="fleet")
            for one in run.live_attempts
        ]
        ended = RunEnded(at=now, run_id=run.run_id, outcome="stopped", reason="the test is over")
        assert self.laptop.record([*gone, ended])

    def attempt(self, number: int, name: str = "racer") -> AttemptState:
        return self.run(name).attempts[number]

    def beat(self, number: int, beat: int, name: str = "racer", **said: Any) -> None:
        """What an agent writes."""
        run = self.run(name)
        fields = {"phase": "training", "boot_id": "b", "instance_id": run.attempts[number].instance_id, **said}
        told = Heartbeat(run_id=run.run_id, attempt=number, beat=beat, at=self.objects.now(), **fields)
        self.objects.put(layout.heartbeat(run.run_id, number), document_bytes(told))

    def machines(self) -> list[dict[str, Any]]:
        """All that were ever launched, asked behind fleet's back."""
        ec2 = boto3.client("ec2", region_name=REGION, endpoint_url=self.moto.url)
        return [one for page in ec2.describe_instances()["Reservations"] for one in page["Instances"]]

    def actions(self) -> list[str]:
        """What was called since the recorder forgot."""
        return self.proxy.actions()

    def until(self, *actions: str, times: int = 1, seconds: float = 30) -> float:
        """Wait for one of some calls; when it was answered, on the clock of ``time.perf_counter``."""
        deadline = time.monotonic() + seconds
        while sum(action in actions for action in self.actions()) < times:
            assert time.monotonic() < deadline, f"{actions} never came: {self.actions()}"
            time.sleep(0.005)
        return time.perf_counter()

    def close(self) -> None:
        for one in self.processes:
            if one.process.poll() is None:
                one.kill()


@contextlib.contextmanager
def function_rig(folder: Path) -> Iterator[FunctionRig]:
    """With a server and an environment of its own; both end with it."""
    before = dict(os.environ)
    with moto_server() as moto, proxy_before(moto.url) as proxy:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update({**CREDENTIALS, "AWS_ENDPOINT_URL": proxy.url})
        forget_clients()
        forget_buckets()
        made = FunctionRig(moto, proxy, folder)
        try:
            yield made
        finally:
            made.close()
            os.environ.clear()
            os.environ.update(before)
            forget_clients()
            forget_buckets()
