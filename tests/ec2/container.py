"""A machine on EC2, played by a container with systemd: boots in seconds, and dies as machines do.

What it is told comes from the emulated metadata service (imds.py) at the address of the real one, by its own address on a
network that only these machines are on. Volumes are loop devices (disk.py) that get the names that Nitro gives them.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.ec2.disk import Disk, forget_disks
from tests.ec2.imds import ADDRESS, metadata_service
from tests.ec2.root import cache
from tests.system.engine import asked

LABEL = "fleet.test=ec2"
SUBNET = "169.254.0.0/16"
RIGHTS = (
    *("--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE", "--cap-drop", "SYS_TIME", "--cap-drop", "SYS_MODULE"),
    *("--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"),
    *("--security-opt", "systempaths=unconfined", "--device-cgroup-rule", "a *:* rwm", "--cgroupns=private"),
    *("--tmpfs", "/run", "--tmpfs", "/tmp", "--volume", "/var/lib/docker"),
)
"""What systemd and Docker need to run inside. Not ``--privileged``: that asks for more than many hosts can give, and for
more than a test should have: clock, modules and kernel are the host's."""
SHUTDOWN = "import fcntl, os, struct, sys; fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))"
"""EXT4_IOC_SHUTDOWN without flushing the log: what was not synced never reaches the disk."""


@dataclass
class Network:
    """Where machines and the metadata service meet."""

    name: str
    service: Any
    """The metadata service: tests.ec2.imds.Service, or another cloud's."""
    image: str
    mounts: dict[Path, str] = field(default_factory=dict)
    """What the image brings beside its own files, from this computer."""
    _hosts: Iterator[int] = field(default_factory=lambda: itertools.count(16))

    def address(self) -> str:
        """One that no machine has had."""
        number = next(self._hosts)
        return f"169.254.{number // 250}.{number % 250 + 1}"


@contextlib.contextmanager
def network(image: str, serve: Callable[[], AbstractContextManager[Any]] = metadata_service) -> Iterator[Network]:
    """The one network of this computer that has the metadata service's address, and nothing left of it afterwards."""
    name = f"fleet-ec2-{os.getpid()}"
    with (cache() / "network.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _clean()
        asked("docker", "network", "create", "--label", LABEL, "--subnet", SUBNET, "--gateway", ADDRESS, name)
        try:
            with serve() as service:
                yield Network(name, service, image)
        finally:
            _clean()


def _clean() -> None:
    machines = (("ps", "--all"), ("rm", "--force", "--volumes"))
    networks = (("network", "ls"), ("network", "rm"))
    for look, end in (machines, networks):
        found = asked("docker", *look, "--quiet", "--filter", f"label={LABEL}").split()
        if found:
            asked("docker", *end, *found)
    forget_disks()


class Machine:
    """An instance."""

    MORE: Sequence[str] = ()
    """Further words for ``docker run``."""

    def __init__(self, network: Network, told: Any, disks: dict[str, Disk] | None = None) -> None:
        """``disks``, by their names (``nvme1n1``), are there from the start; others are attached to it."""
        self.told = told
        self.name = f"{network.name}-{told.instance_id}"
        self.disks: dict[str, Disk] = {}
        self.crashed = False
        self._network = network
        network.service.told[told.address] = told
        given = [self._given(name, disk) for name, disk in (disks or {}).items()]
        mounts = [word for path, inside in network.mounts.items() for word in ("--volume", f"{path}:{inside}:ro")]
        place = ("--network", network.name, "--ip", told.address, "--hostname", told.hostname)
        more = (*mounts, *self.MORE, "--env", f"MACHINE_DISKS={' '.join(given)}")
        asked("docker", "run", "--detach", "--name", self.name, "--label", LABEL, *place, *RIGHTS, *more, network.image)

    def _given(self, name: str, disk: Disk) -> str:
        self.disks[name] = disk
        return f"{name}:{disk.number}:{disk.link}"

    def attach(self, disk: Disk, name: str = "nvme1n1") -> None:
        """A volume appears while the machine runs."""
        self.run("attach-disk", self._given(name, disk))

    def run(self, *words: str, seconds: float = 60) -> str:
        """What a command on the machine says."""
        return asked("docker", "exec", self.name, *words, seconds=seconds)

    def tried(self, *words: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """A command that may fail."""
        command = ("docker", "exec", self.name, *words)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)

    def wait(self, *words: str, seconds: float = 60) -> None:
        """Until a command succeeds on it."""
        deadline = time.monotonic() + seconds
        while self.tried(*words).returncode:
            logs = subprocess.run(("docker", "logs", self.name), capture_output=True, text=True, check=False)
            told = f"{logs.stdout}{logs.stderr}{self.read('/var/log/cloud-init-output.log')}"
            assert self.runs, f"the machine ended: {told}"
            assert time.monotonic() < deadline, f"{words}: never: {told}"
            time.sleep(0.1)

    def wait_end(self, seconds: float) -> None:
        """Until it is off."""
        deadline = time.monotonic() + seconds
        while self.runs:
            assert time.monotonic() < deadline, f"it still runs: {self.tried('systemctl', 'list-jobs').stdout}"
            time.sleep(0.1)

    def read(self, path: str) -> str:
        """A file's text, also once the machine has ended; empty if there is none."""
        copy = subprocess.run(("docker", "cp", f"{self.name}:{path}", "-"), capture_output=True, check=False)
        if copy.returncode:
            return ""
        return subprocess.run(("tar", "-xO"), input=copy.stdout, capture_output=True, check=True).stdout.decode()

    def detach(self, disk: Disk) -> None:
        """The volume disappears, unless something on the machine still uses it."""
        name = next(name for name, held in self.disks.items() if held is disk)
        used = self.tried("cat", "/proc/1/mountinfo")
        if used.returncode == 0 and disk.number in used.stdout.split():
            return
        gone = self.tried("rm", "-f", f"/dev/{name}", f"/dev/disk/by-id/{disk.link}")
        assert gone.returncode == 0 or not self.runs, gone.stderr  # one that ends meanwhile uses nothing any more
        del self.disks[name]

    @property
    def ended_at(self) -> float | None:
        """When its last process ended."""
        state = self._state()
        if state["Running"]:
            return None
        return datetime.fromisoformat(f"{str(state['FinishedAt'])[:19]}+00:00").timestamp()

    @property
    def runs(self) -> bool:
        """Whether anything of it is alive."""
        return bool(self._state()["Running"])

    def _state(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(asked("docker", "inspect", "--format", "{{json .State}}", self.name))
        return found

    def crash(self, *mountpoints: str) -> None:
        """The power fails: nothing that was not synced is on the file systems there, nothing says goodbye."""
        for mountpoint in mountpoints:
            self.run("python3", "-c", SHUTDOWN, mountpoint)
        asked("docker", "kill", self.name)
        self.crashed = True

    def reboot(self) -> None:
        """Everything in memory is gone, and it boots again from its own disk."""
        asked("docker", "restart", "--time", "20", self.name)

    def terminate(self) -> None:
        """What TerminateInstances does: asks the system to shut down, and does not wait long for it."""
        if self.runs:
            asked("docker", "stop", "--time", "20", self.name)

    def remove(self) -> None:
        """Nothing is left of it but its volumes."""
        asked("docker", "rm", "--force", "--volumes", self.name)
        self._network.service.told.pop(self.told.address, None)
