"""The check of metadata and hyperparameters: what is wrong, in which line, and what may be."""

from __future__ import annotations

import json
import os
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.workloads.deepracer.checking.reading import MOST_BYTES, Document, parse
from fleet.workloads.deepracer.findings import Finding, refuses
from fleet.workloads.deepracer.spec import HYPERPARAMETERS, METADATA, REWARD
from tests.system.traces import folder as shared
from tests.unit.deepracer.models import Model, codes

LEFT, RIGHT = {"index": 0, "steering_angle": 20, "speed": 1.0}, {"index": 1, "steering_angle": -20, "speed": 1.0}
RANGES = {"steering_angle": {"low": -30.0, "high": 30.0}, "speed": {"low": 0.5, "high": 4.0}}


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(tmp_path)


def found(model: Model, severity: str = "error", **spec: Any) -> list[Finding]:
    """What is said of the two files: without a reward function, none is tried."""
    (model.folder / REWARD).unlink(missing_ok=True)
    result = model.check(**spec)
    return [
        one for one in result.findings if one.severity == severity and one.file != REWARD and one.code != "track-stand-in"
    ]


def test_a_finding_is_told_with_its_place_and_its_remedy() -> None:
    one = Finding("reward-exception", "KeyError: 'spede'", "Correct it.", REWARD, 12)
    assert one.told() == "error: reward_function.py:12: KeyError: 'spede'\n  Correct it."
    assert Finding("a", "b", "c").told() == "error: b\n  c"
    assert Finding("a", "b", "c", "f").place == "f"
    assert refuses([one.warned(), one])
    assert not refuses([one.warned()])


def test_the_example_is_ready(model: Model) -> None:
    result = model.check()
    assert (result.ok, codes(result), codes(result, "warning")) == (True, [], [])
    assert result.reward.calls >= 400
    assert result.reward.least is not None
    assert result.reward.most is not None
    assert 0 < result.reward.least < result.reward.most <= 1


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"action_space": []}, "metadata-no-actions", "0 actions"),
        ({"action_space": ...}, "metadata-no-actions", "no action_space"),
        ({"action_space": RANGES}, "metadata-actions", "a list"),
        ({"action_space": ["left"]}, "metadata-action", "left"),
        ({"action_space": [LEFT, {**RIGHT, "index": 2}]}, "metadata-index", "without gaps"),
        ({"action_space": [LEFT, {**RIGHT, "index": 0}]}, "metadata-index", "index 0"),
        ({"action_space": [{**LEFT, "index": 1}, {**RIGHT, "index": 2}]}, "metadata-index", "from 0"),
        ({"action_space": [LEFT, {**RIGHT, "index": "1"}]}, "metadata-index", '"1"'),
        ({"action_space": [LEFT, {"steering_angle": 0, "speed": 1}]}, "metadata-index", "no index"),
        ({"action_space": [LEFT, {**RIGHT, "steering_angle": -31}]}, "metadata-steering", "-30"),
        ({"action_space": [LEFT, {**RIGHT, "speed": 4.5}]}, "metadata-speed", "drives it as 4"),
        ({"action_space": [LEFT, {**RIGHT, "speed": 0}]}, "metadata-speed", "0.1"),
        ({"action_space": [LEFT, {**RIGHT, "speed": "1"}]}, "metadata-action", "no number for speed"),
        ({"action_space": [LEFT, {**RIGHT, "speed": True}]}, "metadata-action", "true"),
        ({"action_space": [LEFT, {"index": 1, "speed": 1}]}, "metadata-action", "steering_angle"),
        ({"action_space_type": "continous"}, "metadata-space-type", "'continuous'"),
        ({"action_space_type": "continuous"}, "metadata-actions", "ranges"),
        ({"training_algorithm": "ppo"}, "metadata-algorithm", "clipped_ppo"),
        ({"training_algorithm": "sac"}, "metadata-algorithm", "continuous actions only"),
        ({"neural_network": "DEEP_CONVOLUTIONAL_NETWORK_SHALOW"}, "metadata-network", "SHALLOW"),
        ({"sensor": ["FRONT_CAMERA"]}, "metadata-sensor", "FRONT_FACING_CAMERA"),
        ({"sensor": []}, "metadata-sensor", "exactly one camera"),
        ({"sensor": ["FRONT_FACING_CAMERA", "STEREO_CAMERAS"]}, "metadata-sensor", "are 2"),
        ({"sensor": ["FRONT_FACING_CAMERA", "LIDAR", "SECTOR_LIDAR"]}, "metadata-sensor", "2 lidars"),
        ({"sensor": "FRONT_FACING_CAMERA"}, "metadata-sensor", "not a list"),
        ({"version": "nine"}, "metadata-version", "nine"),
        ({"version": 9}, "metadata-version", "1 to 6"),
    ],
)
def test_what_is_wrong_with_metadata_is_found(model: Model, change: dict[str, Any], code: str, words: str) -> None:
    errors = found(model.metadata(**change))
    assert [one.code for one in errors] == [code]
    assert words in errors[0].message + errors[0].remedy
    assert errors[0].file == METADATA
    text = (model.folder / METADATA).read_text().splitlines()
    key = next(iter(change))
    if change[key] is not ...:
        assert errors[0].line is not None
        assert 1 <= errors[0].line <= len(text)
        assert errors[0].line >= next(number for number, line in enumerate(text, 1) if f'"{key}"' in line)


