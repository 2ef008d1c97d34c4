"""What ``fleet deepracer evaluate`` and ``evaluations`` print with ``-o json``."""

from __future__ import annotations

from typing_extensions import TypedDict

from fleet.cli.objects import State


class DeepRacerLapObject(TypedDict):
    """One lap of an evaluation, or as far as the car came."""

    lap: int
    """On its track, from 1."""
    completion_percent: float
    """Of the lap; 100: all of it."""
    seconds: float
    """By the simulator's clock, penalties included."""
    status: str
    """In the simulator's words; empty: it has none (2019). Of a whole lap it may say "In progress"."""
    off_track: int
    """So often the car left the track."""
    crashes: int
    """So often it hit something."""
    resets: int
    """So often it was put back, or its lap ended for it."""


class DeepRacerOnTrackObject(TypedDict):
    """An evaluation's laps on one track."""

    track: str
    """The world's name."""
    done: bool
    """All laps were driven."""
    trials: int
    """Laps that were begun and ended."""
    laps_completed: int
    """Of them, those that were driven to their end."""
    mean_completion_percent: float | None
    """Over all trials; null: there is none yet."""
    best_lap_seconds: float | None
    """The fastest whole lap; null: there is none."""
    mean_lap_seconds: float | None
    """The mean of the whole laps; null: there is none."""
    off_track: int
    """So often the car left the track, over all trials."""
    at: float | None
    """When the last lap ended; null: not all are driven."""
    laps: list[DeepRacerLapObject]
    """All trials, in their order."""


class DeepRacerEvaluationObject(TypedDict):
    """An evaluation: the laps that one set of a model drove."""

    run: str
    """The id of the run that drove them."""
    state: State
    """What that run does, or how it ended."""
    model: str
    """As the evaluation was told to call it: a run's name, or a folder's."""
    set: int | None
    """The N of the set that drove; null: it was not looked for yet."""
    checkpoint: str | None
    """That set's name, `N_Step-Y.ckpt`; null: it was not looked for yet."""
    race: str
    """`TIME_TRIAL`, `OBJECT_AVOIDANCE` or `HEAD_TO_BOT`."""
    laps: int
    """Wanted on each track."""
    resets: int
    """So often a car is put back within a lap; 0: its lap ends where it leaves the track."""
    created_at: float
    """When it was started."""
    cost_usd: float
    """What its run has cost until now."""
    tracks: list[DeepRacerOnTrackObject]
    """In the order in which they are driven on."""
