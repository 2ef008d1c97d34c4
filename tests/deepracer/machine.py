"""A machine for the driver alone: its folders and variables as the agent gives them, and the driver as a process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fleet.engine import ENGINE_NOTE
from fleet.workloads.deepracer.course import Course
from fleet.workloads.stopping import note_stop
from tests.system import engine

HYPERPARAMETERS = {"batch_size": 64, "lr": 0.0003, "num_episodes_between_training": 2}
METADATA = {"action_space": [{"steering_angle": 0, "speed": 1.0, "index": 0}], "version": "4"}
REWARD = "def reward_function(params):\n    return 1.0\n"
MOST = 40.0


class Machine:
    """One attempt after another of a run, on one volume."""

    def __init__(self, folder: Path, run: str, compose_env: Mapping[str, str], **options: Any) -> None:
        self.folder, self.run, self.attempt = folder, run, 1
        self.compose_env = dict(compose_env)
        self.options: dict[str, Any] = {"kind": "deepracer", **options}
        self.volume, self.workdir = folder / "volume", folder / "workdir"
        self.checkpoints = self.volume / "checkpoints"
        self.workdir.mkdir(parents=True)
        (self.workdir / "hyperparameters.json").write_text(json.dumps(HYPERPARAMETERS))
        (self.workdir / "model_metadata.json").write_text(json.dumps(METADATA))
        (self.workdir / "reward_function.py").write_text(REWARD)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def scratch(self) -> Path:
        """The machine's own disk, which the next one does not have."""
        return self.folder / f"machine-{self.attempt}"

    @property
    def log(self) -> str:
        """What this attempt's driver printed."""
        path = self.scratch / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def course(self) -> Course:
        return Course.model_validate_json((self.volume / "history" / "course.json").read_bytes())

    def kept(self) -> list[int]:
        """The sets in fleet's folder."""
        return sorted(int(path.name) for path in self.checkpoints.iterdir() if path.name.isdigit())

    def saved(self) -> list[int]:
        """The steps that fleet was told of as saved."""
        lines = [line for line in self.log.splitlines() if line.startswith("fleet.saved ")]
        return [int(line.split("step=")[1].split()[0]) for line in lines]

    def start(self) -> None:
        """As the agent does."""
        self.scratch.mkdir(exist_ok=True)
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        (self.scratch / "workload.json").write_text(json.dumps(self.options))
        env = {
            **os.environ,
            **self.compose_env,
            "PYTHONUNBUFFERED": "1",
            "FLEET_RUN": "racer",
            "FLEET_RUN_ID": self.run,
            "FLEET_ATTEMPT": str(self.attempt),
            "FLEET_VOLUME": str(self.volume),
            "FLEET_CHECKPOINTS": str(self.checkpoints),
            "FLEET_SAVE_REQUEST": str(self.scratch / "save-request"),
            "FLEET_ENGINE_NOTE": str(self.scratch / ENGINE_NOTE),
            "FLEET_WORKLOAD": str(self.scratch / "workload.json"),
        }
        with (self.scratch / "log").open("ab") as log:
            words = [sys.executable, "-m", "fleet.workloads"]
            self.process = subprocess.Popen(
                words, cwd=self.workdir, env=env, stdout=log, stderr=subprocess.STDOUT, preexec_fn=os.setpgrp
            )

    def next(self) -> None:
        """A new machine with the same volume."""
        self.attempt += 1
        self.start()

    def until(self, done: Callable[[], object], within: float = MOST) -> None:
        end = time.monotonic() + within
        while not done():
            ended = self.process.poll() if self.process is not None else None
            assert ended is None, f"the driver ended with {ended}\n{self.log}"
            assert time.monotonic() < end, f"it never came to pass\n{self.log}"
            time.sleep(0.05)

    def wish(self) -> None:
        """A wish for a checkpoint."""
        path = self.scratch / "save-request"
        path.write_text(f"{path.read_text() if path.exists() else ''}1")

    def terminate(self, within: float = 20.0) -> None:
        """What the agent does on a notice: SIGTERM to the group, after it said when it kills."""
        assert self.process is not None
        note_stop(self.scratch, time.time() + within)
        os.killpg(self.process.pid, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the group."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def ended(self, within: float = MOST) -> int:
        """The exit code."""
        assert self.process is not None
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the driver does not end\n{self.log}") from None

    def left(self) -> list[str]:
        """What is left of the run on the engine."""
        trainers = engine.asked("docker", "ps", "--all", "--format", "{{.Names}}", "--filter", "name=-algo-").split()
        ours = [one for one in trainers if f"RUN_ID=fleet-{self.run}-" in engine.asked("docker", "inspect", one)]
        return [*engine.left(self.run), *ours]

    def close(self) -> None:
        """Whatever became of it."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
        if self.process is not None and self.process.poll() is None:
            self.kill()
