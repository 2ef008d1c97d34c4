"""Controllers that tell of themselves, on an injected clock, and whoever looks."""

from __future__ import annotations

import gc
import logging
import os
import weakref
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from fleet import __version__
from fleet.control import presence
from fleet.control.attendance import living, seen, tidy
from fleet.control.controller import Controller
from fleet.control.fleets import hostname
from fleet.control.home import Home
from fleet.control.presence import HOLD, STARTED_BY, Telling, Who, kind_here, present, told, told_by_cron
from fleet.control.watchers import watching
from fleet.core.presence import EVERY, FORGET, FUNCTION_EVERY, LONGEST, SLACK
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.errors import StoreError
from fleet.model.events import NoteAdded, RunCreated
from fleet.model.job import Job
from fleet.model.presence import Kind, Presence
from fleet.model.setup import AwsFunction
from fleet.store.files import FileObjects
from fleet.store.journal import Journal
from fleet.store.objects import ObjectInfo

BEGIN = 1_800_000_000.0
DAY = 86_400


class Bucket(FileObjects):
    """A folder with a clock of its own, which counts what is asked of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, lambda: self.at)
        self.at = BEGIN
        self.calls: Counter[str] = Counter()
        self.broken = ""

    def _count(self, call: str) -> None:
        self.calls[call] += 1
        if self.broken:
            raise StoreError(self.broken)

    def get(self, key: str) -> bytes:
        self._count("get")
        return super().get(key)

    def put(self, key: str, data: bytes) -> None:
        self._count("put")
        super().put(key, data)

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        self._count("list")
        return super().list(prefix)

    def delete(self, keys: Iterable[str]) -> None:
        self._count("delete")
        super().delete(keys)


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return Bucket(tmp_path / "bucket")


def controller(bucket: Bucket, by: str = "laptop-1a2b") -> Controller:
    return Controller(bucket, Journal(bucket, "f", by=by, version=__version__), "f", {})


def acts(one: Controller) -> None:
    assert one.record([NoteAdded(at=one.objects.now(), run_id="nobody", text="a word")])


def the_word(bucket: Bucket) -> Presence:
    (one,) = seen(bucket, bucket.at)
    return one.presence


def terminal(key: str = "laptop-1a2b") -> Telling:
    return Telling(Who(key, "terminal", "controller run", "laptop"), 60)


def test_a_loop_says_that_it_lives_and_takes_that_back_at_its_end(home: Home, bucket: Bucket) -> None:
    one = controller(bucket)
    with present(home, [one], "follows racer") as tell:
        (found,) = seen(bucket, bucket.at, home)
        word = found.presence
        assert (word.name, word.kind, word.host, word.command) == ("laptop-1a2b", "terminal", hostname(), "follows racer")
        assert (word.process, word.version, word.acted_at) == (os.getpid(), __version__, None)
        assert found.key == presence.own_key(one) == layout.controller("laptop-1a2b")
        assert found.lives
        bucket.at += 5
        acts(one)
        tell()
        assert the_word(bucket).acted_at == bucket.at
    assert bucket.list(layout.CONTROLLERS) == []


def test_what_it_did_last_is_right_within_ten_minutes_and_at_once_after_a_long_silence(bucket: Bucket) -> None:
    one, telling = controller(bucket), terminal()
    telling.tell(one)
    for _ in range(200):
        bucket.at += 10
        acts(one)
        telling.tell(one)
        assert bucket.at - (the_word(bucket).acted_at or 0) <= EVERY
    puts = bucket.calls["put"]
    bucket.at += EVERY
    telling.tell(one)
    bucket.at += 100
    acts(one)
    telling.tell(one)
    assert the_word(bucket).acted_at == bucket.at
    assert bucket.calls["put"] == puts + 2


def test_a_controller_that_goes_blind_or_may_only_read_says_so_at_once(bucket: Bucket) -> None:
    one, telling = controller(bucket), terminal()
    telling.tell(one)
    bucket.at += 10
    one.observer.troubles["aws/us-east-1"] = "credentials: the token\nhas expired \udcff"
    telling.tell(one)
    assert the_word(bucket).blind == "aws/us-east-1: credentials: the token has expired ?"
    bucket.at += 61
    one.observer.troubles.clear()
    telling.tell(one)
    assert the_word(bucket).blind == ""
    bucket.at += 1
    one.read_only = "the journal is newer\nUpgrade fleet"
    telling.tell(one)
    (found,) = seen(bucket, bucket.at)
    assert (found.presence.read_only, found.lives, found.acts) == ("the journal is newer Upgrade fleet", True, False)


@pytest.mark.parametrize("kind", ["terminal", "service", "cron", "function"])
def test_that_another_computers_machines_are_out_of_sight_is_told_only_if_a_run_needs_them(
    bucket: Bucket, kind: Kind
) -> None:
    one, telling = controller(bucket), Telling(Who("nas", kind, "controller run", "nas"), 60)
    one.observer.troubles = {"local": "none here", "local/local": "they live elsewhere"}
    telling.tell(one)
    assert the_word(bucket).blind == ""
    job = Job(name="racer", run="true")
    assert one.record([RunCreated(at=bucket.at, run_id="racer-1", name="racer", job=job, mounts={})])
    bucket.at += FUNCTION_EVERY
    telling.tell(one)
    blind = "" if kind == "function" else "local: none here; local/local: they live elsewhere"
    assert the_word(bucket).blind == blind


def test_a_function_that_ticks_each_minute_for_a_day_writes_no_more_than_144_times_warm_or_cold(bucket: Bucket) -> None:
    warm = controller(bucket)
    for minute in range(1440):
        one = warm if minute < 720 else controller(bucket, f"lambda-{minute}")  # from noon on each start is a cold one
        one.acted_at = bucket.at
        one.observer.troubles = {"aws": "throttled"} if minute % 2 else {"local": "none here", "local/here": "elsewhere"}
        told(
            one, kind="function", every=60, key="fleet-1a2b-controller", command="function fleet-1a2b-controller", host="aws"
        )
        bucket.at += 60
    assert bucket.calls["put"] <= 2 * 24  # the hour's, and that it has become blind since
    assert bucket.calls["list"] <= 24  # looking for the dead: each hour
    assert bucket.calls["get"] <= 1 + 720 + 24
    word = the_word(bucket)
    assert (word.kind, word.started_at, word.outlives_terminal) == ("function", BEGIN, True)
    assert word.blind in ("", "aws: throttled")
    assert [info.key for info in bucket.list(layout.CONTROLLERS)] == [layout.controller("fleet-1a2b-controller")]


def test_a_function_that_goes_to_sleep_and_wakes_each_hour_is_not_taken_for_dead(bucket: Bucket) -> None:
    one = controller(bucket)
    told(one, kind="function", every=60, key="f")
    for hours in range(5):
        bucket.at = BEGIN + 60 + hours * 3600
        told(one, kind="function", every=3600, key="f")
        assert living(bucket, bucket.at + 3600)
    assert not living(bucket, bucket.at + 3600 + FUNCTION_EVERY + SLACK + 1)


def test_no_controller_is_kept_in_memory_by_what_it_said(bucket: Bucket) -> None:
    one = controller(bucket)
    told(one, kind="function", every=60, key="f")
    gone = weakref.ref(one)
    del one
    gc.collect()
    assert gone() is None


def test_cron_and_a_service_that_is_started_anew_are_the_same_ones(home: Home, bucket: Bucket) -> None:
    one = controller(bucket)
    acts(one)
    told_by_cron(home, one)
    bucket.at += 300
    told_by_cron(home, controller(bucket, "laptop-2222"))
    assert (the_word(bucket).kind, the_word(bucket).acted_at, the_word(bucket).started_at) == ("cron", BEGIN, BEGIN)
    for process in (1, 2):  # the first one is killed
        service = Telling(Who("service-laptop", "service", "controller run", "laptop", process=process), 60)
        service.tell(controller(bucket, f"laptop-{process}"))
        bucket.at += 1
    words = [found.presence for found in seen(bucket, bucket.at)]
    assert [(word.kind, word.process) for word in words] == [("cron", None), ("service", 2)]
    assert words[1].started_at == bucket.at - 1


@pytest.mark.parametrize(
    ("told_it", "kind"), [("service", "service"), ("cron", "cron"), ("", "terminal"), ("x", "terminal")]
)
def test_whoever_starts_a_controller_says_what_keeps_it_alive(told_it: str, kind: str) -> None:
    assert kind_here({STARTED_BY: told_it}) == kind


def test_a_bucket_that_cannot_be_written_hinders_no_loop_and_is_left_alone_for_a_while(
    bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "fleet.control")
    one, telling = controller(bucket), terminal()
    bucket.broken = "access denied"
    for _ in range(10):
        telling.tell(one)
        bucket.at += HOLD / 11
    assert bucket.calls["put"] == 1
    assert "access denied" in caplog.text
    telling.end(one)
    assert bucket.calls["delete"] == 0  # there is nothing to take back
    bucket.broken = ""
    bucket.at = BEGIN + HOLD
    telling.tell(one)
    assert the_word(bucket).started_at == BEGIN
    bucket.broken = "out of reach"
    telling.end(one)
    bucket.broken = ""
    assert living(bucket, bucket.at)


def test_the_words_of_the_dead_are_removed_after_a_day_by_a_loop_and_never_by_who_looks(bucket: Bucket) -> None:
    terminal("killed").tell(controller(bucket))
    loop, one = terminal("loop"), controller(bucket)
    for _ in range(0, DAY + 7200, 600):
        loop.tell(one)
        bucket.at += 600
        shown = {found.key.partition("/")[2]: found.lives for found in seen(bucket, bucket.at)}
        silent = bucket.at - BEGIN > EVERY + 60 + SLACK
        forgotten = bucket.at - BEGIN > EVERY + 60 + FORGET
        assert shown == {"loop.json": True} | ({} if forgotten else {"killed.json": not silent})
    assert [info.key for info in bucket.list(layout.CONTROLLERS)] == [layout.controller("loop")]
    assert bucket.calls["delete"] == 1


def test_what_cannot_be_read_is_shown_as_far_as_it_goes(bucket: Bucket) -> None:
    bucket.put(layout.controller("torn"), b'{"v": 1, "na')
    bucket.put(layout.controller("newer"), b'{"v": 9, "name": "n", "kind": "satellite", "host": "orbit", "seen_at": 1e999}')
    for name in ("torn", "newer"):
        os.utime(bucket._path(layout.controller(name)), (BEGIN, BEGIN))
    terminal("whole").tell(controller(bucket))
    found = {one.key.partition("/")[2]: one for one in seen(bucket, bucket.at)}
    assert found["whole.json"].problem == ""
    assert "cannot be read" in found["torn.json"].problem
    assert found["newer.json"].presence.host == "orbit"
    assert "newer fleet" in found["newer.json"].problem
    assert len(living(bucket, bucket.at)) == 3
    tidy(bucket, BEGIN + LONGEST + FORGET)
    assert bucket.list(layout.CONTROLLERS) == []


def test_one_that_ends_while_somebody_looks_is_left_out(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal("gone").tell(controller(bucket))
    listed = bucket.list(layout.CONTROLLERS)
    bucket.delete([layout.controller("gone")])
    monkeypatch.setattr(bucket, "list", lambda _prefix: listed)
    assert seen(bucket, bucket.at) == []


def test_a_process_of_this_computer_that_died_is_known_to_be_dead_at_once(home: Home, bucket: Bucket) -> None:
    me, other = os.getpid(), 99_999_999
    home.identity()
    here: dict[str, object] = {"kind": "terminal", "command": "controller run", "host": hostname(), "home": home.identity()}
    words: dict[str, dict[str, object]] = {
        "alive": {"process": me},
        "dead": {"process": other},
        "elsewhere": {"process": other, "host": "another"},
        "another-home": {"process": other, "home": "another"},
        "function": {"kind": "function"},
    }
    for name, more in words.items():
        fields = {"name": name, "version": "1", "started_at": BEGIN, "seen_at": BEGIN, "again_at": BEGIN + EVERY, **here}
        bucket.put(layout.controller(name), document_bytes(Presence.model_validate({**fields, **more})))
    with watching(home, "controller run", [bucket.url]) as known:
        assert known
        alive = {one.presence.name: one.lives for one in seen(bucket, bucket.at, home)}
        assert alive == {"alive": True, "dead": False, "elsewhere": True, "another-home": True, "function": True}
        late = {one.presence.name for one in seen(bucket, bucket.at + 7200, home) if one.lives}
        assert late == {"alive"}  # it is held up, but there
    assert not any(one.lives for one in seen(bucket, bucket.at, home) if one.presence.name == "alive")


def test_a_process_that_could_write_no_word_is_shown_all_the_same(home: Home, bucket: Bucket) -> None:
    bucket.broken = "access denied"
    with present(home, [controller(bucket)], "controller run"):
        bucket.broken = ""
        (found,) = seen(bucket, bucket.at, home)
        assert (found.key, found.lives, found.presence.process) == ("", True, os.getpid())


def test_a_newer_controllers_event_makes_an_older_one_read_only_and_it_says_so(bucket: Bucket) -> None:
    older, telling = controller(bucket), terminal()
    older.tick()
    telling.tell(older)
    newer = Journal(bucket, "f", by="function", version="99.0")
    assert newer.append([{"type": "sail-hoisted", "v": 1, "at": BEGIN}])
    bucket.at += 10
    older.tick()
    telling.tell(older)
    (found,) = seen(bucket, bucket.at)
    assert found.lives
    assert not found.acts
    assert "'sail-hoisted'" in found.presence.read_only
    assert "Upgrade fleet" in found.presence.read_only
    head = older.journal.head
    assert not older.record([NoteAdded(at=BEGIN, run_id="nobody", text="a word")])
    assert older.journal.head == head


class OnS3(Bucket):
    """A bucket in an account."""

    url = "s3://bucket"


def test_a_function_is_known_from_its_deployment_on_until_it_is_removed(tmp_path: Path) -> None:
    bucket = OnS3(tmp_path / "bucket")
    name = "fleet-1a2b-controller"
    told(controller(bucket), kind="function", every=60, key=name)
    assert seen(bucket, bucket.at) == []  # it was removed, and nobody took its word back
    bucket.delete([layout.controller(name)])
    record = AwsFunction(
        fleet_id="f",
        account="1",
        region="r",
        function=name,
        minute="m",
        hour="h",
        code_sha256="0",
        version="2.0",
        made_at=BEGIN,
    )
    bucket.put(layout.AWS_FUNCTION, document_bytes(record))
    (one,) = seen(bucket, bucket.at)
    assert (one.key, one.stays, one.presence.version) == ("", True, "2.0")
    (one,) = seen(bucket, bucket.at + 3600 + FUNCTION_EVERY + SLACK + 1)
    assert not one.lives
    told(controller(bucket), kind="function", every=3600, key=name)
    (one,) = seen(bucket, bucket.at)
    assert (one.key, one.lives, one.presence.version) == (layout.controller(name), True, __version__)
    bucket.put(layout.AWS_FUNCTION, document_bytes(record.model_copy(update={"made_at": BEGIN + 1})))
    assert seen(bucket, bucket.at)[0].presence.version == "2.0"  # it was deployed anew since it spoke
    bucket.put(layout.AWS_FUNCTION, b"{")
    assert len(seen(bucket, bucket.at)) == 1
