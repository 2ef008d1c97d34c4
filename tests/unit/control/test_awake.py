"""The minute's schedule follows the state, with few questions, and no run is left alone by it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.control.awake import RECHECK, Awake
from fleet.control.controller import Controller
from fleet.model import events as ev
from fleet.model.errors import ErrorClass, ProviderError
from fleet.store.files import FileObjects
from fleet.store.journal import Journal
from tests.unit.core.world import job


class Schedule:
    """One that counts; ``on_turn`` happens in the middle of turning it."""

    def __init__(self, *, enabled: bool) -> None:
        self.enabled: bool | None = enabled
        self.calls: list[str] = []
        self.on_turn: Callable[[], None] | None = None
        self.broken = False

    def on(self) -> bool | None:
        self.calls.append("on?")
        return self.enabled

    def turn(self, on: bool) -> bool:
        self.calls.append("on" if on else "off")
        if self.broken:
            raise ProviderError(ErrorClass.DENIED, "AccessDenied", "no")
        changed, self.enabled = self.enabled != on, on
        if self.on_turn is not None:
            self.on_turn()
        return changed


class Place:
    """An empty fleet, a laptop's controller beside the function's, and a clock."""

    def __init__(self, folder: Path, *, enabled: bool) -> None:
        self.now = 1000.0
        self.objects = FileObjects(folder, lambda: self.now)
        self.mine, self.laptop = self.controller(), self.controller()
        self.schedule = Schedule(enabled=enabled)
        self.awake = Awake(self.schedule, lambda: self.now)

    def controller(self) -> Controller:
        return Controller(self.objects, Journal(self.objects, "f", by="c", version="0"), "f", {})

    def begin(self, name: str = "racer") -> None:
        made = ev.RunCreated(at=self.now, run_id=f"{name}-1", name=name, job=job({"name": name}), mounts={})
        assert self.laptop.record([made])

    def end(self, name: str = "racer") -> None:
        told = ev.RunEnded(at=self.now, run_id=f"{name}-1", outcome="stopped", reason="")
        assert self.laptop.record([told])

    def keep(self, seconds: float = 60.0) -> tuple[str, list[str]]:
        """One call of the function, after a while: what it says, and what it asked."""
        self.now += seconds
        self.schedule.calls.clear()
        self.mine.catch_up()
        return self.awake.keep(self.mine), list(self.schedule.calls)


@pytest.fixture
def off(tmp_path: Path) -> Place:
    return Place(tmp_path, enabled=False)


@pytest.fixture
def on(tmp_path: Path) -> Place:
    return Place(tmp_path, enabled=True)


def test_while_something_lives_it_is_asked_about_once_an_hour(on: Place) -> None:
    on.begin()
    told = [on.keep() for _ in range(130)]
    assert {word for word, _ in told} == {"on"}
    assert [call for _, calls in told for call in calls] == ["on?"] * 3


def test_it_is_turned_off_once_and_then_left(on: Place) -> None:
    assert on.keep() == ("turned off", ["on?", "off"])
    assert on.keep() == ("off", [])
    assert on.keep(RECHECK) == ("off", ["on?"])


def test_the_call_of_the_hour_turns_on_what_was_not(off: Place) -> None:
    assert off.keep() == ("off", ["on?"])
    off.begin()
    assert off.keep(RECHECK) == ("turned on", ["on?", "on"])


def test_a_run_that_began_while_it_was_turned_off_is_not_left_alone(on: Place) -> None:
    def begin_once() -> None:
        on.schedule.on_turn = None
        on.begin()

    on.schedule.on_turn = begin_once
    assert on.keep() == ("on again", ["on?", "off", "on"])
    assert on.schedule.enabled is True
    assert on.keep() == ("on", [])


def test_a_run_that_begins_after_it_was_turned_off_turns_it_on_itself(on: Place) -> None:
    on.keep()
    on.begin()
    on.schedule.enabled = True  # as `fleet up` does
    assert on.keep() == ("turned on", ["on"])  # it only makes sure


def test_what_could_not_be_turned_is_tried_again_by_the_next_call(on: Place) -> None:
    on.schedule.broken = True
    with pytest.raises(ProviderError):
        on.keep()
    on.schedule.broken = False
    assert on.keep() == ("turned off", ["on?", "off"])


def test_a_run_that_began_while_turning_it_off_failed_is_not_left_alone(on: Place) -> None:
    """A part of it was off already."""
    plain = on.schedule.turn

    def turn(enabled: bool) -> bool:
        plain(enabled)
        if not enabled:
            on.begin()
            raise ProviderError(ErrorClass.DENIED, "AccessDenied", "no")
        return True

    on.schedule.turn = turn  # type: ignore[method-assign, assignment]
    with pytest.raises(ProviderError):
        on.keep()
    assert on.schedule.enabled is True
    assert on.keep() == ("on", [])


def test_one_of_which_only_a_part_is_on_is_turned(on: Place) -> None:
    on.begin()
    on.schedule.enabled = None
    assert on.keep() == ("turned on", ["on?", "on"])


def test_what_somebody_else_turned_off_is_on_again_within_the_hour(on: Place) -> None:
    on.begin()
    on.keep()
    on.schedule.enabled = False
    assert on.keep() == ("on", [])
    assert on.keep(RECHECK) == ("turned on", ["on?", "on"])
