"""An attempt from its first act to its last, on a virtual clock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from fleet.agent.lanes import attempted
from fleet.model import layout
from fleet.model.documents import CheckpointRef, Manifest
from fleet.model.errors import StoreError
from fleet.store.files import FileObjects
from tests.agent.fakes import INTERVALS, RUN, HeldLane, World

Make = Callable[..., World]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[World] = []

    def new(**job: object) -> World:
        made.append(World(tmp_path, job))
        return made[-1]

    yield new
    for one in made:
        one.close()


@pytest.fixture
def world(make: Make) -> World:
    return make()


def test_a_training_that_ends_well(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    assert life.machine.trained
    life.live(1)
    assert life.beat.resumed is not None
    assert (life.beat.resumed.source, life.beat.resumed.lost_steps) == ("nothing", 0)
    life.training.save(10)
    life.live(3)
    assert (life.beat.checkpoint_step, str(life.beat.checkpoint)) == (10, "1/1")
    life.training.say("fleet.progress step=12 reward=0.75")
    life.live(20)
    assert (life.beat.step, life.beat.metrics) == (12, {"reward": 0.75})
    life.training.save(20)
    life.training.code = 0
    life.live(10)
    assert life.beat.phase == "released"
    assert life.beat.outcome is not None
    assert (life.beat.outcome.kind, life.beat.outcome.exit_code) == ("succeeded", 0)
    assert (life.beat.checkpoint_step, life.beat.checkpoints) == (20, 2)
    assert life.machine.off
    assert life.machine.released


def test_the_first_durable_act_is_to_claim_the_attempt(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.agent.tick()
    life.agent.tick()
    assert [i.key for i in world.objects.list("runs/")] == [layout.began(RUN, 1)]


def test_an_attempt_that_is_another_machines_is_left_without_a_word(world: World) -> None:
    first, second = world.attempt(disk=world.disk()), world.attempt(disk=world.disk("other"), instance="i-9")
    first.until("training")
    before = world.objects.list("")
    second.live(10)
    assert second.machine.off
    assert not second.started
    assert [i.key for i in world.objects.list("")] == [i.key for i in before]
    assert first.beat.instance_id == "i-1"


def test_training_is_told_where_it_is(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    env = life.training.env
    assert env["FLEET_CHECKPOINTS"] == str(world.disk() / "checkpoints")
    assert (env["FLEET_RUN_ID"], env["FLEET_ATTEMPT"]) == (RUN, "1")
    assert not any("FLEET_METADATA" in key or "FLEET_INSTANCE_DIR" in key for key in env)


# --- the cloud's signals


def test_a_notice_is_seen_at_once_training_saves_and_everything_is_let_go(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    life.training.save(10)
    life.live(5)
    life.training.say("fleet.progress step=17")

    def save_and_go() -> None:
        life.training.save(18)
        life.training.code = 0

    life.training.on_stop = save_and_go
    life.machine.notice_until = world.clock() + 120
    begun = world.clock()
    life.until("released")
    assert world.clock() - begun < 2 * INTERVALS.notice
    life.live(2)
    assert life.beat.notice is not None
    assert life.beat.notice.until == life.machine.notice_until
    assert life.beat.outcome is not None
    assert (life.beat.outcome.kind, life.beat.checkpoint_step) == ("interrupted", 18)
    assert life.machine.released


def test_rounds_between_two_looks_for_a_notice_do_not_put_the_next_one_off(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    life.live(5)
    wait = life.agent.tick()
    world.clock.advance(wait * 0.9)
    rest = life.agent.tick()  # something was printed: an extra round
    assert rest < 0.2 * INTERVALS.notice
    life.machine.notice_until = world.clock() + 120
    world.clock.advance(rest)
    life.agent.tick()
    assert life.agent.signals.notice is not None


def test_a_dead_man_switch_that_cannot_be_set_is_told_while_training_goes_on(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    life.machine.unarmed = "the dead-man switch could not be set: no timers here"
    life.live(INTERVALS.dead_man)
    assert life.beat.phase == "training"
    assert life.beat.message == "the dead-man switch could not be set: no timers here"
    life.machine.unarmed = ""
    life.live(2)
    assert life.beat.message == ""


def test_after_a_notice_the_machine_stays_until_it_is_taken_as_long_as_it_is_wanted(world: World) -> None:
    world.desired(live=(1,), newest=1)
    life = world.attempt(disk=world.disk())
    life.until("training")
    life.training.on_stop = lambda: setattr(life.training, "code", 0)
    life.machine.notice_until = world.clock() + 120
    life.until("released")
    life.live(60)
    assert not life.machine.off
    world.desired(2, live=(2,), newest=2)
    life.live(10)
    assert life.machine.off


def test_a_training_that_does_not_stop_is_killed_in_time_to_commit_what_it_saved(world: World) -> None:
    work = HeldLane()
    life = world.attempt(disk=world.disk(), work=work)
    while life.agent.phase != "training":
        work.let_go()
        life.live(0.1)
    life.training.save(10)
    life.machine.notice_until = world.clock() + 20
    begun = world.clock()
    life.live(11)
    assert life.training.asked
    assert not life.training.killed
    life.live(3)
    assert life.training.killed
    while life.agent.phase != "released":
        work.let_go()
        life.live(0.1)
    assert world.clock() - begun < 20
    life.live(1)
    assert life.beat.checkpoint_step == 10


def test_a_commit_that_takes_too_long_does_not_hold_the_release_beyond_the_notice(world: World) -> None:
    class Slow(FileObjects):
        def upload(self, key: str, path: Path) -> None:
            raise StoreError("too slow")

    objects = Slow(world.folder / "bucket", clock=world.clock)
    life = world.attempt(disk=world.disk(), objects=objects)
    life.until("training")
    life.training.save(10)
    life.training.on_stop = lambda: setattr(life.training, "code", 0)
    life.machine.notice_until = world.clock() + 30
    life.live(31)
    assert life.agent.phase == "released"
    second = world.attempt(2, disk=world.disk(), predecessor=1, volume_new=False)
    second.until("training")
    second.live(1)
    assert second.beat.resumed is not None
    assert (second.beat.resumed.step, second.beat.resumed.source) == (10, "volume")


def test_a_rebalance_signal_is_a_wish_to_save_and_training_goes_on(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    wish = Path(life.training.env["FLEET_SAVE_REQUEST"])
    assert not wish.exists()
    life.machine.rebalanced = True
    life.live(2)
    assert wish.read_text()
    assert not life.training.asked
    assert life.agent.phase == "training"
    assert life.beat.rebalance is not None


def test_a_metadata_service_that_is_silent_is_no_notice(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    life.machine.silent = True
    life.live(60)
    assert life.agent.phase == "training"
    life.machine.silent, life.machine.notice_until = False, world.clock() + 100
    life.live(2)
    assert life.training.asked


# --- from one machine to the next


def interrupted(world: World, step: int, reached: int) -> None:
    """A first attempt that saved ``step``, reached ``reached`` and was killed without a word."""
    life = world.attempt(disk=world.disk())
    life.until("training")
    life.training.save(step)
    life.live(10)
    world.clock.advance(30)
    life.training.say(f"fleet.progress step={reached}")
    life.live(20)


def test_after_a_kill_the_volume_brings_the_checkpoint_and_the_loss_is_measured(world: World) -> None:
    interrupted(world, 10, 17)
    life = world.attempt(2, disk=world.disk(), predecessor=1, volume_new=False)
    life.until("training")
    life.live(1)
    resumed = life.beat.resumed
    assert resumed is not None
    assert (resumed.source, resumed.step, resumed.reached, resumed.lost_steps) == ("volume", 10, 17, 7)
    assert 39 < resumed.lost_seconds < 42


def test_after_a_kill_without_the_volume_the_bucket_does(world: World) -> None:
    interrupted(world, 10, 17)
    world.desired(live=(2,), newest=2, gone=(1,))
    life = world.attempt(2, disk=world.disk("fresh"), predecessor=1, volume_new=True)
    life.until("training")
    life.live(1)
    assert life.beat.resumed is not None
    assert (life.beat.resumed.source, life.beat.resumed.step) == ("bucket", 10)
    assert (world.disk("fresh") / "checkpoints" / "state.json").read_text() == '{"step": 10}'


def test_what_only_the_volume_holds_is_committed_first_under_the_new_attempt(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    life.training.save(10)
    life.live(5)
    life.training.save(20)  # and the power goes
    life.agent.hear_child(world.clock())
    second = world.attempt(2, disk=world.disk(), predecessor=1, volume_new=False)
    second.until("training")
    second.live(1)
    assert second.beat.resumed is not None
    assert (second.beat.resumed.step, second.beat.resumed.source, second.beat.resumed.lost_steps) == (20, "volume", 0)
    assert str(second.beat.resumed.ref) == "2/1"
    second.live(10)
    assert world.checkpoints.committed(2) == [1]  # not once more


def test_a_volume_that_a_later_attempt_overtook_is_set_aside_not_trusted(world: World) -> None:
    interrupted(world, 10, 10)  # attempt 1 on "volume"
    world.desired(live=(2,), newest=2, gone=(1,))
    second = world.attempt(2, disk=world.disk("other zone"), predecessor=1, volume_new=True)
    second.until("training")
    second.training.save(50)
    second.live(5)
    # Attempt 1's machine wrote on after attempt 2 took over; its volume comes back with attempt 3.
    (world.disk() / "checkpoints" / "state.json").write_text('{"step": 999}')
    third = world.attempt(3, disk=world.disk(), predecessor=2, volume_new=False)
    third.until("training")
    third.live(1)
    assert third.beat.resumed is not None
    assert (third.beat.resumed.step, third.beat.resumed.source) == (50, "bucket")
    assert (world.disk() / "checkpoints" / "state.json").read_text() == '{"step": 50}'
    assert [p.read_text() for p in world.disk().glob(".fleet/aside-*/state.json")] == ['{"step": 999}']


def test_an_agent_started_again_on_the_same_machine_goes_on_with_what_is_there(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    life.training.save(10)
    life.live(5)
    life.training.save(20)
    life.agent.hear_child(world.clock())
    again = world.attempt(disk=world.disk())
    again.until("training")
    again.live(1)
    assert again.beat.resumed is not None
    assert again.beat.resumed.step == 20
    assert life.world.checkpoints.bases()[1].ref is None
    again.training.save(30)
    again.live(5)
    assert again.beat.checkpoint_step == 30


@pytest.mark.parametrize("committed", [True, False])
def test_a_volume_that_lost_its_last_rename_does_not_take_the_run_back(world: World, committed: bool) -> None:
    """The power failed seconds after a commit: the bucket has the checkpoint, and the volume shows the one before it."""
    life = world.attempt(disk=world.disk())
    life.until("training")
    state = world.disk() / "checkpoints" / "state.json"
    life.training.save(10)
    if committed:
        life.live(5)
    older, written = state.read_bytes(), state.stat().st_mtime
    notes = {name: (world.disk() / ".fleet" / name).read_bytes() for name in ("saved.json", "progress.json") if committed}
    world.clock.advance(0.5)
    life.training.save(20)
    life.live(5)
    assert life.beat.checkpoint_step == 20
    state.write_bytes(older)
    os.utime(state, (written, written))
    for name, note in notes.items():  # they were not on the disk either
        (world.disk() / ".fleet" / name).write_bytes(note)
    world.desired(live=(2,), newest=2, gone=(1,))
    again = world.attempt(2, disk=world.disk(), predecessor=1)
    again.until("training")
    again.live(1)
    assert again.beat.resumed is not None
    assert (again.beat.resumed.step, again.beat.resumed.lost_steps) == (20, 0)
    assert state.read_text() == '{"step": 20}'
    assert world.checkpoints.all_committed() == {1: [1, 2] if committed else [1]}


def test_a_machine_that_is_shut_down_around_it_saves_and_lets_go(world: World) -> None:
    life = world.attempt(disk=world.disk())
    assert not life.agent.end_soon(world.clock())  # nothing is begun, so there is nothing to wait for
    life.until("training")

    def saves() -> None:
        life.training.save(30)
        life.training.code = 0

    life.training.on_stop = saves
    assert life.agent.end_soon(world.clock())
    life.live(10)
    assert (life.machine.released, life.machine.off, life.beat.phase) == (True, True, "released")
    assert life.beat.checkpoint_step == 30
    assert life.beat.outcome is not None
    assert (life.beat.outcome.kind, "shut down" in life.beat.outcome.message) == ("interrupted", True)


def test_a_notice_in_the_middle_of_a_stop_hurries_it(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    world.desired(journal=2, want="stop", live=(1,), newest=1)
    life.live(6)
    assert life.training.asked
    began = world.clock()
    life.machine.notice_until = began + 20
    life.live(60)
    assert life.training.killed
    assert life.beat.phase == "released"
    assert life.beat.at - began <= 20


def test_a_shutdown_after_everything_was_let_go_of_is_waited_out_by_nobody(world: World) -> None:
    """After a notice a machine stays until it is taken, for that is free; not when it is shut down."""
    life = world.attempt(disk=world.disk())
    life.until("training")
    life.machine.notice_until = world.clock() + 120
    life.live(5)
    life.training.code = 0
    life.live(10)
    assert (life.beat.phase, life.agent.over) == ("released", False)
    assert not life.agent.end_soon(world.clock())


def test_a_shutdown_in_the_middle_of_a_stop_hurries_it(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    world.desired(journal=2, want="stop", live=(1,), newest=1)
    life.live(6)
    began = world.clock()
    while not life.agent.over and world.clock() - began < 200:
        life.agent.end_soon(world.clock())
        life.live(1)
    assert (life.training.killed, world.clock() - began <= 80) == (True, True)


def test_what_cannot_be_saved_before_a_shutdown_ends_is_let_go(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    began = world.clock()
    life.agent.end_soon(began)
    life.live(200)
    assert life.training.killed
    assert (life.machine.off, world.clock() - began <= 90) == (True, True)


def test_without_its_volume_it_waits_so_long_and_then_trains_from_the_bucket(world: World) -> None:
    interrupted(world, 10, 10)
    world.desired(live=(2,), newest=2, gone=(1,))
    life = world.attempt(2, predecessor=1, volume_id="vol-1", volume_new=False)
    life.live(INTERVALS.volume_wait - 5)
    assert life.agent.phase == "waiting-volume"
    assert "vol-1" in life.beat.message
    life.until("training", most=20)
    life.live(1)
    assert life.beat.resumed is not None
    assert (life.beat.resumed.source, life.beat.volume_id) == ("bucket", None)


def test_a_volume_that_no_attempt_came_to_use_is_formatted_by_the_first_that_does(world: World) -> None:
    """The first machine had it made and died before it was formatted: it is as new as it was."""
    life = world.attempt(2, disk=world.disk(), predecessor=1, volume_id="vol-1", volume_new=False)
    life.machine.blank = True
    world.desired(newest=2, live=(2,), gone=(1,))
    life.live(5)
    assert (life.machine.asked_as_new, life.agent.phase, life.agent.disk.is_volume) == (True, "training", True)


def test_a_blank_volume_is_never_formatted_once_an_attempt_has_trained(world: World) -> None:
    first = world.attempt(1, disk=world.disk())
    first.live(5)
    assert first.agent.phase == "training"
    second = world.attempt(2, disk=world.disk("blank"), predecessor=1, volume_id="vol-1", volume_new=False)
    second.machine.blank = True
    second.live(2)
    assert (second.machine.asked_as_new, second.agent.phase) == (False, "waiting-predecessor")
    assert not second.agent.disk.is_volume


def test_a_blank_volume_with_a_name_is_never_formatted_for_it_came_from_elsewhere(world: World) -> None:
    named = world.job.model_copy(update={"volume": world.job.volume.model_copy(update={"name": "data"})})
    life = world.attempt(2, disk=world.disk(), predecessor=1, volume_id="vol-1", volume_new=False, job=named)
    life.machine.blank = True
    life.live(5)
    assert (life.machine.asked_as_new, life.agent.phase) == (False, "waiting-volume")
    assert "not marked new" in life.agent.heartbeat().message


@pytest.mark.parametrize("sign", ["released", "fenced", "gone", "notice passed", "cut off", "never heard"])
def test_it_waits_for_its_predecessor_until_it_is_certainly_over(world: World, sign: str) -> None:
    first = world.attempt(disk=world.disk())
    first.until("training")
    first.training.save(10)
    first.live(5)
    life = world.attempt(2, disk=world.disk("fresh"), predecessor=1, volume_new=True)
    life.live(10)
    assert life.agent.phase == "waiting-predecessor"
    assert "attempt 1" in life.beat.message
    if sign == "released":
        first.training.on_stop = lambda: setattr(first.training, "code", 0)
        first.machine.notice_until = world.clock() + 500
        first.until("released")
        first.live(3)
    elif sign == "fenced":
        first.agent.phase = "fenced"
        first.live(3)
    elif sign == "gone":
        world.desired(live=(2,), newest=2, gone=(1,))
    elif sign == "notice passed":
        first.machine.notice_until = world.clock() + 10
        first.live(2)
        assert life.agent.phase == "waiting-predecessor"
        life.live(8 + INTERVALS.released_wait - 2)
        assert life.agent.phase == "waiting-predecessor"
    else:
        if sign == "never heard":
            world.objects.delete([layout.heartbeat(RUN, 1)])
        life.live(INTERVALS.cut_off - 60)
        assert life.agent.phase == "waiting-predecessor"
        life.live(60 + INTERVALS.released_wait)
    life.until("training", most=12)


def test_a_volume_that_came_after_training_began_without_it_does_not_take_it_back_when_the_agent_is_started_again(
    world: World,
) -> None:
    first = world.attempt(disk=world.disk())
    first.until("training")
    first.training.save(10)
    first.live(5)
    first.training.save(12)  # only on the volume: its machine is gone before it could send it
    world.desired(live=(2,), newest=2, gone=(1,))
    second = world.attempt(2, predecessor=1, volume_id="vol-1", volume_new=False)
    second.until("training", most=200)
    assert second.beat.resumed is not None
    assert (second.beat.resumed.step, second.beat.volume_id) == (10, None)
    second.training.save(30)
    second.live(10)
    assert second.beat.checkpoint_step == 30
    again = world.attempt(2, disk=world.disk(), instance="i-2", predecessor=1, volume_id="vol-1", volume_new=False)
    again.until("training", most=200)
    again.live(1)
    assert again.beat.resumed is not None
    assert (again.beat.resumed.step, again.beat.volume_id) == (30, None)
    assert [manifest.step for manifest in manifests(world, 2)] == [30]


def manifests(world: World, attempt: int) -> list[Manifest]:
    """What an attempt committed."""
    return [world.checkpoints.manifest(CheckpointRef(attempt=attempt, seq=s)) for s in world.checkpoints.committed(attempt)]


def test_an_attempt_that_was_overtaken_kills_its_training_and_goes(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    life.training.save(10)
    life.live(5)
    world.checkpoints.establish_base(2, world.clock())
    life.training.save(20)
    life.live(10)
    assert life.training.killed
    assert life.machine.off
    assert life.beat.phase == "fenced"
    assert world.checkpoints.committed(1) == [1]


# --- what others want


def test_a_stop_is_a_checkpoint_and_then_the_end(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")

    def save_and_go() -> None:
        life.training.save(33)
        life.training.code = 0

    life.training.on_stop = save_and_go
    world.desired(want="stop", live=(1,), newest=1)
    life.live(20)
    assert life.machine.off
    assert life.beat.outcome is not None
    assert (life.beat.outcome.kind, life.beat.checkpoint_step) == ("stopped", 33)


def test_an_older_desire_never_replaces_a_newer_one(world: World) -> None:
    world.desired(7, live=(1,), newest=1)
    life = world.attempt(disk=world.disk())
    life.until("training")
    world.desired(6, want="stop", live=(1,), newest=1)
    life.live(30)
    assert life.agent.phase == "training"


def test_an_attempt_that_nobody_wants_any_more_leaves(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    life.training.on_stop = lambda: setattr(life.training, "code", 0)
    world.desired(live=(2,), newest=2)
    life.live(20)
    assert life.machine.off


def test_a_lease_ends_in_a_checkpoint_before_its_time(world: World) -> None:
    lease = world.clock() + 200
    life = world.attempt(disk=world.disk(), lease_until=lease)
    life.until("training")

    def save_and_go() -> None:
        life.training.save(5)
        life.training.code = 0

    life.training.on_stop = save_and_go
    life.live(250)
    assert life.machine.off
    assert world.clock() < lease
    assert life.beat.outcome is not None
    assert (life.beat.outcome.kind, life.beat.checkpoint_step) == ("lease", 5)
    assert max(life.machine.armed) <= lease


class CutOff(FileObjects):
    """A bucket that nothing can be written to for a while."""

    cut = False

    def put(self, key: str, data: bytes) -> None:
        if self.cut:
            raise StoreError("the bucket does not answer")
        super().put(key, data)

    def upload(self, key: str, path: Path) -> str | None:
        self.put(key, b"")
        return super().upload(key, path)


def test_a_machine_that_cannot_reach_its_bucket_saves_on_its_disk_and_ends(world: World) -> None:
    objects = CutOff(world.folder / "bucket", clock=world.clock)
    life = world.attempt(disk=world.disk(), objects=objects, lease_until=world.clock() + 86_400)
    life.until("training")
    life.live(100)
    objects.cut = True
    last_word = life.beat.at

    def save_and_go() -> None:
        life.training.save(5)
        life.training.code = 0

    life.training.on_stop = save_and_go
    life.live(INTERVALS.cut_off - 2 * INTERVALS.stop_grace - 60)
    assert life.agent.phase == "training"
    life.live(2 * INTERVALS.stop_grace + 60)
    assert life.training.code == 0
    assert max(life.machine.armed) <= last_word + INTERVALS.cut_off
    assert life.agent.leaving is not None
    assert life.agent.leaving.outcome is not None
    assert "its bucket could not be reached" in life.agent.leaving.outcome.message
    objects.cut = False
    second = world.attempt(2, disk=world.disk(), predecessor=1, volume_new=False)
    second.until("training")
    second.live(1)
    assert second.beat.resumed is not None
    assert (second.beat.resumed.step, second.beat.resumed.source) == (5, "volume")


def test_the_newest_attempt_lets_go_by_itself_once_it_is_decided_to_end_it(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    life.training.on_stop = lambda: setattr(life.training, "code", 0)
    world.desired(live=(), newest=0)  # of before it was launched, or of a try that was refused
    life.live(30)
    assert life.agent.phase == "training"
    world.desired(journal=2, live=(), newest=1)
    life.live(60)
    assert life.machine.off


def test_a_machine_that_is_heard_again_in_time_trains_on(world: World) -> None:
    objects = CutOff(world.folder / "bucket", clock=world.clock)
    life = world.attempt(disk=world.disk(), objects=objects)
    life.until("training")
    for _ in range(2):
        objects.cut = True
        life.live(INTERVALS.cut_off * 0.7)
        objects.cut = False
        life.live(60)
    assert life.agent.phase == "training"
    assert world.clock() - life.beat.at <= INTERVALS.heartbeat + 1


def test_a_longer_lease_is_taken_over_from_the_controller(world: World) -> None:
    lease = world.clock() + 200
    life = world.attempt(disk=world.disk(), lease_until=lease)
    life.until("training")
    world.desired(live=(1,), newest=1, leases={1: lease + 1000})
    life.live(400)
    assert life.agent.phase == "training"
    assert life.beat.lease_until == lease + 1000


def test_the_dead_man_switch_is_renewed_while_the_agent_lives_and_never_lapses(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.agent.tick()
    assert life.machine.armed == [world.clock() + INTERVALS.dead_man]
    for _ in range(100):
        life.live(10)
        assert world.clock() < life.machine.armed[-1] <= world.clock() + INTERVALS.dead_man
    assert len(life.machine.armed) < 20


# --- trainings that fail


def test_a_training_that_fails_is_started_again_so_often_and_then_reported_with_its_last_words(make: Make) -> None:
    world = make(retries={"training": 2})
    life = world.attempt(disk=world.disk())
    for n in range(3):
        life.until("training")
        life.live(5)
        assert len(life.started) == n + 1
        life.training.say(f"Traceback: attempt number {n}")
        life.training.code = 3
        life.live(5)
    assert life.machine.off
    assert life.beat.outcome is not None
    assert (life.beat.outcome.kind, life.beat.outcome.exit_code) == ("failed", 3)
    assert "attempt number 2" in life.beat.outcome.message
    assert life.beat.restarts == 2


def test_a_setup_that_fails_fails_the_run(make: Make) -> None:
    world = make(setup="pip install x")
    life = world.attempt(disk=world.disk())
    life.until("setup")
    assert life.training.commands == "pip install x"
    life.training.say("no such package")
    life.training.code = 1
    life.live(10)
    assert life.machine.off
    assert life.beat.outcome is not None
    assert life.beat.outcome.kind == "failed"
    assert "setup" in life.beat.outcome.message
    assert "no such package" in life.beat.outcome.message
    assert len(life.started) == 1


def test_setup_is_followed_by_the_training(make: Make) -> None:
    world = make(setup="prepare")
    life = world.attempt(disk=world.disk())
    life.until("setup")
    assert not life.machine.trained
    life.training.code = 0
    life.until("training")
    assert [p.commands for p in life.started] == ["prepare", "train"]


def test_outputs_are_exported_by_their_own_names(make: Make) -> None:
    world = make(outputs=["out/*.bin", "nothing/*"])
    life = world.attempt(disk=world.disk())
    life.until("training")
    (world.disk() / "out").mkdir()
    (world.disk() / "out" / "model.bin").write_text("model")
    life.training.code = 0
    life.live(10)
    assert world.objects.get(layout.models("racer") + "out/model.bin") == b"model"
    assert life.beat.outcome is not None
    assert life.beat.outcome.kind == "succeeded"
    assert "nothing/*" in life.beat.outcome.message


def test_what_training_prints_is_in_the_bucket(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    life.training.say("hello")
    life.live(10)
    life.training.say("bye")
    life.training.code = 0
    life.live(10)
    chunks = [world.objects.get(i.key) for i in world.objects.list(layout.logs(RUN, 1))]
    assert b"".join(chunks) == b"hello\nbye\n"


def test_what_training_printed_last_before_its_agent_was_killed_is_in_the_bucket_too(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    life.training.say("hello")
    life.live(10)
    life.training.say("the last words")  # and the agent is killed before they are sent
    again = world.attempt(disk=world.disk())
    again.until("training")
    again.training.say("hello again")
    again.live(10)
    chunks = [world.objects.get(i.key) for i in world.objects.list(layout.logs(RUN, 1))]
    assert b"".join(chunks) == b"hello\nthe last words\nhello again\n"


# --- a bucket that fails


class Outage(FileObjects):
    """A bucket that nobody reaches while ``out``."""

    out = False

    def _check(self) -> None:
        if self.out:
            raise StoreError("no network")

    def get(self, key: str) -> bytes:
        self._check()
        return super().get(key)

    def put(self, key: str, data: bytes) -> None:
        self._check()
        super().put(key, data)

    def create(self, key: str, data: bytes) -> None:
        self._check()
        super().create(key, data)

    def list(self, prefix: str):  # type: ignore[no-untyped-def]
        self._check()
        return super().list(prefix)

    def upload(self, key: str, path: Path) -> None:
        self._check()
        super().upload(key, path)

    def delete(self, keys: Iterable[str]) -> None:
        self._check()
        super().delete(keys)


def test_training_goes_on_while_the_bucket_is_out_of_reach_and_is_committed_afterwards(world: World) -> None:
    objects = Outage(world.folder / "bucket", clock=world.clock)
    life = world.attempt(disk=world.disk(), objects=objects)
    life.until("training")
    life.training.save(10)
    life.live(5)
    objects.out = True
    for step in range(20, 100, 10):
        life.training.save(step)
        life.live(30)
    assert life.agent.phase == "training"
    assert not life.training.asked
    assert life.agent.message
    objects.out = False
    life.live(60)
    assert life.beat.checkpoint_step == 90
    assert life.beat.message == ""


def test_a_machine_that_boots_without_the_bucket_waits_for_it(world: World) -> None:
    objects = Outage(world.folder / "bucket", clock=world.clock)
    objects.out = True
    life = world.attempt(disk=world.disk(), objects=objects)
    life.live(30)
    assert life.agent.phase == "booting"
    objects.out = False
    life.until("training")


def test_a_notice_without_the_bucket_still_saves_to_the_volume_and_the_next_attempt_has_it(world: World) -> None:
    objects = Outage(world.folder / "bucket", clock=world.clock)
    life = world.attempt(disk=world.disk(), objects=objects)
    life.until("training")
    life.training.save(10)
    life.live(5)
    objects.out = True

    def save_and_go() -> None:
        life.training.save(44)
        life.training.code = 0

    life.training.on_stop = save_and_go
    life.machine.notice_until = world.clock() + 60
    life.live(70)
    second = world.attempt(2, disk=world.disk(), predecessor=1, volume_new=False)
    second.until("training")
    second.live(1)
    assert second.beat.resumed is not None
    assert (second.beat.resumed.step, second.beat.resumed.lost_steps) == (44, 0)


def test_lanes_carry_what_their_work_raised() -> None:
    def broken() -> None:
        raise StoreError("no")

    work: Callable[[], object] = broken
    assert isinstance(attempted(work).error, StoreError)


# --- what must not hold up the end


def test_a_file_that_never_verifies_does_not_hold_up_the_end_and_is_named(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    (Path(life.training.env["FLEET_CHECKPOINTS"]) / "config.json").write_text('{"cut": ')
    life.training.code = 0
    life.live(60)
    assert life.machine.off
    assert life.beat.outcome is not None
    assert life.beat.outcome.kind == "succeeded"
    assert "config.json" in life.beat.outcome.message


def test_a_bucket_that_stays_full_holds_up_the_end_for_minutes_not_for_ever(world: World) -> None:
    class Full(FileObjects):
        def upload(self, key: str, path: Path) -> None:
            raise StoreError("no space left")

    life = world.attempt(disk=world.disk(), objects=Full(world.folder / "bucket", clock=world.clock))
    life.until("training")
    life.training.save(10)
    life.training.code = 0
    life.live(1200)
    assert life.machine.off
    assert life.beat.outcome is not None
    assert "no space left" in life.beat.outcome.message


def test_the_last_save_is_committed_although_nothing_was_quiet_for_a_while(make: Make) -> None:
    world = make(checkpoint={"format": "quiet"})
    life = world.attempt(disk=world.disk())
    life.until("training")
    life.live(5)
    life.training.save(77)
    life.training.code = 0
    life.live(10)
    assert life.machine.off
    assert life.beat.checkpoint_step == 77


def test_outputs_that_cannot_be_exported_are_kept_on_the_volume_and_the_run_has_failed(make: Make) -> None:
    world = make(outputs=["result"])

    class NoModels(FileObjects):
        def upload(self, key: str, path: Path) -> None:
            if key.startswith("models/"):
                raise StoreError("access denied")
            super().upload(key, path)

    life = world.attempt(disk=world.disk(), objects=NoModels(world.folder / "bucket", clock=world.clock))
    life.until("training")
    (life.agent.workdir / "result").write_text("precious")
    life.training.code = 0
    life.live(1500)
    assert life.machine.off
    assert life.beat.outcome is not None
    assert life.beat.outcome.kind == "failed"
    assert "access denied" in life.beat.outcome.message
    assert (world.disk() / "outputs" / "result").read_text() == "precious"


def test_a_step_that_can_never_succeed_ends_the_run_with_its_reason(make: Make) -> None:
    world = make(volume={"mount": "/workdir"})
    life = world.attempt(disk=world.disk())
    life.live(30)
    assert life.machine.off
    assert life.beat.outcome is not None
    assert life.beat.outcome.kind == "failed"
    assert "restore failed" in life.beat.outcome.message


def test_commands_that_cannot_be_started_end_the_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    life = world.attempt(disk=world.disk())

    def too_long(*_args: object) -> None:
        raise OSError(7, "Argument list too long")

    life.agent._start = too_long  # type: ignore[assignment]
    life.live(30)
    assert life.machine.off
    assert life.beat.outcome is not None
    assert "Argument list too long" in life.beat.outcome.message


def test_a_full_disk_ends_neither_agent_nor_training(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    for owner, name in ((life.agent.disk.__class__, "_write"), (life.machine.__class__, "arm")):
        monkeypatch.setattr(owner, name, full)
    life.training.say("fleet.progress step=5")
    life.training.say("fleet.saved step=5")
    life.machine.rebalanced = True
    life.live(200)
    assert life.agent.phase == "training"
    assert not life.training.asked


def test_the_dead_man_switch_reaches_to_the_lease_so_that_the_drain_has_its_time(world: World) -> None:
    for extra in range(0, 80, 7):
        lease = world.clock() + 400 + extra
        life = world.attempt(100 + extra, disk=world.disk(f"d{extra}"), lease_until=lease, volume_new=True)
        life.until("training", most=120)
        life.until("draining", "released", most=900)
        assert life.machine.armed[-1] == lease
        assert world.clock() < lease - INTERVALS.stop_grace


def test_hidden_files_and_markers_come_back_with_their_set(make: Make) -> None:
    world = make(checkpoint={"format": "marker"})
    life = world.attempt(disk=world.disk())
    life.until("training")
    folder = Path(life.training.env["FLEET_CHECKPOINTS"])
    for name in ("m.pt", ".metadata", "DONE"):
        (folder / name).write_text(name)
    life.live(10)
    world.desired(live=(2,), newest=2, gone=(1,))
    second = world.attempt(2, disk=world.disk(), predecessor=1, volume_new=False)
    second.until("training")
    assert sorted(p.name for p in folder.iterdir()) == [".metadata", "DONE", "m.pt"]
    third = world.attempt(3, disk=world.disk("fresh"), predecessor=2, volume_new=True)
    world.desired(2, live=(3,), newest=3, gone=(1, 2))
    third.until("training")
    assert sorted(p.name for p in (world.disk("fresh") / "checkpoints").iterdir()) == [".metadata", "DONE", "m.pt"]


def test_an_attempt_that_dies_while_it_saves_what_only_the_volume_holds_leaves_it_to_the_next(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    life.training.save(10)
    life.live(5)
    life.training.save(900)
    life.agent.hear_child(world.clock())

    class Dying(FileObjects):
        def upload(self, key: str, path: Path) -> None:
            raise StoreError("the machine is gone")

    dying = world.attempt(
        2, disk=world.disk(), predecessor=1, volume_new=False, objects=Dying(world.folder / "bucket", clock=world.clock)
    )
    dying.live(20)
    assert dying.agent.phase == "restoring"
    world.desired(live=(3,), newest=3, gone=(1, 2))
    third = world.attempt(3, disk=world.disk(), predecessor=2, volume_new=False)
    third.until("training")
    third.live(1)
    assert third.beat.resumed is not None
    assert (third.beat.resumed.step, third.beat.resumed.source) == (900, "volume")


def test_the_limit_to_saving_holds_while_training_runs_and_is_lifted_on_the_way_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = world.attempt(disk=world.disk())
    said: list[str] = []
    monkeypatch.setattr(life.agent.throttle, "impose", lambda: said.append("impose"))
    monkeypatch.setattr(life.agent.throttle, "lift", lambda: said.append("lift"))
    life.until("training")
    life.live(5)
    assert said == ["impose"]
    life.machine.notice_until = world.clock() + 30
    life.live(2)
    assert said == ["impose", "lift"]


def test_what_a_restore_left_that_was_killed_is_removed_before_the_next_one(world: World) -> None:
    interrupted(world, 10, 10)
    world.desired(live=(2,), newest=2, gone=(1,))
    disk = world.disk("fresh")
    for name in (".checkpoints.restoring-0a0a0a0a", ".checkpoints.replaced-0b0b0b0b", "mine", ".mine-too"):
        (disk / name).mkdir()
        (disk / name / "state.json").write_text("half of i")
    life = world.attempt(2, disk=disk, predecessor=1, volume_new=False)
    life.until("training")
    assert sorted(path.name for path in disk.iterdir()) == [".fleet", ".mine-too", "checkpoints", "mine"]
