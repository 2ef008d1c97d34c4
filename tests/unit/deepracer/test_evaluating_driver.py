"""An evaluation's driver with a simulator that is made up: folders stand for the look-alike's bucket."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from fleet.model.errors import FleetError
from fleet.workloads.deepracer.containers import Container
from fleet.workloads.deepracer.evaluating import driver, laps, steer
from fleet.workloads.deepracer.evaluating.results import Evaluation, parse_results
from fleet.workloads.deepracer.ground import ground_of
from fleet.workloads.deepracer.leg import Stop
from fleet.workloads.deepracer.listen import Heard, Line
from fleet.workloads.deepracer.place import Place
from fleet.workloads.deepracer.prefix import Prefix, open_folder
from fleet.workloads.deepracer.spec import DeepRacer
from fleet.workloads.deepracer.steer import Exited
from fleet.workloads.deepracer.weights.errors import NotFiniteError
from tests.unit.deepracer.places import place
from tests.unit.deepracer.test_ground import ENV
from tests.unit.deepracer.weights.bundling import lay

RUN = ENV["FLEET_RUN_ID"]
TRACE = "SIM_TRACE_LOG:0,1,3.0512,0.6829,-0.0040,0.00,0.00,0,1.0000,False,True,0.7992,0,17.67,1555730996.3144288"
HYPERPARAMETERS = b'{"lr": 0.0003}'


class Bench:
    """A machine: what its simulator does on each track is said beforehand, as percents of its laps; a word ends it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, **more: Any) -> None:
        self.folder, self.patch = folder, monkeypatch
        self.does: dict[str, list[int | str]] = {}
        self.started: list[Place] = []
        self.removed = 0
        self.said: list[Heard] = []
        self.on_up: Callable[[], object] = lambda: None
        wish = {"tracks": ["one", "two"], "laps": 3, **more.pop("evaluate", {})}
        self.spec = DeepRacer.model_validate({"pretrained": "source", "evaluate": wish, **more})
        self.stop = Stop(lambda asked: asked + 30)
        self.attempt = 2
        workdir = folder / "workdir"
        self.lay_model(workdir / "source")
        room = SimpleNamespace(
            engine=None, note=lambda: None, clear=lambda place: None, remove=self._remove, end_training=lambda: None,
            pull=lambda known, device: {"simulator": "image@sha256:1"}, up=self._up, running=self._running,
        )  # fmt: skip
        storage = SimpleNamespace(base="", names=self._names, open=self.prefix)
        ready = SimpleNamespace(device="cpu", place=self._place, open_storage=lambda: storage, images={})
        monkeypatch.setattr(driver, "EngineRoom", lambda *_: room)
        monkeypatch.setattr(driver, "Preparation", lambda *_: ready)
        monkeypatch.setattr(driver, "Listener", lambda _: self)
        monkeypatch.setattr(laps, "LOOK", 0.0)
        monkeypatch.setattr(steer, "TRACED_WITHIN", 0.0)
        monkeypatch.setattr("fleet.workloads.deepracer.steer.SETTLE", 0.01)

    def lay_model(self, folder: Path, *stems: str) -> None:
        (folder / "model").mkdir(parents=True, exist_ok=True)
        for stem in stems or ("9_Step-90.ckpt", "10_Step-99.ckpt"):
            for suffix in (".index", ".meta", ".data-00000-of-00001"):
                (folder / "model" / f"{stem}{suffix}").write_text(f"{stem}{suffix}")
        (folder / "model" / ".coach_checkpoint").write_text((stems or ("10_Step-99.ckpt",))[-1])
        (folder / "model" / "model_metadata.json").write_text('{"action_space": []}')
        (folder / "ip").mkdir(exist_ok=True)
        (folder / "ip" / "hyperparameters.json").write_bytes(HYPERPARAMETERS)

    @property
    def workdir(self) -> Path:
        return self.folder / "workdir"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    def prefix(self, name: str) -> Prefix:
        return open_folder(self.folder / "bucket" / name)

    def _names(self) -> list[str]:
        bucket = self.folder / "bucket"
        return sorted(path.name for path in bucket.iterdir()) if bucket.is_dir() else []

    def _place(self, prefix: str, pretrained: None, base: str = "") -> Place:
        return place(prefix=base + prefix, own=self.folder / "own", volume=self.folder)

    def _remove(self) -> None:
        self.removed += 1

    def _running(self) -> list[Container]:
        return [Container("c", "simulator", "running", 0, out_of_memory=False)]

    # --- the simulator, and its log

    def _up(self, place: Place) -> None:
        self.started.append(place)
        assert place.laps is not None
        told = self.does.pop(place.laps.world)
        driven = [one for one in told if isinstance(one, int)]
        self.said = [Line("simulator", "starts with a-secret"), Line("simulator", TRACE)]
        if "ends" in told:
            self.said.append(Exited("simulator", 1, time.time()))
        entries = [{"completion_percentage": one, "elapsed_time_in_milliseconds": 150 * one} for one in driven]
        where = self.prefix(place.prefix)
        where.write(f"metrics/EvaluationMetrics-{place.laps.stamp}.json", json.dumps({"metrics": entries}).encode())
        if len(driven) == place.laps.count:
            where.write(f"evaluation-{place.laps.stamp}/evaluation-simtrace/0-iteration.csv", b"episode,steps\n")
        self.on_up()

    def follow(self, service: str, container: str) -> None:
        assert service == "simulator"

    def take(self, within: float) -> list[Heard]:
        said, self.said = self.said, []
        return said

    def wake(self) -> None:
        pass

    def end(self) -> None:
        pass

    # --- a life

    def live(self, **does: list[int | str]) -> int:
        self.does = {**does}
        env = {**ENV, "FLEET_ATTEMPT": str(self.attempt), "FLEET_VOLUME": str(self.folder)}
        ground = ground_of({**env, "FLEET_CHECKPOINTS": str(self.checkpoints)}, self.workdir)
        return driver.Evaluator(self.spec, ground, self.stop).live()

    @property
    def newest(self) -> Path:
        return max(self.checkpoints.iterdir(), key=lambda path: int(path.name))

    def kept(self) -> Evaluation:
        found = parse_results((self.newest / "evaluation.json").read_bytes(), RUN)
        assert found is not None
        return found


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def protocol(told: str) -> list[str]:
    return [line.split(" at=")[0] for line in told.splitlines() if line.startswith("fleet.")]


