"""Checkpoints and clocks: what others lost when the notice was short, a folder empty, or a clock wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fleet.control.runs import start_run
from fleet.core.summary import interruptions
from fleet.model import layout
from fleet.model.job import Job
from tests.simulation.chaos.training import SAVE_EVERY as CHAOS_SAVE_EVERY
from tests.simulation.chaos.training import model_after as chaos_model_after
from tests.simulation.chaos.world import World
from tests.simulation.system import SAVE_EVERY, ScriptedTraining, System, model_after
from tests.simulation.wild.conftest import Make, ended


def manifests(system: System, run_id: str) -> set[str]:
    return {i.key for i in system.objects.list(layout.run(run_id)) if i.key.endswith("manifest.json")}


def test_a_save_that_takes_longer_than_the_notice_costs_the_steps_since_the_last_checkpoint_and_no_more(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notice comes, the save would take ten minutes, the machine is off after 120 s in the middle of it."""

    def slow(self: ScriptedTraining, within: float) -> None:
        self._go_on()
        self._stop_at = self._stop_at or self._clock() + 600

    monkeypatch.setattr(ScriptedTraining, "ask_to_stop", slow)
    system = make()
    controller = system.controller()
    system.controllers = [controller]
    system.start(controller, steps=120)
    system.until(lambda: any((i.agent.step or 0) >= 65 for i in system.inside.values()))
    system.cloud.take(system.alive()[0], at=system.clock() + 120)
    system.until(ended(system))
    run = system.state()
    assert (run.outcome, system.model()) == ("succeeded", model_after(120))
    resumed = run.attempts[2].resumed
    assert resumed is not None
    assert resumed.step == 2 * SAVE_EVERY
    assert 0 < resumed.lost_steps <= SAVE_EVERY
    assert len(interruptions(run)) == 1


def test_a_machine_killed_as_soon_as_it_is_warned_costs_no_more_than_the_steps_since_the_last_checkpoint(make: Make) -> None:
    """A notice that comes two seconds before the end only ever improves on the checkpoints in between."""
    system = make()
    controller = system.controller()
    system.controllers = [controller]
    system.start(controller, steps=120)
    system.until(lambda: any((i.agent.step or 0) >= 65 for i in system.inside.values()))
    system.cloud.take(system.alive()[0], at=system.clock() + 2, warned_late=118)
    system.until(ended(system))
    resumed = system.state().attempts[2].resumed
    assert resumed is not None
    assert resumed.lost_steps <= SAVE_EVERY
    assert system.model() == model_after(120)


def test_a_folder_that_is_emptied_deletes_no_checkpoint_in_the_bucket(make: Make) -> None:
    """Copied, never mirrored: what is missing on the machine says nothing about what was committed."""
    system = make()
    controller = system.controller()
    system.controllers = [controller]
    run_id = system.start(controller, steps=120)
    system.until(lambda: len(manifests(system, run_id)) >= 1)
    committed = manifests(system, run_id)
    for path in (system.folder / "volumes").rglob("state.json"):
        path.unlink()
    system.live(120)
    assert committed <= manifests(system, run_id)
    for inside in system.inside.values():
        inside.agent.disk.prepare()
    first = system.alive()[0]
    for path in (system.folder / "volumes").rglob("state.json"):
        path.unlink()
    system.cloud.take(first, at=system.clock() + 1, notice=False, rebalance=False)
    system.until(ended(system))
    run = system.state()
    assert (run.outcome, system.model()) == ("succeeded", model_after(120))
    resumed = run.attempts[2].resumed
    assert resumed is not None
    assert resumed.step is not None
    assert resumed.step >= SAVE_EVERY
    assert committed <= manifests(system, run_id)


def test_a_volume_that_comes_back_empty_is_filled_from_the_bucket_and_empties_nothing(make: Make) -> None:
    system = make()
    controller = system.controller()
    system.controllers = [controller]
    run_id = system.start(controller, steps=120)
    system.until(lambda: len(manifests(system, run_id)) >= 2)
    committed = manifests(system, run_id)
    [volume] = (system.folder / "volumes").iterdir()
    system.cloud.take(system.alive()[0], at=system.clock() + 1, notice=False, rebalance=False)
    system.live(2)
    for path in sorted(volume.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    system.until(ended(system))
    resumed = system.state().attempts[2].resumed
    assert resumed is not None
    assert (resumed.source, resumed.step) == ("bucket", 2 * SAVE_EVERY)
    assert system.model() == model_after(120)
    assert committed <= manifests(system, run_id)


@pytest.fixture
def world() -> Iterator[World]:
    made = World(5)
    yield made
    made.close()


@pytest.mark.parametrize("skew", [-1200.0, 1200.0], ids=["behind", "ahead"])
def test_a_machine_whose_clock_is_off_by_twenty_minutes_saves_leaves_and_is_counted_as_any_other(
    world: World, skew: float
) -> None:
    laptop = world.laptop()
    laptop.controller = laptop.open()
    fields = {"name": "racer", "run": "train", "envs": {"STEPS": "40"}, "outputs": ["model"], "resources": {"infra": "sim"}}
    run_id = start_run(laptop.controller, Job.model_validate(fields), world.folder, suffix=world.nonce).run_id
    world.live(15)
    while not world.machines:
        world.live(5)
    [machine] = world.machines.values()
    machine.skew = skew
    world.live(20 * 300 + 600)
    world.take(machine.instance_id, world.clock() + 120)
    world.live(24 * 3600)
    run = world.laws.state.runs[run_id]
    assert world.laws.violations == []
    assert (run.outcome, world.bucket.get(layout.models("racer") + "model").decode()) == ("succeeded", chaos_model_after(40))
    assert len(interruptions(run)) == 1
    resumed = run.attempts[2].resumed
    assert resumed is not None
    assert resumed.lost_steps <= 1  # it saved within its notice
    assert (resumed.step or 0) % CHAOS_SAVE_EVERY != 0
    world.laws.check_ledger(run)
    assert world.laws.violations == []
