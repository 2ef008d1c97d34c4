"""A local machine's end takes its containers along, whoever ends it. Docker is a fake."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from fleet.engine import ENGINE_NOTE
from fleet.providers.local import containers
from fleet.providers.local import folder as files
from fleet.providers.local.provider import LocalProvider, stop_everything
from tests.fake_docker import FakeDocker
from tests.unit.providers.test_local import Local, until

PROJECT = "fleet-r-1-1"
LOOK = f"ps --all --quiet --filter label=com.docker.compose.project={PROJECT}"


@pytest.fixture
def docker(tmp_path: Path) -> FakeDocker:
    made = FakeDocker(tmp_path / "bin")
    made.answer("ps *", do=f"[ -e {made.folder}/removed ] || echo cafe")
    made.answer("rm *", do=f": >{made.folder}/removed")
    return made


def note(folder: Path, docker: FakeDocker) -> None:
    """What an agent leaves that starts a stack."""
    told = {"docker": f"{docker.folder}/docker", "project": PROJECT, "env": {"DOCKER_HOST": "unix:///there"}}
    (folder / ENGINE_NOTE).parent.mkdir(parents=True)
    (folder / ENGINE_NOTE).write_text(json.dumps(told))


@pytest.fixture
def local(tmp_path: Path, docker: FakeDocker) -> Iterator[Local]:
    made = Local(tmp_path / "local")
    note(tmp_path / "template", docker)
    agent = f"cp -r {tmp_path}/template/stack . && echo here > ../url && exec sleep 600"
    made.provider = LocalProvider(made.home, "f", agent_command=["sh", "-c", agent])
    yield made
    stop_everything(made.home)


def test_a_machine_that_is_terminated_takes_its_containers_along(local: Local, docker: FakeDocker) -> None:
    machine = local.running()
    local.provider.terminate("here", machine.instance_id)
    local.ended(machine)
    assert docker.called("rm ") == ["rm --force --volumes cafe"]


def test_an_agent_that_died_is_started_again_without_its_containers(local: Local, docker: FakeDocker) -> None:
    machine = local.running()
    for process in local.processes(machine):
        process.kill()
    until(lambda: docker.called("rm "))
    until(lambda: local.processes(machine))


def test_containers_of_a_machine_whose_supervisor_was_killed_too_are_removed_by_who_finds_it(
    local: Local, docker: FakeDocker
) -> None:
    machine = local.running()
    session = int((local.folder(machine) / files.SESSION).read_text())
    found = [psutil.Process(session), *local.processes(machine)]
    for process in found:
        process.suspend()
    for process in found:
        process.kill()
    assert docker.calls() == []
    assert local.ended(machine).ended_by == "unknown"
    assert docker.called("rm ") == ["rm --force --volumes cafe"]


def test_stopping_everything_removes_containers(local: Local, docker: FakeDocker) -> None:
    local.running()
    stop_everything(local.home)
    assert docker.called("rm ")


def test_a_machine_without_a_stack_asks_no_engine(tmp_path: Path, docker: FakeDocker) -> None:
    containers.remove_containers(tmp_path)
    containers.try_again(tmp_path)
    assert docker.calls() == []


def test_what_could_not_be_removed_is_told_and_tried_again_later(
    tmp_path: Path, docker: FakeDocker, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "machine"
    note(folder / "root", docker)
    docker.answer("ps *", err="Cannot connect to the Docker daemon", code=1)
    containers.remove_containers(folder)
    assert "Cannot connect" in capsys.readouterr().err
    (folder / "root" / ENGINE_NOTE).unlink()  # with the machine's disk
    before = len(docker.calls())
    containers.try_again(folder)
    assert len(docker.calls()) == before  # not at every look
    os.utime(folder / containers.LEFT, (0, 0))
    docker.answer("ps *", do=f"[ -e {docker.folder}/removed ] || echo cafe")
    containers.try_again(folder)
    assert docker.called("rm ") == ["rm --force --volumes cafe"]
    assert not (folder / containers.LEFT).exists()
