"""What system tests share: the racer, trained alone, and a terminal with a home of its own."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from fleet.model import layout
from fleet.providers.local.provider import stop_everything
from tests.unit.cli.test_commands import Shell

RACER = Path(__file__).parents[2] / "examples" / "racer"


class RacerShell(Shell):
    """A terminal in which the racer trains."""

    def racer(self, iterations: int, pace: float = 0.05) -> str:
        """A copy of the racer's job, of another length; its folder."""
        folder = self.folder / "racer"
        if not folder.exists():
            shutil.copytree(RACER, folder, ignore=shutil.ignore_patterns("__pycache__"))
        job = yaml.safe_load((folder / "fleet.yaml").read_text())
        job["envs"] |= {"RACER_ITERATIONS": str(iterations), "RACER_PACE": str(pace)}
        (folder / "fleet.yaml").write_text(yaml.safe_dump(job))
        return str(folder)

    def model_path(self) -> Path:
        """Where the model is exported to."""
        return self.home.path / "bucket" / layout.models("racer") / "output" / "model.npz"

    def model(self) -> str:
        """The hash of the exported model."""
        return hashlib.sha256(self.model_path().read_bytes()).hexdigest()

    def step(self) -> int:
        """How far the newest run is."""
        found = self.runs()
        return int(found[-1]["step"] or 0) if found else 0


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[RacerShell]:
    made = RacerShell(tmp_path)
    yield made
    stop_everything(made.home.local)


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], str]:
    """The model of a training of so many iterations, without fleet and without an interruption."""

    @functools.cache
    def model(iterations: int) -> str:
        folder = tmp_path_factory.mktemp("alone")
        env = {**os.environ, "FLEET_CHECKPOINTS": str(folder / "checkpoints"), "FLEET_VOLUME": str(folder)}
        words = [sys.executable, str(RACER / "train.py"), "--iterations", str(iterations)]
        subprocess.run(words, env=env, check=True, capture_output=True, cwd=folder)
        return hashlib.sha256((folder / "output" / "model.npz").read_bytes()).hexdigest()

    return model
