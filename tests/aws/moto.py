"""EC2, S3, IAM, SSM and STS as moto plays them: a server of its own process, reached over HTTP as the real ones are."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

APP = Path(__file__).parent / "moto_app.py"
AMIS = Path(__file__).parent / "amis.json"
"""The images that the cloud knows: those that fleet has names for, and an older one."""
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""What the environment holds while moto is the cloud: no other account can be meant."""
STRANGE = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_EC2", "AWS_REGION")
"""What must not be there."""


@dataclass(frozen=True, slots=True)
class Moto:
    """A running server."""

    url: str

    def forget(self) -> None:
        """Everything that was ever made, in every region."""
        request = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")
        with urllib.request.urlopen(request, timeout=30):
            pass

    @property
    def env(self) -> dict[str, str]:
        """The environment that leads to it."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": self.url}


def free_port(host: str = "127.0.0.1") -> int:
    """One that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def moto_server(host: str = "127.0.0.1", settings: dict[str, str] | None = None) -> Iterator[Moto]:
    """Start one, and end it. ``settings`` are moto's own (MOTO_…)."""
    port = free_port(host)
    words = [sys.executable, "-I", str(APP), "-H", host, "-p", str(port)]
    env = {**os.environ, "MOTO_ALLOW_NONEXISTENT_REGION": "false", **(settings or {})}
    env.setdefault("MOTO_AMIS_PATH", str(AMIS))
    process = subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    made = Moto(f"http://{host}:{port}")
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"{made.url}/moto-api/", timeout=5):
                    break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield made
    finally:
        process.terminate()
        process.wait(timeout=30)
