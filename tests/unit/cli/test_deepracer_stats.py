"""`fleet deepracer stats`, as it is typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from fleet.cli.main import app
from fleet.cli.schemas import schema_of
from fleet.model.errors import FleetError
from tests.unit.cli.test_json import closed
from tests.unit.deepracer.analyses import data, lines
from tests.unit.deepracer.test_care_commands import checkpoint, history
from tests.unit.deepracer.test_care_commands import recorded as a_run

SHORT = {
    "episodes", "iterations", "workers", "laps_completed", "best_lap_seconds", "mean_completion_percent", "per_iteration",
    "findings",
}  # fmt: skip
"""What programs were promised; nothing else without `--details`."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["deepracer", "stats", *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.stdout


def told(*words: str) -> Any:
    answer = json.loads(typed(*words, "-o", "json"))
    jsonschema.Draft202012Validator(closed(schema_of("deepracer-stats"))).validate(answer)
    return answer


def test_a_model_of_deepracer_for_cloud_is_summed_up_by_its_metrics() -> None:
    answer = told(str(data("drfc-1")))
    assert answer.keys() == SHORT
    assert (answer["episodes"], answer["iterations"], answer["workers"], answer["laps_completed"]) == (541, 28, 1, 42)
    assert answer["best_lap_seconds"] == 12.276
    assert answer["mean_completion_percent"] == pytest.approx(33.84473)
    assert len(answer["per_iteration"]) == 28
    assert answer["per_iteration"][26] == {
        "iteration": 26,
        "episodes": 20,
        "mean_reward": 91.4,
        "mean_completion_percent": 68.05,
        "laps": 6,
        "best_lap_seconds": 13.414,
    }
    assert answer["findings"] == []


def test_a_log_of_a_simulator_is_enough() -> None:
    answer = told(str(data("drfc-robomaker.log")))
    assert (answer["episodes"], answer["iterations"], answer["workers"]) == (40, 4, 2)
    assert answer["laps_completed"] == 0
    assert answer["best_lap_seconds"] is None


def test_a_log_and_its_metrics_are_one_training() -> None:
    answer = told(str(data("droa/training-simulation.log")), str(data("droa/training-metrics.json")))
    assert (answer["episodes"], answer["iterations"], answer["laps_completed"]) == (580, 29, 32)
    (slow,) = answer["findings"]
    assert slow["code"] == "slow-real-time-factor"
    assert slow["value"] == pytest.approx(0.648)


def test_what_the_trainer_alone_tells_is_null_where_it_does_not_know() -> None:
    answer = told(str(data("console/training-20220611230350-EHNgTNY2T9-77qXhqjBi6A-sagemaker.log")))
    assert (answer["episodes"], answer["mean_completion_percent"]) == (567, None)
    assert answer["per_iteration"][0]["mean_reward"] is None


def test_a_log_that_holds_an_evaluation_only_tells_of_that() -> None:
    answer = told(str(data("2019") / "deepracer-eval-sim-sample.log"))
    assert (answer["episodes"], answer["workers"], answer["laps_completed"], answer["iterations"]) == (3, 1, 3, 0)
    assert (answer["best_lap_seconds"], answer["mean_completion_percent"]) == (19.70063, 100.0)


def test_details_tell_laps_losses_evaluations_and_the_use_of_actions() -> None:
    answer = told(str(data("console")), "--details")
    assert answer.keys() == SHORT | {"details"}
    details = answer["details"]
    row = details["per_iteration"][27]
    assert row["entropy"] == pytest.approx(1.62610)
    assert row["evaluated_percent"] == 100.0
    assert row["lap_spread_seconds"] == pytest.approx(0.40615)
    assert (details["evaluation_episodes"], details["evaluation_laps"]) == (140, 47)
    assert details["actions"] == []  # no trace is there
    droa = told(str(data("droa")), "--details")["details"]
    assert sum(one["steps"] for one in droa["actions"]) == 846
    assert droa["per_iteration"][0]["real_time_factor"] == pytest.approx(0.64391)
    assert droa["tracks"] == ["Spain_track"]
    assert droa["off_track"][0]["episodes"] >= 2


def test_people_see_totals_trends_the_newest_iterations_and_findings() -> None:
    text = typed(str(data("droa")), "--last", "2")
    assert "580 episodes in 29 iterations, 1 worker, Spain_track" in text
    assert "32 whole ones (5.5%), the best in 29.442 s" in text
    assert "63.6 in iteration 28" in text
    table = [line.split()[0] for line in text.partition("iteration  episodes")[2].splitlines()[1:3]]
    assert table == ["27", "28"]
    assert "\nslow-real-time-factor: The simulation runs at 0.65 of real time" in text


def test_all_iterations_are_shown_on_demand() -> None:
    rows = typed(str(data("droa")), "--all").partition("iteration  episodes")[2].splitlines()
    assert [line.split()[0] for line in rows[1:30]] == [str(number) for number in range(29)]


def test_columns_of_which_nobody_tells_anything_are_left_out() -> None:
    text = typed(str(data("console/training-20220611230350-EHNgTNY2T9-77qXhqjBi6A-sagemaker.log")))
    assert "entropy" in text
    assert "best lap" not in text
    assert "laps" not in text


def test_what_could_not_be_read_is_said_beside_what_could(folder: Path) -> None:
    log = folder / "robomaker.log"
    log.write_text(lines(0) + lines(1) + "SIM_TRACE_LOG:2,1,0.1,torn\n" + lines(2) + lines(3)[:300])
    text = typed(str(log))
    assert "3 episodes in 1 iteration" in text
    assert "unseen" in text
    assert "under way   1 episode, not counted" in text


