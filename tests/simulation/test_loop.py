"""The loop on a simulated cloud: killed at any moment, started twice, paused and woken: harmless."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from fleet.control.controller import Controller
from fleet.core.costs import run_cost
from fleet.core.summary import interruptions
from fleet.model import layout
from fleet.model.base import canonical_json
from fleet.model.cloud import Billing
from fleet.model.errors import ErrorClass, ProviderError, StoreError
from fleet.providers.base import Provider
from fleet.providers.sim.market import Weather
from fleet.providers.sim.provider import SimProvider
from fleet.providers.wrap import Call, Fault, Faults
from fleet.providers.wrap.around import Wrapper
from fleet.store.journal import Journal
from tests.simulation.system import System, model_after
from tests.unit.store.test_journal import Flaky

Make = Callable[..., System]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[System] = []

    def new(**more: object) -> System:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(System(folder, **more))  # type: ignore[arg-type]
        return made[-1]

    yield new
    for one in made:
        one.close()


def stormy(system_epoch: float = 1_700_000_000.0) -> Weather:
    return Weather(up=1000, down=900, epoch=system_epoch)


def ended(system: System) -> Callable[[], bool]:
    def check() -> bool:
        run = next(iter(system.controllers[0].state.runs.values()), None)
        return run is not None and run.ended_at is not None and not run.live_attempts

    return check


def test_a_run_in_fair_weather_takes_one_machine_and_leaves_none(make: Make) -> None:
    system = make()
    controller = system.controller()
    system.controllers = [controller]
    system.start(controller, steps=60)
    system.until(ended(system))
    run = system.state()
    assert (run.outcome, len(run.attempts)) == ("succeeded", 1)
    assert system.model() == model_after(60)
    assert system.alive() == []


@pytest.mark.parametrize("seed", range(4))
def test_a_run_in_a_storm_ends_with_the_model_it_would_have_had(make: Make, seed: int) -> None:
    system = make(seed=seed, weather=stormy())
    system.controllers = [system.controller()]
    system.start(system.controllers[0], steps=540)
    system.until(ended(system))
    run = system.state()
    assert run.outcome == "succeeded"
    assert system.model() == model_after(540)
    assert len(interruptions(run)) >= 1
    assert system.alive() == []
    assert len(system.cloud.instances) == sum(1 for a in run.attempts.values() if a.instance_id)


def test_what_the_ledger_says_is_what_the_cloud_bills(make: Make) -> None:
    system = make(seed=3, weather=stormy())
    system.controllers = [system.controller()]
    system.start(system.controllers[0], steps=540)
    system.until(ended(system))
    run = system.state()
    now = system.clock()
    manners = system.cloud.manners
    billing = Billing(minimum_seconds=manners.minimum_seconds, free_if_interrupted_within=manners.free_if_interrupted_within)
    told = run_cost(run, now, {"sim": billing})
    billed = sum(line.amount for line in system.cloud.invoice())
    # A change of price on the hour is seen by the next listing, which lags: within a minute's price each.
    assert told.total == pytest.approx(billed, rel=0.01)


def test_two_controllers_launch_nothing_twice(make: Make) -> None:
    system = make(seed=1, weather=stormy())
    system.controllers = [system.controller(), system.controller(), system.controller()]
    system.start(system.controllers[1], steps=360)
    system.until(ended(system))
    run = system.state()
    assert system.model() == model_after(360)
    tokens = [i.request.token for i in system.cloud.instances.values()]
    assert len(tokens) == len(set(tokens))
    by_attempt = [i.request.tags["attempt"] for i in system.cloud.instances.values()]
    assert len(by_attempt) == len(set(by_attempt))
    assert {c.state.head for c in system.controllers if c.catch_up() or True} == {system.controller().state.head}
    assert run.outcome == "succeeded"


class Killed(BaseException):
    """SIGKILL, as far as one process can play it: nothing of the controller runs any further."""


class Mortal(Wrapper):
    """Dies before or after its n-th call that changes something."""

    def __init__(self, inner: Provider, fuse: list[int], *, after: bool) -> None:
        super().__init__(inner)
        self._fuse, self._after = fuse, after

    def around(self, call: Call, do):  # type: ignore[no-untyped-def]
        if not call.changes:
            return do()
        self._fuse[0] -= 1
        if self._fuse[0] == 0 and not self._after:
            raise Killed
        answer = do()
        if self._fuse[0] == 0:
            raise Killed
        return answer


@pytest.mark.parametrize("after", [False, True], ids=["before the effect", "after the effect"])
def test_a_controller_killed_at_every_effect_is_started_again_anywhere(make: Make, after: bool) -> None:
    """Every call that changes something is the last of its controller; a new one goes on from the journal alone."""
    system = make(seed=2, weather=stormy())
    fuse = [1]
    system.wrap = lambda provider: Mortal(provider, fuse, after=after)
    first = system.controller()
    system.start(first, steps=240)
    system.controllers = [first]
    deaths = 0
    while not ended(system)():
        assert deaths < 500
        try:
            system.live(600)
        except Killed:
            deaths += 1
            fuse[0] = 2  # the call itself may be made by the next one; then it dies at the one after
            system.controllers = []
            system.live(10)  # until somebody starts the next one
            system.controllers = [system.controller()]
    assert deaths >= 4
    run = system.state()
    assert (run.outcome, system.model()) == ("succeeded", model_after(240))
    assert system.alive() == []
    owned = {a.instance_id for a in run.attempts.values()}
    assert set(system.cloud.instances) <= owned


def test_answers_that_are_lost_make_nothing_twice(make: Make) -> None:
    system = make(seed=5, weather=stormy())
    turn = [0]

    def plan(call: Call) -> Fault | None:
        turn[0] += 1
        lost = ProviderError(ErrorClass.TRANSIENT, "RequestTimeout", "the answer was lost")
        return Fault(after=lost) if call.changes and turn[0] % 2 else None

    system.wrap = lambda provider: Faults(provider, plan)
    system.controllers = [system.controller()]
    system.start(system.controllers[0], steps=240)
    system.until(ended(system))
    assert system.model() == model_after(240)
    assert {a.instance_id for a in system.state().attempts.values()} >= set(system.cloud.instances)
    assert system.alive() == []


def test_a_bucket_that_loses_answers_is_endured(make: Make) -> None:
    system = make(seed=6, weather=stormy())
    script = iter("..a..b..r.....ba..r..a" * 4000)
    flaky = Flaky(system.objects, script)
    system.controllers = [system.controller(flaky)]
    run_id = None
    while run_id is None:
        try:
            run_id = system.start(system.controllers[0], steps=240)
        except StoreError:
            continue
        except Exception as error:
            if "is live" not in str(error):
                raise
            run_id = next(iter(system.controllers[0].state.runs))
    controller = system.controllers[0]
    while not ended(system)():
        try:
            system.live(60)
        except StoreError:
            system.clock.advance(1)
    assert (system.state().outcome, system.model()) == ("succeeded", model_after(240))
    stranger = system.controller()
    flaky.script_ends()
    controller.catch_up()
    assert stranger.state == controller.state


def test_a_controller_that_wakes_up_does_not_carry_out_yesterdays_plan(make: Make) -> None:
    """The laptop sleeps between plan and act: whoever was awake has moved on since."""
    system = make()
    awake = system.controller()
    system.start(awake, steps=2000)

    class Sleepy(Wrapper):
        slept = False

        def around(self, call: Call, do):  # type: ignore[no-untyped-def]
            answer = do()
            if call.method == "list" and not Sleepy.slept:
                Sleepy.slept = True
                system.controllers = [awake]
                system.live(4 * 3600)
            return answer

    system.wrap = Sleepy
    sleeper = system.controller()
    launched_before = None
    tick = sleeper.tick()
    launched_before = len(system.cloud.instances)
    assert Sleepy.slept
    assert launched_before == 1
    assert not [a for a in tick.actions if type(a).__name__ == "Launch"]


def test_every_action_has_an_end_and_a_late_one_is_dropped(make: Make) -> None:
    system = make()
    controller = system.controller()
    system.start(controller)
    real = controller.journal.append

    def slow_append(events):  # type: ignore[no-untyped-def]
        entry = real(events)
        system.clock.advance(3600)
        return entry

    controller.journal.append = slow_append  # type: ignore[method-assign]
    tick = controller.tick()
    assert [type(a).__name__ for a in tick.actions][:1] == ["Launch"]
    assert system.cloud.instances == {}
    controller.journal.append = real  # type: ignore[method-assign]
    system.controllers = [controller]
    system.live(120)
    assert len(system.cloud.instances) == 1


def test_an_event_of_a_newer_fleet_makes_a_controller_read_only(make: Make) -> None:
    system = make()
    old = system.controller()
    system.start(old)
    newer = Journal(system.objects, system.fleet_id, by="newer", version="9")
    newer.refresh()
    newer.append([{"type": "volume-cloned", "v": 1, "at": 0.0}])
    tick = old.tick()
    assert (tick.events, tick.actions) == ((), ())
    assert "volume-cloned" in old.read_only
    assert "pgrade" in old.read_only
    assert system.cloud.instances == {}
    assert not old.record([])
    assert system.controller().read_only


def test_an_entry_of_a_newer_format_makes_a_controller_read_only(make: Make) -> None:
    system = make()
    old = system.controller()
    system.start(old)
    system.objects.create(layout.journal_entry(old.journal.head + 1), canonical_json({"v": 99}))
    assert old.tick().actions == ()
    assert "newer" in old.read_only


def test_a_state_from_a_snapshot_is_the_fold_of_everything(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet.control.controller.SNAPSHOT_EVERY", 10)
    system = make(seed=8, weather=stormy())
    system.controllers = [system.controller()]
    system.start(system.controllers[0], steps=540)
    system.until(lambda: system.controllers[0].state.head > 25)
    assert system.objects.list("snapshots/")
    loaded = system.controller()
    from_scratch = Controller(
        system.objects, Journal(system.objects, system.fleet_id, by="x", version="0"), system.fleet_id, {}
    )
    from_scratch.catch_up()
    assert loaded.state == from_scratch.state


def test_without_any_controller_training_goes_on_and_the_machine_ends_by_itself(make: Make) -> None:
    system = make()
    controller = system.controller()
    system.start(controller, steps=60)
    system.controllers = [controller]
    system.until(lambda: any(i.agent.phase == "training" for i in system.inside.values()))
    system.controllers = []
    system.live(3600)
    assert system.alive() == []
    assert system.model() == model_after(60)


def test_a_budget_is_never_passed_even_with_every_controller_dead(make: Make) -> None:
    system = make()
    controller = system.controller()
    system.start(controller, steps=100_000, budget={"run": "$0.40"})
    system.controllers = [controller]
    system.until(lambda: any(i.agent.phase == "training" for i in system.inside.values()))
    system.controllers = []
    system.live(8 * 3600)
    assert system.alive() == []
    assert sum(line.amount for line in system.cloud.invoice() if line.what.startswith("i-")) <= 400_000
    system.controllers = [controller]
    system.until(ended(system))
    run = system.state()
    assert run.outcome == "over-budget"


def test_a_budget_is_used_up_at_the_real_price_while_a_controller_lives(make: Make) -> None:
    system = make()
    system.controllers = [system.controller()]
    system.start(system.controllers[0], steps=100_000, budget={"run": "$0.40"})
    system.until(ended(system))
    spent = sum(line.amount for line in system.cloud.invoice() if line.what.startswith("i-"))
    assert system.state().outcome == "over-budget"
    assert 300_000 < spent <= 400_000


def test_a_stop_is_a_checkpoint_and_then_the_end_and_the_next_run_is_another(make: Make) -> None:
    from fleet.control.runs import stop_run

    system = make()
    controller = system.controller()
    system.controllers = [controller]
    run_id = system.start(controller, steps=10_000)
    system.live(1800)
    stop_run(controller, "racer", "stop")
    system.until(ended(system), most=1200)
    run = controller.state.runs[run_id]
    assert (run.outcome, run.reason) == ("stopped", "the user said stop")
    assert run.attempts[1].step is not None
    assert run.attempts[1].step > 100
    assert [i.key for i in system.objects.list(layout.checkpoints(run_id, 1)) if i.key.endswith("manifest.json")]
    assert system.alive() == []


@pytest.mark.parametrize("how", ["stop", "down"])
def test_the_word_of_a_fleets_last_machine_is_forgotten_too(make: Make, how: Literal["stop", "down"]) -> None:
    from fleet.control.runs import stop_run

    system = make()
    controller = system.controller()
    system.controllers = [controller]
    system.start(controller, steps=10_000)
    system.live(600)
    assert system.objects.list(layout.HEARTBEATS)
    stop_run(controller, "racer", how)
    system.until(ended(system), most=1200)
    system.live(60)
    assert system.objects.list(layout.HEARTBEATS) == []


def test_down_ends_every_machine_at_once(make: Make) -> None:
    from fleet.control.runs import stop_run

    system = make()
    controller = system.controller()
    system.controllers = [controller]
    system.start(controller, steps=10_000)
    system.live(600)
    stop_run(controller, "racer", "down")
    system.live(30)
    assert system.alive() == []


def test_the_words_of_the_last_machine_are_forgotten_once_its_run_was_taken_down(make: Make) -> None:
    """The run ends a look after its machine: nobody lives then, and what the dead said is to be found all the same."""
    from fleet.control.runs import stop_run

    system = make()
    controller = system.controller()
    system.controllers = [controller]
    system.start(controller, steps=10_000)
    system.live(600)
    stop_run(controller, "racer", "down")
    system.until(ended(system))
    system.live(60)
    assert not system.objects.list(layout.HEARTBEATS)


def test_a_boot_that_always_fails_does_not_spend_for_ever(make: Make) -> None:
    system = make(agents_dumb=True)
    system.controllers = [system.controller()]
    system.start(system.controllers[0], retries={"boot": 2})
    system.until(ended(system))
    run = system.state()
    assert run.outcome == "failed"
    assert "3 instances in a row" in run.reason
    assert len(system.cloud.instances) == 3
    assert system.alive() == []


def test_a_machine_that_nobody_owns_is_ended_once_it_is_old_enough_and_a_strangers_never(make: Make) -> None:
    system = make()
    controller = system.controller()
    system.controllers = [controller]
    system.start(controller, steps=10_000)
    system.live(300)
    mine = system.alive()
    template = system.cloud.instances[mine[0]].request
    for fleet, run in ((system.fleet_id, "forgotten-1"), ("fleet-2", "theirs-1")):
        token = f"token-{run}"
        tags = {**template.tags, "fleet": fleet, "run": run, "token": token}
        request = template.model_copy(
            update={"token": token, "fleet_id": fleet, "run_id": run, "tags": tags, "volume": None}
        )
        made = SimProvider(system.cloud, fleet).launch(request)
        system.cloud.arm(made.instance_id, system.clock() + 1e6)
        system.dumb.add(made.instance_id)
    system.live(60)
    assert len(system.alive()) == 3
    system.live(600)
    owners = {system.cloud.instances[i].request.run_id for i in system.alive()}
    assert owners == {template.run_id, "theirs-1"}


def test_the_volume_follows_the_run_within_its_zone(make: Make) -> None:
    system = make()
    controller = system.controller()
    system.controllers = [controller]
    system.start(controller, steps=300, resources={"infra": "sim/sim-1/sim-1b", "market": "spot"})
    system.live(900)
    first = system.alive()[0]
    system.cloud.take(first, at=system.clock() + 150)
    system.until(ended(system))
    run = system.state()
    second = run.attempts[2]
    assert second.resumed is not None
    assert (second.resumed.source, second.resumed.lost_steps) == ("volume", 0)
    assert len(run.volumes) == 1
    assert system.model() == model_after(300)


def test_an_outage_of_the_zone_moves_the_run_and_the_bucket_brings_the_checkpoint(make: Make) -> None:
    system = make()
    controller = system.controller()
    system.controllers = [controller]
    system.start(controller, steps=300)
    system.live(900)
    first = system.cloud.instances[system.alive()[0]]
    system.cloud.market.outages[first.offer.zone] = [(system.clock(), system.clock() + 86_400)]
    system.cloud.take(first.instance_id, at=system.clock() + 10, notice=False, rebalance=False)
    system.until(ended(system))
    run = system.state()
    second = run.attempts[2]
    assert second.resumed is not None
    assert second.resumed.source == "bucket"
    assert second.resumed.lost_steps > 0
    assert second.offer is not None
    assert second.offer.zone != first.offer.zone
    assert system.model() == model_after(300)
