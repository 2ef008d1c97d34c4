"""From an interruption to the first new step on `local`: with a notice, and from a kill without one.

    python -m benchmarks.recovery

Prints medians over several interruptions, the parts that are fleet's own (each from the end of the one before it), and the
steps lost. Wanted: 4 s with a notice, seen within 2 s, no step lost; 8 s from a kill. What follows the restore is the
training's own start.
"""

from __future__ import annotations

import itertools
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
           "checkpoint": {"keep": 1000}, "resources": resources, "envs": {"ROUNDS": str(ROUNDS)}}  # fmt: skip
    heard: dict[tuple[str, int], float] = {}

    def hear(event: Any) -> None:
        heard.setdefault((event.type, getattr(event, "attempt", 0)), event.at)

    try:
        run = fleet.up(job, on_event=hear).run
        times = next(home.glob("volumes/*/data/times")).read_text(encoding="utf-8").split("\n")
        committed = _committed(folder / "home" / "bucket")
    finally:
        stop_everything(home)
    steps = [(int(a), int(s), float(t)) for a, s, t in (line.split() for line in times if line)]
    stages: list[dict[str, float]] = []
    for number in range(1, ROUNDS + 1):
        before, after = run.attempts[number], run.attempts[number + 1]
        last = max(t for a, _, t in steps if a == number)
        notice = before.notice
        stage = {"begun": notice.until - LEAD if notice is not None and notice.until is not None else last}
        if notice is not None:
            stage |= {"detect": notice.seen_at, "commit": committed[number]}
            stage["release"] = heard["attempt-released", number]
        stage["launch"] = after.launched_at or 0.0
        stage["restore"] = after.resumed.at if after.resumed else 0.0
        stage["first step"] = min(t for a, _, t in steps if a == number + 1)
        stages.append(stage)
    _print(name, stages, sum(a.resumed.lost_steps for a in run.attempts.values() if a.resumed is not None))


def _print(name: str, stages: list[dict[str, float]], lost: int) -> None:
    whole = [stage["first step"] - stage["begun"] for stage in stages]
    names = list(stages[0])
    parts = [
        f"{part} {statistics.median(stage[part] - stage[earlier] for stage in stages):.2f} s"
        for earlier, part in itertools.pairwise(names)
    ]
    good = statistics.median(whole) < (4 if name == "notice" else 8) and not (lost and name == "notice")
    met = "met" if good else "missed"
    print(f"{name:<7} to the first new step: median {statistics.median(whole):.2f} s, worst {max(whole):.2f} s "
          f"({', '.join(parts)}); {lost} steps lost in {len(stages)} interruptions: {met}")  # fmt: skip


def _committed(bucket: Path) -> dict[int, float]:
    """When each attempt's last checkpoint was committed: its manifest is written last."""
    found: dict[int, float] = {}
    for path in bucket.glob("runs/*/checkpoints/*/*/manifest.json"):
        number = int(path.parts[-3])
        found[number] = max(found.get(number, 0.0), path.stat().st_mtime)
    return found


if __name__ == "__main__":
    main()
