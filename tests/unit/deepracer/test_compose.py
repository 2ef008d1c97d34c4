"""The compose file of every variant."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleet.workloads.deepracer.compose import CONFIG, compose_file, own_files
from fleet.workloads.deepracer.place import MOST_LABEL, NETWORK, s3_host, services, simulators
from fleet.workloads.deepracer.prefix import S3Place
from fleet.workloads.deepracer.spec import DeepRacer
from tests.unit.deepracer.places import PROJECT, in_bucket, place

TODAY = DeepRacer(workers=3, tracks=("reinvent_base", "Oval_track"))
OLD = DeepRacer(stack="2019")
DIRECT = DeepRacer(launcher="direct")
BUCKET = DeepRacer(launcher="direct", storage="bucket")
VARIANTS = {"today": TODAY, "2019": OLD, "direct": DIRECT, "bucket": BUCKET}


def made(spec: DeepRacer, **more: Any) -> dict[str, Any]:
    """The services, after a way through YAML."""
    where = in_bucket(**more) if spec.storage == "bucket" else place(**more)
    file: dict[str, Any] = yaml.safe_load(yaml.safe_dump(compose_file(spec, where), sort_keys=False))
    return file


@pytest.mark.parametrize("name", VARIANTS)
def test_nothing_restarts_by_itself_and_no_log_grows_for_ever(name: str) -> None:
    file = made(VARIANTS[name])
    assert tuple(file["services"]) == services(VARIANTS[name])
    for service in file["services"].values():
        assert service["restart"] == "no"
        assert service["logging"]["options"]["max-size"]
        assert service["stop_grace_period"]
        assert service["labels"]["fleet.run"] == "shanghai-1a2b"
        assert "container_name" not in service  # a second run on this machine would find the name taken


def test_the_look_alike_answers_to_a_name_of_its_own_in_the_network_that_all_runs_share() -> None:
    file = made(TODAY)
    assert file["networks"]["default"] == {"name": NETWORK, "external": True}
    alias = file["services"]["s3"]["networks"]["default"]["aliases"]
    assert alias == [s3_host(PROJECT)]
    assert file["services"]["coach"]["environment"]["S3_ENDPOINT_URL"] == f"http://{alias[0]}:9000"
    assert s3_host("fleet-a-1") != s3_host("fleet-a-11")


def test_a_name_too_long_for_a_host_is_shortened_and_stays_the_runs_own() -> None:
    one, other = s3_host("fleet-" + "x" * 80 + "-1"), s3_host("fleet-" + "x" * 80 + "-2")
    assert len(one) == len(other) == MOST_LABEL
    assert one != other


def test_ports_are_opened_on_this_machine_alone_and_never_two_runs_the_same() -> None:
    for spec in (TODAY, OLD, DIRECT):
        for service in made(spec)["services"].values():
            for port in service.get("ports", []):
                host, on_host, _ = port.split(":")
                assert (host, on_host) == ("127.0.0.1", "")


def test_each_simulator_is_told_its_number_and_its_own_file() -> None:
    told = [made(TODAY)["services"][name]["environment"] for name in simulators(TODAY)]
    assert [one["ROLLOUT_IDX"] for one in told] == ["0", "1", "2"]
    assert [one["S3_YAML_NAME"] for one in told] == [f"training_params_{number}.yaml" for number in (1, 2, 3)]
    assert [one["WORLD_NAME"] for one in told] == ["reinvent_base", "Oval_track", "reinvent_base"]


def test_coach_has_dockers_socket_and_what_the_sdk_writes_lies_at_the_same_path_for_both() -> None:
    mounts = {mount["target"]: mount for mount in made(TODAY)["services"]["coach"]["volumes"]}
    assert mounts["/var/run/docker.sock"]["source"] == "/var/run/docker.sock"
    assert mounts["/own/sagemaker"]["source"] == "/own/sagemaker"
    config = yaml.safe_load(own_files(TODAY, place())[CONFIG])
    assert config == {"local": {"container_root": "/own/sagemaker"}}
    assert mounts["/root/.sagemaker/config.yaml"]["source"] == f"/own/{CONFIG}"


def test_without_keys_the_containers_share_the_machines_network() -> None:
    file = made(BUCKET)
    assert "networks" not in file
    for service in file["services"].values():
        assert service["network_mode"] == "host"
        assert "ports" not in service  # refused together
        assert not {"AWS_ACCESS_KEY_ID", "S3_ENDPOINT_URL"} & service["environment"].keys()


def test_a_buckets_keys_are_passed_on_and_not_written_down() -> None:
    keys = S3Place("mine", None, "AKIA", "the-secret", "eu-west-1")
    spec = DeepRacer(storage="bucket", launcher="direct")
    text = yaml.safe_dump(compose_file(spec, place(s3=keys, bucket="mine")))
    assert "the-secret" not in text
    trainer = yaml.safe_load(text)["services"]["trainer"]
    assert trainer["environment"]["AWS_SECRET_ACCESS_KEY"] is None
    assert "network_mode" not in trainer


@pytest.mark.parametrize("spec", [TODAY, DIRECT])
def test_gpus_are_asked_for_by_request_or_by_runtime_and_not_at_all_without(spec: DeepRacer) -> None:
    users = [*simulators(spec), *(["trainer"] if spec.launcher == "direct" else [])]
    by_request = made(spec, device="gpu")["services"]
    by_runtime = made(spec, device="gpu", gpu_by="runtime")["services"]
    without = made(spec, gpu_by="runtime")["services"]
    for name in users:
        assert by_request[name]["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
        assert "runtime" not in by_request[name]
        assert by_runtime[name]["runtime"] == "nvidia"
        assert by_runtime[name]["environment"]["NVIDIA_VISIBLE_DEVICES"] == "all"
        assert "deploy" not in by_runtime[name]
    for service in [*without.values(), by_request["s3"], *([by_request["coach"]] if "coach" in by_request else [])]:
        assert "deploy" not in service
        assert "runtime" not in service


def test_2019s_simulator_draws_without_a_gpu_and_its_coach_is_told_which_device() -> None:
    file = made(OLD, device="gpu")["services"]
    assert "deploy" not in file["simulator"]
    assert file["coach"]["environment"]["SAGEMAKER_DEVICE"] == "local_gpu"
    assert file["coach"]["environment"]["SAGEMAKER_IMAGE"].endswith(":nvidia")


def test_images_that_were_resolved_before_are_taken_also_for_the_trainer_that_coach_starts() -> None:
    digest = "awsdeepracercommunity/deepracer-simapp:6.0.4-gpu@sha256:" + "b" * 64
    file = made(TODAY, device="gpu", images={"trainer": digest, "simulator": digest})["services"]
    assert file["coach"]["environment"]["SAGEMAKER_IMAGE"] == digest
    assert file["simulator-2"]["image"] == digest
    assert file["s3"]["image"].startswith("minio/minio:")


def test_a_dollar_is_a_dollar() -> None:
    spec = DeepRacer(env={"GAZEBO_ARGS": "${HOME} $x"})
    file = made(spec, own=Path("/own/a$b"))
    assert file["services"]["simulator"]["environment"]["GAZEBO_ARGS"] == "$${HOME} $$x"
    assert file["services"]["coach"]["volumes"][1]["source"] == "/own/a$$b/sagemaker"


def test_storage_comes_before_its_users_and_the_trainer_before_the_simulators() -> None:
    file = made(TODAY)["services"]
    assert "depends_on" not in file["s3"]
    assert file["coach"]["depends_on"] == ["s3"]
    assert file["simulator-3"]["depends_on"] == ["s3", "coach"]


def test_what_is_generated_for_2019s_coach_is_a_program() -> None:
    files = own_files(OLD, place())
    compile(files["coach.py"], "coach.py", "exec")
    assert "S3_ENDPOINT_URL" in files["env_vars.json"]
    assert own_files(DIRECT, place()) == {}


def test_every_service_of_every_variant_is_plain_data() -> None:
    for spec, device, way in itertools.product(VARIANTS.values(), ("cpu", "gpu"), ("devices", "runtime")):
        file = made(spec, device=device, gpu_by=way, user="1000:1000")
        assert all(
            isinstance(value, str | None) for one in file["services"].values() for value in one["environment"].values()
        )
