"""The laptop by day, the function in the account by day and by night, and everything that goes wrong for either."""

from __future__ import annotations

import pytest

from tests.simulation.chaos.week import WEEK, Week

pytestmark = pytest.mark.system


@pytest.mark.parametrize("seed", range(2))
def test_laptop_and_function_take_turns_for_a_week(seed: int) -> None:
    world = Week(seed)
    result = world.explore()
    assert result.violations == []
    assert result.instance_hours > 50
    assert world.function is not None
    assert world.function.calls > 60 * WEEK / 4
    assert world.function.hinted > 10
    assert set(result.outcomes) <= {"succeeded", "stopped", "over-budget", "failed"}
