"""How long it takes to be told something: `fleet --help` and `fleet ps`, paired with `sky --help` and `dstack --help`.

    python -m benchmarks.peers [rounds]

Each program in an environment of its own, installed from its wheel by pip, which compiles it. `fleet ps` lists a few runs
that trained on `local`. Targets: a tenth of sky, a sixth of dstack.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.peer import Cost, cost_of, installed, installed_fleet, load, paired

PEERS = {"sky --help": ("skypilot==0.14.1", "sky", 10), "dstack --help": ("dstack==0.22.5", "dstack", 6)}
RUNS = 3


def main() -> None:
    """Print medians and ratios."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    fleet = str(installed_fleet() / "fleet")
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as home:
        env = {"FLEET_HOME": f"{home}/fleet", "HOME": home, "COLUMNS": "100"}
        _make_runs(fleet, Path(home), env)
        runs: dict[str, Callable[[int], Cost]] = {
            "fleet --help": lambda _n: cost_of([fleet, "--help"], env),
            "fleet ps": lambda _n: cost_of([fleet, "ps"], env),
        }
        for name, (requirement, program, _) in PEERS.items():
            folder = installed(requirement)
            if folder is not None:
                words = [str(folder / program), "--help"]
                runs[name] = lambda _n, words=words: cost_of(words, env)  # type: ignore[misc]
        for run in runs.values():
            run(0)  # everybody's files are in memory, and what a first start sets up is set up
        costs = paired(rounds, runs)
    print(f"medians of {rounds} rounds; {load()}")
    for name, cost in costs.items():
        print(f"{name:<14} {cost.wall:.3f} s, {cost.cpu:.3f} s CPU")
    for name, (_, _, share) in PEERS.items():
        for ours in ("fleet --help", "fleet ps") if name in costs else ():
            wall, cpu = costs[name].wall / costs[ours].wall, costs[name].cpu / costs[ours].cpu
            met = "met" if wall >= share else "missed"
            print(f"{ours} takes 1/{wall:.1f} of {name} (1/{cpu:.1f} of its CPU); wanted 1/{share}: {met}")


def _make_runs(fleet: str, home: Path, env: dict[str, str]) -> None:
    for number in range(RUNS):
        job = home / f"job-{number}.yaml"
        job.write_text(f'name: bench-{number}\nrun: "true"\n')
        subprocess.run([fleet, "up", str(job), "--yes"], env={**os.environ, **env}, check=True, capture_output=True)


if __name__ == "__main__":
    main()
