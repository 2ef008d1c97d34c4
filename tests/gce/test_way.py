"""From a run to its machine on Compute Engine: address and host keys, and a port or a tunnel that is open meanwhile."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet.boot import iap
from fleet.control.reaching import Machine, Place
from fleet.control.ways import GcpWay, way_to
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.cloud import AccessRule, LaunchRequest
from fleet.model.errors import ErrorClass, FleetError, ProviderError
from fleet.model.setup import GcpSetup
from fleet.providers import addresses
from fleet.providers.gcp import calls
from fleet.providers.gcp.access import Door, host_keys, machine_address
from fleet.providers.gcp.provider import GcpProvider
from fleet.providers.gcp.rules import rule_name
from tests.gce import ground
from tests.gce.standing import PROJECT, Standing, standing_google
from tests.ssh.fleet import Fleet
from tests.unit.core.world import RUN

ME = "198.51.100.7/32"
ZONE = "us-central1-a"
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIGFsb25lIGluIHRoZSBkYXJrIHRoZXJlIHdhcyBhIGtl"
TAGS = {"fleet": "f1", "run": RUN, "attempt": "1", "try": "1", "token": "token-1"}


class Clock:
    now = 1_764_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def google() -> Iterator[Standing]:
    with pytest.MonkeyPatch.context() as patch:
        found = standing_google(patch)
        yield found
        assert found.faults() == []


@pytest.fixture
def setup() -> GcpSetup:
    return ground.make_setup("f1")


def launched(setup: GcpSetup, folder: Path) -> str:
    provider = GcpProvider("f1", setup, folder / "gcp", shop=ground.shelf, sleep=lambda _: None)
    request = LaunchRequest(
        token="token-1",
        fleet_id="f1",
        run_id=RUN,
        run_name="racer",
        attempt=1,
        try_no=1,
        offers=(ground.offer(),),
        image_id=ground.IMAGE,
        setup=setup.model_dump_json(),
        tags=TAGS,
    )
    return provider.launch(request).instance_id


def open_for(google: Standing, setup: GcpSetup) -> list[str]:
    provider = GcpProvider("f1", setup, Path("unused"), shop=ground.shelf)
    return [rule.cidr for rule in provider.access_rules(ground.REGION)]


@pytest.fixture
def fleet(tmp_path: Path, setup: GcpSetup) -> Fleet:
    made = Fleet(tmp_path / "bucket")
    made.objects.put(layout.GCP_SETUP, document_bytes(setup))
    return made


@pytest.fixture
def machine(google: Standing, fleet: Fleet, setup: GcpSetup, tmp_path: Path) -> Machine:
    return replace(fleet.launch(1), instance_id=launched(setup, tmp_path), provider="gcp", region=ground.REGION)


def test_the_port_is_open_for_the_caller_while_the_machine_is_reached(
    google: Standing, fleet: Fleet, machine: Machine, setup: GcpSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "_asked", lambda: "8.8.8.8")
    way = way_to(fleet.controller(), "gcp")
    place = way.place(machine)
    assert place is not None
    assert (place.port, place.public) == (22, True)
    with way.opened(machine, place):
        assert open_for(google, setup) == ["8.8.8.8/32"]
    assert open_for(google, setup) == []
    with way_to(fleet.controller(), "gcp", "198.51.100.0/24").opened(machine, place):
        assert open_for(google, setup) == ["198.51.100.0/24"]
    with (
        pytest.raises(FleetError, match="never opened"),
        way_to(fleet.controller(), "gcp", "0.0.0.0/0").opened(machine, place),
    ):
        pass
    assert open_for(google, setup) == []


def test_a_machine_without_a_public_address_is_reached_from_within_and_one_that_ended_is_said_so(
    google: Standing, setup: GcpSetup, tmp_path: Path
) -> None:
    instance_id = launched(setup.model_copy(update={"public_ip": False}), tmp_path)
    found = machine_address(setup, instance_id)
    assert found is not None
    assert found.public is False
    assert machine_address(setup, f"nobody.{ZONE}") is None
    google.control("compute", "power_off", zone=ZONE, instance=instance_id.partition(".")[0])
    google.control("cloud", "advance", seconds=300)
    with pytest.raises(ProviderError, match="is terminated") as raised:
        machine_address(setup, instance_id)
    assert raised.value.error_class is ErrorClass.NOT_YET


def test_host_keys_come_from_guest_attributes_where_the_bucket_has_none_yet(
    google: Standing, fleet: Fleet, machine: Machine, setup: GcpSetup
) -> None:
    way = GcpWay(fleet.controller(), setup)
    assert way.keys(machine) is None
    name = machine.instance_id.partition(".")[0]
    told = {"ssh-ed25519": f"{KEY} root@{name}", "ssh-dss": "AAAA", "ssh-rsa": ""}
    google.control("compute", "guest_attributes", zone=ZONE, instance=name, namespace="hostkeys", items=told)
    assert host_keys(setup, machine.instance_id) == ("ssh-dss AAAA", f"ssh-ed25519 {KEY}")
    found = way.keys(machine)
    assert found is not None
    assert (found.keys, found.user, found.instance_id) == ((f"ssh-ed25519 {KEY}",), "fleet", machine.instance_id)


def test_two_terminals_share_a_rule_and_the_last_one_closes_it(google: Standing, setup: GcpSetup) -> None:
    clock = Clock()
    first, second = (Door(setup, ground.REGION, ME, clock) for _ in range(2))
    first.open()
    second.open()
    first.close()
    assert open_for(google, setup) == [ME]
    second.close()
    assert open_for(google, setup) == []
    second.close()


def test_whoever_is_slower_to_open_takes_the_others_rule_over(
    google: Standing, setup: GcpSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    Door(setup, ground.REGION, ME, clock).open()
    late, looks = Door(setup, ground.REGION, ME, clock), iter([None])
    found = Door.known
    monkeypatch.setattr(Door, "known", lambda self: next(looks, found(self)))
    late.open()
    known = found(late)
    assert known is not None
    assert known.until == int(clock.now + 3600) + 1
    late.close()
    assert open_for(google, setup) == []


def test_a_rule_tells_whose_it_is_and_until_when_and_names_this_fleets_machines_alone(
    google: Standing, setup: GcpSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    door = Door(setup, ground.REGION, ME, clock)
    door.open()
    clock.now += 1800
    door.open()
    made = calls.found("firewalls.get", project=PROJECT, firewall=rule_name("f1", ME))
    assert made is not None
    assert made["description"] == f"fleet:f1 until {int(clock.now + 3600)}"
    assert (made["sourceRanges"], made["targetTags"]) == ([ME], ["fleet-f1"])
    assert [(one["IPProtocol"], one["ports"]) for one in made["allowed"]] == [("tcp", ["22"])]
    forgotten = GcpProvider("f1", setup, Path("unused"), shop=ground.shelf)
    rules = forgotten.access_rules(ground.REGION)
    assert [isinstance(one, AccessRule) and one.until for one in rules] == [int(clock.now + 3600)]
    forgotten.close_access(rules[0])
    assert open_for(google, setup) == []
    door.open()
    assert open_for(google, setup) == [ME]
    door.close()


GCLOUD = """#!{python}
import socket, sys, threading
words = sys.argv[1:]
assert words[:2] == ["compute", "start-iap-tunnel"], words
if "{mood}" == "refuses":
    sys.stderr.write("ERROR: (gcloud.compute.start-iap-tunnel) Error while connecting [4033: 'not authorized'].\\n")
    sys.exit(1)