def test_each_track_is_driven_on_with_a_copy_of_the_model_and_the_results_are_kept(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in bench.workdir.rglob("*") if path.is_file()}
    assert bench.live(one=[100, 40, 100], two=[100, 100, 100]) == 0
    result = bench.kept()
    assert [(one.track, [lap.progress for lap in one.trials]) for one in result.tracks] == [
        ("one", [100, 40, 100]),
        ("two", [100, 100, 100]),
    ]
    assert (result.set, result.stem, result.model, result.laps) == (10, "10_Step-99.ckpt", "source", 3)
    assert [one.prefix for one in bench.started] == [f"{RUN}-2-1", f"{RUN}-2-2"]
    for started in bench.started:
        listing = bench.prefix(started.prefix).list()
        assert "model/10_Step-99.ckpt.index" in listing
        assert not any("9_Step-90" in name for name in listing)
        said = yaml.safe_load(bench.prefix(started.prefix).read("evaluation_params.yaml"))
        assert started.laps is not None
        assert said["WORLD_NAME"] == started.laps.world
    assert {path: path.read_bytes() for path in before} == before
    assert bench.removed == 1
    told = capsys.readouterr().out
    assert "fleet: one: lap 2: 40 % in 6.000 s" in told
    assert "fleet: one: 2 of 3 laps, 80.0 % on average, the best in 15.000 s" in told
    assert "a-secret" not in told
    assert "SIM_TRACE" not in told
    assert protocol(told)[-2:] == ["fleet.progress step=6 total=6 completion=100 seconds=15", "fleet.saved step=6"]


def test_results_metrics_and_traces_are_handed_over_and_lie_in_the_checkpoint(bench: Bench) -> None:
    bench.live(one=[100, 40, 100], two=[100, 100, 100])
    names = sorted(path.relative_to(bench.workdir / "evaluation").as_posix() for path in bench.workdir.rglob("*.csv"))
    assert [name.split("/")[0] for name in names] == ["one", "two"]
    assert parse_results((bench.workdir / "evaluation" / "evaluation.json").read_bytes(), RUN) == bench.kept()
    in_checkpoint = [path.relative_to(bench.newest).as_posix() for path in bench.newest.rglob("EvaluationMetrics*")]
    assert [name.split("/")[1] for name in sorted(in_checkpoint)] == [f"{RUN}-2-1", f"{RUN}-2-2"]


