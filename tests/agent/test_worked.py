"""How long a run was trained, over its attempts; and for whom a machine waits that was booted beside another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.agent.worked import Worked
from tests.agent.fakes import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def test_training_counts_from_what_was_resumed_and_no_longer_than_until_it_was_told_to_end() -> None:
    worked = Worked(100.0)
    assert worked.at(50) == 100
    worked.goes_on(50)
    worked.goes_on(60)  # a restart of what goes on is no new beginning
    assert worked.at(80) == 130
    worked.ends(90)
    assert worked.at(200) == 140


def test_what_a_crash_lost_is_not_done() -> None:
    worked = Worked(0.0)
    worked.goes_on(0)
    worked.restarts(40.0, 100)
    assert worked.at(110) == 50


def test_what_nobody_counted_before_is_not_known() -> None:
    worked = Worked(None)
    worked.goes_on(0)
    assert worked.at(50) is None
    assert worked.from_nothing is None


def test_a_clock_that_was_set_back_takes_nothing_away() -> None:
    worked = Worked(0.0)
    worked.goes_on(1000)
    worked.clock_set(-500)
    assert worked.at(510) == 10


def test_a_checkpoint_tells_how_long_led_to_it_and_the_next_attempt_goes_on_from_there(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    began = world.clock()
    life.live(100)
    saved_at = world.clock()
    life.training.save(10)
    life.live(40)
    beat = life.beat
    assert beat.saved == pytest.approx(saved_at - began, abs=2)
    assert beat.trained == pytest.approx(beat.at - began, abs=2)
    life.machine.notice_until = world.clock() + 120
    life.training.on_stop = lambda: setattr(life.training, "code", 143)
    life.until("released")
    world.desired(live=(2,), newest=2, gone=(1,))
    second = world.attempt(2, disk=world.disk(), predecessor=1, volume_new=False)
    second.until("training")
    second.live(30)
    assert second.beat.resumed is not None
    assert second.beat.resumed.trained == beat.saved
    assert second.beat.trained == pytest.approx((beat.saved or 0) + 30, abs=20)


def test_the_total_that_training_tells_is_in_the_machines_word(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    life.training.say("fleet.progress step=3 total=500")
    life.training.say("fleet.progress step=4")
    life.live(20)
    assert (life.beat.step, life.beat.total) == (4, 500)


def test_a_machine_waits_for_everyone_who_may_still_write(world: World) -> None:
    """The one before it was lost before it took over; the one before that still saves."""
    first = world.attempt(disk=world.disk())
    first.until("training")
    first.training.save(10)
    first.live(20)
    world.desired(live=(1, 3), newest=3, gone=(2,))
    third = world.attempt(3, disk=world.disk("another"), predecessor=2, besides=(1,), volume_new=True)
    third.until("waiting-predecessor")
    for _ in range(30):
        third.live(2)
        first.live(1)
    assert third.agent.phase == "waiting-predecessor"
    assert third.beat.message == "waits for attempt 1 to let go"
    world.desired(journal=2, live=(3,), newest=3, gone=(2,))
    first.training.on_stop = lambda: setattr(first.training, "code", 143)
    first.until("released")
    first.live(2)
    third.until("training")
    third.live(2)
    assert third.beat.resumed is not None
    assert third.beat.resumed.step == 10
