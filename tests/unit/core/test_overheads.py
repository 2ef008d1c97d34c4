"""What an interruption costs a job in time."""

from __future__ import annotations

from typing import Any

from fleet.core.overheads import Overheads, measured
from tests.unit.core.world import folded, job


def attempt(number: int, *, boot: float = 100, restore: float = 40, lost: float = 60) -> list[dict[str, Any]]:
    at = number * 10_000
    before = number - 1 or None
    return [
        {"launch-intended": {"attempt": number, "at": at, "predecessor": before}},
        {"launch-succeeded": {"attempt": number, "at": at}},
        {"attempt-began": {"attempt": number, "at": at + boot}},
        {"attempt-resumed": {"attempt": number, "at": at + boot + restore, "lost_seconds": lost}},
        {"attempt-gone": {"attempt": number, "at": at + 9_000}},
    ]


def test_with_no_attempts_usual_values_are_taken_and_said_to_be_such() -> None:
    assert measured(folded([]), "racer") == Overheads(120, 30, 300, 0, 0, 0)


def test_attempts_of_the_name_are_measured() -> None:
    events = [e for n, boot in enumerate((80, 90, 900), 1) for e in attempt(n, boot=boot)]
    found = measured(folded([{"run-created": {}}, *events]), "racer")
    assert (found.boot, found.boots) == (90, 3)
    assert (found.restore, found.restores) == (40, 2)  # the first brought nothing back
    assert (found.lost, found.losses) == (60, 2)
    assert found.total == 130


def test_another_name_or_provider_says_nothing() -> None:
    state = folded([{"run-created": {}}, *attempt(1)])
    assert measured(state, "other") == Overheads()
    assert measured(state, "racer", "aws") == Overheads()
    assert measured(state, "racer", "sim").boots == 1


def test_what_was_heard_late_since_nobody_watched_measures_neither_boot_nor_restore() -> None:
    boots = (100, 8 * 3600, 100, 8 * 3600)
    events = [
        e for n, boot in enumerate(boots, 1) for e in attempt(10 * n, boot=boot, restore=40 if boot == 100 else -8 * 3600)
    ]
    found = measured(folded([{"run-created": {}}, *events]), "racer")
    assert (found.boot, found.boots) == (100, 2)
    assert (found.restore, found.restores) == (40, 2)


def test_without_a_measure_half_of_the_time_between_checkpoints_is_lost() -> None:
    assert measured(folded([]), "racer", job=job({"checkpoint": {"every": 1200}})).lost == 600


def test_clocks_that_disagree_measure_nothing_below_zero() -> None:
    state = folded([{"run-created": {}}, *attempt(1), *attempt(2, boot=-50, restore=-20, lost=-5)])
    found = measured(state, "racer")
    assert min(found.boot, found.restore, found.lost) >= 0
