"""The stand-in for Google Cloud in a thread of the tests' own process: one for all who look only at what they made in it."""

from __future__ import annotations

import functools
import threading

from tests.gce.clock import Clock
from tests.gce.router import Router
from tests.gce.server import Server


@functools.cache
def in_thread() -> Server:
    """It ends with the process."""
    server = Server(Router(Clock()))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.5}, daemon=True).start()
    return server
