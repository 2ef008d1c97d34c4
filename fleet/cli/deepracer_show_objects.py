"""What ``fleet deepracer plot`` and ``watch`` print with ``-o json``. Each field's docstring is its documentation."""

from __future__ import annotations

from typing_extensions import TypedDict

from fleet.cli.deepracer_stats_objects import DeepRacerFindingObject, DeepRacerStatsIterationObject


class DeepRacerMapObject(TypedDict):
    """The map of a track."""

    track: str | None
    """The world's name; null: nobody told."""
    steps: int
    """That it shows."""
    borders: bool
    """Whether the track's borders are drawn; else its route is not to be had here."""


class DeepRacerPlottedObject(TypedDict):
    """What was drawn."""

    file: str
    """The picture or the page."""
    bytes: int
    """Its size."""
    episodes: int
    """Training episodes."""
    iterations: int
    """Of training."""
    maps: list[DeepRacerMapObject]
    """One for each track of which steps are there; empty: only metrics are."""


class DeepRacerWatchedObject(TypedDict):
    """A training as it stood when something had changed."""

    source: str
    """The run, or the paths."""
    at: float
    """Seconds since 1970."""
    state: str | None
    """The run's: `training`, `launching` …; null: it is no run of fleet's."""
    ended: bool
    """Nothing more will come; this is the last line."""
    page: str | None
    """Where the live page is; null: there is none."""
    episodes: int
    """Training episodes that had ended."""
    iterations: int
    """Of which there are episodes, or the trainer's word."""
    laps_completed: int
    """Training episodes that went all the way round."""
    best_lap_seconds: float | None
    """The shortest of these; null: none."""
    mean_completion_percent: float | None
    """Over training episodes, of the lap; null: nobody told."""
    newest: DeepRacerStatsIterationObject | None
    """The newest iteration, which may be under way; null: there is none yet."""
    findings: list[DeepRacerFindingObject]
    """The gravest first; empty: nothing is to be done."""
    cost_usd: float | None
    """Of the run up to now; null: it is no run of fleet's."""
    trouble: str | None
    """Why nothing newer was seen just now; null: it was."""
