"""What an evaluation's simulator is told, as file and as variables, and the stack around it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from fleet.model.errors import JobError
from fleet.workloads.deepracer.compose import compose_file, own_files
from fleet.workloads.deepracer.images import image_problems, roles, stack_problems
from fleet.workloads.deepracer.params import evaluation_yaml, simulator_environment
from fleet.workloads.deepracer.place import Laps, services
from fleet.workloads.deepracer.spec import DeepRacer
from fleet.workloads.kinds import options_of
from tests.unit.deepracer.places import in_bucket, place

LAPS = Laps("Oval_track", 4, "20261126213500")
MANDATORY = (
    "MODEL_S3_BUCKET", "MODEL_S3_PREFIX", "METRICS_S3_BUCKET", "METRICS_S3_OBJECT_KEY", "BODY_SHELL_TYPE", "CAR_COLOR",
)  # fmt: skip
"""Of which the simapp wants as many values as there are cars (markov/boto/s3/constants.py: EVAL_MANDATORY_YAML_KEY)."""


def spec(**more: Any) -> DeepRacer:
    wish = {"tracks": ["Oval_track"], "laps": 5, **more.pop("evaluate", {})}
    return DeepRacer.model_validate({"pretrained": "source", "evaluate": wish, **more})


def told(**more: Any) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(evaluation_yaml(spec(**more), place(laps=LAPS)))
    return found


def test_the_file_has_what_the_simulator_cannot_do_without_one_value_for_the_one_car() -> None:
    found = told()
    assert all(isinstance(found[name], list) and len(found[name]) == 1 for name in MANDATORY)
    assert found["MODEL_S3_PREFIX"] == ["shanghai-1a2b-3-1"]
    assert found["METRICS_S3_OBJECT_KEY"] == ["shanghai-1a2b-3-1/metrics/EvaluationMetrics-20261126213500.json"]
    assert found["SIMTRACE_S3_PREFIX"] == ["shanghai-1a2b-3-1/evaluation-20261126213500"]
    assert (found["WORLD_NAME"], found["NUMBER_OF_TRIALS"], found["EVAL_CHECKPOINT"]) == ("Oval_track", "4", "last")
    assert found["JOB_TYPE"] == "EVALUATION"


def test_laps_are_never_run_into_one_race_and_resets_are_as_wished() -> None:
    assert (told()["IS_CONTINUOUS"], told()["NUMBER_OF_RESETS"]) == ("False", "0")
    with_resets = told(evaluate={"resets": 100}, env={"OFF_TRACK_PENALTY": "2.0", "RTF_OVERRIDE": "1"})
    assert (with_resets["IS_CONTINUOUS"], with_resets["NUMBER_OF_RESETS"]) == ("False", "100")
    assert with_resets["OFF_TRACK_PENALTY"] == "2.0"
    assert "RTF_OVERRIDE" not in with_resets


def test_obstacles_and_bots_are_as_in_training() -> None:
    assert told(race="OBJECT_AVOIDANCE", env={"NUMBER_OF_OBSTACLES": "3"})["NUMBER_OF_OBSTACLES"] == "3"
    assert told(race="HEAD_TO_BOT")["NUMBER_OF_BOT_CARS"] == "3"


def test_the_variables_name_the_model_and_the_track_and_nothing_of_a_training() -> None:
    one = spec(env={"RTF_OVERRIDE": "1.0", "OFF_TRACK_PENALTY": "2.0"})
    found = simulator_environment(one, place(laps=LAPS), 1)
    assert (found["WORLD_NAME"], found["S3_YAML_NAME"]) == ("Oval_track", "evaluation_params.yaml")
    assert (found["MODEL_S3_PREFIX"], found["MODEL_S3_BUCKET"]) == ("shanghai-1a2b-3-1", "bucket")
    assert found["RTF_OVERRIDE"] == "1.0"
    assert not {name for name in found if name.startswith("SAGEMAKER")} | ({"OFF_TRACK_PENALTY"} & found.keys())


def test_2019_hears_it_all_in_variables() -> None:
    found = simulator_environment(spec(stack="2019"), place(laps=LAPS), 1)
    assert (found["NUMBER_OF_TRIALS"], found["WORLD_NAME"], found["ROBOMAKER_RUN_TYPE"]) == ("4", "Oval_track", "evaluation")
    assert found["METRICS_S3_OBJECT_KEY"].endswith("/metrics/EvaluationMetrics-20261126213500.json")
    assert found["MODEL_METADATA_FILE_S3_KEY"] == "shanghai-1a2b-3-1/model_metadata.json"


@pytest.mark.parametrize(
    ("stack", "command"),
    [("today", "/opt/ml/code/run.sh run evaluation.launch.py"), ("2019", "./run.sh build evaluation.launch")],
)
def test_the_stack_is_the_look_alike_and_one_simulator(stack: str, command: str) -> None:
    one = spec(stack=stack, workers=3)
    file = compose_file(one, place(laps=LAPS))
    assert tuple(file["services"]) == services(one) == roles(one) == ("s3", "simulator")
    assert file["services"]["simulator"]["command"] == [command]
    assert own_files(one, place(laps=LAPS)) == {}


def test_before_the_first_track_there_is_the_look_alike_alone() -> None:
    assert tuple(compose_file(spec(), place())["services"]) == ("s3",)


def test_straight_in_a_bucket_there_is_a_simulator_alone() -> None:
    one = spec(storage="bucket")
    assert tuple(compose_file(one, in_bucket(laps=LAPS))["services"]) == services(one) == roles(one) == ("simulator",)
    assert stack_problems(one) == []


def test_what_an_evaluation_has_no_use_for_is_said() -> None:
    assert [(one.code, one.severity) for one in stack_problems(spec(workers=2))] == [("workers-unused", "warning")]
    old = stack_problems(spec(stack="2019", race="HEAD_TO_BOT", evaluate={"resets": 2}))
    assert [one.code for one in old] == ["race-2019", "resets-2019"]
    named = {"simapp": f"mine@sha256:{'1' * 64}", "s3": f"s3@sha256:{'1' * 64}"}
    assert image_problems(spec(images=named, device="gpu"), "T4") == []


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"evaluate": {"tracks": ["a"]}}, "which model"),
        ({"pretrained": "x", "evaluate": {"tracks": []}}, "workload.evaluate.tracks"),
        ({"pretrained": "x", "evaluate": {"tracks": ["a"], "resets": 1}}, "refuses 1"),
        ({"pretrained": "x", "evaluate": {"tracks": ["a"], "laps": 0}}, "workload.evaluate.laps"),
        ({"pretrained": "x", "evaluate": {"tracks": ["a"], "checkpoint": "newest"}}, "workload.evaluate.checkpoint"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(said: dict[str, Any], match: str) -> None:
    with pytest.raises(JobError, match=match):
        options_of({"kind": "deepracer", **said})


def test_a_set_may_be_named_by_its_number_and_a_track_counts_once() -> None:
    one = spec(evaluate={"tracks": ["a", "b", "a"], "checkpoint": 42}).evaluate
    assert one is not None
    assert (one.tracks, one.checkpoint) == (("a", "b"), 42)
    with pytest.raises(ValidationError):
        spec(evaluate={"checkpoint": -1})
