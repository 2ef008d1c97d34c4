"""A regression in plain NumPy, without fleet's package: its protocol is files and lines on standard output."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

STEPS, BATCH, SAVE_EVERY, SEED = 400, 16, 20, 2019
PACE = float(os.environ.get("PACE", "0"))  # seconds that a step takes at least, to have something to interrupt
CHECKPOINT = Path(os.environ.get("FLEET_CHECKPOINTS", "checkpoints")) / "state.npz"
MODEL = Path(os.environ.get("FLEET_VOLUME", ".")) / "output" / "weights.npy"

random = np.random.default_rng(SEED)
truth = random.normal(size=8)
weights, momentum, step = np.zeros(8), np.zeros(8), 0


def save() -> None:
    """Write everything that the next step depends on: temporary name, fsync, rename."""
    CHECKPOINT.parent.mkdir(parents=True, exist_ok=True)
    temporary = CHECKPOINT.with_name("state.npz.tmp")
    with temporary.open("wb") as file:
        state = json.dumps(random.bit_generator.state)
        np.savez(file, step=step, weights=weights, momentum=momentum, random=state)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, CHECKPOINT)
    print(f"fleet.saved step={step}", flush=True)


def save_requested(seen: list[str] = [""]) -> bool:  # noqa: B006 - remembers between calls what it saw
    """Tell, once for each request, that fleet asks for a checkpoint: the text of a file changed."""
    try:
        request = Path(os.environ["FLEET_SAVE_REQUEST"]).read_text(encoding="utf-8")
    except (KeyError, OSError):
        return False
    new = request not in ("", seen[0])
    seen[0] = request
    return new


stop: list[bool] = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(True))  # the machine is about to go

if CHECKPOINT.exists():
    with np.load(CHECKPOINT) as state:
        step, weights, momentum = int(state["step"]), state["weights"], state["momentum"]
        random.bit_generator.state = json.loads(str(state["random"]))
print(f"begins at step {step}", flush=True)

while step < STEPS:
    features = random.normal(size=(BATCH, 8))
    error = features @ weights - (features @ truth + random.normal(0, 0.1, BATCH))
    momentum = 0.9 * momentum + features.T @ error / BATCH
    weights = weights - 0.01 * momentum
    step += 1
    time.sleep(PACE)
    print(f"fleet.progress step={step} loss={np.square(error).mean():.6g}", flush=True)
    if stop or step % SAVE_EVERY == 0 or save_requested():
        save()
    if stop:
        sys.exit(143)  # not 0: that would say that training is done

save()
MODEL.parent.mkdir(parents=True, exist_ok=True)
np.save(MODEL, weights)
