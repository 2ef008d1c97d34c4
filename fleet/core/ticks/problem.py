"""The omniscient's problem: its states, its values from the last tick back, and what may be chosen in a state.

Every launch is stayed with until its overhead is paid: one that is not paid brings nothing and costs money, so that
waiting in its place is never worse. A launch is therefore one step of as many ticks as its overhead fills, and between
steps no overhead is left. What a state must say is then: idle, on-demand or spot in a zone; the region where the data
lies, if moving it costs something; and with a deadline the slack (time left minus work left), which only waiting and
launching use up, without one the work left. These are sums of two numbers, and few. Whole microseconds, so that they
add up; costs in ticks of on-demand.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fleet.core.deadlines.model import Do
from fleet.core.ticks.model import ON_DEMAND, SPOT, WAIT, Places, Terms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.intp]

MICROS = 1_000_000
KEEP = 6_000_000
"""So many values are kept at once; longer windows are solved in stretches, and once more on the way forward."""
PLAIN = 30_000
"""Up to so many multiples of the common measure all are taken; beyond, only those that can be reached."""


class Choice(NamedTuple):
    """What may be done in a state, and where it leads."""

    cost: float
    """Until the end."""
    do: Do
    zone: int
    ticks: int
    row: int
    at: int


class Problem:
    """One window under its terms."""

    def __init__(self, ticks: Sequence[Sequence[bool]], terms: Terms, places: Places) -> None:
        import numpy as np

        tick, overhead, work = (round(seconds * MICROS) for seconds in (terms.tick, terms.overhead, terms.work))
        self._tick, self._overhead = tick, overhead
        self._deadline = terms.ticks is not None
        self._end = len(ticks) if terms.ticks is None else terms.ticks
        self.span = max(1, -(-overhead // tick))
        """Ticks of a launch."""
        self._prices = places.prices
        self._move = places.transfer * 3600 / terms.tick
        names = sorted(set(places.regions)) if places.transfer else []
        self._regions = 1 + len(names)
        """Where the data may lie: nowhere yet, or in one of these."""
        self._home = [1 + names.index(region) if names else 0 for region in places.regions]
        self._up = np.zeros((self._end + self.span, len(places.prices)), dtype=bool)
        known = np.asarray(ticks[: self._end], dtype=bool).reshape(-1, len(places.prices))
        self._up[: len(known)] = known
        self._held = self._up[: self._end].copy()
        """Up for as long as a launch takes."""
        for later in range(1, self.span):
            self._held &= self._up[later : later + self._end]
        self._measure(work)

    def _measure(self, work: int) -> None:
        """The values that slack, or the work left, can take, and where each step leads among them."""
        import numpy as np

        tick, launch = self._tick, self._overhead if self._deadline else self.span * self._tick - self._overhead
        most = self._end * tick - work if self._deadline else work
        values = _reachable(most, tick, launch)
        self._values = values if self._deadline else np.union1d(values, [0])
        self.start = len(self._values) - 1

        def less(step: int) -> Indices:
            target = self._values - step
            if not self._deadline:
                return np.searchsorted(self._values, np.maximum(target, 0))
            return np.where(target < 0, -1, np.searchsorted(self._values, target))

        pad = [-1]  # beyond the values stands what cannot be: infinitely dear
        stay, wait = (0, tick) if self._deadline else (tick, 0)
        self._stay, self._wait, self._launch = (np.append(less(step), pad) for step in (stay, wait, launch))

    def done(self, tick: int, at: int) -> bool:
        """No work is left."""
        value = int(self._values[at])
        return value >= (self._end - tick) * self._tick if self._deadline else value == 0

    def _last(self) -> Floats:
        """The values at the last tick: with a deadline all work is done, else on-demand does what is left."""
        import numpy as np

        rows = 2 * self._regions + len(self._prices)
        last = np.zeros((rows, len(self._values) + 1))
        last[:, -1] = np.inf
        if not self._deadline:
            left = self._values[1:]
            last[:, 1:-1] = -(-(left + self._overhead) // self._tick)
            last[self._regions : 2 * self._regions, 1:-1] = -(-left // self._tick)
        return last

    def _before(self, tick: int, near: Floats, far: Floats) -> Floats:
        """The values at a tick, from those of the next and of the one at which a launch's overhead is paid."""
        import numpy as np

        regions, spot = self._regions, 2 * self._regions
        values = np.empty_like(near)
        idle, usual = values[:regions], values[regions:spot]
        np.add(far[regions:spot].take(self._launch, axis=1), self.span, out=idle)
        np.minimum(idle, near[:regions].take(self._wait, axis=1), out=idle)
        self._launched(idle, self._held[tick].nonzero()[0].tolist(), far[spot:])
        np.add(near[regions:spot].take(self._stay, axis=1), 1.0, out=usual)
        np.minimum(usual, idle, out=usual)
        for zone, up in enumerate(self._up[tick].tolist()):
            values[spot + zone] = idle[self._home[zone]]
            if up:
                stayed = near[spot + zone].take(self._stay)
                stayed += self._prices[zone]
                np.minimum(values[spot + zone], stayed, out=values[spot + zone])
        if self._deadline:
            values[:, int(np.searchsorted(self._values, (self._end - tick) * self._tick)) : -1] = 0.0
        else:
            values[:, 0] = 0.0
        return values

    def _launched(self, idle: Floats, zones: list[int], far: Floats) -> None:
        """Better what is best in each region by a launch of spot in one of the zones."""
        import numpy as np

        best: dict[int, Floats] = {}
        for zone in zones:
            taken = far[zone].take(self._launch)
            taken += self.span * self._prices[zone]
            home = self._home[zone]
            best[home] = np.minimum(best[home], taken, out=taken) if home in best else taken
        for home, taken in best.items():
            np.minimum(idle[home], taken, out=idle[home])
        if self._regions > 1 and best:
            anywhere = np.minimum.reduce(list(best.values()))
            np.minimum(idle[0], anywhere, out=idle[0])  # data that lies nowhere yet moves for nothing
            np.minimum(idle[1:], anywhere + self._move, out=idle[1:])

    def _moved(self, region: int, zone: int) -> float:
        return self._move if region not in (0, self._home[zone]) else 0.0

    def stretches(self) -> Iterator[tuple[int, list[Floats]]]:
        """From the first tick on: a tick, the values at it and those after, ``span`` more than the stretch has ticks."""
        import numpy as np

        last = self._last()
        length = max(KEEP // last.size, math.isqrt(self._end), self.span)
        # past the last tick on-demand goes on; with a deadline nothing does
        nothing = np.full_like(last, np.inf) if self._deadline else last
        later = [last, *[nothing] * (self.span - 1)]
        starts = range(0, self._end, length)
        known: dict[int, list[Floats]] = {}
        values: list[Floats] = later
        for first in reversed(starts):
            known[first] = later
            values = self._stretch(first, min(first + length, self._end), later)
            later = values[: self.span]
        for first in starts:
            yield first, (values if first == 0 else self._stretch(first, min(first + length, self._end), known[first]))

    def _stretch(self, first: int, beyond: int, later: list[Floats]) -> list[Floats]:
        found = list(reversed(later))
        for tick in reversed(range(first, beyond)):
            found.append(self._before(tick, found[-1], found[-self.span]))
        return found[::-1]

    def choices(self, tick: int, row: int, at: int, near: Floats, far: Floats) -> Iterator[Choice]:
        """All that may be done in a state: to train now comes before waiting for what costs no less."""
        regions, spot = self._regions, 2 * self._regions
        zone = row - spot
        region = row % regions if zone < 0 else self._home[zone]
        if zone >= 0 and self._up[tick, zone]:
            yield self._choice(SPOT, zone, 1, row, int(self._stay[at]), near, self._prices[zone])
        if zone < 0 and row >= regions:
            yield self._choice(ON_DEMAND, -1, 1, row, int(self._stay[at]), near, 1.0)
        for other in self._held[tick].nonzero()[0].tolist():
            cost = self.span * self._prices[other] + self._moved(region, other)
            yield self._choice(SPOT, other, self.span, spot + other, int(self._launch[at]), far, cost)
        yield self._choice(WAIT, -1, 1, region, int(self._wait[at]), near, 0.0)
        yield self._choice(ON_DEMAND, -1, self.span, regions + region, int(self._launch[at]), far, float(self.span))

    @staticmethod
    def _choice(do: Do, zone: int, ticks: int, row: int, at: int, values: Floats, cost: float) -> Choice:
        return Choice(cost + float(values[row, at]), do, zone, ticks, row, at)


def _reachable(most: int, one: int, other: int) -> NDArray[np.int64]:
    """What is left of ``most``, 0 or more, once any number of the one and of the other were taken from it; upwards."""
    import numpy as np

    measure = math.gcd(one, other)
    if most // measure <= PLAIN:
        return np.arange(most % measure, most + 1, measure, dtype=np.int64)
    ones = np.arange(0, most + 1, one, dtype=np.int64)
    others = np.arange(0, most + 1, other or most + 1, dtype=np.int64)
    sums = np.add.outer(ones, others)
    return most - np.unique(sums[sums <= most])[::-1]
