"""Which compose there is, how it is called, and what is laid over the user's file. Docker is a fake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fleet.engine import Engine
from fleet.model.errors import FleetError
from fleet.workloads.compose import Compose, find_compose
from fleet.workloads.stack import StackSpec, environment, override, resolved
from tests.fake_docker import FakeDocker


def refusal(docker: FakeDocker) -> FleetError:
    with pytest.raises(FleetError) as told:
        find_compose(docker.env)
    return told.value


@pytest.mark.parametrize(
    ("said", "version"),
    [("2.30.1", (2, 30, 1)), ("v2.5.0", (2, 5, 0)), ("5.6.1\n", (5, 6, 1)), ("2.6.1-desktop.2", (2, 6, 1))],
)
def test_the_plugin_is_taken_before_the_old_program(tmp_path: Path, said: str, version: tuple[int, int, int]) -> None:
    docker = FakeDocker(tmp_path / "bin", v2=said, v1="1.29.2")
    found = find_compose(docker.env)
    assert (found.command, found.version, found.is_v1) == ((f"{docker.folder}/docker", "compose"), version, False)
    assert found.told.startswith(f"docker engine 20.10.24, docker compose {version[0]}.")


def test_the_old_program_serves_where_there_is_no_plugin(tmp_path: Path) -> None:
    docker = FakeDocker(tmp_path / "bin", v2=None, v1="1.29.2")
    found = find_compose(docker.env)
    assert (found.command, found.is_v1) == ((f"{docker.folder}/docker-compose",), True)
    assert found.told == "docker engine 20.10.24, docker-compose 1.29.2"


def test_without_docker_or_compose_it_is_said_what_to_install(tmp_path: Path) -> None:
    told = refusal(FakeDocker(tmp_path / "nothing", docker=False))
    assert "no docker command" in told.message
    assert "docs.docker.com/engine/install" in told.hint
    told = refusal(FakeDocker(tmp_path / "no compose", v2=None))
    assert "no docker compose" in told.message
    assert "docs.docker.com/compose/install" in told.hint


@pytest.mark.parametrize(
    ("err", "told", "hint"),
    [
        (
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.",
            "does not answer: Cannot",
            "systemctl start",
        ),
        ("Got permission denied while trying to connect", "may not be used by this user", "usermod -aG docker"),
        ("", "it says nothing", "systemctl start"),
    ],
)
def test_an_engine_that_cannot_be_used_is_told_apart(tmp_path: Path, err: str, told: str, hint: str) -> None:
    docker = FakeDocker(tmp_path / "bin")
    docker.answer("version *", err=err, code=1)
    found = refusal(docker)
    assert told in found.message
    assert hint in found.hint


@pytest.mark.parametrize(
    ("version", "plain"), [((2, 30, 1), "--ansi never"), ((1, 29, 2), "--ansi never"), ((1, 27, 4), "--no-ansi")]
)
def test_commands_name_project_and_files_and_ask_for_plain_text(version: tuple[int, int, int], plain: str) -> None:
    compose = Compose(Engine("docker", {}), "20.10", ("dc",), version)
    words = compose.words("fleet-a-1", [Path("/w/compose.yaml"), Path("/o/override.yaml")], "up", "--detach")
    files = "--file /w/compose.yaml --file /o/override.yaml"
    assert " ".join(words) == f"dc {plain} --project-name fleet-a-1 {files} up --detach"


@pytest.mark.parametrize(
    ("text", "v1"),
    [
        ("version: '3.8'\nservices: {}", {"version": "3.8"}),
        ('version: "2.4"', {"version": "2.4"}),
        ("version: 3", {"version": "3"}),
        ("services: {version: {image: x}}", {}),
    ],
)
def test_only_version_1_wants_the_same_version_in_every_file(text: str, v1: dict[str, str]) -> None:
    assert Compose(Engine("docker", {}), "", ("dc",), (1, 29, 2)).files_version(text) == v1
    assert Compose(Engine("docker", {}), "", ("dc",), (2, 30, 0)).files_version(text) == {}


def test_the_remark_on_an_obsolete_key_is_not_told() -> None:
    compose = Compose(Engine("docker", {}), "", ("dc",), (2, 30, 0))
    assert not compose.worth_telling(
        'level=warning msg="/w/c.yaml: the attribute `version` is obsolete, it will be ignored"'
    )
    assert compose.worth_telling('level=warning msg="The \\"A\\" variable is not set. Defaulting to a blank string."')


def spec() -> StackSpec:
    labels = {"fleet.run": "racer-1", "fleet.instance": "i-1"}
    return StackSpec(
        Path("/w/c.yaml"), Path("/w"), "fleet-racer-1-1", Path("/o"), labels, ("LR", "TOKEN"), ("/vol $1", "/wish")
    )


ENV = {"FLEET_RUN": "racer", "FLEET_INSTANCE_ID": "i-1", "LR": "1", "TOKEN": "secret", "PYTHONUNBUFFERED": "1", "HOME": "/h"}


def test_the_training_gets_names_never_values_and_its_volume_and_no_restart_of_dockers() -> None:
    config = {"services": {"main": {"image": "x", "restart": "always"}, "db": {"image": "y"}}}
    text = override(spec(), config, "main", ENV, {"version": "3"})
    assert "secret" not in text
    over = json.loads(text)
    assert over["version"] == "3"
    main = over["services"]["main"]
    assert main["environment"] == ["FLEET_RUN", "LR", "PYTHONUNBUFFERED", "TOKEN"]
    assert main["volumes"] == ["/vol $$1:/vol $$1", "/wish:/wish"]
    assert main["restart"] == "no"
    assert set(over["services"]["db"]) == {"labels", "logging"}


def test_every_service_is_labelled_and_its_output_bounded_unless_it_says_how() -> None:
    config = {
        "services": {"main": {"logging": {"driver": "local"}}, "db": {"build": "."}, "web": {"build": ".", "image": "w"}}
    }
    services = json.loads(override(spec(), config, "main", ENV, {}))["services"]
    assert all(one["labels"]["fleet.instance"] == "i-1" for one in services.values())
    assert "logging" not in services["main"]
    assert services["db"]["logging"]["options"]["max-size"] == "10m"
    assert services["db"]["image"] == "racer-1-db"
    assert "image" not in services["web"]


def test_a_training_that_compose_does_not_start_is_refused() -> None:
    with pytest.raises(FleetError, match="does not start the service main"):
        override(spec(), {"services": {"db": {}}}, "main", ENV, {})


@pytest.mark.parametrize("text", ["", "[]", "services: []", "a: ["])
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(FleetError):
        resolved(text)


def test_composes_own_variables_are_the_jobs_or_none() -> None:
    found = environment({"COMPOSE_FILE": "x", "COMPOSE_PROFILES": "gpu", "A": "1"}, ("COMPOSE_PROFILES",), 1000, 100)
    assert found == {"COMPOSE_PROFILES": "gpu", "A": "1", "FLEET_UID": "1000", "FLEET_GID": "100"}
