"""What is learned from traces, on traces whose law is known."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from fleet.core.deadlines.learning import AGES, learned

GAP = 600.0


def weather(seed: int, ticks: int, lost: float, back: float) -> list[int]:
    """Spot that forgets its age: constant chances within ten minutes."""
    chance, up, found = random.Random(seed), True, []
    for _ in range(ticks):
        up = chance.random() >= lost if up else chance.random() < back
        found.append(int(up))
    return found


def test_constant_chances_are_found_at_every_age_that_was_seen_often() -> None:
    found = learned([[(GAP, weather(seed, 20_000, 0.05, 0.1))] for seed in range(5)])
    assert found.up[:6] == pytest.approx([0.05] * 6, rel=0.15)
    assert found.down[:4] == pytest.approx([0.1] * 4, rel=0.15)


def test_a_trace_that_was_probed_more_often_teaches_the_same() -> None:
    slow = weather(3, 20_000, 0.05, 0.1)
    fast = [value for value in slow for _ in range(2)]
    assert learned([[(GAP, slow)]]).up == pytest.approx(learned([[(GAP / 2, fast)]]).up, rel=1e-6)


def test_zones_that_fail_together_are_no_refuge_and_independent_ones_are() -> None:
    one, other = weather(1, 20_000, 0.05, 0.1), weather(2, 20_000, 0.05, 0.1)
    same, apart = learned([[(GAP, one), (GAP, one)]]).zones[0], learned([[(GAP, one), (GAP, other)]]).zones[0]
    assert same.refuge[1] < 0.01
    assert apart.refuge[1] == pytest.approx(0.95, abs=0.03)


def test_the_ages_of_where_it_flees_to_are_shares_of_one() -> None:
    groups = [[(GAP, weather(seed, 3000, 0.1, 0.1)) for seed in range(4)]]
    for company in learned(groups).zones:
        assert sum(company.arrives) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("ups", [[], [1], [0] * 40, [1] * 5000])
def test_traces_that_teach_little_leave_chances_between_none_and_all(ups: list[int]) -> None:
    found = learned([[(GAP, ups)]] if ups else [])
    for chances in (found.up, found.down):
        assert len(chances) == AGES
        assert all(0 < chance < 1 for chance in chances)


def test_what_is_bundled_says_that_old_runs_last_longer() -> None:
    from fleet.core.deadlines.weather import LEARNED

    assert all(older < younger for younger, older in pairwise(LEARNED.up))
    assert LEARNED.down[0] > 10 * LEARNED.down[-1]
