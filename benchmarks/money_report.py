"""What the nightly report takes, with 2,000 runs over 90 days: the whole command, from the shell, charts and all.

    python -m benchmarks.money_report

Wanted: under 5 s and 300 MB.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from benchmarks.peer import load

ROUNDS = 3
MAKE = """
import sys, time
from pathlib import Path
from benchmarks import money_fleet
print(f"2,000 runs, {money_fleet.make(Path(sys.argv[1]), end=time.time())} entries", flush=True)
"""
WANTED_SECONDS, WANTED_MB = 5.0, 300.0


def main() -> None:
    """Print medians, and the least: on a machine that does something else as well that is the fairer figure."""
    print(f"{load()}; wanted: under {WANTED_SECONDS:.0f} s and {WANTED_MB:.0f} MB")
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder:
        (Path(folder) / "bucket").mkdir()
        # In a process of its own: what a child took at most is never told as less than its parent had.
        subprocess.run([sys.executable, "-c", MAKE, str(Path(folder) / "bucket")], check=True)
        busy = f"{datetime.now(timezone.utc) - timedelta(days=10):%Y-%m-%d}"
        page = str(Path(folder) / "night.html")
        for words in (["--night", busy], ["--night", busy, "--format", "csv"], ["--night", busy, "--html", page]):
            measure(words, {**os.environ, "FLEET_HOME": folder, "TZ": "UTC"})
        print(f"the page has {Path(page).stat().st_size / 1e3:.0f} kB")


def measure(words: Sequence[str], env: Mapping[str, str]) -> tuple[float, float]:
    """Seconds (the median) and MB (the most) of one report."""
    taken, worked, most = [], [], 0.0
    fleet = str(Path(sys.executable).with_name("fleet"))
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        with Path(os.devnull).open("wb") as nowhere:
            actions = [(os.POSIX_SPAWN_DUP2, nowhere.fileno(), 1), (os.POSIX_SPAWN_DUP2, nowhere.fileno(), 2)]
            child = os.posix_spawn(fleet, [fleet, "report", *words], dict(env), file_actions=actions)
            _, status, used = os.wait4(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0, words
        taken.append(time.perf_counter() - begun)
        worked.append(used.ru_utime + used.ru_stime)
        most = max(most, used.ru_maxrss / 1024)
    told = " ".join(word for word in words if "/" not in word)
    shown = f"{statistics.median(taken):.2f} s, the least {min(taken):.2f} s, of one core {min(worked):.2f} s; {most:.0f} MB"
    print(f"fleet report {told:<36} {shown}", flush=True)
    return statistics.median(taken), most


if __name__ == "__main__":
    main()
