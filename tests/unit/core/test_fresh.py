"""A volume whose first machine was taken before it formatted it is not lost to its run."""

from __future__ import annotations

import pytest

from fleet.boot.request import launch_request
from fleet.core.fresh import never_used
from fleet.core.state import RunState
from fleet.model.documents import BootDocument
from tests.unit.core.world import RUN, folded

Event = dict[str, object]
FIRST: list[Event] = [
    {"run-created": {}},
    {"launch-intended": {"at": 10}},
    {"launch-succeeded": {"at": 12}},
    {"volume-made": {"at": 13, "created_at": 12}},
]
SECOND: list[Event] = [{"launch-intended": {"attempt": 2, "at": 301, "volume": "v-1", "predecessor": 1}}]


def run(*events: Event) -> RunState:
    return folded(list(events)).runs[RUN]


def marked(state: RunState) -> bool:
    request = launch_request("f", "file:///bucket", state, state.attempts[max(state.attempts)])
    return BootDocument.model_validate_json(request.user_data).volume_new


def test_one_that_a_machine_left_before_anybody_trained_on_it_is_marked_new_again() -> None:
    state = run(*FIRST, {"attempt-gone": {"at": 100}}, *SECOND)
    assert never_used(state, "v-1")
    assert marked(state)


def test_a_word_of_the_agents_that_is_not_of_training_changes_nothing() -> None:
    assert marked(run(*FIRST, {"attempt-began": {"at": 90}}, {"attempt-gone": {"at": 100}}, *SECOND))


def test_one_that_was_trained_on_never_is() -> None:
    trained: list[Event] = [{"attempt-began": {"at": 90}}, {"attempt-resumed": {"at": 95}}, {"attempt-gone": {"at": 100}}]
    assert not marked(run(*FIRST, *trained, *SECOND))
    again: list[Event] = [{"attempt-gone": {"attempt": 2, "at": 400}}]
    third: list[Event] = [{"launch-intended": {"attempt": 3, "at": 501, "volume": "v-1", "predecessor": 2}}]
    assert not marked(run(*FIRST, *trained, *SECOND, *again, *third))


def test_training_of_an_attempt_that_was_gone_before_it_was_made_was_elsewhere() -> None:
    before: list[Event] = [
        {"run-created": {}},
        {"launch-intended": {"at": 1}},
        {"launch-succeeded": {"at": 2}},
        {"attempt-resumed": {"at": 5}},
        {"attempt-gone": {"at": 9}},
        {"launch-intended": {"attempt": 2, "at": 11, "predecessor": 1}},
        {"launch-succeeded": {"attempt": 2, "at": 12}},
        {"volume-made": {"at": 13, "created_at": 12}},
        {"attempt-gone": {"attempt": 2, "at": 100}},
    ]
    third: list[Event] = [{"launch-intended": {"attempt": 3, "at": 301, "volume": "v-1", "predecessor": 2}}]
    assert marked(run(*before, *third))


def test_a_machine_that_still_saves_in_another_zone_has_another_volume() -> None:
    state = run(
        {"run-created": {}},
        {"launch-intended": {"at": 1}},
        {"launch-succeeded": {"at": 2, "offer": "b-small-spot"}},
        {"attempt-resumed": {"at": 5}},
        {"launch-intended": {"attempt": 2, "at": 11, "predecessor": 1}},
        {"launch-succeeded": {"attempt": 2, "at": 12}},
        {"volume-made": {"at": 13, "created_at": 12}},
        {"attempt-gone": {"at": 60}},
        {"attempt-gone": {"attempt": 2, "at": 100}},
    )
    zones = [a.offer.zone for a in state.attempts.values() if a.offer is not None]
    assert zones == ["r-b", "r-a"]
    assert never_used(state, "v-1")


@pytest.mark.parametrize("field", [{"held_since": 50.0}, {"earlier": ((10.0, 20.0),)}])
def test_one_that_another_run_had_never_is(field: dict[str, object]) -> None:
    state = run(*FIRST, {"attempt-gone": {"at": 100}}, *SECOND)
    volume = state.volumes["v-1"].model_copy(update=field)
    assert not never_used(state.model_copy(update={"volumes": {"v-1": volume}}), "v-1")


def test_one_that_is_not_known_never_is() -> None:
    assert not never_used(run(*FIRST), "v-9")
