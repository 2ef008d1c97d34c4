"""The metadata endpoint of one instance, as EC2's IMDSv2 speaks it: every answer asks for a token first."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN_PATH = "/latest/api/token"  # noqa: S105 - a path, not a secret
TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN_HEADER = "X-aws-ec2-metadata-token"  # noqa: S105 - a header's name
MOST_TTL = 21600


class Metadata:
    """What the endpoint says. ``notice`` and ``rebalance`` are absolute times once they are given."""

    def __init__(self, record: dict[str, Any], user_data: str, clock: Callable[[], float] = time.time) -> None:
        self.record = record
        self.user_data = user_data
        self.notice_until: float | None = None
        self.rebalance_at: float | None = None
        self.clock = clock
        self._tokens: dict[str, float] = {}

    def make_token(self, ttl: int) -> str:
        """A token that is good for so many seconds."""
        now = self.clock()
        self._tokens = {token: until for token, until in self._tokens.items() if until > now}
        token = secrets.token_urlsafe(32)
        self._tokens[token] = now + ttl
        return token

    def is_token(self, token: str | None) -> bool:
        """Whether a token was given out and has not expired."""
        return token is not None and self._tokens.get(token, 0.0) > self.clock()

    def answer(self, path: str) -> str | None:
        """The text at a path; None where there is nothing (404)."""
        offer = self.record["offer"]
        fixed = {
            "/latest/user-data": self.user_data,
            "/latest/meta-data/instance-id": self.record["instance_id"],
            "/latest/meta-data/instance-type": offer["instance_type"],
            "/latest/meta-data/placement/availability-zone": offer["zone"],
            "/latest/meta-data/placement/region": offer["region"],
            "/latest/meta-data/instance-life-cycle": offer["market"],
        }
        if path in fixed:
            return str(fixed[path])
        if path == "/latest/meta-data/spot/instance-action" and self.notice_until is not None:
            return json.dumps({"action": "terminate", "time": _stamp(self.notice_until)})
        if path == "/latest/meta-data/events/recommendations/rebalance" and self.rebalance_at is not None:
            return json.dumps({"noticeTime": _stamp(self.rebalance_at)})
        if path == "/latest/dynamic/instance-identity/document":
            document = {"instanceId": fixed["/latest/meta-data/instance-id"], "instanceType": offer["instance_type"]}
            return json.dumps({**document, "availabilityZone": offer["zone"], "region": offer["region"]})
        return None


def _stamp(at: float) -> str:
    """EC2's form of a time, with milliseconds, since a local notice is short."""
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    metadata: Metadata


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        """A token, for a stated time."""
        ttl = self.headers.get(TTL_HEADER, "")
        if self.path != TOKEN_PATH:
            self._reply(404, "")
        elif self.headers.get("X-Forwarded-For") is not None:
            self._reply(403, "")  # as AWS does: a proxy must not fetch tokens for others
        elif not (ttl.isascii() and ttl.isdigit()) or not 1 <= int(ttl) <= MOST_TTL:
            self._reply(400, "")
        else:
            self._reply(200, self.server.metadata.make_token(int(ttl)))

    def do_GET(self) -> None:
        """The metadata, for those who hold a token."""
        if not self.server.metadata.is_token(self.headers.get(TOKEN_HEADER)):
            self._reply(401, "")
            return
        text = self.server.metadata.answer(self.path.rstrip("/"))
        self._reply(404 if text is None else 200, text or "")

    def _reply(self, status: int, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Silence: the console log is for the machine."""


def serve(metadata: Metadata, listener: Any) -> _Server:
    """A server on an open listening socket; the caller runs ``serve_forever`` in a thread."""
    server = _Server(listener.getsockname(), _Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.metadata = metadata
    return server
