"""Compose itself, v1 and v2, reads the file of every variant."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleet.workloads.deepracer.compose import compose_file
from fleet.workloads.deepracer.place import services
from fleet.workloads.deepracer.prefix import S3Place
from fleet.workloads.deepracer.spec import DeepRacer
from tests.system import engine
from tests.unit.deepracer.places import in_bucket, place

pytestmark = pytest.mark.system

SPECS = {
    "today": DeepRacer(workers=3, tracks=("reinvent_base", "Oval_track"), env={"GAZEBO_ARGS": "${NOT_OURS} $x"}),
    "2019": DeepRacer(stack="2019"),
    "direct": DeepRacer(launcher="direct"),
    "bucket": DeepRacer(launcher="direct", storage="bucket"),
}
DEVICES = [("cpu", "devices"), ("gpu", "devices"), ("gpu", "runtime")]
KEYS = S3Place("mine", None, "AKIA", "kept-out", "eu-west-1")


def resolved(kind: str, file: Path, env: dict[str, str]) -> dict[str, Any]:
    """What compose makes of a file."""
    words = ["docker-compose"] if kind == "v1" else [str(engine.compose_program())]
    return dict(yaml.safe_load(engine.asked(*words, "--project-name", "x", "--file", str(file), "config", env=env)))


@pytest.mark.parametrize("kind", engine.kinds())
def test_every_variant_is_read_as_it_was_meant(kind: str, tmp_path: Path) -> None:
    env = {"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(tmp_path)}
    variants = list(itertools.product(SPECS.items(), DEVICES))
    if kind == "v1":  # it takes a second for each: each stack once, and each way once
        variants = [variants[index] for index in (1, 2, 4, 8, 9)]
    for (name, spec), (device, way) in variants:
        where = (in_bucket if name == "bucket" else place)(device=device, gpu_by=way, user="1000:1000")
        file = tmp_path / f"{name}-{device}-{way}.yaml"
        file.write_text(yaml.safe_dump(compose_file(spec, where)))
        config = resolved(kind, file, env)
        assert set(config["services"]) == set(services(spec))
        simulator = config["services"]["simulator"]
        assert str(simulator.get("runtime")) == ("nvidia" if way == "runtime" and name != "2019" else "None")
        assert ("deploy" in simulator) == (device == "gpu" and way == "devices" and name != "2019")
        assert simulator["environment"]["SAGEMAKER_SHARED_S3_PREFIX"] == where.prefix
        if name == "today":
            assert simulator["environment"]["GAZEBO_ARGS"].replace("$$", "$") == "${NOT_OURS} $x"


@pytest.mark.parametrize("kind", engine.kinds())
def test_a_buckets_keys_come_from_composes_own_environment(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "stack.yaml"
    file.write_text(yaml.safe_dump(compose_file(SPECS["bucket"], place(s3=KEYS, bucket="mine"))))
    env = {"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(tmp_path), "AWS_SECRET_ACCESS_KEY": "handed-on"}
    trainer = resolved(kind, file, env)["services"]["trainer"]
    assert trainer["environment"]["AWS_SECRET_ACCESS_KEY"] == "handed-on"
    assert "kept-out" not in file.read_text()


def test_what_compose_refuses_it_would_refuse_here_too(tmp_path: Path) -> None:
    file = tmp_path / "stack.yaml"
    made = compose_file(SPECS["today"], place())
    made["services"]["s3"]["ports"] = {"not": "ports"}
    file.write_text(yaml.safe_dump(made))
    words = [str(engine.compose_program()), "--file", str(file), "config"]
    assert subprocess.run(words, capture_output=True, check=False).returncode != 0
