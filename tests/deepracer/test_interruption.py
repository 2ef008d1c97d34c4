"""`fleet up` of a DeepRacer job on `local`, with real containers: a notice in the middle of an iteration."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fleet.model import layout
from fleet.providers.local.provider import stop_everything
from tests.deepracer import images
from tests.deepracer.machine import HYPERPARAMETERS, METADATA, REWARD
from tests.system import engine
from tests.system.test_stack import StackShell

pytestmark = pytest.mark.system


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[StackShell]:
    made = StackShell(tmp_path)
    (tmp_path / "bin").mkdir()
    made.env |= engine.compose_env("v2", tmp_path / "bin")
    yield made
    stop_everything(made.home.local)


def job(folder: Path, fakes: images.Fakes) -> str:
    """A model's folder: ten iterations of a second each, so that the notice comes first on the quickest machine."""
    folder.mkdir()
    (folder / "hyperparameters.json").write_text(json.dumps(HYPERPARAMETERS))
    (folder / "model_metadata.json").write_text(json.dumps(METADATA))
    (folder / "reward_function.py").write_text(REWARD)
    simapp = images.variant(fakes.simapp, FAKE_ITERATION="1")
    text = {
        "name": "racer",
        "workdir": ".",
        "resources": {"market": "spot"},
        "volume": {"size": "1GB"},
        "outputs": ["model"],
        "workload": {"kind": "deepracer", "images": {"simapp": simapp, "s3": fakes.s3}, "until": {"iterations": 10}},
    }
    (folder / "fleet.yaml").write_text(yaml.safe_dump(text))
    return str(folder)


def test_a_notice_costs_one_iteration_at_most_and_the_run_ends_with_its_model(
    shell: StackShell, tmp_path_factory: pytest.TempPathFactory
) -> None:
    fakes = images.build(tmp_path_factory.mktemp("images"))
    shell.take_backs({"signals": ["notice"], "lead": 8, "after": 7})
    told = shell.json("up", job(shell.folder / "racer", fakes))
    log, _ = shell.run("logs", "racer")
    assert told["state"] == "succeeded", log
    assert (told["attempt"], told["interruptions"]) == (2, 1)
    assert told["steps_lost"] <= 1
    resumed = re.search(r"goes on from set (\d+), .*: (nothing was|at most one iteration) lost", log)
    assert resumed, log
    seconds = re.findall(r"training goes on ([\d.]+) s after the start: ([\d.]+) s fleet's", log)
    print(f"from set {resumed[1]}, {resumed[2]} lost; seconds to the first episode, and fleet's own of them: {seconds}")
    assert engine.left(told["run"]) == []
    model = shell.home.path / "bucket" / layout.models("racer") / "model" / "model"
    stem = (model / ".coach_checkpoint").read_text()
    assert (model / f"{stem}.index").stat().st_size > 0
    assert int(stem.split("_")[0]) >= 10
