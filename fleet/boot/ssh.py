"""Connections to a run's machine: to that machine and to no other, with the user's keys, and never waiting for ever."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fleet.boot.reach import ConnectionLostError, ImpostorError, LoginRefusedError, Patience, Reach, SshError
from fleet.model.errors import FleetError

AGAIN_SECONDS = 1.0
"""A machine that refuses the connection is tried again so often."""


@contextlib.contextmanager
def connect(reach: Reach, *, identity: Path | None = None, patience: Patience | None = None) -> Iterator[Any]:
    """A fabric Connection that is open.

    The user's ssh-agent, ``~/.ssh`` and its configuration count, as for the OpenSSH client, but for two things: only the
    pinned host keys are accepted, and the agent is never forwarded. Raises SshError.
    """
    patience = patience or Patience()
    connection = _prepared(reach, identity, patience)
    try:
        _open(connection, reach, patience)
        _watch(connection.transport, patience)
        yield connection
    finally:
        connection.client.close()  # not the connection's own method: that leaves a half-open one alone


def lost(reach: Reach) -> ConnectionLostError:
    """For a connection that ended without being asked to."""
    return ConnectionLostError(
        f"the connection to {reach.name} was lost", "`fleet status RUN` says what became of the machine."
    )


def _prepared(reach: Reach, identity: Path | None, patience: Patience) -> Any:
    """What is to be opened; nothing is asked of the network."""
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # it tells of every failure on standard error, with a traceback
    try:
        from fabric import Config, Connection
        from paramiko.ssh_exception import SSHException
    except ImportError:
        raise FleetError("SSH needs fabric, which is not installed", "pip install 'fleet[aws]', or 'fleet[gcp]'") from None
    if identity is not None and not identity.is_file():
        raise FleetError(f"there is no key {identity}")
    try:
        # Lazy: what fabric has files of its own for is no business of this. The limit is for machines on the way, too.
        config = Config(overrides={"timeouts": {"connect": int(patience.connect)}}, lazy=True)
        config.load_ssh_config()
        connection = Connection(
            reach.address,
            user=reach.user,
            port=reach.port,
            config=config,
            forward_agent=False,
            connect_timeout=patience.connect,
            connect_kwargs={
                "key_filename": [str(identity)] if identity else [],
                "look_for_keys": identity is None,
                "banner_timeout": patience.connect,
                "auth_timeout": patience.login,
                "channel_timeout": patience.login,
            },
        )
    except (SSHException, LookupError, ValueError, TypeError, OSError) as error:
        raise FleetError(f"your SSH configuration cannot be read: {error}", "`ssh -G localhost` checks it.") from None
    given = connection.connect_kwargs
    given["key_filename"] = [name for name in given["key_filename"] if Path(name).expanduser().is_file()]
    _pin(connection, reach)
    return connection


def _pin(connection: Any, reach: Reach) -> None:
    """The machine's keys and no others; machines on the way to it are those that the user knows already."""
    from paramiko import PKey, RejectPolicy

    known = connection.client.get_host_keys()
    name = connection.host if connection.port == 22 else f"[{connection.host}]:{connection.port}"
    for key in reach.keys:
        kind, data = key.split()
        known.add(name, kind, PKey.from_type_string(kind, _decoded(data)))
    connection.client.set_missing_host_key_policy(RejectPolicy())
    hop = connection.gateway
    while hop is not None and not isinstance(hop, str):
        hop.client.load_system_host_keys()
        hop.client.set_missing_host_key_policy(RejectPolicy())
        hop = hop.gateway


def _decoded(data: str) -> bytes:
    import base64

    return base64.b64decode(data)


