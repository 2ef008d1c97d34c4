"""Hosts of the user's over a real sshd: reached as the OpenSSH client would reach them, and told from others."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.boot.host import connected, login_of
from fleet.boot.known_hosts import UnknownHostError
from fleet.boot.reach import ConnectionLostError, ImpostorError, LoginRefusedError, SshError
from fleet.control.crontab import read_crontab
from fleet.control.hosts import look
from fleet.model.errors import FleetError
from tests.ssh.conftest import MakeSshd
from tests.ssh.host import SmallHost
from tests.ssh.sshd import agent, make_key, public

pytestmark = pytest.mark.system


def test_the_users_configuration_agent_and_known_hosts_file_count(
    host: SmallHost, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh = tmp_path / "home" / ".ssh"
    (ssh / "known_hosts").rename(ssh / "others")
    user = host.target.partition("@")[0]
    (ssh / "config").write_text(
        f"Host pi\n  HostName 127.0.0.1\n  Port {host.sshd.port}\n  User {user}\n  UserKnownHostsFile ~/.ssh/others\n"
    )
    with pytest.raises(LoginRefusedError, match="you have no key"), connected(login_of("pi")):
        pass
    with agent(key) as where:
        monkeypatch.setenv("SSH_AUTH_SOCK", where)
        with connected(login_of("pi")) as found:
            said = found.run('echo "$HOME"; cat; exit 3', b"fed " * 100_000)
    monkeypatch.delenv("SSH_AUTH_SOCK")
    assert (said.code, said.out) == (3, f"{host.home}\n".encode() + b"fed " * 100_000)
    with (
        pytest.raises(LoginRefusedError, match="takes none of your keys") as told,
        connected(login_of("pi"), identity=make_key(tmp_path / "wrong")),
    ):
        pass
    assert "ssh-copy-id pi" in told.value.hint


def test_what_a_login_shell_prints_by_itself_is_not_taken_for_an_answer(host: SmallHost, key: Path) -> None:
    (host.home / ".bashrc").write_text("echo Welcome; echo to this host >&2\n")
    (host.state / "crontab").write_bytes(b"0 0 * * * backup")
    with connected(login_of(host.target), identity=key) as found:
        assert read_crontab(found.run) == b"0 0 * * * backup"
        assert look(found.run, "it").crontab == b"0 0 * * * backup"


def test_an_account_that_runs_nothing_is_told_of(host: SmallHost, key: Path, tmp_path: Path) -> None:
    only = f'command="echo This account is not available",restrict {public(key)}\n'
    (tmp_path / "authorized").write_text(only)
    with (
        connected(login_of(host.target), identity=key) as found,
        pytest.raises(SshError, match="runs no scripts: This account is not available"),
    ):
        found.run("true")


def test_a_host_on_the_way_must_be_known_too(host: SmallHost, key: Path, tmp_path: Path, sshd: MakeSshd) -> None:
    hop = sshd("hop")
    ssh = tmp_path / "home" / ".ssh"
    (ssh / "config").write_text(
        f"Host 127.0.0.1\n  ProxyJump {hop.reach.user}@localhost:{hop.port}\nHost *\n  IdentityFile {key}\n"
    )
    with pytest.raises(UnknownHostError, match="localhost is not known"), connected(login_of(host.target)):
        pass
    with (ssh / "known_hosts").open("a") as file:
        file.write(f"[localhost]:{hop.port} {public(hop.host_key)}\n")
    with connected(login_of(host.target)) as found:
        assert found.run("echo here").out == b"here\n"
    assert "Accepted publickey" in hop.log


def test_lines_of_certificates_are_passed_over_and_a_revoked_key_is_refused(
    host: SmallHost, key: Path, tmp_path: Path
) -> None:
    known = tmp_path / "home" / ".ssh" / "known_hosts"
    plain, another = known.read_text(), public(make_key(tmp_path / "another"))
    known.write_text(f"@cert-authority *.example.com {another}\n@revoked * {another}\nnonsense ssh-rsa =\n{plain}")
    with connected(login_of(host.target), identity=key) as found:
        assert found.run("echo here").out == b"here\n"
    known.write_text(f"@revoked * {public(host.sshd.host_key)}\n{plain}")
    with pytest.raises(ImpostorError, match="is revoked"), connected(login_of(host.target), identity=key):
        pass


def test_a_host_that_does_not_answer_or_goes_away_is_told_of(host: SmallHost, key: Path) -> None:
    with connected(login_of(host.target), identity=key) as found:
        host.sshd.drop()
        with pytest.raises(ConnectionLostError, match="was lost"):
            found.run("true")
    with pytest.raises(ConnectionLostError, match="nobody answers"), connected(login_of(host.target), identity=key):
        pass


@pytest.mark.parametrize("word", ["", "@host", "-oProxyCommand=x", "me@-x", "a b", "me@host:port", "me@"])
def test_what_is_no_host_is_refused(word: str) -> None:
    with pytest.raises(FleetError, match="is no host"):
        login_of(word)


def test_hosts_are_written_as_ssh_takes_them() -> None:
    found = [login_of(word) for word in ("pi", "me@host", "me@host:2222", "me@[fe80::1]:22", "me@[::1]")]
    assert [(one.user, one.host, one.port) for one in found] == [
        (None, "pi", None), ("me", "host", None), ("me", "host", 2222), ("me", "fe80::1", 22), ("me", "::1", None),
    ]  # fmt: skip