def test_after_an_interruption_only_the_laps_that_are_missing_are_driven_with_the_same_set(bench: Bench) -> None:
    bench.on_up = lambda: bench.stop.ask() if len(bench.started) == 2 else None
    assert bench.live(one=[100, 40, 100], two=[70]) == 143
    assert bench.kept().left(("one", "two")) == ["two"]

    bench.on_up = lambda: None
    bench.stop = Stop(lambda asked: asked + 30)
    bench.attempt = 3
    bench.lay_model(bench.workdir / "source", "11_Step-200.ckpt")
    assert bench.live(two=[100, 90]) == 0
    two = bench.kept().on("two")
    assert two is not None
    assert [(one.number, one.progress) for one in two.trials] == [(1, 70), (2, 100), (3, 90)]
    assert two.prefixes == (f"{RUN}-2-2", f"{RUN}-3-1")
    assert bench.started[-1].laps is not None
    assert bench.started[-1].laps.count == 2
    assert bench.kept().set == 10


def test_who_is_asked_to_stop_as_a_tracks_last_lap_ends_begins_no_other_track(bench: Bench) -> None:
    bench.on_up = bench.stop.ask
    assert bench.live(one=[100, 50, 100], two=[100, 100, 100]) == driver.STOPPED
    assert [place.laps.world for place in bench.started if place.laps is not None] == ["one"]
    assert bench.kept().left(["one", "two"]) == ["two"]


def test_a_run_that_died_before_it_handed_over_starts_nothing_again(bench: Bench) -> None:
    bench.live(one=[1, 2, 3], two=[4, 5, 6])
    (bench.workdir / "evaluation" / "evaluation.json").unlink()
    started = len(bench.started)
    assert bench.live() == 0
    assert len(bench.started) == started
    assert (bench.workdir / "evaluation" / "evaluation.json").exists()


def test_a_simulator_that_ends_is_named_and_what_it_drove_is_kept(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.live(one=[100, "ends"]) == 1
    assert "fleet: one: the simulator ended by itself, with exit code 1 [simulator-ended]" in capsys.readouterr().out
    assert bench.kept().done == 1
    assert bench.removed == 1


def test_a_set_that_is_not_there_is_never_silently_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, monkeypatch, evaluate={"checkpoint": 1})
    with pytest.raises(FleetError, match="set 1 cannot be taken"):
        bench.live()
    assert bench.started == []
    assert bench.removed == 1


def test_nobody_drives_with_weights_that_are_no_numbers(bench: Bench) -> None:
    lay("nan", bench.workdir / "source" / "model" / "10_Step-99.ckpt")
    with pytest.raises(NotFiniteError, match="what is no number"):
        bench.live()
    assert bench.started == []


def test_a_model_without_metadata_needs_the_jobs_own(bench: Bench) -> None:
    (bench.workdir / "source" / "model" / "model_metadata.json").unlink()
    with pytest.raises(FleetError, match=r"has no model_metadata\.json"):
        bench.live(one=[])
    (bench.workdir / "model_metadata.json").write_text('{"version": "5"}')
    assert bench.live(one=[1, 2, 3], two=[1, 2, 3]) == 0
    assert bench.prefix(bench.started[0].prefix).read("model/model_metadata.json") == b'{"version": "5"}'


def test_2019s_simulator_finds_the_pointer_and_files_of_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, monkeypatch, stack="2019", evaluate={"tracks": ["one"], "checkpoint": 9})
    assert bench.live(one=[1, 2, 3]) == 0
    where = bench.prefix(bench.started[0].prefix)
    assert where.read("model/checkpoint").startswith(b'model_checkpoint_path: "9_Step-90.ckpt"\n')
    assert where.read("ip/hyperparameters.json") == HYPERPARAMETERS
    assert {"model_metadata.json", "reward.py"} <= where.list().keys()
    assert "evaluation_params.yaml" not in where.list()


def test_a_disk_that_is_full_ends_no_lap(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(driver, "commit", full)
    with pytest.raises(OSError, match="No space"):
        bench.live(one=[100, 100, "ends"])
    told = capsys.readouterr().out
    assert told.count("could not be read or kept, the car drives on") == 1
