"""The trainings that the documentation shows: killed, told to stop, asked to save, and yet the same in the end."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from fleet.model import layout
from fleet.providers.local.market import set_market
from tests.system.conftest import RacerShell

pytestmark = pytest.mark.system
EXAMPLES = Path(__file__).parents[2] / "examples" / "resumable"


@dataclass
class Place:
    """A folder in which a training runs as on a machine, without fleet."""

    root: Path
    words: list[str]
    env: dict[str, str] = field(default_factory=dict)

    def start(self) -> subprocess.Popen[str]:
        self.root.mkdir(exist_ok=True)
        env = {
            **os.environ,
            **self.env,
            "FLEET_VOLUME": str(self.root),
            "FLEET_CHECKPOINTS": str(self.root / "checkpoints"),
            "FLEET_SAVE_REQUEST": str(self.root / "save-request"),
        }
        return subprocess.Popen(self.words, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True)

    def train(self, until: int | None = None, how: signal.Signals = signal.SIGKILL) -> tuple[int, str]:
        """Train to the end, or until a step is reported and the whole job gets a signal, as an agent sends it."""
        with self.start() as process:
            assert process.stdout is not None
            said = ""
            for line in process.stdout:
                said += line
                if until is not None and line.startswith("fleet.progress") and step_of(line) >= until:
                    os.killpg(process.pid, how)
                    until = None
        return process.returncode, said

    def checkpoint(self) -> Path:
        [found] = (self.root / "checkpoints").iterdir()
        return found


def step_of(line: str) -> int:
    return int(line.split("step=")[1].split()[0])


def saved(said: str) -> list[int]:
    return [step_of(line) for line in said.splitlines() if line.startswith("fleet.saved")]


def begins(said: str) -> int:
    match = re.search(r"begins at step (\d+)", said)
    assert match is not None, said
    return int(match[1])


def words(name: str) -> list[str]:
    script = EXAMPLES / name / "train.sh"
    return ["sh", str(script)] if script.exists() else [sys.executable, str(EXAMPLES / name / "train.py")]


def interrupted(place: Place, first: int, second: int) -> None:
    """Kill it without warning; tell it to stop; then ask it to save, and let it end."""
    code, said = place.train(until=first)
    assert code == -signal.SIGKILL, said
    kept = saved(said)[-1]
    code, said = place.train(until=second, how=signal.SIGTERM)
    assert begins(said) >= kept > 0
    assert code == 143, said
    stopped = saved(said)[-1]
    assert stopped >= second
    (place.root / "save-request").write_text("1")
    code, said = place.train()
    assert (code, begins(said)) == (0, stopped)
    assert saved(said)[0] == stopped + 1


def on_local(shell: RacerShell, name: str, market: dict[str, Any] | None = None, **envs: str) -> tuple[dict[str, Any], Path]:
    """The example's job as it stands, with more in its environment: the run, and its exported model."""
    folder = shell.folder / name
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("__pycache__"))
    if envs:
        job = yaml.safe_load((folder / "fleet.yaml").read_text())
        (folder / "fleet.yaml").write_text(yaml.safe_dump({**job, "envs": envs}))
    if market:
        set_market(shell.home.local, market)
    shell.run("up", str(folder), timeout=240)
    [run] = [one for one in shell.runs() if one["name"] == name]
    [model] = (shell.home.path / "bucket" / layout.models(name) / "output").iterdir()
    return run, model


def equal(one: Any, other: Any) -> bool:
    """Whether two states are the same, whatever they are nested of."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(value, other[key]) for key, value in one.items())
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    if hasattr(one, "dtype"):
        return bool((one == other).all()) and one.dtype == other.dtype
    return bool(one == other)


def test_a_pytorch_training_ends_the_same_to_the_last_bit_of_its_state(shell: RacerShell) -> None:
    import torch

    place = Place(shell.folder / "direct", words("pytorch"))
    interrupted(place, 47, 133)
    run, model = on_local(shell, "pytorch")
    assert (run["state"], run["step"]) == ("succeeded", 378)
    assert model.read_bytes() == (place.root / "output" / "model.pt").read_bytes()
    shell.run("checkpoints", "pull", "pytorch", "--into", "pulled")
    alone = torch.load(shell.folder / "pulled" / "state.pt", weights_only=False)
    mended = torch.load(place.checkpoint(), weights_only=False)
    assert {"model", "optimiser", "scheduler", "scaler", "python", "numpy", "torch", "cuda", "step"} == set(alone)
    assert alone["scaler"]["scale"] > 65536.0  # it grew: a scaler made anew would not have
    assert equal(alone, mended)


def test_a_keras_training_ends_the_same_byte_for_byte(shell: RacerShell) -> None:
    place = Place(shell.folder / "direct", words("keras"))
    interrupted(place, 47, 133)
    run, _ = on_local(shell, "keras")
    assert (run["state"], run["step"]) == ("succeeded", 378)
    shell.run("checkpoints", "pull", "keras", "--into", "pulled")
    assert (shell.folder / "pulled" / "state.npz").read_bytes() == place.checkpoint().read_bytes()
    with np.load(place.checkpoint()) as state:
        assert {int(state[name][1]) for name in state if "seed_generator" in name} == {378}


@pytest.mark.parametrize("name", ["numpy", "shell"])
def test_plain_files_end_the_same_byte_for_byte(shell: RacerShell, name: str) -> None:
    place = Place(shell.folder / "direct", words(name), {"PACE": "0.003"})
    interrupted(place, 47, 133)
    assert place.train()[0] == 0  # and once more, as if it had been interrupted just before it ended
    market = {
        "kind": "schedule",
        "take_backs": [
            {"after": 2.0, "from": "training", "signals": ["notice"], "lead": 4.0},
            {"after": 2.0, "from": "training"},
        ],
    }
    run, model = on_local(shell, name, market, PACE="0.025" if name == "numpy" else "0.05")
    assert (run["state"], run["interruptions"]) == ("succeeded", 2)
    assert model.read_bytes() == (place.root / "output" / model.name).read_bytes()
    shell.run("checkpoints", "pull", name, "--into", "pulled")
    assert (shell.folder / "pulled" / place.checkpoint().name).read_bytes() == place.checkpoint().read_bytes()
