"""The volume's way out: nothing of training is left, it is unmounted, and only then others are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.agent.leaving import CLEAR_MOST
from fleet.agent.logic import TAKEN_WITHIN
from fleet.agent.release import RELEASE_MOST
from tests.agent.fakes import INTERVALS, Life, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def training(world: World) -> Life:
    life = world.attempt(disk=world.disk())
    life.until("training")
    life.training.save(10)
    life.live(5)
    return life


def test_released_is_said_only_once_the_volume_is_unmounted(world: World) -> None:
    life = training(world)
    life.machine.busy = True
    life.training.code = 0
    life.live(30)
    assert (life.beat.phase, life.beat.outcome) == ("draining", None)
    assert not life.machine.off
    life.machine.busy = False
    life.live(3)
    assert life.beat.phase == "released"
    assert life.machine.off


def test_a_drain_goes_on_beating_and_renewing_the_dead_man_while_the_volume_is_let_go(world: World) -> None:
    life = training(world)
    life.machine.busy = True
    life.training.code = 0
    life.live(1)
    beat, armed = life.beat.beat, len(life.machine.armed)
    life.live(100)
    assert life.beat.beat > beat + 4
    assert len(life.machine.armed) > armed


def test_a_volume_that_cannot_be_let_go_is_not_given_away_and_the_machine_ends_all_the_same(world: World) -> None:
    life = training(world)
    life.machine.refuses = "target is busy"
    life.training.code = 0
    life.live(RELEASE_MOST - 5)
    assert "not free yet: target is busy" in life.beat.message
    assert not life.machine.off
    life.live(15)
    assert life.machine.off
    assert life.beat.phase == "draining"
    assert life.beat.outcome is not None
    assert life.beat.outcome.kind == "succeeded"


def test_at_a_notice_it_is_tried_until_the_cloud_comes(world: World) -> None:
    life = training(world)
    life.training.on_stop = lambda: setattr(life.training, "code", 0)
    life.machine.busy = True
    life.machine.notice_until = world.clock() + 60
    life.live(55)
    assert not life.machine.off
    life.live(10 + TAKEN_WITHIN)
    assert life.machine.off
    assert life.beat.phase == "draining"


def test_containers_that_are_being_removed_are_waited_for_before_their_volume_goes(world: World) -> None:
    life = training(world)
    life.training.lingers = True
    life.training.code = 0
    life.live(CLEAR_MOST / 2)
    assert not life.machine.released
    life.training.lingers = False
    life.live(2)
    assert life.machine.released


def test_an_engine_that_never_removes_them_is_not_waited_for_for_ever(world: World) -> None:
    life = training(world)
    life.training.lingers = True
    life.training.code = 0
    life.live(CLEAR_MOST + 3)
    assert life.machine.released
    assert life.machine.off


def test_who_is_fenced_lets_go_before_it_says_so(world: World) -> None:
    life = training(world)
    life.machine.busy = True
    world.checkpoints.establish_base(2, world.clock())
    life.training.save(20)
    life.live(10)
    assert life.training.killed
    assert "fenced" not in life.beat.phase
    life.machine.busy = False
    life.live(3)
    assert "fenced" in life.beat.phase
    assert life.machine.off


def test_a_volume_that_is_refused_is_told_and_waited_for_no_longer_than_stated(world: World) -> None:
    life = world.attempt(disk=world.disk(), volume_id="vol-1")
    life.machine.refuses = "vol-1 holds something that cannot be mounted"
    life.live(INTERVALS.volume_wait - 5)
    assert life.beat.message == "waits for volume vol-1 (vol-1 holds something that cannot be mounted)"
    life.until("training")
    assert life.training.env["FLEET_VOLUME"] == str(life.machine.scratch / "volume")


def test_a_volume_that_is_being_made_ready_is_not_given_up_at_the_deadline(world: World) -> None:
    life = world.attempt(volume_id="vol-1")
    life.machine.mounting = True
    life.live(INTERVALS.volume_wait + 30)
    assert life.agent.phase == "waiting-volume"
    life.machine.disk, life.machine.mounting = world.disk(), False
    life.until("training")
    assert life.training.env["FLEET_VOLUME"] == str(world.disk())


def test_the_jobs_mount_point_leads_to_the_disk_also_if_an_empty_folder_stands_there(world: World) -> None:
    life = world.attempt(disk=world.disk())
    (life.machine.root / "mnt" / "fleet").mkdir(parents=True)
    life.until("training")
    assert (life.machine.root / "mnt" / "fleet").resolve() == world.disk().resolve()


def test_a_volume_that_is_mounted_where_the_job_wants_it_is_left_alone(world: World) -> None:
    life = world.attempt()
    life.machine.disk = life.machine.root / "mnt" / "fleet"
    life.machine.disk.mkdir(parents=True)
    life.until("training")
    assert not life.machine.disk.is_symlink()


# --- started again on the same machine


def test_an_agent_that_is_started_again_after_it_let_go_says_so_again_and_touches_nothing(world: World) -> None:
    world.desired(live=(1,), newest=1)
    first = training(world)
    first.training.on_stop = lambda: setattr(first.training, "code", 0)
    first.machine.notice_until = world.clock() + 120
    first.until("released")
    first.live(1)
    said = first.beat
    again = world.attempt(instance="i-1", disk=world.disk())
    again.machine.boot_id = "another boot"
    again.machine.notice_until = first.machine.notice_until
    again.live(20)
    assert not again.started
    assert not again.machine.off  # EC2 does not charge for what it takes
    assert again.beat.boot_id == "another boot"
    same = {"boot_id", "beat", "at"}
    assert again.beat.model_dump(exclude=same) == said.model_dump(exclude=same)
    again.live(90)
    assert not again.machine.off
    again.live(20 + TAKEN_WITHIN)
    assert again.machine.off


def test_another_boot_of_the_same_machine_is_the_same_attempt_and_goes_on_from_what_lies_on_the_volume(world: World) -> None:
    first = training(world)
    first.training.save(20)  # not committed: the machine reboots
    again = world.attempt(instance="i-1", disk=world.disk())
    again.machine.boot_id = "another boot"
    again.until("training")
    again.live(1)
    assert (again.beat.attempt, again.beat.boot_id) == (1, "another boot")
    assert again.beat.resumed is not None
    assert (again.beat.resumed.source, str(again.beat.resumed.ref)) == ("volume", "1/2")
    assert '"step": 20' in (world.disk() / "checkpoints" / "state.json").read_text()


def test_another_boot_does_not_take_a_volume_that_came_too_late_over_the_disk_it_trained_on(world: World) -> None:
    first = world.attempt(volume_id="vol-1")
    first.until("training")
    first.training.save(30)
    again = world.attempt(instance="i-1", disk=world.disk(), volume_id="vol-1")
    again.until("training")
    again.live(1)
    assert again.training.env["FLEET_VOLUME"] == str(again.machine.scratch / "volume")
    assert str(again.beat.checkpoint) == "1/1"
