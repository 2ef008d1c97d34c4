"""A real HTTP server that takes what Apprise's ``json://`` posts."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Webhook:
    """What came, in order. It may refuse, or take its time."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.came: list[dict[str, Any]] = []
        self.answer = 200
        self.refused = 0
        self.hold: threading.Event | None = None
        """No answer until it is set."""
        self.url = f"json://user:Tr0ub4dor@127.0.0.1:{server.server_address[1]}/hook/s3cr3t"

    @property
    def titles(self) -> list[str]:
        """The first lines of all."""
        return [one["title"] for one in self.came]

    def body(self, title: str) -> str:
        """What the one with a title says."""
        (found,) = [one["message"] for one in self.came if one["title"] == title]
        return str(found)


@contextlib.contextmanager
def webhook() -> Iterator[Webhook]:
    """On a port of this computer's own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if made.hold is not None:
                made.hold.wait(60)
            if made.answer == 200:
                made.came.append(told)
            else:
                made.refused += 1
            with contextlib.suppress(OSError):
                self.send_response(made.answer)
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = Webhook(server)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        if made.hold is not None:
            made.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()
