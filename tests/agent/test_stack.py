"""A stack as the agent's child: what docker is asked, what is heard, how it ends. Docker is a fake."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.agent import workplace
from fleet.agent.logfile import LogFile
from fleet.agent.stack import DID_NOT_START, ComposeProcess
from fleet.workloads.stack import StackSpec, override
from tests.agent.fakes import World
from tests.fake_docker import FakeDocker

PROJECT = "fleet-racer-1-1"
SERVICES = "services: {training: {image: a}, store: {image: b}}"


def test_a_jobs_stack_is_started_in_its_workdir_after_its_setup(tmp_path: Path) -> None:
    world = World(tmp_path, {"run": None, "stack": "compose.yaml", "setup": "prepare"})
    life = world.attempt(disk=world.disk())
    life.until("setup")
    assert life.training.commands == "prepare"
    life.training.code = 0
    life.until("training")
    assert life.training.commands == "compose.yaml"
    assert not life.machine.trained  # it says so itself, once its container runs
    spec, env = workplace.stack(life.agent.boot, "i-1", life.machine.scratch, tmp_path, life.training.env)
    assert spec.project == "fleet-racer-1-1"
    assert spec.mounts == (env["FLEET_VOLUME"], env["FLEET_SAVE_REQUEST"])
    assert Path(env["FLEET_SAVE_REQUEST"]).read_text() == ""
    assert (env["FLEET_UID"], env["FLEET_GID"]) == (str(os.getuid()), str(os.getgid()))
    life.training.code = 0
    life.live(10)
    assert life.beat.outcome is not None
    assert life.beat.outcome.kind == "succeeded"
    world.close()


class Bench:
    """A stack whose engine does as the test says: the training runs until a file ``over`` holds its exit code."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.docker = FakeDocker(folder / "bin")
        self.over = folder / "over"
        self.log = LogFile(folder / "log")
        self.began = threading.Event()
        self.children: list[ComposeProcess] = []
        until_over = f"while [ ! -e {self.over} ]; do sleep 0.02; done"
        (folder / "compose.yaml").write_text(SERVICES)
        self.docker.answer("compose *config", out=SERVICES)
        self.docker.answer("ps --all --quiet --no-trunc *", out="cafe")
        self.docker.answer("logs --follow *", out="last words", do=f"echo fleet.saved step=7; echo hello >&2; {until_over}")
        self.docker.answer("compose *logs *", do=f"echo 'store-1  | fleet.progress step=99'; {until_over}")
        self.docker.answer("wait *", do=until_over)
        self.docker.answer("inspect *", do=f"echo exited $(cat {self.over}) false")

    def end(self, code: int) -> None:
        (self.folder / "code").write_text(str(code))
        (self.folder / "code").replace(self.over)

    def start(self, engine_wait: float = 0, **env: str) -> ComposeProcess:
        own = self.folder / "root" / "stack"
        spec = StackSpec(
            self.folder / "compose.yaml", self.folder, PROJECT, own, {"fleet.run": "racer-1"}, ("TOKEN",), ("/volume",)
        )
        env = {**self.docker.env, "TOKEN": "a-secret", **env}
        self.children.append(
            ComposeProcess(spec, env, self.log, lambda: None, time.time, self.began.set, engine_wait=engine_wait)
        )
        return self.children[-1]

    @property
    def text(self) -> str:
        return (self.folder / "log").read_text()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.end(0)
    until(lambda: all(child._gone for child in made.children))
    made.log.close()


def until(check: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.01)


def ended(child: ComposeProcess) -> int:
    until(lambda: child.poll() is not None)
    code = child.poll()
    assert code is not None
    return code


@pytest.mark.parametrize(("engine_wait", "removed"), [(5, True), (0, False)], ids=["its own machine", "a shared engine"])
def test_what_a_killed_machine_left_on_the_volume_goes_before_the_stack_comes(
    bench: Bench, engine_wait: float, *, removed: bool
) -> None:
    """Its containers keep names and ports. On a computer that others share they are others'."""
    bench.docker.answer("ps --all --filter label=fleet.run *", out="fleet-racer-1-0")
    child = bench.start(engine_wait)
    until(bench.began.is_set)
    assert any("fleet-racer-1-0" in call for call in bench.docker.calls()) == removed
    bench.end(0)
    assert ended(child) == 0


