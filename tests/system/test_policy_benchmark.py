"""The benchmark of policies goes on working: on drawn traces here, where only what must hold of any traces is looked at."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]
DRAWN = {
    "aws-2022-12-13": (600, ("us-west-2a_k80_1", "us-west-2b_v100_1")),
    "aws-2023-02-15": (195, ("us-east-2a_v100_1", "us-east-2b_v100_1", "us-west-2a_v100_1")),
}
SECTIONS = (
    "one zone, 2023:",
    "one zone, 2022:",
    "one zone, 2023, in its own ticks of 195 s:",
    "one region's zones together:",
    "one region's zones together: us-east-2 (2):",
    "all zones together, no deadline, a dollar for each change of region:",
    "one zone, 2023, the other way round:",
)


def drawn(folder: Path) -> Path:
    """Two weeks of spot that comes and goes, for some hours each."""
    for collection, (gap, zones) in DRAWN.items():
        place = folder / "availability" / "1-node" / collection
        place.mkdir(parents=True)
        for zone in zones:
            chance, up, data = random.Random(zone), True, []
            for _ in range(14 * 86400 // gap):
                up = (chance.random() >= gap / 3600 / 6) if up else (chance.random() < gap / 3600 / 2)
                data.append(int(up))
            (place / f"{zone}.json").write_text(json.dumps({"metadata": {"gap_seconds": gap}, "data": data}))
    return folder


def test_the_benchmark_of_policies_prints_every_section_and_draws_its_pictures(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "benchmarks.policy", str(drawn(tmp_path / "traces")), "--quick", "--plots", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    for section in SECTIONS:
        assert f"\n{section}" in "\n" + done.stdout
    assert {path.name for path in tmp_path.glob("*.png")} == {"policy-closed.png", "policy-overhead.png", "policy-run.png"}
    [first, *_] = done.stdout.split("\n\n")
    costs = {
        name: float(cost) for name, cost in re.findall(r"^  ([a-z-]+) +(\d?\.\d+) \[", first.split("52 h")[0], re.MULTILINE)
    }
    assert costs["omniscient"] < costs["fleet"] < costs["uniform-progress"] < costs["on-demand"]
    late = re.findall(r"\] +(\d+) +[\d.]+", done.stdout)
    assert len(late) > 100
    assert set(late) == {"0"}
    assert "µs a decision" in done.stdout


def test_what_the_traces_teach_is_printed_by_its_command(tmp_path: Path) -> None:
    words = [sys.executable, "scripts/calibrate_deadlines.py", str(drawn(tmp_path))]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("5 traces\nLearned(down=(")
