"""ami/ for real: a machine is prepared, its disk becomes an image, and machines boot from that with the real user-data.

The builder is a machine as tests/ec2 plays them, without docker, as stock images are; docker comes from Debian's archive.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.ec2.baking import Builder, files_of, looks_secret, stock_image
from tests.ec2.bench import Bench, Place, place
from tests.ec2.container import Machine
from tests.ec2.emulated import Emulated
from tests.ec2.emulated_root import bootable_of
from tests.ec2.registry import registry
from tests.ec2.told import Told
from tests.ec2.training import CHAIN, COUNTING, ready_after, start, trains
from tests.system import engine
from tests.system.test_ec2_boot import new_key

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

READY_WITHIN = 10.0
"""Seconds from the user-data's start to the agent's first word on a prepared image, on a computer that does nothing else."""
EMULATED_BOOT = 500.0
"""Seconds that it may take where the processor is emulated, and busy."""
CANARY = f"canary-{secrets.token_hex(16)}"
PLANTED = (
    "mkdir -p /root/.ssh /home/admin/.ssh; echo 'ssh-ed25519 {canary} builder' >>/root/.ssh/authorized_keys",
    "echo 'ssh-ed25519 {canary} builder' >>/home/admin/.ssh/authorized_keys",
    "echo 'export TOKEN={canary}' >/root/.bash_history",
    "echo 'export TOKEN={canary}' >/home/admin/.python_history",
    "mkdir -p /root/.aws; echo 'aws_secret_access_key = {canary}' >/root/.aws/credentials",
    'mkdir -p /root/.docker; echo \'{{"auths": "{canary}"}}\' >/root/.docker/config.json',
    "mkdir -p /etc/fleet /var/lib/fleet; echo '{canary}' >/etc/fleet/boot.json; cp /etc/fleet/boot.json /var/lib/fleet/x",
    "echo '{canary}' >/var/log/some.log; logger '{canary}'",
    "echo '{canary}' >/var/tmp/some; echo '{canary}' >/tmp/some",
    "mkdir -p /var/lib/dhcp; echo 'lease {canary}' >/var/lib/dhcp/dhclient.leases",
    "echo '{canary}' >/var/lib/systemd/random-seed; echo '{canary}' >/etc/hostid",
    "echo '# {canary}' >/etc/udev/rules.d/70-persistent-net.rules",
    "mkdir -p /var/lib/cloud/seed/nocloud; echo '{canary}' >/var/lib/cloud/seed/nocloud/user-data",
)
"""What a builder may have on it, with a word that is looked for afterwards."""
NOWHERE = ("etc/ssh/ssh_host_", "etc/fleet/", "var/lib/cloud/", "var/lib/fleet/", "var/log/journal/", "home/admin/.ssh")
IDENTITY = "cat /etc/machine-id; cat /etc/ssh/ssh_host_*_key.pub; docker info --format '{{.ID}}'"


@dataclass
class Baked:
    """An image, and what must not be in it."""

    image: str
    pulled: str
    """The docker image that was pulled ahead, by digest."""
    hidden: list[bytes]
    identity: list[str]
    """The builder's own."""
    steps: dict[str, str]


@pytest.fixture(scope="module")
def where() -> Iterator[Place]:
    with place() as made:
        yield made


