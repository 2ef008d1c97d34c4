"""One question over HTTP, whose whole answer comes within a time or not at all: what metadata services are asked by."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fleet.model.base import Seconds

MOST_BYTES = 16 << 20


@dataclass(frozen=True)
class Answered:
    """What was said."""

    status: int
    text: str
    headers: Mapping[str, str]
    """By their names in small letters."""


@dataclass(frozen=True)
class Place:
    """Who is asked."""

    host: str
    port: int

    def ask(
        self, method: str, path: str, headers: Mapping[str, str], patience: Seconds, body: str | None = None
    ) -> Answered:
        """``patience`` is for the whole answer. Raises OSError if none comes that can be read."""
        connection = _Connection(self.host, self.port, timeout=patience)
        try:
            connection.request(method, path, None if body is None else body.encode(), dict(headers))
            answer = connection.getresponse()
            data = answer.read(MOST_BYTES + 1)
            if len(data) > MOST_BYTES:
                raise OSError(f"the metadata service has too much to say of {path}")
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Answered(answer.status, data.decode(), told)
        except (http.client.HTTPException, ValueError) as error:
            raise OSError(f"the metadata service is out of order: {error!r}") from None
        finally:
            connection.close()


def place_of(url: str) -> Place:
    """The host and port of a URL."""
    parts = urlsplit(url)
    return Place(parts.hostname or "127.0.0.1", parts.port or 80)


class _Socket(socket.socket):
    """Waits until a moment, not for so long between any two bytes: an answer that trickles in is none."""

    until = float("inf")

    def recv_into(self, *args: Any) -> int:
        """A piece, if it comes in time."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer takes too long")
        self.settimeout(left)
        return super().recv_into(*args)


class _Connection(http.client.HTTPConnection):
    """To be done with within its timeout."""

    def connect(self) -> None:
        """Open the connection; its time begins."""
        patience = float(self.timeout or 0.0)
        until = time.monotonic() + patience
        plain = socket.create_connection((self.host, self.port), patience)
        self.sock = _Socket(plain.family, plain.type, plain.proto, plain.detach())
        self.sock.settimeout(patience)
        self.sock.until = until
