"""What a training came to, as stats, plots, the watch page and programs are told it. Values only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from fleet.workloads.deepracer.faults import Fault
from fleet.workloads.deepracer.metrics import COMPLETE

Phase = Literal["training", "evaluation"]


@dataclass(frozen=True, slots=True)
class Drive:
    """One episode, of a log, of metrics, of a trace, or of several of them together."""

    phase: Phase
    worker: int
    """From 0."""
    iteration: int
    """Over the whole run, from 0: after what was lost by interruptions was left out."""
    number: int
    """Over the whole run, all workers and attempts counted through, from 0."""
    reward: float
    """The sum over its steps."""
    progress: float
    """Percent of the lap."""
    status: str
    """``Lap complete``, ``Off track``, ``Crashed``, ``Reversed``, ``Immobilized``, ``Time up``, or empty: not told."""
    seconds: float
    """Of the simulator's clock, from its start to its end; of a whole lap the lap time."""
    steps: int | None = None
    """None: only metrics are there, which do not tell."""
    start_waypoint: int | None = None
    end: tuple[float, float] | None = None
    """Metres: where the last step was."""
    end_waypoint: int | None = None
    wall_seconds: float | None = None
    """By a real clock; None: not told."""
    part: str = ""
    """The prefix or file that it came from."""
    track: str = ""

    @property
    def is_lap(self) -> bool:
        """It went all the way round."""
        return self.status == COMPLETE or (not self.status and self.progress >= 100.0)

    @property
    def is_off_track(self) -> bool:
        """It ended beside the track."""
        return self.status == "Off track"


@dataclass(frozen=True, slots=True)
class IterationRow:
    """The training episodes of one iteration, and what the trainer said of it. None: nobody told."""

    iteration: int
    """From 0."""
    episodes: int
    mean_reward: float
    """nan, and the completion too: only the trainer tells of its episodes, which knows neither."""
    mean_completion_percent: float
    laps: int
    best_lap_seconds: float | None
    mean_lap_seconds: float | None = None
    lap_spread_seconds: float | None = None
    """The standard deviation of its lap times; None below two laps."""
    off_track: int = 0
    """Episodes that ended beside the track."""
    steps: int | None = None
    steps_per_second: float | None = None
    """Of the simulator's clock."""
    real_time_factor: float | None = None
    """Simulated seconds by real seconds."""
    entropy: float | None = None
    """Of the policy, the mean over the iteration's epochs."""
    surrogate_loss: float | None = None
    kl_divergence: float | None = None
    learning_rate: float | None = None
    evaluated_percent: float | None = None
    """Mean completion of the evaluation that followed it."""
    evaluated_laps: int | None = None
    evaluated_best_lap_seconds: float | None = None

    @property
    def is_driven(self) -> bool:
        """Whether anybody told how its episodes went: only then 0 laps are none."""
        return math.isfinite(self.mean_completion_percent)


@dataclass(frozen=True, slots=True)
class ActionUse:
    """One of the actions of a discrete space, and how often training chose it."""

    number: int
    """From 0."""
    steps: int
    """Training steps that took it."""
    steering: float | None = None
    """Degrees; None: not told."""
    speed: float | None = None
    """Metres a second."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to act on."""

    code: str
    """``flat-reward``, ``falling-reward``, ``zigzag``, ``entropy-collapse``, ``stuck-car``, ``endless-evaluation``,
    ``one-track``, ``slow-real-time-factor``, ``nan``, …"""
    message: str
    """One sentence, with the number behind it and what to do."""
    value: float
    """The number."""


@dataclass(frozen=True)
class Analysis:
    """All of it."""

    drives: tuple[Drive, ...] = ()
    """Training and evaluation, in order."""
    rows: tuple[IterationRow, ...] = ()
    findings: tuple[Finding, ...] = ()
    workers: int = 0
    tracks: tuple[str, ...] = ()
    """Names of worlds, as far as they are told."""
    parts: tuple[str, ...] = ()
    """Prefixes or files, in order."""
    problems: tuple[str, ...] = ()
    """What could not be read, in words; empty if all could."""
    seconds: float | None = None
    """Real seconds that training took, without pauses between attempts."""
    cost: float | None = None
    """US dollars of the run up to now; None: it is no run of fleet's."""
    source: str = ""
    """For people: the run's name, or the path."""
    actions: tuple[ActionUse, ...] = ()
    """All of the space, by their numbers; empty: continuous, or not told."""
    waiting: int = 0
    """Evaluations in a row, up to the end, that were only driven because no new set came; 0: none, or nobody told."""
    not_numbers: tuple[str, ...] = ()
    """Where a loss, an entropy or a reward was no number, in words."""
    faults: tuple[Fault, ...] = ()
    """What the logs say of errors in the reward function, memory, the disk and the like; NaN is told above."""
    unfinished: int = 0
    """Episodes that had not ended where the records end: they count nowhere."""

    @property
    def training(self) -> tuple[Drive, ...]:
        """The training episodes."""
        return tuple(one for one in self.drives if one.phase == "training")

    @property
    def evaluation(self) -> tuple[Drive, ...]:
        """The evaluation episodes."""
        return tuple(one for one in self.drives if one.phase == "evaluation")

    @property
    def episodes(self) -> int:
        """Training episodes; also those that only the trainer tells of."""
        return sum(row.episodes for row in self.rows)

    @property
    def laps_completed(self) -> int:
        """Training episodes that went all the way round; where there are none, those of evaluations."""
        return sum(one.is_lap for one in self.training or self.evaluation)

    @property
    def best_lap_seconds(self) -> float | None:
        """The shortest lap of training; of a log that holds only an evaluation, of that."""
        laps = [one.seconds for one in self.training or self.evaluation if one.is_lap]
        return min(laps, default=None)

    @property
    def mean_completion_percent(self) -> float | None:
        """Over training episodes; where none are, over those of evaluations."""
        driven = self.training or self.evaluation
        return sum(one.progress for one in driven) / len(driven) if driven else None

    @property
    def cost_per_iteration(self) -> float | None:
        """US dollars."""
        return self.cost / len(self.rows) if self.cost is not None and self.rows else None
