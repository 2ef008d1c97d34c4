from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from fleet.model.errors import FleetError
from fleet.workloads.deepracer.analysis import tables
from fleet.workloads.deepracer.analysis.analysing import analyse
from fleet.workloads.deepracer.analysis.logs import read_log
from fleet.workloads.deepracer.analysis.recording import Epoch, PartRecord, Recording, Setup, Trial
from fleet.workloads.deepracer.metrics import read_metrics
from fleet.workloads.deepracer.signals import Signal
from fleet.workloads.deepracer.whole_run import Part
from tests.unit.deepracer.analyses import data, lines, recorded, told

LOGS = {"drfc-robomaker.log": 10, "droa/training-simulation.log": 20}
"""Of the shared data, and the episodes that their worker drives in an iteration."""


def of_log(name: str) -> Recording:
    part = read_log(data(name).read_bytes(), name).parts[0]
    own = {int(at) for one in part.training for at in one.steps.iteration} | {one.iteration for one in part.epochs}
    own |= {one.iteration for one in part.heard}
    return Recording(name, (replace(part, whole={at: at for at in sorted(own)}),))


@pytest.mark.parametrize("name", LOGS)
def test_every_episode_has_the_figures_that_deepracer_utils_gives_it(name: str) -> None:
    from deepracer.logs import AnalysisUtils, SimulationLogsIO

    frame = SimulationLogsIO.load_pandas(data(name), LOGS[name])
    ended = frame.groupby("episode")["done"].last()
    frame["new_reward"] = frame["reward"]
    table = AnalysisUtils.simulation_agg(frame)
    table = table[table["episode"].map(ended)]
    drives = analyse(of_log(name)).training
    assert len(drives) == len(table)
    columns: dict[str, list[Any]] = {
        "reward": [one.reward for one in drives],
        "progress": [one.progress for one in drives],
        "time": [one.seconds for one in drives],
        "steps": [one.steps for one in drives],
        "start_at": [one.start_waypoint for one in drives],
        "iteration": [one.iteration for one in drives],
        "complete": [one.is_lap for one in drives],
    }
    for column, values in columns.items():
        np.testing.assert_allclose(table[column].to_numpy(), values, rtol=0, atol=1e-9, err_msg=column)


def test_totals_are_those_that_log_guru_published_of_the_same_log() -> None:
    """The figures of its ``…mh77xxe01xgkyky72m378gnwp.log.meta.json`` (deepracer-log-guru, Apache-2.0)."""
    recording = of_log("drfc-robomaker.log")
    found = analyse(recording)
    rewards = [one.reward for one in found.training]
    assert (found.episodes, len(found.rows), found.laps_completed, found.workers) == (40, 4, 0, 2)
    assert found.tracks == ("2022_reinvent_champ",)
    assert fmean(rewards) == pytest.approx(341.10003500000005)
    assert max(rewards) == pytest.approx(1440.0)
    assert min(rewards) == pytest.approx(55.0002)
    # It takes the progress of the last step but one, deepracer-utils the most that was reached.
    steps = recording.parts[0].training[0].steps
    before_last = steps.progress[steps.lasts - 1][steps.done[steps.lasts]]
    assert before_last.mean() == pytest.approx(5.5539524999999985)
    assert found.mean_completion_percent == pytest.approx(5.7187675)


def test_totals_of_metrics_are_those_of_deepracer_utils(monkeypatch: pytest.MonkeyPatch) -> None:
    from deepracer.logs import TrainingMetrics

    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    name = "drfc-1/metrics/TrainingMetrics.json"
    theirs = TrainingMetrics(None, fname=str(data(name)))
    summary = theirs.getSummary().dropna(subset=["train_episodes"])
    episodes = read_metrics(data(name).read_bytes()).episodes
    held = {one.iteration: one.iteration for one in episodes}
    found = analyse(Recording("metrics", (PartRecord("metrics", episodes=episodes, whole=held),)))
    training = theirs.getTraining()
    assert found.episodes == len(training) == 541
    assert found.laps_completed == training["complete"].sum() == 42
    assert found.mean_completion_percent == pytest.approx(training["completion"].mean())
    assert found.best_lap_seconds == pytest.approx(training[training["complete"] == 1]["time"].min())
    np.testing.assert_allclose([row.mean_reward for row in found.rows], summary["train_reward"])
    np.testing.assert_allclose([row.mean_completion_percent for row in found.rows], summary["train_completion"])
    judged = [row.evaluated_percent for row in found.rows if row.evaluated_percent is not None]
    np.testing.assert_allclose(judged, summary["eval_completion"].dropna())


