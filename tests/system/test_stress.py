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
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from fleet.control.fleets import open_fleet
from fleet.control.runs import start_run
from fleet.core.state import RunState
from fleet.core.summary import interruptions
from fleet.model import layout
from fleet.model.job import Job
from fleet.providers.local import folder as files
from fleet.providers.local.market import set_market
from fleet.providers.local.provider import stop_everything
from tests.system.storm import CUT_EVERY, KILL_EVERY, Storm, fates, listening, processes
from tests.unit.cli.test_commands import Shell

pytestmark = pytest.mark.system

RUNS = int(os.environ.get("FLEET_STRESS_RUNS", "30"))
SECONDS = float(os.environ.get("FLEET_STRESS_SECONDS", "180"))
BEGIN = 90.0
"""All are training within this."""
SETTLE = 90.0
"""Once nothing is taken any more, all have ended within this."""
PACE = 0.25
STEPS = int((SECONDS + BEGIN + 20) / PACE)
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
        """One run's job. A machine that lost its power looks like one that ended by itself: any number of them may."""
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
        """The cloud's own records, of everything that it ever launched."""
        paths = (self.home.local / "instances").glob(f"*/{files.INSTANCE}")
        return [record for path in paths if (record := files.read_json(path)) is not None]

    def states(self) -> list[RunState]:
        """The runs as the journal tells them."""
        return list(open_fleet(self.home, self.home.bucket).state.runs.values())

    def living(self) -> list[dict[str, Any]]:
        return [machine for machine in self.machines() if machine["state"] != "terminated"]


@pytest.fixture
def stress(tmp_path: Path) -> Iterator[Stress]:
    seed = int(os.environ.get("FLEET_STRESS_SEED") or secrets.randbelow(10**9))
    print(f"FLEET_STRESS_SEED={seed}")
    made = Stress(tmp_path, seed)
    yield made
    made.storm.abandon()
    stop_everything(made.home.local)


@pytest.mark.timeout(600)
def test_thirty_runs_in_a_storm_end_as_if_nothing_had_happened_and_leave_nothing(stress: Stress) -> None:
    begun, used = time.monotonic(), psutil.cpu_times()
    set_market(stress.home.local, {"kind": "schedule", "take_backs": fates(stress.chance)})
    stress.create()
    stress.storm.begin()
    stress.until(lambda: all(run["step"] for run in stress.runs()), seconds=BEGIN)
    started = time.monotonic() - begun
    stress.storm.blow(SECONDS)
    assert all(run["ended_at"] is None for run in stress.runs()), "a run was over before the storm was"
    set_market(stress.home.local, {"kind": "none"})
    stress.hurry.touch()
    over = time.monotonic()
    stress.until(lambda: all(run["ended_at"] for run in stress.runs()), seconds=SETTLE)
    stress.until(lambda: not stress.living(), seconds=30)
    settle = time.monotonic() - over
    stress.until(lambda: all(run["usd_per_hour"] < 0.01 for run in stress.runs()))  # the controllers know it, too
    stress.storm.end()
    assert "Traceback" not in stress.storm.logs.read_text()
    runs = stress.runs()
    print(figures(stress, runs, f"all train after {started:.0f} s, ended {settle:.0f} s after the storm"))
    print(f"{busy_since(used, time.monotonic() - begun):.0%} of {psutil.cpu_count()} cores were busy")
    assert [(run["name"], run["state"]) for run in runs] == [(f"run-{number}", "succeeded") for number in range(RUNS)]
    assert [stress.model(number) for number in range(RUNS)] == [stress.twin(number) for number in range(RUNS)]
    enough_happened(stress, runs)
    the_ledger_is_the_invoice(stress, runs)
    nothing_is_left(stress, runs)


def enough_happened(stress: Stress, runs: list[dict[str, Any]]) -> None:
    """With less than this the storm has not blown: one machine for each run in three minutes, a controller every ten s."""
    assert sum(run["interruptions"] for run in runs) >= RUNS * SECONDS / 180
    assert stress.storm.cut >= SECONDS / CUT_EVERY / 4
    assert stress.storm.killed >= SECONDS // KILL_EVERY - 1
    assert len(stress.storm.ports) >= RUNS  # so many machines listened, and were seen to
    assert len({one.kind for run in stress.states() for one in interruptions(run)}) >= 2


def the_ledger_is_the_invoice(stress: Stress, runs: list[dict[str, Any]]) -> None:
    """Every machine that the cloud ever launched, to the micro-dollar; and each of them was an attempt of a run."""
    machines = stress.machines()
    assert len(machines) == len({machine["tags"]["token"] for machine in machines})
    bill = {run["run"]: 0 for run in runs}
    for machine in machines:
        milliseconds = round(machine["ended_at"] * 1000) - round(machine["launched_at"] * 1000)
        bill[machine["tags"]["run"]] += (milliseconds * machine["offer"]["price"] + 1_800_000) // 3_600_000
    assert {run["run"]: round(run["compute_usd"] * 1e6) for run in runs} == bill
    for run in runs[:3]:
        told = stress.json("status", run["name"])
        same = ("state", "attempt", "interruptions", "recoveries", "steps_lost", "compute_usd", "ended_at")
        assert {key: told[key] for key in same} == {key: run[key] for key in same}
        assert told["recoveries"] == told["interruptions"]


def nothing_is_left(stress: Stress, runs: list[dict[str, Any]]) -> None:
    """No process, no port, no folder of a machine, nothing temporary; only the disks, which belong to their runs."""
    assert processes(stress.home) == []
    assert listening(stress.home) == set()
    for folder in (stress.home.local / "instances").iterdir():
        assert not (folder / "root").exists(), folder
        assert not (folder / "dev").exists(), folder
    assert list(stress.temporary.iterdir()) == []
    assert stress.json("gc") == []
    volumes = stress.json("volumes", "list")
    assert {volume["volume"] for volume in volumes} == {path.name for path in (stress.home.local / "volumes").iterdir()}
    assert {volume["run"] for volume in volumes} == {run["run"] for run in runs}
    assert {volume["attached_to"] for volume in volumes} == {None}


def figures(stress: Stress, runs: list[dict[str, Any]], more: str) -> str:
    """What happened, in a line."""
    kinds = Counter(one.kind for run in stress.states() for one in interruptions(run))
    lost = sum(run["steps_lost"] for run in runs)
    took = sorted(second for run in runs for second in run["recover_seconds"])
    return (
        f"{len(runs)} runs: {sum(kinds.values())} interruptions {dict(kinds)}, {len(stress.machines())} machines, "
        f"{stress.storm.cut} cut off, {stress.storm.killed} controllers killed; recovered in "
        f"{statistics.median(took):.1f} s (median), {took[-1]:.1f} s (worst), {lost} steps lost; "
        f"${sum(run['cost_usd'] for run in runs):.4f}; {more}"
    )


def busy_since(before: Any, seconds: float) -> float:
    """The share of all cores that was used since, by anybody."""
    now = psutil.cpu_times()
    idle = (now.idle + now.iowait) - (before.idle + before.iowait)
    return 1 - float(idle) / (seconds * (psutil.cpu_count() or 1))