here = next(one for one in words if one.startswith("--local-host-port=")).partition("=")[2].rpartition(":")
door = socket.create_server((here[0], int(here[2])))
sys.stderr.write("Testing if tunnel connection works.\\nListening on port [" + here[2] + "].\\n")
sys.stderr.flush()
while True:
    one, _ = door.accept()
    one.sendall((" ".join(words)).encode())
    one.close()
"""


@pytest.fixture
def gcloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A program of that name, which listens and says what it was asked for, or refuses."""

    def made(mood: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / "gcloud").write_text(GCLOUD.format(python=sys.executable, mood=mood))
        (folder / "gcloud").chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))

    return made


def said(place: Place) -> str:
    with socket.create_connection((place.address, place.port), 5) as other:
        return other.recv(4096).decode()


def test_the_tunnel_stands_while_the_machine_is_reached_and_only_googles_proxy_is_let_in(
    google: Standing, fleet: Fleet, machine: Machine, setup: GcpSetup, gcloud: Callable[[str], None]
) -> None:
    gcloud("serves")
    way = way_to(fleet.controller(), "gcp", "iap")
    place = way.place(machine)
    assert place is not None
    assert place == way.place(machine)
    assert (place.address, place.public) == ("127.0.0.1", True)
    before = threading.active_count()
    with way.opened(machine, place):
        assert open_for(google, setup) == ["35.235.240.0/20"]
        name = machine.instance_id.partition(".")[0]
        for word in (f"start-iap-tunnel {name} 22", f"--zone={ZONE}", f"--project={PROJECT}"):
            assert word in said(place)
    assert open_for(google, setup) == []
    with pytest.raises(ConnectionRefusedError):
        said(place)
    assert threading.active_count() <= before


def test_a_fleet_set_up_for_the_proxy_needs_no_rule_and_no_word(
    google: Standing, fleet: Fleet, machine: Machine, setup: GcpSetup, gcloud: Callable[[str], None]
) -> None:
    gcloud("serves")
    way = GcpWay(fleet.controller(), setup.model_copy(update={"iap": True}))
    place = way.place(machine)
    assert place is not None
    with way.opened(machine, place):
        assert open_for(google, setup) == []
        assert "start-iap-tunnel" in said(place)


def test_why_no_tunnel_came_about_is_said_in_gclouds_own_words(
    google: Standing, fleet: Fleet, machine: Machine, setup: GcpSetup, gcloud: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    way = way_to(fleet.controller(), "gcp", "iap")
    place = way.place(machine)
    assert place is not None
    gcloud("refuses")
    with pytest.raises(FleetError, match=r"4033: 'not authorized'.*\n.*accessViaIAP"), way.opened(machine, place):
        pass
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(FleetError, match=r"gcloud's, which is not installed"), way.opened(machine, place):
        pass
    assert open_for(google, setup) == []


def test_ports_are_free_ones() -> None:
    with socket.create_server((iap.HERE, iap.free_port())):
        pass


@pytest.mark.parametrize(
    ("change", "told"), [({"ssh_key": None}, "know no key to log in with"), (None, "there is no setup/gcp.json")]
)
def test_without_what_is_needed_to_log_in_nothing_is_opened(
    tmp_path: Path, setup: GcpSetup, change: dict[str, Any] | None, told: str
) -> None:
    made = Fleet(tmp_path / "bucket")
    if change is not None:
        made.objects.put(layout.GCP_SETUP, document_bytes(setup.model_copy(update=change)))
    with pytest.raises(FleetError, match=told):
        way_to(made.controller(), "gcp")
