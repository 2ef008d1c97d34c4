from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from fleet.workloads.deepracer.analysis.findings import judge
from fleet.workloads.deepracer.analysis.model import ActionUse, Analysis, Finding
from tests.unit.deepracer.analyses import HEALTHY, curve, drive, driven, with_rows

RISING = [10.0 + 3.0 * at for at in range(30)]


def codes(analysis: Analysis) -> set[str]:
    return {one.code for one in judge(analysis)}


def only(analysis: Analysis, code: str) -> Finding:
    """The finding of that code; and it is one sentence that says its number and what to do."""
    found = next(one for one in judge(analysis) if one.code == code)
    assert found.message.endswith(".")
    assert any(sign.isdigit() for sign in found.message)
    assert math.isfinite(found.value)
    return found


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_training_is_accused_of_nothing_whenever_one_looks(name: str) -> None:
    whole = driven(name)
    assert len(whole.rows) >= 28
    accused = {upto: codes(driven(name, upto)) for upto in range(1, len(whole.rows) + 1)}
    assert {upto: found for upto, found in accused.items() if found} == {}


def test_a_rising_curve_is_accused_of_nothing() -> None:
    assert codes(curve(RISING, [10 + 2 * at for at in range(30)])) == set()


def test_nothing_is_said_of_nothing() -> None:
    assert judge(Analysis()) == ()


def test_reward_that_does_not_rise_is_flat() -> None:
    found = only(curve([20.0, 21.0, 19.0] * 7), "flat-reward")
    assert abs(found.value) < 5
    assert "10 iterations" in found.message


def test_flat_reward_of_a_car_that_gets_round_is_what_one_wants() -> None:
    assert codes(curve([200.0, 201.0, 199.0] * 7, [97.0] * 21)) == set()


def test_flat_reward_of_a_car_that_gets_round_when_evaluated_is_none() -> None:
    told = with_rows(curve([80.0, 81.0, 79.0] * 7, [70.0] * 21), evaluated_percent=[100.0] * 21)
    assert codes(told) == set()
    assert "flat-reward" in codes(with_rows(told, evaluated_percent=[60.0] * 21))


def test_flat_reward_while_the_car_comes_further_is_no_standstill() -> None:
    assert "flat-reward" not in codes(curve([20.0, 21.0, 19.0] * 7, [10.0 + 2 * at for at in range(21)]))


def test_nothing_is_flat_before_ten_iterations() -> None:
    assert "flat-reward" not in codes(curve([20.0] * 9))
    assert "flat-reward" in codes(curve([20.0] * 10))


def test_reward_that_fell_says_from_where_to_where() -> None:
    found = only(curve([*RISING, *[97.0 - 6 * at for at in range(12)]]), "falling-reward")
    assert found.value > 40
    assert "iterations 27 to 31" in found.message


def test_one_bad_iteration_is_no_fall() -> None:
    assert codes(curve([*RISING, 40.0], [*[10 + 2 * at for at in range(30)], 30.0])) == set()


def test_reward_that_swings_from_one_iteration_to_the_next_zigzags() -> None:
    told = with_rows(curve([100.0, 30.0] * 10), learning_rate=[0.0009] * 20)
    found = only(told, "zigzag")
    assert found.value > 100
    assert "learning_rate=0.0003" in found.message
    assert "flat-reward" not in codes(told)  # which would advise the opposite


def test_swings_that_few_scattered_episodes_explain_are_no_zigzag() -> None:
    scattered = curve([100.0, 60.0] * 10, episodes=2)
    wild = tuple(replace(one, reward=one.reward * (3.0 if one.number % 2 else 0.1)) for one in scattered.drives)
    assert "zigzag" not in codes(replace(scattered, drives=wild))


def test_a_steep_rise_is_no_zigzag() -> None:
    assert "zigzag" not in codes(curve([2.0**at for at in range(12)], [5.0 * at for at in range(12)]))


def test_reward_that_rises_while_the_car_comes_less_far_is_paid_for_something_else() -> None:
    found = only(curve(RISING, [60.0 - at for at in range(30)]), "reward-without-progress")
    assert found.value == pytest.approx(-19, abs=1)


def test_entropy_that_is_used_up_far_from_a_lap_collapsed() -> None:
    entropy = [max(0.1, 2.6 - 0.2 * at) for at in range(30)]
    found = only(with_rows(curve(RISING), entropy=entropy), "entropy-collapse")
    assert found.value == pytest.approx(0.1)
    assert "before iteration 11" in found.message


def test_the_entropy_of_a_model_that_gets_round_may_be_low() -> None:
    entropy = [max(0.1, 2.6 - 0.2 * at) for at in range(30)]
    told = with_rows(curve(RISING, [10.0] * 20 + [95.0] * 10), entropy=entropy)
    assert "entropy-collapse" not in codes(told)


def test_entropy_that_falls_as_it_does_in_healthy_trainings_is_no_collapse() -> None:
    assert "entropy-collapse" not in codes(with_rows(curve(RISING), entropy=[2.63 - 0.035 * at for at in range(30)]))


def test_continuous_actions_collapse_by_how_far_their_entropy_fell() -> None:
    assert "entropy-collapse" in codes(with_rows(curve(RISING), entropy=[2.0 - 0.3 * at for at in range(30)]))
    assert "entropy-collapse" not in codes(with_rows(curve(RISING), entropy=[0.5 - 0.1 * at for at in range(30)]))


def test_a_resumed_training_is_measured_by_a_free_choice_and_not_by_where_it_began() -> None:
    actions = tuple(ActionUse(number, 500) for number in range(14))
    told = with_rows(curve(RISING), entropy=[0.4] * 30)
    assert "entropy-collapse" not in codes(told)
    assert "entropy-collapse" in codes(replace(told, actions=actions))


