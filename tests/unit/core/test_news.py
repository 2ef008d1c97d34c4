"""What there is to tell of a fleet: facts → things, each with what to type next."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.core.fold import fold
from fleet.core.news import blind, happened, standing
from fleet.core.state import FleetState
from fleet.core.thing import Thing
from fleet.model import events as ev
from fleet.model.calendar import day_of
from tests.unit.core.world import event, folded

LIVE: list[dict[str, Any]] = [
    {"run-created": {"at": 0}},
    {"launch-intended": {"at": 10}},
    {"launch-succeeded": {"at": 20}},
    {"attempt-began": {"at": 60}},
    {"attempt-resumed": {"at": 70}},
]
NOTICED = [*LIVE, {"notice-seen": {"at": 600}}]
GONE = {"attempt-gone": {"at": 720, "ended_by": "cloud", "step": 50}}
NEXT: list[dict[str, Any]] = [
    {"launch-intended": {"at": 730, "attempt": 2}},
    {"launch-succeeded": {"at": 740, "attempt": 2, "offer": "b-medium-spot"}},
    {"attempt-began": {"at": 800, "attempt": 2}},
    {"attempt-resumed": {"at": 845, "attempt": 2, "lost_steps": 7, "lost_seconds": 31.0}},
]
ZONE = "Europe/Berlin"
NOTHING = "nothing is launched until"
POOR = {"run-created": {"at": 0, "budget": {"run": 10_000_000}}}


def things(*events: dict[str, Any]) -> list[Thing]:
    return list(happened(FleetState(), folded(list(events))))


def told(*events: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one.key, one.next) for one in things(*events)]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (LIVE, []),
        ([*LIVE, {"notice-seen": {"at": 600, "kind": "rebalance"}}], []),
        (NOTICED, [("interruption/racer-1/1", "fleet status racer")]),
        ([*LIVE, GONE], [("interruption/racer-1/1", "fleet status racer")]),
        (
            [*NOTICED, GONE, *NEXT],
            [("interruption/racer-1/1", "fleet status racer"), ("recovery/racer-1/2", "fleet status racer")],
        ),
        (
            [*LIVE, {"run-ended": {"at": 900, "outcome": "succeeded"}}],
            [("finished/racer-1/900", "fleet status racer")],
        ),
        ([*LIVE, {"run-ended": {"at": 900, "outcome": "failed"}}], [("failed/racer-1/900", "fleet logs racer")]),
        ([*LIVE, {"run-ended": {"at": 900, "outcome": "stopped"}}], []),
        ([POOR, {"run-ended": {"at": 900, "outcome": "over-budget"}}], []),  # its warning tells it
        (
            [*LIVE, {"terminate-intended": {"at": 600}}, {"attempt-gone": {"at": 650, "ended_by": "fleet"}}],
            [],
        ),
    ],
)
def test_each_fact_is_told_once_with_what_to_type_next(
    events: list[dict[str, Any]], expected: list[tuple[str, str]]
) -> None:  # fmt: skip
    assert told(*events) == expected


def test_a_recovery_says_on_what_after_how_long_and_what_was_lost() -> None:
    *_, recovery = things(*NOTICED, GONE, *NEXT)
    assert recovery.at == 845
    assert recovery.what == (
        "racer trains on machine 2 (medium spot in r-b), 4m05s after the interruption; 7 steps were lost, 31s of work"
    )


def test_two_machines_taken_before_training_goes_on_are_two_interruptions_and_one_recovery() -> None:
    second = [*NEXT[:2], {"attempt-gone": {"at": 760, "attempt": 2, "ended_by": "cloud"}}]
    third = [{kind: {**fields, "attempt": 3, "at": fields["at"] + 100} for kind, fields in one.items()} for one in NEXT]
    keys = [one.key for one in things(*NOTICED, GONE, *second, *third)]
    assert keys == ["interruption/racer-1/1", "interruption/racer-1/2", "recovery/racer-1/3"]


def test_of_a_failure_nothing_is_told_that_training_printed() -> None:
    reason = "exit code 3: training ended with exit code 3\nloading\nAWS_SECRET=abc\n"
    (failed,) = things(*LIVE, {"run-ended": {"at": 900, "outcome": "failed", "reason": reason}})
    assert failed.what == "racer failed: exit code 3: training ended with exit code 3"


def test_a_run_that_did_not_change_is_not_looked_at_again() -> None:
    before = folded(NOTICED)
    other = event({"run-created": {"at": 1000, "run": "other-1"}})
    after = fold(before, before.head + 1, 1000, [other])
    assert list(happened(before, after)) == []
    assert [one.kind for one in happened(FleetState(), after)] == ["interruption"]


def test_what_was_so_before_is_not_told_anew_when_its_run_changes() -> None:
    before, after = folded([*NOTICED, GONE]), folded([*NOTICED, GONE, *NEXT])
    assert [one.kind for one in happened(before, after)] == ["recovery"]


def test_a_run_whose_name_has_a_newer_one_is_named_by_its_id() -> None:
    newer = event({"run-created": {"at": 1000}}).model_copy(update={"run_id": "racer-2"})
    state = fold(folded(NOTICED), 99, 1000, [newer])
    assert [one.next for one in happened(FleetState(), state)] == ["fleet status racer-1"]


def warned(scope: Any, share: Any, at: float = 800.0, run_id: str | None = "racer-1", start: float = 0.0) -> ev.Event:
    return ev.BudgetWarned(
        at=at, scope=scope, run_id=run_id, period_start=start, share=share, spent=8_120_000, cap=10_000_000,
        forecast=12_300_000,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("event", "key", "what", "next_command"),
    [
        (
            warned("run", 80),
            "budget-80/racer-1/run/0/10000000",
            "$8.12 of the budget of $10.00 of racer are spent; it comes to $12.30 if all goes on as it does",
            "fleet cost racer",
        ),
        (
            warned("run", 100),
            "budget-100/racer-1/run/0/10000000",
            "the budget of $10.00 of racer is used up, $8.12 are spent: it is saved and ended",
            "fleet resume racer --budget '$20.00'",
        ),
        (
            warned("month", 100),
            "budget-100/racer-1/month/0/10000000",
            f"the budget of $10.00 for a month of racer is used up, $8.12 are spent: {NOTHING} the month is over",
            "fleet cost racer",
        ),
        (
            warned("fleet-day", 100, run_id=None),
            "budget-100//fleet-day/0/10000000",
            f"the budget of $10.00 for a day of the fleet is used up, $8.12 are spent: {NOTHING} the day is over",
            "fleet budget",
        ),
    ],
)
def test_a_budget_is_told_with_the_command_that_shows_or_raises_it(
    event: ev.Event, key: str, what: str, next_command: str
) -> None:
    before = folded([POOR])
    after = fold(before, before.head + 1, 800, [event])
    (found,) = happened(before, after)
    assert (found.key, found.what, found.next, found.at) == (key, what, next_command, 800)
    assert list(happened(after, fold(after, 99, 900, [event]))) == []


def test_while_a_days_budget_holds_a_run_back_it_does_not_wait_for_the_cloud() -> None:
    state = folded([{"run-created": {"at": 0}}])
    capped = ev.BudgetSet(at=10, day=10_000_000, month=None, time_zone=ZONE)
    day = day_of(800, ZONE)
    state = fold(state, 9, 800, [capped, warned("fleet-day", 100, run_id=None, start=day.start)])
    assert list(standing(state, day.end - 1)) == []
    assert list(standing(state, day.end + 59)) == []
    (after,) = standing(state, day.end + 60)
    assert after.at == day.end


@pytest.mark.parametrize(
    ("events", "since", "next_command"),
    [
        (LIVE, None, ""),
        (LIVE[:1], 0, "fleet status racer"),
        (LIVE[:2], 0, "fleet status racer"),
        (NOTICED, None, ""),
        ([*NOTICED, GONE], 720, "fleet status racer"),
        ([*NOTICED, {"attempt-released": {"at": 640}}, GONE], 640, "fleet status racer"),
        ([*NOTICED, GONE, *NEXT[:2]], None, ""),
        ([*LIVE, {"run-ended": {"at": 900, "outcome": "succeeded"}}], None, ""),
        ([*LIVE, GONE, {"stop-requested": {"at": 725, "how": "stop"}}], None, ""),
        (
            [
                *LIVE[:2],
                {"launch-failed": {"at": 20, "error_class": "denied", "code": "UnauthorizedOperation"}},
            ],
            0,
            "fleet resume racer",
        ),
    ],
)
def test_a_run_without_a_machine_is_told_since_it_lost_the_last_one(
    events: list[dict[str, Any]], since: float | None, next_command: str
) -> None:
    found = list(standing(folded(events), 5000))
    assert [(one.kind, one.at, one.next) for one in found] == (
        [] if since is None else [("no-capacity", since, next_command)]
    )  # fmt: skip
    assert all(one.standing for one in found)
    assert list(standing(folded(events), (since or 0) + 59)) == []


def test_why_there_is_no_machine_is_told() -> None:
    refused = {"launch-failed": {"at": 20, "error_class": "capacity", "code": "InsufficientInstanceCapacity"}}
    (one,) = standing(folded([*LIVE[:2], refused]), 720)
    assert one.what.startswith("racer has had no machine for 12m00s; the last refusal: InsufficientInstanceCapacity")


def test_another_wait_for_a_machine_is_another_thing() -> None:
    (first,) = standing(folded([*LIVE, GONE]), 5000)
    again = {"attempt-gone": {"at": 900, "attempt": 2, "ended_by": "cloud"}}
    (second,) = standing(folded([*LIVE, GONE, *NEXT, again]), 5000)
    (same,) = standing(folded([*LIVE, GONE, {"launch-intended": {"at": 730, "attempt": 2}}]), 6000)
    assert first.key != second.key
    assert first.key == same.key


def test_a_blind_controller_is_told_with_its_name_and_why() -> None:
    one = blind("service on pi", 100, 460, "aws/us-east-1:\ncredentials: they have expired")
    assert one.what == (
        "the controller service on pi has been blind for 6m00s: aws/us-east-1: credentials: they have expired"
    )
    assert (one.next, one.standing) == ("fleet controller list", True)
