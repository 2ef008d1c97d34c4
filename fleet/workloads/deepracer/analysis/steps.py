"""Steps of the simulator as columns: one array for each thing that a step tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

STATUSES = ("", "prepare", "in_progress", "off_track", "lap_complete", "crashed", "immobilized", "time_up", "reversed",
            "pause", "park")  # fmt: skip
"""Of a step, by their codes in ``Steps.status``; the empty one: not told, as in 2019, or unknown."""

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Steps:
    """Steps as columns, equally long: at one place of each stands one step. In the order in which they were driven."""

    iteration: Whole
    """Of its part, from 0."""
    drive: Whole
    """Its episode, counted through this trace from 0: what steps are grouped by. Never falls."""
    episode: Whole
    """As written: from 0; of evaluations it may always be 0."""
    number: Whole
    """Within the episode, as written: from 1, in 2019 from 0."""
    x: Floats
    y: Floats
    """Metres."""
    heading: Floats
    steering: Floats
    """Degrees, also where 2019 wrote radians."""
    speed: Floats
    """Metres per second."""
    action: Whole
    """-1: the actions are continuous."""
    reward: Floats
    """May be no number, as the reward function returned it."""
    done: Truths
    on_track: Truths
    progress: Floats
    """Percent of the lap."""
    waypoint: Whole
    track_length: Floats
    """Metres."""
    at: Floats
    """The simulator's seconds; in 2019 seconds since 1970."""
    status: Codes
    """A place in ``STATUSES``."""
    pause: Floats
    """Seconds; nan: not told."""
    wall: Floats
    """Seconds since 1970; nan: not told."""

    def __len__(self) -> int:
        return len(self.x)

    def take(self, which: Whole | Truths) -> Steps:
        """Some of them: by their places, or by a truth for each."""
        return Steps(**{name: column[which] for name, column in self.columns().items()})

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """All columns by name."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @property
    def firsts(self) -> Whole:
        """The places of each drive's first step."""
        return np.flatnonzero(np.r_[True, np.diff(self.drive) != 0]) if len(self) else np.zeros(0, np.int64)

    @property
    def lasts(self) -> Whole:
        """The places of each drive's last step."""
        return np.flatnonzero(np.r_[np.diff(self.drive) != 0, True]) if len(self) else np.zeros(0, np.int64)


_KINDS: Mapping[str, Any] = {"Whole": np.int64, "Floats": np.float64, "Truths": np.bool_, "Codes": np.int8}


def no_steps() -> Steps:
    """Columns without a step."""
    return Steps(**{one.name: np.zeros(0, _KINDS[str(one.type)]) for one in fields(Steps)})


def joined(many: Sequence[Steps]) -> Steps:
    """One after the other, as they are: drives are counted through, iterations are kept."""
    many = [one for one in many if len(one)]
    if len(many) < 2:
        return many[0] if many else no_steps()
    shifted, count = [], 0
    for one in many:
        drive = one.drive - one.drive[0] + count
        shifted.append(replace(one, drive=drive))
        count = int(drive[-1]) + 1
    return Steps(**{item.name: np.concatenate([getattr(one, item.name) for one in shifted]) for item in fields(Steps)})
