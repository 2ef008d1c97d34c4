"""One machine of a real account: launched, trained for a minute, ended, everything removed. Costs less than $0.05.

Only by `make test-aws`, with real credentials in the environment: never part of CI. A spot c5.large for ten minutes at most,
and a volume of 8 GB; the budget of the run is $0.05.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.real

REGION = os.environ.get("FLEET_TEST_REGION", "us-east-1")
JOB = {
    "name": "first",
    "resources": {"infra": f"aws/{REGION}", "instance_type": ["c5.large", "c6i.large", "c6a.large"], "market": "spot"},
    "volume": {"size": "8GB", "keep": "1h"},
    "run": 'for i in $(seq 30); do echo $i >"$FLEET_CHECKPOINTS/state.tmp"; mv "$FLEET_CHECKPOINTS/state.tmp" '
    '"$FLEET_CHECKPOINTS/state"; echo "fleet.progress step=$i"; sleep 1; done; mkdir -p "$FLEET_VOLUME/output"; '
    'cp "$FLEET_CHECKPOINTS/state" "$FLEET_VOLUME/output/model"',
    "outputs": ["output/model"],
    "budget": {"run": "$0.05"},
    "max_duration": "15m",
}


class Terminal:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {**os.environ, "FLEET_HOME": str(folder / "home")}

    def fleet(self, *words: str, check: bool = True) -> str:
        words = (sys.executable, "-m", "fleet.cli", *words)
        told = subprocess.run(words, env=self.env, cwd=self.folder, capture_output=True, text=True)
        print(told.stdout, told.stderr)
        assert not check or told.returncode == 0, told
        return told.stdout


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path)
    bucket = f"fleet-test-{int(time.time())}"
    made.fleet("init", "aws", "--region", REGION, "--bucket", bucket, "--yes")
    try:
        yield made
    finally:
        made.fleet("down", "first", check=False)
        made.fleet("gc", "--delete", "--yes", check=False)
        made.fleet("destroy", "aws", "--delete-volumes", "--delete-bucket", "--yes")


@pytest.mark.timeout(1800)
def test_a_first_run_on_a_real_account_trains_and_leaves_nothing(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(JOB))
    terminal.fleet("doctor", "aws", "fleet.yaml", check=False)
    terminal.fleet("up", "fleet.yaml", "--yes")
    run = json.loads(terminal.fleet("status", "first", "-o", "json"))
    assert run["state"] == "succeeded"
    assert run["cost_usd"] < 0.05
    assert json.loads(terminal.fleet("gc", "-o", "json")) == []
