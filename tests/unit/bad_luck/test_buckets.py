"""Buckets that are not there, not writable, not fit, too new or full: named, with the reason, before anything is spent."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fleet.cli import controller as loop
from fleet.control.controller import Controller
from fleet.control.fleets import open_fleet
from fleet.control.home import Home
from fleet.model import layout
from fleet.model.errors import FleetError, StoreError, UnsuitableStoreError
from fleet.store.files import FileObjects
from fleet.store.fleetfile import ensure_fleet, read_fleet
from fleet.store.opening import open_objects
from tests.unit.bad_luck.conftest import NO_WRITES
from tests.unit.cli.test_commands import Shell
from tests.unit.store.conftest import s3_server, s3_url  # noqa: F401 - fixtures
from tests.unit.store.test_setting_up import rclone_s3  # noqa: F401 - a fixture


@pytest.mark.usefixtures("s3_url")
@pytest.mark.parametrize("call", ["read", "set up"])
def test_a_bucket_that_does_not_exist_is_named_as_such(call: str) -> None:
    objects = open_objects("s3://nowhere-at-all/prefix")
    with pytest.raises(UnsuitableStoreError) as told:
        read_fleet(objects) if call == "read" else ensure_fleet(objects)
    assert "there is no bucket 'nowhere-at-all'" in told.value.message
    assert "Make it first" in told.value.hint


def test_a_folder_that_does_not_exist_is_made_by_up_and_only_by_up(shell: Shell) -> None:
    url = (shell.folder / "deep" / "er").as_uri()
    _, err = shell.run("ps", "--bucket", url, code=1)
    assert "there is no fleet in" in err
    assert not (shell.folder / "deep").exists()
    shell.run("up", shell.job(steps=2, extra=f"bucket: {url}\n"))
    assert (shell.folder / "deep" / "er" / layout.FLEET).exists()


def test_a_folder_that_cannot_be_written_is_named_with_the_reason(shell: Shell) -> None:
    with pytest.raises(StoreError) as told:
        ensure_fleet(FileObjects(Path(NO_WRITES) / "bucket"))
    assert told.value.message.startswith(f"file://{NO_WRITES}/bucket cannot be written: ")
    _, err = shell.run("up", shell.job(extra=f"bucket: file://{NO_WRITES}/bucket\n"), code=1)
    assert f"file://{NO_WRITES}/bucket cannot be written" in err
    assert not list((shell.home.path).glob("local/instances/*"))


class Denying(BaseHTTPRequestHandler):
    """An S3 that lets one read and not write."""

    protocol_version = "HTTP/1.1"

    def _answer(self, status: int, code: str) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self._answer(404, "NoSuchKey")

    def do_PUT(self) -> None:
        self._answer(403, "AccessDenied")

    def do_POST(self) -> None:
        self._answer(403, "AccessDenied")

    def log_message(self, *_args: object) -> None:
        return


def test_an_s3_bucket_that_may_not_be_written_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Denying)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    try:
        with pytest.raises(StoreError) as told:
            ensure_fleet(open_objects("s3://mine/fleet"))
    finally:
        server.shutdown()
        server.server_close()
    assert told.value.message.startswith("s3://mine/fleet cannot be written: access is denied")
    assert "credentials" in told.value.hint


def test_a_store_that_ignores_exclusive_creation_is_refused_by_doctor_with_the_reason(
    shell: Shell,
    rclone_s3: str,  # noqa: F811
) -> None:
    shell.env |= {key: os.environ[key] for key in os.environ if key.startswith("AWS_")}
    out, _ = shell.run("doctor", "--bucket", rclone_s3, code=1)
    assert "ignores exclusive creation" in out
    assert "AWS S3" in out


@pytest.mark.parametrize("words", [["up"], ["ps"], ["controller", "run", "--once"], ["volumes", "list"]])
def test_a_bucket_with_a_newer_layout_is_not_touched_and_the_upgrade_told(shell: Shell, words: list[str]) -> None:
    bucket = FileObjects(shell.home.path / "bucket")
    bucket.put(layout.FLEET, b'{"fleet_id": "x", "layout": 99}')
    before = [(i.key, i.version) for i in bucket.list("")]
    _, err = shell.run(*words, *([shell.job()] if words == ["up"] else []), code=1)
    assert "layout version 99" in err
    assert "Upgrade fleet" in err
    assert [(i.key, i.version) for i in bucket.list("")] == before


def test_one_bucket_that_cannot_be_opened_hides_no_other(shell: Shell) -> None:
    other = (shell.folder / "other").as_uri()
    shell.run("up", shell.job(steps=2, extra=f"bucket: {other}\n"))
    FileObjects(shell.home.path / "bucket").put(layout.FLEET, b'{"fleet_id": "x", "layout": 99}')
    out, err = shell.run("ps")
    assert "count" in out
    assert "is left out" in err
    assert "layout version 99" in err
    assert "succeeded" in shell.run("status", "count")[0]
    _, err = shell.run("controller", "run", "--once", code=1)  # who keeps runs alive must not pass one over
    assert "layout version 99" in err


def test_a_loop_goes_on_over_the_others_and_takes_in_later_what_could_not_be_opened(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("FLEET_HOME", str(home.path))
    monkeypatch.setattr(loop, "TRY_AGAIN", 0)
    good, bad = (tmp_path / "good").as_uri(), (tmp_path / "bad").as_uri()
    open_fleet(home, good, create=True)
    open_fleet(home, bad, create=True)
    whole = (tmp_path / "bad" / "fleet.json").read_bytes()
    (tmp_path / "bad" / "fleet.json").write_text('{"fleet_id": "x", "layout": 99}')
    home.remember_bucket(good)
    home.remember_bucket(bad)
    rounds: list[list[str]] = []

    def watch(controllers: Sequence[Controller], *, on_round: Callable[[], None], **_: Any) -> None:
        for _round in range(5):
            rounds.append([one.objects.url for one in controllers])
            if len(rounds) == 8:
                raise KeyboardInterrupt
            if len(rounds) == 3:
                (tmp_path / "bad" / "fleet.json").write_bytes(whole)
            on_round()

    monkeypatch.setattr(loop, "watch", watch)
    assert loop.run(None, once=False, as_json=False) == 130
    assert rounds == [[good]] * 3 + [[good, bad]] * 5
    said = capsys.readouterr().out
    assert said.count(f"left out    {bad}: ") == 1
    assert "layout version 99" in said
    (tmp_path / "bad" / "fleet.json").write_text("{")
    with pytest.raises(FleetError, match=r"fleet\.json"):
        loop.run(bad, once=False, as_json=False)  # it was named