@pytest.fixture(scope="module")
def baked(where: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Baked]:
    folder = tmp_path_factory.mktemp("bake")
    where.network.image = stock_image()
    name = f"fleet-test-baked:{os.getpid()}"
    bench = Bench(where, folder)
    canaries = [f"{CANARY}-{number}" for number in range(len(PLANTED))]
    with registry() as shelf:
        pulled = shelf.add(engine.build_image(folder), "training", folder)
        key = new_key(folder / "key")
        builder = Builder.launched(where.network, folder, key)
        machine = builder.machine
        try:
            timer = machine.run("systemctl", "list-timers", "--no-legend", "fleet-builder.timer")
            assert " 1h " in timer, "a builder that is forgotten ends by itself"
            trust(machine, shelf.host)
            for command, canary in zip(PLANTED, canaries, strict=True):
                machine.run("sh", "-ec", command.format(canary=canary))
            builder.bake(bench.objects, bench.wheels, [pulled], AWS_SECRET_ACCESS_KEY=f"{CANARY}-environment")
            identity = own(machine)
            there = machine.run("sh", "-c", f"grep -rlaF {CANARY} /etc /home /root /tmp /var | grep -cv /var/log/journal")
            assert int(there) > len(PLANTED)  # each is found before
            builder.clean()
            builder.image(name)
        finally:
            builder.machine.remove()
            bench.close()
    hidden = [CANARY, *identity, key.split()[1], machine.told.instance_id]
    try:
        yield Baked(name, pulled, [one.encode() for one in hidden], identity, builder.steps)
    finally:
        engine.asked("docker", "rmi", "--force", name, f"{name}-disk")


def trust(machine: Machine, host: str) -> None:
    """Docker asks registries without certificates only if it is told so."""
    text = json.dumps({"insecure-registries": [host]})
    machine.run("sh", "-ec", f"mkdir -p /etc/docker; echo '{text}' >/etc/docker/daemon.json")


def own(machine: Machine) -> list[str]:
    """What only one machine in the world is to have: its id, its host keys, its docker's id."""
    told = machine.run("sh", "-ec", IDENTITY).splitlines()
    return [words.split()[1] if words.startswith(("ssh-", "ecdsa-")) else words for words in told]


@pytest.fixture
def benches(where: Place, tmp_path: Path) -> Iterator[Callable[[str], Bench]]:
    """A fleet whose machines boot from an image."""
    with contextlib.ExitStack() as stack:

        def made(image: str) -> Bench:
            where.network.image = image
            folder = tmp_path / image.replace(":", "-")
            (folder / "job").mkdir(parents=True)
            bench = Bench(where, folder)
            stack.callback(bench.close)
            return bench

        yield made


def stack(bench: Bench, image: str) -> None:
    """A run with a docker stack."""
    service = {"image": image, "command": ["sh", "/train.sh"], "volumes": ["./train.sh:/train.sh:ro"]}
    (bench.folder / "job" / "train.sh").write_text(COUNTING)
    (bench.folder / "job" / "compose.yaml").write_text(yaml.safe_dump({"services": {"training": service}}))
    start(bench, 50, run=None, stack="compose.yaml")


def spoke(bench: Bench) -> tuple[float, dict[str, float]]:
    """Seconds until the newest machine's agent spoke, and how long each step of its boot took.

    `metadata` is what cloud-init did before the first command of the user-data, `agent's word` what the agent did.
    """
    machine = bench.machine()
    ready = ready_after(bench, machine)
    lines = machine.read("/var/lib/fleet/boot-times").splitlines()
    steps = {name: float(took) for name, took in map(str.split, lines)}
    up = float(Path("/proc/uptime").read_text().split()[0])  # the machine's kernel is this computer's
    asked = min(one.at for one in bench.place.network.service.asked if one.address == machine.told.address)
    first = time.time() - up + float(machine.run("cat", "/run/fleet/began").split()[0]) - asked
    return ready, {"metadata": round(first, 2), **steps, "agent's word": round(ready - first - sum(steps.values()), 2)}


def slowest(machine: Machine) -> dict[str, float]:
    """The parts of cloud-init that took longest."""
    lines = machine.run("cloud-init", "analyze", "blame").splitlines()
    parts = [line.split() for line in lines if line.strip().endswith(")")]
    return {name.strip("()"): float(took.rstrip("s")) for took, name in parts[:8]}