def test_an_errors_line_is_that_of_the_action(model: Model) -> None:
    model.metadata(action_space=[LEFT, {**RIGHT, "speed": 9}])
    (one,) = found(model)
    assert '"speed": 9' in (model.folder / METADATA).read_text().splitlines()[(one.line or 0) - 1]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"action_space": [LEFT]}, "metadata-one-action"),
        ({"action_space": [{**LEFT, "index": n, "speed": 1 + n / 100} for n in range(31)]}, "metadata-many-actions"),
        ({"action_space": [LEFT, {**LEFT, "index": 1}]}, "metadata-same-action"),
        ({"sensors": ["LIDAR"]}, "metadata-unknown-key"),
        ({"version": ...}, "metadata-version"),
    ],
)
def test_what_could_be_better_is_a_warning(model: Model, change: dict[str, Any], code: str) -> None:
    model.metadata(**change)
    assert found(model) == []
    assert code in [one.code for one in found(model, "warning")]


def test_metadata_of_all_kinds_is_taken(model: Model) -> None:
    assert found(model.actions({"steering_angle": 20, "speed": 1}, {"steering_angle": -20, "speed": 1})) == []
    assert found(model.metadata(action_space_type="continuous", action_space=RANGES)) == []
    assert found(model.metadata(training_algorithm=" SAC ", sensor=["STEREO_CAMERAS", "LIDAR"], version=3)) == []
    assert [one.code for one in found(model, stack="2019")] == ["metadata-space-type"]


@pytest.mark.parametrize(
    ("ranges", "code"),
    [
        ({**RANGES, "speed": {"low": 3, "high": 1}}, "metadata-action"),
        ({**RANGES, "speed": {"low": 0, "high": 1}}, "metadata-speed"),
        ({**RANGES, "steering_angle": {"low": -45, "high": 30}}, "metadata-steering"),
        ({**RANGES, "steering_angle": 30}, "metadata-action"),
        ({}, "metadata-action"),
    ],
)
def test_ranges_of_a_continuous_space_are_checked(model: Model, ranges: dict[str, Any], code: str) -> None:
    errors = found(model.metadata(action_space_type="continuous", action_space=ranges))
    assert {one.code for one in errors} == {code}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"batch_size": 0}, "range"),
        ({"batch_size": "many"}, "type"),
        ({"batch_size": 64.5}, "type"),
        ({"batch_size": 512, "num_episodes_between_training": 5}, "buffer"),
        ({"num_epochs": 0}, "range"),
        ({"lr": 0}, "range"),
        ({"lr": 3}, "range"),
        ({"lr": -0.001}, "range"),
        ({"lr": None}, "type"),
        ({"beta_entropy": 1.5}, "range"),
        ({"discount_factor": 1.1}, "range"),
        ({"discount_factor": True}, "type"),
        ({"num_episodes_between_training": 0}, "range"),
        ({"loss_type": "hubert"}, "loss"),
        ({"exploration_type": "greedy"}, "exploration"),
        ({"lr": ..., "learning_rate": 0.001}, "unknown-key"),
        ({"batch_size": ..., "batchsize": 64}, "unknown-key"),
    ],
)
def test_hyperparameters_without_sense_are_errors(model: Model, change: dict[str, Any], code: str) -> None:
    errors = found(model.hyperparameters(**change))
    assert [one.code for one in errors] == [f"hyperparameters-{code}"]
    assert (errors[0].file, errors[0].line is not None) == (HYPERPARAMETERS, True)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"batch_size": 100}, "batch"),
        ({"batch_size": 1024, "num_episodes_between_training": 100}, "range"),
        ({"batch_size": 512}, "buffer"),
        ({"num_epochs": 12}, "range"),
        ({"lr": 0.002}, "range"),
        ({"lr": "0.0003"}, "type"),
        ({"num_episodes_between_training": 4, "batch_size": 32}, "range"),
        ({"discount_factor": 1}, "discount"),
        ({"colour": "red"}, "unknown-key"),
    ],
)
def test_hyperparameters_outside_of_what_aws_documents_are_warnings(model: Model, change: dict[str, Any], code: str) -> None:
    model.hyperparameters(**change)
    assert found(model) == []
    assert f"hyperparameters-{code}" in [one.code for one in found(model, "warning")]


