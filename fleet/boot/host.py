"""A host of the user's over SSH: as the OpenSSH client would reach it, and only if its key is known already."""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
import shlex
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleet.boot.known_hosts import know
from fleet.boot.reach import (
    CONNECT_SECONDS,
    LOGIN_SECONDS,
    PORT,
    ConnectionLostError,
    ImpostorError,
    LoginRefusedError,
    SshError,
)
from fleet.boot.shell import Said
from fleet.model.errors import FleetError

ASK_SECONDS = 15
"""So often the host hears that somebody is still there, while packages are fetched or a question waits for its answer."""
PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Login:
    """``USER@HOST``, as it is typed; what is not said is as the user's SSH configuration says."""

    host: str
    user: str | None = None
    port: int | None = None

    @property
    def name(self) -> str:
        """For messages, and for ``ssh``."""
        return f"{self.user}@{self.host}" if self.user else self.host

    @property
    def ssh(self) -> str:
        """The command that leads there."""
        return f"ssh {f'-p {self.port} ' if self.port else ''}{shlex.quote(self.name)}"


def login_of(text: str) -> Login:
    """``[USER@]HOST[:PORT]``; an IPv6 address with a port stands in brackets. Raises FleetError."""
    user, at, place = text.rpartition("@")
    found = re.fullmatch(r"\[([^\[\]]+)\](?::(\d+))?", place) or re.fullmatch(r"([^:\[\]]+)(?::(\d+))?", place)
    bare = re.fullmatch(r"[0-9A-Fa-f:]*::?[0-9A-Fa-f:.]+(%\w+)?", place)  # an IPv6 address
    host, port = (found[1], found[2]) if found else (bare[0] if bare else "", None)
    if not host or (at and not user) or text.startswith("-") or host.startswith("-") or re.search(r"[\s/]", host):
        raise FleetError(f"{text!r} is no host", "Write USER@HOST, or what `ssh` takes: pi@raspberrypi.local")
    return Login(host, user or None, int(port) if port else None)


class Host:
    """A host that is connected to."""

    def __init__(self, login: Login, connection: Any) -> None:
        self.login = login
        self._connection = connection

    def run(self, script: str, feed: bytes = b"") -> Said:
        """Run a script there, by its ``sh`` whatever the login shell is. Raises SshError.

        What the login shell prints by itself, as some people's .bashrc does, is not the script's: a crontab that began with
        a greeting would be written back so.
        """
        from paramiko.ssh_exception import SSHException

        mark = secrets.token_hex(16)
        try:
            channel = self._connection.transport.open_session(timeout=LOGIN_SECONDS)
            with contextlib.closing(channel):
                channel.exec_command(f"sh -c {shlex.quote(f'echo {mark}; {script}')}")
                threading.Thread(target=_feed, args=(channel, feed), daemon=True).start()
                err: list[bytes] = []
                other = threading.Thread(
                    target=lambda: err.extend(iter(lambda: channel.recv_stderr(PIECE), b"")), daemon=True
                )
                other.start()
                out = b"".join(iter(lambda: channel.recv(PIECE), b""))
                other.join()
                code = int(channel.recv_exit_status())
        except (SSHException, EOFError, OSError) as error:
            raise self._lost() from error
        if code < 0 and not self._connection.transport.is_active():
            raise self._lost()
        _, marked, own = out.partition(f"{mark}\n".encode())
        if not marked:
            told = (b"".join(err) or out).decode("utf-8", "replace").strip() or f"exit code {code}"
            raise SshError(f"{self.login.name} runs no scripts: {told}", f"Does `{self.login.ssh} true` do something?")
        return Said(code, own, b"".join(err))

    def _lost(self) -> ConnectionLostError:
        return ConnectionLostError(
            f"the connection to {self.login.name} was lost", "The same command goes on where it ended."
        )


def _feed(channel: Any, data: bytes) -> None:
    with contextlib.suppress(OSError, EOFError):  # it has ended, and reads no more: its exit code tells
        channel.sendall(data)
        channel.shutdown_write()


