"""A laptop whose clouds are stand-ins: the commands as a user types them, and a controller that runs beside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.aws.moto import STRANGE

CHAIN = Path(__file__).parent / "chain.py"


class Laptop:
    """Its home and its environment."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder = folder
        self.env = {key: value for key, value in os.environ.items() if key not in STRANGE}
        self.env |= {"FLEET_HOME": str(folder / "home"), "HOME": str(folder), **env}
        self.controller: subprocess.Popen[bytes] | None = None

    def story(self) -> str:
        """What a failed test is understood by."""
        log = self.folder / "controller.log"
        return log.read_text() if log.exists() else ""

    def fleet(self, *words: str, code: int = 0) -> str:
        """Type a command; what it prints."""
        told = subprocess.run(
            [sys.executable, "-m", "fleet.cli", *words], env=self.env, cwd=self.folder, capture_output=True, text=True
        )
        assert told.returncode == code, f"{words}: {told.stdout}\n{told.stderr}\n{self.story()}"
        return told.stdout

    def follow(self) -> None:
        """Let a controller run from now on."""
        with (self.folder / "controller.log").open("ab") as log:
            words = [sys.executable, "-m", "fleet.cli", "controller", "run"]
            self.controller = subprocess.Popen(words, env=self.env, cwd=self.folder, stdout=log, stderr=log)

    def run(self, name: str = "chain") -> dict[str, Any]:
        """How a run is."""
        return dict(json.loads(self.fleet("status", name, "-o", "json")))

    def until(self, what: Callable[[dict[str, Any]], object], seconds: float = 90) -> dict[str, Any]:
        """Wait until something holds of the run."""
        deadline = time.monotonic() + seconds
        while True:
            run = self.run()
            if what(run):
                return run
            assert time.monotonic() < deadline, f"{run}\n{self.story()}"
            time.sleep(0.5)

    def close(self) -> None:
        """No controller is left."""
        if self.controller is not None:
            self.controller.kill()
            self.controller.wait(10)


def twin(folder: Path, envs: Mapping[str, str]) -> bytes:
    """The model of the same training, left alone."""
    env = {**os.environ, **envs, "PACE": "0", "FLEET_VOLUME": str(folder)}
    env["FLEET_CHECKPOINTS"] = str(folder / "checkpoints")
    subprocess.run([sys.executable, "-S", "-E", str(CHAIN)], env=env, check=True, capture_output=True)
    return (folder / "output" / "model.txt").read_bytes()
