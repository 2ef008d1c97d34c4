"""What an evaluation came to: its laps on each track, as the simulator's metrics tell them. Pure.

``EvaluationMetrics-<time>.json`` is written anew after each lap. Its entries have neither reward nor phase, and of the
status it may say "In progress" of a lap that was completed (real ones do): the percentage tells.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fleet.model.base import MOST_STEPS, Seconds, Steps

RESULTS = "evaluation.json"
"""In each of the run's checkpoints, and beside the files that it hands over."""
WHOLE = 100.0
"""Percent of a lap."""


class _Lenient(BaseModel):
    """A value that a newer fleet may have written: what is not known is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Trial(_Lenient):
    """One lap, or as far as the car came."""

    number: int = Field(ge=1, le=MOST_STEPS)
    """On its track, from 1."""
    progress: float
    """Percent of the lap, whole numbers rounded down."""
    seconds: Seconds
    """By the simulator's clock, penalties included."""
    status: str = ""
    """In the simulator's words; 2019's has none."""
    off_track: int = Field(default=0, ge=0, le=MOST_STEPS)
    """So often the car left the track."""
    crashes: int = Field(default=0, ge=0, le=MOST_STEPS)
    resets: int = Field(default=0, ge=0, le=MOST_STEPS)
    """So often it was put back, or its lap ended for it: off the track, crashed, standing still or driving backwards."""

    @property
    def complete(self) -> bool:
        """The whole lap was driven."""
        return self.progress >= WHOLE

    def told(self) -> str:
        """For people, in one line."""
        end = "" if self.complete or not self.status else f" ({self.status.lower()})"
        back = f", {self.resets} resets" if self.complete and self.resets else ""
        return f"lap {self.number}: {self.progress:.0f} % in {self.seconds:.3f} s{end}{back}"


class OnTrack(_Lenient):
    """The laps on one track."""

    track: str
    prefixes: tuple[str, ...] = ()
    """Below which metrics and traces lie, in the run's history: another one for each start of the simulator."""
    trials: tuple[Trial, ...] = ()
    began_at: Seconds = 0.0
    ended_at: Seconds | None = None
    """When all laps were driven; None: they are not."""

    @property
    def laps(self) -> list[Trial]:
        """Those that were completed."""
        return [one for one in self.trials if one.complete]

    @property
    def progress(self) -> float | None:
        """Percent, the mean of all trials; None without one."""
        return _mean([one.progress for one in self.trials])

    @property
    def best(self) -> Seconds | None:
        """The fastest lap; None if there is none."""
        return min((one.seconds for one in self.laps), default=None)

    @property
    def mean(self) -> Seconds | None:
        """Of the completed laps."""
        return _mean([one.seconds for one in self.laps])

    @property
    def off_track(self) -> int:
        """So often the car left the track, over all laps."""
        return sum(one.off_track for one in self.trials)


class Evaluation(_Lenient):
    """A run's results so far."""

    v: Literal[1] = 1
    run: str
    model: str = ""
    set: Steps | None = None
    """The N of the set that drives; None: it has not been looked for yet."""
    stem: str = ""
    """The set's name: ``N_Step-Y.ckpt``."""
    race: str = "TIME_TRIAL"
    resets: int = 0
    laps: int = 0
    """Wanted on each track."""
    tracks: tuple[OnTrack, ...] = ()
    """In the order in which they were begun."""
    images: dict[str, str] = Field(default_factory=dict)
    """By role, with the digests that the run's first attempt found."""

    @property
    def done(self) -> int:
        """Trials driven, on all tracks."""
        return sum(len(one.trials) for one in self.tracks)

    def on(self, track: str) -> OnTrack | None:
        """The results of a track."""
        return next((one for one in self.tracks if one.track == track), None)

    def left(self, tracks: Sequence[str]) -> list[str]:
        """Those that are not finished, in their order."""
        done = {one.track for one in self.tracks if one.ended_at is not None}
        return [track for track in tracks if track not in done]

    def with_track(self, new: OnTrack) -> Evaluation:
        """The same with newer results of a track."""
        if self.on(new.track) is None:
            return self.model_copy(update={"tracks": (*self.tracks, new)})
        return self.model_copy(update={"tracks": tuple(new if one.track == new.track else one for one in self.tracks)})

    def data(self) -> bytes:
        """As it is kept."""
        return self.model_dump_json(indent=1).encode()


def parse_results(data: bytes | None, run: str | None = None) -> Evaluation | None:
    """Results that were kept; None if there are none, none that can be read, or another run's."""
    if data is None:
        return None
    try:
        found = Evaluation.model_validate_json(data)
    except ValidationError:
        return None
    return found if run in (None, found.run) else None


def read_trials(data: bytes | str) -> tuple[Trial, ...]:
    """The laps of a metrics file, of today's form and of 2019's. Never raises: what cannot be read is left out."""
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        return ()
    entries = told.get("metrics") if isinstance(told, dict) else None
    found = [trial_of(one, number) for number, one in enumerate(entries if isinstance(entries, list) else (), 1)]
    return tuple(one for one in found if one is not None)


def trial_of(told: Any, number: int) -> Trial | None:
    """An entry of the file; ``number``: if it does not say its own. None: it is not whole, or no lap."""
    if not isinstance(told, Mapping):
        return None
    try:
        return Trial(
            number=int(told.get("trial") or number),
            progress=_number(told["completion_percentage"]),
            seconds=_number(told["elapsed_time_in_milliseconds"]) / 1000,
            status=str(told.get("episode_status") or ""),
            off_track=_count(told, "off_track_count"),
            crashes=_count(told, "crash_count"),
            resets=_count(told, "reset_count"),
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _count(told: Mapping[str, Any], key: str) -> int:
    return int(_number(told.get(key) or 0))


def _number(value: Any) -> float:
    found = float(value)
    if not math.isfinite(found):
        raise ValueError(f"{value} is no number")
    return found


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
