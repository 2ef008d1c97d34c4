"""What an evaluation came to, as real metrics and made-up ones tell it."""

from __future__ import annotations

import json

import pytest

from fleet.workloads.deepracer.evaluating.results import Evaluation, OnTrack, Trial, parse_results, read_trials
from tests.deepracer.images import real_logs

REAL = {
    "20220709200242": [14.792, 13.801, 14.731],
    "20220709200509": [14.325, 13.99, 13.944],
    "20220709200711": [14.198, 13.392, 14.201],
}
"""Lap times in seconds of three evaluations of one model."""


def lap(number: int, progress: float = 100.0, seconds: float = 14.0, **more: int) -> Trial:
    return Trial(number=number, progress=progress, seconds=seconds, **more)


def test_real_evaluations_are_read_lap_by_lap_where_they_are_at_hand() -> None:
    logs = real_logs()
    for stamp, seconds in REAL.items() if logs is not None else ():
        assert logs is not None
        found = read_trials((logs / "drfc-1" / "metrics" / f"EvaluationMetrics-{stamp}.json").read_bytes())
        assert [one.seconds for one in found] == seconds
        assert [one.number for one in found] == [1, 2, 3]
        assert [one.status for one in found] == ["In progress", "In progress", "Lap complete"]
        assert all(one.complete for one in found)


def test_a_whole_lap_is_complete_though_its_status_says_in_progress() -> None:
    counts = {f"{name}_count": 0 for name in ("crash", "immobilized", "off_track", "reversed", "reset")}
    whole = {"completion_percentage": 100, "elapsed_time_in_milliseconds": 14792, "episode_status": "In progress", **counts}
    off = {**whole, "completion_percentage": 99, "off_track_count": 1, "reset_count": 1, "episode_status": "Off track"}
    found = read_trials(json.dumps({"metrics": [{**whole, "trial": 1}, {**off, "trial": 2}]}))
    assert [(one.complete, one.off_track, one.resets, one.seconds) for one in found] == [
        (True, 0, 0, 14.792),
        (False, 1, 1, 14.792),
    ]


def test_2019s_laps_have_neither_status_nor_counts() -> None:
    entry = {"completion_percentage": 37, "metric_time": 9000, "start_time": 1000, "elapsed_time_in_milliseconds": 8000}
    found = read_trials(json.dumps({"metrics": [{**entry, "trial": 1}, entry]}))
    assert found == (
        Trial(number=1, progress=37.0, seconds=8.0),
        Trial(number=2, progress=37.0, seconds=8.0),
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'{"metrics": null}',
        b'{"metrics": [{"completion_percentage": 12}, "x", null, {"completion_percentage": "NaN"}]}',
        b'{"metrics": [{"completion_percentage": 1e999, "elapsed_time_in_milliseconds": 3}]}',
        b"[" * 100_000,
    ],
)
def test_what_cannot_be_read_is_no_lap(data: bytes) -> None:
    assert read_trials(data) == ()


def test_means_and_the_best_are_of_whole_laps_and_progress_of_all() -> None:
    one = OnTrack(track="a", trials=(lap(1, seconds=12), lap(2, 50, 3, off_track=1), lap(3, seconds=14, off_track=2)))
    assert (len(one.laps), one.best, one.mean, one.off_track) == (2, 12, 13, 3)
    assert one.progress == pytest.approx(250 / 3)
    empty = OnTrack(track="a")
    assert (empty.best, empty.mean, empty.progress) == (None, None, None)


def test_a_track_is_left_until_all_its_laps_are_driven_and_newer_results_take_the_place_of_older_ones() -> None:
    some = Evaluation(run="r-1").with_track(OnTrack(track="a", trials=(lap(1),)))
    assert (some.left(("a", "b")), some.done) == (["a", "b"], 1)
    more = some.with_track(OnTrack(track="b")).with_track(OnTrack(track="a", trials=(lap(1), lap(2)), ended_at=9.0))
    assert [one.track for one in more.tracks] == ["a", "b"]
    assert (more.left(("a", "b")), more.done) == (["b"], 2)


def test_results_are_read_back_as_they_were_kept_and_no_other_runs() -> None:
    kept = Evaluation(run="r-1", set=7, tracks=(OnTrack(track="a", trials=(lap(1, 99.0),)),))
    assert parse_results(kept.data(), "r-1") == kept
    assert parse_results(kept.data(), "r-2") is None
    assert parse_results(b"{", "r-1") is None
    assert parse_results(None) is None
    newer = json.dumps({**json.loads(kept.data()), "a_field": "of a newer fleet"}).encode()
    assert parse_results(newer) == kept


def test_a_lap_is_told_in_one_line() -> None:
    assert lap(1, seconds=14.7921).told() == "lap 1: 100 % in 14.792 s"
    assert lap(2, seconds=30, resets=2).told() == "lap 2: 100 % in 30.000 s, 2 resets"
    off = Trial(number=3, progress=41.0, seconds=3.0, status="Off track", resets=1)
    assert off.told() == "lap 3: 41 % in 3.000 s (off track)"
