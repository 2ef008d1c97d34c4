"""The benchmark of a large fleet goes on working: on a small one here, where figures mean nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]


def test_the_benchmark_of_a_large_fleet_prints_every_figure_with_its_target() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scale", "60"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for figure in ("from entry 0", "from a snapshot", "first tick", "tick ", "tick with a snapshot", "per live run"):
        assert figure in done.stdout
    assert done.stdout.count("target") >= 6
