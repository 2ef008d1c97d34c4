"""A recorder in front of moto: what was called, and what goes wrong on the way, as planned.

It also lends moto the memory for tokens that EC2 has: the same ``ClientToken`` with the same bytes gets the same answer,
with other bytes ``IdempotentParameterMismatch``. So what is tested is that fleet sends the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

Kind = Literal["error", "lost", "cut", "slow", "answer"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived."""

    service: str
    action: str
    """The permission's word for it: ``RunInstances``, ``PutObject``."""
    resource: str
    """Ids and names that it is about, joined by commas."""
    parameters: dict[str, str]
    body: bytes
    forwarded: bool
    """Whether moto saw it."""
    status: int
    """What it said; 0: nothing."""


@dataclass(slots=True)
class Trouble:
    """What happens to the next ``times`` requests of an action (a pattern)."""

    action: str
    kind: Kind
    times: int = 1
    code: str = ""
    status: int = 400
    message: str = "so it was planned"
    seconds: float = 0.0
    body: bytes = b""


@dataclass
class Proxy:
    """A running recorder."""

    url: str
    seen: list[Seen] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    tokens: dict[tuple[str, str], Remembered] = field(default_factory=dict)

    def error(
        self, action: str, code: str, *, status: int = 400, times: int = 1, message: str = "so it was planned"
    ) -> None:
        """Refused before it has an effect."""
        self.troubles.append(Trouble(action, "error", times, code=code, status=status, message=message))

    def lost(self, action: str, times: int = 1) -> None:
        """It has its effect, and nobody hears of it: the connection breaks."""
        self.troubles.append(Trouble(action, "lost", times))

    def cut(self, action: str, times: int = 1) -> None:
        """The connection breaks before it has an effect."""
        self.troubles.append(Trouble(action, "cut", times))

    def slow(self, action: str, seconds: float, times: int = 1) -> None:
        """It has its effect at once, and is answered late."""
        self.troubles.append(Trouble(action, "slow", times, seconds=seconds))

    def answer(self, action: str, body: bytes, *, status: int = 200, times: int = 1) -> None:
        """Answered with these bytes, without an effect."""
        self.troubles.append(Trouble(action, "answer", times, status=status, body=body))

    def actions(self) -> list[str]:
        """What was called, in order."""
        return [one.action for one in self.seen]

    def calls(self) -> list[tuple[str, str, str]]:
        """Service, action, resource: what a policy must allow."""
        return [(one.service, one.action, one.resource) for one in self.seen]

    def forget(self) -> None:
        """Begin anew."""
        with self.lock:
            self.seen.clear()
            self.troubles.clear()
            self.tokens.clear()

    def take(self, action: str) -> Trouble | None:
        """The trouble that this request meets."""
        with self.lock:
            for one in self.troubles:
                if one.times > 0 and re.fullmatch(one.action, action):
                    one.times -= 1
                    return one
        return None

    def remembered(self, action: str, token: str) -> Remembered:
        """What a token was used for."""
        with self.lock:
            return self.tokens.setdefault((action, token), Remembered())


