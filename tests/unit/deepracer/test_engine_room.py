"""What the driver waits for before a stack runs, and for how long. Docker is a fake."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.engine import Engine
from fleet.model.errors import FleetError
from fleet.workloads.deepracer import engine_room
from fleet.workloads.deepracer.engine_room import EngineRoom, InterruptedStart
from fleet.workloads.deepracer.ground import ground_of
from fleet.workloads.deepracer.images import SIMAPP
from fleet.workloads.deepracer.spec import DeepRacer
from tests.fake_docker import FakeDocker
from tests.unit.deepracer.places import place
from tests.unit.deepracer.test_ground import ENV


@pytest.fixture
def docker(tmp_path: Path) -> FakeDocker:
    made = FakeDocker(tmp_path / "bin")
    made.answer("image inspect --format {{.Id}} *", code=1)
    made.answer("image inspect --format {{json .RepoDigests}} *", out="[]")
    return made


def room(docker: FakeDocker, folder: Path, stopping: Callable[[], bool] = lambda: False) -> EngineRoom:
    ground = ground_of({**ENV, **docker.env, "FLEET_ENGINE_NOTE": str(folder / "stack" / "engine.json")}, folder)
    return EngineRoom(ground, DeepRacer(storage="bucket", launcher="direct"), stopping)


def test_a_registry_that_is_away_for_a_moment_costs_no_restart(
    docker: FakeDocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_room, "PULL_AGAIN", (0.01, 0.01))
    mark = tmp_path / "tried"
    docker.answer("pull *", do=f"if [ ! -e {mark} ]; then : >{mark}; exit 1; fi")
    assert room(docker, tmp_path).pull({}, "cpu").keys() == {"trainer", "simulator"}
    monkeypatch.setattr(engine_room, "PULL_AGAIN", ())
    mark.unlink()
    with pytest.raises(FleetError, match="cannot be had"):
        room(docker, tmp_path).pull({}, "cpu")


def test_a_registry_that_falls_silent_does_not_keep_the_machine(
    docker: FakeDocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine_room, "PULL_MOST", 0.3)
    docker.answer("pull *", do="exec sleep 600")
    began = time.monotonic()
    with pytest.raises(FleetError, match="cannot be had"):
        room(docker, tmp_path).pull({}, "cpu")
    assert time.monotonic() - began < 10
    assert "docker pull does not end within 0 s" in capfd.readouterr().out


def test_later_attempts_take_the_first_ones_images_unless_the_machine_is_of_another_kind(
    docker: FakeDocker, tmp_path: Path
) -> None:
    docker.answer("image inspect --format {{.Id}} *", out="sha256:1")
    of_cpu = f"{SIMAPP}-cpu@sha256:{'1' * 64}"
    known = {"trainer": of_cpu, "simulator": of_cpu}
    assert room(docker, tmp_path).pull(known, "cpu") == known
    assert set(room(docker, tmp_path).pull(known, "gpu").values()) == {f"{SIMAPP}-gpu"}


def test_an_image_that_its_registry_forgot_gives_way_to_what_its_tag_names_now(
    docker: FakeDocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_room, "PULL_AGAIN", ())
    forgotten = f"{SIMAPP}-cpu@sha256:{'1' * 64}"
    docker.answer("pull --quiet *@sha256:*", err="manifest unknown", code=1)
    assert set(room(docker, tmp_path).pull({"trainer": forgotten}, "cpu").values()) == {f"{SIMAPP}-cpu"}


def test_a_wish_to_stop_is_heard_between_two_tries(
    docker: FakeDocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_room, "PULL_AGAIN", (600.0,))
    docker.answer("pull *", code=1, do=f": >{tmp_path}/pulled")
    began = time.monotonic()
    with pytest.raises(InterruptedStart):
        room(docker, tmp_path, lambda: (tmp_path / "pulled").exists()).pull({}, "cpu")
    assert time.monotonic() - began < 10


def test_an_engine_that_reads_a_slow_disk_before_it_answers_is_waited_for(
    docker: FakeDocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = Engine.ask.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "timeout", 0.5)
    mark = tmp_path / "asked"
    docker.answer("version *", out="20.10.24", do=f"if [ ! -e {mark} ]; then : >{mark}; exec sleep 600; fi")
    assert room(docker, tmp_path).compose.engine_version == "20.10.24"


def test_nothing_is_started_beside_leftovers_that_the_engine_did_not_tell_of(docker: FakeDocker, tmp_path: Path) -> None:
    """A trainer of an earlier start would be taken for the new one: it has the same project."""
    docker.answer("ps --all --filter label=fleet.run=*", err="Cannot connect", code=1)
    with pytest.raises(FleetError, match="Cannot connect"):
        room(docker, tmp_path).clear(place())
