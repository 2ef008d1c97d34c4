"""Analyses as findings are tried with: trainings made up from a curve, and the healthy ones that were really driven."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest

from fleet.workloads.deepracer.analysis.analysing import analyse
from fleet.workloads.deepracer.analysis.logs import read_log
from fleet.workloads.deepracer.analysis.model import Analysis, Drive, IterationRow
from fleet.workloads.deepracer.analysis.numbering import by_count
from fleet.workloads.deepracer.analysis.recording import PartRecord, Recording
from fleet.workloads.deepracer.metrics import Episode, read_metrics
from tests.system.traces import folder

HEALTHY = (
    "drfc-1/metrics/TrainingMetrics.json",
    "droa/training-metrics.json",
    "console/training-20220611205309-EHNgTNY2T9-77qXhqjBi6A.json",
)
"""Metrics of real trainings that came from nothing to whole laps."""


@lru_cache(maxsize=1)
def _shared() -> Path | None:
    traces = folder()
    return traces.parent / "deepracer" if traces is not None else None


def data(name: str) -> Path:
    """A file or folder of the shared data; the test, or its whole file, is skipped where it is not at hand."""
    shared = _shared()
    if shared is None:
        pytest.skip("the real logs are not at hand: ../shared/data", allow_module_level=True)
    assert (shared / name).exists(), shared / name
    return shared / name


def drive(iteration: int = 0, number: int = 0, **told: object) -> Drive:
    """An episode like most: a quarter of the lap, then off the track."""
    usual = Drive("training", 0, iteration, number, 20.0, 25.0, "Off track", 4.0)
    return replace(usual, **told)  # type: ignore[arg-type]


def curve(rewards: Sequence[float], completion: Sequence[float] | None = None, episodes: int = 20) -> Analysis:
    """A training with these means. An iteration's episodes scatter by a third, as those of real ones do, around them."""
    chance = random.Random(7)
    completion = completion or [30.0] * len(rewards)
    drives: list[Drive] = []
    rows = []
    for iteration, (mean, percent) in enumerate(zip(rewards, completion, strict=True)):
        scatter = [chance.gauss(0.0, abs(mean) / 3) for _ in range(episodes)]
        off = sum(scatter) / episodes
        drives += [
            drive(iteration, len(drives) + at, reward=mean + one - off, progress=percent) for at, one in enumerate(scatter)
        ]
        rows.append(IterationRow(iteration, episodes, mean, percent, 0, None))
    return Analysis(drives=tuple(drives), rows=tuple(rows), workers=1)


def with_rows(analysis: Analysis, **columns: Sequence[object]) -> Analysis:
    """The same with these values in its rows."""
    rows = list(analysis.rows)
    for name, values in columns.items():
        rows = [replace(row, **{name: value}) for row, value in zip(rows, values, strict=True)]  # type: ignore[arg-type]
    return replace(analysis, rows=tuple(rows))


def driven(name: str, iterations: int | None = None) -> Analysis:
    """A real training by its metrics; up to an iteration, as whoever watches it sees it then."""
    told = read_metrics(data(name).read_bytes()).episodes
    told = tuple(one for one in told if iterations is None or one.iteration < iterations)
    held = {one.iteration: one.iteration for one in told}
    return analyse(Recording(name, (PartRecord(name, episodes=told, whole=held),)))


def lines(
    episode: int, *, steps: int = 5, reward: float = 1.0, progress: float = 25.0, status: str = "off_track",
    begins: float = 100.0, wall: float | None = None, action: str = "0",
) -> str:  # fmt: skip
    """An episode as the simulator prints it: ten steps a second; ``wall``: real seconds to a simulated one."""
    rows = []
    for number in range(1, steps + 1):
        last = number == steps
        at = begins + (number - 1) / 10
        state = "prepare" if number == 1 else status if last else "in_progress"
        x, far = number / 10, progress * number / steps
        row = f"{episode},{number},{x:.4f},2.0,0.0,0.00,1.00,{action},{reward:.4f},{last},{not last},{far:.4f},{number},20.0"
        row += f",{at:.3f},{state},0.00" + (f",0,{1.7e9 + (at - begins) * wall:.4f}" if wall is not None else "")
        rows.append(f"SIM_TRACE_LOG:{row}")
    return "\n".join(rows) + "\n"


def recorded(
    *logs: str, episodes: Sequence[Episode] = (), held: Mapping[int, int] | None = None, per: int = 20, **part: object
) -> Recording:
    """One part of these logs, one a worker, with so many episodes in an iteration, and metrics."""
    traces = []
    for worker, text in enumerate(logs):
        for one in read_log(text.encode(), "robomaker.log", worker).parts[0].traces:
            traces.append(replace(one, worker=worker, steps=by_count(one.steps, per)))
    own = {int(at) for one in traces for at in one.steps.iteration} | {one.iteration for one in episodes}
    whole = {at: at for at in sorted(own)} if held is None else held
    record = PartRecord("shanghai-1", tuple(traces), tuple(episodes), whole=whole)
    return Recording("shanghai-1", (replace(record, **part),))  # type: ignore[arg-type]


def told(number: int, iteration: int = 0, **known: object) -> Episode:
    """An episode of the metrics: whole numbers."""
    usual = Episode(0, number, iteration, "training", 5.0, 25.0, "Off track", 100.0, 100.5)
    return replace(usual, **known)  # type: ignore[arg-type]
