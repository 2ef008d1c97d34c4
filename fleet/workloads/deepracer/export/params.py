"""training_params.yaml of a model that goes to a bucket: it names that bucket, and where in it things lie. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fleet.model.errors import FleetError
from fleet.workloads.deepracer.params import PARAMS, params_yaml, training_params
from fleet.workloads.deepracer.place import Place
from fleet.workloads.deepracer.prefix import S3Place
from fleet.workloads.deepracer.spec import METADATA, REWARD, DeepRacer

_OF_MACHINE = ("S3_ENDPOINT_URL", "KINESIS_VIDEO_STREAM_NAME", "ROBOMAKER_SIMULATION_JOB_ACCOUNT_ID", "TRAINING_JOB_ARN")
"""What meant something only where it was trained: the look-alike's address among it."""
_NUMBERS = ("NUMBER_OF_OBSTACLES",)
_SWITCHES = ("RANDOMIZE_OBSTACLE_LOCATIONS", "TRACK_DIRECTION_CLOCKWISE")
_WAYS = {"_cw": True, "_ccw": False}
"""How names of worlds end that are driven one way; DeepRacer on AWS tells the way apart from the track."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Where a model goes in a bucket."""

    bucket: str
    prefix: str


def bound_params(data: bytes, bound: Bound | None, *, typed: bool = False) -> bytes:
    """The same parameters for another place. ``typed``: as DeepRacer on AWS reads them, which does not take texts for
    numbers. Raises FleetError if they cannot be read."""
    try:
        said = yaml.safe_load(data.decode("utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        told = str(error).splitlines()[0]
        raise FleetError(f"the model's {PARAMS} cannot be read: {told}", "Mend it, or take it away.") from None
    if not isinstance(said, dict):
        raise FleetError(f"the model's {PARAMS} names no values", "Mend it, or take it away.")
    return _written({str(key): value for key, value in said.items()}, bound, typed=typed)


def made_params(spec: DeepRacer, bound: Bound | None, *, typed: bool = False) -> bytes:
    """Of a model whose parameters are gone: what its job says."""
    where = bound or Bound("none", "none")
    place = Place(
        project="",
        run="",
        prefix=where.prefix,
        pretrained=None,
        pretrained_checkpoint="last",
        bucket=where.bucket,
        s3=S3Place(where.bucket),
        own=Path(),
        volume=Path(),
        device="cpu",
    )
    said = training_params(spec.model_copy(update={"stack": "today"}), place)
    return _written(dict(said), bound, typed=typed)


def _written(said: dict[str, Any], bound: Bound | None, *, typed: bool) -> bytes:
    for key in _OF_MACHINE:
        said.pop(key, None)
    if bound is not None:
        said |= dict.fromkeys(("METRICS_S3_BUCKET", "SAGEMAKER_SHARED_S3_BUCKET", "SIMTRACE_S3_BUCKET"), bound.bucket)
        said |= dict.fromkeys(("SAGEMAKER_SHARED_S3_PREFIX", "SIMTRACE_S3_PREFIX"), bound.prefix)
        within = f"{bound.prefix}/" if bound.prefix else ""
        said |= {
            "METRICS_S3_OBJECT_KEY": f"{within}metrics/TrainingMetrics.json",
            "MODEL_METADATA_FILE_S3_KEY": f"{within}model/{METADATA}",
            "REWARD_FILE_S3_KEY": f"{within}{REWARD}",
        }
    if not typed:
        return params_yaml(said)
    return yaml.safe_dump(_typed(said), explicit_start=True, sort_keys=True, width=10_000).encode()


def _typed(said: dict[str, Any]) -> dict[str, Any]:
    world = said.get("WORLD_NAME")
    for ending, clockwise in _WAYS.items():
        if isinstance(world, str) and world.endswith(ending):
            said = {**said, "WORLD_NAME": world[: -len(ending)], "TRACK_DIRECTION_CLOCKWISE": clockwise}
    for key in _NUMBERS:
        if str(said.get(key)).isdecimal():
            said[key] = int(said[key])
    for key in _SWITCHES:
        if str(said.get(key)).lower() in ("true", "false"):
            said[key] = str(said[key]).lower() == "true"
    return said
