"""Scenes: a calm world in which only what the script says goes wrong. Each breaks no law, unless the code is broken.

A scene takes a seed, which draws how long everything takes, and gives the violations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

from fleet.control.runs import start_run, stop_run
from fleet.core.state import AttemptState, RunState
from fleet.model.base import Seconds
from fleet.model.job import Job
from fleet.providers.sim.market import SpotMarket, Weather
from tests.simulation.chaos.clients import Machine
from tests.simulation.chaos.explore import Explorer
from tests.simulation.chaos.faults import Fault

MINUTE: Seconds = 60
HOUR: Seconds = 3600
ANYWHERE = {"infra": "sim/sim-1", "market": "spot", "instance_type": "p2.xlarge"}
HERE = {"infra": "sim/sim-1/sim-1b", "market": "spot", "instance_type": "p2.xlarge"}
"""One zone, so that the disk follows."""


@dataclass
class Rule:
    """A fault for some of the effects of a kind."""

    what: str
    """The verb and its object, as the world names effects."""
    fault: Fault
    who: str = ""
    """controller or agent; empty: both."""
    times: int = 1
    skip: int = 0
    when: Callable[[], bool] = lambda: True

    def meets(self, who: str, what: str) -> bool:
        """Whether it is this one's turn; counts."""
        if what != self.what or self.who not in ("", who) or self.times <= 0 or not self.when():
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True


@dataclass
class Script:
    """What goes wrong, rule by rule."""

    rules: list[Rule] = field(default_factory=list)

    def pick(self, who: str, what: str, *, changes: bool, provider: bool) -> Fault | None:
        """See ``Chaos``."""
        return next((rule.fault for rule in self.rules if rule.meets(who, what)), None)


