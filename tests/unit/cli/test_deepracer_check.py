"""`fleet init deepracer` and `fleet deepracer check`, as they are typed."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from typer.testing import CliRunner

from fleet.cli.demo import example_folder
from fleet.cli.main import app
from fleet.cli.schemas import schema_of
from fleet.model.errors import FleetError
from fleet.model.jobfile import parse_job
from fleet.workloads.deepracer.checking import model
from fleet.workloads.deepracer.checking.routes import ROUTES
from fleet.workloads.deepracer.checking.tracks import stand_in
from tests.unit.cli.test_json import closed

IMAGE_TAG = "image-tag"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def offline(url: str) -> bytes:
        raise OSError("no network in tests")

    monkeypatch.setattr("fleet.cli.deepracer_check.download", offline)
    monkeypatch.setattr(model, "CALLS", 100)
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(*words: str, code: int = 0) -> Any:
    done = CliRunner().invoke(app, list(words))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done


def told(*words: str, code: int = 0) -> Any:
    answer = json.loads(typed("deepracer", "check", *words, "-o", "json", code=code).stdout)
    jsonschema.Draft202012Validator(closed(schema_of("deepracer-check"))).validate(answer)
    return answer


def problems(answer: Any) -> list[str]:
    """But for images that are named by tags, which other tests hold, and the circuit that stands in."""
    return [one["code"] for one in answer["problems"] if one["code"] not in (IMAGE_TAG, "track-stand-in")]


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_what_init_writes_is_a_job_under_its_name_and_a_model_that_is_ready(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "CALLS", 5000)
    typed("init", "deepracer", "shanghai-1")
    made = folder / "shanghai-1"
    names = {path.name for path in made.iterdir()}
    assert names == {"fleet.yaml", "reward_function.py", "model_metadata.json", "hyperparameters.json"}
    job = parse_job((made / "fleet.yaml").read_text())
    assert (job.name, (job.workload or {})["kind"]) == ("shanghai-1", "deepracer")
    assert "fleet stop shanghai-1" in (made / "fleet.yaml").read_text()
    answer = told("shanghai-1")
    assert (answer["ok"], problems(answer)) == (True, [])
    assert answer["reward"]["calls"] >= 5000
    assert 0 < answer["reward"]["seconds_per_call"] < 0.01
    assert 0 < answer["reward"]["min"] < answer["reward"]["max"] <= 1


def test_init_never_writes_over_a_model_and_takes_names_that_a_run_may_have(folder: Path) -> None:
    typed("init", "deepracer", "mine")
    (folder / "mine" / "fleet.yaml").unlink()
    (folder / "mine" / "reward_function.py").write_text("mine")
    with pytest.raises(FleetError, match="is there already"):
        typed("init", "deepracer", "mine")
    assert (folder / "mine" / "reward_function.py").read_text() == "mine"
    assert not (folder / "mine" / "fleet.yaml").exists()
    typed("init", "deepracer", "mine", "--force")
    assert (folder / "mine" / "reward_function.py").read_text() != "mine"
    for wrong in ("Shanghai", "../up", "a b", "-x-", "x" * 41):
        with pytest.raises(FleetError, match="cannot be a run's name"):
            typed("init", "deepracer", "--", wrong)
    with pytest.raises(FleetError, match="takes no name"):
        typed("init", "racer", "mine")
    typed("init", "aws", "mine", code=2)
    typed("init", "deepracer", "--into", "plain")
    assert parse_job((folder / "plain" / "fleet.yaml").read_text()).name == "deepracer"


def test_text_for_people_says_what_where_and_what_to_do(folder: Path) -> None:
    typed("init", "deepracer", "mine")
    change(folder / "mine" / "reward_function.py", 'params["speed"]', 'params["spede"]')
    change(folder / "mine" / "model_metadata.json", '"index": 5', '"index": 6')
    out = typed("deepracer", "check", "mine", code=1).output
    assert "error: model_metadata.json:9: action 5 has the index 6" in out
    assert "error: reward_function.py:15: KeyError: 'spede'" in out
    assert "Not ready: 2 errors" in out
    answer = told("mine", code=1)
    assert not answer["ok"]
    assert problems(answer) == ["metadata-index", "reward-exception"]
    assert [one["severity"] for one in answer["problems"]][:2] == ["error", "error"]
    assert {(one["file"], one["line"]) for one in answer["problems"][:2]} == {
        ("model_metadata.json", 9),
        ("reward_function.py", 15),
    }


def test_a_job_file_that_is_wrong_is_a_problem_with_its_line(folder: Path) -> None:
    typed("init", "deepracer", "mine")
    change(folder / "mine" / "fleet.yaml", "tracks: [reinvent_base] ", "track: [reinvent_base]  ")
    (one,) = [one for one in told("mine", code=1)["problems"] if one["severity"] == "error"]
    assert (one["code"], one["file"], one["line"]) == ("job", "fleet.yaml", 8)
    assert "'tracks'" in one["message"]
    (folder / "mine" / "fleet.yaml").write_text("name: a\nworkdir: .\nrun: x\n")
    assert problems(told("mine", code=1)) == ["job-kind"]
    (folder / "mine" / "fleet.yaml").unlink()
    assert problems(told("mine")) == ["job-missing"]


def test_what_the_job_says_wrongly_is_told_with_its_line(folder: Path) -> None:
    typed("init", "deepracer", "mine")
    change(folder / "mine" / "fleet.yaml", "[reinvent_base]", "[reinvent_bass]")
    change(folder / "mine" / "fleet.yaml", "# accelerators: T4 ", "accelerators: K80  ")
    change(folder / "mine" / "fleet.yaml", "  until: {", "  storage: bucket\n  until: {")
    lines = (folder / "mine" / "fleet.yaml").read_text().splitlines()
    for path in ("mine", "mine/fleet.yaml"):
        found = {one["code"]: lines[one["line"] - 1].split()[0] for one in told(path, code=1)["problems"] if one["line"]}
        assert found["track-unknown"] == "tracks:"
        assert found["bucket-needs-direct"] == "storage:"
        assert found["gpu-too-old"] == "infra:"  # where `resources` begins


@pytest.mark.parametrize("data", [b"a: [\n", b"\xff\xfe\x00", b"", b"- 1\n", b"name: \x00\n"])
def test_a_job_file_that_is_none_is_one_problem_and_the_rest_is_checked_all_the_same(folder: Path, data: bytes) -> None:
    typed("init", "deepracer", "mine")
    (folder / "mine" / "fleet.yaml").write_bytes(data)
    answer = told("mine", code=1)
    assert [(one["code"], one["file"]) for one in answer["problems"] if one["severity"] == "error"] == [
        ("job", "fleet.yaml")
    ]
    assert answer["reward"]["calls"] > 0


def test_the_jobs_folder_tracks_and_gpu_count(folder: Path) -> None:
    typed("init", "deepracer", "mine")
    (folder / "mine" / "model").mkdir()
    for name in ("reward_function.py", "model_metadata.json", "hyperparameters.json"):
        shutil.move(folder / "mine" / name, folder / "mine" / "model" / name)
    change(folder / "mine" / "fleet.yaml", "workdir: .", "workdir: model")
    change(folder / "mine" / "fleet.yaml", "[reinvent_base]", "[reinvent_bass]")
    change(folder / "mine" / "fleet.yaml", "# accelerators: T4 ", "accelerators: K80  ")
    answer = told("mine", code=1)
    assert problems(answer) == ["gpu-too-old", "track-unknown"]
    assert "'reinvent_base'" in next(one["message"] for one in answer["problems"] if one["code"] == "track-unknown")


def test_on_a_resume_the_diff_goes_to_standard_error_beside_json(folder: Path) -> None:
    typed("init", "deepracer", "old")
    typed("init", "deepracer", "new")
    change(folder / "new" / "hyperparameters.json", "0.0003", "0.0001")
    change(folder / "new" / "fleet.yaml", "# pretrained: s3://bucket/shanghai-0 ", "pretrained: ../old ")
    done = typed("deepracer", "check", "new", "-o", "json")
    assert json.loads(done.stdout)["ok"]
    assert "+lr: 0.0001" in done.stderr
    change(folder / "new" / "model_metadata.json", '    {"index": 0, "steering_angle": -30, "speed": 1.0},\n', "")
    for number in range(1, 6):
        change(folder / "new" / "model_metadata.json", f'"index": {number}', f'"index": {number - 1}')
    assert problems(told("new", code=1)) == ["source-actions"]
    assert problems(told("new", "--against", "new")) == []


def test_the_reward_is_drawn_over_the_track(folder: Path) -> None:
    typed("init", "deepracer", "mine")
    typed("deepracer", "check", "mine", "--plot", "reward.png")
    assert (folder / "reward.png").read_bytes()[:4] == b"\x89PNG"
    typed("deepracer", "check", "mine", "--plot", "reward.svg")
    assert "reinvent_base" in (folder / "reward.svg").read_text()
    with pytest.raises(FleetError, match="ends in"):
        typed("deepracer", "check", "mine", "--plot", "reward.txt")
    with pytest.raises(FleetError, match="no folder"):
        typed("deepracer", "check", "mine", "--plot", "nowhere/reward.png")
    with pytest.raises(FleetError, match="no folder"):
        typed("deepracer", "check", "nothing")


def test_tracks_are_kept_in_fleets_home_and_offline_fetches_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed("init", "deepracer", "mine")
    path = folder / "route.npy"
    circuit = stand_in("")
    np.save(path, np.concatenate([circuit.centre.points, circuit.inner.points, circuit.outer.points], axis=1))
    monkeypatch.setitem(ROUTES, "reinvent_base", hashlib.sha256(path.read_bytes()).hexdigest())
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return path.read_bytes()

    monkeypatch.setattr("fleet.cli.deepracer_check.download", fetch)
    assert "stands in" in typed("deepracer", "check", "mine", "--offline").output
    assert asked == []
    for words in ((), ("--offline",), ()):
        assert "stands in" not in typed("deepracer", "check", "mine", *words).output
    assert len(asked) == 1


def test_the_example_lies_in_wheels_and_in_checkouts() -> None:
    assert (example_folder("deepracer") / "reward_function.py").is_file()
    with pytest.raises(FleetError, match="missing"):
        example_folder("nothing")
