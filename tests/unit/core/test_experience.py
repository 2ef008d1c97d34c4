"""What earlier runs of a job's name took."""

from __future__ import annotations

from typing import Any

from fleet.core.experience import Earlier, earlier
from fleet.core.state import RunState
from tests.unit.core.world import folded


def run(
    name: str, at: float, trained: float, outcome: str | None = "succeeded", kind: str = "small"
) -> list[dict[str, Any]]:
    """One machine that trained so long; ``outcome`` None: the run goes on."""
    story: list[dict[str, Any]] = [
        {"run-created": {"run": name, "at": at}},
        {"launch-intended": {"run": name, "at": at}},
        {"launch-succeeded": {"run": name, "at": at, "offer": f"a-{kind}-spot"}},
        {"attempt-began": {"run": name, "at": at + 100}},
        {"attempt-resumed": {"run": name, "at": at + 100, "trained": 0.0}},
        {"attempt-gone": {"run": name, "at": at + 100 + trained, "ended_by": "itself", "trained": trained}},
    ]
    ended = [{"run-ended": {"run": name, "at": at + 200 + trained, "outcome": outcome}}] if outcome is not None else []
    return [*story, *ended]


def runs(*stories: list[dict[str, Any]]) -> list[RunState]:
    return list(folded([event for story in stories for event in story]).runs.values())


def test_the_newest_that_got_to_its_end_tells_how_long_training_takes() -> None:
    known = runs(
        run("one", 0, 5000), run("two", 10_000, 7000), run("three", 20_000, 300, "stopped"), run("four", 30_000, 9, None)
    )
    assert earlier(known, {}) == Earlier("two", 7000)


def test_where_none_got_to_its_end_nothing_is_told() -> None:
    assert earlier([], {}) is None
    assert earlier(runs(run("one", 0, 5000, "failed"), run("two", 10_000, 0)), {}) is None


def test_time_on_a_fast_machine_counts_as_more_work() -> None:
    speeds = {("sim", "large"): 3.0, ("sim", "small"): 1.0}
    assert earlier(runs(run("one", 0, 5000, kind="large")), speeds) == Earlier("one", 15_000)
