"""A registry of docker images, as much of it as `docker pull NAME@DIGEST` asks for: what is pulled ahead comes from here."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any

from tests.ec2.imds import ADDRESS
from tests.system.engine import asked

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@dataclass
class Registry:
    """What it serves, by digest, and what was asked for."""

    host: str = ""
    blobs: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def add(self, image: str, name: str, folder: Path) -> str:
        """An image of this computer's engine; how it is called here: ``HOST/NAME:latest@DIGEST``."""
        saved = folder / f"{name}.tar"
        asked("docker", "save", "--output", str(saved), image)
        with tarfile.open(saved) as tar:
            (listed,) = json.load(_file(tar, "manifest.json"))
            config = self._keep(CONFIG, _file(tar, listed["Config"]).read())
            layers = [self._keep(LAYER, gzip.compress(_file(tar, layer).read(), 1)) for layer in listed["Layers"]]
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
        return f"{self.host}/{name}:latest@{self._keep(MANIFEST, json.dumps(manifest).encode())['digest']}"

    def _keep(self, kind: str, data: bytes) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.blobs[digest] = data
        return {"mediaType": kind, "size": len(data), "digest": digest}


def _file(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    found = tar.extractfile(name)
    assert found is not None
    return found


@contextlib.contextmanager
def registry() -> Iterator[Registry]:
    """Serves on the machines' network."""
    made = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            digest = self.path.rpartition("/")[2]
            body = b"{}" if self.path == "/v2/" else made.blobs.get(digest)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.send_header("Content-Type", MANIFEST if "/manifests/" in self.path else "application/octet-stream")
            if digest in made.blobs:
                self.send_header("Docker-Content-Digest", digest)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body or b"")

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer((ADDRESS, 0), Handler) as server:
        made.host = f"{ADDRESS}:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield made
        server.shutdown()
        thread.join()
