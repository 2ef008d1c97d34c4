"""Telling one destination from several controllers that come, go, die and lose answers: each thing once."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.control.telling import Teller
from fleet.control.telllog import BELIEVED, KEEP, TIDY, TellLog, folder_of
from fleet.core.notify import AGAIN, OLD, SUMMARY
from fleet.core.thing import Thing
from fleet.model.errors import StoreError
from fleet.model.notify import KINDS, Kind, Wish
from tests.unit.control.told import Killed, Post, Shelf

BEGIN = 1_800_000_000.0
TO = "json://pi.example.com"
WISH = Wish(to={TO: dict.fromkeys(KINDS, BEGIN)})


def thing(which: int, at: float = BEGIN, run: str = "racer", kind: Kind = "interruption") -> Thing:
    return Thing(kind, run, str(which), at, run, f"{run} {kind} {which}", f"fleet status {run}")


class Place:
    """A bucket, a destination, and as many controllers as there are."""

    def __init__(self) -> None:
        self.shelf = Shelf(BEGIN)
        self.post = Post(self.shelf.now)
        self.said: list[str] = []
        self.things: list[Thing] = []
        self.tellers: dict[int, Teller] = {}

    def teller(self, number: int = 0) -> Teller:
        if number not in self.tellers:
            log = TellLog(self.shelf, TO)
            self.tellers[number] = Teller(log, TO, self.post.send, f"c{number}", self.said.append, 15)
        return self.tellers[number]

    def look(self, number: int = 0) -> None:
        try:
            self.teller(number).tell(self.things, self.shelf.at, WISH)
        except Killed:
            del self.tellers[number]

    @property
    def titles(self) -> list[str]:
        return [message.title for _, message in self.post.read]


@pytest.fixture
def place() -> Place:
    made = Place()
    made.things.append(thing(1))
    return made


def test_of_several_controllers_that_see_the_same_one_tells_it(place: Place) -> None:
    for number in range(5):
        place.look(number)
    assert place.titles == ["fleet: racer was interrupted"]
    assert [key.rpartition("/")[2] for key in place.shelf.kept] == ["00000001.json"]


def test_of_two_that_want_to_tell_it_at_the_same_moment_one_does(place: Place) -> None:
    place.shelf.before_create = lambda: place.look(1)
    place.look(0)
    assert place.titles == ["fleet: racer was interrupted"]


def test_the_one_that_was_later_still_tells_what_the_first_did_not_know(place: Place) -> None:
    def other() -> None:
        place.look(1)
        place.things.append(thing(1, run="second"))

    place.shelf.before_create = other
    place.look(0)
    place.look(0)
    assert place.titles == ["fleet: racer was interrupted", "fleet: second was interrupted"]


@pytest.mark.parametrize("lost", ["before", "after", "again"])
def test_a_call_or_an_answer_that_is_lost_neither_loses_nor_doubles_a_message(place: Place, lost: str) -> None:
    place.shelf.lost = lost
    for _ in range(3):
        place.look(0)
    place.look(1)
    assert place.titles == ["fleet: racer was interrupted"]


def test_whoever_dies_with_a_message_leaves_the_others_to_the_next(place: Place) -> None:
    place.things.append(thing(2, run="second"))
    place.post.killing = "before"
    place.look(0)
    place.look(1)
    assert place.titles == ["fleet: second was interrupted"]
    assert place.post.lost == {"interruption/racer/1"}


def test_after_an_answer_was_lost_another_does_not_tell_it_again(place: Place) -> None:
    place.shelf.lost = "after"
    place.look(0)
    place.look(1)
    place.look(0)
    assert place.titles == ["fleet: racer was interrupted"]


def test_a_bucket_out_of_reach_is_said_and_waited_for(place: Place) -> None:
    place.shelf.broken = "no network"
    place.look()
    assert place.titles == []
    assert place.teller().left == {one.key for one in place.things}
    assert place.said == [f"notifications for {TO} are held up: no network"]
    place.shelf.broken = ""
    place.look()
    assert len(place.titles) == 1
    assert place.teller().left == set()


def test_what_could_not_be_sent_is_sent_again_also_by_another_and_told_in_the_log(place: Place) -> None:
    place.post.failing = 2
    place.look(0)
    assert place.said[-1].endswith("refused; it is sent again")
    del place.tellers[0]
    for seconds in AGAIN[:2]:
        place.shelf.at += seconds
        place.look(1)
    assert place.titles == ["fleet: racer was interrupted"]
    place.look(1)
    assert len(place.titles) == 1


def test_what_is_never_taken_is_given_up(place: Place) -> None:
    place.post.failing = 100
    for _ in range(20):
        place.look()
        place.shelf.at += 60
    assert 100 - place.post.failing == 1 + len(AGAIN)
    assert place.said[-1].endswith("refused; it is given up")
    assert sum(key.startswith("create") for key in place.shelf.calls) == 2 * (1 + len(AGAIN))


def test_a_failure_that_could_not_be_written_down_is_once_the_bucket_is_back(place: Place) -> None:
    def out_of_reach(*words: Any) -> str:
        place.shelf.broken = "no network"
        return "refused"

    teller = place.teller()
    teller.send = out_of_reach
    place.look()
    assert "could not be written down yet: no network" in place.said[-1]
    place.shelf.broken, teller.send = "", place.post.send
    for _ in range(5):
        place.look()
        place.shelf.at += 600
    assert place.titles == ["fleet: racer was interrupted"]


def test_old_documents_are_removed_and_one_who_slept_meanwhile_tells_nothing_twice(place: Place) -> None:
    place.look(0)  # and falls asleep
    for day in range(60):
        place.shelf.at += TIDY
        place.things.append(thing(day + 2, place.shelf.at))
        place.look(1)
    kept = [key for key in place.shelf.kept if key.startswith("notifications/")]
    assert len(kept) <= KEEP / TIDY + 2
    place.look(0)
    assert max(place.post.times().values()) == 1
    assert len(place.titles) == 61


def test_what_is_known_is_believed_for_an_hour_and_costs_one_request_until_then(place: Place) -> None:
    place.look()
    place.shelf.calls.clear()
    place.shelf.at += BELIEVED - 1
    place.look()
    assert [call.split()[0] for call in place.shelf.calls] == ["get"]
    place.shelf.at += 2
    place.look()
    assert "list" in [call.split()[0] for call in place.shelf.calls]


def test_a_document_that_cannot_be_understood_keeps_this_controller_silent(place: Place) -> None:
    key = f"notifications/{folder_of(TO)}/00000001.json"
    place.shelf.put(key, b'{"v": 2}')
    place.look()
    assert place.titles == []
    assert "perhaps a newer fleet wrote it" in place.said[-1]
    with pytest.raises(StoreError):
        TellLog(place.shelf, TO).refresh(BEGIN)


def test_two_destinations_never_share_a_folder() -> None:
    names = ["ses:a@b>c@d", "ses:a@b>c@e", "slack://***", "slack://*** #2", "x" * 90, "x" * 91]
    assert len({folder_of(one) for one in names}) == len(names)
    assert all(
        set(folder_of(one)) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") for one in names
    )


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("happens"), st.sampled_from(list(KINDS)), st.integers(0, 5)),
        st.tuples(st.just("looks"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("at once"), st.integers(0, 2), st.integers(0, 2)),
        st.tuples(st.just("restarts"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("waits"), st.sampled_from([1, 20, 400, 1000, 4000, 90_000]), st.just(0)),
        st.tuples(st.just("refuses"), st.integers(1, 3), st.just(0)),
        st.tuples(st.just("loses"), st.sampled_from(["before", "after", "again"]), st.just(0)),
        st.tuples(st.just("kills"), st.sampled_from(["before", "after"]), st.just(0)),
    ),
    max_size=60,
)


def play(place: Place, step: tuple[Any, ...]) -> None:
    what, one, two = step
    if what == "happens":
        place.things.append(thing(len(place.things), place.shelf.at, f"run-{two}", one))
    elif what == "looks":
        place.look(one)
    elif what == "at once":
        place.shelf.before_create = lambda: place.look(two + 3)
        place.look(one)
        place.shelf.before_create = None
    elif what == "restarts":
        place.tellers.pop(one, None)
    elif what == "waits":
        place.shelf.at += one
    elif what == "refuses":
        place.post.failing = one
    elif what == "loses":
        place.shelf.lost = one
    else:
        place.post.killing = one


@given(STEPS)
def test_whatever_happens_each_thing_is_told_once_while_a_controller_lives(steps: list[tuple[Any, ...]]) -> None:
    """Once at most, always; and told, unless its sender died while it sent it, or its last process did with a refusal
    that it could not write down. Between two messages of a kind and run lies the time that was wished for."""
    place = Place()
    for step in steps:
        play(place, step)
    place.post.failing, place.post.killing, place.shelf.lost = 0, "", ""
    for _ in range(12):  # one lives on
        place.shelf.at += WISH.quiet / 2
        place.look(0)
    times = place.post.times()
    assert max(times.values(), default=0) <= 1
    missed = {one.key for one in place.things} - times.keys() - place.post.lost
    given_up = [line for line in place.said if "given up" in line or "could not be written" in line]
    assert not missed or given_up
    _pauses_were_kept(place)


def _pauses_were_kept(place: Place) -> None:
    """Of first tries: what is sent again comes when it can."""
    last: dict[str, float] = {}
    for at, message in place.post.read:
        if not message.keys:
            continue
        abouts = {SUMMARY} if message.kind == SUMMARY else {key.rpartition("/")[0] for key in message.keys}
        for about in abouts:
            assert at - last.get(about, float("-inf")) >= WISH.quiet
            last[about] = at


def test_the_law_is_broken_by_who_tells_what_another_has_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the play can tell: of two at once, both send."""

    def append(self: TellLog, log: Any, made: Any = ()) -> bool:
        with contextlib.suppress(StoreError):
            real(self, log, made)
        return True

    real = TellLog.append
    monkeypatch.setattr(TellLog, "append", append)
    place = Place()
    for step in (("happens", "failed", 0), ("at once", 0, 0)):
        play(place, step)
    assert place.post.times() == {"failed/run-0/0": 2}


def test_an_hour_divides_what_is_told_as_it_is_from_what_is_summed_up(place: Place) -> None:
    place.things = [thing(1, BEGIN + 1), thing(2, BEGIN + 3 * OLD)]
    place.shelf.at = BEGIN + 3 * OLD + 10
    place.look()
    assert place.titles == ["fleet, earlier: 1 interruption", "fleet: racer was interrupted"]
