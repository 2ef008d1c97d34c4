"""What an evaluation's simulator is told: ``evaluation_params.yaml``, its variables, and its command.

As deepracer-for-cloud writes them (scripts/evaluation, 2026-05) and the simapp reads them (markov/evaluation_worker.py,
6.0.5); for 2019 as its ``evaluation.launch`` prints what it was given in a real log. Nothing of a reward function is read:
the simulator has one of its own for evaluations, whose values mean nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fleet.workloads.deepracer.place import Laps, Place
from fleet.workloads.deepracer.spec import METADATA, Evaluate

if TYPE_CHECKING:
    from fleet.workloads.deepracer.spec import DeepRacer

PARAMS = "evaluation_params.yaml"
START = "/opt/ml/code/run.sh run evaluation.launch.py"
START_2019 = "./run.sh build evaluation.launch"
REWARD_2019 = "reward.py"
DRIVING = {
    "ENABLE_DOMAIN_RANDOMIZATION": "False",
    "RESET_BEHIND_DIST": "1.0",
    "OFF_TRACK_PENALTY": "5.0",
    "COLLISION_PENALTY": "5.0",
    "CAMERA_MAIN_ENABLE": "True",
    "CAMERA_SUB_ENABLE": "False",
    "REVERSE_DIR": "False",
    "ENABLE_EXTRA_KVS_OVERLAY": "False",
}
"""Of the job's ``env``, these go into the file. Metres and seconds; the values are deepracer-for-cloud's."""
ONE_CAR = ("CAR_COLOR", "BODY_SHELL_TYPE", "RACER_NAME", "DISPLAY_NAME")
"""Lists, since a race may have several cars."""


def _of(spec: DeepRacer, place: Place) -> tuple[Evaluate, Laps]:
    assert spec.evaluate is not None
    assert place.laps is not None
    return spec.evaluate, place.laps


def metrics_name(stamp: str) -> str:
    """Where an evaluation's laps are told, below its prefix. ``stamp``: when it began, 14 digits."""
    return f"metrics/EvaluationMetrics-{stamp}.json"


def traces_folder(stamp: str) -> str:
    """Below which ``evaluation-simtrace/0-iteration.csv`` appears once all laps are driven."""
    return f"evaluation-{stamp}"


def evaluation_params(
    spec: DeepRacer, place: Place, car: Mapping[str, str], race: Mapping[str, str]
) -> dict[str, str | list[str]]:
    """What ``<prefix>/evaluation_params.yaml`` says. ``car`` and ``race``: what training's file says of them.

    The race is never continuous: with ``resets`` a car is put back within its lap, which is what AWS's own evaluations do,
    and each lap is told as soon as it ends.
    """
    wish, laps = _of(spec, place)
    own = {key: value for key, value in spec.env.items() if key in {*DRIVING, *car, *race}}
    flat: dict[str, str] = {**DRIVING, **car, **race, **own}
    said: dict[str, str | list[str]] = {
        **flat,
        **{name: [flat[name]] for name in ONE_CAR if name in flat},
        "AWS_REGION": place.s3.region,
        "JOB_TYPE": "EVALUATION",
        "KINESIS_VIDEO_STREAM_NAME": "none",
        "ROBOMAKER_SIMULATION_JOB_ACCOUNT_ID": "none",
        "MODEL_S3_BUCKET": [place.bucket],
        "MODEL_S3_PREFIX": [place.prefix],
        "METRICS_S3_BUCKET": [place.bucket],
        "METRICS_S3_OBJECT_KEY": [f"{place.prefix}/{metrics_name(laps.stamp)}"],
        "SIMTRACE_S3_BUCKET": [place.bucket],
        "SIMTRACE_S3_PREFIX": [f"{place.prefix}/{traces_folder(laps.stamp)}"],
        "EVAL_CHECKPOINT": "last",
        "RACE_TYPE": spec.race,
        "WORLD_NAME": laps.world,
        "NUMBER_OF_TRIALS": str(laps.count),
        "IS_CONTINUOUS": "False",
        "NUMBER_OF_RESETS": str(wish.resets),
    }
    if place.s3.endpoint is not None:
        said["S3_ENDPOINT_URL"] = place.s3.endpoint
    return said


def variables(spec: DeepRacer, place: Place, usual: Mapping[str, str]) -> dict[str, str]:
    """Of the simulator: those of a training's, with what ties an evaluation together in their place."""
    _, laps = _of(spec, place)
    kept = {key: value for key, value in usual.items() if not key.startswith("SAGEMAKER_SHARED_") and key not in DRIVING}
    said = {
        **kept,
        "WORLD_NAME": laps.world,
        "MODEL_S3_PREFIX": place.prefix,
        "MODEL_S3_BUCKET": place.bucket,
    }
    if spec.stack == "today":
        return {**said, "S3_YAML_NAME": PARAMS}
    return {
        **said,
        "ROBOMAKER_RUN_TYPE": "evaluation",
        "NUMBER_OF_TRIALS": str(laps.count),
        "METRICS_S3_OBJECT_KEY": f"{place.prefix}/{metrics_name(laps.stamp)}",
        "MODEL_METADATA_FILE_S3_KEY": f"{place.prefix}/{METADATA}",
        "REWARD_FILE_S3_KEY": f"{place.prefix}/{REWARD_2019}",
    }
