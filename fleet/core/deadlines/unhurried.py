"""Without a deadline: what the rest of the work is expected to cost on spot, exactly again, over the same learned weather.

Work that is left and spot's weather are the state. A tick of training costs its price; one of waiting costs what waiting is
held to be worth, and leaves the work as it is: for each amount of work the best choice of where to launch and where to wait
is found by improving it until nothing improves (Howard's method), from the least work on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from fleet.core.deadlines.chain import AGES, STATES, state_of, stay_and_hop
from fleet.core.deadlines.chances import Learned
from fleet.core.deadlines.model import Sky
from fleet.core.deadlines.weather import LEARNED, TICK
from fleet.model.base import Seconds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

WAITING = 0.02
"""What an hour of waiting is held to cost, in hours of on-demand. Nothing is paid for it; yet nobody wants a run to take
twice as long for a cent."""
MOST_LEVELS = 500
"""Amounts of work that are worked out; between them it is interpolated."""
KEPT = 64
ROUNDS = 100


@dataclass(frozen=True, slots=True)
class Rest:
    """Expected costs in hours of on-demand, by amounts of work and weather."""

    step: Seconds
    """Between two amounts."""
    launch: float
    """What a launch costs: its overhead is paid for, and waited for."""
    running: tuple[tuple[float, ...], ...]
    """Spot trains."""
    idle: tuple[tuple[float, ...], ...]
    """Nothing runs, and the best is done from now on."""

    def while_running(self, work: Seconds, sky: Sky) -> float:
        """From here to the end, with spot that trains."""
        return self._between(self.running, work, sky)

    def while_idle(self, work: Seconds, sky: Sky) -> float:
        """From here to the end, with nothing."""
        return self._between(self.idle, work, sky)

    def _between(self, values: tuple[tuple[float, ...], ...], work: Seconds, sky: Sky) -> float:
        level = min(max(work / self.step, 0.0), len(values) - 1.0)
        low = min(int(level), len(values) - 2)
        state = state_of(sky) % len(values[low])
        return values[low][state] + (values[low + 1][state] - values[low][state]) * (level - low)


@lru_cache(maxsize=KEPT)
def rest(
    work: Seconds,
    overhead: Seconds,
    price: float,
    zones: int,
    waiting: float = WAITING,
    learned: Learned = LEARNED,
) -> Rest:
    """Solve for every amount of work up to ``work``, where so many zones of one region may serve."""
    import numpy as np

    tick = max(TICK, work / MOST_LEVELS)
    stay, hop = (matrix.astype(np.float64) for matrix in stay_and_hop(tick, zones, 1.0, learned))
    hours, launch = tick / 3600, overhead / 3600 * (price + waiting)
    levels = max(1, math.ceil(work / tick - 1e-9))
    running, idle = np.zeros((2, levels + 1, len(stay)))
    up = np.zeros(len(stay), dtype=bool)
    up[AGES:STATES], up[STATES + AGES :] = True, True
    launches = up.copy()
    for level in range(1, levels + 1):
        running[level] = price * hours + stay @ running[level - 1] + hop @ idle[level - 1]
        idle[level], launches = _best(launch + running[level], waiting * hours, stay + hop, up, launches)
    return Rest(tick, launch, *(tuple(map(tuple, values.tolist())) for values in (running, idle)))


def _best(
    launched: Floats, waited: float, move: Floats, up: NDArray[np.bool_], launches: NDArray[np.bool_]
) -> tuple[Floats, NDArray[np.bool_]]:
    """The costs of being idle, and where to launch: begun with a guess, and improved."""
    import numpy as np

    one = np.eye(len(move))
    for _ in range(ROUNDS):
        costs = np.linalg.solve(np.where(launches[:, None], one, one - move), np.where(launches, launched, waited))
        better = up & (launched <= waited + move @ costs + 1e-12)
        if bool((better == launches).all()):
            break
        launches = better
    return costs, launches
