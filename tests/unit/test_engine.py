"""What a compose project left on the docker engine is removed, and nothing else. Docker is a fake."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.engine import Engine, EngineAwayError, asked, find_engine, remove_noted
from fleet.model.errors import FleetError
from tests.fake_docker import FakeDocker

LABEL = "label=com.docker.compose.project=fleet-a-1"


@pytest.fixture
def docker(tmp_path: Path) -> FakeDocker:
    return FakeDocker(tmp_path / "bin")


def once(docker: FakeDocker, call: str, out: str) -> None:
    """Listed until the next removal."""
    mark = docker.folder / "removed"
    docker.answer(call, do=f"[ -e {mark} ] || echo {out}")


def test_containers_then_networks_then_volumes_of_the_project_are_removed(docker: FakeDocker) -> None:
    once(docker, "ps *", "c1 c2")
    once(docker, "network ls *", "n1")
    once(docker, "volume ls *", "v1")
    docker.answer("volume rm *", do=f": >{docker.folder}/removed")
    find_engine(docker.env).remove("fleet-a-1", settle=0)
    assert docker.calls()[:6] == [
        f"ps --all --quiet --filter {LABEL}",
        f"network ls --quiet --filter {LABEL}",
        f"volume ls --quiet --filter {LABEL}",
        "rm --force --volumes c1 c2",
        "network rm n1",
        "volume rm --force v1",
    ]


def test_it_looks_twice_since_a_dead_clients_request_may_still_be_carried_out(docker: FakeDocker) -> None:
    looked, removed = docker.folder / "looked", docker.folder / "removed"
    docker.answer("ps *", do=f"if [ -e {looked} ] && [ ! -e {removed} ]; then echo late; fi; : >{looked}")
    docker.answer("rm *", do=f": >{removed}")
    find_engine(docker.env).remove("fleet-a-1", settle=0.05)
    assert docker.called("rm --force") == ["rm --force --volumes late"]


def test_what_cannot_be_removed_is_named_with_how_to_look(docker: FakeDocker) -> None:
    docker.answer("network ls *", out="n1")
    docker.answer("network rm *", err="network n1 has active endpoints", code=1)
    with pytest.raises(FleetError) as told:
        find_engine(docker.env).remove("fleet-a-1", settle=0)
    assert "active endpoints" in told.value.message
    assert LABEL in told.value.hint


def test_an_engine_that_is_away_is_no_empty_engine(docker: FakeDocker) -> None:
    docker.answer("ps *", err="Cannot connect", code=1)
    with pytest.raises(FleetError, match="Cannot connect"):
        find_engine(docker.env).remove("fleet-a-1", settle=0)


def test_the_way_to_an_engine_holds_no_secret() -> None:
    env = {"DOCKER_HOST": "ssh://there", "DOCKER_AUTH_CONFIG": "secret", "API_TOKEN": "secret"}
    assert Engine("docker", env).way() == {"DOCKER_HOST": "ssh://there"}


def test_a_command_that_hangs_is_given_up_and_may_be_tried_again(docker: FakeDocker) -> None:
    """Its engine may be starting by its socket, and reading what a slow disk holds."""
    docker.answer("info", do="exec sleep 30")
    with pytest.raises(EngineAwayError, match="does not answer within"):
        asked([f"{docker.folder}/docker", "info"], docker.env, 0.2)


def test_what_a_stack_started_beside_itself_goes_after_it(docker: FakeDocker) -> None:
    noted = {"docker": str(docker.folder / "docker"), "env": {}, "project": "fleet-a-1"}
    remove_noted({**noted, "beside": ["tmpabc"]}, docker.env)
    listed = list(dict.fromkeys(call.rpartition("=")[2] for call in docker.called("ps --all --quiet")))
    assert listed == ["fleet-a-1", "tmpabc"]
    remove_noted(noted, docker.env)  # of a stack of the user's own


def test_what_a_driver_did_not_live_to_note_is_found_by_the_folder_that_it_was_started_from(docker: FakeDocker) -> None:
    lines = ["tmpabc /scratch/stack/sagemaker/tmpabc", "tmpdef /scratch/stack/sagemaker-2/tmpdef", " ", "fleet-a-1 /home/me"]
    docker.answer("ps --all --format *", out="\n".join(lines))
    note = {"docker": str(docker.folder / "docker"), "env": {}, "project": "fleet-a-1", "below": "/scratch/stack/sagemaker"}
    remove_noted(note, docker.env)
    listed = list(dict.fromkeys(call.rpartition("=")[2] for call in docker.called("ps --all --quiet")))
    assert listed == ["fleet-a-1", "tmpabc"]
