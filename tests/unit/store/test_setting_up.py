"""Setting a fleet up, its snapshots, and the bucket's clock."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from fleet.model import layout
from fleet.model.base import canonical_json
from fleet.model.errors import AlreadyExistsError, NewerVersionError, UnsuitableStoreError
from fleet.store import snapshots
from fleet.store.clock import BucketClock, date_of
from fleet.store.files import FileObjects
from fleet.store.fleetfile import ensure_fleet, read_fleet
from fleet.store.objects import Objects
from fleet.store.opening import open_objects
from tests.unit.store.conftest import Opener


def test_a_bucket_becomes_one_fleets_whoever_sets_it_up_first(opener: Opener) -> None:
    assert read_fleet(opener()) is None
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _n: ensure_fleet(opener()), range(4)))
    assert len({info.fleet_id for info in made}) == 1
    assert read_fleet(opener()) == made[0]
    assert [i.key for i in opener().list("")] == [layout.FLEET]


def test_a_layout_of_the_future_is_refused(objects: Objects) -> None:
    objects.put(layout.FLEET, b'{"fleet_id": "x", "layout": 99}')
    with pytest.raises(NewerVersionError, match="99"):
        ensure_fleet(objects)


def test_anything_else_under_that_name_is_refused(objects: Objects) -> None:
    objects.put(layout.FLEET, b"hello")
    with pytest.raises(UnsuitableStoreError):
        read_fleet(objects)


def test_a_store_that_lets_everybody_win_is_refused(tmp_path: Path) -> None:
    class Careless(FileObjects):
        def create(self, key: str, data: bytes) -> None:
            self.put(key, data)

    with pytest.raises(UnsuitableStoreError, match="exclusive creation"):
        ensure_fleet(Careless(tmp_path))
    assert not list(tmp_path.rglob("*.json"))


def test_a_store_that_loses_every_answer_is_not_blamed(tmp_path: Path) -> None:
    class Forgetful(FileObjects):
        def create(self, key: str, data: bytes) -> None:
            super().create(key, data)
            raise AlreadyExistsError("its own write, seen again")

    objects = Forgetful(tmp_path)
    assert ensure_fleet(objects) == read_fleet(objects)


@pytest.fixture
def rclone_s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real S3 server that ignores If-None-Match."""
    (tmp_path / "served" / "bucket").mkdir(parents=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = Path(sys.executable).with_name("rclone")
    command = [str(program if program.exists() else "rclone"), "serve", "s3", "--addr", f"127.0.0.1:{port}"]
    server = subprocess.Popen(
        [*command, "--auth-key", "test,test", str(tmp_path / "served")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield "s3://bucket/fleet"
    server.kill()
    server.wait()


def test_rclones_s3_server_ignores_exclusive_creation_and_is_refused(rclone_s3: str) -> None:
    objects = open_objects(rclone_s3)
    with pytest.raises(UnsuitableStoreError, match=r"(?s)exclusive creation.*AWS S3"):
        ensure_fleet(objects)
    assert read_fleet(objects) is None


def test_the_newest_whole_snapshot_is_taken(objects: Objects) -> None:
    for number in (100, 200, 300, 400):
        snapshots.save(objects, 1, number, f"hash-{number}", canonical_json({"head": number}))
    snapshots.save(objects, 2, 500, "hash", canonical_json({"head": 500}))
    snapshots.save(objects, 1, 400, "another", canonical_json({"head": 0}))
    found = snapshots.load_newest(objects, 1)
    assert found is not None
    assert (found.number, found.sha256, found.state) == (400, "hash-400", b'{"head":400}')
    assert len(objects.list(layout.snapshots(1))) == snapshots.KEPT
    broken = json.loads(objects.get(layout.snapshot(1, 400)))
    objects.put(layout.snapshot(1, 400), json.dumps({**broken, "state": {"head": 9}}).encode())
    objects.put(layout.snapshot(1, 300), b"{")
    older = snapshots.load_newest(objects, 1)
    assert older is not None
    assert older.number == 200
    assert snapshots.load_newest(objects, 3) is None


def test_the_buckets_time_is_carried_on_by_a_clock_that_counts_sleep() -> None:
    here, asked = [1000.0], []

    def fetch() -> float:
        asked.append(here[0])
        return 5_000_000.0 + (here[0] - 1000.0)

    clock = BucketClock(fetch, monotonic=lambda: here[0], wall=lambda: 0.0)
    assert clock.now() == pytest.approx(5_000_000.5)
    here[0] += 250  # the laptop slept: the monotonic clock given counts it
    assert clock.now() == pytest.approx(5_000_250.5)
    assert len(asked) == 1
    here[0] += 100
    clock.now()
    assert len(asked) == 2


def test_without_the_buckets_time_this_computers_is_used_and_told() -> None:
    def fetch() -> float:
        raise OSError("no network")

    clock = BucketClock(fetch, monotonic=lambda: 5.0, wall=lambda: 777.0)
    assert clock.now() == 777.0
    assert clock.local


def test_a_refusals_date_is_a_date_too() -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response_only(403)
            self.send_header("Date", "Tue, 14 Nov 2023 22:13:20 GMT")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert date_of(f"http://127.0.0.1:{server.server_port}/") == 1_700_000_000.0
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(OSError, match=r"."):
        date_of(f"http://127.0.0.1:{server.server_port}/")
