"""How a machine is reached over SSH, and how the OpenSSH client is told: pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleet.model.errors import FleetError

PORT = 22
CONNECT_SECONDS = 10
"""A machine that does not take the connection, or says nothing after it took it, is given up after so long."""
LOGIN_SECONDS = 20
"""One that does not answer to a key."""
ASK_SECONDS = 15
"""A machine is asked so often whether it is still there …"""
SILENT_SECONDS = 30
"""… and given up if it does not answer for so long."""

ALGORITHMS = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
}
"""How a host proves that it has a key of some type."""


class SshError(FleetError):
    """A machine could not be reached, or no longer."""


class ImpostorError(SshError):
    """Whoever answers is not the machine."""


class LoginRefusedError(SshError):
    """The machine takes none of the user's keys."""


class ConnectionLostError(SshError):
    """It does not answer, or went away: another try, or the run's next machine, may be reached."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited for what, in seconds."""

    connect: float = CONNECT_SECONDS
    refused: float = CONNECT_SECONDS
    """One where nobody listens is tried again for so long: its sshd may be about to start."""
    login: float = LOGIN_SECONDS
    ask: float = ASK_SECONDS
    silent: float = SILENT_SECONDS


@dataclass(frozen=True, slots=True)
class Reach:
    """A machine's address, and how it proves that it is the one."""

    address: str
    """A host name, an IPv4 or an IPv6 address (without brackets)."""
    user: str
    keys: tuple[str, ...]
    """The public halves of its host keys, ``ssh-ed25519 AAAA…``: no other is accepted."""
    port: int = PORT
    name: str = "the machine"
    """For messages: the cloud's id."""

    def __post_init__(self) -> None:
        """Raises FleetError if no connection could be trusted."""
        if not self.keys or usable(self.keys) != self.keys:
            raise FleetError(f"{self.name} published no host key that can be used")
        if self.user.startswith("-") or self.address.startswith("-"):
            raise FleetError(f"{self.user}@{self.address} is no login")

    @property
    def algorithms(self) -> tuple[str, ...]:
        """What the host may prove itself with."""
        return tuple(dict.fromkeys(one for key in self.keys for one in ALGORITHMS[_type_of(key)]))


def usable(keys: Iterable[str]) -> tuple[str, ...]:
    """Those of a kind that is still trusted; images make others, too."""
    return tuple(key for key in keys if re.fullmatch(r"[a-z0-9-]+ [A-Za-z0-9+/]+=*", key) and _type_of(key) in ALGORITHMS)


def _type_of(key: str) -> str:
    return key.split(" ", 1)[0]


def alias(reach: Reach) -> str:
    """The name that the machine goes by in the file of known hosts: addresses are used again by other machines."""
    return "fleet-" + "".join(letter if letter.isalnum() or letter == "-" else "-" for letter in reach.name)


def known_hosts(reach: Reach) -> str:
    """A file for OpenSSH that knows this one machine."""
    return "".join(f"{alias(reach)} {key}\n" for key in reach.keys)


def openssh(reach: Reach, known: Path, identity: Path | None = None) -> list[str]:
    """The words of an interactive session. The user's own configuration counts for everything that is not said here.

    Without ControlPath: a shared connection to an address that was another machine's would be used unasked.
    """
    options = {
        "UserKnownHostsFile": f'"{known}"',
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "HostKeyAlias": alias(reach),
        "HostKeyAlgorithms": ",".join(reach.algorithms),
        "UpdateHostKeys": "no",
        "VerifyHostKeyDNS": "no",
        "CheckHostIP": "no",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "ControlMaster": "no",
        "ControlPath": "none",
        "ConnectTimeout": str(CONNECT_SECONDS),
        "ServerAliveInterval": str(ASK_SECONDS),
        "ServerAliveCountMax": str(SILENT_SECONDS // ASK_SECONDS),
    }
    words = ["ssh"]
    for name, value in options.items():
        words += ["-o", f"{name}={value}"]
    if identity is not None:
        words += ["-i", str(identity)]
    return [*words, "-p", str(reach.port), "-l", reach.user, "--", reach.address]


INSIDE = "/opt/fleet/agent/fleet/agent/inside.py"
"""Where a machine has the agent's file of that name."""


def inside(user: str, how: str, token: str, words: Sequence[str], script: str = INSIDE) -> str:
    """The line for the machine's shell that runs a command beside the training, every argument as it was given."""
    root = [] if user == "root" else ["sudo", "-n"]
    return shlex.join([*root, "/usr/bin/python3", "-I", script, how, token, *words])