def test_nothing_of_the_builder_and_no_secret_is_in_the_image(baked: Baked, tmp_path: Path) -> None:
    found, keys, facts = [], [], {}
    for name, content in files_of(baked.image, tmp_path):
        found += [(name, word) for word in baked.hidden if word in content]
        keys += [name] * looks_secret(content)
        assert not name.startswith(NOWHERE), name
        if name == "etc/fleet-image.json":
            facts = json.loads(content)
    assert found == []
    assert [name for name in keys if not is_shipped(baked.image, name)] == []
    assert (facts["base"], facts["variant"], facts["source"]) == ("debian-12", "cpu", "ami-0123456789abcdef0")
    assert facts["versions"]["docker"][0].isdigit()
    assert {"pydantic", "obstore"} <= facts["packages"].keys()
    assert set(facts["images"]) == {baked.pulled}


def is_shipped(image: str, name: str) -> bool:
    """Whether the stock image has the very file: libraries carry keys to test themselves with."""
    words = ("docker", "run", "--rm", "--entrypoint", "/usr/bin/sha256sum")
    looks = [subprocess.run([*words, one, f"/{name}"], capture_output=True, check=False) for one in (stock_image(), image)]
    return looks[0].returncode == 0 and looks[0].stdout == looks[1].stdout


def test_a_machine_speaks_within_ten_seconds_and_has_the_stacks_image(
    baked: Baked, benches: Callable[[str], Bench], capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside one that boots from a stock image, where docker has to be installed first."""
    stock = benches(stock_image())
    stack(stock, baked.pulled)
    stock.until(lambda: stock.cloud.made and stock.attempt("chain").began_at, "a stock machine speaks", 300)
    before, stock_steps = spoke(stock)
    stock_parts = slowest(stock.machine())
    stock.machine().crash()
    bench = benches(baked.image)
    stack(bench, baked.pulled)
    trains(bench, 1, 50)  # with the image's own: nobody serves it any more
    after, steps = spoke(bench)
    with capsys.disabled():
        sys.stdout.write(f"\nbake: {baked.steps}\nstock: {before:.1f} s {stock_steps}\n  {stock_parts}\n")
        sys.stdout.write(f"prepared: {after:.1f} s {steps}\n  {slowest(bench.machine())}\n")
    assert after < READY_WITHIN * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert after < before


def test_two_machines_of_an_image_have_nothing_of_their_own_in_common(baked: Baked, where: Place) -> None:
    where.network.image = baked.image
    told = [Told(f"i-0{number}", where.network.address(), user_data=b"#cloud-config\n{}\n") for number in "12"]
    machines = [Machine(where.network, one) for one in told]
    try:
        for machine in machines:
            machine.wait("test", "-e", "/run/cloud-init/result.json")
            machine.run("systemctl", "start", "docker.service")
        seen = [own(machine) for machine in machines]
    finally:
        for machine in machines:
            machine.remove()
    assert len(seen[0]) == len(seen[1]) == 4  # two kinds of host keys
    assert not {*seen[0]} & {*seen[1]}
    assert not {*baked.identity} & {*seen[0], *seen[1]}


def test_it_boots_on_an_emulated_machine_from_the_kernel_upwards(
    baked: Baked, where: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing that belongs to containers helps it: its own udev, network and disk; it makes keys and an id of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    found = bootable_of(baked.image, disk)
    where.network.image = baked.image
    (tmp_path / "bench" / "job").mkdir(parents=True)
    (tmp_path / "bench" / "job" / "chain.py").write_text(CHAIN)
    bench = Bench(where, tmp_path / "bench", functools.partial(Emulated, found=found))
    try:
        start(bench, 50)
        bench.until(lambda: (beat := bench.beat("chain", 1)) and beat.step == 50, "it trains", EMULATED_BOOT)
        machine, keys = bench.cloud.newest(), bench.host_keys("chain")
        assert isinstance(machine, Emulated)
        with capsys.disabled():
            sys.stdout.write(f"\nemulated, prepared root: {ready_after(bench, machine):.1f} s {machine.times()}\n")
        assert keys is not None
        assert not {key.split()[1] for key in keys.keys} & {*baked.identity}
    finally:
        bench.close()
