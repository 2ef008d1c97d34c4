"""What a job will cost and when it is done: low, middle and high, by trying it many times over what is expected of spot.

Without a deadline each try goes from life to life: the best pool that has machines, its overhead, training until it is
taken, the next one. With a deadline (forecast_deadline.py) each try asks the same ``decide`` as the controller does, in
weather drawn from the chain that its table was solved for. Chance comes from a seed: a question has the same answer again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet.core.overheads import Overheads
from fleet.core.pools import AGES
from fleet.core.survival import Lives
from fleet.model.base import Micros, Seconds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

TRIES = 2000
MOST_LIVES = 400
"""A job that needs more machines than this does not get anywhere: it is told as it stands then."""
LONGEST_WAIT: Seconds = 7 * 86400
QUANTILES = (0.1, 0.5, 0.9)
"""Low, middle and high: one in ten is below the low one, one in ten above the high one."""


@dataclass(frozen=True, slots=True)
class Buyable:
    """A pool, or on-demand, as far as a forecast needs it."""

    price: Micros
    """Per hour."""
    speed: float = 1.0
    life: Lives | None = None
    """None: nobody takes it."""
    refusal: Lives | None = None
    chance: float = 1.0
    """That a machine can be had when one is wanted."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What many tries came to."""

    cost: tuple[Micros, Micros, Micros]
    """Low, middle, high: machines and the volume."""
    seconds: tuple[Seconds, Seconds, Seconds]
    """From the start to the end."""
    mean_cost: Micros
    interruptions: float
    """On average."""
    on_demand_cost: Micros
    """The whole on demand."""
    on_demand_share: float
    """Of the tries, those in which on-demand was used."""
    late: float | None = None
    """The share of tries that miss the deadline; None: there is none."""


def forecast(
    pools: Sequence[Buyable],
    fallback: Buyable | None,
    on_demand: Micros,
    work: Seconds,
    overheads: Overheads,
    volume: Micros = 0,
    *,
    deadline: Seconds | None = None,
    seed: int = 0,
    tries: int = TRIES,
) -> Forecast:
    """What trials of the pools come to, tried in the order given.

    ``fallback``: on-demand, where it is allowed once no spot can be had; ``on_demand``: its price, to compare with; ``work``
    in seconds at a speed of 1; ``volume`` per hour; ``deadline``: in seconds from now, to tell how often it is missed.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    left, elapsed = np.full(tries, float(work)), np.zeros(tries)
    cost, taken, used = np.zeros(tries), np.zeros(tries), np.zeros(tries, dtype=bool)
    factors = [_factors(pool, tries, rng) for pool in pools]
    for _ in range(MOST_LIVES):
        going = np.flatnonzero(left > 0)
        if not going.size:
            break
        which = _had(pools, going.size, rng)
        if fallback is None and pools:
            waits = going[which < 0]
            elapsed[waits] += _drawn(pools[0].refusal, None, waits.size, rng).clip(max=LONGEST_WAIT)
            which[which < 0] = 0
        for index, pool in enumerate([*pools, *([fallback] if fallback is not None else [])]):
            here = going[which == (index if index < len(pools) else -1)]
            if not here.size:
                continue
            lives = _drawn(pool.life, factors[index][here] if index < len(pools) else None, here.size, rng)
            _live(pool, here, lives, overheads, left, elapsed, cost, taken)
            used[here] |= pool.life is None
    cost += elapsed / 3600 * volume
    alone = (overheads.boot + work) / 3600 * (on_demand + volume)
    late = float((elapsed > deadline).mean()) if deadline is not None else None
    return summed_up(cost, elapsed, taken, round(alone), float(used.mean()), late)


def summed_up(
    cost: Numbers, elapsed: Numbers, taken: Numbers, alone: Micros, used: float, late: float | None = None
) -> Forecast:
    """The tries as quantiles. ``alone``: what it costs on demand; ``used``: the share of tries that used on-demand."""
    import numpy as np

    low, middle, high = (round(float(one)) for one in np.quantile(cost, QUANTILES))
    first, second, third = (float(one) for one in np.quantile(elapsed, QUANTILES))
    return Forecast(
        cost=(low, middle, high),
        seconds=(first, second, third),
        mean_cost=round(float(cost.mean())),
        interruptions=float(taken.mean()),
        on_demand_cost=alone,
        on_demand_share=used,
        late=late,
    )


def _factors(pool: Buyable, count: int, rng: np.random.Generator) -> Numbers:
    """What a pool's own factor may be: one for each try, for all of its machines."""
    import numpy as np

    return rng.gamma(pool.life.shape, 1 / pool.life.rate, count) if pool.life is not None else np.ones(count)


def _had(pools: Sequence[Buyable], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Which pool has a machine, the first of them; -1: none."""
    import numpy as np

    if not pools:
        return np.full(count, -1, dtype=np.int64)
    there = rng.random((count, len(pools))) < np.array([pool.chance for pool in pools])
    return np.where(there.any(axis=1), there.argmax(axis=1), -1)


def _drawn(lives: Lives | None, factors: Numbers | None, count: int, rng: np.random.Generator) -> Numbers:
    """Lengths: the age at which the hazard, summed up, comes to a random exponential."""
    import numpy as np

    if lives is None:
        return np.full(count, math.inf)
    if factors is None:
        factors = rng.gamma(lives.shape, 1 / lives.rate, count)
    reached = rng.exponential(size=count) / np.maximum(factors, 1e-12)
    ages = np.array([0.0, *AGES[:-1]])
    sums = np.array([lives.expected(age) for age in ages])
    beyond = ages[-1] + (reached - sums[-1]) / lives.hazard[-1] * 3600
    drawn: Numbers = np.where(reached > sums[-1], beyond, np.interp(reached, sums, ages))
    return drawn


def _live(
    pool: Buyable,
    here: NDArray[np.int64],
    lives: Numbers,
    overheads: Overheads,
    left: Numbers,
    elapsed: Numbers,
    cost: Numbers,
    taken: Numbers,
) -> None:
    """One machine each: to the end of the work, or until it is taken."""
    import numpy as np

    needs = overheads.total + left[here] / pool.speed
    paid = np.minimum(lives, needs)
    kept = np.maximum(0.0, paid - overheads.total - overheads.lost)
    done = lives >= needs
    left[here] = np.where(done, 0.0, left[here] - kept * pool.speed)
    elapsed[here] += paid
    cost[here] += paid / 3600 * pool.price
    taken[here] += ~done
