"""What a job may say of its workload: wrong options are told with their place in the file, before anything is spent."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from fleet.cli.job import job_schema
from fleet.model.errors import JobError
from fleet.workloads.kinds import options_of, read_job


def written(folder: Path, workload: str) -> Path:
    (folder / "fleet.yaml").write_text(f"name: racer\nworkdir: .\nworkload:\n{workload}")
    return folder


def told(folder: Path, workload: str) -> list[str]:
    with pytest.raises(JobError) as refused:
        read_job(written(folder, workload))
    return [line.removeprefix(f"{folder}/") for line in refused.value.message.splitlines()]


def test_a_job_of_a_known_kind_is_read_with_its_options(tmp_path: Path) -> None:
    job, folder = read_job(
        written(tmp_path, "  kind: deepracer\n  tracks: [reinvent_base, Oval_track]\n  until: {duration: 2h}\n")
    )
    assert folder == tmp_path
    assert job.workload is not None
    found = options_of(job.workload)
    assert found.tracks == ("reinvent_base", "Oval_track")
    assert found.until.duration == 7200
    assert found.nan.retries == 2


def test_an_unknown_kind_is_told_with_those_that_are_known(tmp_path: Path) -> None:
    assert told(tmp_path, "  kind: deepracers\n") == ["fleet.yaml:4:9: workload: there is no kind 'deepracers'"]


def test_each_wrong_option_is_told_with_its_line(tmp_path: Path) -> None:
    lines = told(tmp_path, "  kind: deepracer\n  worker: 2\n  nan:\n    back: 0\n  race: DRAG\n")
    assert "fleet.yaml:5:11: workload.worker is no field; did you mean 'workers'?" in lines
    assert any(line.startswith("fleet.yaml:7:11: workload.nan.back: ") for line in lines)
    assert any(line.startswith("fleet.yaml:8:9: workload.race: ") for line in lines)
    assert len(lines) == 3


def test_a_format_by_which_no_set_would_ever_be_committed_is_refused(tmp_path: Path) -> None:
    lines = told(tmp_path, "  kind: deepracer\ncheckpoint: {format: marker}\n")
    assert lines == ["fleet.yaml:5:22: checkpoint.format: a workload's sets come whole, without a marker beside them"]


@pytest.mark.parametrize("written", ["2019", '"2019"'])
def test_the_year_of_a_stack_needs_no_quotes(written: str) -> None:
    assert options_of(yaml.safe_load(f"{{kind: deepracer, stack: {written}}}")).stack == "2019"


RIGHT = [
    "kind: deepracer",
    "{kind: deepracer, tracks: [a, b], workers: 2, until: {iterations: 3, duration: 8h}, nan: {back: 3}}",
    "{kind: deepracer, stack: 2019, images: {coach: mine}, env: {RTF_OVERRIDE: '1'}, pretrained: old}",
]
WRONG = [
    "{}",
    "{kind: deepracers}",
    "{kind: deepracer, track: [a]}",
    "{kind: deepracer, tracks: []}",
    "{kind: deepracer, workers: 17}",
    "{kind: deepracer, stack: 2020}",
    "{kind: deepracer, until: {duration: 8}}",
    "{kind: deepracer, until: {duration: soon}}",
    "{kind: deepracer, nan: {back: 0}}",
    "{kind: deepracer, images: {sim: mine}}",
]


@pytest.mark.parametrize(("workload", "right"), [(one, True) for one in RIGHT] + [(one, False) for one in WRONG])
def test_the_schema_of_job_files_knows_a_workloads_options_as_people_write_them(workload: str, right: bool) -> None:
    schema = job_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    job = {"name": "racer", "workdir": ".", "workload": yaml.safe_load(workload)}
    assert jsonschema.Draft202012Validator(schema).is_valid(job) is right
    if right:
        options_of(job["workload"])
    else:
        with pytest.raises(JobError):
            options_of(job["workload"])


def test_numbers_that_may_mean_something_else_are_told_with_what_to_write(tmp_path: Path) -> None:
    lines = told(tmp_path, "  kind: deepracer\n  until: {duration: 8}\n  env:\n    RTF_OVERRIDE: 1.10\n")
    assert lines == [
        "fleet.yaml:5:21: workload.until.duration: 8 has no unit; write 8m or 8h",
        "fleet.yaml:7:19: workload.env.RTF_OVERRIDE: 1.1 is no text; put it in quotes",
    ]


@pytest.mark.parametrize("line", ["tracks: [../x]", "evaluate: {tracks: [a/b]}", 'tracks: [""]'])
def test_a_track_that_is_no_name_is_told_with_its_place(tmp_path: Path, line: str) -> None:
    (found,) = told(tmp_path, f"  kind: deepracer\n  pretrained: x\n  {line}\n")
    assert found.startswith("fleet.yaml:6:")
    assert "is no name of a world" in found
