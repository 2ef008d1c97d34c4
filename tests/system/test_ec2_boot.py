"""Whole runs on machines that behave like EC2's: the user-data that fleet renders, executed by cloud-init under systemd.

The controller, the agent, its archives and the scripts are the real ones; the cloud is played by tests/ec2.
"""

from __future__ import annotations

import gzip
import os
import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from fleet.boot.reach import Reach, inside, usable
from fleet.boot.ssh import connect
from fleet.model import layout
from tests.ec2.bench import Bench, Place, place
from tests.ec2.cloud import REGION
from tests.ec2.container import Machine
from tests.ec2.search import search
from tests.ec2.told import Told
from tests.ec2.training import CHAIN, COUNTING, ended, go_on, ready_after, resumed_at, start, trains
from tests.system import engine

pytestmark = pytest.mark.system

BUSY = 2.0
"""Seconds more than fleet promises: other tests may have the processor."""
READY_WITHIN = 40.0
"""Seconds from the user-data's start to the agent's first word, on a computer that does nothing else."""
ASKING = r"""
printf 'PUT /latest/api/token HTTP/1.1\r\nHost: x\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\nConnection: close\r\n\r\n' |
    timeout 3 nc 169.254.169.254 80
true
"""


@pytest.fixture(scope="module")
def where() -> Iterator[Place]:
    with place() as made:
        yield made


@pytest.fixture
def bench(where: Place, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(where, tmp_path)
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "chain.py").write_text(CHAIN)
    yield made
    made.close()