class Scene(Explorer):
    """One world, its script, and a user."""

    awaits: ClassVar[str] = ""
    """The law that is expected to be broken: the scene goes on until it is. Empty: any ends it."""

    def __init__(self, seed: int, *, laptops: int = 1, trace: bool = False) -> None:
        super().__init__(seed, hours=0, runs=99, trace=trace)
        world = self.world
        world.chaos = self.script = Script()
        world.cloud.market = SpotMarket(seed, Weather(up=1e12, epoch=world.clock()))
        world.laws.healthy_since = world.clock()
        for _ in range(laptops):
            world.laptop()
        world.at(5 * MINUTE, self._look)

    def _look(self) -> None:
        self.world.laws.look_around()
        self.world.at(5 * MINUTE, self._look)

    @property
    def violations(self) -> list[str]:
        return self.world.laws.violations

    @property
    def broken(self) -> bool:
        """What the scene is for has come to pass."""
        return any(f"] {self.awaits}" in one for one in self.violations)

    def rule(self, what: str, kind: str, **more: object) -> Rule:
        """Something goes wrong from now on. ``seconds`` and ``error`` are the fault's, the rest the rule's."""
        seconds, error = float(str(more.pop("seconds", 0))), str(more.pop("error", ""))
        made = Rule(what, Fault(kind, seconds=seconds, error=error), **more)  # type: ignore[arg-type]
        self.script.rules.append(made)
        return made

    def begin(self, steps: int = 40, **job: object) -> str:
        """The user starts a run; its id."""
        self.count += 1
        fields = {
            "name": f"job{self.count}",
            "run": "train",
            "envs": {"STEPS": str(steps)},
            "outputs": ["model"],
            "resources": ANYWHERE,
            "volume": {"size": "20GB"},
            **job,
        }
        run_id = start_run(self.user, Job.model_validate(fields), self.world.folder, suffix=self.world.nonce).run_id
        self.world.news(None)
        return run_id

    def says(self, run_id: str, how: str) -> None:
        """The user says ``stop`` or ``down``."""
        self.user.catch_up()
        self.stopped.add(run_id)
        stop_run(self.user, run_id, how)
        self.world.news(None)

    def until(self, check: Callable[[], object], most: Seconds = 6 * HOUR) -> bool:
        """Let time pass until something holds, or a law is broken; whether it holds."""
        end = self.world.clock() + most
        while not check() and not self.broken and self.world.clock() < end:
            self.world.live(5)
        return bool(check())

    def reaches(self, check: Callable[[], object], most: Seconds = 6 * HOUR) -> None:
        """Let time pass until something holds: a scene in which it never does is no scene."""
        if not self.until(check, most) and not self.broken:
            raise AssertionError("the scene never came to what it is about")

    def run_of(self, run_id: str) -> RunState:
        """As the journal has it."""
        return self.world.laws.state.runs[run_id]

    def attempt(self, run_id: str, number: int) -> AttemptState | None:
        """As the journal has it."""
        return self.run_of(run_id).attempts.get(number)

    def machine(self, run_id: str, number: int) -> Machine | None:
        """The machine of an attempt, once it is up."""
        attempt = self.attempt(run_id, number)
        return self.world.machines.get(attempt.instance_id or "") if attempt is not None else None

    def phase(self, run_id: str, number: int) -> str:
        """What the agent of an attempt does; empty if there is none."""
        machine = self.machine(run_id, number)
        return machine.agent.phase if machine is not None and machine.agent is not None else ""

    def trains(self, run_id: str, number: int = 1, step: int = 0) -> Callable[[], bool]:
        """Whether an attempt trains, and how far it came."""

        def check() -> bool:
            machine = self.machine(run_id, number)
            training = machine.training if machine is not None else None
            return self.phase(run_id, number) == "training" and training is not None and training.step >= step

        return check

    def all_over(self) -> bool:
        """Every run is."""
        return all(run.over for run in self.world.laws.state.runs.values())

    def look_often(self, seconds: Seconds) -> None:
        """Controllers look every half minute for so long. A quiet one looks so seldom that it takes itself for suspended."""
        for count in range(round(seconds / 30)):
            self.world.at(30 * count, lambda: self.world.news(None))

    def taken(self, run_id: str, number: int = 1, wait: Seconds = 120, *, notice: bool = True) -> None:
        """The cloud takes the machine of an attempt."""
        attempt = self.attempt(run_id, number)
        assert attempt is not None
        assert attempt.instance_id is not None
        self.world.take(attempt.instance_id, self.world.clock() + wait, notice=notice)

    def cut_off(self, run_id: str, number: int, seconds: Seconds, *, stubborn: bool = False) -> None:
        """The machine of an attempt cannot reach the bucket; a stubborn one does not end itself for that, as it should."""
        machine = self.machine(run_id, number)
        assert machine is not None
        machine.cut_off_until = self.world.clock() + seconds
        if stubborn:
            assert machine.agent is not None
            intervals = machine.agent.boot.intervals.model_copy(update={"cut_off": 1e9})
            machine.agent.boot = machine.agent.boot.model_copy(update={"intervals": intervals})
        self.hurt.add(run_id)

    def elsewhere(self, run_id: str, number: int = 1) -> None:
        """Nothing is for sale any more where an attempt's machine is; those that run there go on."""
        attempt = self.attempt(run_id, number)
        assert attempt is not None
        assert attempt.offer is not None
        now = self.world.clock()
        self.world.cloud.market.outages[attempt.offer.zone] = [(now, now + 1e9)]

    def nobody_watches(self, seconds: Seconds = 2 * HOUR) -> None:
        """Every controller is gone for so long."""
        self.world.laptops.clear()
        self.world.laws.healthy_since = None
        self.world.live(seconds)
        self.world.laptop()
        self.world.laws.healthy_since = self.world.clock()

    def rest(self, most: Seconds = 48 * HOUR) -> None:
        """Let everything come to its end, and look at what is left."""
        self.until(self.all_over, most)
        if not self.broken:
            self.world.live(1.5 * HOUR)
            self.at_rest()


@contextmanager
def scene(seed: int, **more: int) -> Iterator[Scene]:
    """A scene that is tidied up after; its script may end it early."""
    made = Scene(seed, **more)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        made.world.close()
