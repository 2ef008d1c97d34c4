"""Two machines at once are billed to the second: training moves within the tick in which the one beside is ready."""

from __future__ import annotations

from fleet.core.deadlines.model import Do
from fleet.core.ticks.model import BOTH, ON_DEMAND, SPOT, Seen, Terms
from fleet.core.ticks.run import Outcome, simulate

HOUR = 3600.0


class Fixed:
    """Chooses what was written down, and remembers what it saw."""

    def __init__(self, *choices: Do) -> None:
        self.choices = choices

    def begin(self, terms: Terms) -> None:
        self.seen: list[tuple[Do, float, float, float | None]] = []

    def choose(self, seen: Seen) -> Do:
        self.seen.append((seen.running, seen.rem / HOUR, seen.left / HOUR, seen.beside))
        return self.choices[seen.tick]


def ran(overhead: float, *choices: Do, window: str = "1" * 9) -> tuple[Fixed, Outcome]:
    """Four hours of work in ticks of one; of the overhead half an hour is lost even where the machine was booted beside."""
    policy = Fixed(*choices)
    terms = Terms(4 * HOUR, None, overhead * HOUR, HOUR, price=0.25, restore=HOUR / 2)
    return policy, simulate(policy, [int(up) for up in window], terms)


def test_training_moves_within_the_tick_and_on_demand_is_paid_for_until_then() -> None:
    policy, outcome = ran(1.25, *[ON_DEMAND] * 2, BOTH, SPOT, SPOT, SPOT)
    assert policy.seen[2] == (ON_DEMAND, 0, 3.25, None)
    assert policy.seen[3] == (SPOT, 0, 2.75, None)  # half an hour was lost, three quarters of one were paid twice
    assert outcome.cost_od_hours == 2 + (0.75 + 0.25) + 3 * 0.25
    assert outcome.launches == 2


def test_a_machine_that_takes_ticks_to_boot_is_paid_whole_until_the_tick_in_which_it_is_ready() -> None:
    policy, outcome = ran(2.25, *[ON_DEMAND] * 3, BOTH, BOTH, SPOT, SPOT)
    assert policy.seen[4] == (ON_DEMAND, 0, 2.25, 0.75 * HOUR)
    assert policy.seen[5] == (SPOT, 0, 1.75, None)
    assert outcome.cost_od_hours == 4 + (0.75 + 0.25) + 0.25 + 2 * 0.25


def test_spot_that_is_lost_just_after_the_move_leaves_nothing_and_the_tick_counts() -> None:
    policy, _ = ran(1.25, *[ON_DEMAND] * 2, BOTH, *[ON_DEMAND] * 9, window="111000000")
    assert policy.seen[3] == (Do.WAIT, 0, 2.75, None)


def test_nothing_moves_while_on_demand_itself_still_starts() -> None:
    policy, outcome = ran(1.25, BOTH, ON_DEMAND, *[ON_DEMAND] * 9)
    assert policy.seen[1] == (ON_DEMAND, 0.25, 4, 0)
    assert outcome.cost_od_hours == 6 + 0.25
