"""How long `fleet deepracer stats` takes for a log of 7 MB with its metrics: less than 3 s is promised, imports included.

python -m benchmarks.deepracer_stats [rounds]

The whole command from the shell. Beside it deepracer-utils alone on the same two files, as its notebooks use it: the log
read into a frame, `simulation_agg`, `TrainingMetrics.getSummary`, which judge nothing, and know no trainer. The files are
made up: 560 episodes of some 79 steps in 17 fields, a line of the reward function's own after each.
"""

from __future__ import annotations

import json
import math
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.peer import cost_of, load, paired

EPISODES, PER_ITERATION = 560, 20
SIZE = 7_000_000
"""Bytes."""
WANTED = 3.0
"""Seconds."""
PEER = """
import sys
from deepracer.logs import AnalysisUtils, SimulationLogsIO, TrainingMetrics
frame = SimulationLogsIO.load_pandas(sys.argv[1], 20)
print(len(AnalysisUtils.simulation_agg(frame)))
print(TrainingMetrics(None, fname=sys.argv[2]).getSummary().tail())
"""
HEAD = """Starting as worker 0, using world reinvent_base and configuration training_params.yaml.
Using the following hyper-parameters
{
  "batch_size": 64,
  "lr": 0.0003,
  "num_episodes_between_training": 20,
  "num_epochs": 3
}
"""


def main() -> None:
    """Print medians and what they are compared with."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder:
        log, metrics = Path(folder) / "robomaker.log", Path(folder) / "TrainingMetrics.json"
        write(log, metrics)
        env = {"AWS_DEFAULT_REGION": "us-east-1", "FLEET_HOME": f"{folder}/home"}
        words = {
            "fleet deepracer stats": [sys.executable, "-m", "fleet.cli", "deepracer", "stats", str(log), str(metrics)],
            "deepracer-utils alone": [sys.executable, "-c", PEER, str(log), str(metrics)],
        }
        for command in words.values():
            cost_of(command, env)  # files are in memory, and compiled
        costs = paired(rounds, {name: lambda _n, command=command: cost_of(command, env) for name, command in words.items()})  # type: ignore[misc]
        size = log.stat().st_size / 1e6
    print(f"a log of {size:.1f} MB and its metrics, medians of {rounds} rounds; {load()}")
    for name, cost in costs.items():
        print(f"{name:<22} {cost.wall:.2f} s, {cost.cpu:.2f} s of a core")
    ours = costs["fleet deepracer stats"].wall
    print(f"wanted: under {WANTED:g} s, {'met' if ours < WANTED else 'missed'}")


def write(log: Path, metrics: Path) -> None:
    """A training that comes further and further, as its simulator told it."""
    chance = random.Random(11)
    told = []
    steps = SIZE // (EPISODES * 160)
    with log.open("w") as file:
        file.write(HEAD)
        at = 20.0
        for episode in range(EPISODES):
            count = max(10, round(chance.gauss(steps, steps / 3)))
            progress = min(100.0, 10 + 90 * episode / EPISODES * chance.random())
            began, reward = at, 0.0
            for row, paid, now in _steps(episode, count, progress, at):
                file.write(row)
                reward, at = reward + paid, now
            if episode % PER_ITERATION == PER_ITERATION - 1:
                file.write(f"Best checkpoint number: {episode // PER_ITERATION}, Last checkpoint number: {episode // 20}\n")
            told.append(_metric(episode, reward, progress, began, at))
            at += 0.1
    metrics.write_text(json.dumps({"metrics": told, "version": 2.0, "best_model_metric": "progress"}))


def _steps(episode: int, count: int, progress: float, at: float) -> Iterator[tuple[str, float, float]]:
    for number in range(1, count + 1):
        angle = 2 * math.pi * number / count
        done = number == count
        status = "prepare" if number == 1 else "off_track" if done else "in_progress"
        paid = 0.5 + 0.5 * math.cos(angle)
        place = f"{3 * math.cos(angle):.4f},{2 * math.sin(angle):.4f},{math.degrees(angle):.4f},-10.00,1.50,5"
        rest = f"{paid:.4f},{done},{not done},{progress * number / count:.4f},{number % 118},17.67,{at:.3f},{status},0.00"
        noise = f"reward for waypoint {number % 118}: {paid:.3f} at {place[:14]}\n"
        yield f"SIM_TRACE_LOG:{episode},{number},{place},{rest}\n{noise}", paid, at
        at += 0.066


def _metric(episode: int, reward: float, progress: float, began: float, ended: float) -> dict[str, object]:
    return {
        "reward_score": round(reward),
        "metric_time": round(ended * 1000),
        "start_time": round(began * 1000),
        "elapsed_time_in_milliseconds": round((ended - began) * 1000),
        "episode": episode + 1,
        "trial": episode % PER_ITERATION + 1,
        "phase": "training",
        "completion_percentage": int(progress),
        "episode_status": "Off track",
    }


if __name__ == "__main__":
    main()
