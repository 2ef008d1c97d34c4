"""Where a machine is, and where its caller is: as the other one sees it."""

from __future__ import annotations

import ipaddress
import socket
import urllib.request
from dataclasses import dataclass

from fleet.model.errors import FleetError

CONNECT_SECONDS = 5
CHECK_URL = "https://checkip.amazonaws.com"
"""Tells each caller its address, in a line, whoever asks."""
HINT = "--from ADDRESS says which address you come from."


@dataclass(frozen=True, slots=True)
class Address:
    """One that a machine can be reached at."""

    text: str
    public: bool
    """False: only from within its network, over a VPN or a peering for example."""


def caller_address(machine: Address) -> str:
    """The address that this computer has for a machine, as a CIDR of it alone. Raises FleetError if nobody can tell.

    Between public IPv4 addresses stand translators, so somebody outside is asked; else the way there begins with it.
    """
    if machine.public and ":" not in machine.text:
        return _single(_asked())
    return _single(_source(machine.text))


def _single(text: str) -> str:
    address = ipaddress.ip_address(text)
    return f"{address}/{address.max_prefixlen}"


def _asked() -> str:
    try:
        with urllib.request.urlopen(CHECK_URL, timeout=CONNECT_SECONDS) as answer:
            text = answer.read(64).decode("ascii", errors="replace").strip()
        address = ipaddress.IPv4Address(text)
    except (OSError, ValueError) as error:
        raise FleetError(f"your own address cannot be found out: {CHECK_URL}: {error}", HINT) from None
    if not address.is_global:
        raise FleetError(f"{CHECK_URL} says that your address is {address}, which is no public one", HINT)
    return str(address)


def _source(target: str) -> str:
    """Which of this computer's addresses a packet to another would have; none is sent."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 22))
            found = str(probe.getsockname()[0])
    except OSError as error:
        raise FleetError(f"there is no way from here to {target}: {error.strerror or error}", HINT) from None
    return found.partition("%")[0]