@pytest.mark.parametrize("code", [0, 3, 137])
def test_a_stack_ends_as_its_training_does_once_nothing_of_it_is_left(bench: Bench, code: int) -> None:
    child = bench.start()
    until(bench.began.is_set)
    until(lambda: bench.docker.called("wait "))
    assert child.poll() is None
    bench.end(code)
    assert ended(child) == code
    calls = bench.docker.calls()
    up = next(i for i, call in enumerate(calls) if " up --detach" in call)
    stop = next(i for i, call in enumerate(calls) if " stop --timeout 10" in call)
    assert up < calls.index("wait cafe") < stop
    assert calls[stop + 1].startswith("ps --all --quiet --filter label=")
    assert all(f"--project-name {PROJECT}" in call for call in calls if call.startswith("compose --ansi"))


def test_only_the_trainings_lines_are_heard_and_everything_is_logged(bench: Bench) -> None:
    child = bench.start()
    until(lambda: bench.docker.called("compose --ansi never --project-name fleet-racer-1-1") and "step=99" in bench.text)
    bench.end(0)
    ended(child)
    heard = [line for _, line in child.lines()]
    assert sorted(heard) == ["fleet.saved step=7", "hello", "last words"]
    assert "store-1  | fleet.progress step=99\n" in bench.text
    assert "fleet: docker engine 20.10.24, docker compose 2.30.1; the training is the service training" in bench.text


def test_who_ends_the_machine_can_find_its_containers_before_there_is_one(bench: Bench) -> None:
    note = bench.folder / "root" / "stack" / "engine.json"
    bench.docker.answer("compose *up *", do=f"[ -e {note} ] || echo no note")
    child = bench.start(DOCKER_HOST="unix:///there", DOCKER_AUTH_CONFIG="secret")
    until(bench.began.is_set)
    assert "no note" not in bench.text
    told = json.loads(note.read_text())
    assert told == {"docker": f"{bench.docker.folder}/docker", "project": PROJECT, "env": {"DOCKER_HOST": "unix:///there"}}
    assert all(b"a-secret" not in path.read_bytes() for path in note.parent.iterdir())
    bench.end(0)
    ended(child)


@pytest.mark.parametrize(("within", "seconds"), [(25.9, 25), (1.2, 1), (0.1, 1)])
def test_it_is_asked_to_stop_with_a_timeout_shorter_than_what_is_left(bench: Bench, within: float, seconds: int) -> None:
    child = bench.start()
    until(bench.began.is_set)
    child.ask_to_stop(within)
    until(lambda: bench.docker.called("stop -t"))
    assert bench.docker.called("stop -t") == [f"stop -t {seconds} cafe"]
    assert child.poll() is None
    bench.end(143)
    assert ended(child) == 143
    serving = bench.docker.called(" stop --timeout ")
    assert 1 <= int(serving[0].split("--timeout ")[1].split()[0]) <= max(1, min(10, within))


def test_what_does_not_stop_is_killed_whole(bench: Bench) -> None:
    child = bench.start()
    until(bench.began.is_set)
    bench.docker.answer("ps --quiet --filter *", out="cafe beef")
    bench.docker.answer("kill *", do=f"echo 137 >{bench.over}")
    child.ask_to_stop(5)
    child.kill()
    child.kill()
    assert ended(child) == 137
    until(lambda: bench.docker.calls()[-1].startswith("volume ls"))
    assert bench.docker.called("kill ") == ["kill cafe beef"]
    assert not bench.docker.called(" stop --timeout")


