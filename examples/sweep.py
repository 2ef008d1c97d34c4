"""Three short trainings one after another, from Python: which learning rate is best?  Run it: python examples/sweep.py"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import fleet

TRAIN = """
import os, pathlib
rate, x = float(os.environ["RATE"]), 5.0
state = pathlib.Path(os.environ["FLEET_CHECKPOINTS"]) / "x"
if state.exists():
    x = float(state.read_text())
for step in range(1, 21):
    x -= rate * 2 * x
    state.with_name("x.tmp").write_text(repr(x))
    state.with_name("x.tmp").replace(state)
    print(f"fleet.progress step={step} loss={x * x}", flush=True)
"""


def main() -> None:
    """Train with each rate, and read the last loss from the log."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "train.py").write_text(TRAIN, encoding="utf-8")
        losses = {}
        for rate in ("0.01", "0.1", "0.4"):
            name = f"sweep-{rate.replace('.', '-')}"
            job = {
                "name": name,
                "workdir": folder,
                "run": "python train.py",
                "envs": {"RATE": rate},
                "volume": {"size": "1GB"},
            }
            done = fleet.up(job)
            losses[rate] = float(re.findall(r"loss=(\S+)", fleet.logs(name).decode())[-1])
            print(f"rate {rate}: {done.run.outcome}, loss {losses[rate]:.3g}")
    print(f"best: {min(losses, key=lambda rate: losses[rate])}")


if __name__ == "__main__":
    main()
