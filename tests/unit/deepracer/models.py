"""Models to check: the example that `fleet init deepracer` writes, and what can be wrong with one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from fleet.workloads.deepracer.checking.model import CheckResult, check_folder
from fleet.workloads.deepracer.checking.process import Limits
from fleet.workloads.deepracer.checking.tracks import Tracks
from fleet.workloads.deepracer.spec import HYPERPARAMETERS, METADATA, REWARD, DeepRacer

EXAMPLE = Path(__file__).parents[3] / "examples" / "deepracer"
PATIENT = Limits(call=10.0, load=20.0, total=40.0)
"""The machine may be busy: what hangs is tried with limits of its own."""


class Model:
    """A copy of the example, to break."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in (REWARD, METADATA, HYPERPARAMETERS):
            shutil.copy(EXAMPLE / name, folder / name)

    def reward(self, text: str) -> Model:
        (self.folder / REWARD).write_text(text)
        return self

    def metadata(self, **change: Any) -> Model:
        return self._change(METADATA, change)

    def hyperparameters(self, **change: Any) -> Model:
        return self._change(HYPERPARAMETERS, change)

    def actions(self, *actions: Any) -> Model:
        return self.metadata(action_space=list(actions))

    def check(self, calls: int = 400, **spec: Any) -> CheckResult:
        """With the circuit that stands in: no test of these needs a network."""
        source = spec.pop("source", None)
        limits = spec.pop("limits", PATIENT)
        draw = spec.pop("draw", False)
        routes = spec.pop("routes", Tracks(self.folder, download=None))
        return check_folder(
            self.folder,
            DeepRacer.model_validate(spec),
            routes=routes,
            source=source,
            calls=calls,
            limits=limits,
            draw=draw,
        )

    def _change(self, name: str, change: dict[str, Any]) -> Model:
        value = {**json.loads((self.folder / name).read_text()), **change}
        kept = {key: one for key, one in value.items() if one is not ...}
        (self.folder / name).write_text(json.dumps(kept, indent=2))
        return self


def codes(result: CheckResult, severity: str = "error") -> list[str]:
    """What was found, but for the circuit that stands in."""
    return [one.code for one in result.findings if one.severity == severity and one.code != "track-stand-in"]
