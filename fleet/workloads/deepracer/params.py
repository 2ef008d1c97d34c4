"""What the containers are told: training_params.yaml per worker, environments, and the files that wait in the bucket."""

from __future__ import annotations

import codecs
import json
import shlex
from collections.abc import Mapping
from pathlib import Path

import yaml

from fleet.model.errors import FleetError
from fleet.workloads.deepracer.evaluating import params as evaluation
from fleet.workloads.deepracer.evaluating.params import REWARD_2019
from fleet.workloads.deepracer.place import Place
from fleet.workloads.deepracer.spec import HYPERPARAMETERS, METADATA, REWARD, DeepRacer

PARAMS = "training_params.yaml"
NOT_USED = "none"
"""Of names that the code wants and nothing here has: a Kinesis stream, an account."""
CAR = {
    "BODY_SHELL_TYPE": "deepracer",
    "CAR_COLOR": "Black",
    "CAR_NAME": "fleet",
    "DISPLAY_NAME": "fleet",
    "RACER_NAME": "fleet",
}
TRAINING = {
    "REVERSE_DIR": "False",
    "ALTERNATE_DRIVING_DIRECTION": "False",
    "CHANGE_START_POSITION": "True",
    "ROUND_ROBIN_ADVANCE_DIST": "0.05",
    "START_POSITION_OFFSET": "0.00",
    "ENABLE_DOMAIN_RANDOMIZATION": "False",
    "MIN_EVAL_TRIALS": "5",
    "CAMERA_MAIN_ENABLE": "True",
    "CAMERA_SUB_ENABLE": "False",
    "BEST_MODEL_METRIC": "progress",
    "ENABLE_EXTRA_KVS_OVERLAY": "False",
}
RACES: dict[str, dict[str, str]] = {
    "TIME_TRIAL": {},
    "OBJECT_AVOIDANCE": {
        "NUMBER_OF_OBSTACLES": "6",
        "MIN_DISTANCE_BETWEEN_OBSTACLES": "2.0",
        "RANDOMIZE_OBSTACLE_LOCATIONS": "True",
        "IS_OBSTACLE_BOT_CAR": "False",
        "OBSTACLE_TYPE": "box_obstacle",
    },
    "HEAD_TO_BOT": {
        "IS_LANE_CHANGE": "False",
        "LOWER_LANE_CHANGE_TIME": "3.0",
        "UPPER_LANE_CHANGE_TIME": "5.0",
        "LANE_CHANGE_DISTANCE": "1.0",
        "NUMBER_OF_BOT_CARS": "3",
        "MIN_DISTANCE_BETWEEN_BOT_CARS": "2.0",
        "RANDOMIZE_BOT_CAR_LOCATIONS": "True",
        "BOT_CAR_SPEED": "0.2",
        "PENALTY_SECONDS": "2.0",
    },
}
SETTABLE = frozenset({*CAR, *TRAINING, *RACES["OBJECT_AVOIDANCE"], *RACES["HEAD_TO_BOT"]})
"""Of the job's ``env``, these go into the file: the simulator does not look for them in its environment."""


def track(spec: DeepRacer, worker: int) -> str:
    """The world of a worker, counted from 1: they take the tracks in turn."""
    return spec.tracks[(worker - 1) % len(spec.tracks)]


def params_name(spec: DeepRacer, worker: int) -> str:
    """The file of a worker: all share one as long as they drive on one track."""
    several = len({track(spec, each) for each in range(1, spec.workers + 1)}) > 1
    return f"training_params_{worker}.yaml" if several else PARAMS


def training_params(spec: DeepRacer, place: Place, worker: int = 1) -> dict[str, str]:
    """What ``<prefix>/training_params.yaml`` says to a worker; 2019's stack has no such file, and says it in variables."""
    if spec.stack == "2019":
        return {}
    said = {
        "AWS_REGION": place.s3.region,
        "JOB_TYPE": "TRAINING",
        "KINESIS_VIDEO_STREAM_NAME": NOT_USED,
        "METRICS_S3_BUCKET": place.bucket,
        "METRICS_S3_OBJECT_KEY": f"{place.prefix}/metrics/TrainingMetrics.json",
        "MODEL_METADATA_FILE_S3_KEY": f"{place.custom_files}/{METADATA}",
        "REWARD_FILE_S3_KEY": f"{place.custom_files}/{REWARD}",
        "ROBOMAKER_SIMULATION_JOB_ACCOUNT_ID": NOT_USED,
        "NUM_WORKERS": str(spec.workers),
        "SAGEMAKER_SHARED_S3_BUCKET": place.bucket,
        "SAGEMAKER_SHARED_S3_PREFIX": place.prefix,
        "SIMTRACE_S3_BUCKET": place.bucket,
        "SIMTRACE_S3_PREFIX": place.prefix,
        "TRAINING_JOB_ARN": "arn:none",
        "RACE_TYPE": spec.race,
        "WORLD_NAME": track(spec, worker),
    }
    if place.s3.endpoint is not None:
        said["S3_ENDPOINT_URL"] = place.s3.endpoint
    own = {key: value for key, value in spec.env.items() if key in SETTABLE}
    return {**CAR, **TRAINING, **RACES[spec.race], **own, **said}