def test_the_real_time_factor_is_the_one_of_deepracer_utils() -> None:
    from deepracer.logs import SimtraceStabilityAnalyzer, SimulationLogsIO

    name = "droa/training-simulation.log"
    frame = SimulationLogsIO.load_pandas(data(name), LOGS[name])
    frame["worker"] = 0
    theirs = SimtraceStabilityAnalyzer(frame).analyze()
    np.testing.assert_allclose([row.real_time_factor or 0 for row in analyse(of_log(name)).rows], theirs["rtf"])


def test_metrics_tell_all_where_traces_hold_some_iterations_only() -> None:
    """Else a curve would leap where traces, which are exact, end, and metrics, which are cut to whole numbers, begin."""
    text = "".join(lines(at, reward=1.19, progress=25.9) for at in range(2))
    metrics = [told(at + 1, at // 2) for at in range(8)]
    found = analyse(recorded(text, episodes=metrics, per=2))
    assert [one.reward for one in found.training] == [5.0] * 8
    assert found.mean_completion_percent == 25.0
    assert [one.steps for one in found.training] == [5, 5, *[None] * 6]
    assert found.problems == ()


def test_traces_tell_all_where_they_hold_all_but_the_iteration_under_way() -> None:
    text = "".join(lines(at, reward=1.19, progress=25.9) for at in range(6))
    found = analyse(recorded(text, episodes=[told(at + 1, at // 2) for at in range(7)], per=2))
    assert [one.reward for one in found.training] == [pytest.approx(5.95)] * 6 + [5.0]
    assert found.training[0].progress == 25.9
    assert found.training[0].seconds == pytest.approx(0.4)


def test_an_episode_that_only_a_trace_holds_counts_too() -> None:
    text = "".join(lines(at) for at in range(3))
    found = analyse(recorded(text, episodes=[told(1), told(2)]))
    assert found.episodes == 3
    assert found.training[-1].end == (0.5, 2.0)


def test_metrics_and_traces_of_different_trainings_are_said_to_differ() -> None:
    text = "".join(lines(at) for at in range(4))
    found = analyse(recorded(text, episodes=[told(at + 1, progress=80.0) for at in range(4)]))
    (problem,) = found.problems
    assert "differ in 4 of 4 episodes (episode 1: 80 and 25.0 % of the lap)" in problem


def test_an_episode_that_had_not_ended_counts_nowhere() -> None:
    text = lines(0) + lines(1).rpartition("SIM_TRACE_LOG")[0]
    found = analyse(recorded(text))
    assert (found.episodes, found.unfinished) == (1, 1)


def test_what_an_interruption_lost_is_left_out_and_the_next_part_goes_on() -> None:
    first = recorded("".join(lines(at, reward=1.0) for at in range(6)), per=2, held={0: 0, 1: 1}).parts[0]
    second = recorded("".join(lines(at, reward=9.0) for at in range(4)), per=2, name="shanghai-1-2").parts[0]
    found = analyse(Recording("run", (first, second)))
    assert [row.mean_reward for row in found.rows] == [5.0, 5.0, 45.0, 45.0]
    assert [row.iteration for row in found.rows] == [0, 1, 2, 3]
    assert [one.number for one in found.drives] == list(range(8))


def test_the_next_part_takes_the_number_of_an_iteration_of_which_no_episode_ended() -> None:
    cut = "".join(lines(at) for at in range(4)) + lines(4).rpartition("SIM_TRACE_LOG")[0]
    parts = [recorded(text, per=2).parts[0] for text in (cut, lines(0) + lines(1))]
    assert [row.iteration for row in analyse(Recording("files", tuple(parts))).rows] == [0, 1, 2]


def test_curves_are_drawn_through_the_attempts_of_a_run_and_not_through_what_lies_side_by_side() -> None:
    """Two runs in one log may have been paid by two reward functions: the second one's is no fall of the first one's."""
    rich = "".join(lines(at, reward=10.0 + at / 5) for at in range(40))
    poor = "".join(lines(at, reward=1.0 + at / 10) for at in range(40))
    parts = [replace(recorded(text, per=2).parts[0], name=name) for text, name in ((rich, "a"), (poor, "b"))]
    assert "falling-reward" not in {one.code for one in analyse(Recording("files", tuple(parts))).findings}
    legs = tuple(replace(one, part=Part(one.name, attempt=number + 1)) for number, one in enumerate(parts))
    assert "falling-reward" in {one.code for one in analyse(Recording("run", legs)).findings}


def test_an_iteration_of_which_nothing_is_there_keeps_its_number() -> None:
    recording = recorded("".join(lines(at) for at in range(4)), per=2, held={0: 0, 1: 1})
    steps = recording.parts[0].traces[0].steps
    gap = replace(steps, iteration=np.where(steps.iteration == 1, 10, steps.iteration))
    part = replace(recording.parts[0], traces=(replace(recording.parts[0].traces[0], steps=gap),), whole={0: 0, 10: 1})
    assert [row.iteration for row in analyse(Recording("run", (part,))).rows] == [0, 10]


def test_several_workers_are_one_training() -> None:
    text = ["".join(lines(at, reward=worker + 1.0) for at in range(4)) for worker in range(3)]
    found = analyse(recorded(*text, per=2))
    assert [row.episodes for row in found.rows] == [6, 6]
    assert [one.worker for one in found.training] == [0, 0, 1, 1, 2, 2] * 2
    assert found.rows[0].mean_reward == pytest.approx(10.0)
    assert found.rows[0].steps == 30
    assert found.workers == 3


def test_laps_have_a_best_a_mean_and_a_spread() -> None:
    text = lines(0, steps=11, progress=100.0, status="lap_complete") + lines(
        1, steps=21, progress=100.0, status="lap_complete", begins=200.0
    )
    row = analyse(recorded(text + lines(2, begins=300.0))).rows[0]
    assert row.laps == 2
    assert row.best_lap_seconds == pytest.approx(1.0)
    assert row.mean_lap_seconds == pytest.approx(1.5)
    assert row.lap_spread_seconds == pytest.approx(0.5)
    assert row.off_track == 1


def test_what_the_trainer_says_stands_beside_the_episodes_it_trained_on() -> None:
    epochs = (Epoch(0, 0, -0.1, 0.01, 2.6, 3e-4), Epoch(0, 1, -0.3, 0.03, 2.4, 3e-4), Epoch(1, 0, -0.2, 0.02, 2.2, 1e-4))
    rows = analyse(recorded("".join(lines(at) for at in range(4)), per=2, epochs=epochs)).rows
    assert (rows[0].entropy, rows[0].learning_rate) == (2.5, 3e-4)
    assert rows[0].surrogate_loss == pytest.approx(-0.2)
    assert rows[0].kl_divergence == pytest.approx(0.02)
    assert [row.learning_rate for row in rows] == [3e-4, 1e-4]


def test_episodes_that_only_the_trainer_names_are_counted_and_nothing_is_made_up_of_them() -> None:
    found = analyse(of_log("console/training-20220611230350-EHNgTNY2T9-77qXhqjBi6A-sagemaker.log"))
    assert (found.episodes, len(found.rows), found.laps_completed) == (567, 29, 0)
    assert found.best_lap_seconds is found.mean_completion_percent is None
    assert math.isnan(found.rows[0].mean_reward)
    assert found.rows[0].entropy == pytest.approx(2.62604, abs=1e-5)
    assert found.findings == ()


def test_losses_and_rewards_that_are_no_numbers_are_named() -> None:
    epochs = (Epoch(0, 0, -0.1, 0.01, 2.6, 3e-4), Epoch(1, 0, math.nan, 0.01, math.nan, 3e-4))
    spoilt = lines(2).replace(",1.0000,", ",nan,", 1)
    found = analyse(recorded(lines(0) + lines(1) + spoilt, per=2, epochs=epochs))
    assert found.not_numbers == ("loss and entropy in iteration 1 of shanghai-1", "the reward of episode 2 in iteration 1")
    assert found.rows[1].entropy is None
    assert found.findings[0].code == "nan"
    assert found.findings[0].value == 2


def test_what_a_log_calls_nan_is_passed_on() -> None:
    trouble = (Signal("nan", "trainer", text="NaN detected in loss function, aborting training."),)
    found = analyse(recorded(lines(0), trouble=trouble))
    assert found.not_numbers == ("shanghai-1: NaN detected in loss function, aborting training.",)


def test_errors_that_the_logs_tell_are_findings_with_their_remedy() -> None:
    error = Signal("reward-error", "simulator", text="Reward function error: division by zero")
    (found,) = analyse(recorded(lines(0), trouble=(error, Signal("lock-wait", "trainer")))).findings
    assert found.code == "reward-error"
    assert found.message == (
        "The logs say: the reward function failed: Reward function error: division by zero; "
        "fleet deepracer check says the line."
    )


def test_a_fault_code_is_named_once() -> None:
    trouble = (Signal("sim-fault", "simulator", code=36), Signal("sim-fault", "simulator", code=25))
    found = analyse(recorded(lines(0), trouble=trouble))
    assert [one.code for one in found.faults] == ["simapp-36"]


def test_the_use_of_actions_is_counted_over_the_whole_space() -> None:
    setup = Setup(actions=((-30.0, 1.0), (0.0, 3.0), (30.0, 1.0)))
    found = analyse(recorded(lines(0, action="0") + lines(1, action="2"), setup=setup))
    assert [(one.steps, one.steering, one.speed) for one in found.actions] == [
        (5, -30.0, 1.0),
        (0, 0.0, 3.0),
        (5, 30.0, 1.0),
    ]


def test_continuous_actions_are_not_counted() -> None:
    setup = Setup(actions=((-30.0, 1.0), (30.0, 4.0)), continuous=True)
    assert analyse(recorded(lines(0, action="[-21.59   3.45]"), setup=setup)).actions == ()


def test_an_evaluation_of_its_own_is_told_by_its_log_alone() -> None:
    found = analyse(of_log("2019/deepracer-eval-sim-sample.log"))
    assert (found.episodes, found.laps_completed, len(found.rows)) == (0, 3, 0)
    assert found.best_lap_seconds == pytest.approx(19.70063, abs=1e-5)
    assert found.tracks == ("reinvent_base",)


def test_trials_of_an_evaluation_are_its_traces_and_what_metrics_add() -> None:
    text = lines(0, progress=100.0, status="lap_complete")
    trace = replace(recorded(text).parts[0].traces[0], phase="evaluation", name="20220709200242")
    trials = (
        Trial("20220709200242", 1, 100.0, 15.5, "Lap complete", off_track=1),
        Trial("20220709200509", 1, 40.0, 6.0, "Off track"),
    )
    part = PartRecord("shanghai-1", traces=(trace,), trials=trials)
    found = analyse(Recording("run", (part,))).evaluation
    assert [(one.part, one.seconds, one.progress) for one in found] == [
        ("20220709200242", 15.5, 100.0),
        ("20220709200509", 6.0, 40.0),
    ]
    assert found[0].steps == 5


def test_metrics_alone_need_neither_pandas_nor_deepracer_utils(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "deepracer.logs", None)
    assert analyse(recorded(episodes=[told(1), told(2)])).episodes == 2


@pytest.mark.parametrize("module", ["pandas", "deepracer.logs"])
def test_traces_say_what_to_install(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(FleetError, match="deepracer-utils") as caught:
        analyse(recorded(lines(0)))
    assert "fleet[deepracer]" in str(caught.value.hint)


def test_summing_up_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    analyse(recorded(lines(0) + lines(1)))
    assert capfd.readouterr() == ("", "")


def test_a_clock_that_is_set_back_does_not_count_in_the_real_time_factor() -> None:
    steps = recorded(lines(0, wall=2.0) + lines(1, begins=200.0, wall=2.0)).parts[0].traces[0].steps
    assert tables.real_time_factor(steps) == pytest.approx(0.5)
    assert tables.real_time_factor(replace(steps, wall=steps.at)) is None  # 2019 has one clock only


def test_nothing_is_an_analysis_of_nothing() -> None:
    found = analyse(Recording("nothing"))
    assert (found.episodes, found.rows, found.findings, found.mean_completion_percent) == (0, (), (), None)
    assert json.dumps(found.best_lap_seconds) == "null"