def new_key(path: Path) -> str:
    """A key of a user's, to log in with; its public half."""
    key = Ed25519PrivateKey.generate()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.chmod(0o600)
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def test_a_machine_boots_trains_and_powers_itself_off(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    identity = tmp_path / "id_ed25519"
    bench.cloud.public_key = new_key(identity)
    start(bench, 50)
    machine = trains(bench, 1, 50)
    ready = ready_after(bench, machine)
    steps = dict(line.split() for line in machine.read("/var/lib/fleet/boot-times").splitlines())
    with capsys.disabled():
        shares = ", ".join(f"{name} {seconds} s" for name, seconds in steps.items())
        sys.stdout.write(f"\nfrom user-data to heartbeat: {ready:.1f} s ({shares})\n")
    assert set(steps) == {"cloud-init", "agent", "volume", "start"}
    assert ready < READY_WITHIN * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    machine.run("sh", "-c", "cloud-init query userdata >/run/user-data; cloud-init schema --config-file /run/user-data")
    keys = bench.host_keys("chain")
    assert keys is not None
    assert (keys.instance_id, keys.user) == (machine.told.instance_id, "admin")
    reach = Reach(machine.told.address, keys.user, usable(keys.keys), name=keys.instance_id)
    with connect(reach, identity=identity) as connection:
        line = inside(keys.user, "run", "token", ["sh", "-c", 'echo "$FLEET_RUN at $FLEET_VOLUME"'])
        assert connection.run(line, hide=True, in_stream=False).stdout == "chain at /mnt/fleet\n"
    armed = float(machine.read("/var/lib/fleet/dead-man"))
    assert time.time() < armed < time.time() + 1000  # the agent took over from the boot's half an hour
    assert machine.run("systemctl", "list-timers", "--no-legend", "--all", "fleet-dead-man*").count(".timer") == 1
    go_on(machine, 50)
    machine.wait_end(60)  # nobody looks after it: it ends by itself
    assert machine.read("/var/lib/fleet/boot.log") == ""
    ended(bench)


def test_the_volume_is_formatted_once_and_follows_the_run_through_a_notice_and_a_crash(bench: Bench) -> None:
    start(bench, 30, 70)
    first = trains(bench, 1, 30)
    disk = next(iter(first.disks.values()))
    uuid = disk.uuid()
    assert (disk.kind(), bool(uuid)) == ("ext4", True)
    given = time.time()
    first.told.notice_at = given + 120
    bench.until(lambda: not first.runs, "the machine that was given notice powers off")
    assert time.time() - given < 60
    beat = bench.beat("chain", 1)
    assert beat is not None
    assert beat.phase == "released"
    assert beat.notice is not None
    assert beat.notice.seen_at - given < 2 + BUSY
    assert beat.checkpoint_step == beat.step == 30  # committed on the way out

    second = trains(bench, 2, 70, checkpoint=60)
    assert second is not first
    assert disk in second.disks.values()
    assert resumed_at(bench, 2) == beat.step
    told = bench.beat("chain", 2)
    assert told is not None
    assert told.resumed is not None
    assert (told.resumed.source, told.resumed.lost_steps) == ("volume", 0)
    second.run("sh", "-ec", "echo kept >/mnt/fleet/kept; sync /mnt/fleet/kept; echo lost >/mnt/fleet/lost")
    second.crash("/mnt/fleet")
    disk.grow(3)

    third = trains(bench, 3, 70)
    assert (told.checkpoint_step, resumed_at(bench, 3)) == (60, 60)  # ten steps are lost, not one more
    assert third.run("cat", "/mnt/fleet/kept") == "kept\n"
    assert third.tried("grep", "lost", "/mnt/fleet/lost").returncode != 0
    go_on(third, 70)
    size = int(third.run("df", "--output=size", "-B1", "/mnt/fleet").split()[-1])
    assert size > 2_500_000_000, "the file system fills what the volume has become"
    ended(bench)
    assert disk.uuid() == uuid
    assert len(bench.run("chain").attempts) == 3


def test_a_secret_is_in_the_training_and_nowhere_else(bench: Bench) -> None:
    canary = f"canary-{secrets.token_hex(16)}"
    boto3.client("ssm", region_name=REGION, endpoint_url=bench.place.moto.url).put_parameter(
        Name="/fleet/API_TOKEN", Value=canary, Type="SecureString"
    )
    bench.gateway.canaries.add(canary.encode())
    bench.cloud.credentials_last = 20.0
    start(bench, 50, secrets=["API_TOKEN"], run='echo "it is $API_TOKEN"; python3 chain.py')
    machine = trains(bench, 1, 50)
    issued = machine.told.issued
    bench.gateway.canaries.update(one.secret_key.encode() for one in issued)
    found = search(machine, canary)
    assert (found.files, found.arguments, found.journal) == ([], [], False)
    assert found.environments
    assert {words for words in found.environments if "chain.py" not in words} == set()
    of_role = search(machine, issued[0].secret_key)
    assert (of_role.files, of_role.arguments, of_role.environments, of_role.journal) == ([], [], [], False)
    time.sleep(max(0.0, issued[0].expires_at + 1 - time.time()))
    go_on(machine, 50)
    ended(bench)
    assert b"it is ***" in b"".join(bench.objects.get(one.key) for one in bench.objects.list("runs/") if "/log/" in one.key)
    assert [one.key for one in bench.objects.list("") if canary.encode() in bench.objects.get(one.key)] == []
    assert canary.encode() not in gzip.decompress(machine.told.user_data)
    asked = [one for one in bench.place.network.service.asked if one.address == machine.told.address]
    assert not any(canary in f"{one.path} {one.headers}" for one in asked)
    assert bench.gateway.seen == []
    used = {call.key for call in bench.gateway.of(machine.told.address)} - {None}
    assert len(used) > 1, "the role's credentials were renewed, and what expired was not used"


def test_a_stack_and_its_images_follow_the_run_and_get_no_credentials(bench: Bench, tmp_path: Path) -> None:
    image = engine.build_image(tmp_path)
    engine.asked("docker", "save", "--output", str(tmp_path / "job" / "image.tar"), image)
    (tmp_path / "job" / "train.sh").write_text(COUNTING)
    service = {"image": image, "command": ["sh", "/train.sh"], "volumes": ["./train.sh:/train.sh:ro"]}
    (tmp_path / "job" / "compose.yaml").write_text(yaml.safe_dump({"services": {"training": service}}))
    load = f"docker image inspect {image} >/dev/null 2>&1 || docker load --input image.tar"
    start(bench, 50, run=None, stack="compose.yaml", setup=load)
    first = trains(bench, 1, 50)
    assert "docker" in first.read("/var/lib/fleet/boot-times")
    assert image in first.run("docker", "images")
    assert first.run("ls", "/mnt/fleet/.docker/overlay2").split()
    ask = ("docker", "run", "--rm", "--network")
    assert first.run(*ask, "host", image, "sh", "-c", ASKING).startswith("HTTP/1.1 200")
    assert first.run(*ask, "bridge", image, "sh", "-c", ASKING) == ""
    first.told.notice_at = time.time() + 120
    bench.until(lambda: not first.runs, "the machine that was given notice powers off")
    bench.until(lambda: bench.run("chain").ended_at, "the run's end")
    assert bench.run("chain").outcome == "succeeded", bench.story()
    assert bench.objects.get(f"{layout.models('chain')}result.txt") == b"counted to 100\n"
    logs = [
        b"".join(bench.objects.get(one.key) for one in bench.objects.list(layout.logs(bench.run("chain").run_id, n)))
        for n in (1, 2)
    ]
    assert [b"Loaded image" in log for log in logs] == [True, False]


def test_a_boot_that_fails_leaves_its_log_and_powers_off(bench: Bench) -> None:
    index = next(entry.key for entry in bench.objects.list("agent/") if entry.key.endswith("index.json"))
    start(bench)
    for entry in bench.objects.list("agent/"):
        if entry.key != index and not entry.key.endswith("index.json"):
            bench.objects.delete([entry.key])
    bench.until(lambda: bench.cloud.made, "a machine")
    machine = bench.machine()
    bench.until(lambda: not machine.runs, "the machine powers off")
    log = bench.objects.get(layout.boot_log(bench.run("chain").run_id, 1)).decode()
    assert "step agent ended with exit code" in log
    assert "bucket.py:" in log
    assert "status: running" in log or "status: error" in log  # cloud-init's own word
    bench.until(lambda: bench.run("chain").attempts[1].examined, "it is looked into")
    assert "agent failed" in bench.objects.get(layout.console(bench.run("chain").run_id, 1)).decode()


def test_the_dead_man_fires_though_every_later_step_of_the_boot_fails_and_after_a_reboot(bench: Bench) -> None:
    start(bench)
    bench.until(lambda: bench.cloud.made, "a machine")
    real = yaml.safe_load(gzip.decompress(bench.machine().told.user_data))
    bench.machine().crash()
    until = int(time.time()) + 25
    lease = _with_lease(real["bootcmd"][0], until)
    broken = {"bootcmd": [lease, "exit 1"], "write_files": [{"path": "/proc/nothing"}], "runcmd": [["/nothing/there"]]}
    data = gzip.compress(b"#cloud-config\n" + yaml.safe_dump(broken).encode())
    network = bench.place.network
    machine = Machine(network, Told("i-0dead", network.address(), user_data=data))
    try:
        machine.wait("test", "-s", "/var/lib/fleet/dead-man")
        assert int(machine.read("/var/lib/fleet/dead-man")) == until
        del network.service.told[machine.told.address]  # neither metadata nor network after the reboot
        machine.reboot()
        machine.wait_end(until + 15 - time.time())
        assert until - 1 <= time.time()
    finally:
        machine.remove()


def _with_lease(bootcmd: str, until: int) -> str:
    head, found, rest = bootcmd.partition("dead-man.sh begin ")
    assert found
    return f"{head}{found}{until}{rest[rest.index(' ') :]}"