def test_what_is_no_number_is_named() -> None:
    told = replace(curve(RISING, RISING), not_numbers=("entropy in iteration 12 of shanghai-1",))
    found = only(told, "nan")
    assert found.value == 1
    assert "entropy in iteration 12 of shanghai-1" in found.message


def test_actions_that_nobody_takes_are_counted() -> None:
    actions = (ActionUse(0, 900, -30.0, 1.0), ActionUse(1, 0, 0.0, 4.0), ActionUse(2, 700, 30.0, 1.0))
    found = only(replace(curve(RISING, RISING), actions=actions), "action-never-used")
    assert found.value == 1
    assert "action 1 (0° at 4 m/s)" in found.message


def test_an_action_that_was_not_taken_yet_is_not_counted() -> None:
    actions = (ActionUse(0, 90, -30.0, 1.0), ActionUse(1, 0, 0.0, 4.0))
    assert codes(replace(curve(RISING, RISING), actions=actions)) == set()


@pytest.mark.parametrize(
    "told", [{"status": "Immobilized"}, {"progress": 0.7, "seconds": 20.0}, {"progress": 0.7, "seconds": 0.0, "steps": 300}]
)
def test_a_car_that_does_not_come_from_the_spot_is_stuck(told: dict[str, Any]) -> None:
    drives = [drive(number=at, **(told if at % 3 == 0 else {})) for at in range(60)]
    found = only(Analysis(drives=tuple(drives)), "stuck-car")
    assert found.value == pytest.approx(33.3, abs=0.1)


def test_a_car_that_leaves_the_track_at_once_is_not_stuck() -> None:
    drives = [drive(number=at, progress=0.5, seconds=0.4, steps=6) for at in range(60)]
    assert "stuck-car" not in codes(Analysis(drives=tuple(drives)))


def test_one_push_against_a_wall_is_no_stuck_car() -> None:
    drives = [drive(number=at, status="Immobilized" if at == 7 else "Off track") for at in range(60)]
    assert "stuck-car" not in codes(Analysis(drives=tuple(drives)))


def test_evaluations_that_wait_for_a_set_for_ever_are_endless() -> None:
    found = only(replace(curve(RISING, RISING), waiting=117), "endless-evaluation")
    assert found.value == 117


def test_the_slowest_trainer_known_is_waited_for() -> None:
    assert codes(replace(curve(RISING, [10 + 2 * at for at in range(30)]), waiting=36)) == set()


def test_endless_evaluation_shows_in_metrics_too() -> None:
    trained = [drive(at // 20, at) for at in range(60)]
    evaluated = [drive(2, 60 + at, phase="evaluation") for at in range(80)]
    assert only(Analysis(drives=(*trained, *evaluated)), "endless-evaluation").value == 80


def test_evaluations_that_were_asked_for_after_training_wait_for_nothing() -> None:
    trained = [drive(at // 20, at) for at in range(60)]
    asked = [drive(2, 60 + at, phase="evaluation", part=f"2022070920{at // 5:02}42") for at in range(80)]
    assert codes(Analysis(drives=(*trained, *asked))) == set()


def test_an_evaluation_of_its_own_may_be_long() -> None:
    assert codes(Analysis(drives=tuple(drive(0, at, phase="evaluation") for at in range(100)))) == set()


def test_a_model_that_knows_one_track_by_heart_is_told_by_evaluations_on_two() -> None:
    known = [drive(0, at, phase="evaluation", track="reinvent_base", progress=100.0) for at in range(3)]
    other = [drive(0, 3 + at, phase="evaluation", track="Spain_track", progress=12.0) for at in range(3)]
    found = only(Analysis(drives=(*known, *other)), "one-track")
    assert found.value == 88
    assert "Spain_track" in found.message


def test_workers_on_two_tracks_tell_it_too() -> None:
    drives = [
        drive(at // 20, at, worker=at % 2, track=("Bowtie_track", "Spain_track")[at % 2], progress=(85.0, 20.0)[at % 2])
        for at in range(120)
    ]
    assert "one-track" in codes(Analysis(drives=tuple(drives)))


def test_a_harder_track_is_no_overfitting() -> None:
    known = [drive(0, at, phase="evaluation", track="reinvent_base", progress=100.0) for at in range(3)]
    other = [drive(0, 3 + at, phase="evaluation", track="Spain_track", progress=70.0) for at in range(3)]
    assert codes(Analysis(drives=(*known, *other))) == set()


def test_a_simulation_that_runs_at_half_of_real_time_is_slow() -> None:
    told = with_rows(curve(RISING, RISING), real_time_factor=[0.9] * 20 + [0.5] * 10)
    assert only(told, "slow-real-time-factor").value == 0.5


def test_the_usual_real_time_factor_is_not_slow() -> None:
    assert codes(with_rows(curve(RISING, RISING), real_time_factor=[0.88] * 30)) == set()


def test_a_corner_that_most_cars_fail_at_is_named() -> None:
    drives = [drive(0, at, end=(1.0, -2.0), end_waypoint=45 + at % 3 if at % 4 else at) for at in range(80)]
    found = only(Analysis(drives=tuple(drives)), "hard-corner")
    assert "waypoint 45 (at 1.0, -2.0 m)" in found.message


def test_cars_that_leave_the_track_everywhere_name_no_corner() -> None:
    assert "hard-corner" not in codes(
        Analysis(drives=tuple(drive(0, at, end=(1.0, at / 5), end_waypoint=at) for at in range(150)))
    )
