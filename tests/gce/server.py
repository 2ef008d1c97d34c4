"""The stand-in for Google Cloud as a process of its own: ``python -m tests.gce.server --port 0`` prints its address."""

from __future__ import annotations

import argparse
import contextlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.gce.clock import Clock
from tests.gce.orders import LOST
from tests.gce.router import Router, asked_of

LOOK = 0.02
"""A call that waits looks again so often: the clock may have been moved ahead."""


class Server(ThreadingHTTPServer):
    """Serves one router to any number of connections."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, router: Router, port: int = 0, host: str = "127.0.0.1") -> None:
        super().__init__((host, port), _Handler)
        self.router, self._host = router, host

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self._host}:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is none."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        length = int(self.headers.get("content-length") or 0)
        body = self._chunks() if "chunked" in self.headers.get("transfer-encoding", "") else self.rfile.read(length)
        asked = asked_of(self.command, self.path, dict(self.headers.items()), body)
        answered = server.router.ask(asked, lambda seconds: time.sleep(min(LOOK, seconds)))
        if answered.status == LOST:
            self.close_connection = True
            return
        self.send_response_only(answered.status)  # its date is the clock's own
        for name, value in answered.headers.items():
            self.send_header(name, value)
        if "content-length" not in {name.lower() for name in answered.headers}:
            self.send_header("content-length", str(len(answered.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answered.body)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _serve  # noqa: N815  # the base class's names

    def _chunks(self) -> bytes:
        whole = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """It keeps quiet: what was asked stands in the router's calls."""


@contextlib.contextmanager
def serving(router: Router, port: int = 0, host: str = "127.0.0.1") -> Any:
    """A server in a thread of this process."""
    server = Server(router, port, host)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def main() -> None:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--pace", type=float, default=0.02, help="what Google takes a second for takes this many here")
    options = parser.parse_args()
    server = Server(Router(Clock(), options.pace), options.port)
    print(server.url, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