@contextlib.contextmanager
def connected(login: Login, *, identity: Path | None = None) -> Iterator[Host]:
    """The host, connected to with the user's keys, agent and configuration. Raises SshError: also for a host whose key is
    not known, which is never taken on trust."""
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # it tells of every failure on standard error
    connection = _prepared(login, identity)
    try:
        _open(login, connection)
        connection.transport.set_keepalive(ASK_SECONDS)
        yield Host(login, connection)
    finally:
        connection.client.close()


def _prepared(login: Login, identity: Path | None) -> Any:
    try:
        from fabric import Config, Connection
        from paramiko.ssh_exception import SSHException
    except ImportError:
        raise FleetError("SSH needs fabric, which is not installed", "pip install 'fleet[aws]', or 'fleet[gcp]'") from None
    if identity is not None and not identity.is_file():
        raise FleetError(f"there is no key {identity}")
    try:
        config = Config(overrides={"timeouts": {"connect": CONNECT_SECONDS}}, lazy=True)
        config.load_ssh_config()
        more = {"key_filename": [str(identity)] if identity else [], "look_for_keys": identity is None}
        waits = {"banner_timeout": CONNECT_SECONDS, "auth_timeout": LOGIN_SECONDS, "channel_timeout": LOGIN_SECONDS}
        connection = Connection(
            login.host,
            user=login.user,
            port=login.port,
            config=config,
            forward_agent=False,
            connect_timeout=CONNECT_SECONDS,
            connect_kwargs={**more, **waits},
        )
        given = connection.connect_kwargs
        given["key_filename"] = [name for name in given["key_filename"] if Path(name).expanduser().is_file()]
        hop: Any = connection
        while hop is not None and not isinstance(hop, str):
            know(hop)
            hop = hop.gateway
    except (SSHException, LookupError, ValueError, TypeError, OSError) as error:
        raise FleetError(f"your SSH configuration cannot be read: {error}", "`ssh -G localhost` checks it.") from None
    return connection


def _open(login: Login, connection: Any) -> None:
    from paramiko.ssh_exception import (
        AuthenticationException,
        BadHostKeyException,
        NoValidConnectionsError,
        PasswordRequiredException,
        SSHException,
    )

    try:
        connection.open()
    except BadHostKeyException as error:
        shown, known = f"{error.key.get_name()} {error.key.get_base64()}", shlex.quote(_as_known(connection, error.hostname))
        raise ImpostorError(
            f"{error.hostname} shows another host key than the one that you know: {shown}",
            f"Nothing was sent to it. If it was installed anew: ssh-keygen -R {known}; {login.ssh}",
        ) from None
    except PasswordRequiredException:
        raise LoginRefusedError(f"your key for {login.name} has a passphrase", "`ssh-add` first, then again.") from None
    except AuthenticationException as error:
        raise LoginRefusedError(f"{login.name} takes none of your keys: {error}", _keys(login)) from None
    except NoValidConnectionsError as error:
        raise ConnectionLostError(
            f"nobody answers at {login.name}: {error.strerror}", f"Does `{login.ssh}` lead there?"
        ) from None
    except (SSHException, OSError, EOFError) as error:
        if "No authentication methods" in str(error):
            raise LoginRefusedError(f"you have no key to log in to {login.name} with", _keys(login)) from None
        told = str(error) or type(error).__name__
        raise ConnectionLostError(f"{login.name} cannot be reached: {told}", f"Does `{login.ssh}` lead there?") from None


def _as_known(connection: Any, host: str) -> str:
    """What a host, or one on the way to it, goes by in the file of known hosts."""
    hop = connection
    while hop is not None and not isinstance(hop, str):
        if hop.host == host and hop.port != PORT:
            return f"[{host}]:{hop.port}"
        hop = hop.gateway
    return host


def _keys(login: Login) -> str:
    return f"--identity FILE names another; `ssh-copy-id {shlex.quote(login.name)}` makes the host know yours."
