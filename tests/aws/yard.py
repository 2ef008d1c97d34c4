"""The machines behind moto's instances: moto answers the API, and here the real agent runs on what was really sent.

Each running instance gets a root of its own, filled with what its user-data writes; scripts that need root are stood in for
by ones that keep volumes as folders. Volumes, roles and the end of machines go by what moto says.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import yaml

from tests.agent.ec2 import FakeEc2

LOOK = 0.25
VOLUME = """#!/bin/sh
cd "$(dirname "$0")/../../.."
echo "volume.sh $*" >>calls
case $1 in
mount)
    [ -e attached ] || { echo "$2 is not attached" >&2; exit 75; }
    [ "$2" = new ] || [ "$2" = "$(cat attached)" ] || { echo "another volume is attached" >&2; exit 65; }
    mkdir -p "@volumes@/$(cat attached)" "$(dirname "$3")"
    [ -e "$3" ] || ln -s "@volumes@/$(cat attached)" "$3"
    ;;
release)
    rm -f "$3" "$2"
    ;;
esac
"""


@dataclass
class Behind:
    """One machine."""

    instance_id: str
    ec2: FakeEc2
    agent: subprocess.Popen[bytes]
    user_data: str
    """The cloud-config, as text."""
    takes: float | None = None
    """When the cloud ends it, after a notice."""


@dataclass
class Yard:
    """All machines of one moto."""

    folder: Path
    url: str
    region: str
    machines: dict[str, Behind] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)
    troubles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        keys = {"aws_access_key_id": "cloud", "aws_secret_access_key": "cloud", "region_name": self.region}
        self._ec2: Any = boto3.client("ec2", endpoint_url=self.url, **keys)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self.over.wait(LOOK):
            try:
                self._look()
            except Exception as error:
                self.troubles.append(repr(error))

    def _look(self) -> None:
        found = [one for page in self._ec2.describe_instances()["Reservations"] for one in page["Instances"]]
        for described in found:
            instance_id, state = described["InstanceId"], described["State"]["Name"]
            known = self.machines.get(instance_id)
            if known is None and state == "running":
                self.machines[instance_id] = known = self._power_on(described)
            if known is None:
                continue
            if state not in ("running", "pending"):
                self._end(known)
                continue
            self._attached(known, described)
            if known.ec2.has("poweroff") or (known.takes is not None and time.time() >= known.takes):
                self._end(known)
                self._ec2.terminate_instances(InstanceIds=[instance_id])

    def _power_on(self, described: dict[str, Any]) -> Behind:
        instance_id = described["InstanceId"]
        told = self._ec2.describe_instance_attribute(InstanceId=instance_id, Attribute="userData")
        text = gzip.decompress(base64.b64decode(told["UserData"]["Value"])).decode()
        root = self.folder / instance_id
        ec2 = FakeEc2(root)
        ec2.service.record["instance_id"] = instance_id
        for file in yaml.safe_load(text)["write_files"]:
            if file["path"].startswith("/etc/fleet/"):
                ec2.write(file["path"].lstrip("/"), file["content"])
        ec2.write("opt/fleet/bin/volume.sh", VOLUME.replace("@volumes@", str(self.folder / "volumes")))
        ec2.write("usr/bin/systemctl", '#!/bin/sh\ncd "$(dirname "$0")/../.."\ntouch "$1"\n')
        ec2.write("proc/sys/kernel/random/boot_id", f"boot-of-{instance_id}\n")
        environment = dict(
            line.split("=", 1) for line in (root / "etc/fleet/environment").read_text().splitlines() if "=" in line
        )
        path = f"{root / 'usr' / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        with (root / "console").open("ab") as console:
            agent = subprocess.Popen(
                [sys.executable, "-m", "fleet.agent"],
                env={**ec2.env(), **environment, "PATH": path},
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        return Behind(instance_id, ec2, agent, text)

    def _attached(self, machine: Behind, described: dict[str, Any]) -> None:
        """The volume that moto has at the machine beside its root disk."""
        disks = [one for one in described["BlockDeviceMappings"] if one["DeviceName"] == "/dev/sdf"]
        if disks and not machine.ec2.has("attached"):
            machine.ec2.write("attached", disks[0]["Ebs"]["VolumeId"])
        elif not disks and machine.ec2.has("attached"):
            machine.ec2.remove("attached")

    def notice(self, instance_id: str, seconds: float) -> None:
        """The cloud says that it takes the machine back, and does so."""
        machine = self.machines[instance_id]
        machine.takes = time.time() + seconds
        machine.ec2.service.notice_until = machine.takes

    def crash(self, instance_id: str) -> None:
        """It is gone, without a word."""
        self._end(self.machines[instance_id])
        self._ec2.terminate_instances(InstanceIds=[instance_id])

    def _end(self, machine: Behind) -> None:
        """Everything on it ends at once."""
        if machine.agent.poll() is not None:
            return
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                with contextlib.suppress(OSError):
                    if os.getsid(int(entry.name)) == machine.agent.pid or self._is_of(entry, machine):
                        os.kill(int(entry.name), signal.SIGKILL)
        machine.agent.wait(10)
        machine.ec2.close()

    def _is_of(self, entry: Path, machine: Behind) -> bool:
        mark = f"FLEET_ROOT={machine.ec2.root}".encode()
        return mark in (entry / "environ").read_bytes().split(b"\0")

    def console(self) -> str:
        """What all agents printed."""
        return "\n".join(
            f"{one.instance_id}: {(one.ec2.root / 'console').read_text(errors='replace')}" for one in self.machines.values()
        )

    def close(self) -> None:
        """No process is left."""
        self.over.set()
        self._thread.join(10)
        for machine in self.machines.values():
            self._end(machine)
