"""The stack on a real engine, with images from scratch: it starts in order, it trains, and each failure is told by name."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.workloads.deepracer import containers, health
from fleet.workloads.deepracer.images import resolved_digest
from fleet.workloads.deepracer.pointers import committed, read_pointers
from fleet.workloads.deepracer.prefix import S3Place
from fleet.workloads.deepracer.signals import heard
from fleet.workloads.deepracer.spec import DeepRacer, Images
from tests.deepracer.images import Fakes, build, variant
from tests.deepracer.stacks import Stack, model, place_of
from tests.system import engine

pytestmark = pytest.mark.system

SOON = {"settle": 1.0}
Made = Callable[..., Stack]


@pytest.fixture(scope="session")
def fakes(tmp_path_factory: pytest.TempPathFactory) -> Fakes:
    return build(tmp_path_factory.mktemp("images"))


@pytest.fixture
def made(fakes: Fakes, tmp_path: Path) -> Iterator[Made]:
    """Stacks, removed at the end whatever happened."""
    stacks: list[Stack] = []
    workdir = model(tmp_path / "model")

    def make(kind: str = "v2", prefix: str = "run-1-1", project: str = "", wrong: str = "", **said: Any) -> Stack:
        """``wrong``: ``ROLE NAME=VALUE``, how that role's image misbehaves."""
        images = fakes.images_2019() if said.get("stack") == "2019" else fakes.images()
        if wrong:
            role, _, told = wrong.partition(" ")
            images[role] = variant(images[role], **dict([told.split("=")]))
        more = said.pop("place", {})
        deadlines = said.pop("deadlines", SOON)
        spec = DeepRacer.model_validate({**said, "images": Images(**images)})
        folder = tmp_path / kind
        folder.mkdir(exist_ok=True)
        project = project or f"fleet-{tmp_path.name.replace('_', '-')[:30]}{os.getpid()}-1"
        place = place_of(tmp_path / (project if more.pop("apart", False) else "machine"), project, prefix, **more)
        stack = Stack(spec, place, engine.compose_env(kind, folder), workdir, deadlines=deadlines)
        stacks.append(stack)
        return stack

    yield make
    for stack in stacks:
        stack.remove()
    assert [one for stack in stacks for one in stack.containers()] == []
    projects = [f"{stack.place.project}-" for stack in stacks]
    assert [name for name in engine.left("") if name.startswith(tuple(projects))] == []


def newest(stack: Stack, prefix: str | None = None) -> str | None:
    """The set that the pointer names, if it is whole."""
    place = stack.prefix(prefix)
    found = committed(place.list(), read_pointers(place))
    return found.stem if found is not None else None


def in_order(kinds: list[str], wanted: list[str]) -> bool:
    """Whether all of them are there, each after the one before."""
    rest = iter(kinds)
    return all(kind in rest for kind in wanted)


START = ["training-worker", "ip-uploaded", "saving", "uploaded", "ready", "episode", "iteration", "saving", "uploaded"]


@pytest.mark.parametrize("kind", engine.kinds())
def test_the_stack_starts_in_order_and_trains(made: Made, kind: str) -> None:
    stack = made(kind, workers=2, tracks=["reinvent_base", "Oval_track"])
    stack.start()
    stack.until(lambda state: state.n is not None and state.n >= 2)
    assert in_order(stack.kinds("trainer"), START)
    assert stack.kinds("coach") == ["coach-started"]  # what it repeats of the trainer is not heard twice
    assert in_order(stack.kinds("simulator"), ["restored", "sim-trace", "episode", "restored"])
    assert {one.service for one in stack.containers()} == {"s3", "coach", "trainer", "simulator", "simulator-2"}
    files = stack.prefix().list()
    assert {"metrics/TrainingMetrics.json", "metrics/TrainingMetrics_1.json", "ip/ip.json", "model/.ready"} <= files.keys()
    assert {"training-simtrace/0-iteration.csv", "1/training-simtrace/0-iteration.csv"} <= files.keys()
    written = newest(stack)
    assert written is not None
    assert int(written.split("_")[0]) >= 2
    stack.remove()
    assert stack.containers() == []


@pytest.mark.parametrize("kind", engine.kinds()[-1:])
def test_2019s_stack_starts_in_order_and_trains(made: Made, kind: str) -> None:
    stack = made(kind, stack="2019")
    stack.start()
    stack.until(lambda state: state.n is not None and state.n >= 1)
    assert stack.phases[-1] == "training"
    assert in_order(stack.kinds("trainer"), ["saving", "uploaded", "episode", "iteration", "saving", "uploaded"])
    files = stack.prefix().list()
    assert "model/checkpoint" in files
    assert not {"model/.ready", "model/.coach_checkpoint"} & files.keys()
    assert newest(stack) is not None
    assert any(one.service == "trainer" for one in stack.containers())


