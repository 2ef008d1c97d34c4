"""A resume: the number of actions stays, everything else may change and is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fleet.model.errors import NotFoundError, StoreError
from fleet.workloads.deepracer.checking.model import CheckResult
from fleet.workloads.deepracer.spec import HYPERPARAMETERS, METADATA, REWARD
from tests.unit.deepracer.models import EXAMPLE, Model, codes

RANGES = {"steering_angle": {"low": -30.0, "high": 30.0}, "speed": {"low": 0.5, "high": 4.0}}


class Source:
    """A model's prefix, in memory."""

    where = "s3://bucket/before"

    def __init__(self, **change: Any) -> None:
        metadata = {**json.loads((EXAMPLE / METADATA).read_text()), **change}
        self.files = {
            f"model/{METADATA}": json.dumps(metadata, indent=4).encode(),
            f"ip/{HYPERPARAMETERS}": (EXAMPLE / HYPERPARAMETERS).read_bytes(),
            REWARD: (EXAMPLE / REWARD).read_bytes(),
            "training_params.yaml": b'JOB_TYPE: "TRAINING"\nWORLD_NAME: "reinvent_base"\n',
        }

    def read(self, name: str) -> bytes:
        if name not in self.files:
            raise NotFoundError(f"there is no {name}")
        return self.files[name]


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(tmp_path)


def compared(model: Model, source: Source, **spec: Any) -> CheckResult:
    """Without trying the reward function, unless its text matters."""
    return model.check(20, source=source, **spec)


def test_the_same_model_shows_no_change_however_its_json_is_laid_out(model: Model) -> None:
    result = compared(model, Source())
    assert (result.ok, result.changes) == (True, "")


def test_another_number_of_actions_is_refused(model: Model) -> None:
    actions = json.loads((EXAMPLE / METADATA).read_text())["action_space"]
    result = compared(model, Source(action_space=actions[:4]))
    (error,) = [one for one in result.findings if one.severity == "error"]
    assert (error.code, error.file) == ("source-actions", METADATA)
    assert "4 discrete actions" in error.message
    assert "6 discrete actions" in error.message
    assert "s3://bucket/before" in error.message


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"action_space": RANGES, "action_space_type": "continuous"}, "source-actions"),
        ({"sensor": ["STEREO_CAMERAS"]}, "source-network"),
        ({"neural_network": "DEEP_CONVOLUTIONAL_NETWORK_DEEP"}, "source-network"),
    ],
)
def test_what_weights_do_not_fit_is_refused(model: Model, change: dict[str, Any], code: str) -> None:
    assert codes(compared(model, Source(**change))) == [code]


def test_what_may_change_is_shown_as_a_diff(model: Model) -> None:
    source = Source()
    actions = json.loads((EXAMPLE / METADATA).read_text())["action_space"]
    model.metadata(action_space=[{**actions[0], "speed": 1.25}, *actions[1:]]).hyperparameters(lr=0.0001)
    model.reward((EXAMPLE / REWARD).read_text().replace("/ 60.0", "/ 45.0"))
    result = compared(model, source, tracks=["China_track"])
    assert result.ok
    changed = [line for line in result.changes.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert len(changed) == 8
    assert '+action_space[0]: {"index": 0, "speed": 1.25, "steering_angle": -30}' in changed
    assert [line for line in changed if "lr" in line] == ["-lr: 0.0003", "+lr: 0.0001"]
    assert any(line.startswith("+") and "45.0" in line for line in changed)
    assert changed[-2:] == ["-track: reinvent_base", "+track: China_track"]
    assert "s3://bucket/before/hyperparameters.json" in result.changes


def test_a_source_of_2019_or_of_fleets_own_checkpoints_is_read_as_well(model: Model) -> None:
    source = Source()
    source.files = {METADATA: source.files[f"model/{METADATA}"], "reward.py": b"another = 1\n"}
    result = compared(model, source)
    assert result.ok
    assert "-another = 1" in result.changes


def test_a_source_that_says_nothing_of_actions_is_a_warning(model: Model) -> None:
    source = Source()
    del source.files[f"model/{METADATA}"]
    assert codes(compared(model, source), "warning") == ["source-metadata"]
    source.files[f"model/{METADATA}"] = b"{broken"
    assert codes(compared(model, source), "warning") == ["source-metadata"]


def test_a_source_that_cannot_be_read_is_an_error_not_an_end(model: Model) -> None:
    class Gone(Source):
        def read(self, name: str) -> bytes:
            raise StoreError("access denied", "Ask for permission.")

    (error,) = [one for one in compared(model, Gone()).findings if one.severity == "error"]
    assert (error.code, error.remedy) == ("source-unreadable", "Ask for permission.")
    assert "access denied" in error.message


def test_a_source_that_is_none_is_an_error(model: Model) -> None:
    source = Source()
    source.files = {"unrelated.txt": b"x"}
    assert codes(compared(model, source)) == ["source-missing"]


def test_a_long_diff_is_cut(model: Model) -> None:
    source = Source()
    source.files[REWARD] = "\n".join(f"line_{n} = {n}" for n in range(1000)).encode()
    assert len(compared(model, source).changes.splitlines()) == 201
