"""Which machine is connected to, when, and what is said meanwhile: decided without a network."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet.boot.forward import Forwarder, Ports, parse_ports
from fleet.boot.reach import (
    ConnectionLostError,
    ImpostorError,
    LoginRefusedError,
    Reach,
    alias,
    inside,
    known_hosts,
    openssh,
)
from fleet.cli.reaching import EXIT_UNREACHED, unreached
from fleet.control.reaching import Machine, Place, machine_of, passes, provider_of
from fleet.control.ways import way_to
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.documents import HostKeys
from fleet.model.errors import ErrorClass, FleetError, ProviderError, StoreError
from tests.ssh.fleet import Fleet
from tests.ssh.sshd import free_port
from tests.unit.core.world import RUN

REACH = Reach("203.0.113.9", "ubuntu", ("ssh-ed25519 AAAA", "ssh-rsa BBBB"), name="i-1")


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path / "bucket")


def later(do: Callable[[], object], seconds: float = 0.15) -> None:
    threading.Timer(seconds, do).start()


def test_a_run_without_a_machine_says_where_to_look(fleet: Fleet) -> None:
    before: tuple[list[dict[str, Any]], ...] = ([], [{"launch-intended": {}}])
    for events in before:
        fleet.record(*events)
        with pytest.raises(FleetError, match="has no machine now") as told:
            machine_of(fleet.controller().state.runs[RUN])
        assert "fleet status racer" in told.value.hint


def test_a_run_between_two_machines_can_be_followed_already(fleet: Fleet) -> None:
    fleet.launch(1)
    fleet.gone(1)
    assert provider_of(fleet.controller().state.runs[RUN]) == "sim"
    fleet.record({"run-ended": {"outcome": "succeeded"}})
    with pytest.raises(FleetError, match="has no machine now"):
        provider_of(fleet.controller().state.runs[RUN])


def test_the_newest_machine_is_the_runs(fleet: Fleet) -> None:
    fleet.launch(1)
    fleet.gone(1)
    fleet.launch(2)
    assert machine_of(fleet.controller().state.runs[RUN]) == Machine(RUN, 2, "i-2", "sim", "r")


def test_keys_and_address_are_waited_for_and_the_port_is_open_only_meanwhile(fleet: Fleet) -> None:
    machine, said = fleet.launch(1), list[str]()
    later(lambda: fleet.publish(1, REACH))
    with fleet.reaching(said.append).reach(machine) as reach:
        assert (reach.address, reach.user, reach.keys) == (REACH.address, "ubuntu", REACH.keys)
        assert fleet.doors == ["open i-1"]
    assert fleet.doors == ["open i-1", "closed i-1"]
    assert said == ["i-1 boots: waiting for its host key (attempt 1 of racer-1)"]


def test_a_machine_that_ends_while_it_boots_is_waited_for_no_longer(fleet: Fleet) -> None:
    machine = fleet.launch(1)
    later(lambda: fleet.gone(1))
    with pytest.raises(ConnectionLostError, match="ended before"), fleet.reaching(lambda _: None).reach(machine):
        pass
    assert fleet.doors == []


def test_keys_that_another_machine_published_are_refused(fleet: Fleet) -> None:
    machine = fleet.launch(1)
    fleet.publish(1, REACH, by="i-666")
    with (
        pytest.raises(FleetError, match=r"published by i-666, and its machine is i-1"),
        fleet.reaching(print).reach(machine),
    ):
        pass
    assert fleet.doors == []


@pytest.mark.parametrize("keys", [(), ("ssh-dss AAAA",), ("ssh-ed25519",), ("ssh-ed25519 AAAA\nevil ssh-rsa AAAA",)])
def test_keys_that_prove_nothing_are_refused(fleet: Fleet, keys: tuple[str, ...]) -> None:
    machine = fleet.launch(1)
    with pytest.raises(FleetError, match="no host key"):
        replace(REACH, keys=keys)
    found = HostKeys(instance_id="i-1", keys=keys, user="ubuntu", at=1.0)
    fleet.publish(1, REACH)
    fleet.objects.put(layout.host_key(RUN, 1), document_bytes(found))
    with pytest.raises(FleetError, match="no host key"), fleet.reaching(print).reach(machine):
        pass
    fleet.objects.put(layout.host_key(RUN, 1), document_bytes(found.model_copy(update={"keys": (*keys, *REACH.keys)})))
    with fleet.reaching(print).reach(machine) as reach:
        assert reach.keys == REACH.keys  # of those that an image makes, the ones that are trusted count


def test_what_is_no_document_of_host_keys_is_named(fleet: Fleet) -> None:
    machine = fleet.launch(1)
    fleet.publish(1, REACH)
    fleet.objects.put(layout.host_key(RUN, 1), b"{}")
    with pytest.raises(FleetError, match="does not hold"), fleet.reaching(print).reach(machine):
        pass


def test_a_private_address_is_used_with_a_word_on_what_that_means(fleet: Fleet) -> None:
    machine, said = fleet.launch(1), list[str]()
    fleet.publish(1, REACH)
    fleet.places["i-1"] = Place("10.0.0.5", public=False)
    with fleet.reaching(said.append).reach(machine) as reach:
        assert reach.address == "10.0.0.5"
    assert said == ["i-1 has no public address: 10.0.0.5 is reached from within its network alone"]


def test_the_next_machine_is_waited_for_until_the_run_is_over(fleet: Fleet) -> None:
    first, said = fleet.launch(1), list[str]()
    fleet.gone(1)
    reaching = fleet.reaching(said.append)
    later(lambda: fleet.launch(2))
    assert reaching.next_machine() == Machine(RUN, 2, "i-2", "sim", "r")
    assert said == ["run racer-1 has no machine now; waiting for the next one"]
    assert reaching.moved(first)
    fleet.gone(2)
    later(lambda: fleet.record({"run-ended": {"outcome": "succeeded"}}))
    assert reaching.next_machine() is None


def test_a_machine_that_lets_go_is_kept_until_there_is_another(fleet: Fleet) -> None:
    """Whoever watches a page served there sees it to the end."""
    machine = fleet.launch(1)
    reaching = fleet.reaching(print)
    fleet.record({"notice-seen": {}})
    assert not reaching.moved(machine)
    fleet.record({"launch-intended": {"attempt": 2, "predecessor": 1}})
    assert not reaching.moved(machine)
    fleet.record({"launch-succeeded": {"attempt": 2, "id": "i-2"}})
    assert reaching.moved(machine)


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([], "as far as is known attempt 1 still runs on i-1"),
        ([{"notice-seen": {}}], "attempt 1 was taken back by the cloud; the run waits for its next machine"),
        ([{"attempt-gone": {"ended_by": "itself"}}], "attempt 1 has ended; the run waits for its next machine"),
        (
            [{"terminate-intended": {"reason": "silent"}}],
            "attempt 1 is about to end (silent); the run waits for its next machine",
        ),
        (
            [{"attempt-gone": {}}, {"launch-intended": {"attempt": 2}}, {"launch-succeeded": {"attempt": 2, "id": "i-2"}}],
            "run racer-1 goes on with attempt 2 on i-2",
        ),
        ([{"attempt-gone": {}}, {"run-ended": {"outcome": "failed", "reason": "it broke"}}], "run racer-1 failed: it broke"),
    ],
)
def test_whoever_loses_a_machine_hears_where_the_run_is(
    fleet: Fleet, events: list[dict[str, Any]], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = fleet.launch(1)
    reaching = fleet.reaching(print)
    fleet.record(*events)
    assert unreached(reaching, machine, ConnectionLostError("lost", "a hint")) == EXIT_UNREACHED
    assert capsys.readouterr().err == f"fleet: lost\na hint\nfleet: {words}\n"


def test_what_may_pass_is_waited_for_and_the_rest_told() -> None:
    gone = ProviderError(ErrorClass.NOT_YET, "NotRunning", "i-1 is terminated")
    for error in (ConnectionLostError("x"), StoreError("x"), gone, ProviderError(ErrorClass.THROTTLED, "x", "x")):
        assert passes(error)
    denied = ProviderError(ErrorClass.DENIED, "UnauthorizedOperation", "x")
    for other in (ImpostorError("x"), LoginRefusedError("x"), denied, FleetError("x")):
        assert not passes(other)


def test_a_cloud_without_ssh_is_named(fleet: Fleet) -> None:
    with pytest.raises(FleetError, match="machines of sim"):
        way_to(fleet.controller(), "sim")
    with pytest.raises(FleetError, match=r"no setup/aws\.json") as told:
        way_to(fleet.controller(), "aws")
    assert "fleet init aws" in told.value.hint


def test_openssh_is_told_to_know_this_machine_and_no_other(tmp_path: Path) -> None:
    words = openssh(replace(REACH, address="2001:db8::1"), tmp_path / "known", tmp_path / "key")
    told = dict(word.split("=", 1) for word in words if "=" in word)
    assert told["StrictHostKeyChecking"] == "yes"
    assert told["HostKeyAlgorithms"] == "ssh-ed25519,rsa-sha2-512,rsa-sha2-256"
    assert (told["ForwardAgent"], told["GlobalKnownHostsFile"], told["ControlPath"]) == ("no", "/dev/null", "none")
    assert told["UserKnownHostsFile"] == f'"{tmp_path / "known"}"'
    assert words[-2:] == ["--", "2001:db8::1"]
    assert known_hosts(REACH) == "fleet-i-1 ssh-ed25519 AAAA\nfleet-i-1 ssh-rsa BBBB\n"
    assert alias(replace(REACH, name="i-1 (attempt 1 of *,evil)")) == "fleet-i-1--attempt-1-of---evil-"


@pytest.mark.parametrize("harm", [{"user": "-oProxyCommand=x"}, {"address": "-oProxyCommand=x"}])
def test_no_option_comes_in_by_what_a_machine_published(harm: dict[str, str]) -> None:
    with pytest.raises(FleetError, match="no login"):
        replace(REACH, **harm)  # type: ignore[arg-type]


def test_root_needs_no_sudo() -> None:
    assert inside("root", "run", "t", ["a b"]) == "/usr/bin/python3 -I /opt/fleet/agent/fleet/agent/inside.py run t 'a b'"
    assert inside("ubuntu", "run", "t", []).startswith("sudo -n /usr/bin/python3 ")


def test_a_port_that_is_taken_is_named_with_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        free = free_port("127.0.0.1")
        with pytest.raises(FleetError, match=f"port {port} cannot be had") as told:
            Forwarder((Ports(free, 80), Ports(port, 80))).__enter__()
        assert f"{port + 1}:80" in told.value.hint
    with socket.create_server(("127.0.0.1", free)):
        pass  # the first is not kept either


def test_ports_are_for_this_computer_alone() -> None:
    with Forwarder((Ports(free_port("127.0.0.1"), 80),)) as forwarder:
        assert forwarder._listening[0].getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize(("text", "ports"), [("8080", Ports(8080, 8080)), ("8080:80", Ports(8080, 80))])
def test_ports_as_they_are_written(text: str, ports: Ports) -> None:
    assert parse_ports(text) == ports


@pytest.mark.parametrize("text", ["", "http", "0", "65536", "1:0", "1:2:3", "-1", "8080:", "\u0661"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(FleetError, match="no port"):
        parse_ports(text)


@pytest.mark.parametrize(("number", "ignored"), [(signal.SIGHUP, False), (signal.SIGTERM, False), (signal.SIGHUP, True)])
def test_a_terminal_that_is_closed_leaves_no_port_open(number: signal.Signals, ignored: bool) -> None:
    """Unless the command was started so that it outlives its terminal (nohup)."""
    program = (
        f"import signal, time; signal.signal({number:d}, signal.{'SIG_IGN' if ignored else 'SIG_DFL'})\n"
        "from fleet.cli.leaving import leave_properly\nleave_properly()\n"
        "try:\n    print('open', flush=True); time.sleep(1 if " + str(ignored) + " else 60)\nfinally:\n    print('closed')"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        process.send_signal(number)
        assert process.stdout.read() == "closed\n"
    assert process.returncode == (0 if ignored else 128 + number)
