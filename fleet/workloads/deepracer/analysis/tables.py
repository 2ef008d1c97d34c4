"""Steps as deepracer-utils has them, and what it makes of them. pandas is imported only when there are steps to sum up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fleet.model.errors import FleetError
from fleet.workloads.deepracer.analysis.steps import STATUSES, Floats, Steps, Whole, joined
from fleet.workloads.deepracer.analysis.traced import Traced, Tracks

NAMES = {"number": "steps", "x": "x", "y": "y", "heading": "yaw", "steering": "steering_angle", "speed": "speed",
         "action": "action", "reward": "reward", "done": "done", "on_track": "on_track", "progress": "progress",
         "waypoint": "closest_waypoint", "track_length": "track_len", "at": "tstamp", "pause": "pause_duration",
         "wall": "wall_clock"}  # fmt: skip
"""A column's name here → its name in deepracer-utils."""
_STATUSES = np.array([name or "in_progress" for name in STATUSES], dtype=object)


@dataclass(frozen=True, slots=True)
class Summed:
    """An episode's steps, summed up by deepracer-utils."""

    reward: float
    progress: float
    """Percent of the lap: the most that it came to."""
    seconds: float
    """From the first step to the last, without the pauses before a restart on the track."""


def frame_of(tracks: Tracks) -> Any:
    """A pandas frame of all steps, with deepracer-utils' columns. ``unique_episode``: the place in ``tracks.drives``.

    Raises FleetError if pandas is not there.
    """
    pandas = _pandas()
    steps = joined([piece for piece, _, _ in tracks.pieces])
    drive = _whole([number for _, number, _ in tracks.pieces])
    table: dict[str, Any] = {name: getattr(steps, own) for own, name in NAMES.items()}
    workers = np.array([one.worker for one in tracks.drives], np.int64)
    first = np.r_[True, np.diff(drive) != 0][: len(drive)]
    status = _STATUSES[steps.status]
    status[first] = "prepare"  # 2019 does not say it; without it the time of the reset before would count
    return pandas.DataFrame(
        {
            "iteration": _whole([whole for _, _, whole in tracks.pieces]),
            "episode": steps.episode,
            **table,
            "episode_status": status,
            "worker": workers[drive],
            "unique_episode": drive,
        }
    )


def summed(tracks: Tracks) -> list[Summed]:
    """Each of the episodes, by deepracer-utils' ``simulation_agg``; in the order of ``tracks.drives``.

    Raises FleetError if deepracer-utils is not there.
    """
    if not tracks.drives:
        return []
    utils = _utils()
    frame = frame_of(tracks)
    frame["new_reward"] = frame["reward"]  # else it prints that there is none
    table = utils.simulation_agg(frame, secondgroup="unique_episode").sort_values("unique_episode")
    reward, progress, seconds = (table[name].to_numpy() for name in ("reward", "progress", "time"))
    no_numbers = np.zeros(len(table), bool)
    spoilt = ~np.isfinite(frame["reward"].to_numpy())
    no_numbers[frame["unique_episode"].to_numpy()[spoilt]] = True
    reward = np.where(no_numbers, np.nan, reward)  # pandas passes over what is no number
    return [
        Summed(float(one), float(part), max(0.0, float(took)))
        for one, part, took in zip(reward, progress, seconds, strict=True)
    ]


def real_time_factor(steps: Steps) -> float | None:
    """Simulated seconds by real seconds, of one worker's steps; None: nobody wrote the real ones.

    As deepracer-utils reckons it: over all steps but those at which a clock was set back.
    """
    return _factor(steps.at, steps.wall)


def _factor(at: Floats, wall: Floats) -> float | None:
    known = np.isfinite(wall) & (wall != at)  # 2019 has the real clock only
    order = np.argsort(at[known], kind="stable")
    simulated, real = np.diff(at[known][order]), np.diff(wall[known][order])
    counts = (simulated >= 0) & (real > 0)
    total = float(real[counts].sum())
    return float(simulated[counts].sum()) / total if total > 0 else None


def factors(tracks: Tracks) -> dict[int, float]:
    """Iteration → real-time factor of training, the mean over workers."""
    found: dict[int, list[float]] = {}
    for steps, drive, whole in tracks.pieces:
        if not len(steps) or tracks.drives[int(drive[0])].phase != "training":
            continue
        order = np.argsort(whole, kind="stable")
        at, wall, sorted_whole = steps.at[order], steps.wall[order], whole[order]
        iterations, begins = np.unique(sorted_whole, return_index=True)
        for iteration, begin, end in zip(iterations.tolist(), begins, [*begins[1:], len(order)], strict=True):
            factor = _factor(at[begin:end], wall[begin:end])
            if factor is not None:
                found.setdefault(iteration, []).append(factor)
    return {iteration: sum(many) / len(many) for iteration, many in found.items()}


def taken(tracks: Tracks) -> Whole:
    """The actions of all training steps; -1: it is continuous."""
    many = [steps.action for steps, drive, _ in tracks.pieces if len(drive) and _trains(tracks.drives[int(drive[0])])]
    return np.concatenate(many) if many else np.zeros(0, np.int64)


def _trains(drive: Traced) -> bool:
    return drive.phase == "training"


def _whole(many: Sequence[Whole]) -> Whole:
    return np.concatenate(many) if many else np.zeros(0, np.int64)


def _pandas() -> Any:
    try:
        import pandas
    except ImportError:
        raise _missing() from None
    return pandas


def _utils() -> Any:
    try:
        from deepracer.logs import AnalysisUtils
    except ImportError:
        raise _missing() from None
    return AnalysisUtils


def _missing() -> FleetError:
    return FleetError("traces are summed up by deepracer-utils, which is not installed", "pip install 'fleet[deepracer]'")
