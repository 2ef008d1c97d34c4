"""From an interruption to the first new step on `local`: with a notice, and from a kill without one.

    python benchmarks/recovery.py

Prints medians over several interruptions, the parts that are fleet's own, and the steps lost.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

ROUNDS = 7
LEAD = 2.0
TRAIN = """
import os, signal, time
from pathlib import Path
import fleet
state = Path(os.environ["FLEET_CHECKPOINTS"]) / "step"
times = Path(os.environ["FLEET_VOLUME"]) / "times"
step = int(state.read_text()) if state.exists() else 0
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
while not stop:
    time.sleep(0.02)
    step += 1
    with times.open("a") as file:
        file.write(f"{os.environ['FLEET_ATTEMPT']} {step} {time.time()}\\n")
    fleet.progress(step)
    if step % 10 == 0 or stop:
        state.with_name("step.tmp").write_text(str(step))
        state.with_name("step.tmp").replace(state)
        fleet.saved(step)
    if int(os.environ["FLEET_ATTEMPT"]) > int(os.environ["ROUNDS"]) and step % 10 == 0:
        break
"""


def main() -> None:
    """Print both."""
    for name, take_back in (
        ("notice", {"after": 1.5, "from": "training", "signals": ["notice"], "lead": LEAD}),
        ("kill", {"after": 1.5, "from": "training"}),
    ):
        with tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder:
            _measure(name, take_back, Path(folder))


def _measure(name: str, take_back: dict[str, Any], folder: Path) -> None:
    os.environ["FLEET_HOME"] = str(folder / "home")
    import fleet
    from fleet.providers.local.market import set_market
    from fleet.providers.local.provider import stop_everything

    home = folder / "home" / "local"
    set_market(home, {"kind": "schedule", "take_backs": [take_back] * ROUNDS})
    (folder / "work").mkdir()
    (folder / "work" / "train.py").write_text(TRAIN, encoding="utf-8")
    resources = {"infra": "local/here/here-a", "market": "spot"}
    job = {"name": "bench", "workdir": str(folder / "work"), "run": f"{sys.executable} train.py", "volume": {"size": "1GB"},
           "resources": resources, "envs": {"ROUNDS": str(ROUNDS)}}  # fmt: skip
    try:
        run = fleet.up(job).run
        times = next(home.glob("volumes/*/data/times")).read_text(encoding="utf-8").split("\n")
    finally:
        stop_everything(home)
    steps = [(int(a), int(s), float(t)) for a, s, t in (line.split() for line in times if line)]
    whole, parts = [], dict[str, list[float]]()
    for number in range(1, ROUNDS + 1):
        before, after = run.attempts[number], run.attempts[number + 1]
        last = max(t for a, _, t in steps if a == number)
        first = min(t for a, _, t in steps if a == number + 1)
        begun = before.notice.until - LEAD if before.notice is not None and before.notice.until is not None else last
        whole.append(first - begun)
        if before.notice is not None:
            parts.setdefault("notice seen", []).append(before.notice.seen_at - begun)
        parts.setdefault("next machine launched", []).append((after.launched_at or 0) - begun)
        parts.setdefault("restored", []).append((after.resumed.at if after.resumed else 0) - begun)
    lost = sum(a.resumed.lost_steps for a in run.attempts.values() if a.resumed is not None)
    told = ", ".join(f"{what} after {statistics.median(values):.2f} s" for what, values in parts.items())
    print(f"{name:<7} to the first new step: median {statistics.median(whole):.2f} s, worst {max(whole):.2f} s ({told}); "
          f"{lost} steps lost in {ROUNDS} interruptions")  # fmt: skip


if __name__ == "__main__":
    main()
