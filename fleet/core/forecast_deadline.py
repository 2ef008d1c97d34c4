"""The same for a job with a deadline: the controller's own decisions, in weather from the chain they were solved for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from fleet.core.deadlines import Do, Situation, Sky, Table, Terms, decide, table
from fleet.core.deadlines.chain import AGES, STATES, stay_and_hop
from fleet.core.deadlines.weather import EDGES
from fleet.core.forecast import Forecast, summed_up
from fleet.model.base import Micros, Seconds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TRIES = 200
LOOSER = (1.25, 1.5, 2.0)
"""So many times the deadline: what that would save is told."""
MOST_TICKS = 600
TICK: Seconds = 600


@dataclass(frozen=True, slots=True)
class Looser:
    """A later deadline, and what it is expected to cost."""

    deadline: Seconds
    cost: Micros


def terms_of(overhead: Seconds, restore: Seconds, share: float, zones: int, risk: float, horizon: Seconds) -> Terms:
    """What the tables are solved for. Ticks are ten minutes, longer for a deadline in weeks."""
    tick = max(TICK, TICK * round(horizon / TICK / MOST_TICKS))
    # Rounded, so that questions which differ in nothing that matters share a table.
    about = round(overhead, -1), round(min(restore, overhead), -1), round(share, 2)
    return Terms(tick, *about, zones=max(1, min(4, zones)), risk=max(0.1, round(risk, 1)))


def _at_start(work: Seconds, deadline: Seconds, up: bool, step: Seconds) -> Situation:
    """Nothing runs yet."""
    return Situation(deadline, work, Do.WAIT, 0.0, Sky(up, 0.0), step=step)


def with_deadline(
    terms: Terms,
    work: Seconds,
    deadline: Seconds,
    on_demand: Micros,
    volume: Micros,
    *,
    up: bool = True,
    seed: int = 0,
    tries: int = TRIES,
) -> tuple[Forecast, tuple[Looser, ...]]:
    """What a deadline costs, and what it and later ones cost on average, of those that can be kept. ``on_demand`` and
    ``volume`` per hour."""
    import numpy as np

    horizon = max(deadline * LOOSER[-1], work + terms.overhead + terms.tick)
    solved = table(terms, horizon, horizon - work)
    first = _at_start(work, deadline, up, terms.tick)
    looser = []
    for times in (1.0, *LOOSER):
        found = decide(solved, _at_start(work, deadline * times, up, terms.tick))
        if not found.late:
            looser.append(Looser(deadline * times, round(found.cost * on_demand)))
    rng = np.random.default_rng(seed)
    ends = [_run(solved, first, rng) for _ in range(tries)]
    cost = np.array([one.hours * on_demand + one.elapsed / 3600 * volume for one in ends])
    elapsed, taken = np.array([one.elapsed for one in ends]), np.array([float(one.taken) for one in ends])
    late = sum(one.elapsed > deadline + 1 for one in ends) / tries
    alone = round((terms.overhead + work) / 3600 * (on_demand + volume))
    return summed_up(cost, elapsed, taken, alone, sum(one.on_demand for one in ends) / tries, late), tuple(looser)


@dataclass(slots=True)
class _End:
    hours: float = 0.0
    """Of on-demand, at its price."""
    elapsed: Seconds = 0.0
    taken: int = 0
    on_demand: bool = False


class _Weather:
    """One try's sky, tick after tick."""

    def __init__(self, terms: Terms, up: bool, rng: np.random.Generator) -> None:
        self.both, self.rng = _cumulated(terms), rng
        self.state = AGES if up else 0
        self.states = self.both.shape[0]

    def step(self) -> bool:
        """A tick; whether what ran on spot was taken."""
        import numpy as np

        drawn = self.rng.random()
        after = int(np.searchsorted(self.both[self.state], drawn * self.both[self.state, -1], side="right"))
        stays = after < self.states
        self.state = min(after if stays else after - self.states, self.states - 1)
        return not stays

    @property
    def sky(self) -> Sky:
        """What a decision sees."""
        within = self.state % STATES
        age = within % AGES
        return Sky(within >= AGES, EDGES[age - 1] if age else 0.0, self.state >= STATES)


@lru_cache(maxsize=4)
def _cumulated(terms: Terms) -> NDArray[np.float64]:
    """The chances of all that may come after each state, summed up: first what goes on, then what is taken."""
    import numpy as np

    stay, hop = stay_and_hop(terms.tick, terms.zones, terms.risk)
    summed: NDArray[np.float64] = np.cumsum(np.concatenate([stay, hop], axis=1), axis=1, dtype=np.float64)
    return summed


def _run(solved: Table, first: Situation, rng: np.random.Generator) -> _End:
    """One try: a decision each tick, as a machine's controller makes them."""
    terms, end = solved.terms, _End()
    weather = _Weather(terms, first.sky.up, rng)
    work, running, rem = first.work, Do.WAIT, 0.0
    while work > 1e-6 and end.elapsed < 3 * first.left:
        now = Situation(first.left - end.elapsed, work, running, rem, weather.sky, step=terms.tick)
        found = decide(solved, now)
        if found.do is not running and found.do is not Do.WAIT:
            rem = terms.overhead
        running = found.do
        end.on_demand |= running is Do.ON_DEMAND
        trains = max(0.0, terms.tick - rem) if running is not Do.WAIT else 0.0
        used = rem + work if work < trains else terms.tick
        end.hours += {Do.ON_DEMAND: 1.0, Do.SPOT: terms.price}.get(running, 0.0) * used / 3600
        rem, work = max(0.0, rem - terms.tick), max(0.0, work - trains)
        end.elapsed += used
        if weather.step() and running is Do.SPOT and work > 0:
            end.taken += 1
            running, rem = Do.WAIT, 0.0
    return end
