"""The whole demo, as the newcomer sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import jsonschema
import psutil
import pytest

from fleet.cli.schemas import schema_of
from tests.unit.cli.test_commands import hear_ctrl_c

pytestmark = pytest.mark.system


def machines() -> set[int]:
    """Processes of any local machine."""
    found = set()
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and "FLEET_INSTANCE_ID" in process.environ():
                found.add(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


def test_the_demo_is_interrupted_three_ways_and_ends_with_the_same_model(tmp_path: Path) -> None:
    before = machines()
    env = {**os.environ, "TMPDIR": str(tmp_path), "FLEET_HOME": str(tmp_path / "home")}
    assert tempfile.gettempdir()
    done = subprocess.run(
        [sys.executable, "-m", "fleet.cli", "demo", "-o", "json"], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    jsonschema.validate(told, schema_of("demo"))
    wanted = "attempts interruptions steps_lost recover_seconds cost_usd on_demand_usd model_sha256 uninterrupted_sha256"
    assert {*wanted.split(), "identical"} <= set(told)
    assert told["identical"] is True
    assert told["model_sha256"] == told["uninterrupted_sha256"]
    assert (told["attempts"], told["interruptions"]) == (4, 3)
    assert told["kinds"] == ["notice", "rebalance+notice", "kill"]
    assert told["zone_changes"] == 1
    assert len(told["recover_seconds"]) == 3
    assert max(told["recover_seconds"]) < 20
    assert 0 <= told["steps_lost"] < 60
    assert 0 < told["cost_usd"] < told["on_demand_usd"]
    for word in (
        "launched", "$0.15/h", "notice", "rebalance", "checkpoint", "released", "attaching", "from the volume",
        "from the bucket", "reward", "laps 1", "lost", "taken by the cloud", "move:",
    ):  # fmt: skip
        assert word in done.stderr, word
    assert "Traceback" not in done.stderr
    assert machines() == before
    assert not list(tmp_path.glob("fleet-demo-*"))
    assert not (tmp_path / "home").exists()


def test_the_demo_tells_people_what_it_proved_and_keeps_everything_on_request(tmp_path: Path) -> None:
    before = machines()
    words = ["demo", "--iterations", "30", "--keep", str(tmp_path / "kept")]
    done = subprocess.run([sys.executable, "-m", "fleet.cli", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "byte-identical" in done.stdout
    model = next(line for line in done.stdout.splitlines() if line.startswith("The model lies in"))
    assert Path(model.removeprefix("The model lies in ").rstrip(".")).is_file()
    assert machines() == before
    again = subprocess.run([sys.executable, "-m", "fleet.cli", *words], capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "not empty" in again.stderr


def test_ctrl_c_ends_the_demo_and_its_machines(tmp_path: Path) -> None:
    import signal

    before = machines()
    process = subprocess.Popen(
        [sys.executable, "-m", "fleet.cli", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        start_new_session=True,
        preexec_fn=hear_ctrl_c,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "training " in line:
            break
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "Traceback" not in err
    assert machines() == before
    assert not list(tmp_path.glob("fleet-demo-*"))
