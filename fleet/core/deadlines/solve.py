"""The exact dynamic program over (ticks left, slack, what runs, spot's weather): what each choice is expected to cost.

Lateness is infeasible in it, not dear: a choice after which on-demand could not make it any more, whatever spot does, has
no finite value. The method is the plain one of the field (Bellman); the state is what the facts say carries the signal.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet.core.deadlines.chain import AGES, STATES, stay_and_hop
from fleet.core.deadlines.chances import Learned
from fleet.core.deadlines.model import Terms
from fleet.core.deadlines.weather import LEARNED
from fleet.model.base import Seconds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEVER = 1e5
"""Ticks of on-demand: more than any run costs."""
LEVELS = 260
"""Values of slack that are remembered; between them it is interpolated."""
FINEST = 1400
"""Values of slack that are worked out, at most: so fine that what ticks and launches take are whole steps, if that can be.
Where it cannot, each tick's interpolation adds to the error of the one before."""
EFFORT = 200_000_000
"""Values of a table that are worked out, at most: in about a second."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Which row of a table stands for what: nothing, spot and on-demand by ticks since their launch, and both."""

    tick: Seconds
    overhead: Seconds
    restore: Seconds
    booting: int = field(init=False)
    """Ticks after which a launch's overhead is paid."""
    beside: int = field(init=False)
    """Whole ticks that a machine boots beside the one that trains."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "booting", max(1, math.ceil(self.overhead / self.tick - 1e-9)))
        object.__setattr__(self, "beside", int((self.overhead - self.restore) // self.tick))

    @classmethod
    def of(cls, terms: Terms) -> Shape:
        """Of the table for these terms."""
        return cls(terms.tick, terms.overhead, min(terms.restore, terms.overhead) if terms.overlap else terms.overhead)

    def spot(self, ticks: int) -> int:
        """The row of spot, so many ticks (1 at least) after its launch."""
        return min(ticks, self.booting)

    def on_demand(self, ticks: int) -> int:
        """The row of on-demand."""
        return self.booting + min(ticks, self.booting)

    def both(self, ticks: int) -> int:
        """The row of on-demand with a spot machine beside it."""
        return 2 * self.booting + ticks

    @property
    def rows(self) -> int:
        """How many there are."""
        return 1 + 2 * self.booting + self.beside

    def rem(self, ticks: int) -> Seconds:
        """What is left of the overhead so many ticks after a launch."""
        return max(self.overhead - ticks * self.tick, 0.0)

    @property
    def last_bit(self) -> float:
        """The share of the last tick beside that on-demand is paid for."""
        return (self.overhead - self.restore - self.beside * self.tick) / self.tick


@dataclass(frozen=True, slots=True)
class Table:
    """Expected costs, in ticks of on-demand, of having chosen: by ticks left, row, level of slack, weather at the choice."""

    terms: Terms
    shape: Shape
    ticks: int
    slacks: tuple[Seconds, ...]
    """The levels of slack, upwards from 0."""
    states: int
    values: memoryview
    """``ticks + 1`` times rows times levels times states single floats."""


def solved(terms: Terms, horizon: Seconds, slack: Seconds, levels: int, learned: Learned = LEARNED) -> Table:
    """Solve for every situation up to ``horizon`` seconds before the deadline and ``slack`` seconds of slack.

    ``learned`` replaces the bundled chances (weather.py), for benchmarks that split their traces by time.
    """
    import numpy as np

    ticks = max(1, math.ceil(horizon / terms.tick))
    most = max(slack, terms.overhead + terms.tick)
    shape = Shape.of(terms)
    stay, hop = stay_and_hop(terms.tick, terms.zones, terms.risk, learned)
    step = _step(terms, most, min(FINEST, EFFORT // (ticks * shape.rows * len(stay))))
    count = math.ceil(most / step - 1e-9) + 1
    places = _places(count, levels, round(terms.overhead / step))
    kept = np.zeros((ticks + 1, shape.rows, len(places), len(stay)), dtype=np.float32)
    _Solver(terms, shape, step, count, stay, hop).fill(kept, places)
    slacks = tuple(float(place * step) for place in places)
    return Table(terms, shape, ticks, slacks, len(stay), memoryview(kept.reshape(-1)))  # type: ignore[arg-type]


def _step(terms: Terms, most: Seconds, finest: int) -> Seconds:
    """Between two values of slack that are worked out: what ticks and launches take are whole steps, if that can be."""
    unit = math.gcd(round(terms.tick), round(terms.overhead))
    if not (terms.tick % 1 or terms.overhead % 1 or most > finest * unit):
        return float(unit)
    step = most / finest
    return terms.overhead / math.ceil(terms.overhead / step) if terms.overhead > step else step


def _places(count: int, most: int, overhead: int) -> list[int]:
    """Which of the values that are worked out are remembered: all, or with so many the first ones, where each second counts,
    and ever fewer of the later ones. What on-demand needs in reserve is one of them."""
    if count <= most or most < 4:
        return list(range(count))
    low, high = 0.0, 40.0 / (most - 1)  # places go like the hyperbolic sine: evenly at first, then in proportion
    for _ in range(50):
        bend = (low + high) / 2
        low, high = (bend, high) if math.sinh(bend * (most - 1)) / math.sinh(bend) < count - 1 else (low, bend)
    places = {min(count - 1, round(math.sinh(high * n) / math.sinh(high))) for n in range(most - 1)}
    return sorted(places | {count - 1, min(overhead, count - 1)})


class _Solver:
    """Backwards through time, a tick after the other."""

    def __init__(
        self,
        terms: Terms,
        shape: Shape,
        step: Seconds,
        levels: int,
        stay: NDArray[np.float32],
        hop: NDArray[np.float32],
    ) -> None:
        import numpy as np

        self._terms, self._shape, self._step = terms, shape, step
        self._slack = np.arange(levels) * step
        self._stay, self._hop = stay.T.copy(), hop.T.copy()
        self._move = self._stay + self._hop
        up = np.zeros(len(stay), dtype=bool)
        up[AGES:STATES], up[STATES + AGES :] = True, True
        self._up = up[None, :]

    def fill(self, kept: NDArray[np.float32], places: list[int]) -> None:
        """The expectations for each number of ticks left, from the least on; of the levels those in some places are
        remembered. With no tick left all work is done."""
        import numpy as np

        best = np.zeros((self._shape.rows, len(self._slack), len(self._stay)), dtype=np.float32)
        for left in range(1, len(kept)):
            after = self._expected(best)
            kept[left] = after[:, places]
            best = self._chosen(after, np.asarray(left * self._terms.tick - self._slack, dtype=np.float64))

    def _expected(self, best: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the next choice comes to on average: spot may be taken meanwhile."""
        import numpy as np

        shape, after = self._shape, np.empty_like(best)
        after[0] = best[0] @ self._move
        for k in range(1, shape.booting + 1):
            after[shape.spot(k)] = best[shape.spot(k)] @ self._stay + best[0] @ self._hop
            after[shape.on_demand(k)] = best[shape.on_demand(k)] @ self._move
        for j in range(1, shape.beside + 1):
            after[shape.both(j)] = best[shape.both(j)] @ self._stay + best[shape.on_demand(shape.booting)] @ self._hop
        return after

    def _chosen(self, after: NDArray[np.float32], work: NDArray[np.float64]) -> NDArray[np.float32]:
        """The least of the choices, for each row."""
        import numpy as np

        terms, shape = self._terms, self._shape
        act = self._acting(after, work)

        def runs(row: Callable[[int], int], ticks: int, cost: float) -> NDArray[np.float32]:
            """Go on with what was launched so many ticks ago; 0: launch it."""
            lost = min(shape.rem(ticks), terms.tick)
            return act(row(ticks + 1), lost, cost)

        on_demand, spot = runs(shape.on_demand, 0, 1.0), runs(shape.spot, 0, terms.price)
        best = np.empty_like(after)
        none = np.minimum(act(0, terms.tick, 0.0), on_demand)
        with_spot = np.minimum(none, spot)
        best[0] = np.where(self._up, with_spot, none)
        for k in range(1, shape.booting + 1):
            best[shape.spot(k)] = np.minimum(with_spot, runs(shape.spot, k, terms.price))
            best[shape.on_demand(k)] = np.minimum(best[0], runs(shape.on_demand, k, 1.0))
        if terms.overlap:
            trains = shape.on_demand(shape.booting)
            for j in range(shape.beside, 0, -1):
                best[shape.both(j)] = np.minimum(best[trains], self._both(act, j))
            best[trains] = np.where(self._up, np.minimum(best[trains], self._both(act, 0)), best[trains])
        best[:, work <= 1e-6, :] = 0
        np.minimum(best, NEVER, out=best)
        return best

    def _both(self, act: Callable[[int, Seconds, float], NDArray[np.float32]], ticks: int) -> NDArray[np.float32]:
        """A spot machine that boots beside for so many ticks already. In the last of them it takes over."""
        terms, shape = self._terms, self._shape
        if ticks < shape.beside:
            return act(shape.both(ticks + 1), 0.0, 1.0 + terms.price)
        return act(shape.spot(shape.booting), shape.restore, terms.price + shape.last_bit)

    def _acting(
        self, after: NDArray[np.float32], work: NDArray[np.float64]
    ) -> Callable[[int, Seconds, float], NDArray[np.float32]]:
        """What a tick costs that loses so much slack and ends in a row; nothing more once the work is done in it."""
        import numpy as np

        def act(row: int, lost: Seconds, cost: float) -> NDArray[np.float32]:
            made: NDArray[np.float32] = np.full(after[row].shape, NEVER, dtype=np.float32)
            shift = lost / self._step
            whole = math.floor(shift + 1e-9)
            part = np.float32(max(shift - whole, 0.0))
            count = len(made) - whole
            if part < 1e-6:
                if count > 0:
                    made[whole:] = after[row][:count]
            elif count > 1:
                made[whole + 1 :] = after[row][: count - 1] * part + after[row][1:count] * (1 - part)
            made += np.float32(cost)
            made[work <= self._terms.tick - lost + 1e-6] = cost
            return made

        return act
