"""A training that costs next to nothing: each state is a hash and a float made from the state before, so that one step that
is lost, done twice or taken from another run changes the model. Standard library only: thirty of them start at once.
"""

import hashlib
import os
import signal
import time
from pathlib import Path

SAVE_EVERY, REPORT_EVERY = 20, 4
QUICK = 0.01

steps, pace = int(os.environ["STEPS"]), float(os.environ.get("PACE", "0"))
checkpoint = Path(os.environ["FLEET_CHECKPOINTS"]) / "state"
model = Path(os.environ["FLEET_VOLUME"]) / "output" / "model.txt"
hurry = Path(os.environ.get("HURRY", "/nowhere"))
"""Once this file is there, a step takes hardly any time: the state does not depend on it."""
wish = Path(os.environ.get("FLEET_SAVE_REQUEST", "/nowhere"))


def write_whole(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text)
    temporary.replace(path)


def wished() -> str:
    try:
        return wish.read_text()
    except OSError:
        return ""


stop: list[int] = []
signal.signal(signal.SIGTERM, lambda number, _frame: stop.append(number))
step, digest, value = 0, os.environ["SEED"], 0.5
if checkpoint.exists():
    told = checkpoint.read_text().split()
    step, digest, value = int(told[0]), told[1], float.fromhex(told[2])
print(f"begins at step {step}", flush=True)
asked = wished()
while step < steps and not stop:
    if pace:
        time.sleep(QUICK if hurry.exists() else pace)
    step += 1
    value = 3.99 * value * (1.0 - value)
    digest = hashlib.sha256(f"{digest} {step} {value.hex()}".encode()).hexdigest()
    if step % REPORT_EVERY == 0:
        print(f"fleet.progress step={step} value={value:.6g}", flush=True)
    if step % SAVE_EVERY == 0 or stop or step == steps or asked != wished():
        asked = wished()
        write_whole(checkpoint, f"{step} {digest} {value.hex()}")
        print(f"fleet.saved step={step} at={time.time():.6f}", flush=True)
if step < steps:
    raise SystemExit(143)  # not 0: that would say that training is done
write_whole(model, f"{digest} {value.hex()}\n")
