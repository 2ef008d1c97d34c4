"""The live page, served to this computer alone: nothing else reaches 127.0.0.1, and no page of another site may read it."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fleet.model.errors import FleetError
from fleet.report.racing.page import body, page
from fleet.workloads.deepracer.analysis.scene import Scene

ADDRESS = "127.0.0.1"
PAGE_EVERY = 5.0
"""Seconds after which an open page asks again; what has not changed costs a line of an answer."""
IDLE = 30.0
"""Seconds for which a connection may say nothing."""
LATELY = 3 * PAGE_EVERY
"""Seconds: a page that asked within them is open."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass
class Served:
    """What the page shows, made when it is asked for and has changed, not before."""

    scene: Callable[[], tuple[int, Scene]]
    """What there is now, and a number that grows with each change."""
    clock: Callable[[], float]
    """Seconds that never go back."""
    asked_at: float = float("-inf")
    """When a page last asked."""
    told_end: threading.Event = field(default_factory=threading.Event)
    """Set once the end has been told to some page."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _boot: str = field(default_factory=lambda: secrets.token_hex(4))
    _body: tuple[int, str, bool] | None = None

    def body(self) -> tuple[str, str]:
        """The tag, and the page's body."""
        self.asked_at = self.clock()
        with self._lock:
            number, scene = self.scene()
            if self._body is None or self._body[0] != number:
                self._body = (number, body(scene), scene.ended)
            number, made, ended = self._body
        if ended:
            self.told_end.set()
        return f'"{self._boot}-{number}"', made

    def page(self) -> str:
        """The whole document."""
        self.asked_at = self.clock()
        with self._lock:
            number, scene = self.scene()
            tag = f'"{self._boot}-{number}"'
            if scene.ended:
                self.told_end.set()
            return page(scene, nonce=secrets.token_urlsafe(16), every=PAGE_EVERY, tag=tag)

    def open_pages(self) -> bool:
        """Whether somebody looks."""
        return self.clock() - self.asked_at < LATELY


class PageServer:
    """Serves until it is closed, which takes ``heed`` seconds at the most."""

    def __init__(self, served: Served, port: int, heed: float = 0.5) -> None:
        handler = type("Handler", (_Handler,), {"served": served})
        try:
            self._server = _Server((ADDRESS, port), handler)
        except OSError as error:
            raise FleetError(
                f"the page cannot be served at port {port}: {error.strerror or error}", "Name another with --port; 0: any."
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": heed}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{ADDRESS}:{self._server.server_port}/"

    def close(self) -> None:
        """Answer nobody any more, on connections that are kept open neither."""
        self._server.closing = True
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    """A browser keeps its connection open: nobody waits for it at the end."""
    allow_reuse_address = True
    closing = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle is no error of ours."""


class _Handler(BaseHTTPRequestHandler):
    served: Served
    protocol_version = "HTTP/1.1"
    server_version = "fleet"
    sys_version = ""
    timeout = IDLE

    def do_GET(self) -> None:
        """The page, or what has changed of it."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """The same without it."""
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        if getattr(self.server, "closing", False):
            self.close_connection = True
            return
        refused = self._refused()
        if refused:
            self._send(HTTPStatus.FORBIDDEN, refused, "text/plain", {}, with_body=with_body)
        elif self.path == "/":
            self._send(HTTPStatus.OK, self.served.page(), "text/html", {}, with_body=with_body)
        elif self.path == "/body":
            tag, made = self.served.body()
            if self.headers.get("If-None-Match") == tag:
                self._send(HTTPStatus.NOT_MODIFIED, "", "text/html", {"ETag": tag}, with_body=False)
            else:
                self._send(HTTPStatus.OK, made, "text/html", {"ETag": tag}, with_body=with_body)
        else:
            self._send(HTTPStatus.NOT_FOUND, "There is only /.\n", "text/plain", {}, with_body=with_body)

    def _refused(self) -> str:
        """Why it is not answered; empty: it is. Another's name that leads here is refused by its Host (DNS rebinding)."""
        port = self.connection.getsockname()[1]
        own = {f"{ADDRESS}:{port}", f"localhost:{port}"}
        if self.headers.get("Host", "") not in own:
            return f"This page is only at http://{ADDRESS}:{port}/.\n"
        origin = self.headers.get("Origin")
        if origin is not None and origin not in {f"http://{host}" for host in own}:
            return "No other site may read this page.\n"
        site, mode = self.headers.get("Sec-Fetch-Site", "none"), self.headers.get("Sec-Fetch-Mode", "")
        if site not in ("same-origin", "none") and mode != "navigate":
            return "No other site may read this page.\n"
        return ""

    def _send(self, status: HTTPStatus, text: str, kind: str, more: dict[str, str], *, with_body: bool) -> None:
        data = text.encode()
        self.send_response(status)
        for name, value in {**_HEADERS, **more}.items():
            self.send_header(name, value)
        if status is not HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if with_body:
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """The terminal belongs to the view."""
