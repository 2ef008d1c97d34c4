"""Docker compose stacks on a real engine, with compose v2 and, where this computer has it, v1."""

from __future__ import annotations

import contextlib
import hashlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from fleet.model import layout
from fleet.providers.local.market import set_market
from fleet.providers.local.provider import stop_everything
from tests.system import engine
from tests.unit.cli.test_commands import Shell

pytestmark = pytest.mark.system

CHAIN = """
set -eu
state=$FLEET_CHECKPOINTS/state
step=0 sum=start
if [ -e "$state" ]; then read -r step sum <"$state"; fi
echo "begins at step $step with $API_TOKEN"
leaving=
trap 'leaving=1' TERM
save() {
    echo "$step $sum" >"$state.tmp"
    mv "$state.tmp" "$state"
    echo "fleet.saved step=$step"
}
while [ "$step" -lt "$STEPS" ]; do
    sleep 0.1
    step=$((step + 1))
    sum=$(echo "$sum $step" | md5sum | cut -c 1-32)
    echo "fleet.progress step=$step"
    if [ -n "$leaving" ]; then
        save
        echo "the store still runs: $(cat $FLEET_VOLUME/store)"
        exit 143
    fi
    if [ $((step % 10)) = 0 ]; then save; fi
done
mkdir -p "$FLEET_VOLUME/output"
echo "$sum" >"$FLEET_VOLUME/output/result.txt"
"""
STORE = """
trap 'exit 0' TERM
echo yes >/on-volume/store
echo the store serves
while true; do sleep 0.1; done
"""


def services(training: str, **more: object) -> dict[str, Any]:
    """A compose file's services: one that trains, one that serves it."""
    trains = {
        "image": "${IMAGE}",
        "command": ["sh", "-c", training],
        "volumes": ["./train.sh:/train.sh:ro", "scratch:/scratch"],
        "stop_grace_period": "90s",
        "restart": "always",
        **more,
    }
    store = {
        "image": "${IMAGE}",
        "command": ["sh", "-c", STORE.strip()],
        "volumes": ["${FLEET_VOLUME}:/on-volume"],
    }
    return {"training": trains, "store": store}


class StackShell(Shell):
    """A terminal with a stack to start."""

    def stack(self, training: str = "sh /train.sh", steps: int = 60, retries: int = 1, **more: object) -> str:
        """A job whose training is a service; its file."""
        folder = self.folder / "stack"
        folder.mkdir()
        (folder / "train.sh").write_text(CHAIN)
        file = {"services": services(training, **more), "volumes": {"scratch": {}}}
        (folder / "compose.yaml").write_text(yaml.safe_dump(file))
        job = {
            "name": "stack",
            "workdir": ".",
            "stack": "compose.yaml",
            "resources": {"market": "spot"},
            "volume": {"size": "1GB"},
            "envs": {"IMAGE": engine.IMAGE, "STEPS": str(steps)},
            "secrets": ["API_TOKEN"],
            "outputs": ["output/*"],
            "retries": {"training": retries},
        }
        (folder / "fleet.yaml").write_text(yaml.safe_dump(job))
        return str(folder)

    def take_backs(self, *take_backs: dict[str, object]) -> None:
        fates = [{"after": 2, "from": "training", **one} for one in take_backs]
        set_market(self.home.local, {"kind": "schedule", "take_backs": fates})

    def step(self) -> int:
        found = self.runs()
        return int(found[-1]["step"] or 0) if found else 0

    def processes(self) -> list[psutil.Process]:
        """Everything of the newest machine but its supervisor."""
        instance = self.runs()[-1]["instance"]
        return [p for p in psutil.process_iter() if _environ(p).get("FLEET_INSTANCE_ID") == instance]

    def supervisor(self) -> psutil.Process:
        instance = self.runs()[-1]["instance"]
        session = (self.home.local / "instances" / instance / "session").read_text()
        return psutil.Process(int(session))


def _environ(process: psutil.Process) -> dict[str, str]:
    try:
        return dict(process.environ())
    except (psutil.Error, OSError):
        return {}


def chained(steps: int) -> str:
    """What an uninterrupted training of so many steps ends with."""
    total = "start"
    for step in range(1, steps + 1):
        total = hashlib.md5(f"{total} {step}\n".encode()).hexdigest()
    return total


@pytest.fixture(scope="session")
def _image(tmp_path_factory: pytest.TempPathFactory) -> str:
    return engine.build_image(tmp_path_factory.mktemp("image"))


def made(folder: Path, kind: str) -> Iterator[StackShell]:
    shell = StackShell(folder)
    (folder / "bin").mkdir()
    shell.env |= {"API_TOKEN": "a-secret-token", **engine.compose_env(kind, folder / "bin")}
    yield shell
    stop_everything(shell.home.local)


@pytest.fixture
def shell(tmp_path: Path, _image: str) -> Iterator[StackShell]:
    yield from made(tmp_path, "v2")


