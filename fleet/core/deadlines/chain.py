"""Spot's weather as a Markov chain: up or down, and for how long already. Transition matrices for a tick of any length.

What is learned is one number for each kind and age of a run: its chance to end within ten minutes (weather.py). The rest
follows. Earlier runs, moving averages, the number of recent changes and the hour of the day were tried and add nothing
that another stretch of time confirms (docs/policy.md).
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from fleet.core.deadlines.model import Sky
from fleet.core.deadlines.weather import DOWN, EDGES, TICK, UP
from fleet.model.base import Seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

AGES = len(EDGES) + 1
STATES = 2 * AGES
"""Down by age, then up by age; with several zones all that twice: no other zone is up, or one is."""
TOGETHER = 0.5
"""Zones have their droughts together: another zone counts for so much of an independent one."""


def state_of(sky: Sky) -> int:
    """The chain's state."""
    return bisect_right(EDGES, sky.age) + (AGES if sky.up else 0) + (STATES if sky.others and sky.up else 0)


def ends(tick: Seconds, risk: float = 1.0, down: Sequence[float] = DOWN, up: Sequence[float] = UP) -> list[float]:
    """The chance of each state's run to end within a tick. ``risk`` multiplies the rate at which spot is taken back."""
    of_down = [1 - (1 - chance) ** (tick / TICK) for chance in down]
    return of_down + [1 - (1 - chance) ** (risk * tick / TICK) for chance in up]


def stay_and_hop(
    tick: Seconds, zones: int, risk: float, learned: tuple[Sequence[float], Sequence[float]] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Two matrices that together are stochastic. ``stay``: what runs on spot goes on. ``hop``: it is taken; where the state
    after it is up, another zone (or the same one, later) can be had at once, for the overhead of a launch."""
    import numpy as np

    chance = ends(tick, risk, *(learned or (DOWN, UP)))
    one = np.zeros((STATES, STATES))
    for state in range(STATES):
        age, end = state % AGES, chance[state]
        other_side = 0 if state >= AGES else AGES
        one[state, other_side] += end
        older = _older(age, tick)
        one[state, state] += (1 - end) * (1 - older)
        if older:
            one[state, state + 1] += (1 - end) * older
    if zones < 2:
        stay, hop = one.copy(), np.zeros_like(one)
        hop[AGES:, :AGES] = stay[AGES:, :AGES]
        stay[AGES:, :AGES] = 0
        return stay.astype(np.float32), hop.astype(np.float32)
    return _with_others(one, chance, 1 + (zones - 1) * TOGETHER)


def _older(age: int, tick: Seconds) -> float:
    """The chance to pass into the next bin of ages within a tick: bins are left after their width, on average."""
    if age == AGES - 1:
        return 0.0
    width = EDGES[age] - (EDGES[age - 1] if age else 0.0)
    return min(1.0, tick / width)


def _with_others(
    one: NDArray[np.float64], chance: list[float], zones: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Down: all are. Up: the one that serves, and a bit that says whether one more is."""
    import numpy as np

    settled = np.linalg.matrix_power(one, 4096)[0]
    is_down = float(settled[:AGES].sum())
    ages_up = settled[AGES:] / max(settled[AGES:].sum(), 1e-12)
    gone = is_down ** (zones - 1)
    back = 1 - (1 - float(settled[:AGES] @ chance[:AGES]) / max(is_down, 1e-12)) ** (zones - 1)
    lost = min(1.0, back * gone / max(1 - gone, 1e-12))
    stay, hop = np.zeros((2 * STATES, 2 * STATES)), np.zeros((2 * STATES, 2 * STATES))
    alone, company = slice(AGES, STATES), slice(STATES + AGES, 2 * STATES)
    for state in range(AGES):
        end = 1 - (1 - chance[state]) ** zones
        kept = one[state, :AGES] / max(1 - chance[state], 1e-12)
        stay[state, :AGES] = kept * (1 - end)
        stay[state, AGES] = end
        stay[STATES + state, :] = stay[state, :]  # never met: all down has no others
    for state in range(AGES, STATES):
        on, off = one[state, AGES:], chance[state]
        stay[state, alone], stay[state, company] = on * (1 - back), on * back
        hop[state, 0] = off * (1 - back)
        hop[state, alone] = off * back * ages_up
        here = STATES + state
        stay[here, alone], stay[here, company] = on * lost, on * (1 - lost)
        hop[here, 0] = off * lost
        hop[here, alone] = off * (1 - lost) * gone * ages_up
        hop[here, company] = off * (1 - lost) * (1 - gone) * ages_up
    return stay.astype(np.float32), hop.astype(np.float32)
