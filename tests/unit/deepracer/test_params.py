"""What simulators, coach and trainer are told, and what waits for them in the bucket."""

from __future__ import annotations

import codecs
import json
import shlex
from pathlib import Path

import pytest
import yaml

from fleet.model.errors import FleetError
from fleet.workloads.deepracer.params import (
    coach_environment,
    files_of,
    simulator_environment,
    trainer_command,
    trainer_environment,
    training_params,
)
from fleet.workloads.deepracer.spec import HYPERPARAMETERS, METADATA, REWARD, DeepRacer
from tests.unit.deepracer.places import in_bucket, place

COACH = {
    "RUN_ID", "AWS_REGION", "SAGEMAKER_IMAGE", "PRETRAINED", "PRETRAINED_S3_PREFIX", "PRETRAINED_S3_BUCKET",
    "PRETRAINED_CHECKPOINT", "MODEL_S3_PREFIX", "MODEL_S3_BUCKET", "HYPERPARAMETER_FILE_S3_KEY", "MODELMETADATA_FILE_S3_KEY",
    "MAX_MEMORY_STEPS", "CUDA_VISIBLE_DEVICES", "S3_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
}  # fmt: skip
SIMULATOR = {
    "WORLD_NAME", "SAGEMAKER_SHARED_S3_PREFIX", "SAGEMAKER_SHARED_S3_BUCKET", "APP_REGION", "S3_YAML_NAME",
    "KINESIS_VIDEO_STREAM_NAME", "ENABLE_KINESIS", "ENABLE_GUI", "MULTI_CONFIG", "RTF_OVERRIDE", "ROLLOUT_IDX",
    "ROS_MASTER_URI", "ROS_IP", "GAZEBO_ARGS", "GAZEBO_RENDER_ENGINE", "TELEGRAF_HOST", "TELEGRAF_PORT",
}  # fmt: skip
"""As the facts about today's stack list them."""


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    (tmp_path / "reward_function.py").write_text("def reward_function(params): return 1.0\n")
    (tmp_path / "model_metadata.json").write_text("{}")
    (tmp_path / "hyperparameters.json").write_text('{"lr": 0.0003}')
    return tmp_path


def test_coach_and_simulators_find_every_variable_that_their_programs_read() -> None:
    assert coach_environment(DeepRacer(), place(), "the-image").keys() >= COACH
    assert simulator_environment(DeepRacer(), place(), 1).keys() >= SIMULATOR


def test_a_new_model_is_not_pretrained_and_a_resumed_one_says_from_where() -> None:
    new = coach_environment(DeepRacer(), place(), "image")
    assert (new["PRETRAINED"], new["PRETRAINED_S3_PREFIX"]) == ("False", "")
    resumed = coach_environment(DeepRacer(), place(pretrained="old-1-1-from", pretrained_checkpoint="best"), "image")
    assert (resumed["PRETRAINED"], resumed["PRETRAINED_S3_PREFIX"]) == ("True", "old-1-1-from")
    assert resumed["PRETRAINED_CHECKPOINT"] == "best"
    assert resumed["PRETRAINED_S3_BUCKET"] == resumed["MODEL_S3_BUCKET"] == "bucket"


def test_without_an_endpoint_none_is_said_since_an_empty_one_is_wrong() -> None:
    assert "S3_ENDPOINT_URL" not in coach_environment(DeepRacer(), in_bucket(), "image")
    assert "S3_ENDPOINT_URL" not in simulator_environment(DeepRacer(), in_bucket(), 1)
    assert "S3_ENDPOINT_URL" not in training_params(DeepRacer(), in_bucket())
    assert training_params(DeepRacer(), place())["S3_ENDPOINT_URL"] == place().s3.endpoint


def test_the_jobs_own_variables_win_but_never_over_what_ties_the_stack() -> None:
    spec = DeepRacer(
        env={"RTF_OVERRIDE": "0.9", "SAGEMAKER_SHARED_S3_PREFIX": "elsewhere", "MINE": "1", "CAR_COLOR": "Blue"}
    )
    told = simulator_environment(spec, place(), 1)
    assert told["RTF_OVERRIDE"] == "0.9"
    assert told["MINE"] == "1"
    assert told["SAGEMAKER_SHARED_S3_PREFIX"] == place().prefix
    assert "CAR_COLOR" not in told  # it is looked for in the file
    assert training_params(spec, place())["CAR_COLOR"] == "Blue"


def test_the_trainers_own_variables_go_to_coach_and_not_to_the_simulator() -> None:
    spec = DeepRacer(env={"MAX_MEMORY_STEPS": "5000"})
    assert coach_environment(spec, place(), "image")["MAX_MEMORY_STEPS"] == "5000"
    assert "MAX_MEMORY_STEPS" not in simulator_environment(spec, place(), 1)
    assert trainer_environment(spec, place())["MAX_MEMORY_STEPS"] == "5000"
    assert "MAX_MEMORY_STEPS" not in trainer_environment(DeepRacer(), place())


