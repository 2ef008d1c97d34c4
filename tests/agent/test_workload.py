"""A workload's driver as the agent's child: how it is started, and that its containers end with it. Docker is a fake."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.agent import workload
from fleet.agent.logfile import LogFile
from fleet.agent.workload import WorkloadProcess
from fleet.engine import ENGINE_NOTE
from tests.agent.fakes import World
from tests.fake_docker import FakeDocker

PROJECT = "fleet-racer-1-1"


def test_a_jobs_workload_is_started_in_its_workdir_with_its_options(tmp_path: Path) -> None:
    world = World(tmp_path, {"run": None, "workload": {"kind": "deepracer", "workers": 2}})
    life = world.attempt(disk=world.disk())
    life.until("training")
    agent, scratch = life.agent, life.machine.scratch
    words, env = workload.command(agent.boot, scratch, life.training.env)
    assert json.loads(Path(env["FLEET_WORKLOAD"]).read_bytes()) == {"kind": "deepracer", "workers": 2}
    assert env["FLEET_ENGINE_NOTE"] == str(scratch / ENGINE_NOTE)
    assert shlex.split(words)[2:4] == ["-I", "-c"]
    life.training.code = 0
    life.live(10)
    assert life.beat.outcome is not None
    assert life.beat.outcome.kind == "succeeded"
    world.close()


def eventually(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Bench:
    """A driver that is a shell script, and an engine that has one container of the project until that is removed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.docker = FakeDocker(folder / "bin")
        self.note = folder / ENGINE_NOTE
        self.note.parent.mkdir(parents=True)
        self.log = LogFile(folder / "log")

    def start(self, commands: str, **env: str) -> WorkloadProcess:
        names = {**os.environ, "FLEET_ENGINE_NOTE": str(self.note), **env}
        return WorkloadProcess(commands, self.folder, names, self.log, lambda: None, time.time)

    def noted(self) -> None:
        program = str(self.docker.folder / "docker")
        self.note.write_text(json.dumps({"docker": program, "project": PROJECT, "env": {}}))

    @property
    def asked(self) -> list[str]:
        return self.docker.calls()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.log.close()


def test_it_counts_as_ended_only_once_its_containers_are_removed(bench: Bench) -> None:
    bench.noted()
    child = bench.start("echo fleet.progress step=3; exit 7")
    eventually(lambda: child.poll() is not None)
    assert child.poll() == 7
    assert child.gone
    assert [line for _, line in child.lines()] == ["fleet.progress step=3"]
    assert any(PROJECT in words and words.startswith("ps --all") for words in bench.asked)


def test_one_that_is_killed_takes_its_containers_along(bench: Bench) -> None:
    bench.noted()
    child = bench.start("sleep 600")
    assert child.poll() is None
    assert not child.gone
    child.kill()
    eventually(lambda: child.gone)
    assert child.poll() == -9
    assert any(PROJECT in words for words in bench.asked)


def test_one_that_was_killed_lets_its_checkpoint_be_committed_while_a_slow_engine_still_removes_its_containers(
    bench: Bench,
) -> None:
    bench.docker.answer("ps --all *", out="abc")
    bench.docker.answer("rm *", do=f"while [ ! -e {bench.folder}/let-go ]; do sleep 0.05; done")
    bench.noted()
    child = bench.start("trap '' TERM; echo deaf; sleep 600")
    eventually(lambda: [line for _, line in child.lines()] == ["deaf"])
    child.ask_to_stop(1)
    child.kill()
    eventually(lambda: bool(bench.docker.called("rm ")))
    try:
        eventually(lambda: child.poll() == -9)
        assert not child.gone
    finally:
        bench.docker.answer("ps --all *")
        (bench.folder / "let-go").touch()
    eventually(lambda: child.gone)


def test_one_that_is_asked_to_stop_learns_how_long_it_has(bench: Bench) -> None:
    bench.noted()
    child = bench.start(
        f"trap 'cat {bench.folder}/stop-by >{bench.folder}/heard; exit 143' TERM; echo hears; while :; do sleep 0.02; done"
    )
    eventually(lambda: [line for _, line in child.lines()] == ["hears"])
    until = time.time() + 18
    child.ask_to_stop(18)
    eventually(lambda: child.poll() == 143)
    assert float((bench.folder / "heard").read_text()) == pytest.approx(until, abs=1)


@pytest.mark.parametrize("note", [None, "", "[]", '{"docker": 3}'])
def test_one_that_made_nothing_on_the_engine_ends_all_the_same(bench: Bench, note: str | None) -> None:
    if note is not None:
        bench.note.write_text(note)
    child = bench.start("exit 0")
    eventually(lambda: child.poll() == 0)
    assert bench.asked == []


def test_a_module_in_the_users_folder_does_not_stand_in_for_a_library(tmp_path: Path, bench: Bench) -> None:
    """The isolated Python that starts the driver finds fleet, and nothing in the folder where it is started."""
    (tmp_path / "yaml.py").write_text("raise SystemExit(77)")
    (tmp_path / "world").mkdir()
    world = World(tmp_path / "world", {"run": None, "workload": {"kind": "nothing-known"}})
    life = world.attempt(disk=world.disk())
    life.until("training")
    words, env = workload.command(life.agent.boot, life.machine.scratch, {**os.environ, **life.training.env})
    child = WorkloadProcess(
        words, tmp_path, {**env, "FLEET_ENGINE_NOTE": str(bench.note)}, bench.log, lambda: None, time.time
    )
    eventually(lambda: child.poll() is not None)
    assert child.poll() == 2
    assert "nothing-known" in "".join(line for _, line in child.lines()) or "nothing-known" in bench.log.tail(20)
    world.close()
