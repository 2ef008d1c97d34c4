"""A machine on EC2, played by QEMU in software: slow, and with nothing stood in for from the kernel upwards.

Firmware, NVMe disks that come and go, a network of its own and the kernel are what a machine has. QEMU itself runs in the
network of a container that sleeps, so that the metadata service sees each machine at an address of its own.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.ec2.container import LABEL, Network
from tests.ec2.disk import Disk
from tests.ec2.emulated_root import Bootable, bootable
from tests.system.engine import asked

NET = "net=172.31.16.0/20,host=172.31.16.1,dns=172.31.16.2,dhcpstart=172.31.16.15"
STAGE = re.compile(r"Cloud-init v\. \S+ running '(\S+)' at .* Up ([\d.]+) seconds")
STEP = re.compile(r"(?:^|\s)(cloud-init|agent|volume|docker|start) (\d+\.\d\d)\s*$", re.MULTILINE)
COMMAND_LINE = "root=/dev/nvme0n1 rw console=ttyS0 net.ifnames=0 mitigations=off random.trust_cpu=on"


class Emulated:
    """An instance, with what tests.ec2.container.Machine has."""

    DISKS: Sequence[str] = ()
    """What its disks hang on."""

    def __init__(
        self, network: Network, told: Any, disks: dict[str, Disk] | None = None, found: Bootable | None = None
    ) -> None:
        """``disks`` are there from the start; others are attached to it. ``found``: what it boots from."""
        self._found = found or bootable()
        self.told, self.crashed = told, False
        self.disks: dict[str, Disk] = {}
        self.name = f"{network.name}-{told.instance_id}"
        network.service.told[told.address] = told
        place = ("--network", network.name, "--ip", told.address, "--entrypoint", "/bin/sleep")
        asked("docker", "run", "--detach", "--name", self.name, "--label", LABEL, *place, network.image, "infinity")
        self._folder = Path(tempfile.mkdtemp(prefix="fleet-emulated-"))
        self._ids = itertools.count(1)
        self._ended: float | None = None
        self._qemu = self._start()
        for name, disk in (disks or {}).items():
            self.attach(disk, name)
        self._ask("cont")

    def _start(self) -> subprocess.Popen[bytes]:
        found, overlay = self._found, self._folder / "overlay.qcow2"
        asked("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(found.disk), str(overlay))
        outside = asked("docker", "inspect", "--format", "{{.State.Pid}}", self.name).strip()
        words = [
            *("setpriv", "--pdeathsig", "KILL", "nsenter", "--net", "--target", outside),
            *("qemu-system-x86_64", "-machine", "pc", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max"),
            *("-smp", "2", "-m", "2048", "-nodefaults", "-display", "none", "-no-reboot", "-S"),
            *("-kernel", str(found.kernel), "-append", COMMAND_LINE),
            *("-smbios", f"type=1,{self.firmware()}", *self.DISKS),
            *("-drive", f"if=none,id=root,file={overlay},format=qcow2,cache=unsafe"),
            *("-device", "nvme,drive=root,serial=vol0root000000000000"),
            *("-netdev", f"user,id=n,ipv6=off,{NET}", "-device", "virtio-net-pci,netdev=n", "-device", "virtio-rng-pci"),
            *("-qmp", f"unix:{self._folder / 'qmp'},server=on,wait=off", "-serial", f"file:{self._folder / 'console'}"),
        ]
        with (self._folder / "qemu.log").open("wb") as log:
            return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def firmware(self) -> str:
        """What the machine's firmware tells of it."""
        identity = f"ec2{uuid.uuid4().hex[3:8]}-{str(uuid.uuid4())[9:]}"
        return f"manufacturer=Amazon EC2,product={self.told.instance_type},uuid={identity},serial={identity}"

    def device(self, disk: Disk) -> dict[str, str]:
        """How a disk shows."""
        return {"driver": "nvme", "serial": disk.serial[:20], "bus": "pci.0"}

    def _ask(self, command: str, **arguments: Any) -> Any:
        """A command to QEMU's monitor, and its answer."""
        deadline = time.monotonic() + 20
        while True:
            try:
                with socket.socket(socket.AF_UNIX) as monitor:
                    monitor.settimeout(20)
                    monitor.connect(str(self._folder / "qmp"))
                    with monitor.makefile("rw") as lines:
                        lines.readline()
                        for asking in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                            lines.write(json.dumps(asking) + "\n")
                            lines.flush()
                            answer = next(told for told in map(json.loads, lines) if "event" not in told)
                        assert "error" not in answer, answer
                        return answer["return"]
            except (FileNotFoundError, ConnectionRefusedError):
                assert self.runs, (self._folder / "qemu.log").read_text()
                assert time.monotonic() < deadline, "QEMU's monitor does not answer"
                time.sleep(0.05)

    def attach(self, disk: Disk, name: str = "nvme1n1") -> None:
        """A volume appears, whether the machine runs or not."""
        node = f"disk{next(self._ids)}"
        file = {"driver": "file", "filename": str(disk.path), "locking": "on"}
        self._ask("blockdev-add", **{"node-name": node, "driver": "raw", "file": file})
        self._ask("device_add", id=f"{node}-device", drive=node, **self.device(disk))
        self.disks[name] = disk

    def detach(self, disk: Disk) -> None:
        """Only with the machine."""

    @property
    def runs(self) -> bool:
        """Whether it is on."""
        if self._qemu.poll() is None:
            return True
        self._ended = self._ended or time.time()
        return False

    @property
    def ended_at(self) -> float | None:
        """Since when it is off."""
        return None if self.runs else self._ended

    def read(self, path: str) -> str:
        """What it printed: its files are not looked into."""
        with contextlib.suppress(FileNotFoundError):
            return (self._folder / "console").read_text(errors="replace")
        return ""

    def times(self) -> dict[str, float]:
        """Of its boot, from the console: seconds since the kernel's start when each stage of cloud-init began, and what each
        step of the user-data took."""
        told = self.read("")
        return {name: float(seconds) for look in (STAGE, STEP) for name, seconds in look.findall(told)}

    def crash(self) -> None:
        """The power fails."""
        self._qemu.kill()
        self._qemu.wait()
        self.crashed = True

    def press(self) -> None:
        """The power button."""
        self._ask("system_powerdown")

    def terminate(self) -> None:
        """The power button, and then the plug."""
        if self.runs:
            with contextlib.suppress(OSError, AssertionError):
                self.press()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._qemu.wait(60)
        self.crash() if self.runs else None

    def remove(self) -> None:
        """Nothing is left of it but its volumes."""
        if self.runs:
            self._qemu.kill()
            self._qemu.wait()
        asked("docker", "rm", "--force", "--volumes", self.name)
        for path in self._folder.iterdir():
            path.unlink()
        self._folder.rmdir()
