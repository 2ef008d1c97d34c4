"""From a run to its machine on EC2: the address, the port that opens for the caller, and the command there."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet.cli.exec import run_remotely
from fleet.control.reaching import Machine, Place, Reaching, Way
from fleet.control.ways import way_to
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.documents import HostKeys
from fleet.model.errors import FleetError
from fleet.model.setup import AwsRegion, AwsSetup
from fleet.providers import addresses
from fleet.providers.aws.session import aws_client
from tests.aws.moto import Moto
from tests.ssh.fleet import Fleet
from tests.ssh.sshd import Sshd, make_key, public
from tests.unit.core.world import RUN

REGION = "us-east-1"


@pytest.fixture
def fleet(moto: Moto, tmp_path: Path) -> Fleet:
    """That was set up in a region, with one machine."""
    ec2 = aws_client("ec2", REGION)
    group = ec2.create_security_group(GroupName="fleet", Description="no inbound")["GroupId"]
    region = AwsRegion(region=REGION, security_group=group, launch_template="lt-1", template_version="1")
    fields: dict[str, Any] = {"account": "1", "bucket": "b", "bucket_region": REGION, "instance_profile": "p", "made_at": 0}
    made = Fleet(tmp_path / "bucket")
    setup = AwsSetup(fleet_id="f1", regions={REGION: region}, **fields)
    made.objects.put(layout.AWS_SETUP, document_bytes(setup))
    return made


@pytest.fixture
def machine(fleet: Fleet) -> Machine:
    told = aws_client("ec2", REGION).run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, InstanceType="c5.large")
    return replace(
        fleet.launch(1), instance_id=told["Instances"][0]["InstanceId"], provider="aws", region=REGION
    )  # as it would be, were the journal's machine EC2's


def open_for() -> list[str]:
    rules = aws_client("ec2", REGION).describe_security_group_rules()["SecurityGroupRules"]
    return [rule["CidrIpv4"] for rule in rules if not rule["IsEgress"]]


def test_the_port_is_open_for_the_caller_while_the_machine_is_reached(
    fleet: Fleet, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "_asked", lambda: "8.8.8.8")
    way = way_to(fleet.controller(), machine.provider)
    place = way.place(machine)
    assert place is not None
    assert (place.port, place.public) == (22, True)
    with way.opened(machine, place):
        assert open_for() == ["8.8.8.8/32"]
    assert open_for() == []
    with way_to(fleet.controller(), machine.provider, "198.51.100.0/24").opened(machine, place):
        assert open_for() == ["198.51.100.0/24"]
    with (
        pytest.raises(FleetError, match="never opened"),
        way_to(fleet.controller(), machine.provider, "0.0.0.0/0").opened(machine, place),
    ):
        pass
    assert open_for() == []


class Here:
    """EC2's way, but that the machine is a server of the test's."""

    def __init__(self, way: Way, server: Sshd) -> None:
        self._way = way
        self._server = server

    def place(self, machine: Machine) -> Place | None:
        assert self._way.place(machine) is not None
        return Place("127.0.0.1", self._server.port)

    def keys(self, machine: Machine) -> HostKeys | None:
        return self._way.keys(machine)

    def opened(self, machine: Machine, place: Place) -> AbstractContextManager[object]:
        return self._way.opened(machine, place)


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Sshd]:
    key = make_key(tmp_path / "id_user")
    (tmp_path / "authorized").write_text(public(key) + "\n")
    made = Sshd(tmp_path / "sshd", tmp_path / "authorized").start()
    yield made
    made.end()


@pytest.mark.system
def test_a_command_goes_through_a_port_that_is_open_only_meanwhile(
    fleet: Fleet, machine: Machine, there: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Under the host keys that the instance published, and no others'."""
    monkeypatch.setattr(addresses, "_asked", lambda: "8.8.8.8")
    seen: list[list[str]] = []

    def watched(*_: object) -> int:
        seen.append(open_for())
        return 7

    monkeypatch.setattr("fleet.boot.session.run", watched)
    controller = fleet.controller()
    here = Here(way_to(controller, machine.provider), there)
    keys = {"instance_id": machine.instance_id, "keys": [public(there.host_key)], "user": getpass.getuser(), "at": 1.0}
    fleet.objects.put(layout.host_key(RUN, 1), document_bytes(HostKeys.model_validate(keys)))
    reaching = Reaching(controller, RUN, here, print)
    assert run_remotely(reaching, machine, ["ls"], tmp_path / "id_user") == 7
    assert (seen, open_for()) == ([["8.8.8.8/32"]], [])
    fleet.objects.put(
        layout.host_key(RUN, 1), document_bytes(HostKeys.model_validate({**keys, "keys": [public(tmp_path / "id_user")]}))
    )
    assert run_remotely(reaching, machine, ["ls"], tmp_path / "id_user") == 255
    assert "is not i-" in capfd.readouterr().err
    assert open_for() == []
