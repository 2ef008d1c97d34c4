from __future__ import annotations

import sys

import numpy as np
import pytest

from fleet.workloads.deepracer.analysis import light, tables
from fleet.workloads.deepracer.analysis.analysing import analyse, numbered
from fleet.workloads.deepracer.analysis.recording import Recording
from fleet.workloads.deepracer.analysis.steps import STATUSES
from fleet.workloads.deepracer.analysis.traced import traced
from tests.unit.deepracer.driving import circle, of_log, recorded, round_and_round

LOGS = ("drfc-robomaker.log", "2019/deepracer-eval-sim-sample.log", "droa/training-simulation.log")


def both(recording: Recording) -> tuple[list[tables.Summed], list[tables.Summed]]:
    tracks = traced(recording, numbered(recording.parts))
    return light.summed(tracks), tables.summed(tracks)


@pytest.mark.parametrize("name", LOGS)
def test_the_sums_of_real_logs_are_those_of_deepracer_utils(name: str) -> None:
    mine, theirs = both(of_log(name))
    assert len(mine) == len(theirs) > 1
    for one, other in zip(mine, theirs, strict=True):
        assert one.reward == pytest.approx(other.reward)
        assert one.progress == other.progress
        assert one.seconds == pytest.approx(other.seconds, abs=1e-6)


def test_a_restart_on_the_track_and_a_reward_that_is_no_number_count_as_with_deepracer_utils() -> None:
    steps = round_and_round(3, share=0.4)
    steps.status[20] = STATUSES.index("prepare")
    steps.at[20:60] += 7.0  # put back onto the track
    steps.at[60:] += 9.0
    steps.reward[70] = np.nan
    mine, theirs = both(recorded(circle(steps)))
    assert [one.seconds for one in mine] == pytest.approx([one.seconds for one in theirs])
    assert mine[0].seconds == pytest.approx(58 / 15)
    assert np.isnan(mine[1].reward)
    assert np.isnan(theirs[1].reward)
    assert mine[2].reward == theirs[2].reward == 60.0


def test_an_analysis_without_pandas_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = of_log("drfc-robomaker.log")
    whole = analyse(recording)
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "deepracer.logs", None)
    light_one = analyse(recording, light.summed)
    assert light_one.episodes == whole.episodes > 0
    assert light_one.mean_completion_percent == pytest.approx(whole.mean_completion_percent)
    assert [row.mean_reward for row in light_one.rows] == pytest.approx([row.mean_reward for row in whole.rows])
