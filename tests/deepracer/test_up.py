"""The README's way, from ``fleet init deepracer`` on: on ``local``, with a real engine and a stack of fakes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fleet.model import layout
from fleet.providers.local.market import set_market
from fleet.providers.local.provider import stop_everything
from tests.deepracer import images
from tests.system import engine
from tests.unit.cli.test_commands import Shell

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def fakes(tmp_path_factory: pytest.TempPathFactory) -> images.Fakes:
    return images.build(tmp_path_factory.mktemp("images"))


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    (tmp_path / "bin").mkdir()
    made.env |= engine.compose_env("v2", tmp_path / "bin")
    yield made
    stop_everything(made.home.local)


def racer(shell: Shell, fakes: images.Fakes, **workload: object) -> None:
    """A racer's folder, as ``init`` writes it, on images that are there."""
    shell.run("init", "deepracer", "shanghai-1")
    path = shell.folder / "shanghai-1" / "fleet.yaml"
    job = yaml.safe_load(path.read_text())
    simapp = images.variant(fakes.simapp, FAKE_ITERATION="1")  # no machine is through before it is taken
    job["workload"] |= {"images": {**fakes.images(), "simapp": simapp}, **workload}
    job["volume"] = {"size": "1GB"}
    path.write_text(yaml.safe_dump(job))


def test_a_racer_checks_trains_is_interrupted_and_has_the_model_in_the_end(shell: Shell, fakes: images.Fakes) -> None:
    racer(shell, fakes, until={"iterations": 10})
    checked = shell.json("deepracer", "check", "shanghai-1")
    assert checked["ok"]
    assert checked["reward"]["calls"] >= 1000
    notice = {"after": 4, "from": "training", "signals": ["notice"], "lead": 12}
    crash = {"after": 6, "from": "training", "signals": []}
    set_market(shell.home.local, {"kind": "schedule", "take_backs": [notice, crash]})
    out, _ = shell.run("up", "shanghai-1", timeout=150)
    assert "succeeded" in out
    told = shell.runs()[-1]
    assert (told["attempt"], told["interruptions"]) == (3, 2)
    assert told["step"] in (10, 11, 12)  # each machine that came to train saves what it loaded again, under the next N
    assert told["steps_lost"] <= 2  # an iteration at most by the notice, one by the crash
    models = shell.home.path / "bucket" / layout.models("shanghai-1")
    names = {path.relative_to(models).as_posix() for path in models.rglob("*") if path.is_file()}
    assert f"model/model/model_{told['step']}.pb" in names
    seen = shell.json("deepracer", "status", "shanghai-1")
    assert seen["iterations"] == 10
    assert engine.left(told["run"]) == []


def test_a_model_that_cannot_work_is_refused_before_anything_is_made(shell: Shell, fakes: images.Fakes) -> None:
    racer(shell, fakes)
    (shell.folder / "shanghai-1" / "reward_function.py").write_text("def reward_function(params):\n    return 1 / 0\n")
    _, err = shell.run("up", "shanghai-1", code=3)
    assert "reward_function.py:2" in err
    assert "ZeroDivisionError" in err
    assert shell.runs() == []
