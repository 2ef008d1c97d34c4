"""A mail server and a webhook's server, real ones of this computer's: they take, refuse, or hang, as they are told."""

from __future__ import annotations

import contextlib
import email
import email.policy
import json
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, cast

Manner = Literal["take", "refuse", "hang"]


@dataclass
class Mailbox:
    """What a mail server was given, and how it behaves."""

    port: int = 0
    manner: Manner = "take"
    mails: list[EmailMessage] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"mailto://me:pa55word-of-mine@localhost:{self.port}?from=fleet@example.com&to=me@example.com"


class _Smtp(socketserver.StreamRequestHandler):
    """As much of SMTP as a client needs to hand a mail over."""

    def handle(self) -> None:
        box = cast("_SmtpServer", self.server).box
        if box.manner == "hang":
            box.released.wait(60)
            return
        self._say("220 here")
        while line := self.rfile.readline():
            word = line.strip().upper().split(b" ")[0].split(b":")[0]
            if word == b"EHLO":
                self._say("250-here\r\n250 AUTH PLAIN LOGIN")
            elif word == b"AUTH":
                self._say("235 known")
            elif word == b"RCPT" and box.manner == "refuse":
                self._say("550 no such user")
            elif word == b"DATA":
                self._say("354 go on")
                box.mails.append(self._mail())
                self._say("250 taken")
            elif word == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 fine")

    def _mail(self) -> EmailMessage:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        return email.message_from_bytes(b"".join(lines), policy=email.policy.default)

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class _SmtpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads = True, True
    box: Mailbox


@contextlib.contextmanager
def mail_server(manner: Manner = "take") -> Iterator[Mailbox]:
    """One that listens on this computer alone."""
    with _SmtpServer(("localhost", 0), _Smtp) as server:
        server.box = Mailbox(int(server.server_address[1]), manner)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server.box
        finally:
            server.box.released.set()
            server.shutdown()
            thread.join()


@dataclass
class Hook:
    """What a webhook was told, and what it answers."""

    port: int = 0
    status: int = 200
    hangs: bool = False
    told: list[dict[str, Any]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"json://localhost:{self.port}/t0ken-of-mine"


class _Hooked(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        hook = cast("_HookServer", self.server).hook
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if hook.hangs:
            hook.released.wait(60)
            return
        if hook.status < 300:
            hook.told.append(json.loads(body))
        self.send_response(hook.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        pass


class _HookServer(ThreadingHTTPServer):
    daemon_threads = True
    hook: Hook


@contextlib.contextmanager
def web_hook(status: int = 200, *, hangs: bool = False) -> Iterator[Hook]:
    """One that listens on this computer alone."""
    with _HookServer(("localhost", 0), _Hooked) as server:
        server.hook = Hook(int(server.server_address[1]), status, hangs)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server.hook
        finally:
            server.hook.released.set()
            server.shutdown()
            thread.join()
