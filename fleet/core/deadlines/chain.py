"""Spot's weather as a Markov chain: up or down, and for how long already. Transition matrices for a tick of any length.

What is learned is little more than one number for each kind and age of a run: its chance to end within ten minutes
(weather.py). The rest follows. Earlier runs, moving averages, the number of recent changes and classes of pools were tried
and add nothing that another stretch of time confirms (docs/policy.md).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fleet.core.deadlines.chances import Company, Learned
from fleet.core.deadlines.model import Sky
from fleet.core.deadlines.weather import EDGES, LEARNED, TICK
from fleet.model.base import Seconds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

AGES = len(EDGES) + 1
STATES = 2 * AGES
"""Down by age, then up by age; with several zones all that twice: no other zone is up, or one is."""


def state_of(sky: Sky) -> int:
    """The chain's state."""
    return bisect_right(EDGES, sky.age) + (AGES if sky.up else 0) + (STATES if sky.others and sky.up else 0)


def stay_and_hop(tick: Seconds, zones: int, risk: float, learned: Learned = LEARNED) -> tuple[Matrix, Matrix]:
    """Two matrices that together are stochastic. ``stay``: what runs on spot goes on. ``hop``: it is taken; where the state
    after it is up, another zone can be had at once, for the overhead of a launch. ``risk`` multiplies the rate of that."""
    import numpy as np

    share = tick / TICK
    count = STATES if zones <= 1 else 2 * STATES
    stay, hop = np.zeros((count, count)), np.zeros((count, count))
    if zones <= 1:
        for age in range(AGES):
            _waits(stay, age, age, _within(learned.down[age], share), tick)
            lost = _within(learned.up[age], risk * share)
            hop[AGES + age, 0] = lost
            for older, chance in _older(age, tick):
                stay[AGES + age, AGES + older] = (1 - lost) * chance
    else:
        company = learned.zones[min(zones - 2, len(learned.zones) - 1)]
        for age in range(AGES):
            for others in (0, 1):
                _waits(stay, others * STATES + age, age, _within(company.down[age], share), tick)
                _serves(stay, hop, company, others, age, tick, risk)
    return stay.astype(np.float32), hop.astype(np.float32)


def _within(chance: float, share: float) -> float:
    """A chance within ten minutes, as one within so many times that."""
    return float(1.0 - (1.0 - chance) ** share)


def _older(age: int, tick: Seconds) -> Iterator[tuple[int, float]]:
    """The bin of age a tick later, with its chance: bins are left after their width, on average."""
    if age == AGES - 1:
        yield age, 1.0
        return
    moves = min(1.0, tick / (EDGES[age] - (EDGES[age - 1] if age else 0.0)))
    yield age, 1.0 - moves
    yield age + 1, moves


def _waits(stay: NDArray[np.float64], row: int, age: int, ends: float, tick: Seconds) -> None:
    """A drought goes on, or ends with one zone."""
    stay[row, AGES] += ends
    for older, chance in _older(age, tick):
        stay[row, older] += (1.0 - ends) * chance


def _serves(
    stay: NDArray[np.float64],
    hop: NDArray[np.float64],
    company: Company,
    others: int,
    age: int,
    tick: Seconds,
    risk: float,
) -> None:
    """A zone serves; the bit says whether another one is up."""
    share = tick / TICK
    row = others * STATES + AGES + age
    lost = _within((company.alone, company.company)[others][age], risk * share)
    second = 1.0 - _within(company.left, share) if others else _within(company.joined, share)
    for older, chance in _older(age, tick):
        stay[row, AGES + older] += (1.0 - lost) * chance * (1.0 - second)
        stay[row, STATES + AGES + older] += (1.0 - lost) * chance * second
    refuge = company.refuge[others]
    hop[row, 0] += lost * (1.0 - refuge)
    hop[row, AGES:STATES] += [lost * refuge * (1.0 - company.again) * part for part in company.arrives]
    hop[row, STATES + AGES :] += [lost * refuge * company.again * part for part in company.arrives]
