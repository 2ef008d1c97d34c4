"""A metadata service that is out of its mind: the agent does not fall over it nor wait for it, and sees a notice in time."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleet.agent import answering, metadata
from fleet.agent.local_machine import LocalMachine
from fleet.agent.metadata import Metadata
from fleet.agent.watch import Signals
from tests.fuzz.draw import ESCAPES, LONG, damaged, documents, examples, strings

NOTICE = "/latest/meta-data/spot/instance-action"
REBALANCE = "/latest/meta-data/events/recommendations/rebalance"
TOKEN = "/latest/api/token"
IDENTITY = "/latest/meta-data/instance-id"
UNTIL = 1_700_000_120.0
PATIENCE = 1.0
"""Seconds that an answer may take here."""


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]).encode() + body


def said(at: object) -> bytes:
    return json.dumps({"action": "terminate", "time": at}).encode()


WELL = {
    TOKEN: http(b"token"),
    IDENTITY: http(b"i-1"),
    NOTICE: http(said(datetime.fromtimestamp(UNTIL, timezone.utc).isoformat())),
    REBALANCE: http(b"", "404 Not Found"),
}


class Service:
    """Answers each path with the bytes that it is told to, at once or a byte at a time."""

    def __init__(self) -> None:
        self.answers = dict(WELL)
        self.trickles = False
        self._over = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over = True
        with contextlib.suppress(OSError):
            socket.create_connection(self._listener.getsockname()).close()
        self._thread.join(10)
        self._listener.close()

    def _serve(self) -> None:
        while not self._over:
            connection, _ = self._listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(1.0)
                asked = connection.recv(65536).split(b" ")
                if len(asked) > 1:
                    self._answer(connection, self.answers.get(asked[1].decode("latin-1"), b""))

    def _answer(self, connection: socket.socket, data: bytes) -> None:
        if not self.trickles:
            connection.sendall(data)
            return
        until = time.monotonic() + 8 * PATIENCE
        while time.monotonic() < until:
            connection.sendall(data[:1] or b"x")
            data = data[1:]
            time.sleep(PATIENCE / 10)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.close()


@pytest.fixture(scope="module")
def machine(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalMachine]:
    folder: Path = tmp_path_factory.mktemp("machine")
    (folder / "boot-id").write_text("b")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metadata, "TIMEOUT", PATIENCE)
        yield LocalMachine(folder, Metadata(service.url))


PAGE = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
BODIES = (
    b"", PAGE, b"null", b"[]", b"7", b'"x"', b"{}", b"\xff\xfe", "ü".encode("latin-1"), ESCAPES.encode(),
    LONG.encode(), b"[" * 50_000,
    said(None), said(7), said([]), said("soon"), said(""), said("0001-01-01T00:00:00Z"), said("9999-12-31T23:59:59+00:00"),
    said("2001-01-01"), said("2001-02-30T00:00:00Z"), said("+99999-01-01T00:00:00Z"), said("9999-12-31T23:59:59-23:59"),
    said("2100-01-01T00:00:00Z"), said(ESCAPES), said("20010101T000000Z"), said(1e400), b'{"time": ' + b"9" * 5000 + b"}",
)  # fmt: skip
STATUSES = (
    "200 OK",
    "200",
    "401 Unauthorized",
    "403 No",
    "302 Found",
    "404 Not Found",
    "500 Oops",
    "503 x",
    "999 x",
    "100 Continue",
)
bodies = (
    st.sampled_from(BODIES)
    | documents(json.loads(said("2026-01-01T00:00:00Z")))
    | strings.map(lambda text: text.encode("utf-8", "replace"))
)
answers = (
    st.builds(http, bodies, st.sampled_from(STATUSES), st.sampled_from(["X: y", "Location: http://127.0.0.1:1/", "X: \xff"]))
    | bodies.map(http)
    | bodies
    | st.builds(http, bodies).flatmap(damaged)
    | st.sampled_from(
        [
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\nx",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx",
            b"HTTP/1.1 200 OK\r\nContent-Length: -7\r\n\r\nx",
            b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 300 + b"\r\n",
            b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000,
            b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
            b"HTTP/9.9 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 3_000_000,
        ]
    )
)


def looked(machine: LocalMachine, signals: Signals, now: float) -> float:
    begun = time.monotonic()
    signals.look(now)
    return time.monotonic() - begun


@examples(150)
@given(st.dictionaries(st.sampled_from([TOKEN, NOTICE, REBALANCE]), answers, min_size=1), st.booleans())
@example({NOTICE: http(said(None))}, False)
@example({NOTICE: http(b"[]")}, False)
@example({NOTICE: http(b"[" * 50_000)}, False)
@example({NOTICE: http(said("0001-01-01T00:00:00"))}, False)
@example({TOKEN: http(PAGE + b"\n"), NOTICE: http(b"")}, True)
@example({TOKEN: http("ü".encode())}, True)
def test_a_notice_is_seen_once_it_is_told_whatever_was_told_before(
    service: Service, machine: LocalMachine, garbage: dict[str, bytes], afresh: bool
) -> None:
    if afresh:
        machine._metadata._token_until = 0.0
    service.answers = {**WELL, NOTICE: http(b"", "404 Not Found"), **garbage}
    signals = Signals(machine, 1.0)
    looked(machine, signals, 1.0)
    looked(machine, signals, 2.0)
    if NOTICE not in garbage:
        assert signals.notice is None
    service.answers = dict(WELL)
    signals.notice = None
    looked(machine, signals, 3.0)
    assert signals.notice is not None
    assert signals.notice.until == UNTIL


@pytest.mark.parametrize("path", [TOKEN, NOTICE, REBALANCE])
def test_an_answer_that_trickles_in_for_ever_is_not_waited_for(service: Service, machine: LocalMachine, path: str) -> None:
    machine._metadata._token_until = 0.0
    machine._rebalance = False
    service.answers = {**WELL, NOTICE: http(b"", "404 Not Found"), path: http(b"x" * 1000)}
    service.trickles = True
    try:
        assert looked(machine, Signals(machine, 1.0), 1.0) < 4 * PATIENCE
    finally:
        service.trickles = False


def test_more_than_any_metadata_is_not_read(
    service: Service, machine: LocalMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "MOST_BYTES", 1000)
    service.answers = {**WELL, IDENTITY: http(b"x" * 1001)}
    with pytest.raises(OSError, match="too much"):
        machine._metadata.get(IDENTITY)
    service.answers = {**WELL, IDENTITY: http(b"x" * 1000)}
    assert machine._metadata.get(IDENTITY) == "x" * 1000


def test_a_machine_without_a_service_hears_nothing(tmp_path: Path, machine: LocalMachine) -> None:
    (tmp_path / "boot-id").write_text("b")
    with pytest.raises(OSError):  # noqa: PT011 - whatever the system calls it
        LocalMachine(tmp_path, Metadata("http://127.0.0.1:1"))
