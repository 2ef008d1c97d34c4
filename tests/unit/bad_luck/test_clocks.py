"""Clocks that somebody sets by an hour, and names that are used twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.control.runs import find_run, start_run, stop_run
from fleet.model.errors import FleetError
from fleet.model.job import Job
from fleet.store.clock import MEASURE_EVERY, BucketClock
from fleet.store.files import FileObjects
from fleet.store.objects import Objects
from tests.agent.fakes import INTERVALS, Life, World
from tests.simulation.system import Clocked, System, model_after

HOUR = 3600.0
Make = Callable[..., System]


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    made = System(tmp_path)
    yield made
    made.close()


# --- the bucket's clock does not care


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_the_laptops_wall_clock_may_be_set_while_the_buckets_counts(jump: float) -> None:
    steady, wall = [100.0], [1_000_000.0]
    clock = BucketClock(lambda: 5_000_000.0 + steady[0] - 100.0, monotonic=lambda: steady[0], wall=lambda: wall[0])
    assert clock.now() == pytest.approx(5_000_000.5)
    wall[0] += jump
    for _ in range(20):
        steady[0] += MEASURE_EVERY / 3
        assert clock.now() == pytest.approx(5_000_000.5 + steady[0] - 100.0)


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_without_the_buckets_time_a_set_wall_clock_is_not_followed_either(jump: float) -> None:
    steady, wall = [100.0], [1_000_000.0]

    def unreachable() -> float:
        raise OSError("no network")

    clock = BucketClock(unreachable, monotonic=lambda: steady[0], wall=lambda: wall[0])
    assert clock.now() == 1_000_000.0
    wall[0] += jump
    steady[0] += 10 * MEASURE_EVERY
    assert clock.now() == pytest.approx(1_000_000.0 + 10 * MEASURE_EVERY)


# --- an agent whose clock is set (a folder has no other clock than the computer's)


class Settable:
    """The world's time, and what somebody set the agent's clock to."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.ahead = 0.0

    def __call__(self) -> float:
        return self._world.clock() + self.ahead


def living(world: World) -> tuple[Life, Settable]:
    clock = Settable(world)
    life = world.attempt(disk=world.disk(), objects=FileObjects(world.folder / "bucket", clock=clock))
    life.until("training")
    life.training.save(10)
    life.live(20)
    return life, clock


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_an_agent_whose_clock_is_set_trains_saves_and_speaks_on(world: World, jump: float) -> None:
    life, clock = living(world)
    clock.ahead = jump
    life.live(1)
    beats = life.beat.beat
    life.training.say("fleet.progress step=12")
    life.training.save(20)
    life.live(INTERVALS.heartbeat + 5)
    assert life.agent.phase == "training"
    assert not life.training.asked
    assert life.beat.beat > beats
    assert life.beat.step == 20
    assert world.checkpoints.committed(1) == [1, 2]
    assert clock() < life.machine.armed[-1] <= clock() + INTERVALS.dead_man


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_an_agent_whose_clock_is_set_sees_a_notice_within_two_seconds(world: World, jump: float) -> None:
    life, clock = living(world)
    clock.ahead = jump
    life.live(0.5)
    life.machine.notice_until = clock() + 120
    life.live(2)
    assert life.training.asked


def test_a_clock_that_goes_back_while_training_ends_does_not_put_off_its_end(world: World) -> None:
    life, clock = living(world)
    world.desired(want="stop", live=(1,), newest=1)
    life.live(INTERVALS.desired + 1)
    assert life.training.asked
    clock.ahead = -HOUR
    life.live(INTERVALS.stop_grace + 5)
    assert life.training.killed
    life.live(20)
    assert life.machine.off


def test_time_that_a_clock_skips_is_no_time_without_a_checkpoint(world: World) -> None:
    life, clock = living(world)
    clock.ahead = -HOUR
    life.live(30)
    clock.ahead = -2 * HOUR
    life.live(30)
    assert life.beat.message == ""


# --- a controller whose clock is set


class Watch(Clocked):
    """The bucket by a controller's own clock."""

    def __init__(self, inner: Objects, clock: Callable[[], float]) -> None:
        super().__init__(inner, clock)  # type: ignore[arg-type]


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_controller_whose_clock_is_set_ends_no_machine_and_launches_none_twice(system: System, jump: float) -> None:
    ahead = [0.0]
    controller = system.controller(Watch(system.objects, lambda: system.clock() + ahead[0]))
    system.controllers = [controller]
    system.start(controller, steps=360)
    system.live(600)
    assert len(system.alive()) == 1
    ahead[0] = jump
    system.until(lambda: controller.state.runs != {} and next(iter(controller.state.runs.values())).ended_at is not None)
    run = system.state()
    assert (run.outcome, len(run.attempts)) == ("succeeded", 1)
    assert system.model() == model_after(360)


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_after_its_clock_was_set_a_controller_still_relaunches_what_is_taken(system: System, jump: float) -> None:
    ahead = [0.0]
    controller = system.controller(Watch(system.objects, lambda: system.clock() + ahead[0]))
    system.controllers = [controller]
    system.start(controller, steps=360)
    system.live(600)
    ahead[0] = jump
    system.live(60)
    (instance,) = system.alive()
    system.cloud.power_off(instance)
    at = system.clock()
    system.until(lambda: any(a.number == 2 and a.resumed is not None for a in system.state().attempts.values()))
    assert system.clock() - at < 1200
    system.until(lambda: system.state().ended_at is not None)
    assert system.model() == model_after(360)


# --- one name, two runs


def job(**more: object) -> Job:
    fields = {"name": "racer", "run": "train", "resources": {"infra": "sim/sim-1"}, "envs": {"STEPS": "30"}, **more}
    return Job.model_validate(fields)


def test_a_name_is_taken_while_its_run_lives_and_means_its_newest_run_afterwards(system: System, tmp_path: Path) -> None:
    one, other = system.controller(), system.controller()
    system.controllers = [one]
    first = start_run(one, job(), tmp_path)
    other.catch_up()
    with pytest.raises(FleetError) as told:
        start_run(other, job(setup="pip install x"), tmp_path)
    assert f"run {first.run_id} is live; setup: None there, 'pip install x' here" in told.value.message
    assert "fleet stop racer" in told.value.hint
    system.live(60)
    stop_run(one, "racer", "down")
    system.until(lambda: system.state().ended_at is not None)
    other.catch_up()
    second = start_run(other, job(), tmp_path)
    assert second.run_id != first.run_id
    assert find_run(other.state, "racer").run_id == second.run_id
    assert find_run(other.state, first.run_id).outcome == "stopped"


def test_of_two_that_take_a_name_at_once_one_is_refused(system: System, tmp_path: Path) -> None:
    one, other = system.controller(), system.controller()  # neither knows of the other's run
    first = start_run(one, job(), tmp_path)
    with pytest.raises(FleetError, match="is live; the job is the same"):
        start_run(other, job(), tmp_path)
    assert list(system.controller().state.runs) == [first.run_id]