def access(place: Place) -> dict[str, str]:
    """How a container comes by the bucket; without keys the SDK asks the machine, patiently.

    No endpoint is said where it is Amazon's own: an empty one is none to the SDK, but wrong.
    """
    where = {} if place.s3.endpoint is None else {"S3_ENDPOINT_URL": place.s3.endpoint}
    if place.s3.key is None:
        return {**where, "AWS_METADATA_SERVICE_TIMEOUT": "3", "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "5"}
    return {**where, "AWS_ACCESS_KEY_ID": place.s3.key, "AWS_SECRET_ACCESS_KEY": place.s3.secret or ""}


def coach_environment(spec: DeepRacer, place: Place, trainer_image: str) -> dict[str, str]:
    """Of the container that starts the trainer."""
    said = {
        **access(place),
        "RUN_ID": place.project,
        "AWS_REGION": place.s3.region,
        "SAGEMAKER_IMAGE": trainer_image,
        "PRETRAINED": str(place.pretrained is not None),
        "PRETRAINED_S3_PREFIX": place.pretrained or "",
        "PRETRAINED_S3_BUCKET": place.bucket,
        "PRETRAINED_CHECKPOINT": place.pretrained_checkpoint,
        "MODEL_S3_PREFIX": place.prefix,
        "MODEL_S3_BUCKET": place.bucket,
        "HYPERPARAMETER_FILE_S3_KEY": f"{place.custom_files}/{HYPERPARAMETERS}",
        "MODELMETADATA_FILE_S3_KEY": f"{place.custom_files}/{METADATA}",
        "MAX_MEMORY_STEPS": spec.env.get("MAX_MEMORY_STEPS", ""),
        "CUDA_VISIBLE_DEVICES": spec.env.get("CUDA_VISIBLE_DEVICES", ""),
    }
    if spec.stack == "2019":
        said |= {
            "AWS_DEFAULT_REGION": place.s3.region,
            "LOCAL": "True",
            "MARKOV_PRESET_FILE": "deepracer.py",
            "LOCAL_ENV_VAR_JSON_PATH": "env_vars.json",
            "SAGEMAKER_DEVICE": "local_gpu" if place.device == "gpu" else "local",
        }
    return said


def simulator_environment(spec: DeepRacer, place: Place, worker: int) -> dict[str, str]:
    """Of a simulator, counted from 1. The job's own variables win over the defaults, never over what ties the stack."""
    usual = _simulator_2019(spec, place) if spec.stack == "2019" else _simulator(spec, place, worker)
    return evaluation.variables(spec, place, usual) if spec.evaluate is not None else usual


def _simulator(spec: DeepRacer, place: Place, worker: int) -> dict[str, str]:
    defaults = {
        "KINESIS_VIDEO_STREAM_NAME": NOT_USED,
        "ENABLE_KINESIS": "false",
        "ENABLE_GUI": "False",
        "RTF_OVERRIDE": "",
        "GAZEBO_ARGS": "",
        "GAZEBO_RENDER_ENGINE": "ogre2",
        "TELEGRAF_HOST": "",
        "TELEGRAF_PORT": "",
        "CUDA_VISIBLE_DEVICES": "",
        "MULTI_CONFIG": "",
    }
    own = {key: value for key, value in spec.env.items() if key not in SETTABLE and key != "MAX_MEMORY_STEPS"}
    return {
        **defaults,
        **own,
        **access(place),
        "WORLD_NAME": track(spec, worker),
        "SAGEMAKER_SHARED_S3_PREFIX": place.prefix,
        "SAGEMAKER_SHARED_S3_BUCKET": place.bucket,
        "APP_REGION": place.s3.region,
        "S3_YAML_NAME": params_name(spec, worker),
        "ROLLOUT_IDX": str(worker - 1),
        "ROS_MASTER_URI": "http://localhost:11311/",
        "ROS_IP": "127.0.0.1",
    }


def _simulator_2019(spec: DeepRacer, place: Place) -> dict[str, str]:
    own = {key: value for key, value in spec.env.items() if key != "MAX_MEMORY_STEPS"}
    return {
        "ROS_AWS_REGION": place.s3.region,
        "AWS_REGION": place.s3.region,
        "AWS_DEFAULT_REGION": place.s3.region,
        "LOCAL": "True",
        "MARKOV_PRESET_FILE": "deepracer.py",
        "XAUTHORITY": "/root/.Xauthority",
        "DISPLAY_N": ":0",
        "METRIC_NAME": "reward",
        "METRIC_NAMESPACE": "deepracer",
        "TARGET_REWARD_SCORE": "100000",
        "NUMBER_OF_EPISODES": "1000000",
        "TRAINING_JOB_ARN": NOT_USED,
        "ROBOMAKER_SIMULATION_JOB_ACCOUNT_ID": NOT_USED,
        "AWS_ROBOMAKER_SIMULATION_JOB_ID": NOT_USED,
        "BUNDLE_CURRENT_PREFIX": "/app/robomaker-deepracer/simulation_ws/",
        "ROBOMAKER_RUN_TYPE": "distributed_training",
        **own,
        **access(place),
        "WORLD_NAME": track(spec, 1),
        "APP_REGION": place.s3.region,
        "SAGEMAKER_SHARED_S3_PREFIX": place.prefix,
        "SAGEMAKER_SHARED_S3_BUCKET": place.bucket,
        "MODEL_S3_PREFIX": place.prefix,
        "MODEL_S3_BUCKET": place.bucket,
        "METRICS_S3_BUCKET": place.bucket,
        "METRICS_S3_OBJECT_KEY": f"{place.prefix}/metrics/TrainingMetrics.json",
        "MODEL_METADATA_FILE_S3_KEY": f"{place.custom_files}/{METADATA}",
        "REWARD_FILE_S3_KEY": f"{place.custom_files}/{REWARD_2019}",
    }


def trainer_environment(spec: DeepRacer, place: Place) -> dict[str, str]:
    """Of a trainer that nobody starts but fleet: ``SM_TRAINING_ENV`` is where it reads its hyperparameters from."""
    said = {
        **access(place),
        "RUN_ID": place.project,
        "AWS_REGION": place.s3.region,
        "SM_TRAINING_ENV": json.dumps({"hyperparameters": dict(place.hyperparameters)}, sort_keys=True),
    }
    own = {name: spec.env[name] for name in ("MAX_MEMORY_STEPS", "CUDA_VISIBLE_DEVICES") if spec.env.get(name)}
    return {**said, **own}


def trainer_command(place: Place) -> str:
    """The direct launcher's command line."""
    words = ["/opt/ml/code/sage-train.sh", "--s3_bucket", place.bucket, "--s3_prefix", place.prefix]
    words += ["--aws_region", place.s3.region]
    words += ["--model_metadata_s3_key", f"s3://{place.bucket}/{place.custom_files}/{METADATA}"]
    if place.pretrained is not None:
        words += ["--pretrained_s3_bucket", place.bucket, "--pretrained_s3_prefix", place.pretrained]
        words += ["--pretrained_checkpoint", place.pretrained_checkpoint]
    return shlex.join(words)


def files_of(spec: DeepRacer, place: Place, workdir: Path) -> dict[str, bytes]:
    """What must lie in the bucket before anything starts, by key. Raises FleetError naming the file that is missing."""
    read = {name: _read(workdir, name) for name in (REWARD, METADATA, HYPERPARAMETERS)}
    reward = REWARD if spec.stack == "today" else REWARD_2019
    files = {
        f"{place.custom_files}/{reward}": read[REWARD],
        f"{place.custom_files}/{METADATA}": read[METADATA],
        f"{place.custom_files}/{HYPERPARAMETERS}": read[HYPERPARAMETERS],
        f"{place.prefix}/{REWARD}": read[REWARD],
    }
    if spec.stack == "today":
        names = {PARAMS: 1, **{params_name(spec, worker): worker for worker in range(1, spec.workers + 1)}}
        names[PARAMS] = 1
        for name, worker in names.items():
            files[f"{place.prefix}/{name}"] = params_yaml(training_params(spec, place, worker))
    return files


def evaluation_yaml(spec: DeepRacer, place: Place) -> bytes:
    """What the simulator of an evaluation reads; the car and the race are as in training."""
    return params_yaml(evaluation.evaluation_params(spec, place, CAR, RACES[spec.race]))


def params_yaml(said: Mapping[str, str | list[str]]) -> bytes:
    """As the simulator reads it: everything is text."""
    return yaml.safe_dump(dict(said), default_style="'", explicit_start=True, sort_keys=True, width=10_000).encode()


def _read(workdir: Path, name: str) -> bytes:
    """Without the mark that Windows' editors put first: checks pass over it, JSON's readers in the containers do not."""
    try:
        return (workdir / name).read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        hint = "A model's folder has it; `fleet init deepracer NAME` writes an example."
        raise FleetError(f"{name} cannot be read: {error.strerror or error}", hint) from None
