"""Evaluations on a real engine: the driver with a simulator that is a fake, and the command that a racer types."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from fleet.providers.local.market import set_market
from fleet.providers.local.provider import stop_everything
from fleet.workloads.deepracer.evaluating.results import Evaluation, parse_results
from tests.deepracer import images
from tests.deepracer.machine import Machine
from tests.system import engine
from tests.unit.cli.test_commands import Shell

pytestmark = pytest.mark.system
Make = Callable[..., Machine]


@pytest.fixture(scope="module")
def fakes(tmp_path_factory: pytest.TempPathFactory) -> images.Fakes:
    return images.build(tmp_path_factory.mktemp("images"))


def lay_model(folder: Path) -> None:
    for stem in ("9_Step-90.ckpt", "10_Step-99.ckpt"):
        (folder / "model").mkdir(parents=True, exist_ok=True)
        for suffix in (".index", ".meta", ".data-00000-of-00001"):
            (folder / "model" / f"{stem}{suffix}").write_text(f"{stem}{suffix}")
    (folder / "model" / ".coach_checkpoint").write_text("10_Step-99.ckpt")
    (folder / "model" / "model_metadata.json").write_text('{"action_space": []}')
    (folder / "ip").mkdir()
    (folder / "ip" / "hyperparameters.json").write_text('{"lr": 0.0003}')


@pytest.fixture
def make(tmp_path: Path, fakes: images.Fakes, request: pytest.FixtureRequest) -> Iterator[Make]:
    made: list[Machine] = []
    (tmp_path / "bin").mkdir()

    def new(fake: dict[str, str] | None = None, tracks: str = "reinvent_base", **options: object) -> Machine:
        run = f"laps-{zlib.crc32(request.node.name.encode()):08x}"
        named = fakes.images_2019() if options.get("stack") == "2019" else fakes.images()
        role = "simulator" if options.get("stack") == "2019" else "simapp"
        named[role] = images.variant(named[role], **fake) if fake else named[role]
        wish = {"tracks": tracks.split(), "laps": 3}
        given = {"images": named, "pretrained": "source", "evaluate": wish, **options}
        made.append(Machine(tmp_path, run, engine.compose_env("v2", tmp_path / "bin"), **given))
        lay_model(made[-1].workdir / "source")
        return made[-1]

    yield new
    for machine in made:
        machine.close()
        assert machine.left() == [], machine.log


def newest(machine: Machine) -> Evaluation:
    found = parse_results((machine.checkpoints / str(machine.kept()[-1]) / "evaluation.json").read_bytes(), machine.run)
    assert found is not None
    return found


def test_it_drives_each_tracks_laps_keeps_them_and_hands_them_over(make: Make) -> None:
    machine = make({"FAKE_LAPS": "100 40", "FAKE_STAYS": "1"}, tracks="reinvent_base Oval_track")
    machine.start()
    assert machine.ended() == 0, machine.log
    assert machine.left() == []
    assert machine.saved() == sorted({*machine.saved(), 3, 6})
    found = newest(machine)
    assert [(one.track, [lap.progress for lap in one.trials]) for one in found.tracks] == [
        ("reinvent_base", [100, 40, 100]),
        ("Oval_track", [100, 40, 100]),
    ]
    assert [lap.off_track for lap in found.tracks[0].trials] == [0, 1, 0]
    assert (found.set, found.stem) == (10, "10_Step-99.ckpt")
    handed = machine.workdir / "evaluation"
    assert parse_results((handed / "evaluation.json").read_bytes()) == found
    assert len(list(handed.glob("*/metrics/EvaluationMetrics-*.json"))) == 2
    assert len(list(handed.glob("*/evaluation-*/evaluation-simtrace/0-iteration.csv"))) == 2
    assert re.search(r"^fleet: reinvent_base: lap 2: 40 % in 6\.000 s \(in progress\)", machine.log, re.MULTILINE)
    assert "SIM_TRACE_LOG" not in machine.log
    history = machine.volume / "history" / found.tracks[0].prefixes[0]
    assert "SIM_TRACE_LOG" in (history / "logs" / "simulator.log").read_text()


def test_after_the_machine_was_killed_the_next_one_drives_what_is_missing(make: Make) -> None:
    machine = make({"FAKE_LAP": "1"})
    machine.start()
    machine.until(lambda: machine.saved()[-1:] == [1])
    machine.kill()
    assert machine.left() != []
    done = newest(machine).done
    machine.next()
    assert machine.ended() == 0, machine.log
    assert f"reinvent_base: {3 - done} laps with set 10" in machine.log
    (track,) = newest(machine).tracks
    assert ([lap.number for lap in track.trials], len(track.prefixes)) == ([1, 2, 3], 2)


def test_asked_to_stop_it_leaves_nothing_and_keeps_its_laps(make: Make) -> None:
    machine = make({"FAKE_LAP": "1"})
    machine.start()
    machine.until(lambda: machine.saved()[-1:] == [1])
    machine.terminate(within=10)
    assert machine.ended(15) == 143, machine.log
    assert newest(machine).done >= 1
    assert machine.left() == []


def test_a_simulator_that_dies_is_named(make: Make) -> None:
    machine = make({"FAKE_SIM_DIE": "lap:1"})
    machine.start()
    assert machine.ended() == 1, machine.log
    assert "reinvent_base: the simulator ended by itself, with exit code 1 [simulator-ended]" in machine.log
    assert newest(machine).done == 1


def test_2019s_stack_evaluates_too(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = make({"FAKE_LAPS": "37"}, stack="2019")
    machine.start()
    assert machine.ended() == 0, machine.log
    (track,) = newest(machine).tracks
    assert [(lap.progress, lap.status) for lap in track.trials] == [(37, "")] * 3


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    (tmp_path / "bin").mkdir()
    made.env |= engine.compose_env("v2", tmp_path / "bin")
    yield made
    stop_everything(made.home.local)


def test_a_racer_evaluates_a_model_sees_its_laps_and_compares(shell: Shell, fakes: images.Fakes) -> None:
    shell.run("init", "deepracer", "shanghai-1")
    folder = shell.folder / "shanghai-1"
    lay_model(folder)
    path = folder / "fleet.yaml"
    job = yaml.safe_load(path.read_text())
    simapp = images.variant(fakes.simapp, FAKE_LAP="3", FAKE_LAPS="100 40 100")
    job["workload"]["images"] = {**fakes.images(), "simapp": simapp}
    path.write_text(yaml.safe_dump(job))
    crash = {"after": 8, "from": "training", "signals": []}
    set_market(shell.home.local, {"kind": "schedule", "take_backs": [crash]})
    words = ("deepracer", "evaluate", "shanghai-1", "--from", "9", "--laps", "3", "--track", "Oval_track")
    out, _ = shell.run(*words, timeout=150)
    laps = re.findall(r"driven +Oval_track: lap (\d): (\d+) %", out)
    assert [number for number, _ in laps] == ["1", "2", "3"], out
    assert "shanghai-1, set 9, for $" in out
    (run,) = shell.runs()
    assert (run["name"], run["state"], run["interruptions"]) == ("shanghai-1-eval", "succeeded", 1)
    (found,) = json.loads(shell.run("deepracer", "evaluations", "shanghai-1", "-o", "json")[0])
    (track,) = found["tracks"]
    assert (found["set"], track["track"], track["trials"], track["done"]) == (9, "Oval_track", 3, True)
    exported = shell.home.path / "bucket" / "models" / "shanghai-1-eval" / "evaluation" / "evaluation.json"
    assert parse_results(exported.read_bytes()) is not None
    assert engine.left(run["run"]) == []
