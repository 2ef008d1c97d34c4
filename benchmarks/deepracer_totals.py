"""fleet's totals of log-guru's sample logs, beside those that log-guru publishes of them.

    python -m benchmarks.deepracer_totals FOLDER

FOLDER is `tests/system_tests/resources/file_parsing` of github.com/aws-deepracer-community/deepracer-log-guru. A log that
is not there is named and passed over. Its completion is the progress of an episode's last step but one: it is reckoned so
here, and the one that `fleet deepracer stats` tells stands beside it. The last two are of two and of four workers together.
"""

from __future__ import annotations

import json
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from statistics import fmean
from typing import Any

from fleet.workloads.deepracer.analysis.analysing import analyse
from fleet.workloads.deepracer.analysis.model import Analysis
from fleet.workloads.deepracer.analysis.opening import read_paths
from fleet.workloads.deepracer.analysis.recording import Recording

ENDING = ".meta.json"
TOGETHER = {
    "test_load_two_worker_log_files.json": ("1.mh77xxe*", "2.pleai77*"),
    "test_load_four_worker_log_files.json": ("1.qwctpyy*", "2.439iylb*", "3.kngqw8n*", "4.4fswvtm*"),
}
"""Logs of several workers, by the file in `file_loading` that tells what they come to together."""
NEAR = 1e-6
"""Of a figure: theirs are printed from floats, too."""


def main() -> int:
    """A line for each log; 1 if any total differs."""
    root, other = Path(sys.argv[1]), 0
    for published in sorted((root / "expected_output").glob(f"*{ENDING}")):
        log = root / "input_log_files" / published.name.removesuffix(ENDING)
        if not log.is_file():
            print(f"absent   {log.name}")
            continue
        other += differs(log.name, read_log_of(log), published)
    for names, published in ((names, root.parent / "file_loading" / file) for file, names in TOGETHER.items()):
        logs = [
            path for name in names for path in sorted((root / "input_log_files").glob(f"deepracer-0_robomaker.{name}.log"))
        ]
        if len(logs) == len(names) and published.is_file():
            other += differs(f"{len(logs)} workers", read_paths([str(log) for log in logs]), published)
    return 1 if other else 0


def differs(name: str, recording: Recording, published: Path) -> bool:
    """Print how they compare."""
    found = analyse(recording)
    wanted, told = theirs(json.loads(published.read_text())), ours(recording, found)
    differ = {what: (told[what], value) for what, value in wanted.items() if not _near(told[what], value)}
    print(f"{'differs' if differ else 'equal':<8} {name}: {told['episodes']:g} episodes {differ or ''}")
    print(f"         completion {found.mean_completion_percent:.3f} %, by its reckoning {told['completion']:.3f} %")
    return bool(differ)


def read_log_of(log: Path) -> Recording:
    """The simulator's log alone, also of an archive, which has more: log-guru reads nothing else."""
    if not log.name.endswith(".tar.gz"):
        return read_paths([str(log)])
    with tempfile.TemporaryDirectory() as folder, tarfile.open(log) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.name.endswith("-robomaker.log") else None
            if file is not None:
                path = Path(folder) / PurePosixPath(member.name).name
                path.write_bytes(file.read())
                return read_paths([str(path)])
    raise SystemExit(f"{log} holds no log of a simulator")


def theirs(told: Mapping[str, Any]) -> dict[str, float]:
    """What it publishes."""
    stats = told["episode_stats"]
    return {
        "episodes": stats["episode_count"],
        "iterations": stats["iteration_count"],
        "workers": told["job"]["workers"],
        "laps": stats["success_count"],
        "mean reward": stats["average_reward"],
        "best reward": stats["best_reward"],
        "worst reward": stats["worst_reward"],
        "mean lap": stats["average_time"],
        "lap of the fewest steps": stats["best_time"],
        "fewest steps": stats["best_steps"],
        "completion": stats["average_percent_complete"],
    }


def ours(recording: Recording, found: Analysis) -> dict[str, float]:
    """The same."""
    laps = [one for one in found.training if one.is_lap]
    rewards = [one.reward for one in found.training]
    quickest = min(laps, key=lambda one: one.steps or 0, default=None)
    return {
        "episodes": found.episodes,
        "iterations": len(found.rows),
        "workers": found.workers,
        "laps": found.laps_completed,
        "mean reward": fmean(rewards),
        "best reward": max(rewards),
        "worst reward": min(rewards),
        "mean lap": fmean(one.seconds for one in laps) if laps else 0.0,
        "lap of the fewest steps": quickest.seconds if quickest is not None else 0.0,
        "fewest steps": quickest.steps or 0 if quickest is not None else 0,
        "completion": before_last(recording),
    }


def before_last(recording: Recording) -> float:
    """Mean completion as log-guru reckons it, over the episodes that had ended."""
    found: list[float] = []
    for part in recording.parts:
        for trace in part.training:
            steps = trace.steps
            for first, last in zip(steps.firsts.tolist(), steps.lasts.tolist(), strict=True):
                if steps.done[last]:
                    lap = steps.progress[last] >= 100.0
                    found.append(float(steps.progress[last if lap or first == last else last - 1]))
    return fmean(found)


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= NEAR * max(1.0, abs(other))


if __name__ == "__main__":
    sys.exit(main())
