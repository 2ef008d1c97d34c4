"""The instance metadata service of EC2, version 2 only, for any number of machines told apart by their addresses.

As Amazon's does: no answer without a token (401); a token lives as long as it was asked for, and serves the machine that
asked; the answer that carries it is sent with the hop limit as its IP TTL, so that a network further away never sees it;
a request that a proxy passed on (``X-Forwarded-For``) gets none. Folders list what they hold, as cloud-init reads them.
Everything that a machine is told may change while it runs. Every request is kept, for the tests to look through.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.ec2.told import Credentials, Told

ADDRESS = "169.254.169.254"
LONGEST = 21_600
"""Seconds that a token may live at most."""
_VERSION = re.compile(r"latest|\d{4}-\d{2}-\d{2}|1\.0")


@dataclass(frozen=True)
class Asked:
    """One request, and how it was answered."""

    at: float
    address: str
    method: str
    path: str
    headers: dict[str, str]
    status: int


class Service:
    """The service of all machines of a network."""

    def __init__(self) -> None:
        self.told: dict[str, Told] = {}
        """By address."""
        self.asked: list[Asked] = []
        self.url = ""
        self._tokens: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def forget_tokens(self) -> None:
        """Every token that was given expires now."""
        with self._lock:
            self._tokens.clear()

    def by_key(self, access_key: str) -> tuple[Told | None, Credentials | None]:
        """Whose credentials these are, of all that were ever told."""
        for told in list(self.told.values()):
            for one in told.issued:
                if one.access_key == access_key:
                    return told, one
        return None, None

    def answer(self, address: str, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and body; also kept."""
        status, body = self._answer(address, method, path, {name.lower(): value for name, value in headers.items()})
        with self._lock:
            self.asked.append(Asked(time.time(), address, method, path, headers, status))
        return status, body

    def _answer(self, address: str, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        told = self.told.get(address)
        if told is None:
            return 404, b"no such machine"
        if path == "/latest/api/token":
            return self._new_token(address, method, headers)
        token = headers.get("x-aws-ec2-metadata-token", "")
        with self._lock:
            owner, until = self._tokens.get(token, ("", 0.0))
        if owner != address or time.monotonic() >= until:
            return 401, b"Unauthorized"
        if method != "GET":
            return 405, b"Method Not Allowed"
        version, _, rest = path.lstrip("/").partition("/")
        if not version:
            return 200, b"1.0\n2021-03-23\nlatest"
        found = told.document(rest) if _VERSION.fullmatch(version) else None
        return (404, b"Not Found") if found is None else (200, found)

    def _new_token(self, address: str, method: str, headers: dict[str, str]) -> tuple[int, bytes]:
        if method != "PUT":
            return 405, b"Method Not Allowed"
        if "x-forwarded-for" in headers:
            return 403, b"Forbidden"
        seconds = headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
        if not seconds.isdecimal() or not 1 <= int(seconds) <= LONGEST:
            return 400, b"Bad Request"
        token = secrets.token_urlsafe(40)
        with self._lock:
            self._tokens[token] = (address, time.monotonic() + int(seconds))
        return 200, token.encode()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        address = self.client_address[0]
        status, body = self.server.service.answer(address, self.command, self.path, dict(self.headers.items()))
        told = self.server.service.told.get(address)
        hops = told.hop_limit if told is not None and self.path == "/latest/api/token" else 64
        self.connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        if status == 200 and self.command == "PUT":
            self.send_header("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", self.headers["X-aws-ec2-metadata-token-ttl-seconds"])
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_HEAD = _serve  # noqa: N815 (the base class's names)

    def log_message(self, *_args: object) -> None:
        """Kept by the service."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], service: Service) -> None:
        self.service = service
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A machine that was killed while it asked is no error of ours."""


@contextlib.contextmanager
def metadata_service(host: str = ADDRESS, port: int = 80) -> Iterator[Service]:
    """Serve while the block runs."""
    service = Service()
    server = _Server((host, port), service)
    service.url = f"http://{host}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
