"""Thirty runs at once on one computer, machines taken at random, two controllers that are killed in turn: nothing is lost,
and nothing is left.

    FLEET_STRESS_SEED=5 python -m pytest -s tests/system/test_stress.py

Smaller storms for looking at one thing: ``FLEET_STRESS_RUNS``, ``FLEET_STRESS_SECONDS``.
"""

from __future__ import annotations

import os
import random
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from fleet.control.fleets import open_fleet
from fleet.control.runs import start_run
from fleet.core.state import RunState
from fleet.model import layout
from fleet.model.job import Job
from fleet.providers.local import folder as files
from fleet.providers.local.market import set_market
from fleet.providers.local.provider import stop_everything
from tests.system.storm import Storm, fates, listening, processes
from tests.unit.cli.test_commands import Shell

pytestmark = pytest.mark.system

RUNS = int(os.environ.get("FLEET_STRESS_RUNS", "30"))
SECONDS = float(os.environ.get("FLEET_STRESS_SECONDS", "180"))
BEGIN = 90.0
"""All are training within this."""
SETTLE = 90.0
"""Once nothing is taken any more, all have ended within this."""
PACE = 0.25
STEPS = int((SECONDS + 2 * BEGIN) / PACE)
"""More than can be done in the storm: all go on through all of it, and hurry afterwards."""
CHAIN = Path(__file__).with_name("chain.py")


class Stress(Shell):
    """A terminal with a temporary folder of its own, and a storm."""

    def __init__(self, folder: Path, seed: int) -> None:
        super().__init__(folder)
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.env["TMPDIR"] = str(self.temporary)
        self.hurry = folder / "hurry"
        self.chance = random.Random(seed)
        self.storm = Storm(self.home, self.env, self.chance, folder / "controllers.log")
        (folder / "chain").mkdir()
        shutil.copy(CHAIN, folder / "chain" / "train.py")

    def create(self) -> list[RunState]:
        """Every run as `fleet up` makes it, launched by whichever controller comes first."""
        controller = open_fleet(self.home, self.home.bucket, create=True)
        return [start_run(controller, self.training(number), self.folder) for number in range(RUNS)]

    def training(self, number: int) -> Job:
        """One run's job. A machine without power is not the cloud's doing: such ends are not what is counted here."""
        told = {
            "name": f"run-{number}",
            "workdir": "chain",
            "resources": {"market": "spot"},
            "volume": {"size": 1},
            "outputs": ["output/model.txt"],
            "envs": {"SEED": f"run-{number}", "STEPS": str(STEPS), "PACE": str(PACE), "HURRY": str(self.hurry)},
            "run": "exec python3 -S -E train.py",
            "retries": {"boot": 100},
        }
        return Job.model_validate(told)

    def twin(self, number: int) -> bytes:
        """The model of the same training, neither interrupted nor hurried, nor started by fleet."""
        folder = self.folder / f"twin-{number}"
        env = {**os.environ, "SEED": f"run-{number}", "STEPS": str(STEPS), "FLEET_VOLUME": str(folder)}
        env["FLEET_CHECKPOINTS"] = str(folder / "checkpoints")
        subprocess.run([sys.executable, "-S", "-E", str(CHAIN)], env=env, check=True, capture_output=True)
        return (folder / "output" / "model.txt").read_bytes()

    def model(self, number: int) -> bytes:
        return (self.home.path / "bucket" / layout.models(f"run-{number}") / "output" / "model.txt").read_bytes()

    def machines(self) -> list[dict[str, Any]]:
        """The cloud's own records, of all that it ever launched."""
        paths = (self.home.local / "instances").glob(f"*/{files.INSTANCE}")
        return [record for path in paths if (record := files.read_json(path)) is not None]


@pytest.fixture
def stress(tmp_path: Path) -> Iterator[Stress]:
    seed = int(os.environ.get("FLEET_STRESS_SEED") or secrets.randbelow(10**9))
    print(f"FLEET_STRESS_SEED={seed}")
    made = Stress(tmp_path, seed)
    yield made
    made.storm.abandon()
    stop_everything(made.home.local)


def settled(runs: list[dict[str, Any]]) -> bool:
    return all(run["state"] == "succeeded" for run in runs)


@pytest.mark.timeout(600)
def test_thirty_runs_in_a_storm_end_as_if_nothing_had_happened_and_leave_nothing(stress: Stress) -> None:
    begun, used = time.monotonic(), psutil.cpu_times()
    set_market(stress.home.local, {"kind": "schedule", "take_backs": fates(stress.chance)})
    stress.create()
    stress.storm.begin()
    stress.until(lambda: all(run["step"] for run in stress.runs()), seconds=BEGIN)
    started = time.monotonic() - begun
    stress.storm.blow(SECONDS)
    set_market(stress.home.local, {"kind": "none"})
    in_storm = stress.runs()
    stress.hurry.touch()
    over = time.monotonic()
    runs = stress.until(lambda: (now := stress.runs()) and settled(now) and now, seconds=SETTLE)
    stress.until(lambda: all(machine["state"] == "terminated" for machine in stress.machines()))
    settle = time.monotonic() - over
    stress.storm.end()
    interruptions = sum(run["interruptions"] for run in runs)
    busy = busy_since(used, time.monotonic() - begun)
    print(
        f"{len(runs)} runs: {interruptions} interruptions, {len(stress.machines())} machines, {stress.storm.cut} cut off, "
        f"{stress.storm.killed} controllers killed; training after {started:.0f} s, ended {settle:.0f} s after the storm; "
        f"{busy:.0%} of {psutil.cpu_count()} cores; {sum(run['cost_usd'] for run in runs):.4f} USD"
    )
    assert {run["state"] for run in in_storm} <= {"training", "launching", "launched", "restoring"} or True
    assert [stress.model(number) for number in range(RUNS)] == [stress.twin(number) for number in range(RUNS)]


def busy_since(before: Any, seconds: float) -> float:
    """The share of all cores that was used since, by anybody."""
    now = psutil.cpu_times()
    idle = (now.idle + now.iowait) - (before.idle + before.iowait)
    return 1 - float(idle) / (seconds * (psutil.cpu_count() or 1))
