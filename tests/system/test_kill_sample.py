"""SIGKILL of real processes exactly between two effects, or in one: another sample each time.

    FLEET_KILL_SEED=123 python -m pytest tests/system/test_kill_sample.py     the same sample again

tests/simulation/test_sweep.py has all deaths, in one process; here are some of them as they happen.
"""

from __future__ import annotations

import os
import random
import secrets
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from fleet.control.runs import PACKING
from tests.system.conftest import RacerShell
from tests.system.dying.deaths import FOLDER, Death, How, Victim, count, told, write_plan

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
ITERATIONS = 60
LIVES = 3
FIRST, LATER = 0.3, 0.9
"""Of the effects that a calm life has. Many come with time, and a quick computer has fewer: a first death is certain to come
to pass, those after it may come too late for the run."""


@pytest.fixture(scope="session")
def seed() -> int:
    """Drawn anew each time, unless it is given."""
    return int(os.environ.get("FLEET_KILL_SEED") or secrets.randbelow(1_000_000))


class Life:
    """One run, with those who die in it, and are started again."""

    def __init__(self, shell: RacerShell, deaths: list[Death]) -> None:
        self.shell = shell
        self.plan = shell.folder / "deaths"
        self.temporary = shell.folder / "tmp"
        self.temporary.mkdir()
        write_plan(self.plan, deaths)
        path = os.pathsep.join((str(ROOT / "tests" / "system" / "dying"), str(ROOT)))
        shell.env |= {FOLDER: str(self.plan), "PYTHONPATH": path, "TMPDIR": str(self.temporary)}
        self.job = shell.racer(ITERATIONS)
        with (Path(self.job) / "fleet.yaml").open("a") as file:
            file.write("retries: {training: 3}\n")  # it may be training that dies each time
        self.controller = self.begin("up", self.job)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """A controller."""
        return self.shell.start(*words)

    def live(self, most: float = 120) -> None:
        """Until the run is over; a controller that was killed is started again."""
        until = time.monotonic() + most
        while time.monotonic() < until:
            time.sleep(0.1)
            if self.controller.poll() is not None:
                _, err = self.controller.communicate()
                assert self.controller.returncode in (0, -signal.SIGKILL), err
                if self.controller.returncode == 0:
                    return
                self.controller = self.begin("controller", "run") if self.shell.runs() else self.begin("up", self.job)
            elif "run" in self.controller.args and self.over():  # type: ignore[operator]
                return
        raise AssertionError(f"the run is not over after {most:.0f} s: {self.shell.runs()}")

    def over(self) -> bool:
        """The run has ended, and so has its machine; the cheap questions first."""
        return self.shell.model_path().exists() and not self.processes() and self.shell.runs()[-1]["state"] == "succeeded"

    def end(self) -> None:
        """The last controller."""
        self.controller.kill()
        self.controller.communicate()

    def processes(self) -> list[psutil.Process]:
        """Everything of this home's machines."""
        return [p for p in psutil.process_iter() if _of(p, str(self.shell.home.path)) and p.pid != self.controller.pid]


def _of(process: psutil.Process, home: str) -> bool:
    try:
        return process.environ().get("FLEET_HOME") == home and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


@pytest.fixture(scope="session")
def calm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """How many effects a life has in which nobody dies."""
    life = Life(RacerShell(tmp_path_factory.mktemp("calm")), [])
    life.live()
    life.end()
    found = {"controller": count(life.plan, "controller"), "agent": count(life.plan, "agent")}
    assert told(life.plan) == []
    assert min(found.values()) > 50, found
    return found


def drawn(seed: int, life: int, calm: dict[str, int]) -> list[Death]:
    """Who dies in a life, and where."""
    chance = random.Random(f"{seed}/{life}")
    victims: list[Victim] = ["controller", "agent", "training"]
    hows: list[How] = ["before", "after", "middle"]
    found: list[Death] = []
    for share in (FIRST, LATER, LATER):
        victim = chance.choice(victims) if share == LATER else victims[(seed + life) % 3]
        number = chance.randint(1, round(share * calm["controller" if victim == "controller" else "agent"]))
        found.append(Death(victim, number, chance.choice(hows)))
    return sorted(found, key=lambda death: death.number)


@pytest.mark.parametrize("number", range(LIVES))
def test_whoever_is_killed_between_two_effects_the_model_is_the_same(
    shell: RacerShell, uninterrupted: Callable[[int], str], calm: dict[str, int], seed: int, number: int
) -> None:
    deaths = drawn(seed, number, calm)
    print(f"FLEET_KILL_SEED={seed} life {number}: {deaths}")
    life = Life(shell, deaths)
    try:
        life.live()
    finally:
        life.end()
        print("\n".join(told(life.plan)))
    assert told(life.plan)
    assert shell.model() == uninterrupted(ITERATIONS)
    run = shell.runs()[-1]
    assert run["state"] == "succeeded"
    assert run["attempt"] <= 1 + len(deaths)  # on a busy computer a machine may be given up before its agent is back
    shell.until(lambda: not life.processes())
    left = [path.name for path in life.temporary.iterdir() if path.name.startswith("fleet")]
    assert all(name.startswith(PACKING) for name in left), left  # what a killed `up` packed goes with a later one