def test_workers_without_an_episode_are_named(model: Model) -> None:
    model.hyperparameters(num_episodes_between_training=8)
    assert found(model, workers=8) == []
    assert [one.code for one in found(model, workers=9)] == ["hyperparameters-workers"]


def test_a_sac_models_batch_is_taken_from_all_that_was_driven(model: Model) -> None:
    model.metadata(action_space_type="continuous", action_space=RANGES, training_algorithm="sac")
    model.hyperparameters(batch_size=512, num_episodes_between_training=5, exploration_type="additive_noise", sac_alpha=0.2)
    assert found(model) == []


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("", "not-json", 1),
        ("[]", "not-json", 1),
        ('{\n"version": 5,\n}', "not-json", None),
        ('{\n"version": NaN}', "not-json", 2),
        ("{" * 100_000, "not-json", None),
        ('{"a": ' + "[" * 200 + "]" * 200 + "}", "not-json", None),
        ('{"action_space": [], "version": ' + "9" * 5000 + "}", "not-json", None),
        ("\x00\x01", "not-json", 1),
    ],
)
def test_what_is_no_json_is_said_with_its_line(model: Model, text: str, code: str, line: int | None) -> None:
    (model.folder / METADATA).write_text(text)
    (one,) = [one for one in found(model) if one.file == METADATA]
    assert one.code == f"metadata-{code}"
    assert line is None or one.line == line


def test_files_that_are_none_are_errors_and_nothing_waits_for_them(model: Model) -> None:
    (model.folder / METADATA).write_bytes(b'{"a": "\xff"}')
    (model.folder / HYPERPARAMETERS).unlink()
    os.mkfifo(model.folder / HYPERPARAMETERS)
    (model.folder / REWARD).write_bytes(b"#" * (MOST_BYTES + 1))
    result = model.check()
    assert set(codes(result)) == {"metadata-unreadable", "hyperparameters-unreadable", "reward-unreadable"}
    for name in (METADATA, HYPERPARAMETERS, REWARD):
        (model.folder / name).unlink()
    (model.folder / REWARD).symlink_to("/dev/zero")
    assert codes(model.check()) == ["metadata-missing", "hyperparameters-missing", "reward-unreadable"]


def test_a_key_that_stands_twice_is_named_with_its_second_line(model: Model) -> None:
    (model.folder / HYPERPARAMETERS).write_text('{\n"lr": 0.001,\n"batch_size": 64,\n"lr": 0.0001\n}')
    (one,) = found(model)
    assert (one.code, one.line) == ("hyperparameters-key-twice", 4)


NAMES = st.text(string.printable + "é€😀", max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(NAMES, JSON, max_size=5), st.sampled_from([None, 1, 4]), st.booleans())
def test_every_key_of_any_json_is_found_in_its_line(value: dict[str, Any], indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    document = parse(text, "x.json", "x")
    assert isinstance(document, Document)
    assert document.value == value
    lines = text.split("\n")
    for where, line in document.lines.items():
        if where and isinstance(where[-1], str):
            assert json.dumps(where[-1], ensure_ascii=ascii_only) in lines[line - 1]
    assert document.twice == ()


@pytest.mark.skipif(shared() is None, reason="the real models are not at hand: ../shared/data")
def test_a_real_models_files_are_taken(model: Model) -> None:
    traces = shared()
    assert traces is not None
    real = traces.parent / "deepracer" / "drfc-1"
    (model.folder / METADATA).write_bytes((real / "model" / "model_metadata.json").read_bytes())
    (model.folder / HYPERPARAMETERS).write_bytes((real / "ip" / "hyperparameters.json").read_bytes())
    result = model.check()
    assert (codes(result), codes(result, "warning")) == ([], [])
