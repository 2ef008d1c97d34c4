"""A gigabyte's way to a real S3 server and back: whole, and within a stated amount of memory."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.model.documents import Manifest
from fleet.store.checkpoints.restore import fetch
from fleet.store.opening import open_objects

pytestmark = pytest.mark.system

MIB = 1 << 20
MOST_MEMORY = 160 * MIB
"""Four large files of four parts of 5 MiB each, four small ones of at most 5 MiB twice, and slack."""
FILES = {f"large-{n}": 64 * MIB + n for n in range(9)} | {f"middle-{n}": 5 * MIB for n in range(24)} | {"empty": 0}
UPLOAD = """
import json, sys, time
from pathlib import Path
from fleet.model.documents import CheckpointRef, Manifest
from fleet.store.checkpoints import Scanner
from fleet.store.checkpoints.commit import upload
from fleet.store.opening import open_objects

def peak():
    status = Path("/proc/self/status")
    return int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024 if status.exists() else 0

folder = Path(sys.argv[1])
objects = open_objects("s3://bench/prefix", clock=time.time)
objects.put("first", b"")
before, ref = peak(), CheckpointRef(attempt=1, seq=1)
with Scanner(folder / "set", folder / "staging", "rename").finished() as staged:
    files = upload(objects, "r", ref, staged, None, 8)
print(json.dumps(peak() - before))
print(Manifest(run_id="r", ref=ref, at=0, format="rename", files=files).model_dump_json())
"""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (tmp_path / "s3" / "bench").mkdir(parents=True)
    for name, value in {
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test-test",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    rclone = Path(sys.executable).with_name("rclone")
    command = [
        str(rclone),
        "serve",
        "s3",
        "--addr",
        f"127.0.0.1:{port}",
        "--auth-key",
        "test,test-test",
        str(tmp_path / "s3"),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as rclone_serve:
        until = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < until
                time.sleep(0.05)
        yield
        rclone_serve.terminate()


@pytest.mark.usefixtures("server")
def test_large_and_small_files_arrive_and_come_back_within_the_stated_memory(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    hashes = {}
    for name, size in FILES.items():
        data = os.urandom(size)
        (tmp_path / "set" / name).write_bytes(data)
        hashes[name] = hashlib.sha256(data).hexdigest()
    done = subprocess.run(
        [sys.executable, "-c", UPLOAD, str(tmp_path)], capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stderr
    memory, document = done.stdout.splitlines()
    assert int(memory) < MOST_MEMORY
    manifest = Manifest.model_validate_json(document)
    assert {entry.path: entry.sha256 for entry in manifest.files} == hashes
    objects = open_objects("s3://bench/prefix", clock=time.time)
    assert fetch(objects, manifest, tmp_path / "back", None, 8) == sum(FILES.values())
    assert {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in (tmp_path / "back").iterdir()} == hashes
