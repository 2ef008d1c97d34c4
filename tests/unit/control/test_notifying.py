"""Beside the loop: what a controller does after each tick so that people are told, and what it never does."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.control import notifying, telling, unopened
from fleet.control.home import Home
from fleet.control.notifying import Notifier
from fleet.control.presence import trouble_of
from fleet.control.unopened import tell_unopened
from fleet.control.wishes import change_wish, turned_off, turned_on
from fleet.core import notify
from fleet.core.fold import fold
from fleet.core.news import happened
from fleet.core.notify import Message
from fleet.core.state import FleetState
from fleet.model import layout
from fleet.model.errors import FleetError
from fleet.model.notify import KINDS, Kind, Wish
from fleet.report.send.destinations import keep, labels
from tests.unit.control.told import Shelf
from tests.unit.control.webhook import Webhook, webhook
from tests.unit.core.test_news import GONE, LIVE, NEXT, NOTICED
from tests.unit.core.world import event, folded

BEGIN = 1_800_000_000.0
TO = "ntfy://ntfy.example.com/***"
URL = "ntfy://ntfy.example.com/topic"


def moved(events: list[dict[str, Any]], by: float = BEGIN) -> list[dict[str, Any]]:
    """The same, later."""
    return [{kind: {**fields, "at": fields["at"] + by} for kind, fields in one.items()} for one in events]


@dataclass
class Loop:
    """What a notifier asks of a controller."""

    objects: Shelf
    state: FleetState = field(default_factory=FleetState)
    read_only: str = ""
    failed: str = ""
    name: str = "laptop-1111"

    def __post_init__(self) -> None:
        self.journal = SimpleNamespace(by=self.name)
        self.observer = SimpleNamespace(troubles={}, providers={})
        self.providers: dict[str, object] = {}


@dataclass
class Ground:
    """A bucket, homes, and what was sent."""

    folder: Path
    shelf: Shelf
    sent: list[Message] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    hold: threading.Event | None = None

    def home(self, name: str = "home") -> Home:
        path = self.folder / name
        path.mkdir(exist_ok=True)
        if not (path / "destinations.yaml").exists():
            keep(path, "notify", [URL])
        return Home(path)

    def send(self, url: str, message: Message, _seconds: float) -> str:
        assert url == URL
        if self.hold is not None:
            self.hold.wait(30)
        self.sent.append(message)
        return ""

    def notifier(self, loop: Loop, home: str = "home", who: str = "cron on pi") -> Notifier:
        return Notifier(loop, self.home(home), who, trouble_of, send=self.send, say=self.said.append)  # type: ignore[arg-type]

    def wish(self, *kinds: Kind) -> None:
        change_wish(self.shelf, lambda wish: turned_on(wish, kinds or list(KINDS), [TO], self.shelf.at))

    @property
    def titles(self) -> list[str]:
        return [one.title for one in self.sent]

    def asked(self) -> list[str]:
        """What was asked of the bucket since the last time."""
        found, self.shelf.calls = self.shelf.calls, []
        return found


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path, Shelf(BEGIN))


@pytest.fixture
def loop(ground: Ground) -> Loop:
    return Loop(ground.shelf, folded(moved(LIVE)))


def happen(loop: Loop, *events: dict[str, Any]) -> None:
    for one in events:
        made = event(one)
        loop.state = fold(loop.state, loop.state.head + 1, made.at, [made])
        loop.objects.at = max(loop.objects.at, made.at)


def test_where_nobody_wants_to_be_told_nobody_is_and_one_document_was_asked_for(ground: Ground, loop: Loop) -> None:
    notifier = ground.notifier(loop)
    notifier.look()
    notifier.finish()
    assert ground.asked() == []  # there is nothing to tell
    happen(loop, *moved([NOTICED[-1], GONE]))
    notifier.look()
    notifier.finish()
    assert ground.asked() == [f"get {layout.NOTIFY}"]
    for _ in range(5):
        notifier.look()
    notifier.finish()
    assert ground.asked() == []
    assert ground.sent == []


def test_what_was_before_somebody_asked_is_not_told(ground: Ground, loop: Loop) -> None:
    happen(loop, *moved([NOTICED[-1], GONE]))
    notifier = ground.notifier(loop)
    notifier.look()
    notifier.finish()
    ground.shelf.at += 100
    ground.wish()
    happen(loop, *moved(NEXT, BEGIN + 200))
    notifier.look()
    notifier.finish()
    assert ground.titles == ["fleet: racer trains again"]


def test_what_was_asked_for_a_moment_ago_counts(ground: Ground, loop: Loop) -> None:
    notifier = ground.notifier(loop)
    happen(loop, {"run-ended": {"at": BEGIN + 100, "outcome": "failed"}})
    notifier.look()
    notifier.finish()
    happen(loop, {"run-created": {"at": BEGIN + 101, "run": "other-1"}})
    ground.shelf.at = BEGIN + 102
    ground.wish("failed")
    ground.shelf.at = BEGIN + 140  # the bucket is dear: what was read is believed for half a minute
    happen(loop, {"run-ended": {"at": BEGIN + 140, "run": "other-1", "outcome": "failed"}})
    notifier.look()
    notifier.finish()
    assert ground.titles == ["fleet: other-1 failed"]


def test_a_kind_that_was_turned_off_is_told_no_more(ground: Ground, loop: Loop) -> None:
    ground.wish()
    change_wish(ground.shelf, lambda wish: turned_off(wish, ["interruption"], [TO]))
    notifier = ground.notifier(loop)
    happen(loop, *moved([NOTICED[-1], GONE, *NEXT]))
    notifier.look()
    notifier.finish()
    assert ground.titles == ["fleet: racer trains again"]


def test_a_server_that_hangs_delays_no_tick_and_what_comes_meanwhile_is_told_after(ground: Ground, loop: Loop) -> None:
    ground.wish()
    ground.hold = threading.Event()
    notifier = ground.notifier(loop)
    happen(loop, *moved([NOTICED[-1]]))
    began = time.monotonic()
    notifier.look()
    happen(loop, *moved([GONE, *NEXT]))
    for _ in range(50):
        notifier.look()
    notifier.finish(0.1)
    assert time.monotonic() - began < 5
    assert ground.sent == []
    ground.hold.set()
    ends = time.monotonic() + 10
    while len(ground.sent) < 2 and time.monotonic() < ends:
        notifier.look()
        notifier.finish(0.1)
    assert ground.titles == ["fleet: racer was interrupted", "fleet: racer trains again"]


def test_nothing_that_goes_wrong_reaches_the_loop_and_it_is_said_once(
    ground: Ground, loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    ground.wish()
    notifier = ground.notifier(loop)
    notifier.trouble = lambda _controller: str(1 / 0)
    for _ in range(3):
        notifier.look()
    notifier.finish()
    assert [record.message for record in caplog.records] == [
        "fleet: notifications are held up: ZeroDivisionError: division by zero"
    ]


def test_a_file_of_destinations_that_cannot_be_read_is_said_and_loses_nothing(
    ground: Ground, loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    ground.wish()
    file = ground.home().path / "destinations.yaml"
    whole = file.read_text()
    file.write_text("notify: [")
    notifier = ground.notifier(loop)
    happen(loop, *moved([NOTICED[-1]]))
    notifier.look()
    notifier.finish()
    assert "cannot be read" in caplog.text
    file.write_text(whole)
    notifier._next = 0.0
    notifier.look()
    notifier.finish()
    assert ground.titles == ["fleet: racer was interrupted"]


def test_a_bucket_out_of_reach_is_told_by_who_is_blind_once_and_also_by_the_next_process(
    ground: Ground, loop: Loop
) -> None:  # fmt: skip
    ground.wish()
    happen(loop, *moved([NOTICED[-1]]))
    first = ground.notifier(loop)
    first.look()
    first.finish()
    assert ground.titles == ["fleet: racer was interrupted"]
    ground.shelf.broken = loop.failed = "no network"
    for minute in range(20):  # each a process of its own, as cron starts them
        again = ground.notifier(loop)
        again.look()
        again.finish()
        ground.shelf.at += 60
        if minute < 4:
            assert len(ground.sent) == 1
    assert ground.titles[1:] == ["fleet: the controller cron on pi is blind"]
    assert "has been blind for 5m00s: no network" in ground.sent[-1].body
    assert ground.sent[-1].body.endswith("Next: fleet controller list")


def test_a_fleet_that_cannot_even_be_opened_is_told_of_by_what_its_home_remembers(
    ground: Ground, loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifying, "sender", lambda *_: ground.send)
    monkeypatch.setattr(unopened, "hostname", lambda: "pi")
    error: dict[str, FleetError] = {ground.shelf.url: FleetError("credentials: they have expired")}
    tell_unopened(ground.home(), error, "cron", 5, ground.shelf.now)
    assert not (ground.home().path / "notify").exists()  # nobody asked, as far as is known here
    ground.wish()
    happen(loop, *moved([NOTICED[-1]]))
    whole = ground.notifier(loop)
    whole.look()
    whole.finish()
    for _ in range(20):
        ground.shelf.at += 60
        tell_unopened(ground.home(), error, "cron", 5, ground.shelf.now)
    assert ground.titles[1:] == ["fleet: the controller cron on pi is blind"]
    assert "credentials: they have expired" in ground.sent[-1].body
    again = ground.notifier(loop)
    ground.asked()
    again.look()
    again.finish()
    assert ground.asked() == []  # it is known still what was settled
    assert len(ground.sent) == 2


def test_one_that_sees_again_and_is_blind_once_more_says_so_anew(ground: Ground, loop: Loop) -> None:
    ground.wish("blind")
    notifier = ground.notifier(loop)
    for trouble in ("no network", "", "expired"):
        loop.observer.troubles = {"aws/us-east-1": trouble} if trouble else {}
        for _ in range(30):
            notifier._next = 0.0
            notifier.look()
            notifier.finish()
            ground.shelf.at += 60
    assert len(ground.sent) == 2
    assert ["no network" in ground.sent[0].body, "expired" in ground.sent[1].body] == [True, True]


def test_a_controller_that_may_not_act_is_blind_too(ground: Ground, loop: Loop) -> None:
    ground.wish("blind")
    loop.read_only = "upgrade to at least 9"
    notifier = ground.notifier(loop)
    for _ in range(7):
        notifier._next = 0.0
        notifier.look()
        notifier.finish()
        ground.shelf.at += 60
    assert ["upgrade to at least 9" in one.body for one in ground.sent] == [True]


def test_a_process_that_begins_asks_nothing_if_the_one_before_settled_all(ground: Ground, loop: Loop) -> None:
    ground.wish()
    happen(loop, *moved([NOTICED[-1], GONE]))
    for _ in range(2):
        notifier = ground.notifier(loop)
        notifier.look()
        notifier.finish()
        ground.asked()
    notifier = ground.notifier(loop)
    notifier.look()
    notifier.finish()
    assert ground.asked() == []
    other = ground.notifier(loop, "another-home")
    other.look()
    other.finish()
    assert {call.split()[0] for call in ground.asked()} == {"get", "list"}
    assert ground.titles == ["fleet: racer was interrupted"]


def test_what_waits_for_its_time_is_told_by_a_later_process(ground: Ground, loop: Loop) -> None:
    ground.wish()
    second = {"notice-seen": {"at": 900, "attempt": 2}}
    happen(loop, *moved([NOTICED[-1], GONE, *NEXT]))
    for events in ([], [second], [], []):
        happen(loop, *moved(list(events)))
        notifier = ground.notifier(loop)
        notifier.look()
        notifier.finish()
        ground.shelf.at += 300
    ground.shelf.at += 600
    notifier = ground.notifier(loop)
    notifier.look()
    notifier.finish()
    assert ground.titles == ["fleet: racer was interrupted", "fleet: racer trains again", "fleet: racer was interrupted"]


def test_only_destinations_that_this_computer_can_reach_are_told(ground: Ground, loop: Loop, tmp_path: Path) -> None:
    there = "slack://***"
    topic = "sns:arn:aws:sns:us-east-1:123456789012:fleet"
    wish = turned_on(Wish(), ["failed"], [TO, there, topic], BEGIN)
    assert telling.routes(wish, ground.home(), "file:///bucket") == {TO: URL}
    assert telling.routes(wish, ground.home(), "s3://bucket") == {TO: URL, topic: topic}
    (tmp_path / "bare").mkdir()
    assert telling.routes(wish, Home(tmp_path / "bare"), "s3://bucket") == {topic: topic}


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as made:
        yield made


def test_a_real_server_that_refuses_is_told_in_the_log_and_tried_again(
    ground: Ground, loop: Loop, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "AGAIN", (10.0, 10.0))
    notifier = real(ground, loop, hook)
    hook.answer = 500
    happen(loop, *moved([NOTICED[-1]]))
    notifier.look()
    notifier.finish(30)
    assert hook.refused == 1
    (said,) = ground.said
    assert "500" in said
    assert said.endswith("; it is sent again")
    assert "s3cr3t" not in said
    hook.answer, notifier._next = 200, 0.0
    ground.shelf.at += 10
    notifier.look()
    notifier.finish(30)
    assert hook.titles == ["fleet: racer was interrupted"]
    assert hook.body(hook.titles[0]).endswith("\nNext: fleet status racer")


def test_secrets_in_lines_that_a_machine_printed_are_not_sent(ground: Ground, loop: Loop, hook: Webhook) -> None:
    notifier = real(ground, loop, hook)
    reason = "3 instances in a row ended without a word: the boot failed: HF_TOKEN=hf_abcdefghijklmnopqrstuvwxyz <b>now</b>"
    happen(loop, {"run-ended": {"at": BEGIN + 100, "outcome": "failed", "reason": reason}})
    notifier.look()
    notifier.finish(30)
    body = hook.body("fleet: racer failed")
    assert "without a word" in body
    assert "hf_abc" not in body


def real(ground: Ground, loop: Loop, hook: Webhook) -> Notifier:
    """One that sends for real."""
    keep(ground.home("real").path, "notify", [hook.url])
    (name,) = labels([hook.url])
    change_wish(ground.shelf, lambda wish: turned_on(wish, list(KINDS), [name], BEGIN))
    notifier = ground.notifier(loop, "real")
    notifier.send = None
    return notifier


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("happens"), st.integers(0, 2)),
        st.tuples(st.just("looks"), st.integers(0, 2)),
        st.tuples(st.just("restarts"), st.integers(0, 2)),
        st.tuples(st.just("waits"), st.sampled_from([1, 40, 1000, 4000, 90_000])),
        st.tuples(st.just("breaks"), st.just(0)),
        st.tuples(st.just("mends"), st.just(0)),
    ),
    max_size=40,
)


class Fleet:
    """A journal of three runs whose machines are taken again and again, and controllers that read it when they look."""

    def __init__(self, ground: Ground) -> None:
        self.ground, self.loops, self.notifiers = ground, dict[int, Loop](), dict[int, Notifier]()
        names = ["racer-1", "other-1", "third-1"]
        created = [{"run-created": {"at": BEGIN, "run": name}} for name in names]
        self.runs = dict.fromkeys(names, 0)
        self.state = folded(created)

    def happen(self, which: int) -> None:
        """The next machine of a run trains, and is taken."""
        name = list(self.runs)[which]
        self.runs[name] += 1
        more = {"attempt": self.runs[name], "run": name, "at": self.ground.shelf.at}
        kinds = ("launch-intended", "launch-succeeded", "attempt-began", "attempt-resumed", "attempt-gone")
        for kind in kinds:
            made = event({kind: dict(more)})
            self.state = fold(self.state, self.state.head + 1, made.at, [made])

    def look(self, which: int) -> None:
        loop = self.loops.setdefault(which, Loop(self.ground.shelf))
        notifier = self.notifiers.get(which)
        if notifier is None:
            notifier = self.notifiers[which] = self.ground.notifier(loop, f"home-{which}", f"cron on {which}")
        loop.state = self.state
        notifier._next = 0.0
        notifier.look()
        notifier.finish(30)


@given(STEPS)
@settings(max_examples=30, deadline=None)
def test_whoever_begins_ends_or_sees_nothing_all_that_happens_is_told_once(steps: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ground = Ground(Path(folder), Shelf(BEGIN))
        ground.wish("interruption", "recovery")
        fleet = Fleet(ground)
        for what, which in steps:
            if what == "happens":
                fleet.happen(which)
            elif what == "looks":
                fleet.look(which)
            elif what == "restarts":
                fleet.notifiers.pop(which, None)
            elif what == "waits":
                ground.shelf.at += which
            else:
                ground.shelf.broken = "no network" if what == "breaks" else ""
        ground.shelf.broken = ""
        for _ in range(10):
            ground.shelf.at += 600
            fleet.look(0)
    wanted = {one.key for one in happened(FleetState(), fleet.state)}
    told = [key for message in ground.sent for key in message.keys]
    assert sorted(told) == sorted(wanted)
