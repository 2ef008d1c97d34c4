"""Ports of this computer that lead to ports of a run's machine, whichever machine that is just now."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import Self

from fleet.model.errors import FleetError

HERE = "127.0.0.1"
"""Nobody else's computer may use them."""
PIECE = 65536
OPEN_SECONDS = 15.0
"""A port on the machine that does not answer is given up after so long."""


@dataclass(frozen=True, slots=True)
class Ports:
    """One port here, and the one on the machine that it leads to."""

    local: int
    remote: int


def parse_ports(text: str) -> Ports:
    """``8080`` or ``8080:80``: the port here first. Raises FleetError."""
    found = re.fullmatch(r"([0-9]{1,5})(?::([0-9]{1,5}))?", text)
    if found is None:
        raise FleetError(f"{text!r} is no port", "`8080`, or `8080:80` for port 80 of the machine on port 8080 here.")
    local, remote = int(found[1]), int(found[2] or found[1])
    if not (0 < local < 65536 and 0 < remote < 65536):
        raise FleetError(f"{text!r} is no port: ports go from 1 to 65535")
    return Ports(local, remote)


@dataclass
class Forwarder:
    """Listens on every port from the beginning; connections are carried while there is a machine, else hung up on.

    A connection that is open when the machine changes ends: what it talked to is gone.
    """

    ports: tuple[Ports, ...]
    _transport: Any = None
    _listening: list[socket.socket] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Listen. Raises FleetError if a port is taken."""
        try:
            for one in self.ports:
                self._listen(one)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        self.close()

    def close(self) -> None:
        """Free the ports."""
        for one in self._listening:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts: until then the port is not free
            one.close()
        self._listening.clear()

    def lead_to(self, transport: Any) -> None:
        """Carry connections over this SSH connection from now on; None: over none."""
        self._transport = transport

    def _listen(self, ports: Ports) -> None:
        made = socket.socket()
        self._listening.append(made)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((HERE, ports.local))
            made.listen()
        except OSError as error:
            raise FleetError(
                f"port {ports.local} cannot be had here: {error.strerror or error}",
                f"Another one: `fleet forward RUN {(ports.local + 1) % 65536 or 8080}:{ports.remote}`",
            ) from None
        threading.Thread(target=self._accept, args=(made, ports), name="listen", daemon=True).start()

    def _accept(self, listening: socket.socket, ports: Ports) -> None:
        with contextlib.suppress(OSError):  # closed: the end
            while True:
                caller, _ = listening.accept()
                threading.Thread(target=self._serve, args=(caller, ports), name="forward", daemon=True).start()

    def _serve(self, caller: socket.socket, ports: Ports) -> None:
        transport = self._transport
        with caller:
            if transport is None:
                return
            with contextlib.suppress(Exception):  # nobody listens there, or the machine is gone: the caller sees an end
                where, whence = (HERE, ports.remote), caller.getpeername()
                channel = transport.open_channel("direct-tcpip", where, whence, timeout=OPEN_SECONDS)
                with channel:
                    carry(caller, channel)


def carry(caller: socket.socket, channel: Any) -> None:
    """Carry bytes both ways until both sides have ended; the end of one direction is told, and the other goes on."""

    def there() -> None:
        with contextlib.suppress(OSError, EOFError):
            while piece := caller.recv(PIECE):
                channel.sendall(piece)
            channel.shutdown_write()

    sender = threading.Thread(target=there, name="forward", daemon=True)
    sender.start()
    with contextlib.suppress(OSError, EOFError):
        while piece := channel.recv(PIECE):
            caller.sendall(piece)
    with contextlib.suppress(OSError):
        caller.shutdown(socket.SHUT_WR)
    if not channel.get_transport().is_active():
        with contextlib.suppress(OSError):
            caller.shutdown(socket.SHUT_RD)
    sender.join()
