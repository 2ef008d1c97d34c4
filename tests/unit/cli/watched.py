"""A training that goes on, as the watch is tried with: nobody waits, and every look is told beforehand."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from fleet.model.errors import StoreError
from fleet.workloads.deepracer.analysis.recording import Recording, Trace
from fleet.workloads.deepracer.analysis.steps import joined
from fleet.workloads.deepracer.checking.tracks import Tracks
from tests.unit.deepracer.driving import recorded, round_and_round

NOWHERE = Tracks(None, None, None)


def training(iterations: int, share: float = 0.5, episodes: int = 3) -> Recording:
    """So many iterations round a circle."""
    pieces = [
        round_and_round(episodes, iteration=number, share=min(1.0, share + 0.1 * number), first=episodes * number)
        for number in range(iterations)
    ]
    return replace(recorded(Trace(0, "training", joined(pieces), track="circle")), cost=0.25 * iterations)


@dataclass
class Seen:
    """A source that shows one thing after the other; None: nothing has changed."""

    looks: list[Recording | StoreError | None]
    words: str = "training"
    how: str | None = None
    looked: int = field(default=0)

    def poll(self) -> Recording | None:
        """The next."""
        self.looked += 1
        found = self.looks.pop(0) if self.looks else None
        if isinstance(found, StoreError):
            raise found
        return found

    def state(self) -> tuple[str, bool]:
        """It ends once everything was shown."""
        over = not self.looks and self.how is not None
        return (self.how or "") if over else self.words, over

    def outcome(self) -> str | None:
        """How it ended."""
        return self.how


def nan_reward(recording: Recording) -> Recording:
    """The same, whose first reward is no number."""
    part = recording.parts[0]
    steps = part.traces[0].steps
    reward = steps.reward.copy()
    reward[0] = np.nan
    trace = replace(part.traces[0], steps=replace(steps, reward=reward))
    return replace(recording, parts=(replace(part, traces=(trace,)),))
