"""Ports that lead to a run's machine over a real sshd, and to the next machine after it."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import socket
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.boot.forward import Forwarder, Ports
from fleet.boot.reach import ImpostorError, openssh
from fleet.boot.ssh import connect
from fleet.cli import ssh as cli_ssh
from fleet.cli.exec import run_remotely
from fleet.cli.forward import carry_on
from fleet.cli.ssh import log_in_remotely
from fleet.control.reaching import Place
from tests.ssh.conftest import MakeSshd, until
from tests.ssh.fleet import Fleet
from tests.ssh.sshd import free_port

pytestmark = pytest.mark.system


class Answer(http.server.BaseHTTPRequestHandler):
    """Says where the request came from, as far as it knows."""

    def do_GET(self) -> None:
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[int]:
    """What the machine serves: its port."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path / "bucket")


def ask(port: int, path: str = "/hello") -> str:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return str(answer.read().decode())
    return ""


def test_several_ports_lead_to_the_machine(sshd: MakeSshd, key: Path, web: int) -> None:
    first, second = free_port("127.0.0.1"), free_port("127.0.0.1")
    nobody = free_port("127.0.0.1")
    ports = (Ports(first, web), Ports(second, nobody))
    with connect(sshd().reach, identity=key) as connection, Forwarder(ports) as forwarder:
        assert ask(first) == ""  # nobody to lead to yet: hung up on, not left waiting
        forwarder.lead_to(connection.transport)
        found: list[str] = []
        asking = [threading.Thread(target=lambda n=n: found.append(ask(first, f"/{n}"))) for n in range(20)]
        for one in asking:
            one.start()
        for one in asking:
            one.join()
        assert sorted(found) == sorted(f"/{n}" for n in range(20))
        assert ask(second) == ""  # nobody listens there, and the others go on
        assert ask(first) == "/hello"
    with socket.create_server(("127.0.0.1", first)):
        pass  # free again


def test_each_end_may_end_first_and_all_bytes_arrive(sshd: MakeSshd, key: Path) -> None:
    data = b"x" * 5_000_000
    with socket.create_server(("127.0.0.1", 0)) as there:

        def serve() -> None:
            with there.accept()[0] as one:
                seen = sum(len(piece) for piece in iter(lambda: one.recv(65536), b""))
                one.sendall(str(seen).encode() + data)

        threading.Thread(target=serve, daemon=True).start()
        here = free_port("127.0.0.1")
        with (
            connect(sshd().reach, identity=key) as connection,
            Forwarder((Ports(here, there.getsockname()[1]),)) as forwarder,
        ):
            forwarder.lead_to(connection.transport)
            with socket.create_connection(("127.0.0.1", here)) as one:
                one.sendall(data)
                one.shutdown(socket.SHUT_WR)
                answer = b"".join(iter(lambda: one.recv(65536), b""))
    assert answer == str(len(data)).encode() + data


Carry = Callable[[], "tuple[int, list[str], threading.Thread]"]