@pytest.mark.parametrize(
    ("race", "needs"),
    [("TIME_TRIAL", None), ("OBJECT_AVOIDANCE", "NUMBER_OF_OBSTACLES"), ("HEAD_TO_BOT", "NUMBER_OF_BOT_CARS")],
)
def test_each_race_has_its_own_parameters_and_no_others(race: str, needs: str | None) -> None:
    said = training_params(DeepRacer.model_validate({"race": race}), place())
    assert said["RACE_TYPE"] == race
    assert {name for name in ("NUMBER_OF_OBSTACLES", "NUMBER_OF_BOT_CARS") if name in said} == ({needs} if needs else set())


def test_everything_in_the_file_is_text_as_its_reader_wants_it(workdir: Path) -> None:
    data = files_of(DeepRacer(), place(), workdir)[f"{place().prefix}/training_params.yaml"]
    said = yaml.safe_load(data)
    assert all(isinstance(value, str) for value in said.values())
    assert (said["JOB_TYPE"], said["NUM_WORKERS"], said["CHANGE_START_POSITION"]) == ("TRAINING", "1", "True")
    assert said["METRICS_S3_OBJECT_KEY"] == f"{place().prefix}/metrics/TrainingMetrics.json"


def test_workers_on_one_track_share_a_file_and_on_several_each_has_its_own(workdir: Path) -> None:
    one = files_of(DeepRacer(workers=3), place(), workdir)
    assert [key for key in one if "training_params" in key] == [f"{place().prefix}/training_params.yaml"]
    spec = DeepRacer(workers=3, tracks=("a", "b"))
    several = files_of(spec, place(), workdir)
    worlds = {key.rpartition("/")[2]: yaml.safe_load(data)["WORLD_NAME"] for key, data in several.items() if ".yaml" in key}
    assert worlds == {
        "training_params.yaml": "a",
        "training_params_1.yaml": "a",
        "training_params_2.yaml": "b",
        "training_params_3.yaml": "a",
    }
    for worker in (1, 2, 3):
        told = simulator_environment(spec, place(), worker)
        assert worlds[told["S3_YAML_NAME"]] == told["WORLD_NAME"]


def test_the_files_lie_where_the_variables_and_the_parameters_say(workdir: Path) -> None:
    for where in (place(), in_bucket()):
        files = files_of(DeepRacer(), where, workdir)
        told = coach_environment(DeepRacer(), where, "image")
        said = training_params(DeepRacer(), where)
        keys = {
            told["HYPERPARAMETER_FILE_S3_KEY"],
            told["MODELMETADATA_FILE_S3_KEY"],
            said["REWARD_FILE_S3_KEY"],
            said["MODEL_METADATA_FILE_S3_KEY"],
        }
        assert keys <= files.keys()


def test_in_a_shared_bucket_the_runs_files_stay_among_its_own(workdir: Path) -> None:
    assert all(key.startswith("fleet/runs/shanghai-1a2b/") for key in files_of(DeepRacer(), in_bucket(), workdir))


def test_files_that_an_editor_of_windows_wrote_are_read_in_the_containers_too(workdir: Path) -> None:
    """The checks pass over that mark; JSON's reader in the trainer, and fleet's before a commit, do not."""
    for name in (REWARD, METADATA, HYPERPARAMETERS):
        (workdir / name).write_bytes(codecs.BOM_UTF8 + (workdir / name).read_bytes())
    files = files_of(DeepRacer(), place(), workdir)
    assert not [key for key, data in files.items() if data.startswith(codecs.BOM_UTF8)]


def test_2019s_stack_calls_the_reward_function_otherwise_and_has_no_parameters_file(workdir: Path) -> None:
    spec = DeepRacer(stack="2019")
    files = files_of(spec, place(), workdir)
    told = simulator_environment(spec, place(), 1)
    assert told["REWARD_FILE_S3_KEY"] == "custom_files/reward.py"
    assert files["custom_files/reward.py"] == files[f"{place().prefix}/reward_function.py"]
    assert not any(key.endswith(".yaml") for key in files)
    assert training_params(spec, place()) == {}


def test_a_file_that_is_missing_is_named(workdir: Path) -> None:
    (workdir / "model_metadata.json").unlink()
    with pytest.raises(FleetError, match=r"model_metadata\.json"):
        files_of(DeepRacer(), place(), workdir)


def test_the_direct_launcher_passes_on_hyperparameters_as_they_are_and_the_pretrained_model() -> None:
    where = place(pretrained="old", hyperparameters={"lr": 0.0003, "batch_size": 64, "loss_type": "huber"})
    told = json.loads(trainer_environment(DeepRacer(), where)["SM_TRAINING_ENV"])
    assert told == {"hyperparameters": {"lr": 0.0003, "batch_size": 64, "loss_type": "huber"}}
    program, *words = shlex.split(trainer_command(where))
    said = dict(zip(words[::2], words[1::2], strict=True))
    assert program == "/opt/ml/code/sage-train.sh"
    assert said["--model_metadata_s3_key"] == "s3://bucket/custom_files/model_metadata.json"
    assert (said["--pretrained_s3_bucket"], said["--pretrained_s3_prefix"]) == ("bucket", "old")
    assert said["--pretrained_checkpoint"] == "last"
    assert "--pretrained_s3_prefix" not in trainer_command(place())
