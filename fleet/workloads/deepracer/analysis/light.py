"""Episodes summed up without pandas, which takes a second to import and as long again for a long training: for who looks
again and again. The sums are deepracer-utils', to the last digit that anybody is told; a test holds them together.
"""

from __future__ import annotations

import numpy as np

from fleet.workloads.deepracer.analysis.steps import STATUSES, Steps, Whole
from fleet.workloads.deepracer.analysis.tables import Summed
from fleet.workloads.deepracer.analysis.traced import Tracks

_PREPARE = STATUSES.index("prepare")


def summed(tracks: Tracks) -> list[Summed]:
    """Each of the episodes, in the order of ``tracks.drives``."""
    found: dict[int, Summed] = {}
    for steps, drive, _ in tracks.pieces:
        if len(steps):
            found.update(_summed(steps, drive))
    return [found[number] for number in range(len(tracks.drives))]


def _summed(steps: Steps, drive: Whole) -> dict[int, Summed]:
    begins = np.flatnonzero(np.r_[True, np.diff(drive) != 0])
    took = np.diff(steps.at, prepend=steps.at[:1])
    took[begins] = 0.0
    took[steps.status == _PREPARE] = 0.0  # put back onto the track: the time before it is no driving
    rewards, seconds = np.add.reduceat(steps.reward, begins), np.add.reduceat(took, begins)
    rewards = np.where(np.isfinite(rewards), rewards, np.nan)
    progress = np.maximum.reduceat(steps.progress, begins)
    columns = zip(drive[begins].tolist(), rewards.tolist(), progress.tolist(), seconds.tolist(), strict=True)
    return {number: Summed(reward, far, max(0.0, time)) for number, reward, far, time in columns}
