"""A small simulated system per test, and the machines and answers of others that it meets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.model.cloud import Instance, LaunchRequest, Market
from fleet.providers.sim.provider import SimProvider
from tests.simulation.system import System

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


def ended(system: System) -> Callable[[], bool]:
    """Whether the run of a system is over, machines and all."""

    def check() -> bool:
        run = next(iter(system.controllers[0].state.runs.values()), None)
        return run is not None and run.over

    return check


def trains(system: System) -> bool:
    """Whether training goes on somewhere."""
    alive = set(system.alive())
    return any(inside.agent.phase == "training" for name, inside in system.inside.items() if name in alive)


def leaked(system: System, name: str, *, fleet: str | None = None, region: str = "sim-1") -> Instance:
    """A machine that no run of the system's launched, and that nothing but a collector ever ends."""
    fleet = fleet or system.fleet_id
    offers = [o for o in system.cloud.offers(region) if o.market is Market.ON_DEMAND]
    tags = {"fleet": fleet, "run": f"{name}-run", "attempt": "1", "try": "1", "token": f"token-{name}"}
    request = LaunchRequest(
        token=f"token-{name}", fleet_id=fleet, run_id=f"{name}-run", run_name=name, attempt=1, try_no=1,
        offers=tuple(offers), tags=tags,
    )  # fmt: skip
    made = SimProvider(system.cloud, fleet).launch(request)
    system.cloud.arm(made.instance_id, system.clock() + 1e7)
    system.dumb.add(made.instance_id)
    return made