def _open(connection: Any, reach: Reach, patience: Patience) -> None:
    """Connect, and log in."""
    from paramiko.ssh_exception import (
        AuthenticationException,
        BadHostKeyException,
        NoValidConnectionsError,
        PasswordRequiredException,
        SSHException,
    )

    until = time.monotonic() + patience.refused
    who = f"{reach.user}@{reach.name}"
    while True:
        try:
            connection.open()
        except BadHostKeyException as error:
            if error.hostname != connection.host:
                raise SshError(f"{error.hostname}, on the way to {reach.name}, is not the host that you know") from None
            raise impostor(reach, f"{error.key.get_name()} {error.key.get_base64()}") from None
        except PasswordRequiredException:
            raise LoginRefusedError(f"your key for {who} has a passphrase", "`ssh-add` first, then again.") from None
        except AuthenticationException as error:
            raise _refused(reach, error) from None
        except NoValidConnectionsError as error:
            if time.monotonic() >= until:
                raise ConnectionLostError(
                    f"nobody answers at {reach.address} port {reach.port}: {error.strerror}",
                    "The machine may still boot, or be about to end: `fleet status RUN`.",
                ) from None
            time.sleep(min(AGAIN_SECONDS, patience.refused / 4))
        except (SSHException, OSError, EOFError) as error:
            raise _silent(connection, reach, patience, error) from None
        else:
            return


def impostor(reach: Reach, shown: str) -> ImpostorError:
    """What it means that another key was shown, and what to do."""
    return ImpostorError(
        f"whoever answers at {reach.address} is not {reach.name}: it shows the host key {shown}, and the machine published "
        + " and ".join(reach.keys),
        "Nothing was sent to it. Either its address belongs to another machine by now (`fleet status RUN`), or somebody is "
        "between you and the machine: then try from another network, and do not log in by other means.",
    )


def _refused(reach: Reach, error: Exception) -> LoginRefusedError:
    return LoginRefusedError(
        f"{reach.name} takes none of your keys for {reach.user}: {error}",
        "It knows the key that the fleet was set up with (`fleet init aws` or `gcp`): --identity FILE names it.",
    )


def _silent(connection: Any, reach: Reach, patience: Patience, error: Exception) -> SshError:
    """Why a connection did not come about that nobody refused."""
    if str(error) == "No authentication methods available":
        return LoginRefusedError(
            f"you have no key to log in to {reach.name} with", "`ssh-keygen` makes one; --identity FILE names another."
        )
    transport = connection.client.get_transport()
    if transport is not None and transport.is_authenticated():
        return lost(reach)
    why = "it said nothing that SSH would" if isinstance(error, (TimeoutError, socket.timeout)) else str(error)
    if transport is not None and not transport.remote_version and not isinstance(error, OSError):
        why = f"it said nothing for {patience.connect:g} s"
    return ConnectionLostError(
        f"{reach.name} at {reach.address} port {reach.port} cannot be reached: {why or type(error).__name__}",
        "The machine may still boot, be too busy, or be about to end: `fleet status RUN`.",
    )


def _watch(transport: Any, patience: Patience) -> None:
    """Ask the machine now and then whether it is there; one that does not answer is hung up on.

    A hung machine may keep a connection for hours, since its kernel still answers for it.
    """

    def ask() -> None:
        while transport.is_active():
            _until_dead(transport, patience.ask)
            give_up = threading.Timer(patience.silent, transport.close)
            give_up.daemon = True
            give_up.start()
            try:
                with contextlib.suppress(Exception):  # a connection that ends meanwhile fails in many ways
                    transport.global_request("keepalive@openssh.com", wait=True)
            finally:
                give_up.cancel()

    threading.Thread(target=ask, name="ssh-watch", daemon=True).start()


def _until_dead(transport: Any, seconds: float) -> None:
    """Wait, but not for a connection that has ended: threads that outlive it keep it in memory."""
    until = time.monotonic() + seconds
    while transport.is_active() and time.monotonic() < until:
        time.sleep(min(0.25, seconds))


def trouble(reach: Reach, *, identity: Path | None = None, patience: Patience | None = None) -> SshError | None:
    """Why the machine cannot be logged in to, by trying; None if it can."""
    try:
        with connect(reach, identity=identity, patience=patience):
            return None
    except SshError as error:
        return error
