"""What a job says of a DeepRacer training, under ``workload:``."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from fleet.model.base import Frozen
from fleet.model.units import Duration

REWARD, METADATA, HYPERPARAMETERS = "reward_function.py", "model_metadata.json", "hyperparameters.json"
"""The files of a model's folder, which is the job's workdir."""


class Images(Frozen):
    """Images other than the built-in ones: ``name@sha256:…`` stays what it is, ``name:tag`` may change (fleet warns)."""

    simapp: str | None = None
    """Today's stack: coach, trainer and simulator are one image."""
    coach: str | None = None
    """2019 only."""
    trainer: str | None = None
    """2019 only."""
    simulator: str | None = None
    """2019 only."""
    s3: str | None = None
    """The S3 look-alike on the instance."""


class OnNan(Frozen):
    """What is done once a loss is no number."""

    retries: int = Field(default=2, ge=0, le=10)
    """So often at most, over the whole run; after that the run fails, and says why."""
    back: int = Field(default=2, ge=1, le=20)
    """Training goes on from the whole set that is so many before the newest."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1.0
    """The learning rate is multiplied by this each time."""


class Until(Frozen):
    """When training has succeeded; whichever is first. Neither: it goes on until it is stopped or its budget ends."""

    iterations: Annotated[int, Field(ge=1)] | None = None
    """Policy training iterations (the N of ``N_Step-Y.ckpt``), counted over the whole run."""
    duration: Duration | None = None
    """Training time, over the whole run, without boots."""


_WORLD = re.compile(r"\w[\w.+-]{0,99}", re.ASCII)


def _worlds(names: tuple[str, ...]) -> tuple[str, ...]:
    """They become parts of files' names on the machine."""
    for name in names:
        if _WORLD.fullmatch(name) is None:
            raise ValueError(f"{name[:100]!r} is no name of a world: letters, digits, _, -, . and + (reinvent_base)")
    return names


def _each_once(worlds: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(worlds))


class Evaluate(Frozen):
    """Instead of training: laps with the model that ``pretrained`` names, on one track after another."""

    tracks: Annotated[
        tuple[str, ...], Field(min_length=1, max_length=16), AfterValidator(_worlds), AfterValidator(_each_once)
    ]
    """Names of worlds."""
    laps: int = Field(default=5, ge=1, le=1000)
    """On each track."""
    checkpoint: Literal["best", "last"] | Annotated[int, Field(ge=0)] = "last"
    """Which of the model's whole sets drives: what its trainer says is best, the newest, or the one with this N."""
    resets: int = Field(default=0, ge=0, le=10_000)
    """A car that leaves the track, crashes or stands still is put back so often in a lap, with a penalty in time; 0: its lap
    ends there. The simulator knows no 1."""
    model: str = ""
    """How the results name the model; else as ``pretrained`` does."""

    @model_validator(mode="after")
    def _not_one_reset(self) -> Evaluate:
        if self.resets == 1:
            raise ValueError("resets: the simulator refuses 1: say 0 (a lap ends off the track), or 2 and more")
        return self


def _in_quotes(value: object) -> object:
    """YAML takes ``2019`` for a number unless it is quoted, and nobody means one."""
    return "2019" if type(value) is int and value == 2019 else value


class DeepRacer(Frozen):
    """``workload: {kind: deepracer, …}``."""

    kind: Literal["deepracer"] = "deepracer"
    tracks: Annotated[tuple[str, ...], Field(min_length=1, max_length=16), AfterValidator(_worlds)] = ("reinvent_base",)
    """Names of worlds; simulator workers take them in turn."""
    race: Literal["TIME_TRIAL", "OBJECT_AVOIDANCE", "HEAD_TO_BOT"] = "TIME_TRIAL"
    stack: Annotated[Literal["today", "2019"], BeforeValidator(_in_quotes)] = "today"
    device: Literal["auto", "cpu", "gpu"] = "auto"
    workers: int = Field(default=1, ge=1, le=16)
    """Simulators that drive at the same time."""
    storage: Literal["instance", "bucket"] = "instance"
    """Where the stack keeps what it writes: an S3 look-alike beside it, or straight the run's own bucket."""
    launcher: Literal["coach", "direct"] = "coach"
    """Who starts the trainer: rl_coach through docker's socket, as everybody does, or fleet itself (an experiment)."""
    pretrained: str | None = None
    """A folder or a bucket prefix (``s3://…``) of an earlier model to begin from. The source is left as it is."""
    nan: OnNan = OnNan()
    until: Until = Until()
    evaluate: Evaluate | None = None
    """Laps instead of training."""
    keep_sets: int = Field(default=4, ge=2)
    """Whole sets kept on the volume, beside the best and those in use."""
    clean_above: Annotated[float, Field(gt=0, le=1)] = 0.85
    """Share of the volume in use above which what a resume never needs is cleaned away."""
    images: Images = Images()
    env: dict[str, str] = Field(default_factory=dict)
    """More variables for the simulator (``RTF_OVERRIDE``, ``GAZEBO_ARGS``, …)."""

    @model_validator(mode="after")
    def _has_a_model_to_evaluate(self) -> DeepRacer:
        if self.evaluate is not None and self.pretrained is None:
            raise ValueError("evaluate: which model? Write `pretrained:`, a folder in the workdir or s3://bucket/prefix")
        return self
