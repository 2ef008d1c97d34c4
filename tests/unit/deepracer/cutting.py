"""A bad network: a relay before a server that breaks connections in the middle of what they carry."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

PIECE = 16 << 10


@dataclass
class Relay:
    """Passes bytes both ways, and counts those of the clients."""

    target: tuple[str, int]
    url: str = ""
    sent: int = 0
    """Bytes that clients sent, headers among them."""
    got: int = 0
    """Bytes that they were sent."""
    cuts: list[int] = field(default_factory=list)
    """After so many more bytes of the clients' the connection that carries them breaks; one after the other."""
    returns: list[int] = field(default_factory=list)
    """The same of the answers."""
    dead: bool = False
    """Every connection breaks at once."""
    broken: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def passes(self, count: int, *, back: bool) -> bool:
        """Whether these bytes still get through."""
        with self.lock:
            if back:
                self.got += count
            else:
                self.sent += count
            budget = self.returns if back else self.cuts
            if budget:
                budget[0] -= count
                if budget[0] <= 0:
                    budget.pop(0)
                    self.broken += 1
                    return False
            return not self.dead


@contextlib.contextmanager
def relay_before(url: str) -> Iterator[Relay]:
    """Start one in front of a server, and end it."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    server = socket.create_server(("127.0.0.1", 0))
    relay = Relay((parts.hostname, parts.port), f"http://127.0.0.1:{server.getsockname()[1]}")

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                threading.Thread(target=_serve, args=(relay, client), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(timeout=10)


def _serve(relay: Relay, client: socket.socket) -> None:
    with client, socket.create_connection(relay.target) as upstream:
        back = threading.Thread(target=_pump, args=(relay, upstream, client), kwargs={"back": True}, daemon=True)
        back.start()
        _pump(relay, client, upstream, back=False)
        back.join()


def _pump(relay: Relay, source: socket.socket, sink: socket.socket, *, back: bool) -> None:
    """Until one end is closed, or the relay breaks it: then both ends are, without a word."""
    with contextlib.suppress(OSError):
        while data := source.recv(PIECE):
            if not relay.passes(len(data), back=back):
                break
            sink.sendall(data)
    for one in (source, sink):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
