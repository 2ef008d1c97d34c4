"""What asking about money takes, with 2,000 runs over 90 days: the whole command, from the shell, imports and all.

    python -m benchmarks.money

Wanted: `fleet cost` under 1 s. The ledger beside it: seconds, lines, and the memory that they take.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Mapping
from pathlib import Path

from benchmarks import money_fleet
from benchmarks.peer import load

ROUNDS = 5
WANTED = 1.0
COMMANDS = (["cost"], ["cost", "--by", "day"], ["cost", "--since", "7d", "--by", "type"], ["cost", "--all", "-o", "json"])


def main() -> None:
    """Print medians, and the least: on a machine that does something else as well that is the fairer figure."""
    print(f"{load()}; wanted: fleet cost under {WANTED:.0f} s")
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder:
        home = Path(folder)
        (home / "bucket").mkdir()
        entries = money_fleet.make(home / "bucket", end=time.time())
        print(f"2,000 runs, {entries} entries")
        for words in COMMANDS:
            _time(words, {**os.environ, "FLEET_HOME": folder})
        _ledger(home / "bucket")


def _time(words: list[str], env: Mapping[str, str]) -> None:
    taken, before = [], resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        subprocess.run([Path(sys.executable).with_name("fleet"), *words], env=env, check=True, capture_output=True)
        taken.append(time.perf_counter() - begun)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / ROUNDS
    told = f"{statistics.median(taken):.2f} s, the least {min(taken):.2f} s; {worked:.2f} s of a processor"
    print(f"fleet {' '.join(words):<32} {told}")


def _ledger(folder: Path) -> None:
    from fleet.core.ledger import ledger
    from fleet.core.state import FOLD_VERSION, FleetState
    from fleet.model.base import FURTHEST
    from fleet.model.calendar import Span
    from fleet.model.cloud import Billing
    from fleet.providers.aws.rates import aws_rates
    from fleet.store import snapshots
    from fleet.store.files import FileObjects

    found = snapshots.load_newest(FileObjects(folder, time.time), FOLD_VERSION)
    assert found is not None
    state = FleetState.model_validate_json(found.state)
    billing, rates = {"aws": Billing(minimum_seconds=60, free_if_interrupted_within=3600)}, {"aws": aws_rates()}
    begun = time.perf_counter()
    lines = ledger(state, Span(0.0, FURTHEST), time.time(), billing, rates)
    taken = time.perf_counter() - begun
    tracemalloc.start()
    again = ledger(state, Span(0.0, FURTHEST), time.time(), billing, rates)
    _, most = tracemalloc.get_traced_memory()
    print(f"ledger: {taken:.2f} s for {len(lines)} lines; {most / 1e6:.0f} MB")
    assert len(again) == len(lines)


if __name__ == "__main__":
    main()
