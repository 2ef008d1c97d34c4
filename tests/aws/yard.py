"""The machines behind moto's instances."""

from __future__ import annotations

import base64
import gzip
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from tests.agent.ec2 import FakeEc2
from tests.agent.yard import Behind, Seen, Yard


class MotoYard(Yard[FakeEc2]):
    """All machines of one moto."""

    def __init__(self, folder: Path, url: str, region: str) -> None:
        super().__init__(folder)
        keys = {"aws_access_key_id": "cloud", "aws_secret_access_key": "cloud", "region_name": region}
        self._ec2: Any = boto3.client("ec2", endpoint_url=url, **keys)
        self.begin()

    def seen(self) -> Iterator[Seen]:
        for page in self._ec2.describe_instances()["Reservations"]:
            for one in page["Instances"]:
                state = one["State"]["Name"]
                disks = [disk["Ebs"]["VolumeId"] for disk in one["BlockDeviceMappings"] if disk["DeviceName"] == "/dev/sdf"]
                on = state in ("pending", "running")
                yield Seen(one["InstanceId"], on, state == "running", disks[0] if disks else None, one)

    def root_of(self, seen: Seen) -> FakeEc2:
        made = FakeEc2(self.folder / seen.instance_id)
        made.service.record["instance_id"] = seen.instance_id
        return made

    def user_data(self, seen: Seen) -> str:
        told = self._ec2.describe_instance_attribute(InstanceId=seen.instance_id, Attribute="userData")
        return gzip.decompress(base64.b64decode(told["UserData"]["Value"])).decode()

    def off(self, machine: Behind[FakeEc2]) -> None:
        self._ec2.terminate_instances(InstanceIds=[machine.instance_id])

    def notice(self, instance_id: str, seconds: float) -> None:
        """The cloud says that it takes the machine back, and does so."""
        machine = self.machines[instance_id]
        machine.takes = time.time() + seconds
        machine.root.service.notice_until = machine.takes
