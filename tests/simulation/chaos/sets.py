"""A training whose checkpoint is several files that belong together, in a folder that is renamed when it is whole.

One that finds half a set crashes: a folder put back file by file shows.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable

from fleet.agent.logfile import LogFile
from tests.simulation.chaos.training import Training

PARTS = ("optimizer.json", "weights.json")


class SetTraining(Training):
    """Saves ``set-<step>``, and removes the set before it."""

    def __init__(
        self, env: dict[str, str], clock: Callable[[], float], log: LogFile, skew: float, full: Callable[[], bool]
    ) -> None:
        super().__init__(env, clock, log, skew, full)
        sets = sorted(self._folder.glob("set-*"))
        if sets:
            parts = [json.loads(path.read_text()) for path in sorted(sets[-1].iterdir())]
            if len(parts) != len(PARTS) or parts[0] != parts[1]:
                self.code = 1
                self._say(f"{sets[-1].name} is not whole", clock())
                return
            self.step, self._value = int(parts[0]["step"]), str(parts[0]["value"])

    def _save(self, at: float) -> None:
        fresh = self._folder / f"set-{self.step:06d}"
        older = [path for path in self._folder.glob("set-*") if path != fresh]
        temporary = self._folder / ".tmp-set"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        for part in PARTS:
            (temporary / part).write_text(json.dumps({"step": self.step, "value": self._value}))
            os.utime(temporary / part, (at + self._skew, at + self._skew))
        shutil.rmtree(fresh, ignore_errors=True)
        temporary.rename(fresh)
        for path in older:
            shutil.rmtree(path)
        self._say(f"fleet.saved step={self.step} at={at + self._skew:.6f}", at)
