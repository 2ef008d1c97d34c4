"""Which images go together, and with which GPU: said before anything is spent."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from fleet.engine import Engine
from fleet.model.errors import FleetError
from fleet.workloads.deepracer.findings import Finding, refuses
from fleet.workloads.deepracer.images import (
    device_of,
    image,
    image_problems,
    pinned,
    resolved_digest,
    roles,
    stack_problems,
)
from fleet.workloads.deepracer.spec import DeepRacer, Images

DIGEST = "sha256:" + "a" * 64


def codes(found: list[Finding], severity: str = "error") -> list[str]:
    return [finding.code for finding in found if finding.severity == severity]


def job(**said: Any) -> DeepRacer:
    return DeepRacer.model_validate({"kind": "deepracer", **said})


@pytest.mark.parametrize("gpu", ["K80", "M60", "M60:2"])
def test_todays_stack_is_refused_on_gpus_that_only_2019s_can_use(gpu: str) -> None:
    assert codes(image_problems(job(), gpu)) == ["gpu-too-old"]
    assert codes(image_problems(job(stack="2019"), gpu)) == []


@pytest.mark.parametrize("gpu", ["T4", "V100", "A10G:4", "L4", "H100", "a-gpu-that-nobody-knows"])
def test_todays_stack_takes_newer_gpus(gpu: str) -> None:
    assert codes(image_problems(job(), gpu)) == []


@pytest.mark.parametrize("gpu", ["A10G", "A100", "L4", "H100", "RTX-PRO-4500", "a-gpu-that-nobody-knows"])
def test_2019s_stack_is_refused_on_gpus_that_came_after_its_cuda(gpu: str) -> None:
    assert codes(image_problems(job(stack="2019"), gpu)) == ["gpu-too-new"]


@pytest.mark.parametrize("gpu", ["V100", "T4"])
def test_2019s_stack_runs_on_what_its_cuda_reaches(gpu: str) -> None:
    assert codes(image_problems(job(stack="2019"), gpu)) == []


@pytest.mark.parametrize(
    ("said", "gpu", "code"),
    [
        ({"device": "gpu"}, None, "no-gpu"),
        ({}, "T4g", "arm"),
        ({"device": "cpu"}, "T4g", "arm"),
        ({}, "Radeon-Pro-V520", "not-cuda"),
    ],
)
def test_what_cannot_run_at_all_is_refused(said: dict[str, Any], gpu: str | None, code: str) -> None:
    assert codes(image_problems(job(**said), gpu)) == [code]


def test_a_gpu_that_nobody_uses_is_a_warning_and_not_a_matter_of_its_age() -> None:
    found = image_problems(job(device="cpu"), "K80")
    assert not refuses(found)
    assert "gpu-unused" in codes(found, "warning")


def test_auto_is_the_gpu_if_there_is_one() -> None:
    assert device_of(job(), "T4") == "gpu"
    assert device_of(job(), None) == "cpu"
    assert device_of(job(device="gpu"), None) == "gpu"
    assert image(job(), "simulator", "gpu").endswith("-gpu")
    assert image(job(), "simulator", "cpu").endswith("-cpu")


def test_a_tag_is_warned_of_once_and_a_digest_is_not() -> None:
    warned = [finding for finding in image_problems(job(), "T4") if finding.code == "image-tag"]
    assert [finding.message.split(" is a tag")[0] for finding in warned] == [
        image(job(), "s3", "gpu"),
        image(job(), "coach", "gpu"),
    ]
    fixed = Images(simapp=f"mine:gpu@{DIGEST}", s3=f"minio/minio@{DIGEST}")
    assert image_problems(DeepRacer(images=fixed), "T4") == []


def test_coach_would_train_on_the_cpu_with_a_gpu_image_whose_name_does_not_say_so() -> None:
    bare = DeepRacer(images=Images(simapp=f"awsdeepracercommunity/deepracer-simapp@{DIGEST}"))
    assert codes(image_problems(bare, "T4")) == ["image-name-gpu"]
    assert codes(image_problems(bare, None)) == []
    tagged = DeepRacer(images=Images(simapp=f"awsdeepracercommunity/deepracer-simapp:6.0.4-gpu@{DIGEST}"))
    assert codes(image_problems(tagged, "T4")) == []
    assert codes(image_problems(tagged, None)) == ["image-name-gpu"]  # and a GPU that is not there, the other way round
    assert codes(image_problems(bare.model_copy(update={"launcher": "direct"}), "T4")) == []


def test_the_bucket_without_a_look_alike_needs_the_launcher_whose_trainer_can_reach_it() -> None:
    assert codes(stack_problems(job(storage="bucket"))) == ["bucket-needs-direct"]
    assert codes(stack_problems(job(storage="bucket", launcher="direct"))) == []
    assert codes(stack_problems(job(storage="bucket", launcher="direct", workers=2))) == ["bucket-one-worker"]


def test_2019s_stack_has_one_simulator_one_launcher_and_one_race() -> None:
    assert stack_problems(job(stack="2019")) == []
    odd = job(stack="2019", workers=2, launcher="direct", race="HEAD_TO_BOT")
    assert sorted(codes(stack_problems(odd))) == ["direct-2019", "race-2019", "workers-2019"]


def test_tracks_and_images_that_nobody_uses_are_said() -> None:
    few = stack_problems(job(tracks=["one", "two", "three"], workers=2))
    assert codes(few, "warning") == ["tracks-unused"]
    assert "three" in few[0].message
    assert "two" not in few[0].message
    assert codes(stack_problems(job(images={"coach": "of-2019"})), "warning") == ["images-unused"]
    assert stack_problems(job(tracks=["one", "two"], workers=5)) == []


def test_roles_are_those_that_are_started() -> None:
    assert roles(job()) == ("s3", "coach", "trainer", "simulator")
    assert roles(job(storage="bucket", launcher="direct")) == ("trainer", "simulator")


class Answering(Engine):
    """An engine that says one thing."""


def answering(monkeypatch: pytest.MonkeyPatch, code: int, out: str, err: str = "") -> Engine:
    def ask(self: Engine, *words: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
        assert words[:2] == ("image", "inspect")
        return subprocess.CompletedProcess(words, code, out, err)

    monkeypatch.setattr(Answering, "ask", ask)
    return Answering("docker", {})


@pytest.mark.parametrize(
    ("name", "known", "resolved"),
    [
        ("minio/minio:RELEASE.1", [f"minio/minio@{DIGEST}"], f"minio/minio:RELEASE.1@{DIGEST}"),
        ("minio/minio", [f"docker.io/minio/minio@{DIGEST}"], f"minio/minio@{DIGEST}"),
        ("host:5000/a/b:1", [f"other/b@{DIGEST}", f"host:5000/a/b@{DIGEST}"], f"host:5000/a/b:1@{DIGEST}"),
        ("built-here:1", [], None),
        ("built-here:1", None, None),
        ("mine:1", [f"other@{DIGEST}"], None),
    ],
)
def test_a_tag_is_resolved_to_what_was_pulled_and_keeps_its_tag(
    monkeypatch: pytest.MonkeyPatch, name: str, known: list[str] | None, resolved: str | None
) -> None:
    found = resolved_digest(answering(monkeypatch, 0, json.dumps(known)), name)
    assert found == resolved
    assert found is None or pinned(found)


def test_a_digest_is_resolved_without_asking_and_a_missing_image_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = answering(monkeypatch, 1, "", "Error: No such image: mine:1")
    assert resolved_digest(engine, f"mine@{DIGEST}") == f"mine@{DIGEST}"
    with pytest.raises(FleetError, match="No such image"):
        resolved_digest(engine, "mine:1")


def test_every_remedy_is_something_to_do() -> None:
    every: list[Callable[[], list[Finding]]] = [
        lambda: image_problems(job(), "K80"),
        lambda: image_problems(job(stack="2019"), "L4"),
        lambda: image_problems(job(device="gpu"), None),
        lambda: stack_problems(job(storage="bucket", workers=3, tracks=["a", "b", "c", "d"])),
        lambda: stack_problems(job(stack="2019", workers=2, launcher="direct", race="HEAD_TO_BOT")),
    ]
    assert all(finding.remedy and finding.message for ask in every for finding in ask())
