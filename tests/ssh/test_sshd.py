"""Connections to real sshd processes: to the machine, to no other, and never waiting for ever."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet.boot.reach import ConnectionLostError, ImpostorError, LoginRefusedError, Patience, Reach, known_hosts, openssh
from fleet.boot.ssh import connect, trouble
from fleet.model.errors import FleetError
from tests.ssh.conftest import MakeSshd, until
from tests.ssh.sshd import agent, make_key, public

pytestmark = pytest.mark.system

QUICK = Patience(connect=1.0, refused=1.0, login=3.0, ask=0.2, silent=0.6)


def said(connection: Any, command: str) -> str:
    """What a command prints to a connection."""
    channel = connection.create_session()
    channel.exec_command(command)
    return b"".join(iter(lambda: channel.recv(9999), b"")).decode()


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_the_right_key_leads_to_the_right_machine(sshd: MakeSshd, key: Path, kind: str) -> None:
    server = sshd(kind=kind)
    with connect(server.reach, identity=key) as connection:
        assert said(connection, "echo here") == "here\n"
    assert trouble(server.reach, identity=key) is None


def test_keys_in_the_agent_and_in_the_usual_folder_count(
    sshd: MakeSshd, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = sshd()
    with pytest.raises(LoginRefusedError, match="you have no key"), connect(server.reach):
        pass
    with agent(key) as where:
        monkeypatch.setenv("SSH_AUTH_SOCK", where)
        assert trouble(server.reach) is None
    monkeypatch.delenv("SSH_AUTH_SOCK")
    shutil.copy(key, tmp_path / "home" / ".ssh" / "id_ed25519")
    assert trouble(server.reach) is None


def test_a_wrong_key_is_refused_with_words_on_which_is_the_right_one(sshd: MakeSshd, tmp_path: Path) -> None:
    server = sshd()
    wrong = make_key(tmp_path / "wrong")
    with pytest.raises(LoginRefusedError, match="takes none of your keys") as told, connect(server.reach, identity=wrong):
        pass
    assert "--identity" in told.value.hint


def test_a_key_with_a_passphrase_is_named_as_such(sshd: MakeSshd, key: Path, tmp_path: Path) -> None:
    server = sshd()
    locked = tmp_path / "locked"
    shutil.copy(key, locked)
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-N", "secret words", "-f", str(locked)], check=True, stdout=subprocess.DEVNULL
    )
    with pytest.raises(LoginRefusedError, match="passphrase") as told, connect(server.reach, identity=locked):
        pass
    assert "ssh-add" in told.value.hint


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_an_impostor_is_found_out_before_anything_is_said_to_it(sshd: MakeSshd, key: Path, kind: str) -> None:
    """Also one whose key is of another type than the machine's."""
    machine, impostor = sshd("machine"), sshd("impostor", kind=kind)
    taken_for = replace(machine.reach, port=impostor.port)
    with pytest.raises(ImpostorError, match="is not") as told, connect(taken_for, identity=key):
        pass
    assert public(impostor.host_key) in told.value.message
    assert public(machine.host_key) in told.value.message
    assert "belongs to another machine by now" in told.value.hint
    assert "publickey" not in impostor.log


def test_what_the_user_knows_of_other_hosts_does_not_count(sshd: MakeSshd, key: Path, tmp_path: Path) -> None:
    """An address that was another machine's yesterday: neither does it help an impostor, nor stand in the machine's way."""
    machine, other = sshd("machine"), sshd("other")
    (tmp_path / "home" / ".ssh" / "known_hosts").write_text(
        f"[127.0.0.1]:{other.port} {public(other.host_key)}\n[127.0.0.1]:{machine.port} {public(other.host_key)}\n"
    )
    assert trouble(machine.reach, identity=key) is None
    assert isinstance(trouble(replace(machine.reach, port=other.port), identity=key), ImpostorError)


