"""Peers that figures are compared with: each installed by pip into an environment of its own under ``.bench/``."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".bench"


def installed(requirement: str) -> Path | None:
    """The ``bin`` folder of an environment that holds one requirement; None, said plainly, if it cannot be had."""
    folder = CACHE / requirement.replace("==", "-")
    done = folder / ".installed"
    if not done.exists():
        print(f"installing {requirement} into {folder} …", file=sys.stderr)
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, capture_output=True)
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, requirement], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{requirement} cannot be had ({error}): figures are fleet's alone")
            return None
        done.touch()
    return folder / "bin"


def installed_fleet() -> Path:
    """The ``bin`` folder of an environment with this tree's fleet installed as users do: from its wheel, not editable."""
    folder, tree = CACHE / "fleet", Path(__file__).parents[1]
    if not (folder / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, capture_output=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, str(tree)], check=True, capture_output=True)
    subprocess.run([*pip, "--force-reinstall", "--no-deps", str(tree)], check=True, capture_output=True)
    return folder / "bin"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took, in seconds."""

    wall: float
    cpu: float
    """User and system time of the process and its children."""


def cost_of(command: Sequence[str], env: dict[str, str] | None = None) -> Cost:
    """Run a command to its end. Raises CalledProcessError, with what it wrote, if it fails."""
    os.sync()
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        done.check_returncode()
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def paired(rounds: int, runs: dict[str, Callable[[int], Cost]]) -> dict[str, Cost]:
    """Each in turn, A B A B …, so that a busy minute is everybody's; the medians."""
    found: dict[str, list[Cost]] = {name: [] for name in runs}
    for number in range(rounds):
        for name, run in runs.items():
            found[name].append(run(number))
    return {
        name: Cost(statistics.median(c.wall for c in costs), statistics.median(c.cpu for c in costs))
        for name, costs in found.items()
    }


def load() -> str:
    """How busy the machine is, for honesty's sake."""
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
