"""What a job may say of its workload: wrong options are told with their place in the file, before anything is spent."""

from __future__ import annotations

from pathlib import Path

import pytest

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
