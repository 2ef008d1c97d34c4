"""The driver on a real engine: it starts, keeps, resumes and ends a stack of fakes, whatever happens to it."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.workloads.deepracer.mirror import TEMPORARY
from fleet.workloads.deepracer.prefix import open_folder
from fleet.workloads.deepracer.sets import newest_whole
from tests.deepracer import images
from tests.deepracer.machine import Machine
from tests.system import engine

pytestmark = pytest.mark.system
Make = Callable[..., Machine]


@pytest.fixture(scope="module")
def fakes(tmp_path_factory: pytest.TempPathFactory) -> images.Fakes:
    return images.build(tmp_path_factory.mktemp("images"))


@pytest.fixture
def make(tmp_path: Path, fakes: images.Fakes, request: pytest.FixtureRequest) -> Iterator[Make]:
    made: list[Machine] = []
    (tmp_path / "bin").mkdir()

    def new(fake: dict[str, str] | None = None, **options: object) -> Machine:
        run = f"drive-{zlib.crc32(request.node.name.encode()):08x}"
        simapp = images.variant(fakes.simapp, **fake) if fake else fakes.simapp
        given = {"images": {"simapp": simapp, "s3": fakes.s3}, **options}
        made.append(Machine(tmp_path, run, engine.compose_env("v2", tmp_path / "bin"), **given))
        return made[-1]

    yield new
    for machine in made:
        machine.close()
        assert machine.left() == [], machine.log


def whole_checkpoints(machine: Machine) -> list[int]:
    """The sets in fleet's folder; each is whole, and nothing else lies there."""
    found = []
    for path in machine.checkpoints.iterdir():
        if not path.name.startswith(TEMPORARY):
            newest = newest_whole(open_folder(path).list())
            assert newest is not None
            assert newest.n == int(path.name)
            assert (path / "model" / ".coach_checkpoint").read_text() == newest.stem
            assert json.loads((path / "course.json").read_text())["iterations"] == newest.n
            found.append(newest.n)
    return sorted(found)


def test_it_starts_keeps_each_set_and_hands_the_model_over(make: Make) -> None:
    machine = make(until={"iterations": 3})
    machine.start()
    assert machine.ended() == 0, machine.log
    assert machine.saved() == [1, 2, 3]
    assert whole_checkpoints(machine) == [2, 3]
    assert machine.left() == []
    steps = re.findall(r"^fleet\.progress step=(\d+) total=3", machine.log, re.MULTILINE)
    assert steps[-1] == "3"
    assert re.search(r"^fleet\.progress .*reward=\d.* entropy=2\.62", machine.log, re.MULTILINE)
    model = machine.workdir / "model"
    names = {path.relative_to(model).as_posix() for path in model.rglob("*") if path.is_file()}
    assert names >= {
        "model/.coach_checkpoint",
        "model/deepracer_checkpoints.json",
        "model/model_3.pb",
        "model/model_metadata.json",
        "model_metadata.json",
        "reward_function.py",
        "training_params.yaml",
        "ip/hyperparameters.json",
        "metrics/TrainingMetrics.json",
    }
    stem = (model / "model" / ".coach_checkpoint").read_text()
    told = json.loads((model / "model" / "deepracer_checkpoints.json").read_text())
    assert stem.startswith("3_Step-")
    assert told["best_checkpoint"]["name"] == told["last_checkpoint"]["name"] == stem
    history = machine.volume / "history" / machine.course.leg.prefix
    assert (history / "metrics" / "TrainingMetrics.json").exists()
    assert (history / "training-simtrace" / "0-iteration.csv").exists()
    assert "SIM_TRACE_LOG" in (history / "logs" / "simulator.log").read_text()
    assert "SIM_TRACE_LOG" not in machine.log


def test_an_interrupted_run_goes_on_from_its_last_set_and_loses_an_iteration_at_most(make: Make) -> None:
    """SIGTERM within an iteration; then death without a word, and the same machine again; then a machine without volume."""
    machine = make({"FAKE_ITERATION": "1"}, until={"iterations": 7})
    machine.start()
    machine.until(lambda: machine.saved()[-1:] == [1] and "Training iteration=1" in machine.log)
    machine.terminate()
    assert machine.ended() == 143, machine.log
    assert machine.left() == []
    first = machine.course
    assert first.iterations in (1, 2)
    assert first.leg.ended == "stopped"
    source = machine.volume / "s3" / "bucket" / first.leg.prefix / "model"
    before = {path.name: path.read_bytes() for path in source.iterdir()}

    machine.next()
    machine.until(lambda: "training goes on" in machine.log and machine.course.done > first.done)
    assert re.search(
        rf"goes on from set {first.iterations}, on the volume .*: (nothing was|at most one iteration) lost", machine.log
    )
    print(*re.findall(r"fleet: training goes on.*", machine.log), sep="\n")
    own = float(re.search(r": ([\d.]+) s fleet's", machine.log)[1])  # type: ignore[index]
    assert own < 30
    assert {path.name: path.read_bytes() for path in source.iterdir()} == before
    reached = machine.course.reached
    machine.kill()
    assert machine.left() != []

    machine.start()
    machine.until(lambda: machine.log.count("goes on from set") == 2)
    lost = machine.log.rsplit("goes on from set", 1)[1].splitlines()[0]
    assert int(lost.split(",")[0]) >= reached - 1
    assert "iterations lost" not in lost, lost
    machine.until(lambda: machine.log.count("training goes on") >= 2)
    assert machine.ended(60) == 0, machine.log
    assert machine.course.done >= 7
    assert [leg.attempt for leg in machine.course.legs] == [1, 2, 2]
    assert len(set(machine.course.prefixes)) == 3
    assert whole_checkpoints(machine)[-1] == machine.course.iterations
