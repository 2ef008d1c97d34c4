"""Deadlines through the whole controller: none missed, never two trainings, and back to spot without a break."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fleet.providers.sim.market import Weather
from tests.simulation.deadlines import ANYWHERE, HERE, Full, Fuse, Trial, often, trial

__all__ = ["often"]
EPOCH = 1_700_000_000.0
HOUR = 3600.0
FICKLE = Weather(up=2400, down=2400, epoch=EPOCH)
CALMER = Weather(up=3 * HOUR, down=HOUR, epoch=EPOCH)
COMES_BACK = [30.0, 2400.0]
"""Spot is there for half a minute, and again after forty."""

pytestmark = pytest.mark.usefixtures("often")


@pytest.fixture
def world() -> Iterator[Trial]:
    made = Trial(3, list(COMES_BACK))
    yield made
    made.world.close()


@pytest.mark.parametrize("factor", [1.1, 1.3, 1.7, 3.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_no_deadline_is_missed_while_on_demand_can_be_had(factor: float, seed: int) -> None:
    told = trial(seed, factor, FICKLE)
    assert told.violations == []
    assert told.run.outcome == "succeeded"
    assert told.spare > 0
    assert told.trained_at_once == 1


@pytest.mark.parametrize("seed", [0, 1])
def test_over_several_zones_none_is_missed_either_and_spot_does_most(seed: int) -> None:
    told = trial(seed, 1.5, CALMER, resources=ANYWHERE)
    assert (told.violations, told.run.outcome) == ([], "succeeded")
    assert told.spare > 0
    assert told.dollars < 0.75 * 6 * 0.90


def test_spot_that_comes_back_takes_over_from_on_demand_without_a_break() -> None:
    told = trial(3, 1.3, COMES_BACK, work=4 * HOUR)
    assert told.violations == []
    assert told.relieved == 1
    assert told.markets[-2:] == ["on-demand", "spot"]
    assert told.two_machines
    assert told.trained_at_once == 1
    later = told.run.attempts[max(told.run.attempts)]
    before = next(a for a in told.run.attempts.values() if a.relieved_at is not None)
    assert later.resumed is not None
    assert later.resumed.lost_steps == 0
    assert before.relieved_at is not None
    assert later.resumed.at - before.relieved_at < 300
    assert told.spare > 0


def test_a_machine_beside_that_is_lost_leaves_the_other_one_to_train(world: Trial) -> None:
    run_id = world.go(4 * HOUR, 1.3)
    world.watch(lambda: len(world.run_of(run_id).serving) == 2)
    older, newer = world.run_of(run_id).serving
    world.world.take(newer.instance_id or "", world.world.clock() + 1, notice=False)
    world.world.cloud.market._turns["sim-1b/p2.xlarge"] = [EPOCH + 30, EPOCH + 1e9]
    told = world.told(run_id)
    assert told.violations == []
    assert told.run.attempts[older.number].relieved_at is None
    assert told.run.attempts[older.number].outcome is not None
    assert told.run.attempts[newer.number].resumed is None
    assert told.spare > 0


def test_on_demand_that_is_refused_for_a_while_is_what_the_margin_is_for(world: Trial) -> None:
    run_id = world.go(4 * HOUR, 1.3)
    world.world.cloud.market._turns["sim-1b/p2.xlarge"] = [EPOCH + 30, EPOCH + 1e9]
    world.watch(lambda: any(o.market.value == "on-demand" for a in world.run_of(run_id).attempts.values() for o in a.offers))
    assert world.run_of(run_id).newest is not None
    world.world.chaos = Full(world, world.world.clock() + 540)
    for machine in list(world.world.machines):
        world.world.take(machine, world.world.clock() + 1, notice=False)
    told = world.told(run_id)
    assert told.violations == []
    assert told.spare > 0


@pytest.mark.parametrize("after", [False, True], ids=["before the effect", "after the effect"])
@pytest.mark.parametrize("effect", range(7))
def test_a_controller_killed_at_any_effect_of_a_relief_breaks_nothing(world: Trial, effect: int, after: bool) -> None:
    run_id = world.go(2 * HOUR, 1.5)
    world.watch(lambda: len(world.run_of(run_id).serving) == 2)
    newer = world.run_of(run_id).serving[-1]
    world.watch(lambda: world.phase(run_id, newer.number).startswith("waiting"))
    fuse = world.world.chaos = Fuse(effect, after)
    world.watch(lambda: fuse.burnt, most=HOUR)
    world.watch(lambda: False, most=90)
    world.world.laptop()
    told = world.told(run_id)
    assert (told.violations, told.run.outcome) == ([], "succeeded")
    assert told.trained_at_once == 1
    assert told.relieved == 1
    assert told.spare > 0


def test_without_an_estimate_the_work_is_learned_from_what_training_reports() -> None:
    told = trial(2, 1.5, FICKLE, estimate=None)
    assert told.violations == []
    assert told.run.work == pytest.approx(6 * HOUR, rel=0.06)
    assert told.spare > 0


def test_with_nobody_there_to_act_it_is_late_and_goes_on_all_the_same(world: Trial) -> None:
    run_id = world.go(2 * HOUR, 1.5, resources=HERE)
    world.world.live(60)
    world.nobody_watches(3 * HOUR)
    told = world.told(run_id)
    assert (told.violations, told.run.outcome) == ([], "succeeded")
    assert told.spare < 0
    assert told.markets[-1] == "on-demand"
    assert any("the deadline has passed; it will be" in a.why for a in told.run.attempts.values())
