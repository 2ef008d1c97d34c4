"""The driver on a real engine: it starts, keeps, resumes and ends a stack of fakes, whatever happens to it."""

from __future__ import annotations

import json
import re
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.workloads.deepracer.course import Course
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


def test_a_driver_that_was_killed_is_followed_by_one_that_goes_on_from_the_last_set(make: Make) -> None:
    machine = make({"FAKE_ITERATION": "0.5"}, until={"iterations": 3})
    machine.start()
    machine.until(lambda: machine.saved()[-1:] == [1])
    machine.kill()
    assert machine.left() != []
    before = machine.course

    machine.start()
    machine.until(lambda: "goes on from set" in machine.log)
    source = machine.volume / "s3" / "bucket" / before.leg.prefix / "model"
    files = {path.name: path.read_bytes() for path in source.iterdir()}
    assert machine.ended(60) == 0, machine.log
    found = re.search(
        r"goes on from set (\d+), on the volume \(\S+\): (nothing was|at most one iteration) lost", machine.log
    )
    assert found, machine.log
    assert int(found[1]) >= before.iterations
    assert {path.name: path.read_bytes() for path in source.iterdir()} == files
    assert machine.course.prefixes == [f"{machine.run}-1-1", f"{machine.run}-1-2"]
    assert machine.course.done >= 3
    assert whole_checkpoints(machine)[-1] == machine.course.iterations


def lay_model(folder: Path, stem: str, machine: Machine | None = None) -> None:
    """A prefix of one whole set, as it is kept or handed over."""
    (folder / "model").mkdir(parents=True)
    for suffix in (".index", ".meta", ".data-00000-of-00001"):
        (folder / "model" / f"{stem}{suffix}").write_text(f"{stem}{suffix}")
    (folder / "model" / ".coach_checkpoint").write_text(stem)
    if machine is not None:
        n = int(stem.split("_")[0])
        course = Course(run=machine.run).begun(f"{machine.run}-1-1", 1, "nothing", None, 0.0, 0.0)
        (folder / "course.json").write_text(course.kept(n, 600.0).model_dump_json())


def test_a_machine_without_the_volume_goes_on_from_fleets_checkpoint(make: Make) -> None:
    machine = make(until={"iterations": 6}, pretrained="old")
    lay_model(machine.workdir / "old", "307_Step-9.ckpt")
    lay_model(machine.checkpoints / "5", "5_Step-400.ckpt", machine)
    machine.attempt = 2
    machine.start()
    assert machine.ended() == 0, machine.log
    assert "goes on from set 5, from fleet's checkpoints (5)" in machine.log
    assert (machine.course.prefixes, machine.course.done) == ([f"{machine.run}-1-1", f"{machine.run}-2-1"], 6)
    assert (machine.course.iterations, machine.course.leg.first) == (7, 6)  # 6 repeats 5
    assert machine.course.trained_seconds > 600


def test_a_simulator_that_dies_is_named_and_the_pretrained_model_stays_as_it_was(make: Make) -> None:
    machine = make({"FAKE_SIM_DIE": "309"}, pretrained="old")
    lay_model(machine.workdir / "old", "307_Step-9.ckpt")
    before = {path: path.read_bytes() for path in machine.workdir.rglob("*") if path.is_file()}
    machine.start()
    assert machine.ended() == 1, machine.log
    assert "goes on from set 307, the pretrained model (old)" in machine.log
    assert "fleet: the simulator ended by itself, with exit code 1 [simulator-ended]" in machine.log
    assert {path: path.read_bytes() for path in machine.workdir.rglob("*") if path.is_file()} == before
    assert machine.left() == []
    assert machine.course.base == 307
    assert whole_checkpoints(machine) == [309]


def test_a_reward_function_that_fails_is_named_at_once(make: Make) -> None:
    machine = make({"FAKE_SIM_DIE": "reward"})
    machine.start()
    assert machine.ended() == 1, machine.log
    assert re.search(r"^fleet: .*name 'speedy' is not defined.* \[reward-error\]", machine.log, re.MULTILINE)
    assert machine.left() == []


def test_after_a_nan_a_set_before_is_gone_on_from_with_a_lower_learning_rate_and_a_second_nan_ends_the_run(
    make: Make,
) -> None:
    machine = make({"FAKE_NAN": "3", "FAKE_ITERATION": "0.1"}, nan={"retries": 1, "learning_rate": 0.5})
    machine.start()
    assert machine.ended(60) == 1, machine.log
    course = machine.course
    assert (course.nan_retries, course.learning_rate, len(course.legs)) == (1, 0.00015, 2)
    assert re.search(r"training goes on from set [01], .* 0\.00015 instead of 0\.0003 \(retry 1 of 1\)", machine.log)
    assert "Entropy=2.620, training epoch=0, learning_rate=0.00015" in machine.log
    assert "the loss is no number (NaN) after going back once [nan]" in machine.log
    assert all(n < 3 for n in whole_checkpoints(machine))
    given = json.loads((machine.volume / "s3" / "bucket" / "custom_files" / "hyperparameters.json").read_text())
    assert given == {"batch_size": 64, "lr": 0.00015, "num_episodes_between_training": 2}
    assert json.loads((machine.workdir / "hyperparameters.json").read_text())["lr"] == 0.0003
    assert machine.left() == []


@pytest.mark.parametrize("word", ["Creating", "coach \\|"])
def test_whenever_it_is_asked_to_stop_it_does_and_leaves_nothing(make: Make, word: str) -> None:
    machine = make()
    machine.start()
    machine.until(lambda: re.search(word, machine.log))
    asked = time.monotonic()
    machine.terminate(within=5)
    assert machine.ended(15) == 143, machine.log
    assert time.monotonic() - asked < 10
    assert machine.left() == []
