"""What machines reach Amazon's services through: checks who asks, as Amazon does and moto does not, and keeps everything.

A machine signs with the credentials that its metadata service told it; expired ones, another machine's, a wrong signature,
and what the role's policy does not allow are refused. ``moto`` behind it plays the services. Every request is kept, and
looked through for canaries.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from tests.aws.evaluator import decide
from tests.aws.moto import CREDENTIALS
from tests.ec2.imds import ADDRESS, Service
from tests.ec2.meant import meant
from tests.ec2.signed import access_key, flaw

UNSIGNED = "AccessDenied"
"""What who does not say who he is gets, and asks for only to read the clock."""
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"})


@dataclass(frozen=True)
class Call:
    """One request, and how it was answered."""

    at: float
    address: str
    method: str
    target: str
    status: int
    key: str | None = None
    """Whose credentials it was signed with."""
    refused: str = ""


@dataclass
class Gateway:
    """Beside what the requests say, the canaries seen in them."""

    url: str
    canaries: set[bytes] = field(default_factory=set)
    """What must not be in any request."""
    seen: list[str] = field(default_factory=list)
    """The requests that held one."""
    calls: list[Call] = field(default_factory=list)

    def forget(self) -> None:
        """Begin anew."""
        for kept in (self.canaries, self.seen, self.calls):
            kept.clear()

    def of(self, address: str) -> list[Call]:
        """The requests of one machine."""
        return [call for call in list(self.calls) if call.address == address]

    def refused(self) -> list[Call]:
        """Those that were not who they said they were."""
        return [call for call in list(self.calls) if call.refused not in ("", UNSIGNED)]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        body = self._body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        refused = self._refusal(headers, body)
        gateway = self.server.gateway
        raw = b"\n".join([unquote(self.path).encode(), str(headers).encode(), body])
        gateway.seen.extend(f"{self.command} {self.path}" for canary in gateway.canaries if canary in raw)
        if refused:
            status, told, answer = 403, [("Content-Type", "application/xml")], _error(refused)
        else:
            only = "if-none-match" in headers or "if-match" in headers
            with self.server.one_at_a_time if only else contextlib.nullcontext():
                status, told, answer = self._passed_on(body)
        gateway.calls.append(
            Call(time.time(), self.client_address[0], self.command, self.path, status, access_key(headers), refused)
        )
        self.send_response(status)
        length = str(len(answer))
        for name, value in told:
            if name.lower() == "content-length" and self.command == "HEAD":
                length = value
            elif name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def _refusal(self, headers: dict[str, str], body: bytes) -> str:
        key = access_key(headers)
        on_network = self.client_address[0].startswith("169.254.") and self.client_address[0] != ADDRESS
        if key == CREDENTIALS["AWS_ACCESS_KEY_ID"] and not on_network:
            return ""  # the controller, and the tests
        if key is None:
            return UNSIGNED
        told, credentials = self.server.service.by_key(key)
        if told is None or credentials is None:
            return "InvalidAccessKeyId"
        if told.address != self.client_address[0]:
            return "InvalidAccessKeyId: another machine's"
        if credentials.expires_at < time.time():
            return "ExpiredToken"
        if headers.get("x-amz-security-token") != credentials.token:
            return "InvalidToken"
        wrong = flaw(credentials.secret_key, self.command, self.path, headers, body)
        if wrong:
            return f"SignatureDoesNotMatch: {wrong}"
        asked = meant(self.command, self.path, headers, body) if told.policy is not None else []
        denied = [str(one) for one in asked if decide(told.policy or {}, one) != "allow"]
        return f"Forbidden: {', '.join(denied)}" if denied else ""

    def _passed_on(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        parts = urlsplit(self.server.behind)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        try:
            headers = {n: v for n, v in self.headers.items() if n.lower() not in HOP_BY_HOP and n.lower() != "expect"}
            connection.request(self.command, self.path, body=body or None, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve  # noqa: N815 (the base class's names)

    def log_message(self, *_args: object) -> None:
        """Kept by the gateway."""


def _error(refused: str) -> bytes:
    code, _, message = refused.partition(": ")
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], behind: str, service: Service) -> None:
        super().__init__(address, _Handler)
        self.behind, self.service = behind, service
        self.one_at_a_time = threading.Lock()
        """moto looks first and writes then: two may be told that they were first. S3 tells that to one."""
        self.gateway = Gateway(f"http://{address[0]}:{self.server_address[1]}")

    def handle_error(self, request: object, client_address: object) -> None:
        """A machine that was killed while it asked is no error of ours."""


@contextlib.contextmanager
def gateway(behind: str, service: Service, host: str = ADDRESS) -> Iterator[Gateway]:
    """Stand in front of ``behind`` while the block runs."""
    server = _Server((host, 0), behind, service)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.gateway
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
