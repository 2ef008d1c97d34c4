"""A run with a deadline through the whole controller, on the strict cloud: its weather, boots, lags and refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from fleet.core.keeping.work import deadline_of
from fleet.core.state import RunState
from fleet.model.base import Seconds
from fleet.providers.sim.market import SpotMarket, Weather
from tests.simulation.chaos import clients, invoice
from tests.simulation.chaos.faults import Fault
from tests.simulation.chaos.scenes import Scene

HERE = {"infra": "sim/sim-1/sim-1b", "market": "spot-first", "instance_type": "p2.xlarge"}
"""One zone: spot comes and goes, and the volume stays."""
ANYWHERE = {"infra": "sim/sim-1", "market": "spot-first", "instance_type": "p2.xlarge"}
STEP: Seconds = 60
LOOKS: Seconds = 60
"""Controllers and agents are heard so often at least."""


@dataclass
class Told:
    """What became of a run."""

    run: RunState
    took: Seconds
    spare: Seconds
    """Between its end and its deadline."""
    trained_at_once: int
    """So many machines trained at the same moment, at the most."""
    two_machines: bool
    dollars: float
    violations: list[str]

    @property
    def relieved(self) -> int:
        """So often a machine took over from another that trained."""
        return sum(attempt.relieved_at is not None for attempt in self.run.attempts.values())

    @property
    def markets(self) -> list[str]:
        """Of the machines that trained, in order."""
        return [a.offer.market.value for a in self.run.attempts.values() if a.resumed is not None and a.offer is not None]


@dataclass
class Full:
    """On-demand is refused for capacity until a time."""

    scene: Scene
    until: Seconds

    def pick(self, who: str, what: str, *, changes: bool, provider: bool) -> Fault | None:
        """See ``Chaos``."""
        del who, changes, provider
        newest = next(iter(self.scene.world.laws.state.runs.values())).newest
        asked = newest is not None and newest.offers[0].market.value == "on-demand"
        if what == "launch" and asked and self.scene.world.clock() < self.until:
            return Fault("error", error="capacity")
        return None


@dataclass
class Fuse:
    """Kills the controller before or after its n-th effect that changes something."""

    left: int
    after: bool
    burnt: bool = False

    def pick(self, who: str, what: str, *, changes: bool, provider: bool) -> Fault | None:
        """See ``Chaos``."""
        del what, provider
        if who != "controller" or not changes or self.burnt:
            return None
        self.left -= 1
        self.burnt = self.left < 0
        return Fault("kill-after" if self.after else "kill-before") if self.burnt else None


class Trial(Scene):
    """One run, and what is seen of it."""

    def __init__(self, seed: int, weather: Weather | list[Seconds], **more: Any) -> None:
        super().__init__(seed, **more)
        world = self.world
        world.quiets = (LOOKS,)
        for laptop in world.laptops:
            laptop.quiet = LOOKS
        epoch = world.clock()
        usual = Weather(up=1e12, epoch=epoch)
        world.cloud.market = SpotMarket(seed, weather if isinstance(weather, Weather) else usual)
        if isinstance(weather, list):
            world.cloud.market._turns["sim-1b/p2.xlarge"] = [*(epoch + at for at in weather), epoch + 1e9]
        self.most = self.pairs = 0

    def go(self, work: Seconds, factor: float, resources: dict[str, str] | None = None, **job: Any) -> str:
        """Start it: so much work, by a deadline that is a multiple of it."""
        steps = round(work / STEP)
        fields = {"estimate": work, "deadline": work * factor, "resources": resources or HERE, **job}
        envs = {
            "STEPS": str(steps),
            "STEP_SECONDS": str(STEP),
            "TELLS_TOTAL": "1" if job.get("estimate", work) is None else "0",
        }
        return self.begin(steps, envs=envs, **fields)

    def watch(self, until: Callable[[], object], most: Seconds = 48 * 3600) -> None:
        """Let time pass, and count who trains."""
        end = self.world.clock() + most
        while not until() and self.world.clock() < end and not self.violations:
            self.world.live(5)
            agents = [m for m in self.world.machines.values() if m.agent is not None and m.runs]
            training = [m for m in agents if m.training is not None and m.training.code is None]
            self.most, self.pairs = max(self.most, len(training)), self.pairs + (len(agents) > 1)

    def told(self, run_id: str) -> Told:
        """Let it come to its end."""
        began = self.world.laws.state.runs[run_id].created_at
        self.watch(self.all_over)
        run = self.run_of(run_id)
        if not self.violations:
            self.world.live(3600)
            self.at_rest()
        ended, deadline = run.ended_at or self.world.clock(), deadline_of(run)
        assert deadline is not None
        cloud = self.world.cloud
        spent = sum(invoice.machine_by_the_hour(cloud, made) for made in cloud.instances.values())
        return Told(
            self.run_of(run_id), ended - began, deadline - ended, self.most, self.pairs > 0, spent / 1e6, self.violations
        )


def trial(seed: int, factor: float, weather: Weather | list[Seconds], *, work: Seconds = 6 * 3600, **more: Any) -> Told:
    """One run from beginning to end."""
    made = Trial(seed, weather)
    try:
        return made.told(made.go(work, factor, **more))
    finally:
        made.world.close()


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents of these worlds speak as often as real ones are heard."""
    monkeypatch.setattr(clients, "AGENT_QUIET", LOOKS)
