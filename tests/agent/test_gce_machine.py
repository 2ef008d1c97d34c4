"""A machine of Compute Engine from the inside: who it is, and how soon it hears that it is taken back."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.agent.gce_machine import LATE, NOTICE, GceMachine
from fleet.agent.google_metadata import BASE, PAUSE, GoogleMetadata, Watched
from fleet.agent.host_keys import guest_attributes
from fleet.agent.watch import Signals
from tests.agent.ec2 import until
from tests.agent.gce import ADDRESS, FakeGce
from tests.gce.metadata import Service, metadata_server
from tests.gce.told import TERMINATE, Told

SEEN_WITHIN = 2.0
"""Seconds that fleet promises."""


@pytest.fixture(scope="module")
def served() -> Iterator[Service]:
    with metadata_server("127.0.0.1", 0) as made:
        yield made


@pytest.fixture
def service(served: Service) -> Iterator[Service]:
    yield served
    served.silent, served.broken, served.slow = False, None, 0.0
    served.restart()


@pytest.fixture
def gce(service: Service, tmp_path: Path) -> FakeGce:
    return FakeGce(tmp_path / "root", service)


@pytest.fixture
def machine(gce: FakeGce) -> Iterator[GceMachine]:
    made = gce.machine()
    yield made
    made.close()


def test_it_is_called_by_its_name_and_zone(gce: FakeGce, machine: GceMachine) -> None:
    assert machine.instance_id == gce.told.instance_id == "fleet-racer-1-0abc.us-central1-a"
    assert machine.boot_id == "boot-1"
    assert '"run_id":"racer-1"' in machine.user_data()


def test_a_machine_that_does_not_know_who_it_is_claims_nothing(gce: FakeGce, service: Service) -> None:
    service.told.clear()
    with pytest.raises(OSError, match="which instance this is"):
        gce.machine()


def test_what_is_not_googles_metadata_server_is_not_believed(tmp_path: Path) -> None:
    script = (
        "import http.server as h; s = h.HTTPServer(('127.0.0.1', 0), h.SimpleHTTPRequestHandler);"
        "print(s.server_port, flush=True); s.serve_forever()"
    )
    (tmp_path / BASE.strip("/") / "instance").mkdir(parents=True)
    (tmp_path / BASE.strip("/") / "instance" / "name").write_text("i-am-a-proxy")
    words = (sys.executable, "-c", script)
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as other:
        assert other.stdout is not None
        url = f"http://127.0.0.1:{int(other.stdout.readline())}"
        with pytest.raises(OSError, match="not Google's metadata server"):
            GoogleMetadata(url).get("instance/name")
        other.kill()


def test_a_preemption_is_told_at_once_with_the_time_that_is_left(gce: FakeGce, machine: GceMachine) -> None:
    machine.now = lambda: 1000.0  # the bucket's clock is another than the machine's
    assert machine.notice() is None
    began = time.monotonic()
    gce.told.preempted = True
    until(machine.notice)
    assert time.monotonic() - began < SEEN_WITHIN
    found = machine.notice()
    assert found is not None
    assert 1000 + NOTICE - LATE - SEEN_WITHIN < found <= 1000 + NOTICE - LATE
    machine.now = lambda: 1010.0
    assert machine.notice() == found  # it is not put off by being asked again


def test_maintenance_that_ends_the_machine_is_a_reason_to_save_early_and_a_migration_is_none(
    gce: FakeGce, machine: GceMachine
) -> None:
    gce.told.maintenance = "MIGRATE_ON_HOST_MAINTENANCE"
    seen = len([one for one in gce.service.asked if "maintenance-event" in one.path])
    until(lambda: len([one for one in gce.service.asked if "maintenance-event" in one.path]) > seen + 1)
    assert not machine.rebalance()
    gce.told.maintenance = TERMINATE
    until(machine.rebalance)
    gce.told.maintenance = "NONE"
    assert machine.rebalance()
    assert machine.notice() is None


def test_an_agents_round_never_waits_for_the_metadata_server(machine: GceMachine, service: Service) -> None:
    service.silent = True
    signals, began = Signals(machine, every=0.0), time.monotonic()
    for _ in range(50):
        signals.look(time.monotonic())
    assert time.monotonic() - began < 0.5
    assert signals.notice is None


@pytest.mark.parametrize("trouble", ["restarted", "out of order", "silent", "gone and back"])
def test_a_preemption_is_seen_within_two_seconds_of_the_servers_return(
    gce: FakeGce, machine: GceMachine, service: Service, trouble: str
) -> None:
    until(lambda: len(service.asked) > 2)
    if trouble == "out of order":
        service.broken = 503
        until(lambda: [one.status for one in service.asked[-2:]] == [503, 503])
    elif trouble == "silent":
        service.silent = True
        threading.Event().wait(1.0)
    elif trouble == "gone and back":
        told = service.told.pop(ADDRESS)
        until(lambda: service.asked[-1].status == 404)
        service.told[ADDRESS] = told
    gce.told.preempted = True
    assert machine.notice() is None or trouble == "restarted"
    service.broken, service.silent = None, False
    service.restart()
    back = time.monotonic()
    until(machine.notice)
    assert time.monotonic() - back < SEEN_WITHIN


def test_a_server_that_is_slower_than_the_first_patience_is_waited_for_longer(service: Service) -> None:
    service.told[ADDRESS] = Told("slow", ADDRESS, preempted=True)
    service.slow = 1.2
    heard: list[str] = []
    pauses: list[float] = []
    watched = Watched(GoogleMetadata(service.url, 0.2), "instance/preempted", heard.append, pauses.append)
    until(lambda: heard)
    watched.stop()
    assert heard == ["TRUE"]
    assert PAUSE in pauses


def test_each_change_is_told_once_and_silence_changes_nothing(service: Service) -> None:
    told = service.told[ADDRESS] = Told("told", ADDRESS)
    heard: list[str] = []
    watched = Watched(GoogleMetadata(service.url), "instance/maintenance-event", heard.append)
    for text in (TERMINATE, "NONE"):
        until(lambda: heard and heard[-1] == told.maintenance)
        told.maintenance = text
        service.restart()
    until(lambda: heard == ["NONE", TERMINATE, "NONE"])
    watched.stop()


def test_host_keys_are_told_as_guest_attributes(gce: FakeGce, machine: GceMachine) -> None:
    tell = guest_attributes(machine.metadata)
    with pytest.raises(OSError, match="answers 403"):
        tell(["ssh-ed25519 AAAA"])
    gce.told.attributes["enable-guest-attributes"] = "TRUE"
    tell(["ssh-ed25519 AAAA", "ecdsa-sha2-nistp256 BBBB"])
    assert gce.told.guest == {"hostkeys/ssh-ed25519": "AAAA", "hostkeys/ecdsa-sha2-nistp256": "BBBB"}
