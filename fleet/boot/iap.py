"""A tunnel through Google's Identity-Aware Proxy to port 22 of a machine, as gcloud makes it: for machines without a public
address, and networks that let nobody in but Google's proxy.

The protocol within is Google's own and changes; gcloud speaks it, with the user's login.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from fleet.model.errors import FleetError

PROGRAM = "gcloud"
READY = "Listening on port"
"""What gcloud says once the tunnel stands: it has tried it by then."""
READY_SECONDS = 60.0
END_SECONDS = 5.0
HERE = "127.0.0.1"
INSTALL = "https://cloud.google.com/sdk/docs/install; without `--from iap`, and with a public address, gcloud is not needed."


@dataclass(frozen=True, slots=True)
class Tunnel:
    """To one machine, from a port of this computer."""

    project: str
    zone: str
    instance: str
    """Its name."""
    port: int = field(default_factory=lambda: free_port())

    def words(self) -> list[str]:
        """What is run."""
        return [
            PROGRAM, "compute", "start-iap-tunnel", self.instance, "22", f"--local-host-port={HERE}:{self.port}",
            f"--zone={self.zone}", f"--project={self.project}", "--verbosity=warning", "--quiet",
        ]  # fmt: skip


def free_port() -> int:
    """One that nobody listens at just now."""
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def standing(tunnel: Tunnel, ready_seconds: float = READY_SECONDS) -> Iterator[None]:
    """The tunnel stands meanwhile. Raises FleetError, with gcloud's own words, if it does not come about."""
    if shutil.which(PROGRAM) is None:
        raise FleetError("the tunnel through Identity-Aware Proxy is gcloud's, which is not installed", INSTALL)
    process = subprocess.Popen(
        tunnel.words(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C is for what goes through the tunnel
    )
    said, stands, known = deque[str](maxlen=5), threading.Event(), threading.Event()
    reading = threading.Thread(target=_read, args=(process, said, stands, known), name="iap", daemon=True)
    reading.start()
    try:
        known.wait(ready_seconds)
        if not stands.is_set():
            raise _broken(tunnel, said)
        yield
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reading.join(END_SECONDS)


def _read(process: subprocess.Popen[str], said: deque[str], stands: threading.Event, known: threading.Event) -> None:
    """Until it ends: a pipe that nobody reads would hold it up. ``known``: it stands, or will not."""
    assert process.stderr is not None
    with process.stderr:
        for line in process.stderr:
            said.append(line.strip())
            if READY in line:
                stands.set()
                known.set()
    known.set()


def _broken(tunnel: Tunnel, said: deque[str]) -> FleetError:
    told = " ".join(line for line in said if line) or "it said nothing"
    return FleetError(
        f"no tunnel to {tunnel.instance} through Identity-Aware Proxy: {told[-600:]}",
        "It needs the permission iap.tunnelInstances.accessViaIAP, and a machine whose sshd runs: `fleet doctor gcp`.",
    )