def test_colours_and_titles_in_a_name_do_not_reach_the_terminal(folder: Path) -> None:
    log = folder / "evil\x1b]2;title\x07.log"
    log.write_text(lines(0))
    assert "\x1b" not in typed(str(log))


def test_what_is_not_there_is_said_with_what_may_be_named() -> None:
    with pytest.raises(FleetError, match="there is no nothing") as caught:
        typed("nothing")
    assert "s3://bucket/prefix" in str(caught.value.hint)


def test_a_file_without_a_training_is_refused(folder: Path) -> None:
    (folder / "notes.log").write_text("nothing was trained here\n")
    with pytest.raises(FleetError, match="no record of a training"):
        typed("notes.log")


def test_help_does_not_wait_for_pandas() -> None:
    """The whole command line stays quick: nothing heavy is imported before a command needs it."""
    script = "import sys, fleet.cli.main; print([m for m in ('pandas', 'matplotlib', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def windows(text: bytes) -> bytes:
    """As PowerShell's ``>`` writes it."""
    return text.decode("utf-8", "replace").replace("\n", "\r\n").encode("utf-16")


def coloured(text: bytes) -> bytes:
    return text.replace(b"SIM_TRACE_LOG", b"\x1b[32mSIM_TRACE_LOG").replace(b"\n", b"\x1b[0m\n")


@pytest.mark.parametrize("written", [windows, coloured, lambda text: text.replace(b"\n", b"\0\n")])
def test_however_a_log_was_written_down_it_tells_the_same(written: Any, folder: Path) -> None:
    text = data("drfc-robomaker.log").read_bytes()
    (folder / "plain.log").write_bytes(text)
    (folder / "other.log").write_bytes(written(text))
    assert told("other.log") == told("plain.log")


def test_two_runs_in_one_log_are_two_and_both_count(folder: Path) -> None:
    text = data("drfc-robomaker.log").read_bytes()
    (folder / "two.log").write_bytes(text + text)
    answer = told("two.log", "--details")
    assert (answer["episodes"], answer["iterations"]) == (80, 8)
    assert [row["iteration"] for row in answer["per_iteration"]] == list(range(8))
    assert any("2 runs" in problem for problem in answer["details"]["problems"])


def test_empty_metrics_add_nothing_to_a_log(folder: Path) -> None:
    (folder / "TrainingMetrics.json").write_text('{"metrics": []}')
    log = str(data("drfc-robomaker.log"))
    assert told(log, "TrainingMetrics.json") == told(log)


def test_two_workers_logs_are_one_training(folder: Path) -> None:
    for worker in (0, 1):
        start = f"Starting as worker {worker}, using world reinvent_base and configuration training_params.yaml.\n"
        (folder / f"sim-{worker}.log").write_text(start + "".join(lines(at, reward=worker + 1.0) for at in range(20)))
    answer = told("sim-0.log", "sim-1.log")
    assert (answer["workers"], answer["episodes"], answer["iterations"]) == (2, 40, 1)
    assert answer["per_iteration"][0]["mean_reward"] == 7.5


def test_a_run_is_named_and_its_attempts_are_one_training(folder: Path) -> None:
    """The first machine made 10 episodes; the second went on from set 2, so that those after it are no part of the model."""
    now = a_run({"kind": "deepracer", "workers": 1}).objects.now()
    history(folder / "home" / "local" / "volumes" / "vol-1" / "data" / "history", now)
    answer = told("racer", "--details")
    assert [row["episodes"] for row in answer["per_iteration"]] == [4, 4, 4, 1]
    assert (answer["episodes"], answer["iterations"], answer["workers"]) == (13, 4, 1)
    assert answer["details"]["parts"] == ["racer-1-1-1", "racer-1-2-1"]
    assert answer["details"]["cost_usd"] is not None
    assert "an iteration" in typed("racer")


def test_a_run_elsewhere_is_read_from_its_bucket() -> None:
    """Its newest checkpoint carries the records of the machine that made it."""
    checkpoint(a_run({"kind": "deepracer", "workers": 1}, "ec2"))
    answer = told("racer-1", "--details")
    assert answer["details"]["parts"] == ["racer-1-1-1"]
    assert [row["episodes"] for row in answer["per_iteration"]] == [4, 4]


def test_metrics_without_an_episode_have_the_same_shape_and_name_nobody(tmp_path: Path) -> None:
    (tmp_path / "TrainingMetrics.json").write_text('{"metrics": [], "version": 2.0}')
    answer = told(str(tmp_path / "TrainingMetrics.json"))
    assert answer.keys() == SHORT
    assert (answer["episodes"], answer["best_lap_seconds"], answer["per_iteration"]) == (0, None, [])
    assert "nobody has driven yet" in typed(str(tmp_path / "TrainingMetrics.json"))


def test_rewards_that_are_no_numbers_among_others_are_a_finding_and_stop_nothing(tmp_path: Path) -> None:
    log = "".join(lines(at, reward=float("nan") if at % 2 else 1.0 + at % 7) for at in range(300))
    (tmp_path / "robomaker.log").write_text(log)
    answer = told(str(tmp_path / "robomaker.log"))
    assert (answer["episodes"], len(answer["per_iteration"])) == (300, 15)
    assert answer["findings"][0]["code"] == "nan"
    assert answer["findings"][0]["value"] == 150