@pytest.fixture(params=engine.kinds())
def either(request: pytest.FixtureRequest, tmp_path: Path, _image: str) -> Iterator[StackShell]:
    yield from made(tmp_path, request.param)


def test_a_stack_that_is_interrupted_with_and_without_notice_ends_as_if_it_had_not_been(either: StackShell) -> None:
    shell = either
    job = shell.stack(steps=60)
    shell.take_backs({"signals": ["notice"], "lead": 5}, {"signals": []})
    told = shell.json("up", job)
    assert told["state"] == "succeeded"
    assert (told["attempt"], told["interruptions"]) == (3, 2)
    assert told["steps_lost"] < 30
    result = shell.home.path / "bucket" / layout.models("stack") / "output" / "result.txt"
    assert result.read_text().strip() == chained(60)
    log, _ = shell.run("logs", "stack")
    assert "begins at step 0 with ***" in log
    assert log.count("begins at step") == 3
    assert "the store still runs: yes" in log  # on the way out after the notice
    assert "| the store serves" in log
    assert "a-secret-token" not in log
    assert engine.left(told["run"]) == []
    for path in shell.home.path.rglob("*"):
        assert not path.is_file() or b"a-secret-token" not in path.read_bytes(), path


def test_what_init_writes_runs_as_it_stands(shell: StackShell) -> None:
    shell.run("init", "stack", "--into", "new")
    folder = shell.folder / "new"
    text = (folder / "fleet.yaml").read_text()
    (folder / "fleet.yaml").write_text(text.replace("busybox:stable", engine.IMAGE).replace('"300"', '"15"'))
    assert shell.json("plan", "new")["offers"]
    told = shell.json("up", "new")
    assert (told["state"], told["step"]) == ("succeeded", 15)
    result = shell.home.path / "bucket" / layout.models("my-stack") / "output" / "result.txt"
    assert result.read_text() == "counted to 15\n"
    assert engine.left(told["run"]) == []
    states = {one["what"]: one["state"] for one in shell.json("doctor")}
    assert (states["docker"], states["compose"]) == ("good", "good")


def test_neither_a_stack_that_ignores_sigterm_nor_a_machine_killed_whole_leaves_anything(shell: StackShell) -> None:
    shell.take_backs({"signals": ["notice"], "lead": 4})
    words = "trap '' TERM; i=0; while true; do i=$$((i+1)); echo fleet.progress step=$$i; sleep 0.2; done"
    shell.run("up", shell.stack(words), "--detach")
    run = shell.runs()[-1]["run"]
    controller = shell.start("controller", "run")
    shell.until(lambda: len([name for name in engine.running(run) if f"{run}-2" in name]) == 2)
    shell.until(lambda: not [name for name in engine.left(run) if f"{run}-1" in name])
    controller.terminate()
    controller.communicate(timeout=20)
    machine = [shell.supervisor(), *shell.processes()]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for process in machine:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
    assert len(engine.running(run)) == 2
    shell.run("stop", "stack")
    assert engine.left(run) == []


def test_an_agent_that_was_killed_finds_no_training_that_still_runs(shell: StackShell) -> None:
    controller = shell.start("up", shell.stack(steps=40))
    shell.until(lambda: shell.step() > 5)
    run = shell.runs()[-1]["run"]
    before = engine.containers(run)
    told, _ = shell.run("exec", "stack", "--", "docker", "compose", "ps", "--quiet")
    assert len(told.split()) == 2
    agent = next(p for p in shell.processes() if "fleet.agent" in " ".join(p.cmdline()))
    agent.kill()
    shell.until(lambda: engine.containers(run) and not engine.containers(run) & before)
    shell.until(lambda: shell.runs()[-1]["state"] == "succeeded", seconds=60)
    controller.communicate(timeout=20)
    assert len(before) == 2
    result = shell.home.path / "bucket" / layout.models("stack") / "output" / "result.txt"
    assert result.read_text().strip() == chained(40)
    assert (shell.runs()[-1]["attempt"], engine.left(run)) == (1, [])


def test_a_training_that_fails_ends_the_run_with_its_last_words(shell: StackShell) -> None:
    shell.run("up", shell.stack("echo cannot go on; exit 3", retries=0), code=4)
    run = shell.runs()[-1]
    assert run["state"] == "failed"
    assert "training ended with exit code 3" in run["reason"]
    assert "cannot go on" in run["reason"]
    assert engine.left(run["run"]) == []


def test_an_image_that_cannot_be_had_is_named(shell: StackShell) -> None:
    shell.run("up", shell.stack(retries=0, image="127.0.0.1:1/nothing"), code=4)
    run = shell.runs()[-1]
    assert "the stack did not start" in run["reason"]
    assert "127.0.0.1:1" in run["reason"]
    assert engine.left(run["run"]) == []
