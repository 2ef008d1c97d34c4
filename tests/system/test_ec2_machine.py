"""The containers that play EC2 machines behave as those do, where fleet's promises depend on it."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ec2.bench import Place, place
from tests.ec2.container import Machine
from tests.ec2.disk import Disk
from tests.ec2.told import Told

pytestmark = pytest.mark.system

NESTED = """
ip netns add inner
ip link add outside type veth peer name inside netns inner
ip addr add 10.9.0.1/24 dev outside
ip link set outside up
ip -n inner addr add 10.9.0.2/24 dev inside
ip -n inner link set inside up
ip -n inner route add default via 10.9.0.1
sysctl -q net.ipv4.ip_forward=1
iptables -t nat -A POSTROUTING -s 10.9.0.0/24 -j MASQUERADE
"""
"""A network on the machine, as Docker makes one for its containers: one hop further away."""
TOKEN = "curl -sS -m 2 -X PUT -H X-aws-ec2-metadata-token-ttl-seconds:60 http://169.254.169.254/latest/api/token"
BOOTED = "#cloud-config\nruncmd: [[touch, /run/booted]]\n"


@pytest.fixture(scope="module")
def where() -> Iterator[Place]:
    with place() as made:
        yield made


@pytest.fixture
def machine(where: Place) -> Iterator[Machine]:
    told = Told("i-0123456789abcdef0", where.network.address(), user_data=gzip.compress(BOOTED.encode()), role="role")
    made = Machine(where.network, told)
    made.wait("test", "-e", "/run/booted")
    yield made
    made.remove()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path, 2)
    yield made
    made.delete()


def test_a_network_further_away_gets_no_token_and_so_no_credentials(machine: Machine) -> None:
    machine.run("sh", "-ec", NESTED)
    inside = f"ip netns exec inner {TOKEN}"
    assert machine.tried("sh", "-c", inside).returncode == 28  # curl's word for a timeout
    assert len(machine.run("sh", "-c", TOKEN)) > 20
    machine.told.hop_limit = 2
    assert len(machine.run("sh", "-c", inside)) > 20


def test_cloud_init_knows_the_cloud_and_asked_with_tokens_only(machine: Machine, where: Place) -> None:
    assert machine.run("cloud-id").strip() == "aws"
    asked = [one for one in where.network.service.asked if one.address == machine.told.address]
    assert {one.status for one in asked} <= {200, 404}
    assert any(one.path.endswith("/user-data") for one in asked)
    assert not any("security-credentials" in one.path for one in asked)


def test_a_crash_loses_what_was_not_synced_and_nothing_else(machine: Machine, disk: Disk, where: Place) -> None:
    assert disk.kind() == ""
    machine.attach(disk)
    serial = f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{disk.serial}"
    machine.run(
        "sh", "-ec", f"mkfs.ext4 -q {serial}; mkdir /data; mount {serial} /data; echo kept >/data/kept; sync /data/kept"
    )
    machine.run("sh", "-ec", "echo lost >/data/lost")
    machine.crash("/data")
    assert not machine.runs
    other = Machine(where.network, Told("i-0123456789abcdef1", where.network.address()), {"nvme1n1": disk})
    try:
        other.wait("test", "-b", serial)
        other.run("sh", "-ec", f"mkdir /data; mount {serial} /data")
        assert other.run("cat", "/data/kept") == "kept\n"
        assert "lost" not in other.run("ls", "/data").split() or other.run("cat", "/data/lost") == ""
    finally:
        other.remove()
