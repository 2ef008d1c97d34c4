"""What follows a loss that is no number."""

from __future__ import annotations

import json

import pytest

from fleet.workloads.deepracer.course import Course
from fleet.workloads.deepracer.nan import (
    DEFAULT_RATE,
    Back,
    Enough,
    after_nan,
    gave_up,
    learning_rate_of,
    with_learning_rate,
)
from fleet.workloads.deepracer.resume import Candidate, candidates
from fleet.workloads.deepracer.spec import OnNan


def course(retries: int = 0) -> Course:
    run = Course(run="r-1").begun("r-1-1-1", 1, "nothing", None, 0.0, 0.0).kept(9, 90.0).seen(10, 100.0)
    return run.model_copy(update={"nan_retries": retries})


def sets(*numbers: int) -> list[Candidate]:
    return [Candidate("volume", "r-1-1-1", n) for n in numbers]


def back(*numbers: int, spec: OnNan | None = None) -> Back:
    found = after_nan(course(), sets(*numbers), spec or OnNan(), 0.0003)
    assert isinstance(found, Back)
    return found


def test_two_sets_back_are_taken_and_the_user_is_told() -> None:
    found = back(10, 9, 8, 7)
    assert found.source == sets(8)[0]
    assert found.learning_rate is None
    assert found.words == ("the loss is no number (NaN): training goes on from set 8, 2 before the newest (retry 1 of 2)")


@pytest.mark.parametrize(
    ("numbers", "many", "expected"),
    [((10, 9, 8, 7), 1, 9), ((10, 9, 8, 7), 3, 7), ((10, 9), 2, 9), ((10,), 2, 10), ((), 2, None)],
    ids=["one", "three", "fewer than that", "only one", "none"],
)
def test_as_many_sets_back_as_are_asked_for_or_there_are(numbers: tuple[int, ...], many: int, expected: int | None) -> None:
    source = back(*numbers, spec=OnNan(back=many)).source
    assert (source.n if source else None) == expected


def test_the_learning_rate_is_lowered_if_that_is_asked_for() -> None:
    found = back(10, 9, 8, spec=OnNan(learning_rate=0.5))
    assert found.learning_rate == 0.00015
    assert "with a learning rate of 0.00015 instead of 0.0003" in found.words


@pytest.mark.parametrize(("retries", "before"), [(0, 0), (1, 1), (2, 2), (2, 3)])
def test_so_often_and_no_more(retries: int, before: int) -> None:
    found = after_nan(course(before), sets(10, 9, 8), OnNan(retries=retries), 0.0003)
    assert isinstance(found, Enough)
    assert "NaN" in found.message
    assert "learning rate" in found.remedy
    assert ("retries is 0" in found.message) == (before == 0)
    assert found.source == sets(8)[0]


def test_whoever_starts_a_run_again_that_gave_up_does_not_begin_from_what_may_be_nan() -> None:
    run = course(2)
    found = run.doubted(8)
    assert candidates(run, {"r-1-1-1": (7, 8, 9, 10)}, [])[0].n == 10
    assert candidates(found, {"r-1-1-1": (7, 8, 9, 10)}, [])[0].n == 8
    assert (found.nan_retries, found.learning_rate) == (2, None)


@pytest.mark.parametrize("text", ["", "[]", "null", '{"lr": null}', '{"lr": "fast"}', "[" * 5000, '{"batch_size": 64}'])
def test_hyperparameters_that_tell_no_rate_leave_the_trainers_own(text: str) -> None:
    assert learning_rate_of(text.encode()) == DEFAULT_RATE


def test_only_the_learning_rate_is_changed() -> None:
    before = b'{"batch_size": 64, "lr": 0.0003, "loss_type": "huber"}'
    assert learning_rate_of(before) == 0.0003
    after = with_learning_rate(before, 0.00015)
    assert json.loads(after) == {"batch_size": 64, "lr": 0.00015, "loss_type": "huber"}
    assert with_learning_rate(before, None) == before


def test_a_restart_of_the_machine_that_gave_up_does_not_train_again_but_a_resumed_run_does() -> None:
    given_up = course(2).ended("nan").doubted(8)
    assert gave_up(given_up, OnNan(), given_up.leg.attempt)
    assert not gave_up(given_up, OnNan(), given_up.leg.attempt + 1)
    assert not gave_up(given_up, OnNan(retries=3), given_up.leg.attempt)
    assert not gave_up(course(2), OnNan(), given_up.leg.attempt)
    assert not gave_up(Course(run="r-1"), OnNan(), 1)
