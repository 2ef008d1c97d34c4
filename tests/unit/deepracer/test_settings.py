"""What a clone may set, under which names, and what it may not."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from fleet.model.errors import FleetError
from fleet.workloads.deepracer.versions.settings import parse_settings, with_hyperparameters


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("learning_rate=0.0001", {"lr": 0.0001}),
        ("lr=1e-4", {"lr": 0.0001}),
        ("Learning-Rate=0.0001", {"lr": 0.0001}),
        ("entropy=0.02", {"beta_entropy": 0.02}),
        ("epochs=5", {"num_epochs": 5}),
        ("episodes = 40", {"num_episodes_between_training": 40}),
        ("batch_size=128", {"batch_size": 128}),
        ("discount=0.99", {"discount_factor": 0.99}),
        ("loss=mse", {"loss_type": "mean squared error"}),
        ("loss_type=Huber", {"loss_type": "huber"}),
        ("batch_size=12.5", {"batch_size": 12.5}),
    ],
)
def test_hyperparameters_go_by_both_names(word: str, found: dict[str, Any]) -> None:
    read = parse_settings([word])
    assert read.hyperparameters == found
    assert [type(value) for value in read.hyperparameters.values()] == [type(value) for value in found.values()]
    assert not read.workload


@pytest.mark.parametrize(
    ("word", "path", "value"),
    [
        ("workers=3", ("workers",), 3),
        ("race=head-to-bot", ("race",), "HEAD_TO_BOT"),
        ("tracks=Oval_track, reinvent_base", ("tracks",), ["Oval_track", "reinvent_base"]),
        ("track=Oval_track", ("tracks",), ["Oval_track"]),
        ("until.iterations=50", ("until", "iterations"), 50),
        ("iterations=50", ("until", "iterations"), 50),
        ("duration=8h", ("until", "duration"), "8h"),
        ("stack=2019", ("stack",), "2019"),
        ("env.RTF_OVERRIDE=2", ("env", "RTF_OVERRIDE"), "2"),
        ("workload.images.simapp=mine:1", ("images", "simapp"), "mine:1"),
    ],
)
def test_what_the_job_says_goes_by_its_name_there(word: str, path: tuple[str, ...], value: object) -> None:
    assert parse_settings([word]).workload == {path: value}


def test_tracks_may_be_named_apart_but_once() -> None:
    assert parse_settings([], ["a", "b"]).workload == {("tracks",): ["a", "b"]}
    with pytest.raises(FleetError, match="set twice"):
        parse_settings(["tracks=c"], ["a"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["learning_rte=1"], "did you mean 'learning_rate'"),
        (["worker=1"], "did you mean 'workers'"),
        (["until.iteration=1"], "did you mean 'until.iterations'"),
        (["learning_rate"], "NAME=VALUE is expected"),
        (["lr="], "NAME=VALUE is expected"),
        (["lr=fast"], "a number is expected"),
        (["lr=nan"], "a number is expected"),
        (["lr=1", "learning_rate=2"], "set twice"),
        (["actions=5"], "weights fit one number of actions"),
        (["pretrained=x"], "--from says from which"),
        (["kind=other"], "another kind of training is another job"),
    ],
)
def test_what_cannot_be_set_is_told_with_what_was_meant(words: list[str], told: str) -> None:
    with pytest.raises(FleetError, match=re.escape(told)):
        parse_settings(words)


def test_hyperparameters_keep_their_order_and_layout() -> None:
    text = '{\n\t"lr": 0.0003,\n\t"e_greedy_value": 1,\n\t"own": "ü"\n}'
    after = with_hyperparameters(text, {"lr": 0.0001, "batch_size": 64})
    assert after == '{\n\t"lr": 0.0001,\n\t"e_greedy_value": 1,\n\t"own": "ü",\n\t"batch_size": 64\n}\n'
    assert with_hyperparameters(text, {}) == text
    assert json.loads(with_hyperparameters('\ufeff{"lr": 1}', {"lr": 2})) == {"lr": 2}


@pytest.mark.parametrize("text", ["[]", "{", ""])
def test_what_is_no_object_of_hyperparameters_is_refused(text: str) -> None:
    with pytest.raises(FleetError, match="no JSON object"):
        with_hyperparameters(text, {"lr": 1})
