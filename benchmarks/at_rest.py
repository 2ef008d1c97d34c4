"""The agent at rest: training sleeps, nothing is to be saved. What the agent's own process takes then.

    python -m benchmarks.at_rest [seconds]

On `local`, once with the intervals of a cloud machine and once with those of `local`, which look more often. The machine's
supervisor, which a cloud's hypervisor stands for, is not the agent's; it is shown beside it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from unittest import mock

import psutil

from benchmarks.peer import load

CPU, MEMORY = 1.0, 80.0
MB = 1_000_000
TRAIN = """
import os, time
from pathlib import Path
import fleet
state = Path(os.environ["FLEET_CHECKPOINTS"]) / "state"
state.with_name("state.tmp").write_text("weights")
state.with_name("state.tmp").replace(state)
fleet.progress(1)
time.sleep(3600)
"""


def main() -> None:
    """Print both."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    print(f"over {seconds:.0f} s; {load()}; wanted: under {CPU} % of a core and {MEMORY:.0f} MB")
    for name in ("a cloud machine's", "local's"):
        with tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder:
            _measure(name, Path(folder), seconds)


def _measure(name: str, folder: Path, seconds: float) -> None:
    os.environ["FLEET_HOME"] = str(folder / "home")
    import fleet
    from fleet.core import pace
    from fleet.model.documents import Intervals
    from fleet.providers.local.provider import stop_everything

    intervals = Intervals() if name != "local's" else pace.LOCAL.intervals
    (folder / "work").mkdir()
    (folder / "work" / "train.py").write_text(TRAIN, encoding="utf-8")
    job = {"name": "rest", "workdir": str(folder / "work"), "run": f"{sys.executable} train.py"}
    paced = {"local": replace(pace.LOCAL, intervals=intervals)}
    try:
        with mock.patch.object(pace, "_PACES", paced):
            fleet.up(job, wait=False)
        _until_saved(folder)
        agent = _process("fleet.agent")
        watched = {"agent": agent, "supervisor": _process("fleet.providers.local.supervisor")}
        before = {what: process.cpu_times() for what, process in watched.items()}
        time.sleep(seconds)
        for what, process in watched.items():
            after = process.cpu_times()
            used = after.user + after.system - before[what].user - before[what].system
            memory = process.memory_info().rss / MB
            met = "met" if used / seconds * 100 < CPU and memory < MEMORY else "missed"
            print(f"{name} intervals: {what:<10} {used / seconds:6.2%} of a core, {memory:.0f} MB"
                  + (f": {met}" if what == "agent" else " (not counted)"))  # fmt: skip
    finally:
        stop_everything(folder / "home" / "local")


def _until_saved(folder: Path) -> None:
    """Until the one checkpoint is committed, and read once more."""
    until = time.monotonic() + 60
    while not any((folder / "home" / "bucket").glob("runs/*/checkpoints/*/*/manifest.json")):
        if time.monotonic() > until:
            sys.exit("no checkpoint was committed within a minute")
        time.sleep(0.1)
    time.sleep(5)


def _process(module: str) -> psutil.Process:
    home = os.environ["FLEET_HOME"]
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if module in process.cmdline() and process.environ().get("FLEET_HOME") == home:
                return process
    sys.exit(f"no process runs {module}")


if __name__ == "__main__":
    main()
