"""Machines that a workload cannot use are left out of its job, and refuse it if none is left: before anything is spent."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fleet import api
from fleet.cli.demo import example_folder
from fleet.cli.main import app
from fleet.model.errors import FleetError, JobError
from fleet.model.job import Job, Resources
from fleet.workloads import before
from fleet.workloads.before import of_machines, refuse_hopeless
from fleet.workloads.deepracer.checking import model
from fleet.workloads.deepracer.checking.tracks import Tracks
from fleet.workloads.suited import suited, suited_job


def job(resources: dict[str, Any], **options: Any) -> Job:
    workload = {"kind": "deepracer", **options}
    return Job(name="racer", workdir=".", workload=workload, resources=Resources.model_validate(resources))


def codes(job: Job, offered: tuple[str | None, ...] = ()) -> set[tuple[str, str]]:
    return {(one.code, one.severity) for one in of_machines(job, offered) if one.code != "image-tag"}


@pytest.mark.parametrize(
    ("resources", "options", "code"),
    [
        ({"infra": "aws", "instance_type": ["p2.xlarge"]}, {}, "gpu-too-old"),
        ({"infra": "aws", "instance_type": ["g3s.xlarge", "p2.8xlarge"]}, {}, "gpu-too-old"),
        ({"infra": "aws/us-east-1", "accelerators": "K80"}, {}, "gpu-too-old"),
        ({"infra": "aws", "accelerators": "k80:8"}, {}, "gpu-too-old"),
        ({"infra": "aws", "instance_type": ["g6.xlarge"]}, {"stack": "2019"}, "gpu-too-new"),
        ({"infra": "aws", "instance_type": ["g5g.xlarge"]}, {}, "arm"),
        ({"infra": "aws", "instance_type": ["c5.2xlarge"]}, {"device": "gpu"}, "no-gpu"),
        ({"infra": "aws"}, {"device": "gpu"}, "no-gpu"),
        (
            {"infra": "aws", "any_of": [{"accelerators": "M60"}, {"instance_type": ["p2.xlarge"]}]},
            {},
            "gpu-too-old",
        ),
    ],
)
def test_a_job_that_no_machine_could_serve_is_refused(resources: dict[str, Any], options: dict[str, Any], code: str) -> None:
    wanted = job(resources, **options)
    assert codes(wanted) == {(code, "error")}
    with pytest.raises(JobError) as refused:
        suited_job(wanted)
    assert refused.value.hint


@pytest.mark.parametrize(
    ("resources", "options"),
    [
        ({"infra": "aws", "instance_type": ["p2.xlarge"]}, {"stack": "2019"}),
        ({"infra": "aws", "instance_type": ["g4dn.xlarge", "g6.xlarge"]}, {}),
        ({"infra": "aws", "accelerators": "t4"}, {}),
        ({"infra": "aws"}, {}),
        ({"infra": "aws", "instance_type": ["x9.unheard"]}, {}),
        ({"infra": "local"}, {"device": "gpu"}),
        ({}, {}),
    ],
)
def test_a_job_whose_machines_all_serve_stays_as_it_is(resources: dict[str, Any], options: dict[str, Any]) -> None:
    wanted = job(resources, **options)
    assert codes(wanted) == set()
    assert suited_job(wanted) is wanted


def test_of_several_types_those_that_cannot_serve_are_left_out_and_that_is_said() -> None:
    found = suited(job({"infra": "aws", "instance_type": ["p2.xlarge", "g4dn.xlarge", "g3s.xlarge"]}))
    assert found.job.resources.instance_type == ("g4dn.xlarge",)
    assert found.accelerators == ("T4",)
    assert [one.severity for one in found.findings] == ["warning", "warning"]
    assert found.findings[0].message.startswith("p2.xlarge: K80 ")
    assert found.findings[0].message.endswith(": left out")


def test_of_alternatives_those_that_cannot_serve_are_left_out() -> None:
    ways = [
        {"accelerators": "K80"},
        {"instance_type": ["p2.xlarge", "g5.xlarge"]},
        {"accelerators": "T4", "infra": "aws/us-west-2"},
        {"instance_type": ["g3s.xlarge"]},
    ]
    wanted = job({"infra": "aws", "market": "spot", "any_of": ways})
    left = suited_job(wanted).resources
    assert [(one.accelerators, one.instance_type) for one in left.any_of] == [(None, ("g5.xlarge",)), ("T4", ())]
    assert left.any_of[1] == wanted.resources.any_of[2]
    assert left.market == "spot"
    assert codes(wanted) == {("gpu-too-old", "warning")}


def test_types_that_all_alternatives_share_are_left_out_of_each() -> None:
    wanted = job({"infra": "aws", "instance_type": ["p2.xlarge", "g5.xlarge"], "any_of": [{"market": "spot"}, {}]})
    left = suited_job(wanted).resources
    assert [one.instance_type for one in left.any_of] == [("g5.xlarge",), ("g5.xlarge",)]
    assert left.any_of[0].market == "spot"


def test_of_offers_that_the_job_does_not_name_those_that_cannot_serve_are_warned_of() -> None:
    anything = job({"infra": "aws"})
    assert codes(anything, (None, "T4", "T4g")) == {("arm", "warning")}
    assert codes(anything, ("T4g", "T4g")) == {("arm", "error")}
    assert codes(anything, (None, "T4")) == set()


def test_a_job_without_a_workload_is_none_of_our_business() -> None:
    plain = Job(name="plain", run="true", resources=Resources(infra="aws", accelerators="K80"))
    assert suited_job(plain) is plain


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(before, "CALLS", 100)
    monkeypatch.setattr(model, "Tracks", lambda *at: Tracks(at[0], at[1], None))
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(example_folder("deepracer"), tmp_path / "racer")
    return tmp_path / "racer"


def written(folder: Path, resources: str, workload: str = "kind: deepracer") -> Path:
    text = f"name: racer\nworkdir: .\nworkload: {{{workload}}}\nresources: {{{resources}}}\n"
    (folder / "fleet.yaml").write_text(text)
    return folder


@pytest.mark.filterwarnings("ignore:warning")
def test_up_plan_offers_and_simulate_refuse_alike_and_make_nothing(folder: Path, tmp_path: Path) -> None:
    written(folder, "infra: aws, instance_type: p2.xlarge")
    for words in (["up", "--yes"], ["up"], ["plan"], ["offers"], ["simulate", "--estimate", "3h"]):
        done = CliRunner().invoke(app, [*words, str(folder), "-o", "json"])
        assert isinstance(done.exception, JobError), (words, done.output)
        assert "p2.xlarge: K80" in done.exception.message
    for call in (api.up, api.plan):
        with pytest.raises(JobError, match="K80"):
            call(folder)
    assert not (tmp_path / "home" / "bucket").exists()


def test_check_says_the_same(folder: Path) -> None:
    written(folder, "infra: aws, instance_type: [p2.xlarge, g4dn.xlarge]")
    answer = CliRunner().invoke(app, ["deepracer", "check", "--offline", str(folder), "-o", "json"])
    found = [one for one in json.loads(answer.stdout)["problems"] if one["code"] == "gpu-too-old"]
    assert [(one["severity"], one["file"]) for one in found] == [("warning", "fleet.yaml")]
    assert answer.exit_code == 0


@pytest.mark.filterwarnings("ignore:warning")
def test_what_cannot_be_together_is_refused_before_a_machine_is_launched(folder: Path) -> None:
    written(folder, "infra: local", "kind: deepracer, storage: bucket")
    with pytest.raises(JobError, match="the trainer that coach starts cannot reach the bucket"):
        api.up(folder)
    done = CliRunner().invoke(app, ["deepracer", "check", "--offline", str(folder), "-o", "json"])
    assert done.exit_code == 1
    found = [one for one in json.loads(done.stdout)["problems"] if one["severity"] == "error"]
    assert [(one["code"], one["file"]) for one in found] == [("bucket-needs-direct", "fleet.yaml")]


def test_warnings_are_told_and_refuse_nothing(folder: Path) -> None:
    written(folder, "infra: aws, any_of: [{accelerators: K80}, {accelerators: T4}]")
    told: list[str] = []
    wanted, base = api._job(folder)
    refuse_hopeless(wanted, base, (), told.append)
    assert any("K80" in one and "left out" in one for one in told)
    (folder / "reward_function.py").write_text("def reward_function(params):\n    return None\n")
    with pytest.raises(FleetError, match=r"reward_function\.py:2"):
        refuse_hopeless(wanted, base, (), told.append)


def test_without_a_name_the_folders_own_job_is_meant(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(folder, "infra: aws, accelerators: K80")
    for words in ("plan", "up"):
        assert CliRunner().invoke(app, [words]).exit_code == 2
    monkeypatch.chdir(folder)
    for words in ("plan", "up"):
        assert "K80" in str(CliRunner().invoke(app, [words]).exception)
