"""What the driver does next: facts in, a decision out."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.workloads.deepracer.faults import Fault
from fleet.workloads.deepracer.spec import Until
from fleet.workloads.deepracer.steer import (
    FINISH_WITHIN,
    SETTLE,
    AskTrainer,
    Decision,
    EndLeg,
    Exited,
    Facts,
    GoOn,
    culpable,
    decide,
)

NOW = 1000.0
OVERDUE = Fault("ip-overdue", "the trainer does not tell its address", "Look at it.")
SIMULATOR = Exited("simulator-2", 1, NOW - 10)


def decided(until: Until | None = None, **facts: Any) -> Decision:
    return decide(Facts(**{"now": NOW, "iterations": 3, "trained": 600.0, **facts}), until or Until())


def fault(decision: Decision) -> Fault:
    assert isinstance(decision, EndLeg)
    assert decision.how == "fault"
    assert decision.fault is not None
    return decision.fault


@pytest.mark.parametrize(
    ("until", "facts", "expected"),
    [
        ({}, {}, GoOn()),
        ({"iterations": 4}, {}, GoOn()),
        ({"iterations": 3}, {}, EndLeg("succeeded")),
        ({"iterations": 3}, {"fault": OVERDUE}, EndLeg("succeeded")),
        ({"duration": 601}, {}, GoOn()),
        ({"duration": 600}, {}, AskTrainer("duration")),
        ({"duration": 600}, {"asked_trainer": True, "finishing": NOW - 60}, GoOn()),
        ({"duration": 600}, {"asked_trainer": True, "finishing": NOW - FINISH_WITHIN}, EndLeg("succeeded")),
        ({"duration": 600}, {"asked_trainer": True, "trainer_gone": True}, EndLeg("succeeded")),
        ({"duration": 600}, {"asked_trainer": True, "finishing": NOW, "exited": [SIMULATOR]}, EndLeg("succeeded")),
        ({"duration": 600}, {"asked_trainer": True, "finishing": NOW, "fault": OVERDUE}, EndLeg("succeeded")),
        ({}, {"nan": True}, EndLeg("nan")),
        ({"iterations": 3}, {"nan": True}, EndLeg("nan")),
        ({}, {"nan": True, "exited": [Exited("trainer", 1, NOW - 9)], "trainer_gone": True}, EndLeg("nan")),
        ({}, {"stop_asked": NOW, "stop_by": NOW + 60}, AskTrainer("stop")),
        ({}, {"stop_asked": NOW - 5, "stop_by": NOW + 55, "asked_trainer": True}, GoOn()),
        ({}, {"stop_asked": NOW - 5, "stop_by": NOW + 55, "trainer_gone": True}, EndLeg("stopped")),
        ({}, {"stop_asked": NOW - 55, "stop_by": NOW + 5, "asked_trainer": True}, EndLeg("stopped")),
        ({}, {"stop_asked": NOW - 55, "stop_by": NOW + 5}, EndLeg("stopped")),
        ({}, {"stop_asked": NOW, "stop_by": NOW + 60, "nan": True}, EndLeg("stopped")),
        ({}, {"stop_asked": NOW, "stop_by": NOW + 60, "exited": [SIMULATOR], "asked_trainer": True}, GoOn()),
        ({}, {"exited": [Exited("simulator", 0, NOW - SETTLE / 2)]}, GoOn()),
        ({}, {"fault": OVERDUE}, EndLeg("fault", OVERDUE)),
        ({}, {"fault": OVERDUE, "exited": [SIMULATOR]}, EndLeg("fault", OVERDUE)),
    ],
)
def test_what_comes_next(until: dict[str, Any], facts: dict[str, Any], expected: Decision) -> None:
    assert decided(Until(**until), **facts) == expected


def test_a_container_that_ended_by_itself_is_named() -> None:
    told = fault(decided(exited=[SIMULATOR]))
    assert told.code == "simulator-ended"
    assert "simulator-2 ended by itself, with exit code 1" in told.message
    assert "simulator-2.log" in told.remedy


def test_the_trainers_end_is_the_cause_of_the_simulators() -> None:
    both = [Exited("simulator", 0, NOW - 10), Exited("trainer", 1, NOW - 9.5), Exited("coach", 1, NOW - 9)]
    assert fault(decided(exited=both)).code == "trainer-ended"


def test_the_first_to_end_is_the_cause_of_those_that_end_later() -> None:
    both = [Exited("trainer", 1, NOW - 10), Exited("s3", 1, NOW - 100)]
    assert fault(decided(exited=both)).code == "s3-ended"


def test_lack_of_memory_is_said() -> None:
    told = fault(decided(exited=[Exited("trainer", 137, NOW - 10, no_memory=True)]))
    assert told.code == "out-of-memory"
    assert told.code == "out-of-memory"
    assert "more memory" in told.remedy


def test_coach_may_leave_the_trainer_alone() -> None:
    well, badly, trainer = Exited("coach", 0, NOW), Exited("coach", 1, NOW), Exited("trainer", 0, NOW)
    assert culpable([well]) == []
    assert culpable([badly]) == [badly]
    assert culpable([well, trainer]) == [well, trainer]