def test_the_direct_launcher_trains_and_a_second_prefix_goes_on_from_the_first(made: Made) -> None:
    stack = made(launcher="direct")
    stack.start()
    stack.until(lambda state: state.n is not None and state.n >= 1)
    stack.kill("simulator")
    stack.kill("trainer")
    before = newest(stack)
    assert before is not None
    stack.remove()
    again = made(launcher="direct", prefix="run-1-2", place={"pretrained": "run-1-1"})
    again.start()
    again.until(lambda state: state.phase == "training")
    first = min(one.n for one in again.signals if one.kind == "uploaded" and one.n is not None)
    pointed = again.prefix("run-1-1").read("model/.coach_checkpoint").decode()
    assert first == int(pointed.split("_")[0]) + 1  # N goes on, and the source's pointer was rewritten
    assert "run-1-1" in {name.split("/")[0] for name in again.prefix("").list()}


def test_two_runs_on_one_machine_do_not_touch_each_other(made: Made) -> None:
    one = made(project="fleet-one-1", place={"apart": True})
    other = made(project="fleet-one-11", place={"apart": True})  # whose name begins with the first's
    one.start()
    other.start()
    one.until(lambda state: state.phase == "training")
    other.until(lambda state: state.phase == "training")
    assert {each.id for each in one.containers()}.isdisjoint(each.id for each in other.containers())
    one.remove()
    assert one.containers() == []
    n = other.health.n or 0
    other.until(lambda state: state.n is not None and state.n > n)
    assert len(other.containers()) == 4


def test_straight_to_the_bucket_the_containers_use_the_machines_own_network(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-this-computer")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-of-the-containers")
    with served(tmp_path) as endpoint:
        stack = made(
            launcher="direct",
            storage="bucket",
            prefix="fleet/runs/a/run-1-1",
            place={"s3": S3Place("bucket", endpoint, None, None, "us-east-1")},
        )
        stack.start()
        stack.until(lambda state: state.n is not None and state.n >= 1)
        assert {one.service for one in stack.containers()} == {"trainer", "simulator"}
        assert newest(stack) is not None
        stack.remove()


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """A bucket on this computer's own network."""
    (folder / "s3" / "bucket").mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [str(Path(sys.prefix) / "bin" / "rclone"), "serve", "s3", str(folder / "s3"), "--addr", f"127.0.0.1:{port}"]
    with subprocess.Popen([*words, "--config", "", "--no-cleanup"], stderr=subprocess.DEVNULL) as server:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()


def test_the_end_of_each_container_is_told_by_its_name(made: Made) -> None:
    stack = made()
    stack.start()
    stack.until(lambda state: state.phase == "training")
    for service in ("coach", "simulator", "trainer", "s3"):
        stack.health = health.begin(stack.spec, time.monotonic(), SOON)
        stack.kill(service)
        fault = stack.fault()
        assert (fault.code, "137" in fault.message) == (f"{service}-ended", True)
        assert fault.remedy


@pytest.mark.parametrize(
    ("wrong", "said", "code"),
    [
        ("simapp FAKE_DIE=coach", {}, "coach-ended"),
        ("simapp FAKE_RUNTIME=no-such-runtime", {}, "unknown-runtime"),
        ("simapp FAKE_DIE=at:1", {"launcher": "direct"}, "trainer-ended"),
        ("simapp FAKE_NO_KERNEL=1", {"launcher": "direct"}, "gpu-mismatch"),
        ("simapp FAKE_NAN=1", {"launcher": "direct"}, "nan"),
        ("simapp FAKE_NEVER=ready", {"launcher": "direct", "deadlines": {**SOON, "ready": 2.0}}, "late-ready"),
        ("simapp FAKE_SIM_DIE=reward", {"launcher": "direct"}, "reward-error"),
    ],
)
def test_what_goes_wrong_is_told_by_its_cause(made: Made, wrong: str, said: dict[str, Any], code: str) -> None:
    stack = made(wrong=wrong, **said)
    stack.start()
    fault = stack.fault()
    assert fault.code == code, stack.told()


def test_a_stale_lock_makes_2019s_trainer_wait_and_is_told(made: Made) -> None:
    stack = made(stack="2019", deadlines={**SOON, "stale-lock": 2.0})
    stack.files[f"{stack.place.prefix}/model/.lock"] = b""
    stack.start()
    assert stack.fault().code == "stale-lock"


def test_a_gpu_that_docker_cannot_hand_over_is_said_by_compose_itself(made: Made) -> None:
    stack = made(launcher="direct", place={"device": "gpu"})
    with pytest.raises(AssertionError) as refused:
        stack.start()
    lines = [heard("coach", line) for line in str(refused.value).splitlines()]
    assert "unknown-runtime" in {signal.kind for signal in lines if signal is not None}


def test_an_image_that_was_built_here_has_no_digest(made: Made, fakes: Fakes) -> None:
    assert resolved_digest(made().engine, fakes.simapp) is None


def test_the_network_is_made_once_and_stays(made: Made) -> None:
    stack = made()
    containers.ensure_network(stack.engine)
    containers.ensure_network(stack.engine)
    assert engine.asked("docker", "network", "ls", "--quiet", "--filter", "name=^sagemaker-local$").count("\n") == 1