def test_an_engine_that_hangs_does_not_hold_up_the_end_of_a_killed_stack(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet.agent.stack.KILL_MOST", 0.3)
    child = bench.start()
    until(bench.began.is_set)
    child.kill()
    assert ended(child) == 137


def test_a_stack_that_still_starts_is_interrupted(bench: Bench) -> None:
    bench.docker.answer("compose *up *", do="echo pulling; exec sleep 60")
    child = bench.start()
    until(lambda: "pulling" in bench.text)
    child.ask_to_stop(10)
    assert ended(child) == 143
    assert "did not start" not in bench.text
    assert not bench.docker.called("wait ")
    assert bench.docker.calls()[-1].startswith("volume ls")  # what was begun is removed


def test_a_stack_that_is_asked_to_stop_at_once_is_never_started(bench: Bench) -> None:
    child = bench.start()
    child.ask_to_stop(10)
    assert ended(child) == 143
    assert not bench.docker.called(" up ")


def test_what_compose_says_of_a_start_that_fails_is_in_the_log(bench: Bench) -> None:
    bench.docker.answer("compose *up *", err="manifest for a:latest not found\n", code=18)
    assert ended(bench.start()) == DID_NOT_START
    assert "manifest for a:latest not found\nfleet: the stack did not start: compose ended with exit code 18" in bench.text


def test_a_file_that_compose_refuses_is_not_started(bench: Bench) -> None:
    bench.docker.answer("compose *config", err="services.training Additional property imge is not allowed\n", code=15)
    assert ended(bench.start()) == DID_NOT_START
    assert "Additional property imge is not allowed\nfleet: compose refuses compose.yaml" in bench.text
    assert not bench.docker.called(" up ")


def test_an_engine_that_does_not_answer_is_named_with_what_to_do(bench: Bench) -> None:
    bench.docker.answer("version *", err="Cannot connect to the Docker daemon", code=1)
    assert ended(bench.start()) == DID_NOT_START
    assert "fleet: the docker engine does not answer: Cannot connect to the Docker daemon" in bench.text
    assert "systemctl start docker" in bench.text


def test_an_engine_that_is_just_starting_is_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet.agent.stack.AWAY_PAUSE", 0.05)
    up = bench.folder / "up"
    bench.docker.answer("version *", do=f"[ -e {up} ] && {{ printf 20.10.24; exit; }}", err="Cannot connect", code=1)
    child = bench.start(engine_wait=20)
    until(lambda: bench.docker.called("version "))
    assert child.poll() is None
    up.touch()
    until(bench.began.is_set)
    bench.end(0)
    assert ended(child) == 0


def test_one_that_was_told_to_stop_waits_for_no_engine(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet.agent.stack.AWAY_PAUSE", 0.05)
    bench.docker.answer("version *", err="Cannot connect", code=1)
    child = bench.start(engine_wait=60)
    until(lambda: bench.docker.called("version "))
    child.ask_to_stop(5)
    assert ended(child) == 143


def test_credentials_of_the_agents_environment_reach_no_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "a-secret")
    world = World(tmp_path, {"run": None, "stack": "compose.yaml", "secrets": ["TOKEN"]})
    life = world.attempt(disk=world.disk())
    life.until("training")
    spec, env = workplace.stack(life.agent.boot, "i-1", life.machine.scratch, tmp_path, {**life.training.env, "TOKEN": "t"})
    text = override(spec, {"services": {"training": {"image": "a"}}}, "training", env, {})
    given = json.loads(text)["services"]["training"]["environment"]
    assert "TOKEN" in given
    assert not [name for name in given if name.startswith("AWS_")]
    assert "a-secret" not in text
    world.close()


def test_a_training_scaled_to_two_containers_is_refused_and_removed(bench: Bench) -> None:
    bench.docker.answer("ps --all --quiet --no-trunc *", out="cafe beef")
    assert ended(bench.start()) == DID_NOT_START
    assert "has 2 containers; the training is one" in bench.text


def test_an_engine_that_is_restarted_is_waited_for_and_heard_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet.agent.stack.AWAY_PAUSE", 0.05)
    until_over = f"while [ ! -e {bench.over} ]; do sleep 0.02; done"
    restarted = bench.folder / "restarted"
    bench.docker.answer(
        "inspect *", do=f"if [ -e {bench.over} ]; then echo exited $(cat {bench.over}) false; else echo running 0 false; fi"
    )
    bench.docker.answer("logs --follow cafe", out="before\n")
    bench.docker.answer("logs --follow --since *", out="after\n", do=f": >{restarted}; {until_over}")
    bench.docker.answer("wait *", code=1, do=f"[ ! -e {restarted} ] || {until_over}")
    child = bench.start()
    until(restarted.exists)
    bench.end(0)
    assert ended(child) == 0
    assert [line for _, line in child.lines()] == ["before", "after"]


def test_an_engine_that_stays_away_fails_the_training(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet.agent.stack.AWAY_PAUSE", 0.05)
    monkeypatch.setattr("fleet.agent.stack.ENGINE_AWAY", 0.2)
    bench.docker.answer("wait *", code=1)
    bench.docker.answer("inspect *", err="Cannot connect to the Docker daemon", code=1)
    assert ended(bench.start()) == DID_NOT_START
    assert "went away while the stack ran" in bench.text


def test_a_container_that_somebody_removed_fails_the_training(bench: Bench) -> None:
    bench.docker.answer("wait *", code=1)
    bench.docker.answer("inspect *", err="Error: No such object: cafe", code=1)
    assert ended(bench.start()) == DID_NOT_START
    assert "somebody removed the training's container" in bench.text


def test_lack_of_memory_is_said(bench: Bench) -> None:
    bench.docker.answer("inspect *", out="exited 137 true")
    bench.end(137)
    assert ended(bench.start()) == 137
    assert "for lack of memory" in bench.text
