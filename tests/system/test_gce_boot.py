"""Whole runs on machines that behave like Compute Engine's: cloud-init with its GCE datasource, disks by Google's names, and
a preemption that is a word of the metadata server's and the power button in one moment.

The controller, the agent, its archives and the scripts are the real ones; the cloud is played by tests/gce/machines.py.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fleet.model import layout
from tests.ec2.search import search
from tests.ec2.training import CHAIN, COUNTING, ended, go_on, resumed_at, start, trains
from tests.gce.machines import GceBench, GceMachine, Place, place
from tests.system import engine

pytestmark = pytest.mark.system

ASKING = r"""
path=/computeMetadata/v1/instance/service-accounts/default/token
printf 'GET %s HTTP/1.1\r\nHost: x\r\nMetadata-Flavor: Google\r\nConnection: close\r\n\r\n' "$path" |
    timeout 3 nc 169.254.169.254 80
true
"""
TAKEN_AFTER = 30.0
"""Seconds from the word to the end."""
BUSY = 2.0
"""Seconds more than fleet promises: other tests may have the processor."""


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("google")) as made:
        yield made


@pytest.fixture
def bench(where: Place, tmp_path: Path) -> Iterator[GceBench]:
    made = GceBench(where, tmp_path, GceMachine)
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "chain.py").write_text(CHAIN)
    yield made
    made.close()


def preempt(machine: GceMachine) -> tuple[float, threading.Timer]:
    """When it was told; half a minute later the plug is pulled, whatever the machine does."""
    given = time.time()
    machine.preempt()

    def pull() -> None:
        with contextlib.suppress(AssertionError):  # a test that failed may have taken the machine away
            if machine.runs:
                machine.crash()

    plug = threading.Timer(TAKEN_AFTER - (time.time() - given), pull)
    plug.start()
    return given, plug


def test_a_machine_boots_from_its_metadata_trains_and_powers_itself_off(bench: GceBench, where: Place) -> None:
    start(bench, 50)
    machine = trains(bench, 1, 50)
    assert machine.run("cloud-id").strip() == "gce"
    beat, keys = bench.beat("chain"), bench.host_keys("chain")
    assert beat is not None
    assert keys is not None
    assert beat.instance_id == keys.instance_id == machine.told.instance_id
    told = {kind.removeprefix("hostkeys/"): key for kind, key in machine.told.guest.items()}
    assert {f"{kind} {key}" for kind, key in told.items()} == set(keys.keys)
    asked = [one for one in where.network.service.asked if one.address == machine.told.address]
    assert {one.status for one in asked} <= {200, 404}
    assert machine.run("findmnt", "-n", "-o", "SOURCE", "/mnt/fleet").strip() == "/dev/sdb"
    armed = float(machine.read("/var/lib/fleet/dead-man"))
    assert time.time() < armed < time.time() + 1000
    go_on(machine, 50)
    machine.wait_end(60)
    assert machine.read("/var/lib/fleet/boot.log") == ""
    ended(bench)


def test_a_preempted_machine_saves_and_lets_go_of_its_volume_within_its_half_minute(bench: GceBench) -> None:
    start(bench, 30, 70)
    first = trains(bench, 1, 30)
    assert isinstance(first, GceMachine)
    disk = next(iter(first.disks.values()))
    uuid = disk.uuid()
    given, plug = preempt(first)
    bench.until(lambda: not first.runs, "it is off", TAKEN_AFTER + 5)
    plug.cancel()
    assert not first.crashed, "it had to be unplugged"
    beat = bench.beat("chain", 1)
    assert beat is not None
    assert beat.notice is not None
    assert beat.notice.until is not None
    assert beat.notice.seen_at - given < 2 + BUSY
    assert given + 20 < beat.notice.until <= given + TAKEN_AFTER + BUSY
    assert (beat.phase, beat.checkpoint_step, beat.step) == ("released", 30, 30)
    assert beat.outcome is not None
    assert (beat.outcome.kind, "nobody of fleet's" in beat.outcome.message) == ("interrupted", False)
    assert beat.at - given < TAKEN_AFTER

    second = trains(bench, 2, 70, checkpoint=60)
    assert disk in second.disks.values()
    assert resumed_at(bench, 2) == 30
    told = bench.beat("chain", 2)
    assert told is not None
    assert told.resumed is not None
    assert (told.resumed.source, told.resumed.lost_steps) == ("volume", 0)
    second.crash("/mnt/fleet")  # and one that is gone without a word
    third = trains(bench, 3, 70)
    assert resumed_at(bench, 3) == 60
    go_on(third, 70)
    ended(bench)
    assert disk.uuid() == uuid


def test_the_power_button_saves_a_stack_before_its_engine_goes(bench: GceBench, tmp_path: Path) -> None:
    image = engine.build_image(tmp_path)
    engine.asked("docker", "save", "--output", str(tmp_path / "job" / "image.tar"), image)
    (tmp_path / "job" / "train.sh").write_text(COUNTING)
    service = {"image": image, "command": ["sh", "/train.sh"], "volumes": ["./train.sh:/train.sh:ro"]}
    (tmp_path / "job" / "compose.yaml").write_text(yaml.safe_dump({"services": {"training": service}}))
    load = f"docker image inspect {image} >/dev/null 2>&1 || docker load --input image.tar"
    start(bench, 55, run=None, stack="compose.yaml", setup=load)
    first = trains(bench, 1, 55)
    assert isinstance(first, GceMachine)
    ask = ("docker", "run", "--rm", "--network")
    assert first.run(*ask, "host", image, "sh", "-c", ASKING).startswith("HTTP/1.1 200")
    assert first.run(*ask, "bridge", image, "sh", "-c", ASKING) == ""  # containers get no token
    given, plug = preempt(first)
    bench.until(lambda: not first.runs, "it is off", TAKEN_AFTER + 5)
    plug.cancel()
    assert not first.crashed, "it had to be unplugged"
    beat = bench.beat("chain", 1)
    assert beat is not None
    assert (beat.phase, beat.checkpoint_step) == ("released", 55)
    assert beat.at - given < TAKEN_AFTER
    bench.until(lambda: bench.run("chain").ended_at, "the run's end")
    assert bench.run("chain").outcome == "succeeded", bench.story()
    assert resumed_at(bench, 2) == 55
    assert bench.objects.get(f"{layout.models('chain')}result.txt") == b"counted to 100\n"


def test_a_secret_of_secret_manager_is_in_the_training_and_nowhere_else(bench: GceBench, where: Place) -> None:
    canary = f"canary-{secrets.token_hex(16)}"
    where.services.router.control("secretmanager", "add", {"name": "fleet-API_TOKEN", "value": canary})
    start(bench, 50, secrets=["API_TOKEN"], run='echo "it is $API_TOKEN"; python3 chain.py')
    machine = trains(bench, 1, 50)
    found = search(machine, canary)
    assert (found.files, found.arguments, found.journal) == ([], [], False)
    assert {words for words in found.environments if "chain.py" not in words} == set()
    assert found.environments
    go_on(machine, 50)
    ended(bench)
    assert [one.key for one in bench.objects.list("") if canary.encode() in bench.objects.get(one.key)] == []
    assert canary not in machine.told.attributes["user-data"]
