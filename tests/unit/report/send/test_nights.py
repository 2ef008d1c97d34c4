"""Each night is told once, however many computers send it; what could not be told is told with the next."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Barrier, Lock

import pytest

from fleet.report.send import Failure, Rendered
from fleet.report.send.kept import FRESH, claim, tries_of, unsent
from fleet.report.send.nights import Night, QuietNights, Told, deliver
from fleet.store.objects import Objects
from fleet.store.opening import open_objects

DAY = 86_400.0
MAIL, CHAT = "ses:fleet@example.com>me@example.com", "slack://a/b/c"
SHOWN = {MAIL: MAIL, CHAT: "slack://***"}
SECRET = "AKIAIOSFODNN7EXAMPLE"


@dataclass
class World:
    """A bucket, its clock, and services that work or do not."""

    folder: Path
    now: float = 1_000_000.0
    down: set[str] = field(default_factory=set)
    quiet: set[str] = field(default_factory=set)
    told: list[tuple[str, str]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    @property
    def objects(self) -> Objects:
        return open_objects(self.folder.as_uri(), clock=lambda: self.now)

    def make(self, night: str) -> Night:
        pages = {"html": f"<p>{night} {SECRET}", "md": f"# {night}", "json": json.dumps({"night": night, "log": SECRET})}
        return Night(
            night, Rendered(f"fleet {night}", f"text {night}", "<p>", short=f"short {night}"), pages, night in self.quiet
        )

    def send(self, message: Rendered, to: Sequence[str]) -> list[Failure | None]:
        with self.lock:
            self.told += [(message.subject, url) for url in to if url not in self.down]
        return [Failure(SHOWN[url], "it is down") if url in self.down else None for url in to]

    def night(
        self, night: str, to: Sequence[str] = (MAIL, CHAT), quiet: QuietNights = "line", *, gaps: bool = True
    ) -> list[Told]:
        return deliver(self.objects, night, to, self.make, quiet_nights=quiet, gaps=gaps, sender=self.send)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "bucket")


def test_a_night_is_kept_and_told_once(world: World) -> None:
    (told,) = world.night("2026-11-25")
    assert told.reached == (MAIL, "slack://***")
    assert world.night("2026-11-25") == [Told("2026-11-25", ())]
    assert world.told == [("fleet 2026-11-25", MAIL), ("fleet 2026-11-25", CHAT)]
    keys = [entry.key for entry in world.objects.list("reports/")]
    assert keys == [
        "reports/2026-11-25.html",
        "reports/2026-11-25.json",
        "reports/2026-11-25.md",
        "reports/sent/2026-11-25.json",
    ]


def test_nothing_secret_lies_in_the_bucket(world: World) -> None:
    world.down = {CHAT}
    world.night("2026-11-25")
    everything = b"".join(world.objects.get(entry.key) for entry in world.objects.list("reports/"))
    for secret in (SECRET, CHAT, "a/b/c"):
        assert secret.encode() not in everything
    assert json.loads(world.objects.get("reports/2026-11-25.json"))["night"] == "2026-11-25"


def test_who_was_not_reached_is_told_with_the_next_night_and_nobody_twice(world: World) -> None:
    world.down = {CHAT}
    (told,) = world.night("2026-11-24")
    assert [str(one) for one in told.failed] == ["slack://***: it is down"]
    world.now, world.down = world.now + DAY, set()
    nights = world.night("2026-11-25")
    assert [(one.night, one.reached) for one in nights] == [
        ("2026-11-24", ("slack://***",)),
        ("2026-11-25", (MAIL, "slack://***")),
    ]
    assert world.told == [
        ("fleet 2026-11-24", MAIL),
        ("fleet 2026-11-24 (could not be sent before)", CHAT),
        ("fleet 2026-11-25", MAIL),
        ("fleet 2026-11-25", CHAT),
    ]


def test_the_same_night_again_tells_only_who_was_not_reached(world: World) -> None:
    world.down = {MAIL}
    world.night("2026-11-25")
    world.down.clear()
    world.night("2026-11-25")
    assert world.told == [("fleet 2026-11-25", CHAT), ("fleet 2026-11-25", MAIL)]


def test_of_many_computers_one_tells_each_destination(world: World) -> None:
    computers, barrier = 8, Barrier(8)

    def send(_: int) -> list[Told]:
        barrier.wait(30)
        return world.night("2026-11-25")

    with ThreadPoolExecutor(computers) as pool:
        outcomes = list(pool.map(send, range(computers)))
    assert sorted(world.told) == [("fleet 2026-11-25", MAIL), ("fleet 2026-11-25", CHAT)]
    assert sum(len(told.reached) for one in outcomes for told in one) == 2


def test_another_computers_own_destination_is_told_too(world: World) -> None:
    world.night("2026-11-25", [MAIL])
    (told,) = world.night("2026-11-25", [MAIL, CHAT])
    assert told.reached == ("slack://***",)


def test_who_began_to_send_and_died_is_waited_for_and_then_replaced(world: World) -> None:
    assert claim(world.objects, "2026-11-25", [MAIL]) is not None
    assert world.night("2026-11-25", [MAIL]) == [Told("2026-11-25", ())]
    world.now += FRESH
    (told,) = world.night("2026-11-25", [MAIL])
    assert told.reached == (MAIL,)


def test_nights_that_this_computer_slept_through_are_told_with_the_next_if_it_is_installed(world: World) -> None:
    world.night("2026-11-21")
    world.told.clear()
    assert [one.night for one in world.night("2026-11-24", gaps=False)] == ["2026-11-24"]
    assert [one.night for one in world.night("2026-11-25", gaps=True)] == ["2026-11-22", "2026-11-23", "2026-11-25"]


def test_the_first_night_brings_none_before_it_and_a_new_destination_no_old_ones(world: World) -> None:
    assert [one.night for one in world.night("2026-11-24", [MAIL])] == ["2026-11-24"]
    assert [one.night for one in world.night("2026-11-25", [MAIL, CHAT])] == ["2026-11-25"]


def test_no_more_than_a_week_is_told_again(world: World) -> None:
    world.night("2026-10-01")
    world.told.clear()
    nights = [one.night for one in world.night("2026-11-25")]
    assert nights == [
        "2026-11-18",
        "2026-11-19",
        "2026-11-20",
        "2026-11-21",
        "2026-11-22",
        "2026-11-23",
        "2026-11-24",
        "2026-11-25",
    ]


@pytest.mark.parametrize(("wish", "sent"), [("line", [("fleet 2026-11-25", MAIL)]), ("silent", [])])
def test_a_quiet_night_is_one_line_or_silent(world: World, wish: QuietNights, sent: list[tuple[str, str]]) -> None:
    world.quiet = {"2026-11-25"}
    (told,) = world.night("2026-11-25", [MAIL], wish)
    assert told.silent == (wish == "silent")
    assert world.told == sent
    world.now += DAY
    assert [one.night for one in world.night("2026-11-26", [MAIL], wish)] == ["2026-11-26"]


def test_a_quiet_nights_line_has_no_page(world: World) -> None:
    world.quiet, seen = {"2026-11-25"}, list[Rendered]()

    def sender(message: Rendered, to: Sequence[str]) -> list[None]:
        seen.append(message)
        return [None] * len(to)

    deliver(world.objects, "2026-11-25", [MAIL], world.make, sender=sender)
    assert (seen[0].text, seen[0].html) == ("short 2026-11-25", "")


def test_a_document_that_cannot_be_read_stops_nobody(world: World) -> None:
    world.objects.put("reports/sent/2026-11-25.json", b"{broken")
    world.objects.put("reports/sent/of somebody else.json", b"{}")
    (told,) = world.night("2026-11-25", [MAIL])
    assert told.reached == (MAIL,)
    assert tries_of(world.objects)["2026-11-25"].numbers == 2


def test_without_destinations_the_pages_are_kept_all_the_same(world: World) -> None:
    assert world.night("2026-11-25", []) == [Told("2026-11-25", ())]
    assert world.objects.get("reports/2026-11-25.md") == b"# 2026-11-25"


def test_who_still_waits_is_named_until_they_are_told(world: World) -> None:
    world.down = {CHAT}
    world.night("2026-11-24")
    said = [("2026-11-24", "could not be sent to slack://***: it is down")]
    assert unsent(world.objects, "2026-11-25", world.now) == said
    assert unsent(world.objects, "2026-11-24", world.now) == []
    world.down.clear()
    world.night("2026-11-25")
    assert unsent(world.objects, "2026-11-26", world.now) == []


def test_a_night_that_everybody_was_told_of_is_not_made_again(world: World) -> None:
    world.night("2026-11-25")
    made: list[str] = []

    def make(night: str) -> Night:
        made.append(night)
        return world.make(night)

    assert deliver(world.objects, "2026-11-25", [MAIL], make) == [Told("2026-11-25", ())]
    assert made == []


def test_a_night_that_cannot_be_made_holds_none_after_it_back(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.down = {CHAT}
    world.night("2026-11-24")
    world.down = set()

    def make(night: str) -> Night:
        if night == "2026-11-24":
            raise ZeroDivisionError("of nothing")
        return world.make(night)

    deliver(world.objects, "2026-11-25", [CHAT], make, sender=world.send)
    assert ("fleet 2026-11-25", CHAT) in world.told
    assert "2026-11-24 could not be made" in caplog.text
