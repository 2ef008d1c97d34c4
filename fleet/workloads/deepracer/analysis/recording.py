"""What was recorded of a training, as it was read: steps as columns, episodes of the metrics, the trainer's lines.

Nothing is judged here: traces and metrics tell of the same episodes, and stand side by side. Values only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from fleet.workloads.deepracer.analysis.model import Phase
from fleet.workloads.deepracer.analysis.steps import Steps
from fleet.workloads.deepracer.metrics import Episode, Evaluated
from fleet.workloads.deepracer.signals import Signal
from fleet.workloads.deepracer.whole_run import Part, WholeRun, first_set


@dataclass(frozen=True, eq=False)
class Trace:
    """The steps of one worker, in training, or in one evaluation."""

    worker: int
    """From 0."""
    phase: Phase
    steps: Steps
    name: str = ""
    """Of training the files' common folder or the log; of an evaluation what tells it from others, such as its time."""
    track: str = ""
    """The world's name; empty: not told."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What the trainer said of one epoch. Numbers may be nan, as it said them."""

    iteration: int
    """Of its part, from 0."""
    epoch: int
    """From 0."""
    loss: float
    """The surrogate loss."""
    divergence: float
    """Kullback-Leibler, from the policy before."""
    entropy: float
    learning_rate: float


@dataclass(frozen=True, slots=True)
class Heard:
    """A line ``Training>``: the trainer's knows the iteration and not the reward, a simulator's the other way round."""

    worker: int
    episode: int
    """From 1, of a trainer over all workers."""
    iteration: int
    """Of its part, from 0; a simulator always says 0."""
    reward: float
    steps: int
    """Of the training so far."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One lap, or attempt at one, of an evaluation's metrics."""

    stream: str
    """Which evaluation: its time, as in the file's name."""
    number: int
    """From 1."""
    progress: float
    """Percent of the lap."""
    seconds: float
    status: str
    """``Lap complete``, ``In progress``, ``Off track`` …"""
    off_track: int = 0
    crashed: int = 0
    resets: int = 0
    """How often: of a trial that goes on after it."""


@dataclass(frozen=True)
class Setup:
    """What the training was told to do, as far as the files and logs say."""

    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    """By their names in hyperparameters.json; empty: not told."""
    actions: tuple[tuple[float, float], ...] = ()
    """Steering in degrees and speed in metres per second; of continuous actions the two ends. Empty: not told."""
    continuous: bool = False
    track: str = ""
    """The world's name; empty: not told."""
    race: str = ""
    """``TIME_TRIAL``, ``OBJECT_AVOIDANCE``, ``HEAD_TO_BOT``; empty: not told."""
    job: str = ""
    """``TRAINING``, ``EVALUATION`` …; empty: not told."""
    workers: int | None = None
    """How many there are; None: not told."""
    prefix: str = ""
    """In its bucket; empty: not told."""
    version: str = ""
    """Of the simulator's application."""

    def over(self, other: Setup) -> Setup:
        """What this says, and of the rest what another says."""
        told = {one.name: getattr(self, one.name) or getattr(other, one.name) for one in fields(self)}
        return Setup(**told)


@dataclass(frozen=True, eq=False)
class PartRecord:
    """What one start of the stack left behind: all workers of one prefix, one log, or one of the runs in a log."""

    name: str
    """The prefix or the file."""
    traces: tuple[Trace, ...] = ()
    """Of training one per worker, ordered; then the evaluations'."""
    episodes: tuple[Episode, ...] = ()
    """Of the metrics, all workers, training and evaluation; empty: there are none."""
    epochs: tuple[Epoch, ...] = ()
    heard: tuple[Heard, ...] = ()
    evaluated: tuple[Evaluated, ...] = ()
    """Evaluations while it trained, as the simulator's log sums them up. ``laps`` counts those of 100 %."""
    trials: tuple[Trial, ...] = ()
    """Of evaluations of their own."""
    saved: tuple[int, ...] = ()
    """The N of the sets that the trainer's log tells to be saved, in order."""
    best: int | None = None
    """The N of the best set, by the trainer's last word."""
    best_by: str = ""
    """``progress`` or ``reward``, by the metrics; empty: not told."""
    additional: int = 0
    """How often the simulator evaluated a set once more, since the last step that it trained: it waits for the trainer."""
    trouble: tuple[Signal, ...] = ()
    """What the logs tell of NaN, errors in the reward function, memory, disk and the like; the first of each kind."""
    setup: Setup = field(default_factory=Setup)
    part: Part | None = None
    """Its place in the run, with the episodes that are counted by. Always there in a Recording."""
    whole: Mapping[int, int] = field(default_factory=dict)
    """Iteration of the part → iteration of the whole run, both from 0. One that is not in it was lost: the model holds
    nothing of it, since a later part began from a set before."""

    @property
    def training(self) -> tuple[Trace, ...]:
        """The traces of training, by worker."""
        return tuple(one for one in self.traces if one.phase == "training")

    @property
    def evaluation(self) -> tuple[Trace, ...]:
        """The traces of evaluations."""
        return tuple(one for one in self.traces if one.phase == "evaluation")

    @property
    def workers(self) -> tuple[int, ...]:
        """Those of which something is there, from 0."""
        found = {one.worker for one in self.training} | {one.worker for one in self.episodes if one.phase == "training"}
        return tuple(sorted(found | ({one.worker for one in self.heard} if not found else set())))


@dataclass(frozen=True, eq=False)
class Recording:
    """All that was found."""

    source: str
    """For people: the run's name, or the paths."""
    parts: tuple[PartRecord, ...] = ()
    """In the order in which they were begun."""
    run: WholeRun = field(default_factory=WholeRun)
    """The parts as one, by their episodes."""
    problems: tuple[str, ...] = ()
    """What could not be read or does not fit together, in words."""
    cost: float | None = None
    """US dollars of the run up to now; None: it is no run of fleet's."""
    seconds: float | None = None
    """Real seconds that machines trained, by fleet's journal; None: it is no run of fleet's."""
    awaited: bool = False
    """Metrics are there in which no episode stands yet: it is a training, of which nothing is told up to now."""

    @property
    def workers(self) -> int:
        """How many drove, also those of which nothing is there."""
        told = [one.setup.workers or 0 for one in self.parts]
        return max([*told, *(worker + 1 for one in self.parts for worker in one.workers)], default=0)

    @property
    def tracks(self) -> tuple[str, ...]:
        """The worlds' names, each once, in order."""
        named = [name for one in self.parts for name in (one.setup.track, *(trace.track for trace in one.traces))]
        return tuple(dict.fromkeys(filter(None, named)))


def iterations_of(run: WholeRun, part: Part) -> dict[int, int]:
    """Iteration of the part → iteration of the whole run, of those that the model holds."""
    first = first_set(part)
    places = ((one.n - first - 1, place) for place, one in enumerate(run.iterations) if one.prefix == part.prefix)
    return dict(places)


def tied(source: str, parts: Iterable[PartRecord], run: WholeRun, problems: Iterable[str] = ()) -> Recording:
    """Parts that know their place in the run (``part``), as a recording."""
    placed = [replace(one, whole=iterations_of(run, one.part) if one.part is not None else {}) for one in parts]
    return Recording(source, tuple(placed), run, tuple(dict.fromkeys(problems)))
