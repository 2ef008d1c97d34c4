"""The agent's own process on a machine of EC2, from its boot to its end: a bucket of S3's kind, a role, scripts, signals."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.documents import Began, Desired, Heartbeat, HostKeys
from tests.agent.ec2 import FakeEc2, until
from tests.aws.moto import Moto

CANARY = "canary-8c1d-value"
RUN = "racer-1"
TRAINING = r"""
cd "$FLEET_CHECKPOINTS"
save() { echo "{\"step\": $1}" >state.tmp; mv state.tmp state.json; echo "fleet.saved step=$1"; }
trap 'save $((i + 1000)); exit 0' TERM
env >"$FLEET_ROOT/env-of-training"
i=0
while :; do
    i=$((i + 1)); echo "fleet.progress step=$i"; [ $((i % 5)) != 0 ] || save $i
    sleep 0.1
done
"""
JOB: dict[str, object] = {"run": TRAINING, "secrets": ["HF_TOKEN"]}


class Bench:
    """A machine, its bucket, and the agent that is started on it."""

    def __init__(self, folder: Path, cloud: Moto) -> None:
        self.cloud = cloud
        self.ec2 = FakeEc2(folder / "root", JOB)
        self.s3 = self._client("s3")
        self.s3.create_bucket(Bucket="fleet-bucket")
        self._client("ssm").put_parameter(Name="/fleet/HF_TOKEN", Value=CANARY, Type="SecureString")
        self.console = folder / "console"
        self.agent: subprocess.Popen[bytes] | None = None

    def _client(self, service: str) -> Any:
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
        return boto3.client(service, endpoint_url=self.cloud.url, **keys)

    def start(self) -> None:
        with self.console.open("ab") as console:
            self.agent = subprocess.Popen(
                [sys.executable, "-m", "fleet.agent"],
                env=self.ec2.env(AWS_ENDPOINT_URL=self.cloud.url),
                stdout=console,
                stderr=console,
                start_new_session=True,
            )

    def crash(self) -> None:
        """Everything on the machine ends at once."""
        if self.agent is not None:
            for entry in Path("/proc").iterdir():
                if entry.name.isdecimal():
                    with contextlib.suppress(OSError):
                        if os.getsid(int(entry.name)) == self.agent.pid:
                            os.kill(int(entry.name), signal.SIGKILL)
            self.agent.wait(10)

    def get(self, key: str) -> bytes | None:
        try:
            return bytes(self.s3.get_object(Bucket="fleet-bucket", Key=f"there/{key}")["Body"].read())
        except self.s3.exceptions.NoSuchKey:
            return None

    def put(self, key: str, data: bytes) -> None:
        self.s3.put_object(Bucket="fleet-bucket", Key=f"there/{key}", Body=data)

    def listed(self) -> list[str]:
        found = self.s3.list_objects_v2(Bucket="fleet-bucket").get("Contents", [])
        return [str(entry["Key"]).removeprefix("there/") for entry in found]

    @property
    def beat(self) -> Heartbeat | None:
        data = self.get(layout.heartbeat(RUN, 1))
        return Heartbeat.model_validate_json(data) if data is not None else None

    def heard(self, what: Callable[[Heartbeat], object], seconds: float = 30) -> Heartbeat:
        """Wait for a heartbeat that says it."""
        deadline = time.monotonic() + seconds
        while True:
            beat = self.beat
            if beat is not None and what(beat):
                return beat
            assert time.monotonic() < deadline, f"never said; {beat!r}\n{self.console.read_text()}"
            time.sleep(0.05)


@pytest.fixture
def bench(tmp_path: Path, cloud: Moto) -> Iterator[Bench]:
    cloud.forget()
    made = Bench(tmp_path, cloud)
    yield made
    made.crash()
    made.ec2.close()


def test_it_waits_for_its_volume_trains_saves_at_a_notice_lets_go_and_powers_off(bench: Bench) -> None:
    ec2 = bench.ec2
    bench.start()
    waiting = bench.heard(lambda beat: beat.phase == "waiting-volume" and beat.message)
    assert waiting.message == "waits for its volume"
    began = bench.get(layout.began(RUN, 1))
    assert began is not None
    assert Began.model_validate_json(began).instance_id == "i-0abc"
    until(lambda: layout.host_key(RUN, 1) in bench.listed())
    told = HostKeys.model_validate_json(bench.get(layout.host_key(RUN, 1)) or b"")
    assert (told.keys, told.user) == (("ssh-ed25519 AAAAC3Nz",), "admin")
    assert not ec2.has("env-of-training")

    ec2.write("attached")
    bench.heard(lambda beat: beat.phase == "training" and beat.checkpoints)
    env = dict(line.split("=", 1) for line in (ec2.root / "env-of-training").read_text().splitlines() if "=" in line)
    assert (env["HF_TOKEN"], env["FLEET_VOLUME"], env["AWS_REGION"]) == (CANARY, str(ec2.mount_point), "us-east-1")
    assert {"HOME", "USER"} <= env.keys()
    assert not [name for name in env if name.startswith("AWS_") and name not in ("AWS_REGION", "AWS_ENDPOINT_URL")]
    assert {"hush", "session", "ASIAROLE"}.isdisjoint(env.values())
    armed = [int(call.split()[-1]) for call in ec2.calls("dead-man.sh")]
    assert armed
    assert all(abs(at - time.time()) < 90 for at in armed)

    taken = time.time() + 12
    ec2.service.notice_until = taken
    seen = bench.heard(lambda beat: beat.notice)
    assert seen.notice is not None
    assert seen.notice.seen_at < taken - 12 + 2
    released = bench.heard(lambda beat: beat.phase == "released")
    assert ec2.calls("volume.sh")[-1] == "volume.sh release /mnt/fleet"
    assert not ec2.has("mounted")
    assert released.outcome is not None
    assert released.outcome.kind == "interrupted"
    assert released.checkpoint_step is not None
    assert released.checkpoint_step > 1000  # what it saved when it was asked to stop
    assert ec2.calls("systemctl") == []  # EC2 does not charge for what it takes
    bench.put(layout.desired(RUN), document_bytes(Desired(journal=2, live=(2,), newest=2)))
    until(lambda: ec2.calls("systemctl"))
    assert ec2.calls("systemctl") == ["systemctl poweroff"]

    stored = [bench.get(key) or b"" for key in bench.listed()]
    files = [path.read_bytes() for path in ec2.root.rglob("*") if path.is_file() and path.name != "env-of-training"]
    assert not [data for data in (*stored, *files, bench.console.read_bytes()) if CANARY.encode() in data]


def test_a_machine_that_reboots_goes_on_with_its_attempt_from_its_volume(bench: Bench) -> None:
    bench.ec2.write("attached")
    bench.start()
    first = bench.heard(lambda beat: beat.checkpoints >= 2)
    bench.crash()
    bench.ec2.write("proc/sys/kernel/random/boot_id", "boot-2\n")
    bench.start()
    again = bench.heard(lambda beat: beat.boot_id == "boot-2" and beat.phase == "training")
    assert (again.attempt, again.instance_id) == (1, first.instance_id)
    assert again.resumed is not None
    assert again.resumed.source == "volume"
    assert again.resumed.step is not None
    assert again.resumed.step >= (first.checkpoint_step or 0)
    assert Began.model_validate_json(bench.get(layout.began(RUN, 1)) or b"").boot_id == "boot-1"
    bench.heard(lambda beat: beat.boot_id == "boot-2" and beat.checkpoints)


def test_a_shutdown_from_outside_is_heard_and_the_training_saved(bench: Bench) -> None:
    """TerminateInstances, by hand or in the console, shuts the system down: it sends SIGTERM to every service."""
    bench.start()
    bench.heard(lambda beat: beat.phase == "training" and beat.checkpoints)
    assert bench.agent is not None
    bench.agent.terminate()
    last = bench.heard(lambda beat: beat.phase == "released")
    assert (last.checkpoint_step or 0) > 1000  # what training saved when it was asked to stop
    assert bench.agent.wait(20) == 0
    assert "volume.sh release" in " ".join(bench.ec2.calls("volume.sh"))


def test_a_volume_that_is_refused_is_told_and_the_bucket_serves(bench: Bench) -> None:
    ec2 = bench.ec2
    ec2.write("etc/fleet/boot.json", ec2.boot.model_copy(
        update={"intervals": ec2.boot.intervals.model_copy(update={"volume_wait": 3.0})}
    ).model_dump_json())  # fmt: skip
    ec2.write("refused", "/dev/nvme1n1 is not blank")
    bench.start()
    bench.heard(lambda beat: "/dev/nvme1n1 is not blank" in beat.message)
    beat = bench.heard(lambda beat: beat.phase == "training" and beat.checkpoints)
    assert beat.volume_id is None
    assert ec2.mount_point.resolve() == ec2.root / "var/lib/fleet/volume"
    assert (ec2.root / "var/lib/fleet/volume/checkpoints/state.json").exists()
