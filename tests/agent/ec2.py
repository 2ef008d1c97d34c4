"""A machine of EC2 as its agent finds it: a root of its own, scripts that do as the test says, a metadata service."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from fleet.agent.ec2_machine import Ec2Machine
from fleet.agent.metadata import Metadata as Client
from fleet.model.base import document_bytes
from fleet.model.documents import BootDocument, Intervals
from fleet.model.job import Job
from fleet.providers.local.metadata import Metadata, serve

RECORD = {
    "instance_id": "i-0abc",
    "offer": {"instance_type": "c5.2xlarge", "zone": "us-east-1a", "region": "us-east-1", "market": "spot"},
}
ROLE = "/latest/meta-data/iam/security-credentials"
VOLUME = """#!/bin/sh
# `attached`, `blank`, `refused`, `slow` and `busy` are files of the test's.
cd "$(dirname "$0")/../../.."
echo "volume.sh $*" >>calls
case $1 in
mount)
    while [ -e slow ]; do sleep 0.02; done
    [ ! -e refused ] || { cat refused >&2; exit 65; }
    [ -e attached ] || { echo "$2 is not attached" >&2; exit 75; }
    [ ! -e blank ] || [ "$4" = --new ] || { echo "it is blank, and not marked new" >&2; exit 66; }
    mkdir -p "$3"
    echo "$3" >mounted
    ;;
release)
    [ ! -e busy ] || { cat busy >&2; exit 75; }
    rm -f mounted
    ;;
esac
"""
DEAD_MAN = """#!/bin/sh
cd "$(dirname "$0")/../../.."
echo "dead-man.sh $*" >>calls
[ ! -e unarmed ] || { echo "no timers here" >&2; exit 1; }
"""
SYSTEMCTL = """#!/bin/sh
cd "$(dirname "$0")/../.."
echo "systemctl $*" >>calls
"""
INTERVALS = Intervals(
    heartbeat=1, notice=0.2, desired=0.5, scan=0.2, log=0.3, dead_man=60, stop_grace=5, volume_wait=20, released_wait=5
)
BOOT = {
    "fleet_id": "f", "root": "s3://fleet-bucket/there", "run_id": "racer-1", "run_name": "racer", "attempt": 1, "try_no": 1,
    "volume_new": True, "intervals": INTERVALS,
}  # fmt: skip


class Service(Metadata):
    """With a role, whose credentials are ``keys``."""

    def __init__(self) -> None:
        super().__init__(dict(RECORD), "#cloud-config")
        self.keys: dict[str, object] | None = {"AccessKeyId": "ASIAROLE", "SecretAccessKey": "hush", "Token": "session"}
        self.good_for = 3600.0
        self.asked: list[str] = []
        self.hang = threading.Event()
        """Once set, the next answer takes longer than anybody waits."""

    def answer(self, path: str) -> str | None:
        self.asked.append(path)
        if self.hang.is_set():
            self.hang.clear()
            time.sleep(4)
        if path == ROLE:
            return "fleet-role" if self.keys is not None else None
        if path == f"{ROLE}/fleet-role":
            until = datetime.fromtimestamp(self.clock() + self.good_for, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            return json.dumps({"Code": "Success", "Type": "AWS-HMAC", **(self.keys or {}), "Expiration": until})
        return super().answer(path)


class FakeRoot:
    """The disk of a machine that cloud-init prepared."""

    def __init__(self, root: Path, job: dict[str, object] | None = None, **boot: object) -> None:
        self.root = root
        for name, text in {
            "opt/fleet/bin/volume.sh": VOLUME,
            "opt/fleet/bin/dead-man.sh": DEAD_MAN,
            "usr/bin/systemctl": SYSTEMCTL,
        }.items():
            self.write(name, text)
            (root / name).chmod(0o755)
        self.write("proc/sys/kernel/random/boot_id", "boot-1\n")
        self.write("etc/os-release", 'PRETTY_NAME="Debian"\nID=debian\nVERSION_ID="12"\n')
        self.write("etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 AAAAC3Nz root@ip-10-0-0-1\n")
        fields = {"name": "racer", "run": "true", "checkpoint": {"format": "rename"}, **(job or {})}
        self.boot = BootDocument.model_validate({**BOOT, "job": Job.model_validate(fields), **boot})
        self.write("etc/fleet/boot.json", document_bytes(self.boot).decode())

    @property
    def mount_point(self) -> Path:
        return self.root / "mnt" / "fleet"

    def write(self, name: str, text: str = "") -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)

    def remove(self, name: str) -> None:
        (self.root / name).unlink()

    def has(self, name: str) -> bool:
        return (self.root / name).exists()

    def calls(self, script: str = "") -> list[str]:
        """How the scripts were called, the root left out."""
        try:
            lines = (self.root / "calls").read_text().replace(str(self.root), "").splitlines()
        except FileNotFoundError:
            return []
        return [line for line in lines if line.startswith(script)]


class FakeEc2(FakeRoot):
    """The machine's root and its metadata service."""

    def __init__(self, root: Path, job: dict[str, object] | None = None, **boot: object) -> None:
        super().__init__(root, job, **boot)
        self.service = Service()
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._server = serve(self.service, listener)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def machine(self) -> Ec2Machine:
        return Ec2Machine(Client(self.url, 1.0), self.root)

    def env(self, **more: str) -> dict[str, str]:
        """What the agent's service has in its environment: no credentials, nor the way to anybody's."""
        return {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "FLEET_MACHINE": "ec2",
            "FLEET_ROOT": str(self.root),
            "FLEET_METADATA_URL": self.url,
            "AWS_REGION": "us-east-1",
            **more,
        }

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def until(check: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.01)
