"""Training metrics, of one worker and of several, whole and broken."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fleet.workloads.deepracer.metrics import Episode, Metrics, evaluations, read_metrics, together, worker_of


def entry(episode: int, trial: int, *, phase: str = "training", at: float = 0.0, **more: Any) -> dict[str, Any]:
    made = {
        "reward_score": 10 * episode,
        "metric_time": int(1000 * (at or episode)) + 900,
        "start_time": int(1000 * (at or episode)),
        "elapsed_time_in_milliseconds": 900,
        "episode": episode,
        "trial": trial,
        "phase": phase,
        "completion_percentage": 29,
        "episode_status": "Off track",
    }
    return {**made, **more}


def text(entries: list[Any], **more: Any) -> str:
    return json.dumps({"metrics": entries, "version": 2.0, "best_model_metric": "progress", **more})


def test_a_trial_that_begins_anew_is_the_next_iteration_and_evaluations_belong_to_the_one_before() -> None:
    entries = [
        entry(1, 1),
        entry(2, 2),
        entry(2, 2, phase="evaluation", completion_percentage=50),
        entry(2, 2, phase="evaluation", completion_percentage=100, episode_status="Lap complete"),
        entry(3, 1),
        entry(4, 2),
        entry(5, 1),
    ]
    found = read_metrics(text(entries))
    assert [(one.number, one.iteration, one.phase) for one in found.episodes if one.phase == "training"] == [
        (1, 0, "training"),
        (2, 0, "training"),
        (3, 1, "training"),
        (4, 1, "training"),
        (5, 2, "training"),
    ]
    (result,) = evaluations(found.episodes)
    assert (result.iteration, result.trials, result.progress, result.laps) == (0, 2, 75.0, 1)
    assert found.episodes[0].seconds == pytest.approx(0.9)
    assert (found.best_by, found.problem) == ("progress", "")


def test_iterations_of_one_episode_each_are_told_apart() -> None:
    assert [one.iteration for one in read_metrics(text([entry(n, 1) for n in (1, 2, 3)])).episodes] == [0, 1, 2]


def test_workers_are_laid_together_by_iteration_whatever_their_clocks_say() -> None:
    fast = read_metrics(text([entry(1, 1, at=1), entry(2, 2, at=2), entry(3, 1, at=3)]), 0)
    slow = read_metrics(text([entry(1, 1, at=50), entry(2, 1, at=60)]), 1)
    found = together([fast, slow])
    assert [(one.worker, one.number, one.iteration) for one in found] == [
        (0, 1, 0), (0, 2, 0), (1, 1, 0), (0, 3, 1), (1, 2, 1)
    ]  # fmt: skip


def counted_on(count: int, worker: int) -> Metrics:
    """As workers beside the first write it (deepracer-utils' sample of three workers): trials that never begin anew."""
    return read_metrics(text([entry(n, n, at=n) for n in range(1, count + 1)]), worker)


def iterations(episodes: tuple[Episode, ...], worker: int) -> list[int]:
    return [one.iteration for one in sorted(episodes, key=lambda one: one.number) if one.worker == worker]


def test_workers_whose_trials_never_begin_anew_are_told_apart_by_the_first_ones() -> None:
    first = read_metrics(text([entry(n, (n - 1) % 2 + 1, at=n) for n in range(1, 6)]), 0)
    found = together([first, counted_on(6, 1), counted_on(4, 2)])
    assert iterations(found, 0) == [0, 0, 1, 1, 2]
    assert iterations(found, 1) == [0, 0, 1, 1, 2, 2]
    assert iterations(found, 2) == [0, 0, 1, 1]


def test_episodes_that_cannot_be_shared_evenly_leave_one_fewer_to_some() -> None:
    """20 over three workers: 7, 7 and 6."""
    first = read_metrics(text([entry(n, (n - 1) % 7 + 1, at=n) for n in range(1, 71)]), 0)
    found = together([first, counted_on(70, 1), counted_on(60, 2)])
    assert iterations(found, 1) == [n // 7 for n in range(70)]
    assert iterations(found, 2) == [n // 6 for n in range(60)]


def test_a_worker_that_is_ahead_drives_the_next_iteration() -> None:
    first = read_metrics(text([entry(n, (n - 1) % 2 + 1, at=n) for n in range(1, 4)]), 0)
    assert iterations(together([first, counted_on(7, 1)]), 1) == [0, 0, 1, 1, 2, 2, 3]


def test_without_the_first_worker_the_number_of_episodes_tells() -> None:
    assert iterations(together([counted_on(6, 1)], lambda worker: 2), 1) == [0, 0, 1, 1, 2, 2]
    assert iterations(together([counted_on(6, 1)]), 1) == [0] * 6


@pytest.mark.parametrize(
    ("name", "worker"),
    [
        ("metrics/TrainingMetrics.json", 0),
        ("TrainingMetrics_1.json", 1),
        ("x/metrics/TrainingMetrics_12.json", 12),
        ("training-metrics.json", 0),
        ("metrics/EvaluationMetrics-20220709200242.json", None),
        ("metrics/TrainingMetrics.json.tmp", None),
        ("metrics/MyTrainingMetrics.json", None),
    ],
)
def test_a_file_is_known_by_its_name(name: str, worker: int | None) -> None:
    assert worker_of(name) == worker


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"metrics": 3}', b"\xff", b"null", b"[" * 100_000])
def test_what_is_no_metrics_is_named_and_never_raised(data: bytes) -> None:
    found = read_metrics(data)
    assert found.episodes == ()
    assert found.problem


@pytest.mark.parametrize(
    "broken", [{}, 3, None, {"episode": "x"}, entry(2, 2, reward_score=float("nan")), entry(2, 2, metric_time=None)]
)
def test_an_episode_that_cannot_be_read_is_left_out_and_counted(broken: Any) -> None:
    found = read_metrics(text([entry(1, 1), broken, entry(3, 3)]))
    assert [one.number for one in found.episodes] == [1, 3]
    assert found.problem == "1 of 3 episodes cannot be read"


def test_the_best_set_may_be_chosen_by_reward() -> None:
    assert read_metrics(text([], best_model_metric="reward")).best_by == "reward"
    assert read_metrics(text([], best_model_metric="luck")).best_by == "progress"