def test_the_users_configuration_counts_but_never_forwards_the_agent(
    sshd: MakeSshd, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = sshd()
    (tmp_path / "home" / ".ssh" / "config").write_text(
        f"Host *\n  ForwardAgent yes\n  IdentityFile {key}\n  IdentityFile {tmp_path}/nowhere\n"
    )
    with agent(make_key(tmp_path / "canary")) as where:
        monkeypatch.setenv("SSH_AUTH_SOCK", where)
        with connect(server.reach) as connection:
            assert said(connection, "echo socket ${SSH_AUTH_SOCK-none}; ssh-add -l 2>&1") == (
                "socket none\nCould not open a connection to your authentication agent.\n"
            )


def test_a_machine_on_the_way_must_be_one_that_the_user_knows(sshd: MakeSshd, key: Path, tmp_path: Path) -> None:
    machine, hop = sshd("machine"), sshd("hop")
    ours, known = tmp_path / "home" / ".ssh", f"[localhost]:{hop.port}"
    (ours / "config").write_text(
        f"Host 127.0.0.1\n  ProxyJump {machine.reach.user}@localhost:{hop.port}\nHost *\n  IdentityFile {key}\n"
    )
    assert "not found in known_hosts" in str(trouble(machine.reach))
    (ours / "known_hosts").write_text(f"{known} {public(machine.host_key)}\n")
    assert "localhost, on the way to" in str(trouble(machine.reach))
    assert "publickey" not in hop.log
    (ours / "known_hosts").write_text(f"{known} {public(hop.host_key)}\n")
    assert trouble(machine.reach) is None
    assert "publickey" in hop.log
    assert isinstance(trouble(replace(machine.reach, keys=(public(key),))), ImpostorError)


def test_a_configuration_that_cannot_be_read_is_named(sshd: MakeSshd, tmp_path: Path) -> None:
    (tmp_path / "home" / ".ssh" / "config").write_text("Host\n  what is this\n=\n")
    with pytest.raises(FleetError, match="configuration"), connect(sshd().reach):
        pass


@pytest.mark.parametrize("how", ["silent port", "hung sshd"])
def test_one_that_takes_the_connection_and_says_nothing_is_given_up(sshd: MakeSshd, key: Path, how: str) -> None:
    server = sshd()
    reach = server.reach
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        if how == "silent port":
            reach = replace(reach, port=deaf.getsockname()[1])
        else:
            server.hang()
        begin = time.monotonic()
        with pytest.raises(ConnectionLostError, match="said nothing"), connect(reach, identity=key, patience=QUICK):
            pass
    assert time.monotonic() - begin < 3


def test_one_that_speaks_something_else_is_no_machine(key: Path, sshd: MakeSshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as web:
        reach = replace(sshd().reach, port=web.getsockname()[1])

        def serve() -> None:
            with web.accept()[0] as one:
                one.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 200)
                one.recv(4096)

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(ConnectionLostError, match="cannot be reached"), connect(reach, identity=key, patience=QUICK):
            pass


def test_nobody_there_is_waited_for_a_little(key: Path, sshd: MakeSshd) -> None:
    """sshd is often about to start; one that comes late is reached."""
    server = sshd()
    server.end()
    begin = time.monotonic()
    with pytest.raises(ConnectionLostError, match="nobody answers"), connect(server.reach, identity=key, patience=QUICK):
        pass
    assert 0.9 < time.monotonic() - begin < 3
    threading.Timer(0.5, server.start).start()
    with connect(server.reach, identity=key) as connection:
        assert said(connection, "echo here") == "here\n"


def test_a_machine_that_hangs_later_is_hung_up_on(sshd: MakeSshd, key: Path) -> None:
    """Its kernel still answers for it: without asking sshd itself the connection would live for hours."""
    server = sshd()
    with connect(server.reach, identity=key, patience=QUICK) as connection:
        time.sleep(1.0)  # asked, and answered, more than once
        assert connection.transport.is_active()
        server.hang()
        begin = time.monotonic()
        while connection.transport.is_active():
            assert time.monotonic() - begin < 5
            time.sleep(0.05)


def test_an_ipv6_address_is_one_as_any(sshd: MakeSshd, key: Path) -> None:
    server = sshd(host="::1")
    with connect(server.reach, identity=key) as connection:
        assert said(connection, "echo $SSH_CONNECTION").startswith("::1 ")
    assert isinstance(trouble(replace(server.reach, keys=(public(key),)), identity=key), ImpostorError)


Talk = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def talk(tmp_path: Path, key: Path) -> Talk:
    """OpenSSH's own client, told as ``fleet ssh`` tells it, with a configuration that wishes for the opposite."""
    config = tmp_path / "config"
    config.write_text(
        f"Host *\n  ForwardAgent yes\n  StrictHostKeyChecking no\n  ControlMaster auto\n  ControlPath {tmp_path}/%r@%h\n"
        f"  UserKnownHostsFile /dev/null\n  BatchMode yes\n"
    )

    def run(reach: Reach, command: str) -> subprocess.CompletedProcess[str]:
        known = tmp_path / "known hosts"
        known.write_text(known_hosts(reach))
        words = openssh(reach, known, key)
        return subprocess.run(
            [words[0], "-F", str(config), *words[1:], command], capture_output=True, text=True, check=False, timeout=30
        )

    return run


@pytest.mark.parametrize(("host", "kind"), [("127.0.0.1", "ed25519"), ("::1", "rsa"), ("127.0.0.1", "ecdsa")])
def test_openssh_accepts_the_machine_and_forwards_no_agent(
    sshd: MakeSshd, talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, kind: str
) -> None:
    server = sshd(host=host, kind=kind)
    with agent(make_key(tmp_path / "canary")) as where:
        monkeypatch.setenv("SSH_AUTH_SOCK", where)
        done = talk(server.reach, "echo socket ${SSH_AUTH_SOCK-none}; exit 7")
    assert (done.stdout, done.returncode) == ("socket none\n", 7), done.stderr


def test_a_connection_that_the_user_shares_is_not_taken_for_the_machine(
    sshd: MakeSshd, talk: Talk, tmp_path: Path, key: Path
) -> None:
    """It was opened to the address when that was another machine's; OpenSSH compares no host key with it."""
    machine, other = sshd("machine"), sshd("other")
    words = ["-F", str(tmp_path / "config"), "-i", str(key), "-p", str(other.port), f"{other.reach.user}@127.0.0.1"]
    master = subprocess.Popen(["ssh", "-N", *words], stderr=subprocess.DEVNULL)
    until(lambda: list(tmp_path.glob("*@127.0.0.1")))
    shared = subprocess.run(["ssh", *words, "echo $SSH_CONNECTION"], capture_output=True, text=True, check=True).stdout
    assert shared.split()[3] == str(other.port)
    assert talk(machine.reach, "echo $SSH_CONNECTION").stdout.split()[3] == str(machine.port)
    master.terminate()
    master.wait(timeout=60)


def test_openssh_refuses_an_impostor_whatever_the_users_configuration_says(sshd: MakeSshd, talk: Talk) -> None:
    machine = sshd("machine")
    for kind in ("ed25519", "ecdsa"):
        impostor = sshd(kind, kind=kind)
        done = talk(replace(machine.reach, port=impostor.port), "echo here")
        assert (done.stdout, done.returncode) == ("", 255)
        assert "publickey" not in impostor.log