@pytest.fixture
def carry(fleet: Fleet, key: Path, web: int) -> Carry:
    """Begin ``fleet forward``; its port, and what it says on standard error."""

    def begin() -> tuple[int, list[str], threading.Thread]:
        said: list[str] = []
        port = free_port("127.0.0.1")
        ends = functools.partial(carry_on, fleet.reaching(said.append), [Ports(port, web)], key)
        thread = threading.Thread(target=ends, daemon=True)
        thread.start()
        return port, said, thread

    return begin


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_forwarded_port_follows_the_run_to_its_next_machine(
    sshd: MakeSshd, fleet: Fleet, carry: Carry, web: int, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    """Which has another address, another port and another host key."""
    first = sshd("first")
    fleet.launch(1, first.reach)
    port, said, thread = carry()
    assert until(lambda: ask(port)) == "/hello"
    first.drop()
    until(lambda: any("was lost" in text for text in said))
    fleet.gone(1)
    until(lambda: any("waiting for the next one" in text for text in said))
    assert ask(port) == ""
    fleet.launch(2)
    until(lambda: any("i-2 boots" in text for text in said))
    fleet.publish(2, sshd("second", host=host).reach)
    assert until(lambda: ask(port)) == "/hello"
    fleet.record({"run-ended": {"outcome": "succeeded"}})
    thread.join(timeout=20)
    assert not thread.is_alive()
    told = capsys.readouterr().out.splitlines()
    assert [line.split(" (")[0] for line in told[:2]] == [
        f"http://127.0.0.1:{port} is port {web} of i-1",
        f"http://127.0.0.1:{port} is port {web} of i-2",
    ]
    assert told[2:] == ["run racer-1 succeeded: nothing is left to forward to"]
    assert fleet.doors[-4:] == ["open i-1", "closed i-1", "open i-2", "closed i-2"]


def test_it_leaves_a_machine_that_still_answers_once_the_run_is_elsewhere(
    sshd: MakeSshd, fleet: Fleet, carry: Carry
) -> None:
    fleet.launch(1, sshd("first").reach)
    port, _, _ = carry()
    assert until(lambda: ask(port)) == "/hello"
    fleet.launch(2, sshd("second").reach)
    until(lambda: "open i-2" in fleet.doors and ask(port))
    assert "closed i-1" in fleet.doors
    fleet.record({"run-ended": {"outcome": "succeeded"}})


def test_an_impostor_on_the_way_ends_it(sshd: MakeSshd, fleet: Fleet, key: Path) -> None:
    machine, impostor = sshd("machine"), sshd("impostor")
    fleet.launch(1, machine.reach)
    fleet.places["i-1"] = Place("127.0.0.1", impostor.port)
    with pytest.raises(ImpostorError):
        carry_on(fleet.reaching(print), [Ports(free_port("127.0.0.1"), 80)], key)
    assert fleet.doors == ["open i-1", "closed i-1"]


def test_exec_returns_255_and_says_where_the_run_is_when_it_cannot_get_there(
    sshd: MakeSshd, fleet: Fleet, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    machine = fleet.launch(1, sshd().reach)
    fleet.gone(1)
    assert run_remotely(fleet.reaching(print), machine, ["ls"], None) == 255
    told = capfd.readouterr().err
    assert "you have no key" in told
    assert "was taken back by the cloud" in told


def test_a_login_is_explained_when_openssh_is_refused(
    sshd: MakeSshd, fleet: Fleet, key: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    machine, impostor = sshd("machine"), sshd("impostor")
    there = fleet.launch(1, machine.reach)
    fleet.places["i-1"] = Place("127.0.0.1", impostor.port)
    assert log_in_remotely(fleet.reaching(print), there, key) == 255
    told = capfd.readouterr().err
    assert "whoever answers at 127.0.0.1 is not i-1" in told
    assert "as far as is known attempt 1 still runs" in told
    assert "publickey" not in impostor.log


def test_a_login_leaves_nothing_behind_but_its_exit_code(
    sshd: MakeSshd,
    fleet: Fleet,
    key: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = fleet.launch(1, sshd().reach)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(cli_ssh, "openssh", lambda *words: [*openssh(*words), "echo here; exit 4"])
    assert log_in_remotely(fleet.reaching(print), there, key) == 4
    out, err = capfd.readouterr()
    assert out == "here\n"
    assert "`fleet exec racer -- bash` is where its training runs" in err
    assert list((tmp_path / "temporary").iterdir()) == []
    assert fleet.doors == ["open i-1", "closed i-1"]


def test_without_openssh_a_login_is_plain(
    sshd: MakeSshd, fleet: Fleet, key: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    there = fleet.launch(1, sshd().reach)
    monkeypatch.setattr("shutil.which", lambda _name: None)
    here, typed = os.pipe()
    os.write(typed, b"echo 4$((1+1)); exit 6\n")
    os.close(typed)
    with os.fdopen(here) as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert log_in_remotely(fleet.reaching(print), there, key) == 6
    assert "42\n" in capfd.readouterr().out
