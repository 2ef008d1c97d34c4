"""The course of a run: what a leg leaves behind, and what is lost between two."""

from __future__ import annotations

import json

from fleet.workloads.deepracer.course import MOST_SETS, Course, parse_course
from fleet.workloads.deepracer.resume import Loss, loss


def course() -> Course:
    """One leg that kept set 1 after a minute and is at work on the second iteration."""
    return Course(run="racer-1").begun("racer-1-1-1", 1, "nothing", None, 0.0, 100.0).kept(1, 60.0).seen(1, 90.0)


def test_it_reads_as_what_was_written_and_tells_its_prefixes() -> None:
    data = course().model_dump_json().encode()
    assert parse_course(data, "racer-1") == course()
    told = json.loads(data)
    assert told["prefixes"] == ["racer-1-1-1"]
    assert (told["iterations"], told["trained_seconds"], told["nan_retries"]) == (1, 60.0, 0)


def test_another_runs_or_a_broken_course_is_none() -> None:
    data = course().model_dump_json().encode()
    assert parse_course(data, "racer-2") is None
    for cut in range(len(data)):
        assert parse_course(data[:cut], "racer-1") is None
    assert parse_course(b'{"run": "racer-1", "legs": [{}]}', "racer-1") is None
    assert parse_course(None, "racer-1") is None


def test_what_a_newer_fleet_wrote_beside_is_passed_over() -> None:
    told = {**json.loads(course().model_dump_json()), "more": 1}
    assert parse_course(json.dumps(told).encode(), "racer-1") == course()


def test_an_iteration_that_was_under_way_is_lost_whole_and_its_time_to_the_second() -> None:
    assert loss(course(), 1) == Loss(1, 30.0)
    assert "at most one iteration lost, 0.5 minutes" in Loss(1, 30.0).told()


def test_nothing_is_lost_by_going_on_from_what_the_trainer_saved_last() -> None:
    assert loss(course().kept(2, 95.0), 2) == Loss(0, 0.0)
    assert Loss(0, 0.0).told() == "nothing was lost"


def test_sets_that_were_made_and_not_kept_are_lost() -> None:
    assert loss(course().seen(2, 120.0).seen(2, 130.0), 1) == Loss(2, 70.0)


def test_a_set_that_only_repeats_its_source_is_no_loss() -> None:
    run = course().begun("racer-1-2-1", 2, "volume", 1, 60.0, 0.0).started(2)
    assert loss(run, 1) == loss(run, 2) == Loss(0, 0.0)
    assert loss(run.seen(2, 80.0), 1) == Loss(1, 20.0)
    assert loss(run.seen(3, 80.0).seen(3, 81.0), 1) == Loss(1, 21.0)  # it was about to end
    assert loss(run.seen(3, 80.0).seen(3, 90.0), 1) == Loss(2, 30.0)


def test_a_run_that_begins_has_lost_nothing() -> None:
    assert loss(Course(run="racer-1"), 0) is None


def test_iterations_count_without_what_the_run_began_with_and_without_sets_that_repeat_their_source() -> None:
    run = Course(run="r").begun("r-1-1", 1, "pretrained", 307, 0.0, 0.0)
    assert (run.base, run.done) == (307, 0)
    run = run.started(308)
    assert run.done == 0
    run = run.kept(309, 60.0)
    assert run.done == 1
    run = run.begun("r-2-1", 2, "volume", 309, 60.0, 0.0).started(310).kept(311, 120.0)
    assert (run.base, run.iterations, run.done) == (307, 311, 2)


def test_a_leg_that_was_gone_back_over_counts_no_more() -> None:
    run = Course(run="r").begun("r-1-1", 1, "nothing", None, 0.0, 0.0).kept(3, 30.0)
    run = run.begun("r-1-2", 1, "volume", 3, 30.0, 0.0).started(4).kept(5, 50.0)
    back = run.begun("r-1-3", 1, "volume", 1, 10.0, 0.0).started(2).kept(3, 30.0)
    assert (run.done, back.done) == (4, 2)


def test_after_a_nan_no_leg_gives_a_later_set() -> None:
    run = course().kept(5, 300.0).went_bad(3, 0.0001)
    assert (run.nan_retries, run.learning_rate) == (1, 0.0001)
    assert [n for n in range(7) if run.leg.allows(n)] == [0, 1, 2, 3]
    assert [n for n in range(7) if run.went_bad(None, None).leg.allows(n)] == []
    again = run.went_bad(4, None)
    assert again.learning_rate == 0.0001
    assert not again.leg.allows(4)


def test_training_time_goes_on_from_the_set_that_was_taken() -> None:
    run = course().kept(2, 120.0).begun("racer-1-2-1", 2, "volume", 1, 60.0, 0.0)
    assert (run.iterations, run.trained_seconds, run.reached_seconds) == (1, 60.0, 60.0)
    assert (run.trained_at(1), run.trained_at(2), run.trained_at(0)) == (60.0, 60.0, 60.0)
    run = run.kept(3, 200.0).seen(5, 300.0).seen(5, 350.0)
    assert [run.trained_at(n) for n in range(1, 7)] == [60.0, 60.0, 200.0, 200.0, 300.0, 300.0]
    assert Course(run="r").trained_at(3) == 0.0


def test_it_stays_small() -> None:
    run = Course(run="r").begun("r-1-1", 1, "nothing", None, 0.0, 0.0)
    for n in range(1, 1000):
        run = run.kept(n, float(n))
    assert sorted(run.leg.sets) == list(range(1000 - MOST_SETS, 1000))
    assert run.leg.kept == 999