@dataclass(slots=True)
class Remembered:
    """One token's request and answer."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    digest: str = ""
    answer: tuple[int, dict[str, str], bytes] | None = None


@contextlib.contextmanager
def proxy_before(target: str, *, keeps_tokens: bool = True) -> Iterator[Proxy]:
    """Start one in front of a server, and end it."""

    class Handler(_Handler):
        upstream = urlsplit(target)
        remembers = keeps_tokens

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Handler.proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Handler.proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65_536
    proxy: Proxy
    upstream: Any
    remembers: bool

    def __getattr__(self, name: str) -> Any:
        """Every method (``do_POST``, …) is handled alike."""
        if name.startswith("do_"):
            return self._handle
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's word
        """Silence: the record is elsewhere."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        service, action, parameters = understood(self.command, self.path, self.headers, body)
        trouble = self.proxy.take(action)
        kind = trouble.kind if trouble is not None else ""
        forwarded = kind in ("", "lost", "slow")
        status, headers, data = self._forward(service, action, parameters, body) if forwarded else (0, {}, b"")
        if trouble is not None and kind == "error":
            status, headers, data = refused(service, trouble)
        if trouble is not None and kind == "answer":
            status, headers, data = trouble.status, {"Content-Type": "text/xml"}, trouble.body
        said = 0 if kind in ("lost", "cut") else status
        resource = about(service, self.path, parameters)
        with self.proxy.lock:
            self.proxy.seen.append(Seen(service, action, resource, parameters, body, forwarded, said))
        if kind in ("lost", "cut"):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if trouble is not None and trouble.seconds:
            time.sleep(trouble.seconds)
        with contextlib.suppress(OSError):  # whoever did not want to wait is gone
            self._reply(status, headers, data)

    def _forward(
        self, service: str, action: str, parameters: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        token = parameters.get("ClientToken") if self.remembers else None
        if token is None:
            return self._send(body)
        known, digest = (
            self.proxy.remembered(action, token),
            hashlib.sha256(repr(sorted(parameters.items())).encode()).hexdigest(),
        )
        with known.lock:
            if known.answer is not None and known.digest == digest:
                return known.answer
            if known.answer is not None:
                return refused(service, Trouble(action, "error", code="IdempotentParameterMismatch"))
            answer = self._send(body)
            if answer[0] < 300:
                known.digest, known.answer = digest, answer
            return answer

    def _send(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.upstream.hostname, self.upstream.port, timeout=60)
        try:
            headers = {key: value for key, value in self.headers.items() if key.lower() not in ("connection", "expect")}
            connection.request(self.command, self.path, body=body, headers=headers)
            answer = connection.getresponse()
            data = answer.read()
            kept = {key: value for key, value in answer.getheaders() if key.lower() not in _HOP}
            return answer.status, kept, data
        finally:
            connection.close()

    def _reply(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response_only(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if "Content-Length" not in headers or self.command != "HEAD":
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


_HOP = frozenset({"connection", "transfer-encoding", "content-length", "keep-alive"})


def understood(method: str, path: str, headers: Any, body: bytes) -> tuple[str, str, dict[str, str]]:
    """Service, action and parameters of a request."""
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", headers.get("Authorization") or "")
    service = scope[1] if scope else "s3"
    target = headers.get("X-Amz-Target")
    query = dict(parse_qsl(urlsplit(path).query, keep_blank_values=True))
    if target:
        said = json.loads(body or b"{}")
        return service, target.rpartition(".")[2], {key: str(value) for key, value in said.items()}
    if service == "s3":
        return service, _s3_action(method, path, query), query
    form = dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    parameters = {**query, **form}
    return service, parameters.get("Action", f"{method} {urlsplit(path).path}"), parameters


def about(service: str, path: str, parameters: dict[str, str]) -> str:
    """What a request is about."""
    if service == "s3":
        return unquote(urlsplit(path).path).strip("/")
    names = re.compile(r"(?:\w*Ids?|Names?|\w*Name|PolicyArn)(?:\.\d+)?")
    return ",".join(value for key, value in sorted(parameters.items()) if names.fullmatch(key))


_S3_PARTS = {
    "lifecycle": "LifecycleConfiguration",
    "publicAccessBlock": "BucketPublicAccessBlock",
    "encryption": "EncryptionConfiguration",
    "tagging": "BucketTagging",
    "versioning": "BucketVersioning",
    "policy": "BucketPolicy",
    "location": "BucketLocation",
}


def _s3_action(method: str, path: str, query: dict[str, str]) -> str:
    """The permission that a request to S3 needs."""
    bucket, _, key = urlsplit(path).path.strip("/").partition("/")
    part = next((word for name, word in _S3_PARTS.items() if name in query), None)
    if not bucket:
        return "ListAllMyBuckets"
    if part is not None and not key:
        return f"{'Get' if method in ('GET', 'HEAD') else 'Put'}{part}"
    if not key:
        told = {"PUT": "CreateBucket", "DELETE": "DeleteBucket", "POST": "DeleteObject"}
        return told.get(method, "ListBucketMultipartUploads" if "uploads" in query else "ListBucket")
    if method == "DELETE":
        return "AbortMultipartUpload" if "uploadId" in query else "DeleteObject"
    return "GetObject" if method in ("GET", "HEAD") else "PutObject"


def refused(service: str, trouble: Trouble) -> tuple[int, dict[str, str], bytes]:
    """A refusal in the service's own form."""
    code, message = trouble.code, trouble.message
    if not code:  # what stands before the service, and speaks no XML
        return trouble.status, {"Content-Type": "text/html"}, b"<html><body>Service Unavailable</body></html>"
    if service not in ("ec2", "iam", "sts", "s3"):
        data = json.dumps({"__type": code, "message": message}).encode()
        return trouble.status, {"Content-Type": "application/x-amz-json-1.1"}, data
    inner = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    if service == "ec2":
        inner = f"<Response><Errors>{inner}</Errors><RequestID>planned</RequestID></Response>"
    elif service != "s3":
        inner = f"<ErrorResponse>{inner}<RequestId>planned</RequestId></ErrorResponse>"
    return trouble.status, {"Content-Type": "text/xml"}, f'<?xml version="1.0" encoding="UTF-8"?>{inner}'.encode()
